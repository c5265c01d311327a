"""The point's own STATUS: when one is made, what it says, and that no number is used twice."""

from _small_region import NOON_S, POINT_KEYS, TRUST, bulletin_parts, random_source, status_record

from baken.device.reporter import PERIOD_MS, SEEN_AFTER_MS, SEEN_SPREAD_MS, SPREAD_MS, Reporter, own_number
from baken.device.timekeeper import Timekeeper
from baken.noticeboard.replica import NEW, Replica
from baken.noticeboard.store import MemoryStore
from baken.wire import status
from baken.wire.records import BULLETIN, STATUS

OWN = 1


class Settings:
    number = OWN
    trust = TRUST
    key = POINT_KEYS[OWN - 1]


class Clock:
    def __init__(self, unix_s):
        self.now_s = unix_s

    def unix_s(self):
        return self.now_s


class Battery:
    def percent(self):
        return 77


class FullStore(MemoryStore):
    """Takes no more values while `is_full`."""

    is_full = False

    def set(self, name, value):
        if self.is_full:
            raise OSError(28)
        MemoryStore.set(self, name, value)


class Bench:
    """A reporter with its replica; `make(now)` gives the Status it makes then and takes it in."""

    def __init__(self, store=None, unix_s: "int | None" = NOON_S, records=()):
        self.store = store or FullStore()
        self.replica = Replica(TRUST, self.store)
        for raw in records:
            assert self.replica.receive_record(raw, NOON_S).state == NEW
        self.clock = Clock(unix_s)
        self.reporter = Reporter(
            Settings, self.replica, self.store, Timekeeper(self.clock), Battery(), random_source(5), 0
        )

    def make(self, now):
        raw = self.reporter.poll(now)
        if raw is None:
            return None
        assert self.replica.receive_record(raw, self.clock.now_s).state == NEW
        return status.decode(raw)


def draft(**fields):
    made = status.Status(0, 0, 0, b"OPEN", b"Soep is er.")
    for name in fields:
        setattr(made, name, fields[name])
    return made


def test_the_first_comes_soon_after_the_start_and_then_one_every_hour():
    bench = Bench()
    first = bench.reporter.deadline()
    assert SEEN_AFTER_MS <= first < SEEN_AFTER_MS + SEEN_SPREAD_MS
    assert bench.make(first - 1) is None
    made = bench.make(first)
    assert (made.origin, made.seq, made.state, made.battery_percent) == (OWN, 1, b"ONBEKEND", 77)
    second = bench.reporter.deadline()
    assert PERIOD_MS <= second - first < PERIOD_MS + SPREAD_MS
    assert bench.make(second).seq == 2


def test_a_report_is_sent_at_once_and_stays_what_is_said():
    bench = Bench()
    bench.reporter.draft(
        draft(people=31, needs=(b"MED", b"WAT"), priority=b"I", power_hours=5, water_l=300), 1000
    )
    made = bench.make(1000)
    assert (made.state, made.text, made.people, made.power_hours) == (b"OPEN", b"Soep is er.", 31, 5)
    assert (made.needs, made.priority, made.water_l) == ((b"MED", b"WAT"), b"I", 300)
    assert bench.reporter.condition.people == 31
    again = bench.make(bench.reporter.deadline())
    assert (again.seq, again.people, again.text) == (2, 31, b"Soep is er.")


def test_bulletins_received_and_read_are_told_together_soon_after():
    bench = Bench()
    bench.make(bench.reporter.deadline())
    now = 500000
    hourly = bench.reporter.deadline()
    bench.reporter.seen_changed(now)
    assert bench.reporter.deadline() == hourly, "nothing has changed"
    for seq in (1, 2):
        bench.replica.receive_record(bulletin_parts(seq)[0], NOON_S)
        bench.reporter.seen_changed(now)
    bench.replica.mark_read((1, 2))
    bench.reporter.seen_changed(now + 1000)
    due = bench.reporter.deadline()
    assert SEEN_AFTER_MS <= due - now < SEEN_AFTER_MS + SEEN_SPREAD_MS
    made = bench.make(due)
    seen = made.seen_of(1)
    assert seen.has_received(1) and seen.has_received(2) and seen.has_read(2) and not seen.has_read(1)
    assert bench.reporter.deadline() >= due + PERIOD_MS


def test_it_marks_an_exercise_while_one_is_going_on():
    bench = Bench(records=bulletin_parts(1, status=b"Exercise"))
    assert bench.make(bench.reporter.deadline()).exercise
    assert not Bench(records=bulletin_parts(1)).make(90000).exercise


def test_without_a_time_none_is_made_and_no_number_used():
    bench = Bench(unix_s=None)
    assert bench.make(bench.reporter.deadline()) is None
    bench.clock.now_s = 5  # a clock chip that begins in 1970
    assert bench.make(bench.reporter.deadline()) is None
    bench.clock.now_s = NOON_S
    assert bench.make(bench.reporter.deadline()).seq == 1


def test_numbers_go_on_after_a_restart_and_above_whatever_was_heard():
    store = FullStore()
    bench = Bench(store)
    assert [bench.make(bench.reporter.deadline()).seq for _ in range(3)] == [1, 2, 3]
    again = Bench(store)
    assert again.reporter.condition.seq == 3
    assert again.make(again.reporter.deadline()).seq == 4
    again.reporter.overtaken(40)
    again.reporter.overtaken(7)
    assert again.make(again.reporter.deadline()).seq == 41
    # A flash that lost its counter but not its records.
    lost = Bench(records=[status_record(OWN, 60, b"Vol.", people=3)])
    made = lost.make(lost.reporter.deadline())
    assert (made.seq, made.people, made.text) == (61, 3, b"Vol.")


def test_when_the_flash_is_full_no_number_is_given_rather_than_one_twice():
    bench = Bench()
    assert bench.make(bench.reporter.deadline()).seq == 1
    bench.store.is_full = True
    at = bench.reporter.deadline()
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
