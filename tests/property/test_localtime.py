"""The node's own calendar against the host's time zone data."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baken.device.localtime import local_time

try:
    AMSTERDAM = ZoneInfo("Europe/Amsterdam")
except ZoneInfoNotFoundError:  # A machine without time zone data.
    pytest.skip("no time zone data here (package tzdata)", allow_module_level=True)

FROM = datetime(1997, 1, 1, tzinfo=UTC)
UNTIL = datetime(2100, 1, 1, tzinfo=UTC)


def expected(unix_s: int) -> tuple[int, ...]:
    there = datetime.fromtimestamp(unix_s, UTC).astimezone(AMSTERDAM)
    return there.year, there.month, there.day, there.hour, there.minute, there.weekday()


@given(st.integers(int(FROM.timestamp()), int(UNTIL.timestamp()) - 1))
def test_any_moment_of_a_century_agrees(unix_s):
    assert local_time(unix_s) == expected(unix_s)


def test_every_change_of_a_century_agrees_to_the_second():
    changes = 0
    moment = FROM
    while moment < UNTIL:
        later = moment + timedelta(hours=1)
        if moment.astimezone(AMSTERDAM).utcoffset() != later.astimezone(AMSTERDAM).utcoffset():
            changes += 1
            for offset_s in (-1, 0, 3599, 3600, 3601):
                unix_s = int(moment.timestamp()) + offset_s
                assert local_time(unix_s) == expected(unix_s)
        # Changes are on Sundays at 01:00 UTC: look at each Sunday only.
        moment += timedelta(days=1) if moment.hour == 0 and moment.weekday() != 6 else timedelta(hours=1)
    assert changes == 2 * (2100 - 1997)
