"""The time of day: the computer's, or that of an exercise which runs faster than real time.

An exercise's clock is a file that whoever leads the exercise keeps up to date (16 bytes, big endian):

    offset size field
    0      8    unix time in milliseconds
    8      8    speed in hundredths: 6000 is sixty times as fast as real time; not used here
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Protocol

CLOCK_FILE_SIZE = 16
EARLIEST_S = 1_735_689_600  # 2025-01-01: a computer that says less has lost its clock
LATEST_S = 2_742_336_000  # 2056-11-25: the last time that records can carry

_log = logging.getLogger(__name__)


class ClockError(Exception):
    """The clock file is missing or makes no sense; the text names it."""


class Clock(Protocol):
    """Calendar time in unix seconds, None while it is unknown."""

    def unix_s(self) -> int | None: ...


class SystemClock:
    """The computer's clock; unknown while it is obviously wrong, as on a small computer without a battery."""

    def unix_s(self) -> int | None:
        now_s = int(time.time())
        return now_s if EARLIEST_S <= now_s <= LATEST_S else None


class ExerciseClock:
    """The clock file of an exercise, read anew each time.

    ClockError when it makes no sense at the start; when that happens later the time is unknown and the log
    says why.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._problem: str | None = None
        self.read()

    def unix_s(self) -> int | None:
        try:
            unix_s = self.read()
        except ClockError as error:
            if self._problem != str(error):
                self._problem = str(error)
                _log.error("%s; the time is unknown until it is back", error)
            return None
        self._problem = None
        return unix_s

    def read(self) -> int:
        """Unix seconds in the file; ClockError otherwise."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise ClockError(f"exercise clock {self.path} cannot be read: {error.strerror}") from error
        if len(data) != CLOCK_FILE_SIZE:
            raise ClockError(f"exercise clock {self.path} is {len(data)} bytes, must be {CLOCK_FILE_SIZE}")
        unix_s = int.from_bytes(data[:8], "big") // 1000
        if not EARLIEST_S <= unix_s <= LATEST_S:
            raise ClockError(
                f"exercise clock {self.path} says {unix_s} s, allowed {EARLIEST_S} to {LATEST_S}"
            )
        return unix_s


def monotonic_ms() -> int:
    """Time that never jumps, for timers."""
    return time.monotonic_ns() // 1_000_000
