"""Emergency reports of this point and what the crisis room answers.

A report is remembered on flash before it is numbered, so that it survives a loss of power at any moment, and
waits there when the time is unknown. Its record is the same whenever it is made again: number, time and text
are remembered, sealing and signing have no chance in them. It is put on the air again with growing pauses
until an ANSWER that names it has come back, and is shown until the answer has expired.

The flash value `reports`, per report, oldest first: number u24 (0: not numbered yet), minutes u24, authority
u16, priority (bits 0-1) and exercise (bit 2) u8, length of the text u8, text. The value `answers` has the
answers that were read, five bytes each.
"""

from baken.compat import const
from baken.crypto.ed25519 import montgomery_public
from baken.device.reporter import is_trusted
from baken.noticeboard.board import pack_keys, unpack_keys
from baken.noticeboard.letters import MAX_REPORTS_OF_POINT
from baken.noticeboard.store import next_number, raise_number
from baken.wire import report, sealed
from baken.wire.errors import ProtocolError, RemoteProtocolError
from baken.wire.records import ANSWER, REPORT, decode_minutes, encode_minutes
from baken.wire.status import PRIORITIES

# Pauses between two sendings of a report nobody has acknowledged; the last one goes on. The first leaves
# an answer over five hops at LongFast the time to come, shorter ones get in its way: `baken-bench measure
# emergency`.
PAUSES_MS = (75000, 60000, 60000, 120000, 300000, 600000)
_RETRY_MS = const(60000)
_COUNTER = "report"
_HEAD = const(10)


class Letter:
    """What the display shows of one report or answer.

    `name`: which one it is; `seq`: number of the report, 0 for an answer without one or while it has none;
    `text`: what was reported, b"" when that is not known; `sent_s`: when, or None; `received_s`: when the
    crisis room acknowledged it, or None; `open_answer`: gives the words of the answer, None without any;
    `authority`: number of who answered or is to answer; `unread`: an answer or acknowledgement that nobody
    has confirmed.
    """

    def __init__(self, name, seq, text, sent_s, authority):
        self.name = name
        self.seq = seq
        self.text = text
        self.sent_s = sent_s
        self.authority = authority
        self.received_s = None
        self.open_answer = None
        self.answered_s = None
        self.exercise = False
        self.unread = False
        self.keys = []  # of the answers

    @property
    def answer(self):
        """The words of the answer, b"" when there are none."""
        return self.open_answer() if self.open_answer is not None else b""

    @property
    def waits(self):
        """Whether it is a report that nobody has acknowledged."""
        return self.received_s is None


class _Own:
    """A report made here; `name` stays while the program runs."""

    def __init__(self, seq, time_s, to, priority, exercise, text):
        self.name = ""
        self.seq = seq
        self.time_s = time_s
        self.to = to
        self.priority = priority
        self.exercise = exercise
        self.text = text


