"""Makes this point's own STATUS records and the pulses between them.

A STATUS is a signed record, so one is made only when somebody reports, the battery has changed by a step, the
node has started, or pulses cannot say it. Pulses (see `baken.wire.pulse`) say every hour that it still holds,
and which bulletins have come in and were read since, as long as that goes in the order of their numbers.
"""

from baken.compat import const
from baken.noticeboard.store import next_number, raise_number
from baken.wire import pulse, status
from baken.wire.errors import ProtocolError
from baken.wire.records import STATUS, encode_minutes
from baken.wire.utf8 import shorten

START_AFTER_MS = const(30000)  # neighbours and bulletins come first
START_SPREAD_MS = const(60000)  # so that points that get power together do not all speak together
SEEN_AFTER_MS = const(60000)  # collect what pulses cannot say before telling it in a STATUS
SEEN_SPREAD_MS = const(360000)  # 40 points get a bulletin within seconds
PAUSE_MS = const(300000)  # between two that nobody at the point has asked for
PERIOD_S = const(3600)  # pulses come at the full hour, everywhere: so they can share frames
READ_GRID_S = const(120)  # likewise: a bulletin is read by many within minutes
HOURLY_MS = const(3600000)  # for a STATUS that no pulses can follow
BATTERY_STEP = const(10)  # per cent
_RETRY_MS = const(60000)
_UNKNOWN_MS = const(600000)  # until the time may be known
_COUNTER = "status"


