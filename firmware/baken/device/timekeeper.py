"""Calendar time on a node, and how far to trust it.

A node's clock may never have been set, or may drift for days. It is confirmed when it agrees with the time
at which an authority signed a heartbeat, bulletin or answer that is just being spread, or when a person sets
it over the cable. One that was signed later than our time shows that the clock is behind: it is moved
forward. Nothing heard ever moves it backward, and what points sign moves nothing: one stolen node could
expire every bulletin. An authority whose own clock is days ahead would do so too: a clock that records have
confirmed within a day is not moved by more than LEAP_S. A smaller step is believed, since the clock that
confirmed ours may have been the one that is behind. A time before 2025 or after 2056, which no record can
carry, is that of a clock that was never set.
"""

from baken.compat import const
from baken.device.localtime import CLOCK_GOOD, CLOCK_UNCERTAIN, CLOCK_UNKNOWN

AGREES_S = const(600)  # a bulletin may be this long under way and still confirm the clock
GOOD_FOR_S = const(259200)  # three days of drift of a cheap crystal stay within half a minute
FIRM_FOR_S = const(86400)  # so long a clock that records confirmed stands up to a leap
LEAP_S = const(21600)
_FIRST_S = const(1735689600)  # see records.encode_minutes
_LAST_S = const(2742322500)


class Timekeeper:
    """Wraps a board's `clock`: `unix_s()`, `quality()`."""

    def __init__(self, clock):
        self._clock = clock
        self._confirmed_s = None
        self._is_witnessed = False  # confirmed by a record, not just set by a person

    def unix_s(self):
        """Seconds since 1970 UTC, None while unknown."""
        unix_s = self._clock.unix_s()
        return unix_s if unix_s is not None and _FIRST_S <= unix_s <= _LAST_S else None

    def quality(self):
        """localtime.CLOCK_UNKNOWN, CLOCK_UNCERTAIN or CLOCK_GOOD."""
        now_s = self.unix_s()
        if now_s is None:
            return CLOCK_UNKNOWN
        if self._confirmed_s is None or not 0 <= now_s - self._confirmed_s <= GOOD_FOR_S:
            return CLOCK_UNCERTAIN
        return CLOCK_GOOD

    def set(self, unix_s):
        """A person has set the clock over the cable; False when that cannot be the time, and nothing
        changes.
        """
        if not _FIRST_S <= unix_s <= _LAST_S:
            return False
        self._clock.set_unix_s(unix_s)
        self._confirmed_s = unix_s
        self._is_witnessed = False
        return True

    def witness(self, signed_s, is_live):
        """A verified record of an authority has arrived that was signed at `signed_s`.

        `is_live`: it is being spread now. One that a neighbour or a program has kept proves only that it is
        later than that, however well it agrees with a clock that stood still.
        """
        now_s = self.unix_s()
        if now_s is not None and signed_s > now_s + LEAP_S and self._is_firm(now_s):
            return
        if now_s is None or signed_s > now_s + 60:
            self._clock.set_unix_s(signed_s)
            self._confirmed_s = None
            self._is_witnessed = False
        elif is_live and now_s - signed_s <= AGREES_S:
            self._confirmed_s = now_s
            self._is_witnessed = True

    def _is_firm(self, now_s):
        return self._is_witnessed and 0 <= now_s - self._confirmed_s <= FIRM_FOR_S
