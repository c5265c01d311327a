"""Whether others get floods from us alone: who had to serve a bulletin after its flood relays the next first.

At a bottleneck the only node that hears the far side may be silenced by a copy that does not reach there, and
what lies behind waits for a digest. Nobody knows who hears whom; but whoever then has to serve what was just
flooded has shown where a relay was missing. Where neighbours are many another stands as well, and a lost
frame is the likelier cause. Figures: docs/dissemination.md.
"""

from baken.compat import const

FLOODS = const(16)  # that are relayed first after one that was not enough
SPARSE = const(8)  # who hears the digests of as many neighbours is no bottleneck
_MAX_RECENT = const(4)  # bulletins whose flood is remembered
_SOON = const(4)  # shortest intervals from a flood to the serving that it made needful


class Bridging:
    """What one node knows of it. Times in ms; `lonely` tells how many neighbours are around."""

    def __init__(self, lonely, imin_ms):
        self._lonely = lonely
        self._imin_ms = imin_ms
        self._recent = []  # (record id, when its flood came)
        self._left = 0  # floods to be relayed first

    def configure(self, imin_ms):
        """Take another Trickle interval."""
        self._imin_ms = imin_ms

    def flooded(self, record_id, now):
        """The flood of a bulletin came that is new here; whether to relay it before others do."""
        if len(self._recent) >= _MAX_RECENT:
            del self._recent[0]
        self._recent.append((record_id, now))
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def served(self, record_id, now):
        """A record goes to a neighbour that lacked it."""
        for entry in self._recent:
            if entry[0] == record_id:
                self._recent.remove(entry)
                if now - entry[1] <= _SOON * self._imin_ms and self._lonely.company(now) < SPARSE:
                    self._left = FLOODS
                return