class Reporter:
    """`poll(now)` gives a signed STATUS when one is due, `pulse(now)` a wire Pulse, `deadline()` says when;
    `draft` takes what a person reports.
    """

    def __init__(self, settings, replica, store, timekeeper, battery, rand, now):
        self._settings = settings
        self._replica = replica
        self._store = store
        self._timekeeper = timekeeper
        self._battery = battery
        self._rand = rand
        self._told = None  # the last Status made since the start
        self._steps = [0] * pulse.CHAINS  # of its chains, that the pulses have shown since
        self._told_at = now - PAUSE_MS
        self._least = 0  # highest number in use for which the flash had no room
        own = replica.statuses.get(settings.number)
        self._condition = own or status.Status(settings.number, 0, 0)
        if own:
            self.overtaken(own.seq)
        self._due = now + START_AFTER_MS + rand(START_SPREAD_MS)
        self._hour_due = self._next(now, PERIOD_S)
        self._receipt_due = None

    @property
    def condition(self):
        """Status with what was last reported here."""
        return self._condition

    def draft(self, draft, now):
        """A person at the point reports `draft` (a Status without number): send it at once."""
        self._condition = draft
        self._due = now

    def seen_changed(self, now):
        """Bulletins were received or read here: a pulse tells it now, or a STATUS a little later."""
        told = self._told
        if told is not None:
            if told.anchors != pulse.NO_ANCHORS:
                received, read = self._receipts(told)
                if received > self._steps[pulse.RECEIVED]:
                    self._receipt_due = now
                elif read > self._steps[pulse.READ] and self._receipt_due is None:
                    self._receipt_due = self._next(now, READ_GRID_S)
            if not _tells_more(self._replica.seen(), self._told_seen(told)):
                return
        self._plan(now, SEEN_AFTER_MS + self._rand(SEEN_SPREAD_MS))

    def overtaken(self, seq):
        """A STATUS of ours with number `seq` exists: later ones must have higher numbers, whatever the
        flash says.
        """
        if self._told is not None and seq > self._told.seq:
            self._told = None  # whoever made it, our pulses count for nothing any more
            self._plan(self._told_at, PAUSE_MS)
        try:
            raise_number(self._store, _COUNTER, seq)
        except OSError:
            self._least = max(self._least, seq)

    def deadline(self):
        """When to ask `poll` and `pulse` again, ms."""
        due = self._hour_due
        for other in (self._due, self._receipt_due):
            if other is not None:
                due = min(due, other)
        return due

    def poll(self, now):
        """Raw STATUS record; None when none is due, the time is unknown, no number can be kept on flash or
        nobody would believe it.
        """
        if self._due is None or now < self._due:
            return None
        unix_s = self._timekeeper.unix_s()
        seq = None
        if unix_s is not None and is_trusted(self._settings, self._replica):
            seq = self._next_number()
        if unix_s is None or seq is None:
            self._due = now + _RETRY_MS
            return None
        new = self._content()
        new.seq = seq
        new.time_s = unix_s
        self._add_anchors(new)
        raw = self._encode(new)
        self._told = status.decode(raw)  # with the time as it is carried, in minutes
        self._told_at = now
        self._steps = [0] * pulse.CHAINS
        self._receipt_due = None
        self._due = None if self._told.anchors != pulse.NO_ANCHORS else now + HOURLY_MS
        return raw

    def pulse(self, now):
        """The Pulse that is due, at the full hour or because of a receipt; None when none is, or a STATUS
        takes its place.
        """
        is_hour = now >= self._hour_due
        if not is_hour and (self._receipt_due is None or now < self._receipt_due):
            return None
        self._receipt_due = None
        if is_hour:
            self._hour_due = self._next(now, PERIOD_S)
        unix_s = self._timekeeper.unix_s()
        told = self._told
        if unix_s is None or told is None or told.anchors == pulse.NO_ANCHORS:
            return None
        steps = self._steps[: pulse.RECEIVED] + self._receipts(told)
        if is_hour:
            steps[pulse.ALIVE] = max(0, unix_s - told.time_s) // pulse.PERIOD_S
            if steps[pulse.ALIVE] > pulse.LAST_STEP[pulse.ALIVE] or not self._still_holds(told):
                self._plan(now, self._rand(SEEN_SPREAD_MS))
                return None
        shown = []
        for chain in range(pulse.CHAINS):
            if steps[chain] > self._steps[chain]:
                shown.append((chain, steps[chain], self._value(told, chain, steps[chain])))
                self._steps[chain] = steps[chain]
        return pulse.Pulse(told.origin, told.seq & 0xFF, tuple(shown)) if shown else None

    # --- inside

    def _plan(self, now, wait_ms):
        due = max(now + wait_ms, self._told_at + PAUSE_MS)
        self._due = due if self._due is None else min(self._due, due)

    def _content(self):
        """What would be said now, without number and time."""
        new = status.Status(self._settings.number, 0, 0)
        new.take_condition(self._condition)
        new.exercise |= any([notice.is_exercise for notice in self._replica.notices.values()])
        new.battery_percent = self._battery.percent()
        new.seen = self._replica.seen()
        return new

    def _nothing_seen(self):
        """While no bulletin is held: the newest number that is known of one authority, not received, so that
        pulses can tell of the next.
        """
        newest = {number: beat.newest for number, beat in self._replica.heartbeats.items()}
        for seen in self._told_seen(self._told) if self._told else ():
            newest[seen.authority] = max(seen.newest, newest.get(seen.authority, 0))
        authority = min(newest or self._replica.trust.authorities or (0,))
        return (status.Seen(authority, newest.get(authority, 0)),) if authority else ()

    def _still_holds(self, told):
        """Whether a STATUS made now would say no more than this one and its pulses. One from before an
        exercise is no part of it, and stays true.
        """
        new = self._content()
        if new.exercise < told.exercise or _tells_more(new.seen, self._told_seen(told)):
            return False
        if _is_level(new.battery_percent) and _is_level(told.battery_percent):
            return abs(new.battery_percent - told.battery_percent) < BATTERY_STEP
        return new.battery_percent == told.battery_percent

    def _receipts(self, told):
        """[steps of RECEIVED, of READ] that hold now; they never go back."""
        received, read = self._steps[pulse.RECEIVED :]
        if not told.seen:
            return [received, read]
        authority, newest = told.seen[0].authority, told.seen[0].newest
        notices = self._replica.notices
        while received < pulse.LAST_STEP[pulse.RECEIVED]:
            notice = notices.get((authority, newest + received + 1))
            if notice is None or not notice.complete:
                break
            received += 1
        while read < min(received, pulse.LAST_STEP[pulse.READ]):
            key = (authority, newest + read + 1)
            is_meant = key not in notices or notices[key].applies_to(self._settings.area)
            if is_meant and not self._replica.is_read(key):
                break
            read += 1
        return [received, read]

    def _told_seen(self, told):
        """What the STATUS and the pulses that there are, or will be in a moment, tell of bulletins."""
        if told.anchors == pulse.NO_ANCHORS or not told.seen:
            return told.seen
        return (status.seen_after(told.seen[0], *self._receipts(told)),) + told.seen[1:]

    def _add_anchors(self, new):
        """Pulses will follow, unless the text leaves no room for their anchors."""
        if not new.seen and len(new.text) <= status.text_capacity(1, True):
            new.seen = self._nothing_seen()
        if len(new.text) <= status.text_capacity(len(new.seen), True):
            new.anchors = tuple([self._value(new, chain, 0) for chain in range(pulse.CHAINS)])

    def _value(self, made, chain, step):
        """The chain's end follows from the number and time of the STATUS, so nothing needs to be kept; the
        time makes it another one even if a number came twice.
        """
        tag = self._replica.trust.tag
        about = b"pulse" + tag + made.seq.to_bytes(3, "big") + encode_minutes(made.time_s) + bytes((chain,))
        return pulse.chain_value(self._settings.key.secret(about), tag, made.origin, made.seq, chain, step)

    def _encode(self, new):
        try:
            return status.encode(new, self._replica.trust.tag, self._settings.key.sign)
        except ProtocolError:
            new.text = shorten(new.text, status.text_capacity(len(new.seen)))
            return status.encode(new, self._replica.trust.tag, self._settings.key.sign)

    def _next(self, now, period_s):
        """When the clock next shows a whole multiple of the period: the same moment at every point."""
        unix_s = self._timekeeper.unix_s()
        if unix_s is None:
            return now + _UNKNOWN_MS
        return now + 1000 * (period_s - unix_s % period_s)

    def _next_number(self):
        """The next sequence number, or None when it could be given again after a loss of power."""
        try:
            if self._least:
                raise_number(self._store, _COUNTER, self._least)
                self._least = 0
            return next_number(self._store, _COUNTER)
        except OSError:
            return None


def is_trusted(settings, replica):
    """Whether the region still knows this point by the key that this node has."""
    point = replica.trust.points.get(settings.number)
    return point is not None and point.public == settings.key.public


def own_number(record_id, settings):
    """Sequence number when `record_id` is a STATUS of this very point, else None."""
    return record_id[2] if record_id[0] == STATUS and record_id[1] == settings.number else None


def _tells_more(seen, told):
    """Whether the tuple `seen` of status.Seen has a bulletin received or read that the tuple `told` does not
    name. One that has expired since and is gone is no news.
    """
    told = {one.authority: one for one in told}
    for now in seen:
        before = told.get(now.authority) or status.Seen(now.authority, 0)
        for seq in range(max(1, now.newest - status.WINDOW + 1), now.newest + 1):
            if now.has_received(seq) > before.has_received(seq) or now.has_read(seq) > before.has_read(seq):
                return True
    return False


def _is_level(percent):
    return percent <= 100
