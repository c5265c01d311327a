"""A notice: one bulletin as a replica holds it, whole or in part, and what it means for a place."""

from baken.compat import const
from baken.wire import bulletin as wire
from baken.wire import content
from baken.wire.cap import SEVERITY
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import BULLETIN

VALID = "valid"
EXPIRED = "expired"
WITHDRAWN = "withdrawn"
SUPERSEDED = "superseded"
INCOMPLETE = "incomplete"

_ALARM = b"ALARM"
_SHOWN_TYPES = (b"Alert", b"Update", b"Cancel")
_SHOWN_STATUSES = (b"Actual", b"Exercise", b"Test")
_SEVERITY_STEP = const(4)


class Notice:
    """The parts held of bulletin (`origin`, `seq`).

    `meta`: Bulletin with the fields that all parts share, without content; `mask`: a bit for each part held,
    as in a DIGEST; `fetch(record id)` gives a raw record; `names`: the TrustList that gives a
    phrase its names, or None; `received_s`: unix seconds when it became whole here, or None.
    """

    __slots__ = ("_fetch", "_text", "mask", "meta", "names", "received_s")

    def __init__(self, meta, fetch, names=None):
        self.meta = meta
        self.names = names
        self.mask = 0
        self.received_s = None
        self._fetch = fetch
        self._text = None

    @property
    def key(self):
        """(origin, seq): what references name."""
        return (self.meta.origin, self.meta.seq)

    @property
    def complete(self):
        return self.mask == (1 << self.meta.parts) - 1

    @property
    def held(self):
        """Indexes of the parts that are here, in order."""
        return [index for index in range(self.meta.parts) if self.mask >> index & 1]

    @property
    def missing(self):
        """Indexes of the parts that are not here, in order."""
        return [index for index in range(self.meta.parts) if not self.mask >> index & 1]

    @property
    def ids(self):
        """Record ids of the parts that are here, in order."""
        return [(BULLETIN,) + self.key + (index,) for index in self.held]

    @property
    def parts(self):
        """{index: raw record} of the parts that are here and can be read."""
        found = {}
        for record_id in self.ids:
            raw = self._fetch(record_id)
            if raw is not None:
                found[record_id[3]] = raw
        return found

    @property
    def text(self):
        """UTF-8 bytes of the whole text, or None while parts are missing."""
        if self._text is None and self.complete:
            self._text = self.text_in(b"nl")
        return self._text

    def text_in(self, language):
        """The whole text in `language` where it is a phrase, otherwise as it was written; None while parts
        are missing.
        """
        parts = self.parts
        if len(parts) < self.meta.parts:
            return None
        pieces = []
        for index in range(self.meta.parts):
            part = wire.decode_part(parts[index])
            try:
                pieces.append(content.unpack(part.encoding, part.content, language, self.names))
            except RemoteProtocolError:
                pieces.append(content.UNREADABLE)
        return b"".join(pieces)

    def add(self, part):
        """A verified part of this bulletin is here now."""
        self.mask |= 1 << part.part

    def accepts(self, raw):
        """True when `raw` can be another part of this bulletin: all but its text agrees."""
        for record_id in self.ids:
            held = self._fetch(record_id)
            if held is not None:
                return wire.same_bulletin(held, raw)
        return True

    @property
    def is_exercise(self):
        """True when what it says must not be taken for real."""
        return self.meta.status != b"Actual"

    @property
    def is_alarm(self):
        return self.meta.event == _ALARM

    @property
    def is_life_saving(self):
        """True for an ALARM, and for what is Extreme or Severe."""
        return self.is_alarm or self.meta.severity in (b"Extreme", b"Severe")

    @property
    def rank(self):
        """Sort key: the smaller, the more urgent it is to show; ALARM and severity first, then the newest."""
        alarm = 0 if self.is_alarm else 1
        severity = SEVERITY.index(self.meta.severity)
        return (alarm * _SEVERITY_STEP + severity, -self.meta.sent_s, self.meta.origin, -self.meta.seq)


def state_of(notice, notices, area, unix_s):
    """What `notice` is at a place in `area` (index or None) now: VALID, EXPIRED, WITHDRAWN, SUPERSEDED or
    INCOMPLETE.

    `notices`: all notices of the replica. An Update or Cancel counts where its own area lies, only for
    bulletins of the same authority, only when it is whole, and also after its own expiry: a bulletin once
    withdrawn never returns. `unix_s` None: the clock is unknown and nothing counts as expired.
    """
    for other in notices:
        meta = other.meta
        if (
            meta.references
            and meta.origin == notice.meta.origin
            and other.complete
            and notice.key in meta.references
        ):
            if not meta.applies_to(area):
                continue
            if meta.msg_type == b"Cancel":
                return WITHDRAWN
            if meta.msg_type == b"Update":
                return SUPERSEDED
    if unix_s is not None and unix_s >= notice.meta.expires_s:
        return EXPIRED
    return VALID if notice.complete else INCOMPLETE


def current(notices, area, unix_s, restricted=False):
    """Notices to show at a place in `area`, the most urgent first: VALID ones, and INCOMPLETE ones so that a
    gap shows.

    `restricted`: also show bulletins for staff (CAP scope other than Public).
    """
    shown = []
    for notice in notices:
        if not notice.meta.applies_to(area) or (notice.meta.scope != b"Public" and not restricted):
            continue
        if notice.meta.msg_type not in _SHOWN_TYPES or notice.meta.status not in _SHOWN_STATUSES:
            continue
        if state_of(notice, notices, area, unix_s) in (VALID, INCOMPLETE):
            shown.append(notice)
    return sorted(shown, key=lambda notice: notice.rank)