class Letterbox:
    """`write` takes a report, `poll` gives records to publish and to send again, `letters` what to show."""

    def __init__(self, settings, replica, store, timekeeper, rand, now):
        self._settings = settings
        self._replica = replica
        self._store = store
        self._timekeeper = timekeeper
        self._rand = rand
        self._keys = {}  # public key of an authority -> key shared with it
        self._opened = (None, b"")  # (authority, number) of the answer that was shown last, and its text
        self._times = {}  # number of a report -> (when it is due again, how often it was sent)
        self._read = unpack_keys(store.get("answers"))
        self._named = 0
        self._own = [self._name(own) for own in _unpack(store.get("reports"))]
        self._retry_at = now
        for seq in [own.seq for own in self._own]:
            if seq:
                self._times[seq] = (now + rand(PAUSES_MS[0]), 0)

    # --- writing

    def write(self, text, priority, exercise, now):
        """A person at the point reports; the letter's name, or None when too many still wait
        (MAX_REPORTS_OF_POINT).
        """
        if len([1 for own in self._own if not self._acknowledgement(own)]) >= MAX_REPORTS_OF_POINT:
            return None
        own = self._name(_Own(0, 0, 0, priority, exercise, text))
        self._own.append(own)
        self._forget_oldest()
        self._keep()
        self._retry_at = now
        return own.name

    def overtaken(self, seq):
        """A report of this point with number `seq` exists: later ones have higher numbers, whatever the flash
        says.
        """
        try:
            raise_number(self._store, _COUNTER, seq)
        except OSError:
            pass  # no number can be kept, so none is given either

    # --- sending

    def deadline(self):
        """When `poll` has something, ms; None: no report waits."""
        due = [
            self._times[own.seq][0] if own.seq in self._times else self._retry_at for own in self._waiting()
        ]
        return min(due) if due else None

    def poll(self, now):
        """[(raw, is_new)] of the reports to put on the air now: to publish, or to spread again."""
        out = []
        for own in self._waiting():
            if own.seq in self._times:
                due, count = self._times[own.seq]
                if now < due:
                    continue
            elif now < self._retry_at:
                continue
            else:
                count = -1
            raw = self._record(own)
            if raw is None:
                self._retry_at = now + _RETRY_MS
                self._times.pop(own.seq, None)
                continue
            is_new = (REPORT, self._settings.number, own.seq, 0) not in self._replica.letters
            count += 1
            pause = PAUSES_MS[min(count, len(PAUSES_MS) - 1)]
            self._times[own.seq] = (now + pause + self._rand(pause // 4), count)
            out.append((raw, is_new))
        return out

    def _waiting(self):
        return [own for own in self._own if not self._acknowledgement(own)]

    def _record(self, own):
        """The signed record of a report; None while it cannot be made: no time, no number, no authority."""
        if not is_trusted(self._settings, self._replica):
            return None
        trust = self._replica.trust
        if not own.seq:
            unix_s = self._timekeeper.unix_s()
            to = self._addressee()
            if unix_s is None or to is None:
                return None
            try:
                number = next_number(self._store, _COUNTER)
            except OSError:
                return None
            own.seq, own.time_s, own.to = number, unix_s - unix_s % 60, to
            self._keep()
        held = self._replica.get((REPORT, self._settings.number, own.seq, 0))
        if held is not None:
            return held
        key = self._shared_key(own.to)
        if key is None:
            return None
        made = report.Report(self._settings.number, own.seq, own.time_s, own.to, own.priority, own.exercise)
        return sealed.encode_report(made, own.text, key, trust.tag, self._settings.key.sign)

    def _addressee(self):
        """Number of the authority that reads the reports of this point, None when nobody is trusted."""
        authorities = self._replica.trust.authorities
        wanted = self._settings.reports_to
        if wanted in authorities:
            return wanted
        return min(authorities) if authorities else None

    # --- reading

    def letters(self):
        """List of Letter: what waits and what nobody has read first, then the newest."""
        unix_s = self._timekeeper.unix_s()
        out = []
        of_report = {}
        for own in self._own:
            letter = Letter(own.name, own.seq, own.text, own.time_s or None, own.to)
            letter.exercise = own.exercise
            out.append(letter)
            if own.seq:
                of_report[own.seq] = letter
        for key, answer in self._answers():
            if unix_s is not None and unix_s >= answer.expires_s and key in self._read:
                continue
            letter = of_report.get(answer.ref) if answer.ref else None
            if letter is None:
                letter = Letter(_name_of(key, answer), answer.ref, b"", None, answer.origin)
                out.append(letter)
                if answer.ref:
                    of_report[answer.ref] = letter
            self._add(letter, key, answer)
        return sorted(out, key=_rank)

    def _add(self, letter, key, answer):
        letter.keys.append(key)
        letter.authority = answer.origin
        letter.exercise |= answer.exercise
        if letter.received_s is None or answer.time_s < letter.received_s:
            letter.received_s = answer.time_s
        letter.unread |= key not in self._read
        if answer.has_text and (letter.answered_s is None or answer.time_s >= letter.answered_s):
            letter.answered_s = answer.time_s
            letter.open_answer = lambda: self._text(key)

    def mark_read(self, name):
        """A person has confirmed this letter; False when it still waits, or is gone."""
        for letter in self.letters():
            if letter.name == name and not letter.waits:
                self._read.update(letter.keys)
                held = self._replica.letters.answers
                self._read = {key for key in self._read if key in held}
                try:
                    self._store.set("answers", pack_keys(self._read))
                except OSError:
                    pass  # known until the power fails
                return True
        return False

    def learned(self, record_id):
        """A REPORT or ANSWER is new here; the name of the letter it belongs to when it is for this point."""
        kind, origin, seq, _part = record_id
        if kind == REPORT:
            if origin == self._settings.number:
                self.overtaken(seq)
            return None
        answer = self._replica.letters.answers.get((origin, seq))
        if kind != ANSWER or answer is None or answer.point != self._settings.number:
            return None
        if answer.ref:
            self.overtaken(answer.ref)
            self._times.pop(answer.ref, None)
            for own in self._own:
                if own.seq == answer.ref:
                    return own.name
        return _name_of((origin, seq), answer)

    def expire(self, unix_s):
        """Forget reports whose answers were read and are over, and those nobody answered in time."""
        keep = []
        for own in self._own:
            answer = self._acknowledgement(own)
            if answer is None:
                over = own.seq and unix_s >= own.time_s + report.LIFE_S
            else:
                over = unix_s >= answer.expires_s and all(
                    [key in self._read for key, held in self._answers() if held.ref == own.seq]
                )
            if not over:
                keep.append(own)
        if len(keep) < len(self._own):
            self._own = keep
            self._keep()

    # --- inside

    def _name(self, own):
        self._named += 1
        own.name = "own-%d" % self._named
        return own

    def _answers(self):
        return self._replica.letters.answers_for(self._settings.number)

    def _acknowledgement(self, own):
        return self._replica.letters.acknowledging(self._settings.number, own.seq) if own.seq else None

    def _text(self, key):
        if self._opened[0] != key:
            shared = self._shared_key(key[0])
            try:
                raw = self._replica.get((ANSWER,) + key + (0,))
                text = sealed.open_text(raw, shared) if shared and raw else b"?"
            except RemoteProtocolError:
                text = b"Onleesbaar: niet voor deze sleutel. / Unreadable: not for this key."
            self._opened = (key, text)
        return self._opened[1]

    def _shared_key(self, number):
        authority = self._replica.trust.authorities.get(number)
        if authority is None:
            return None
        if authority.public not in self._keys:
            try:
                shared = sealed.shared_key(
                    self._settings.mesh.private_key,
                    montgomery_public(authority.public),
                    self._replica.trust.tag,
                )
            except ProtocolError:
                return None
            self._keys = {authority.public: shared}
        return self._keys[authority.public]

    def _forget_oldest(self):
        """Answered reports make room for new ones, the oldest first."""
        answered = [own for own in self._own if self._acknowledgement(own)]
        while len(self._own) > MAX_REPORTS_OF_POINT and answered:
            self._own.remove(answered.pop(0))

    def _keep(self):
        try:
            self._store.set("reports", _pack(self._own))
        except OSError:
            pass  # sent all the same; only a loss of power before the answer would end it


def _name_of(key, answer):
    return "report-%d" % answer.ref if answer.ref else "answer-%d-%d" % key


def _rank(letter):
    group = 0 if letter.unread else 1 if letter.waits else 2
    return (group, -(letter.answered_s or letter.received_s or letter.sent_s or 0), letter.name)


def _pack(reports):
    out = bytearray()
    for own in reports:
        out += own.seq.to_bytes(3, "big")
        out += encode_minutes(own.time_s) if own.seq else bytes(3)
        flags = PRIORITIES.index(own.priority) | (4 if own.exercise else 0)
        out += own.to.to_bytes(2, "big") + bytes((flags, len(own.text))) + own.text
    return bytes(out)


def _unpack(data):
    """The reports that `_pack` wrote; none for None."""
    out = []
    data = data or b""
    at = 0
    while at + _HEAD <= len(data):
        size = data[at + 9]
        text = bytes(data[at + _HEAD : at + _HEAD + size])
        seq = int.from_bytes(data[at : at + 3], "big")
        time_s = decode_minutes(data, at + 3) if seq else 0
        flags = data[at + 8]
        to = data[at + 6] << 8 | data[at + 7]
        out.append(_Own(seq, time_s, to, PRIORITIES[flags & 3], bool(flags & 4), text))
        at += _HEAD + size
    return out
