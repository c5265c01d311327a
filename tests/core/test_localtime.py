"""Amsterdam's clock. The comparison with the host's time zone data is in tests/property/test_localtime.py."""

from baken.device.localtime import (
    CLOCK_GOOD,
    CLOCK_UNCERTAIN,
    CLOCK_UNKNOWN,
    age_text,
    clock_text,
    local_time,
    moment_text,
)

# 2027-03-28 and 2027-10-31 are the last Sundays; both changes are at 01:00 UTC.
SPRING_S = 1806195600
AUTUMN_S = 1824944400


def test_the_clock_skips_an_hour_in_spring():
    assert local_time(SPRING_S - 1) == (2027, 3, 28, 1, 59, 6)
    assert local_time(SPRING_S) == (2027, 3, 28, 3, 0, 6)


def test_the_clock_repeats_an_hour_in_autumn():
    assert local_time(AUTUMN_S - 3600) == (2027, 10, 31, 2, 0, 6)
    assert local_time(AUTUMN_S - 1) == (2027, 10, 31, 2, 59, 6)
    assert local_time(AUTUMN_S) == (2027, 10, 31, 2, 0, 6)


def test_known_moments():
    assert local_time(0) == (1970, 1, 1, 1, 0, 3)
    assert local_time(1799732400) == (2027, 1, 12, 6, 40, 1)
    assert local_time(1835391600) == (2028, 2, 29, 0, 0, 1)
    assert local_time(4102441199) == (2099, 12, 31, 23, 59, 3)


def test_the_time_of_day_shows_its_quality():
    assert clock_text(1799732400, CLOCK_GOOD) == b"06:40"
    assert clock_text(1799732400, CLOCK_UNCERTAIN) == b"~06:40"
    assert clock_text(1799732400, CLOCK_UNKNOWN) == b"--:--"
    assert clock_text(None, CLOCK_GOOD) == b"--:--"


def test_a_moment_within_six_days_has_a_weekday_and_beyond_a_date_too():
    now_s = 1799732400
    assert moment_text(now_s + 86400 + 3600, now_s) == b"wo 07:40"
    assert moment_text(now_s + 6 * 86400, now_s) == b"ma 06:40"
    assert moment_text(now_s + 6 * 86400 + 60, now_s) == b"ma 18 jan 06:41"
    assert moment_text(now_s - 7 * 86400, now_s) == b"di 5 jan 06:40"
    assert moment_text(now_s - 14 * 86400, now_s) == b"di 29 dec 2026 06:40"
    assert moment_text(now_s, None) == b"di 12 jan 06:40"


def test_ages_are_said_in_the_unit_that_fits():
    assert age_text(-5) == b"zojuist"
    assert age_text(119) == b"zojuist"
    assert age_text(120) == b"2 min geleden"
    assert age_text(7199) == b"119 min geleden"
    assert age_text(7200) == b"2 uur geleden"
    assert age_text(47 * 3600) == b"47 uur geleden"
    assert age_text(48 * 3600) == b"2 dagen geleden"
