"""The Trickle timer (RFC 6206) with two changes for a mesh of unequal nodes.

Bridges are never suppressed (redundancy constant infinite), and everybody else sends after the second
suppressed firing at the longest interval (bounded silence), so that a node which is heard but hears little
is found out.
"""

from baken.compat import const

BOUNDED_SILENCE = const(2)
HURRY = const(4)  # who lacks something asks within this part of the shortest interval


class Trickle:
    """One timer. `imin_ms`, `imax_ms`: shortest and longest interval; `k`: redundancy constant, 0 = never
    suppressed.

    Drive it with `poll(now)`, true when the message is due; `heard_consistent()`, `reset(now)` and
    `hurry(now)` report what was heard. `rand(n)` gives an int in [0, n).
    """

    __slots__ = (
        "_end",
        "_fire",
        "_fired",
        "_heard",
        "_hurried_at",
        "_interval",
        "_rand",
        "_silent",
        "growth",
        "imax_ms",
        "imin_ms",
        "k",
    )

    def __init__(self, imin_ms, imax_ms, k, rand, now, growth=2):
        self.imin_ms = imin_ms
        self.imax_ms = imax_ms
        self.k = k
        self.growth = growth
        self._rand = rand
        self._silent = 0
        self._hurried_at = None
        self._begin(imin_ms, now)

    @property
    def interval_ms(self):
        return self._interval

    def deadline(self):
        """When `poll` has something to do again, ms."""
        return self._end if self._fired else self._fire

    def heard_consistent(self):
        """A neighbour has just said what we would say."""
        self._heard += 1

    def reset(self, now):
        """Something is new: speak soon. Nothing changes when the interval is already the shortest."""
        if self._interval != self.imin_ms:
            self._begin(self.imin_ms, now)

    def hurry(self, now):
        """A neighbour has what we lack: ask at once, but not again within the shortest interval."""
        if self._hurried_at is None or now - self._hurried_at >= self.imin_ms:
            self._hurried_at = now
            self._begin(self.imin_ms // HURRY, now)

    def poll(self, now):
        """True when the message is to be sent now; call whenever `deadline` has passed."""
        send = False
        if not self._fired and now >= self._fire:
            self._fired = True
            send = self._may_send()
        if now >= self._end:
            self._begin(min(self._interval * self.growth, self.imax_ms), now)
        return send

    def _may_send(self):
        if self.k == 0 or self._heard < self.k:
            self._silent = 0
            return True
        if self._interval == self.imax_ms:
            self._silent += 1
            if self._silent >= BOUNDED_SILENCE:
                self._silent = 0
                return True
        return False

    def _begin(self, interval_ms, now):
        self._interval = interval_ms
        self._heard = 0
        self._fired = False
        self._fire = now + interval_ms // 2 + self._rand(interval_ms - interval_ms // 2)
        self._end = now + interval_ms
