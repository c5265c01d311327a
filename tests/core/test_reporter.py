"""The point's own STATUS: when one is made, what it says, and that no number is used twice."""

from _small_region import (
    DH,
    NOON_S,
    OV,
    POINT_KEYS,
    TRUST,
    beat,
    bulletin_parts,
    random_source,
    status_record,
)

from baken.device.reporter import (
    BATTERY_STEP,
    HOURLY_MS,
    PAUSE_MS,
    READ_GRID_S,
    SEEN_AFTER_MS,
    SEEN_SPREAD_MS,
    START_AFTER_MS,
    START_SPREAD_MS,
    Reporter,
    own_number,
)
from baken.device.timekeeper import Timekeeper
from baken.noticeboard import pulses
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, Replica
from baken.wire import pulse, status
from baken.wire.records import BULLETIN, STATUS

OWN = 1


class Settings:
    number = OWN
    trust = TRUST
    key = POINT_KEYS[OWN - 1]
    area = OV


class Clock:
    def __init__(self, unix_s):
        self.now_s = unix_s

    def unix_s(self):
        return self.now_s


class Battery:
    level = 77

    def percent(self):
        return self.level


class FullStore(MemoryStore):
    """Takes no more values while `is_full`."""

    is_full = False

    def set(self, name, value):
        if self.is_full:
            raise OSError(28)
        MemoryStore.set(self, name, value)


class Bench:
    """A reporter with its replica, whose clock goes with `now`; `make(now)` gives the Status it makes then
    and takes it in, `run(until_ms)` all that it makes.
    """

    def __init__(self, store=None, unix_s: "int | None" = NOON_S, records=()):
        self.store = store or FullStore()
        self.replica = Replica(TRUST, self.store)
        for raw in records:
            assert self.replica.receive_record(raw, NOON_S).state == NEW
        self.clock = Clock(unix_s)
        self.battery = Battery()
        self.reporter = Reporter(
            Settings, self.replica, self.store, Timekeeper(self.clock), self.battery, random_source(5), 0
        )

    def make(self, now):
        raw = self.reporter.poll(now)
        if raw is None:
            return None
        assert self.replica.receive_record(raw, self.clock.now_s).state == NEW
        return status.decode(raw)

    def run(self, until_ms):
        """[(ms, Status or Pulse)], each checked by the replica."""
        made = []
        while self.reporter.deadline() <= until_ms:
            now = self.reporter.deadline()
            self.clock.now_s = NOON_S + now // 1000
            told = self.make(now)
            if told is not None:
                made.append((now, told))
            beat = self.reporter.pulse(now)
            if beat is not None:
                assert self.replica.pulses.receive(beat) == pulses.NEW
                until_s = self.replica.pulses.as_of_s(OWN)
                assert until_s is not None
                as_of_s = until_s - NOON_S
                assert as_of_s <= now / 1000
                if beat.steps[0][0] == pulse.ALIVE:
                    assert as_of_s > now / 1000 - 900
                made.append((now, beat))
            assert self.reporter.deadline() > now
        return made


HOUR = 3600000


def draft(**fields):
    made = status.Status(0, 0, 0, b"OPEN", b"Soep is er.")
    for name in fields:
        setattr(made, name, fields[name])
    return made


def test_the_first_comes_soon_after_the_start_and_then_a_pulse_every_hour():
    bench = Bench()
    made = bench.run(5 * HOUR)
    first = made[0][0]
    assert START_AFTER_MS <= first < START_AFTER_MS + START_SPREAD_MS
    assert (made[0][1].seq, made[0][1].state, made[0][1].battery_percent) == (1, b"ONBEKEND", 77)
    assert [now for now, _ in made[1:]] == [hour * HOUR for hour in range(1, 6)]
    steps = [[step[:2] for step in beat.steps] for _, beat in made[1:]]
    assert steps == [[(pulse.ALIVE, step)] for step in (3, 7, 11, 15, 19)]


