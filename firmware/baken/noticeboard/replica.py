"""A replica of the noticeboard: takes records in after checking them, forgets them when they have expired.

Every record is checked before it is stored, shown or passed on; a refused one is counted by cause and never
displaces a good one. Bulletins are in `board`, reports and answers in `letters`, what only the newest counts
of in `registers`, who may speak in `keyring`; each says what goes when it is full. `inventory` tells gossip
what is held.
"""

from baken.noticeboard.board import Board, pack_keys, unpack_keys
from baken.noticeboard.inventory import Inventory
from baken.noticeboard.keyring import Keyring
from baken.noticeboard.letters import Letters
from baken.noticeboard.notice import current, state_of
from baken.noticeboard.pulses import PulseBook
from baken.noticeboard.registers import Registers
from baken.wire import amendment, bulletin
from baken.wire.errors import RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import (
    ANSWER,
    AUTHORITY_KINDS,
    BULLETIN,
    HEARTBEAT,
    POINT_KINDS,
    REPORT,
    STATUS,
    TRUST,
    decode_header,
    role_of,
)

NEW = "new"
KNOWN = "known"
REFUSED = "refused"
CHECKED = "checked"  # the store's value that names the keys under which all its records were checked
# Causes of refusal that say nothing against a record: it was true once, and is over.
OVER = ("expired", "old-status", "old", "old-trust", "answered")


class Outcome(Record):
    """What became of a record: `state` NEW, KNOWN or REFUSED, `cause` of a refusal (""), `record_id` or
    None.
    """

    __slots__ = ("cause", "record_id", "state")

    def __init__(self, state, record_id=None, cause=""):
        self.state = state
        self.record_id = record_id
        self.cause = cause


