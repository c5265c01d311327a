"""What a heartbeat shows to be missing."""

from _small_region import NOON_S, REGION_KEY, TOWN_KEY, TRUST, bulletin_parts

from baken.noticeboard.gaps import Gaps
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, Replica
from baken.wire import heartbeat


class Bench:
    def __init__(self):
        self.store = MemoryStore()
        self.plug_in()

    def plug_in(self):
        self.replica = Replica(TRUST, self.store)
        self.gaps = Gaps(self.replica, self.store)

    def beat(self, seq, newest, origin=1):
        key = REGION_KEY if origin == 1 else TOWN_KEY
        raw = heartbeat.encode(heartbeat.Heartbeat(origin, seq, NOON_S, newest), TRUST.tag, key.sign)
        assert self.replica.receive_record(raw, NOON_S).state == NEW
        return self.gaps.missing()

    def bulletin(self, seq, **fields):
        for raw in bulletin_parts(seq, **fields):
            assert self.replica.receive_record(raw, NOON_S).state == NEW
        return self.gaps.missing()


def test_numbers_above_what_was_held_are_missing_until_the_newest_is_here():
    bench = Bench()
    assert bench.bulletin(3) == []
    assert bench.beat(1, 3) == []
    assert bench.beat(2, 5) == [(1, 4), (1, 5)]
    assert bench.bulletin(4) == [(1, 5)]
    assert bench.bulletin(5) == []


def test_of_an_authority_never_heard_only_the_newest_counts_and_none_when_it_has_made_none():
    bench = Bench()
    assert bench.beat(1, 28) == [(1, 28)]
    assert bench.beat(1, 0, origin=2) == [(1, 28)]
    assert bench.bulletin(28) == []


def test_what_has_expired_here_is_not_missing_also_after_a_restart():
    bench = Bench()
    bench.bulletin(3, valid_s=3600)
    assert bench.gaps.missing() == []
    assert bench.replica.expire(NOON_S + 3600)
    assert bench.beat(1, 3) == []
    bench.plug_in()
    assert bench.gaps.missing() == []
    assert bench.beat(2, 4) == [(1, 4)]


def test_a_bulletin_that_is_not_whole_is_still_missing():
    bench = Bench()
    bench.bulletin(1)
    parts = bulletin_parts(2, "Довгий текст. ".encode() * 14)
    assert bench.replica.receive_record(parts[0], NOON_S).state == NEW
    assert bench.beat(1, 2) == [(1, 2)]
    for raw in parts[1:]:
        bench.replica.receive_record(raw, NOON_S)
    assert bench.gaps.missing() == []


def test_a_forged_leap_is_not_possible_and_a_true_one_is_counted_up_to_a_bound():
    bench = Bench()
    bench.bulletin(1)
    assert len(bench.beat(1, 5000)) == 99
