"""Neighbours that hear little: heard by others, they may miss a record and whatever would tell them so.

Who has heard the digests of fewer than FEW neighbours for a while says so in its own. Its neighbours remember
such a digest and compare it with what they hold by themselves, after every new record and after every try to
serve it, until it answers that it has everything or TRIES are spent. Without that it is found out by its own
digest only, once in the longest interval, and one lost frame costs another one. Who hears it badly would miss
that answer and serve in vain: such a neighbour acts only on a digest that does lack something.
"""

from baken.compat import const

FEW = const(3)
COMPANY = const(6)  # neighbours whose digests show what is missing around us
TRIES = const(4)
MAX_LONELY = const(8)  # neighbours that are looked after
_WELL_DB = const(5)  # above the receiver's limit: its next digest will be heard as well
_MAX_HEARD = const(8)
_HEARD_INTERVALS = const(3)  # a neighbour that is suppressed speaks within two and a half longest intervals


class Lonely:
    """Who is lonely: we ourselves, and which neighbours. Times in ms; `rand(n)`: int in [0, n)."""

    def __init__(self, imin_ms, imax_ms, rand, now):
        self._imin_ms = imin_ms
        self._imax_ms = imax_ms
        self._rand = rand
        self._began = now
        self._heard = {}  # neighbour -> when its last digest came, the latest last
        # lonely neighbour -> [its last digest, tries since, when to look again or None, whether heard well]
        self._waiting = {}

    def configure(self, imin_ms, imax_ms):
        """Take other Trickle intervals."""
        self._imin_ms = imin_ms
        self._imax_ms = imax_ms

    def is_lonely(self, now):
        """Whether we hear few neighbours ourselves; not before everybody has had time to speak."""
        return self._began <= now - _HEARD_INTERVALS * self._imax_ms and self.company(now) < FEW

    def has_company(self, now):
        """Whether so many neighbours have a noticeboard that what one of them misses is soon found out."""
        return self.company(now) >= COMPANY

    def company(self, now):
        """How many neighbours, up to eight, have spoken lately."""
        oldest = now - _HEARD_INTERVALS * self._imax_ms
        return len([at for at in self._heard.values() if at >= oldest])

    def heard(self, sender, digest, lacks_something, margin_db, now):
        """A digest came straight from its sender, `margin_db` above the receiver's limit."""
        self._heard.pop(sender, None)
        if len(self._heard) >= _MAX_HEARD:
            del self._heard[min(self._heard, key=lambda other: self._heard[other])]
        self._heard[sender] = now
        self._waiting.pop(sender, None)
        if digest.lonely:
            if len(self._waiting) >= MAX_LONELY:
                self._waiting.pop(sorted(self._waiting)[self._rand(MAX_LONELY)])
            due = self._pause(now, 0) if lacks_something else None
            self._waiting[sender] = [digest, 0, due, margin_db >= _WELL_DB]

    def learned(self, now):
        """Something is new here: they may have missed it."""
        for entry in self._waiting.values():
            if entry[3]:
                entry[1] = 0
                entry[2] = self._pause(now, 0)

    def deadline(self):
        """When `next_due` has one, or None."""
        first = None
        for entry in self._waiting.values():
            if entry[2] is not None and (first is None or entry[2] < first):
                first = entry[2]
        return first

    def next_due(self, now):
        """The last Digest of a neighbour that has not told since that it is up to date, or None."""
        for entry in self._waiting.values():
            if entry[2] is not None and entry[2] <= now:
                entry[1] += 1
                entry[2] = self._pause(now, entry[1]) if entry[1] < TRIES else None
                return entry[0]
        return None

    def _pause(self, now, tries):
        """Time for a flood and for the digest of who has got something new, which comes within `imin_ms`."""
        return now + (self._imin_ms << tries) + self._rand(self._imin_ms)
