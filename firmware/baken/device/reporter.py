"""Makes the STATUS records of this point: when somebody reports, when bulletins have come in, and every
hour.
"""

from baken.compat import const
from baken.noticeboard.store import next_number, raise_number
from baken.wire import status
from baken.wire.errors import ProtocolError
from baken.wire.records import STATUS
from baken.wire.utf8 import shorten

PERIOD_MS = const(3600000)
SPREAD_MS = const(300000)  # so that 40 points do not report in the same minute
SEEN_AFTER_MS = const(30000)  # collect what arrives together before telling that it has
SEEN_SPREAD_MS = const(60000)
_RETRY_MS = const(60000)
_COUNTER = "status"


class Reporter:
    """`poll(now)` gives a signed STATUS when one is due, `deadline()` says when; `draft` takes what a
    person reports.
    """

    def __init__(self, settings, replica, store, timekeeper, battery, rand, now):
        self._settings = settings
        self._replica = replica
        self._store = store
        self._timekeeper = timekeeper
        self._battery = battery
        self._rand = rand
        self._told = None
        self._least = 0  # highest number in use for which the flash had no room
        own = replica.statuses.get(settings.number)
        self._condition = own or status.Status(settings.number, 0, 0)
        if own:
            self.overtaken(own.seq)
        self._due = now + SEEN_AFTER_MS + rand(SEEN_SPREAD_MS)

    @property
    def condition(self):
        """Status with what was last reported here."""
        return self._condition

    def draft(self, draft, now):
        """A person at the point reports `draft` (a Status without number): send it at once."""
        self._condition = draft
        self._due = now

    def seen_changed(self, now):
        """Bulletins were received or read here: tell so soon, several in one STATUS."""
        if self._replica.seen() != self._told:
            self._due = min(self._due, now + SEEN_AFTER_MS + self._rand(SEEN_SPREAD_MS))

    def overtaken(self, seq):
        """A STATUS of ours with number `seq` exists: later ones must have higher numbers, whatever the
        flash says.
        """
        try:
            raise_number(self._store, _COUNTER, seq)
        except OSError:
            self._least = max(self._least, seq)

    def deadline(self):
        return self._due

    def poll(self, now):
        """Raw STATUS record; None when none is due, the time is unknown, no number can be kept on flash or
        nobody would believe it.
        """
        if now < self._due:
            return None
        unix_s = self._timekeeper.unix_s()
        seq = None
        if unix_s is not None and is_trusted(self._settings, self._replica):
            seq = self._next_number()
        if seq is None:
            self._due = now + _RETRY_MS
            return None
        self._due = now + PERIOD_MS + self._rand(SPREAD_MS)
        seen = self._replica.seen()
        new = status.Status(self._settings.number, seq, unix_s)
        new.take_condition(self._condition)
        new.exercise |= any([notice.is_exercise for notice in self._replica.notices.values()])
        new.battery_percent = self._battery.percent()
        new.seen = seen
        try:
            raw = status.encode(new, self._replica.trust.tag, self._settings.key.sign)
        except ProtocolError:
            new.text = shorten(new.text, status.text_capacity(len(seen)))
            raw = status.encode(new, self._replica.trust.tag, self._settings.key.sign)
        self._told = seen
        return raw

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
