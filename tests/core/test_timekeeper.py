"""Calendar time: what moves it, what confirms it, and what never does."""

from baken.device.localtime import CLOCK_GOOD, CLOCK_UNCERTAIN, CLOCK_UNKNOWN
from baken.device.timekeeper import AGREES_S, FIRM_FOR_S, GOOD_FOR_S, LEAP_S, Timekeeper

NOON_S = 1799751600
LIVE, KEPT = True, False


class Clock:
    """A board's clock that stands still."""

    def __init__(self, unix_s):
        self.now_s = unix_s

    def unix_s(self):
        return self.now_s

    def set_unix_s(self, unix_s):
        self.now_s = unix_s


def test_a_clock_never_set_is_unknown_until_a_bulletin_says_at_least_how_late_it_is():
    for unset in (None, 0, 946684800, 1735689599, 4000000000):
        keeper = Timekeeper(Clock(unset))
        assert keeper.unix_s() is None and keeper.quality() == CLOCK_UNKNOWN
        keeper.witness(NOON_S, LIVE)
        assert keeper.unix_s() == NOON_S and keeper.quality() == CLOCK_UNCERTAIN


def test_a_bulletin_being_spread_that_agrees_confirms_the_clock():
    for late_s in (-60, -1, 0, 30, AGREES_S):
        keeper = Timekeeper(Clock(NOON_S))
        assert keeper.quality() == CLOCK_UNCERTAIN
        keeper.witness(NOON_S - late_s, LIVE)
        assert keeper.quality() == CLOCK_GOOD and keeper.unix_s() == NOON_S


def test_a_bulletin_that_was_kept_confirms_nothing_however_well_it_agrees():
    keeper = Timekeeper(Clock(None))
    keeper.witness(NOON_S, KEPT)
    keeper.witness(NOON_S - 240, KEPT)
    keeper.witness(NOON_S, KEPT)
    assert keeper.unix_s() == NOON_S and keeper.quality() == CLOCK_UNCERTAIN


def test_an_old_bulletin_changes_nothing_and_nothing_moves_a_clock_backward():
    for is_live in (LIVE, KEPT):
        keeper = Timekeeper(Clock(NOON_S))
        keeper.witness(NOON_S - AGREES_S - 1, is_live)
        keeper.witness(NOON_S - 86400, is_live)
        assert keeper.unix_s() == NOON_S and keeper.quality() == CLOCK_UNCERTAIN


def test_a_clock_behind_is_moved_forward_and_is_uncertain_even_when_it_was_certain():
    clock = Clock(NOON_S - 3600)
    keeper = Timekeeper(clock)
    keeper.set(NOON_S - 3600)
    assert keeper.quality() == CLOCK_GOOD
    keeper.witness(NOON_S, LIVE)
    assert keeper.unix_s() == NOON_S and keeper.quality() == CLOCK_UNCERTAIN


def test_a_clock_that_records_confirmed_is_not_carried_off_by_an_authority_that_is_days_ahead():
    clock = Clock(NOON_S)
    keeper = Timekeeper(clock)
    keeper.witness(NOON_S, LIVE)
    for ahead_s in (LEAP_S + 1, 86400, 366 * 86400):
        for is_live in (LIVE, KEPT):
            keeper.witness(NOON_S + ahead_s, is_live)
            assert keeper.unix_s() == NOON_S and keeper.quality() == CLOCK_GOOD
    clock.now_s = NOON_S + FIRM_FOR_S  # a day in which nobody confirmed it
    keeper.witness(NOON_S + FIRM_FOR_S + LEAP_S + 1, LIVE)
    assert keeper.unix_s() == NOON_S + FIRM_FOR_S
    clock.now_s += 1
    keeper.witness(NOON_S + 7 * 86400, LIVE)
    assert keeper.unix_s() == NOON_S + 7 * 86400 and keeper.quality() == CLOCK_UNCERTAIN


def test_a_clock_that_is_behind_by_hours_is_put_right_whoever_confirmed_it():
    keeper = Timekeeper(Clock(NOON_S - LEAP_S))
    keeper.witness(NOON_S - LEAP_S, LIVE)  # by an authority that is as far behind
    keeper.witness(NOON_S, LIVE)
    assert keeper.unix_s() == NOON_S and keeper.quality() == CLOCK_UNCERTAIN


def test_a_clock_that_a_person_set_follows_an_authority_however_far():
    keeper = Timekeeper(Clock(NOON_S))
    assert keeper.set(NOON_S - 3 * 86400)
    keeper.witness(NOON_S, KEPT)
    assert keeper.unix_s() == NOON_S


def test_certainty_wears_off_and_is_lost_when_the_clock_jumps():
    clock = Clock(NOON_S)
    keeper = Timekeeper(clock)
    assert keeper.set(NOON_S)
    clock.now_s = NOON_S + GOOD_FOR_S
    assert keeper.quality() == CLOCK_GOOD
    clock.now_s += 1
    assert keeper.quality() == CLOCK_UNCERTAIN
    clock.now_s = NOON_S - 1
    assert keeper.quality() == CLOCK_UNCERTAIN


def test_a_person_may_set_it_back_but_not_to_a_time_that_no_record_can_carry():
    keeper = Timekeeper(Clock(NOON_S))
    assert keeper.set(NOON_S - 86400) and keeper.unix_s() == NOON_S - 86400
    for nonsense in (0, 5, 1735689599, 2742322501, 0xFFFFFFFF):
        assert not keeper.set(nonsense) and keeper.unix_s() == NOON_S - 86400
    assert keeper.set(1735689600) and keeper.set(2742322500)
