"""Airtime as a budget: our own share of the last hour, and everybody's share of the last minute.

The limit of 10 % holds in 869.4-869.65 MHz (ERC/REC 70-03, annex 1) for any hour; it is counted in sixty
one-minute bins, so the hour that is looked at is between 59 and 60 minutes long.
"""

from baken.compat import const

_MINUTES = const(60)
_MINUTE_MS = const(60_000)
_HOUR_MS = const(3_600_000)
_TENTHS = const(6)
_TENTH_MS = const(10_000)


class DutyBudget:
    """Our own transmit time of the last hour against a limit in percent (100: no limit)."""

    def __init__(self, limit_percent: int = 10) -> None:
        self.set_limit(limit_percent)
        self._bins = [0] * _MINUTES
        self._minute = 0

    def set_limit(self, percent: int) -> None:
        """Change the limit; what was spent stays spent."""
        self.limit_ms = _HOUR_MS * percent // 100

    def _turn(self, now: int) -> None:
        minute = now // _MINUTE_MS
        if minute - self._minute >= _MINUTES:
            self._minute = minute - _MINUTES
        while self._minute < minute:
            self._minute += 1
            self._bins[self._minute % _MINUTES] = 0

    def spend(self, airtime_ms: int, now: int) -> None:
        """Count a transmission that has just ended."""
        self._turn(now)
        self._bins[self._minute % _MINUTES] += airtime_ms

    def spent_ms(self, now: int) -> int:
        """Milliseconds on the air during the last hour."""
        self._turn(now)
        return sum(self._bins)

    def allow(self, airtime_ms: int, now: int) -> bool:
        """Whether a transmission of this length stays within the limit."""
        return self.spent_ms(now) + airtime_ms <= self.limit_ms

    def utilisation(self, now: int) -> float:
        """Percent of the last hour we were on the air."""
        return 100 * self.spent_ms(now) / _HOUR_MS


class ChannelUtilisation:
    """Share of the last minute in which any LoRa frame, heard or sent, was on the channel."""

    def __init__(self) -> None:
        self._bins = [0] * _TENTHS
        self._tenth = 0

    def _turn(self, now: int) -> None:
        tenth = now // _TENTH_MS
        if tenth - self._tenth >= _TENTHS:
            self._tenth = tenth - _TENTHS
        while self._tenth < tenth:
            self._tenth += 1
            self._bins[self._tenth % _TENTHS] = 0

    def spend(self, airtime_ms: int, now: int) -> None:
        """Count a frame that has just ended."""
        self._turn(now)
        self._bins[self._tenth % _TENTHS] += airtime_ms

    def percent(self, now: int) -> int:
        """0 to 100, rounded down."""
        self._turn(now)
        return min(100, sum(self._bins) * 100 // _MINUTE_MS)
