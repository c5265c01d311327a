"""How far virtual time may be, given the wall clock. Pure: wall time is an argument, in seconds."""

from __future__ import annotations

FASTEST_FACTOR = 1_000_000.0
# More than this behind the wall (a busy or suspended machine): the lost time is not made up for.
_LAG_LIMIT_S = 1.0


class Pace:
    """At most `factor` virtual seconds per wall second since the last `restart`; None: no limit."""

    def __init__(self, factor: float | None) -> None:
        self.factor = checked_factor(factor)
        self.lags = 0
        self._anchor_s = 0.0
        self._anchor_ms = 0
        self._not_before_s = 0.0

    def restart(self, wall_s: float, now_ms: int) -> None:
        """Virtual time is `now_ms` and goes on from here."""
        self._anchor_s = wall_s
        self._anchor_ms = now_ms

    def wait_until(self, wall_s: float) -> None:
        """Virtual time does not move before this wall time (the latest of all calls counts)."""
        self._not_before_s = max(self._not_before_s, wall_s)

    def wait_s(self, wall_s: float) -> float:
        """Seconds that virtual time still has to stand still because of `wait_until`."""
        return max(0.0, self._not_before_s - wall_s)

    def reach_ms(self, wall_s: float, now_ms: int) -> int:
        """The latest that it may be now, with a factor; never before `now_ms`."""
        assert self.factor is not None
        if self.wait_s(wall_s):
            self.restart(self._not_before_s, now_ms)
            return now_ms
        reach_ms = self._anchor_ms + int((wall_s - self._anchor_s) * 1000 * self.factor)
        if reach_ms - now_ms > _LAG_LIMIT_S * 1000 * self.factor:
            self.lags += 1
            self.restart(wall_s, now_ms)
            return now_ms
        return max(reach_ms, now_ms)


def checked_factor(factor: float | None) -> float | None:
    """The factor itself; ValueError when it is none."""
    if factor is not None and not 0 < factor <= FASTEST_FACTOR:
        raise ValueError(f"factor is {factor}, limits above 0 up to {FASTEST_FACTOR:.0f} (None: no limit)")
    return factor
