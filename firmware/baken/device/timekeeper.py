"""Calendar time on a node, and how far to trust it.

A node's clock may never have been set, or may drift for days. It is confirmed when it agrees with the time
at which an authority signed a bulletin that arrives, or when a person sets it over the cable. A bulletin
signed later than our time shows that the clock is behind: it is moved forward. Nothing heard ever moves it
backward.
"""

from baken.compat import const
from baken.device.localtime import CLOCK_GOOD, CLOCK_UNCERTAIN, CLOCK_UNKNOWN

AGREES_S = const(600)  # a bulletin may be this long under way and still confirm the clock
GOOD_FOR_S = const(259200)  # three days of drift of a cheap crystal stay within half a minute


class Timekeeper:
    """Wraps a board's `clock`: `unix_s()`, `quality()`."""

    def __init__(self, clock):
        self._clock = clock
        self._confirmed_s = None

    def unix_s(self):
        """Seconds since 1970 UTC, None while unknown."""
        return self._clock.unix_s()

    def quality(self):
        """localtime.CLOCK_UNKNOWN, CLOCK_UNCERTAIN or CLOCK_GOOD."""
        now_s = self._clock.unix_s()
        if now_s is None:
            return CLOCK_UNKNOWN
        if self._confirmed_s is None or not 0 <= now_s - self._confirmed_s <= GOOD_FOR_S:
            return CLOCK_UNCERTAIN
        return CLOCK_GOOD

    def set(self, unix_s):
        """A person has set the clock over the cable."""
        self._clock.set_unix_s(unix_s)
        self._confirmed_s = unix_s

    def witness(self, signed_s):
        """A verified bulletin has just arrived that was signed at `signed_s`."""
        now_s = self._clock.unix_s()
        if now_s is None or signed_s > now_s + 60:
            self._clock.set_unix_s(signed_s)
            self._confirmed_s = None
        elif now_s - signed_s <= AGREES_S:
            self._confirmed_s = now_s
