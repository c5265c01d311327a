"""Airtime as a budget: our own share of the last hour, and everybody's share of the last minute.

The limit of 10 % holds in 869.4-869.65 MHz (ERC/REC 70-03, annex 1) for any hour; it is counted in sixty
one-minute bins, so the hour that is looked at is between 59 and 60 minutes long.

A budget survives a restart as 60 u16, in units of 2 ms by minute, newest first. Nobody knows how long the
power was off, so the saved hour is taken to have ended just now; what may have been sent since it was saved
is bounded by the rule when to save, and counted as spent. Only the frame during which the power fails is not
counted.
"""

import struct

from baken.compat import const
from baken.wire.errors import LocalProtocolError

_MINUTES = const(60)
_MINUTE_MS = const(60_000)
_HOUR_MS = const(3_600_000)
_TENTHS = const(6)
_TENTH_MS = const(10_000)

SAVE_STEP_MS = const(10_000)
# Of the hour's airtime, kept for alarms and emergency reports: 36 s of 360 s are about forty of them at
# LongFast.
LIFE_SAVING_RESERVE_PERMILLE = const(100)
DUMP_SIZE = const(120)


class DutyBudget:
    """Our own transmit time of the last hour against a limit in thousandths (1000: no limit)."""

    def __init__(self, limit_permille: int = 100) -> None:
        self.set_limit(limit_permille)
        self._bins = [0] * _MINUTES
        self._minute = 0
        self._saved_ms = 0  # what the last dump said
        self._unsaved_ms = 0  # spent since

    def set_limit(self, permille: int) -> None:
        """Change the limit; what was spent stays spent."""
        self.limit_ms = _HOUR_MS * permille // 1000

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
        self._unsaved_ms += airtime_ms

    def spent_ms(self, now: int) -> int:
        """Milliseconds on the air during the last hour."""
        self._turn(now)
        return sum(self._bins)

    def allow(self, airtime_ms: int, now: int, is_life_saving: bool = True) -> bool:
        """Whether a transmission of this length stays within the limit; for what saves no lives, below the
        reserve.
        """
        limit_ms = self.limit_ms
        if not is_life_saving:
            limit_ms -= limit_ms * LIFE_SAVING_RESERVE_PERMILLE // 1000
        return self.spent_ms(now) + airtime_ms <= limit_ms

    def utilisation(self, now: int) -> float:
        """Percent of the last hour we were on the air."""
        return 100 * self.spent_ms(now) / _HOUR_MS

    def should_save(self, now: int) -> bool:
        """Whether the hour must be saved again: when more than 10 s were sent since the last `dump`, or
        anything after a restart, or when 10 s have become older than an hour. A legal hour of 360 s asks for
        it 72 times at most.
        """
        return self._unsaved_ms > SAVE_STEP_MS or self._saved_ms - self.spent_ms(now) > SAVE_STEP_MS

    def dump(self, now: int) -> bytes:
        """The last hour, to be kept for `restore`; 120 bytes."""
        self._saved_ms = self.spent_ms(now)
        self._unsaved_ms = 0
        data = bytearray(DUMP_SIZE)
        for age in range(_MINUTES):
            spent_ms = self._bins[(self._minute - age) % _MINUTES]
            struct.pack_into("<H", data, 2 * age, min(0xFFFF, (spent_ms + 1) // 2))
        return bytes(data)

    def restore(self, data: bytes, now: int) -> None:
        """Take over the hour before a restart, and what was sent since it was saved.

        LocalProtocolError where `data` is not what `dump` gave.
        """
        if len(data) != DUMP_SIZE:
            raise LocalProtocolError(f"saved airtime is {len(data)} bytes, not {DUMP_SIZE}", "duty-dump")
        self._turn(now)
        for age in range(_MINUTES):
            self._bins[(self._minute - age) % _MINUTES] += 2 * struct.unpack_from("<H", data, 2 * age)[0]
        self._saved_ms = self.spent_ms(now)
        self._unsaved_ms = 0
        self.spend(SAVE_STEP_MS, now)


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
