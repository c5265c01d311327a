"""Wall-clock time in Europe/Amsterdam from unix seconds, and the Dutch words for it.

The European rule since 1996: summer time (UTC+2) from the last Sunday of March 01:00 UTC to the last Sunday
of October 01:00 UTC, else UTC+1. Times before 1996, or after a change of that rule, may be an hour off.
"""

# Words of two and three letters in one piece: an object each would be six times as much memory.
_WEEKDAYS = b"madiwodovrzazo"
_MONTHS = b"janfebmrtaprmeijunjulaugsepoktnovdec"

# Quality of the clock, from the device's time keeper.
CLOCK_UNKNOWN = 0
CLOCK_UNCERTAIN = 1
CLOCK_GOOD = 2

_DAY_S = 86400
_DATE_AFTER_S = 6 * _DAY_S


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a Gregorian date. Years are taken to start in March: a leap day comes last."""
    if month <= 2:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 719469


def _date(days: int) -> tuple:
    """(year, month, day) of a day number; the inverse of `_days`."""
    days += 719468
    era, day_of_era = days // 146097, days % 146097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return era * 400 + year_of_era + (1 if month <= 2 else 0), month, day


def _last_sunday_s(year: int, month: int) -> int:
    """01:00 UTC on the last Sunday of a month of 31 days."""
    days = _days(year, month, 31)
    return (days - (days + 4) % 7) * _DAY_S + 3600


def is_summer_time(unix_s: int) -> bool:
    """Whether summer time holds at this moment."""
    year = _date(unix_s // _DAY_S)[0]
    return _last_sunday_s(year, 3) <= unix_s < _last_sunday_s(year, 10)


def local_time(unix_s: int) -> tuple:
    """(year, month, day, hour, minute, weekday) in Amsterdam; weekday 0 is Monday."""
    local_s = unix_s + (7200 if is_summer_time(unix_s) else 3600)
    days = local_s // _DAY_S
    second = local_s % _DAY_S
    year, month, day = _date(days)
    return year, month, day, second // 3600, second % 3600 // 60, (days + 3) % 7


def clock_text(now_s, quality: int) -> bytes:
    """The time of day with its quality: `14:05`, `~14:05` when uncertain, `--:--` when unknown."""
    if now_s is None or quality == CLOCK_UNKNOWN:
        return b"--:--"
    _, _, _, hour, minute, _ = local_time(now_s)
    return b"%s%02d:%02d" % (b"~" if quality == CLOCK_UNCERTAIN else b"", hour, minute)


def moment_text(unix_s: int, now_s=None) -> bytes:
    """`wo 08:00`; with the date, `wo 13 jan 08:00`, when it is over 6 days from now or now is unknown."""
    year, month, day, hour, minute, weekday = local_time(unix_s)
    day_name = _WEEKDAYS[2 * weekday : 2 * weekday + 2]
    if now_s is not None and -_DATE_AFTER_S <= unix_s - now_s <= _DATE_AFTER_S:
        return b"%s %02d:%02d" % (day_name, hour, minute)
    month_name = _MONTHS[3 * month - 3 : 3 * month]
    if now_s is not None and local_time(now_s)[0] != year:
        return b"%s %d %s %d %02d:%02d" % (day_name, day, month_name, year, hour, minute)
    return b"%s %d %s %02d:%02d" % (day_name, day, month_name, hour, minute)


def age_text(seconds: int) -> bytes:
    """How long ago, in words: `zojuist`, `12 min geleden`, `3 uur geleden`, `2 dagen geleden`."""
    minutes = max(0, seconds) // 60
    if minutes < 2:
        return b"zojuist"
    if minutes < 120:
        return b"%d min geleden" % minutes
    if minutes < 48 * 60:
        return b"%d uur geleden" % (minutes // 60)
    return b"%d dagen geleden" % (minutes // 1440)
