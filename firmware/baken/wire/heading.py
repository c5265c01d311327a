"""What all parts of a bulletin share, kept as it was sent: a fifth of the memory that a Bulletin takes.

A replica holds one for each bulletin and asks it much more often than it needs the whole. Offsets are those
of `bulletin`.
"""

from baken.compat import const
from baken.wire import cap
from baken.wire.bulletin import (
    FIXED_SIZE,
    REFERENCE_SIZE,
    VALIDITY_UNIT_S,
    decode_heading,
    heading_of,
    references_of,
)
from baken.wire.records import decode_minutes

_ALARM = cap.EVENT.index(b"ALARM")
_ACTUAL = cap.STATUS.index(b"Actual")
_CANCEL = cap.MSG_TYPE.index(b"Cancel")
_UPDATE = cap.MSG_TYPE.index(b"Update")
_SEVERE = cap.SEVERITY.index(b"Severe")
_SEVERITY_STEP = const(4)
_PUBLIC = cap.SCOPE.index(b"Public")
_SHOWN_TYPES = [cap.MSG_TYPE.index(word) for word in (b"Alert", b"Update", b"Cancel")]
_SHOWN_STATUSES = [cap.STATUS.index(word) for word in (b"Actual", b"Exercise", b"Test")]


class Heading:
    """Of the bulletin of which `raw`, a record that was checked, is one part; `key`: (origin, seq)."""

    __slots__ = ("_head", "key")

    def __init__(self, raw):
        head = heading_of(raw)
        self.key = (head[1] << 8 | head[2], head[3] << 16 | head[4] << 8 | head[5])
        self._head = head

    def accepts(self, raw):
        """True when `raw` can be another part of this bulletin: all but its text agrees."""
        return heading_of(raw) == self._head

    @property
    def meta(self):
        """A Bulletin without content, made anew each time."""
        return decode_heading(self._head)

    @property
    def count(self):
        """How many parts the bulletin has."""
        return (self._head[6] & 0x0F) + 1

    @property
    def sent_s(self):
        return decode_minutes(self._head, 11)

    @property
    def expires_s(self):
        return self.sent_s + VALIDITY_UNIT_S * ((self._head[14] & 0x0F) << 8 | self._head[15])

    @property
    def is_exercise(self):
        """True when what it says must not be taken for real."""
        return self._head[7] >> 5 != _ACTUAL

    @property
    def is_alarm(self):
        return self._head[10] >> 2 & 31 == _ALARM

    @property
    def is_life_saving(self):
        """True for an ALARM, and for what is Extreme or Severe."""
        return self.is_alarm or self._severity <= _SEVERE

    @property
    def is_cancel(self):
        return self._head[7] >> 2 & 7 == _CANCEL

    @property
    def is_update(self):
        return self._head[7] >> 2 & 7 == _UPDATE

    def is_to_be_shown(self, restricted=False):
        """Whether it is for the eyes of people, and not (`restricted`: also) for staff only."""
        first = self._head[7]
        if first & 3 != _PUBLIC and not restricted:
            return False
        return first >> 5 in _SHOWN_STATUSES and first >> 2 & 7 in _SHOWN_TYPES

    @property
    def rank(self):
        """Sort key: the smaller, the more urgent it is to show; ALARM and severity first, then the newest."""
        origin, seq = self.key
        return ((0 if self.is_alarm else _SEVERITY_STEP) + self._severity, -self.sent_s, origin, -seq)

    @property
    def references(self):
        """The keys that it names, in order."""
        return references_of(self._head)

    def names(self, other):
        """Whether it names the bulletin of the Heading `other`, and that is of the same authority."""
        head = self._head
        named = other._head[1:6]
        if not head[16] & 0x0F or head[1:3] != named[:2]:
            return False
        first = FIXED_SIZE + (head[16] >> 4)
        at = head.find(named, first)
        while at >= 0 and (at - first) % REFERENCE_SIZE:
            at = head.find(named, at + 1)
        return at >= 0

    def applies_to(self, area):
        """True when a place in area index `area` is meant; None stands for a place outside every area."""
        head = self._head
        count = head[16] >> 4
        return not count or (area is not None and area in head[FIXED_SIZE : FIXED_SIZE + count])

    @property
    def _severity(self):
        return self._head[9] >> 2 & 7
