"""Which of an authority's bulletins are not here yet: what a display may say is missing.

An authority's HEARTBEAT names its newest bulletin. Numbers between the highest that was ever held here and
that one are missing. Nothing is said of lower numbers: those that neighbours hold are fetched from them, and
of the others nobody can say here whether they still hold. Of an authority that nothing was ever held of only
the newest counts, for the same reason.

The store's value `newest`: per authority its number u16 and the highest number held so far u24.
"""

from baken.compat import const

MAX_AUTHORITIES = const(32)
_MOST = const(99)  # of one authority; beyond that nobody counts
_VALUE = "newest"
_SIZE = const(5)


class Gaps:
    """`update` after every change of the replica; `missing()` gives the keys (authority, number)."""

    def __init__(self, replica, store):
        self._replica = replica
        self._store = store
        self._highest = _unpack(store.get(_VALUE))
        self._revision = None

    def update(self):
        """Remember the highest numbers that are held now."""
        if self._revision == self._replica.revision:
            return
        self._revision = self._replica.revision
        authorities = self._replica.trust.authorities
        highest = {origin: seq for origin, seq in self._highest.items() if origin in authorities}
        for (origin, seq), notice in self._replica.notices.items():
            if notice.complete and (origin in highest or len(highest) < MAX_AUTHORITIES):
                highest[origin] = max(seq, highest.get(origin, 0))
        if highest != self._highest:
            self._highest = highest
            try:
                self._store.set(_VALUE, _pack(highest))
            except OSError:
                pass  # known until the power fails

    def missing(self):
        """Sorted keys of the bulletins that are not here, as far as heartbeats tell."""
        self.update()
        out = []
        for origin, beat in self._replica.heartbeats.items():
            first = self._highest[origin] + 1 if origin in self._highest else max(1, beat.newest)
            out += [(origin, seq) for seq in range(max(first, beat.newest - _MOST + 1), beat.newest + 1)]
        return sorted(out)


def _pack(highest):
    out = bytearray()
    for origin in sorted(highest):
        out += origin.to_bytes(2, "big") + highest[origin].to_bytes(3, "big")
    return bytes(out)


def _unpack(data):
    data = data or b""
    highest = {}
    for at in range(0, len(data) - _SIZE + 1, _SIZE):
        origin = int.from_bytes(data[at : at + 2], "big")
        highest[origin] = int.from_bytes(data[at + 2 : at + _SIZE], "big")
    return highest