class Replica:
    """The records of one region as this program knows them.

    `trust`: the TrustList that was provisioned, with the amendments that have come since; `store`: see
    `store`. Records found in the store are checked again like received ones, unless the store vouches for
    them and the same keys count as then; `begin_checks()` is called before that, which may take minutes
    on a node. `notices`: {(origin, seq): Notice}; `statuses`: {point number:
    Status}; `heartbeats`: {authority number: Heartbeat}; `letters`: reports and answers; `pulses`: the
    PulseBook; `inventory`: what is held, as gossip compares it; `counters`: {cause: count of refusals};
    `revision` grows with every change; `newest_sent_s`: the latest time an authority has signed, or None.
    """

    def __init__(self, trust, store, begin_checks=None):
        self.keyring = Keyring(trust, store.fetch)
        self.letters = Letters()
        self.counters = {}
        self.revision = 0
        self.newest_sent_s = None
        self._store = store
        self._registers = Registers(store.fetch)
        self.statuses = self._registers.statuses
        self.heartbeats = self._registers.heartbeats
        self.pulses = PulseBook(self.statuses, lambda: self.trust.points, trust.tag)
        self._board = Board(store.fetch, lambda: self.trust)
        self._board.read = unpack_keys(store.get("read"))
        self.notices = self._board.notices
        self.inventory = Inventory(self._board, self.letters, self._registers, self.keyring)
        self._load(begin_checks)

    @property
    def trust(self):
        """Who may speak, as of now."""
        return self.keyring.trust

    # --- taking in

    def receive_record(self, raw, unix_s):
        """Check and keep one record that came from anywhere; never raises for what the bytes hold.

        `unix_s`: calendar time now, or None when it is unknown.
        """
        self._forget_lost()
        try:
            header = decode_header(raw)
            raw = bytes(raw)
            if header.kind == BULLETIN:
                outcome = self._receive_bulletin(header, raw, unix_s)
            elif header.kind == REPORT or header.kind == ANSWER:
                outcome = self._receive_letter(header, raw, unix_s)
            elif header.kind == TRUST:
                outcome = self._receive_amendment(header, raw)
            else:
                outcome = self._receive_register(header, raw, unix_s)
        except RemoteProtocolError as error:
            return self._refuse(error.cause)
        if outcome.state == NEW:
            self._store.commit()
            if header.kind == TRUST:
                self._remember_checked()
        return outcome

    def expire(self, unix_s):
        """Forget what is no longer needed at `unix_s`; the ids of the records that went."""
        self._forget_lost()
        gone = self._forget(self._board.expire(unix_s) + self.letters.expire(unix_s))
        for number, authority in self.trust.authorities.items():
            if authority.expires_s and unix_s >= authority.expires_s:
                gone += self._forget_origin(AUTHORITY_KINDS, number, None)
        if gone:
            self._store.commit()
        return gone

    def next_expiry_s(self):
        """Unix seconds at which `expire` has something to do again, None when nothing is held."""
        times = [self._board.next_expiry_s(), self.letters.next_expiry_s()]
        times = [time_s for time_s in times if time_s is not None]
        return min(times) if times else None

    def forget_retired(self):
        """The clock by which bulletins were refused as expired was wrong: let them come again."""
        self._board.forget_retired()

    def mark_read(self, key):
        """A person here has confirmed bulletin `key`; remembered in the store and told in the point's
        STATUS.
        """
        if key in self.notices and key not in self._board.read:
            self._board.read.add(key)
            self._store.set("read", pack_keys([key for key in self._board.read if key in self.notices]))
            self.revision += 1

    def is_read(self, key):
        return key in self._board.read

    # --- asking

    def get(self, record_id):
        """Raw bytes of a record, or None."""
        return self._store.fetch(record_id)

    def records(self):
        """Every raw record held: amendments, bulletins by authority and number, then the rest by kind and
        origin.
        """
        held = self._board.ids()
        for kind in (HEARTBEAT, STATUS, None):
            held += self._registers.ids_of(kind)
        for kind in (REPORT, ANSWER):
            held += [(kind,) + key + (0,) for key in sorted(self.letters.held(kind))]
        found = [self._store.fetch(record_id) for record_id in held]
        return self.keyring.records() + [raw for raw in found if raw is not None]

    def replaced_by(self, kind, origin, seq):
        """The raw record held here that makes this one, which is not, needless; None when there is none."""
        if kind == REPORT:
            answer = self.letters.acknowledging(origin, seq)
            return self.get((ANSWER, answer.origin, answer.seq, 0)) if answer else None
        if kind == TRUST:
            return self.keyring.overtaking(seq)
        newest = self._registers.seq(kind, origin)
        return self.get((kind, origin, newest, 0)) if newest > seq else None

    def current(self, area, unix_s, restricted=False):
        """Notices to show at a place, see `notice.current`."""
        return current(self.notices.values(), area, unix_s, restricted)

    def state_of(self, notice, area, unix_s):
        """See `notice.state_of`."""
        return state_of(notice, self.notices.values(), area, unix_s)

    def seen(self):
        """Tuple of status.Seen, see `board`."""
        return self._board.seen()

    # --- inside

    def _receive_bulletin(self, header, raw, unix_s):
        if self.get(header.record_id) == raw:
            return Outcome(KNOWN, header.record_id)
        self.keyring.check(header, unix_s)
        part = bulletin.decode_part(raw)
        self.keyring.verify(header, raw)
        self._board.check_part(part, raw, unix_s)
        self._forget(self._board.make_room(raw, unix_s, len(self.trust.areas)))
        self._store.put(raw)
        self._add_part(part, raw)
        return Outcome(NEW, header.record_id)

    def _add_part(self, part, raw):
        self._board.add(part, raw)
        self._note_sent(part.sent_s)
        self.revision += 1

    def _receive_register(self, header, raw, unix_s):
        if self._registers.is_known(header, raw):
            return Outcome(KNOWN, header.record_id)
        self.keyring.check(header, unix_s)
        said = self._registers.decode(header, raw)
        self.keyring.verify(header, raw)
        self._store.put(raw)
        self._add_register(header, said)
        return Outcome(NEW, header.record_id)

    def _add_register(self, header, said):
        before = self._registers.add(header, said)
        if before is not None:
            self._store.remove(before)
        if header.kind == HEARTBEAT:
            self._note_sent(said.time_s)
        self._changed()

    def _receive_letter(self, header, raw, unix_s):
        if self.get(header.record_id) == raw:
            return Outcome(KNOWN, header.record_id)
        self.keyring.check(header, unix_s)
        if header.record_id in self.letters:
            raise RemoteProtocolError("another letter has number %d/%d" % header.record_id[1:3], "conflict")
        letter = self.letters.decode(header.kind, raw)
        if header.kind == REPORT:
            self.letters.check_report(letter, unix_s)
        else:
            self.letters.check_answer(letter, unix_s)
        self.keyring.verify(header, raw)
        self._store.put(raw)
        self._add_letter(header.kind, letter)
        return Outcome(NEW, header.record_id)

    def _add_letter(self, kind, letter):
        if kind == REPORT:
            self.letters.add_report(letter)
        else:
            self._forget(self.letters.add_answer(letter))
            self._note_sent(letter.time_s)
        self._changed()

    def _receive_amendment(self, header, raw):
        if self.get(header.record_id) == raw:
            return Outcome(KNOWN, header.record_id)
        if header.seq in self.keyring:
            raise RemoteProtocolError("another amendment has the number %d" % header.seq, "conflict")
        amendment.decode(raw)
        self.keyring.verify(header, raw)
        change, needless = self.keyring.amend(raw)
        self._store.put(raw)
        for seq in needless:
            self._store.remove((TRUST, amendment.ROOT_ORIGIN, seq, 0))
        self._apply(change)
        return Outcome(NEW, header.record_id)

    def _apply(self, change):
        """Forget what the old key of the one concerned has signed."""
        of_authority = change.action in (amendment.REVOKE_AUTHORITY, amendment.SET_AUTHORITY)
        kinds = AUTHORITY_KINDS if of_authority else POINT_KINDS
        trusted = self.trust.authorities if of_authority else self.trust.points
        entry = trusted.get(change.number)
        public = None
        if entry is not None:
            public = entry.public if of_authority else entry.signing_public
        self._forget_origin(kinds, change.number, public)
        self._changed()

    def _forget_origin(self, kinds, origin, public):
        """Forget the records of an origin that the key `public` has not signed (None: all); their ids."""
        gone = []

        def is_ours(kind):
            return role_of(kind) in kinds

        def is_good(record_id):
            raw = self.get(record_id) if public is not None else None
            return raw is not None and self.keyring.is_signed(public, raw)

        if kinds is AUTHORITY_KINDS:
            gone += self._forget(self._board.forget_origin(origin, is_good))
        for kind, held in ((REPORT, self.letters.reports), (ANSWER, self.letters.answers)):
            if is_ours(kind):
                bad = [key for key in held if key[0] == origin and not is_good((kind,) + key + (0,))]
                gone += self._forget(self.letters.remove(kind, bad))
        for record_id in self._registers.of_origin(is_ours, origin):
            if not is_good(record_id):
                gone += self._forget([self._registers.remove(record_id[0], origin)])
        return gone

    def _forget_lost(self):
        """Let what the store cannot read any more come again from a neighbour."""
        while self._store.lost:
            record_id = self._store.lost.pop()
            kind, origin, seq, _part = record_id
            if kind == BULLETIN:
                self._board.lose(record_id)
            elif kind == TRUST:
                self.keyring.lose(seq)
            elif kind == REPORT or kind == ANSWER:
                if record_id in self.letters:
                    self.letters.remove(kind, [(origin, seq)])
            elif self._registers.seq(kind, origin) == seq:
                self._registers.remove(kind, origin)
                if kind == STATUS:
                    self.pulses.forget(origin)
            self._changed()

    def _forget(self, record_ids):
        """Take these out of the store; gives them back."""
        for record_id in record_ids:
            self._store.remove(record_id)
            if record_id[0] == STATUS:
                self.pulses.forget(record_id[1])
        if record_ids:
            self._changed()
        return record_ids

    def _changed(self):
        self.inventory.changed()
        self.revision += 1

    def _note_sent(self, sent_s):
        if self.newest_sent_s is None or sent_s > self.newest_sent_s:
            self.newest_sent_s = sent_s

    def _refuse(self, cause):
        self.counters[cause] = self.counters.get(cause, 0) + 1
        return Outcome(REFUSED, None, cause)

    def _load(self, begin_checks):
        # Amendments first: they say whose signatures count. Answers before reports, which they may close.
        # A kind at a time: the ids of a full noticeboard are 20 kB.
        kinds = {record_id[0] for record_id in self._store.ids()}
        is_checked = self._was_checked()
        if kinds and begin_checks is not None and not is_checked:
            begin_checks()
        for kind in sorted(kinds, key=_load_order):
            for record_id in sorted([one for one in self._store.ids() if one[0] == kind]):
                self._load_stored(record_id, is_checked)
        self._store.commit()
        self._remember_checked()

    def _was_checked(self):
        """Whether every record in the store was checked under the keys that count now."""
        return self._store.vouches and self._store.get(CHECKED) == self._keys_that_count()

    def _remember_checked(self):
        if not self._store.vouches:
            return
        keys = self._keys_that_count()
        if self._store.get(CHECKED) != keys:
            try:
                self._store.set(CHECKED, keys)
            except OSError:
                pass  # the flash is full: the next start checks again

    def _keys_that_count(self):
        amendments = [record_id[2] for record_id in self._store.ids() if record_id[0] == TRUST]
        return self.keyring.fingerprint(sorted(amendments))

    def _load_stored(self, record_id, is_checked):
        raw = self.get(record_id)
        if raw is None:
            return
        try:
            self._load_record(decode_header(raw), raw, is_checked)
        except RemoteProtocolError as error:
            self._refuse("stored-" + error.cause)
            self._store.remove(record_id)

    def _load_record(self, header, raw, is_checked):
        kind = header.kind
        if not self.keyring.knows(kind, header.origin):
            raise RemoteProtocolError(
                "record of kind %d, origin %d is not trusted" % (kind, header.origin), "untrusted"
            )
        if not is_checked:
            self.keyring.verify(header, raw)
        if kind == BULLETIN:
            self._add_part(bulletin.decode_part(raw), raw)
        elif kind == TRUST:
            if self.keyring.is_contained(header.seq):
                self._store.remove(header.record_id)
            else:
                _, needless = self.keyring.amend(raw)
                self._forget([(TRUST, amendment.ROOT_ORIGIN, seq, 0) for seq in needless])
        elif kind == REPORT or kind == ANSWER:
            letter = self.letters.decode(kind, raw)
            if kind == REPORT and self.letters.acknowledging(header.origin, header.seq):
                self._store.remove(header.record_id)  # a power cut came between the two
            else:
                self._add_letter(kind, letter)
        elif not self._registers.is_known(header, raw):
            self._add_register(header, self._registers.decode(header, raw))


def _load_order(kind):
    return (TRUST, ANSWER).index(kind) if kind in (TRUST, ANSWER) else 2 + kind
