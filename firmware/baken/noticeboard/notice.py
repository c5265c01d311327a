"""A notice: one bulletin as a replica holds it, whole or in part, and what it means for a place."""

from baken.wire import bulletin as wire
from baken.wire import content
from baken.wire.errors import RemoteProtocolError
from baken.wire.heading import Heading
from baken.wire.records import BULLETIN

VALID = "valid"
EXPIRED = "expired"
WITHDRAWN = "withdrawn"
SUPERSEDED = "superseded"
INCOMPLETE = "incomplete"


class Notice(Heading):
    """The parts held of the bulletin of which `raw` is one; see Heading for what it says of the whole.

    `mask`: a bit for each part held, as in a DIGEST; `fetch(record id)` gives a raw record; `names()`: the
    TrustList, as of now, that gives a phrase its names; None: without.
    """

    __slots__ = ("_fetch", "_names", "_text", "mask")

    def __init__(self, raw, fetch, names=None):
        super().__init__(raw)
        self.mask = 0
        self._fetch = fetch
        self._names = names
        self._text = None

    @property
    def complete(self):
        return self.mask == (1 << self.count) - 1

    @property
    def held(self):
        """Indexes of the parts that are here, in order."""
        return [index for index in range(self.count) if self.mask >> index & 1]

    @property
    def missing(self):
        """Indexes of the parts that are not here, in order."""
        return [index for index in range(self.count) if not self.mask >> index & 1]

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
        """UTF-8 bytes of the whole text, kept once it was worked out, for programs with much memory; None
        while parts are missing.
        """
        if self._text is None and self.complete:
            self._text = self.text_in(b"nl")
        return self._text

    def text_in(self, language):
        """The whole text in `language` where it is a phrase, otherwise as it was written; None while parts
        are missing.
        """
        parts = self.parts
        if len(parts) < self.count:
            return None
        names = self._names() if self._names is not None else None
        pieces = []
        for index in range(self.count):
            part = wire.decode_part(parts[index])
            try:
                pieces.append(content.unpack(part.encoding, part.content, language, names))
            except RemoteProtocolError:
                pieces.append(content.UNREADABLE)
        return b"".join(pieces)

    def add(self, part):
        """A verified part of this bulletin is here now."""
        self.mask |= 1 << part.part


def state_of(notice, notices, area, unix_s):
    """What `notice` is at a place in `area` (index or None) now: VALID, EXPIRED, WITHDRAWN, SUPERSEDED or
    INCOMPLETE.

    `notices`: all notices of the replica. An Update or Cancel counts where its own area lies, only for
    bulletins of the same authority, only when it is whole, and also after its own expiry: a bulletin once
    withdrawn never returns. `unix_s` None: the clock is unknown and nothing counts as expired.
    """
    for other in notices:
        if other.names(notice) and other.complete and other.applies_to(area):
            if other.is_cancel:
                return WITHDRAWN
            if other.is_update:
                return SUPERSEDED
    if unix_s is not None and unix_s >= notice.expires_s:
        return EXPIRED
    return VALID if notice.complete else INCOMPLETE


def current(notices, area, unix_s, restricted=False):
    """Notices to show at a place in `area`, the most urgent first: VALID ones, and INCOMPLETE ones so that a
    gap shows.

    `restricted`: also show bulletins for staff (CAP scope other than Public).
    """
    shown = []
    for notice in notices:
        if not notice.applies_to(area) or not notice.is_to_be_shown(restricted):
            continue
        if state_of(notice, notices, area, unix_s) in (VALID, INCOMPLETE):
            shown.append(notice)
    return sorted(shown, key=lambda notice: notice.rank)