def test_after_a_day_of_pulses_a_new_status_begins_a_new_chain():
    bench = Bench()
    made = bench.run(30 * HOUR)
    told = [one for _, one in made if isinstance(one, status.Status)]
    assert [one.seq for one in told] == [1, 2] and not set(told[0].anchors) & set(told[1].anchors)
    assert 24 * HOUR < [now for now, one in made if one is told[1]][0] < 26 * HOUR
    assert made[-1][1].number == 2


def test_a_step_of_the_battery_or_the_end_of_external_power_takes_a_status():
    bench = Bench()
    bench.battery.level = 80
    bench.run(HOUR // 2)
    bench.battery.level = 80 - BATTERY_STEP + 1
    ((_, beat),) = bench.run(HOUR)
    assert isinstance(beat, pulse.Pulse)
    bench.battery.level = 80 - BATTERY_STEP
    (told,) = [one for _, one in bench.run(2 * HOUR + SEEN_SPREAD_MS) if isinstance(one, status.Status)]
    assert told.battery_percent == 70
    bench.battery.level = 101
    (told,) = [one for _, one in bench.run(3 * HOUR + SEEN_SPREAD_MS) if isinstance(one, status.Status)]
    assert told.battery_percent == 101


def test_a_bulletin_that_expires_is_no_news():
    bench = Bench(records=bulletin_parts(1, valid_s=3 * 3600))
    bench.run(2 * HOUR)
    assert bench.replica.expire(NOON_S + 4 * 3600) and not bench.replica.seen()
    made = bench.run(8 * HOUR)
    assert len(made) >= 6 and all(isinstance(one, pulse.Pulse) for _, one in made)


def test_a_text_that_fills_the_record_is_told_in_full_every_hour_instead():
    bench = Bench()
    bench.reporter.draft(draft(text=b"x" * status.text_capacity(0)), 1000)
    made = bench.run(2 * HOURLY_MS + 2000)
    assert [one.seq for _, one in made] == [1, 2, 3]
    assert all(
        one.anchors == pulse.NO_ANCHORS and len(one.text) == status.text_capacity(0) for _, one in made
    )


def test_when_a_later_status_of_ours_turns_up_the_pulses_of_the_old_one_end():
    bench = Bench()
    bench.run(2 * HOUR)
    bench.replica.receive_record(status_record(OWN, 40), NOON_S)
    bench.reporter.overtaken(40)
    made = bench.run(4 * HOUR)
    assert isinstance(made[0][1], status.Status) and made[0][1].seq == 41
    assert [one.number for _, one in made[1:]] == [41] * (len(made) - 1)


def test_a_report_is_sent_at_once_and_stays_what_is_said():
    bench = Bench()
    bench.reporter.draft(
        draft(people=31, needs=(b"MED", b"WAT"), priority=b"I", power_hours=5, water_l=300), 1000
    )
    made = bench.make(1000)
    assert (made.state, made.text, made.people, made.power_hours) == (b"OPEN", b"Soep is er.", 31, 5)
    assert (made.needs, made.priority, made.water_l) == ((b"MED", b"WAT"), b"I", 300)
    assert bench.reporter.condition.people == 31
    again = Bench(bench.store)
    assert again.make(START_AFTER_MS + START_SPREAD_MS).text == b"Soep is er."


def seen_by_all(bench):
    """What the replica makes of the STATUS and the pulses of authority 1: sets received and read."""
    seen = bench.replica.statuses[OWN].seen_of(1)
    return (
        {seq for seq in range(1, 40) if seen.has_received(seq)},
        {seq for seq in range(1, 40) if seen.has_read(seq)},
    )


def take(bench, now, *seqs, **fields):
    for seq in seqs:
        for raw in bulletin_parts(seq, **fields):
            bench.replica.receive_record(raw, NOON_S)
        bench.reporter.seen_changed(now)


def test_receipts_in_order_go_by_pulse_at_once():
    bench = Bench(records=bulletin_parts(3))
    bench.run(HOUR // 2)
    now = HOUR // 2
    bench.reporter.seen_changed(now)
    assert bench.reporter.deadline() == HOUR, "nothing has changed"
    take(bench, now, 4, 5)
    ((at, beat),) = bench.run(now)
    assert at == now and [step[:2] for step in beat.steps] == [(pulse.RECEIVED, 2)]
    assert seen_by_all(bench) == ({3, 4, 5}, set())
    bench.replica.mark_read((1, 4))
    bench.reporter.seen_changed(now)
    ((at, beat),) = bench.run(HOUR - 1)
    assert at == now + 1000 * READ_GRID_S and [step[:2] for step in beat.steps] == [(pulse.READ, 1)]
    assert seen_by_all(bench) == ({3, 4, 5}, {4})
    assert all(isinstance(one, pulse.Pulse) for _, one in bench.run(3 * HOUR))


def test_the_first_bulletins_of_all_and_an_exercise_that_begins_take_no_status():
    bench = Bench()
    ((_, told),) = bench.run(HOUR // 2)
    assert [(seen.authority, seen.newest, seen.received, seen.read) for seen in told.seen] == [(1, 0, 0, 0)]
    now = HOUR // 2
    take(bench, now, 1, 2, status=b"Exercise")
    ((at, beat),) = bench.run(now)
    assert at == now and [step[:2] for step in beat.steps] == [(pulse.RECEIVED, 2)]
    bench.replica.mark_read((1, 1))
    bench.reporter.seen_changed(now)
    made = bench.run(5 * HOUR)
    assert seen_by_all(bench) == ({1, 2}, {1}) and all(isinstance(one, pulse.Pulse) for _, one in made)


def test_the_end_of_an_exercise_takes_a_status():
    bench = Bench(records=bulletin_parts(1, status=b"Exercise", valid_s=2 * 3600))
    ((_, told),) = bench.run(HOUR)[:1]
    assert told.exercise
    bench.replica.expire(NOON_S + 3 * 3600)
    (told,) = [one for _, one in bench.run(3 * HOUR) if isinstance(one, status.Status)]
    assert not told.exercise


def test_who_holds_no_bulletin_goes_on_behind_the_newest_number_known():
    bench = Bench(records=[beat(1, newest=40)])
    ((_, told),) = bench.run(HOUR // 2)
    assert told.seen[0].newest == 40 and not told.seen[0].has_received(40)
    take(bench, HOUR // 2, 41, valid_s=1800)
    assert [step[:2] for step in bench.run(HOUR // 2)[0][1].steps] == [(pulse.RECEIVED, 1)]
    # It expires; a report made then says no more than that 41 exists, and 42 goes by pulse again.
    bench.replica.expire(NOON_S + 3600)
    bench.reporter.draft(draft(), HOUR)
    (told,) = [one for _, one in bench.run(HOUR) if isinstance(one, status.Status)]
    assert (told.seen[0].newest, told.seen[0].received) == (41, 0)
    take(bench, HOUR + 1000, 42)
    assert [one.steps[0][:2] for _, one in bench.run(HOUR + 1000)] == [(pulse.RECEIVED, 1)]


def test_what_is_meant_for_another_place_need_not_be_read_there():
    bench = Bench(records=bulletin_parts(3))
    bench.run(HOUR // 2)
    now = HOUR // 2
    take(bench, now, 4, areas=(DH,))
    take(bench, now, 5, areas=(OV,))
    bench.replica.mark_read((1, 5))
    bench.reporter.seen_changed(now)
    assert all(isinstance(one, pulse.Pulse) for _, one in bench.run(HOUR))
    assert 5 in seen_by_all(bench)[1]


def test_receipts_out_of_order_take_a_status_after_a_while_and_a_pause():
    bench = Bench(records=bulletin_parts(3))
    bench.run(HOUR // 2)
    now = HOUR // 2
    take(bench, now, 4, 6)
    due = bench.reporter.deadline()
    assert due == now and len(bench.run(now)) == 1 and seen_by_all(bench)[0] == {3, 4}
    due = bench.reporter.deadline()
    assert SEEN_AFTER_MS <= due - now < SEEN_AFTER_MS + SEEN_SPREAD_MS
    ((_, made),) = bench.run(due)
    assert isinstance(made, status.Status) and seen_by_all(bench)[0] == {3, 4, 6}
    bench.replica.mark_read((1, 3))
    bench.reporter.seen_changed(due)
    again = [at for at, one in bench.run(2 * HOUR) if isinstance(one, status.Status)]
    assert len(again) == 1 and again[0] - due >= PAUSE_MS and seen_by_all(bench)[1] == {3}


def test_it_marks_an_exercise_while_one_is_going_on():
    bench = Bench(records=bulletin_parts(1, status=b"Exercise"))
    assert bench.make(bench.reporter.deadline()).exercise
    assert not Bench(records=bulletin_parts(1)).make(90000).exercise


def test_without_a_time_none_is_made_and_no_number_used():
    bench = Bench(unix_s=None)
    assert bench.make(bench.reporter.deadline()) is None
    bench.clock.now_s = 5  # a clock chip that begins in 1970
    at = bench.reporter.deadline()
    assert bench.make(at) is None and bench.reporter.pulse(PAUSE_MS) is None
    bench.clock.now_s = NOON_S
    assert bench.make(bench.reporter.deadline()).seq == 1


def test_numbers_go_on_after_a_restart_and_above_whatever_was_heard():
    store = FullStore()
    bench = Bench(store)
    for seq in (1, 2, 3):
        bench.reporter.draft(draft(), 1000 * seq)
        assert bench.make(1000 * seq).seq == seq
    again = Bench(store)
    assert again.reporter.condition.seq == 3
    assert again.make(again.reporter.deadline()).seq == 4
    again.reporter.overtaken(40)
    again.reporter.overtaken(7)
    again.reporter.draft(draft(), 1000)
    assert again.make(1000).seq == 41
    # A flash that lost its counter but not its records.
    lost = Bench(records=[status_record(OWN, 60, b"Vol.", people=3)])
    made = lost.make(lost.reporter.deadline())
    assert (made.seq, made.people, made.text) == (61, 3, b"Vol.")


def test_when_the_flash_is_full_no_number_is_given_rather_than_one_twice():
    bench = Bench()
    assert bench.make(bench.reporter.deadline()).seq == 1
    bench.store.is_full = True
    at = HOUR // 2
    bench.reporter.draft(draft(), at)
    assert bench.make(at) is None and bench.reporter.deadline() > at
    bench.reporter.overtaken(9)
    assert bench.make(bench.reporter.deadline()) is None
    bench.store.is_full = False
    assert bench.make(bench.reporter.deadline()).seq == 10


def test_a_text_that_does_not_fit_beside_what_was_seen_is_cut_before_a_letter():
    text = ("é" * 70).encode()
    assert len(text) <= status.text_capacity(0)
    # An old record of our own may have had more room than the next one has.
    bench = Bench(records=[status_record(OWN, 3, text)])
    for seq in range(1, 3):
        bench.replica.receive_record(bulletin_parts(seq)[0], NOON_S)
        bench.replica.receive_record(bulletin_parts(seq, origin=2)[0], NOON_S)
    made = bench.make(bench.reporter.deadline())
    assert len(made.seen) == 2 and len(made.text) == status.text_capacity(2) // 2 * 2
    assert made.text.decode() == "é" * (len(made.text) // 2)


def test_own_number_tells_our_statuses_from_all_else():
    assert own_number((STATUS, OWN, 8, 0), Settings) == 8
    assert own_number((STATUS, OWN + 1, 8, 0), Settings) is None
    assert own_number((BULLETIN, OWN, 8, 0), Settings) is None
