"""Calendar time on the screen: a clock that never stops the console, and unix seconds as people read them."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from baken_gateway.clock import ExerciseClock, SystemClock

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86400

_WEEKDAYS = {
    "nl": ("ma", "di", "wo", "do", "vr", "za", "zo"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS = {
    "nl": ("jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec"),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}
_UNITS_S = {"m": MINUTE_S, "min": MINUTE_S, "u": HOUR_S, "h": HOUR_S, "d": DAY_S}


class MomentError(ValueError):
    """A time, duration or zone that cannot be used; the text names the value and what is allowed."""


class SteadyClock:
    """Unix seconds from a gateway clock; while that is unknown, the last it said, and `stopped` is true."""

    def __init__(self, exercise_file: Path | None = None) -> None:
        self.is_exercise = exercise_file is not None
        self.stopped = False
        self._clock = ExerciseClock(exercise_file) if exercise_file is not None else SystemClock()
        now_s = self._clock.unix_s()
        if now_s is None:
            raise MomentError(
                f"this computer's clock says {int(time.time())} s; set it before using the console"
            )
        self._last_s = now_s

    def unix_s(self) -> int:
        now_s = self._clock.unix_s()
        self.stopped = now_s is None
        if now_s is not None:
            self._last_s = now_s
        return self._last_s


class Calendar:
    """Unix seconds in the region's zone and the reader's language."""

    def __init__(self, zone_name: str, language: str = "nl") -> None:
        try:
            self.zone = ZoneInfo(zone_name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise MomentError(f"time zone {zone_name!r} is not known on this computer") from error
        self.language = language

    def local(self, unix_s: int) -> datetime:
        return datetime.fromtimestamp(unix_s, self.zone)

    def clock(self, unix_s: int) -> str:
        """12:31"""
        return self.local(unix_s).strftime("%H:%M")

    def day_clock(self, unix_s: int) -> str:
        """di 12 jan 12:31"""
        local = self.local(unix_s)
        day, month = _WEEKDAYS[self.language][local.weekday()], _MONTHS[self.language][local.month - 1]
        return f"{day} {local.day} {month} {local:%H:%M}"

    def brief(self, unix_s: int, now_s: int) -> str:
        """12:31 today, wo 12:31 in the week around now, 3 mrt otherwise."""
        local, now = self.local(unix_s), self.local(now_s)
        if local.date() == now.date():
            return f"{local:%H:%M}"
        if abs(unix_s - now_s) < 6 * DAY_S:
            return f"{_WEEKDAYS[self.language][local.weekday()]} {local:%H:%M}"
        return f"{local.day} {_MONTHS[self.language][local.month - 1]}"

    def iso(self, unix_s: int) -> str:
        """2027-01-12T12:31:00+01:00"""
        return self.local(unix_s).isoformat()

    def age(self, seconds: int) -> str:
        """nu, 5 min, 3 u, 2 d: whole units, rounded down."""
        hour = "u" if self.language == "nl" else "h"
        if seconds < MINUTE_S:
            return "nu" if self.language == "nl" else "now"
        if seconds < HOUR_S:
            return f"{seconds // MINUTE_S} min"
        if seconds < 2 * DAY_S:
            return f"{seconds // HOUR_S} {hour}"
        return f"{seconds // DAY_S} d"

    def parse(self, text: str) -> int:
        """Unix seconds of an ISO 8601 time; without a zone it is the region's local time."""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise MomentError(f"time is {text!r}, write it like 2027-01-12T07:15") from error
        return int((moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).timestamp())


def parse_duration(text: str) -> int:
    """Seconds of "90m", "6u", "6h", "2d" or "1u30m"; MomentError tells the form."""
    total, number, rest = 0, "", text.strip().lower().replace(" ", "")
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        number, rest = rest[:digits], rest[digits:]
        letters = len(rest) - len(rest.lstrip("abcdefghijklmnopqrstuvwxyz"))
        unit, rest = rest[:letters], rest[letters:]
        if not number or unit not in _UNITS_S or len(number) > 6:
            total = 0
            break
        total += int(number) * _UNITS_S[unit]
    if total <= 0:
        raise MomentError(f"duration is {text!r}, write it like 30m, 6u (6h), 2d or 1u30m")
    return total


def duration_text(seconds: int) -> str:
    """The shortest form that `parse_duration` reads back: 6u, 1u30m, 2d."""
    out = ""
    for unit, size in (("d", DAY_S), ("u", HOUR_S), ("m", MINUTE_S)):
        if unit == "d" and seconds % DAY_S:
            continue
        count, seconds = divmod(seconds, size)
        if count:
            out += f"{count}{unit}"
    return out or "0m"
