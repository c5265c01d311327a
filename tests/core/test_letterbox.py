"""A point's emergency reports: numbered once, kept over a restart, repeated until answered, never hidden."""

from _small_region import NOON_S, POINT_KEYS, REGION_KEY, ROOT, TRUST, random_source

from baken.crypto import ed25519
from baken.device.letterbox import PAUSES_MS, Letterbox
from baken.device.timekeeper import Timekeeper
from baken.noticeboard.letters import MAX_REPORTS_OF_POINT
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, Replica
from baken.wire import amendment, answer, report, sealed
from baken.wire.amendment import Amendment
from baken.wire.records import ANSWER, REPORT, decode_header

OWN = 1
REGION_PRIVATE = ed25519.montgomery_private(bytes([2]) * 32)
DESK_KEY = sealed.shared_key(REGION_PRIVATE, POINT_KEYS[OWN - 1].public, TRUST.tag)


class Mesh:
    private_key = bytes([10]) * 32


class Settings:
    number = OWN
    trust = TRUST
    key = POINT_KEYS[OWN - 1]
    mesh = Mesh
    reports_to = None


class Clock:
    def __init__(self, unix_s):
        self.now_s = unix_s

    def unix_s(self):
        return self.now_s

    def set_unix_s(self, unix_s):
        self.now_s = unix_s


class FullStore(MemoryStore):
    """Takes no more values while `is_full`."""

    is_full = False

    def set(self, name, value):
        if self.is_full:
            raise OSError(28)
        MemoryStore.set(self, name, value)


class Bench:
    """A letterbox with its replica; `run(now)` publishes what it makes and gives (number, is_new) of each."""

    def __init__(self, store=None, unix_s: "int | None" = NOON_S, settings=Settings):
        self.store = store or FullStore()
        self.clock = Clock(unix_s)
        self.settings = settings
        self.plug_in(0)

    def plug_in(self, now):
        self.replica = Replica(TRUST, self.store)
        self.box = Letterbox(
            self.settings, self.replica, self.store, Timekeeper(self.clock), random_source(5), now
        )

    def run(self, now):
        out = []
        for raw, is_new in self.box.poll(now):
            if is_new:
                assert self.replica.receive_record(raw, self.clock.now_s).state == NEW
            out.append((decode_header(raw).seq, is_new))
        return out

    def answer(self, seq, ref, text=b"", minutes=2, valid_s=3600):
        time_s = NOON_S + 60 * minutes
        made = answer.Answer(1, seq, OWN, ref, time_s, time_s + valid_s, False, bool(text))
        raw = sealed.encode_answer(made, text, DESK_KEY, TRUST.tag, REGION_KEY.sign)
        assert self.replica.receive_record(raw, self.clock.now_s).state == NEW
        return self.box.learned((ANSWER, 1, seq, 0))

    def due(self):
        """When the letterbox wants to be polled again; it must want to."""
        deadline = self.box.deadline()
        assert deadline is not None
        return deadline

    def kept(self):
        """What waits, as the flash holds it."""
        value = self.store.get("reports")
        assert value is not None
        return value

    def texts(self):
        return [(letter.text, letter.waits, letter.answer) for letter in self.box.letters()]


def opened(replica, seq):
    raw = replica.get((REPORT, OWN, seq, 0))
    return sealed.open_text(raw, DESK_KEY)


def test_a_report_is_sealed_to_the_lowest_authority_signed_by_the_point_and_marked():
    bench = Bench()
    assert bench.box.write(b"MED Ambulance nodig.", b"F", True, 0)
    assert bench.run(0) == [(1, True)]
    made = bench.replica.letters.reports[(OWN, 1)]
    assert (made.to, made.priority, made.exercise, made.time_s) == (1, b"F", True, NOON_S)
    assert opened(bench.replica, 1) == b"MED Ambulance nodig."


def test_a_setting_names_another_authority():
    class Other(Settings):
        reports_to = 2

    bench = Bench(settings=Other)
    bench.box.write(b"Brand.", b"F", False, 0)
    bench.run(0)
    assert bench.replica.letters.reports[(OWN, 1)].to == 2


def test_it_is_repeated_with_growing_pauses_until_the_answer_is_back():
    bench = Bench()
    bench.box.write(b"Brand.", b"F", False, 0)
    bench.run(0)
    now, sent = 0, []
    while len(sent) < 9:
        now = bench.due()
        assert bench.run(now - 1) == []
        assert bench.run(now) == [(1, False)]
        sent.append(now)
    pauses = [later - earlier for earlier, later in zip([0] + sent, sent)]
    wanted = list(PAUSES_MS) + [PAUSES_MS[-1]] * 3
    for pause, least in zip(pauses, wanted):
        assert least <= pause <= least * 5 // 4
    bench.answer(1, 1)
    assert bench.box.deadline() is None and bench.run(now + 10000000) == []


def test_a_restart_loses_no_report_and_gives_no_number_twice():
    bench = Bench()
    bench.box.write(b"Een.", b"F", False, 0)
    bench.run(0)
    bench.plug_in(1000)
    assert bench.texts() == [(b"Een.", True, b"")]
    due = bench.due()
    assert 1000 <= due <= 1000 + PAUSES_MS[0] and bench.run(due) == [(1, False)]
    bench.box.write(b"Twee.", b"I", False, due)
    assert bench.run(due) == [(2, True)]


def test_power_that_fails_between_number_and_record_gives_the_same_record_again():
    bench = Bench()
    bench.box.write(b"Een.", b"F", False, 0)
    first = bench.box.poll(0)[0][0]  # never published: the power fails here
    bench.clock.now_s = NOON_S + 300
    bench.plug_in(1000)
    bench.clock.now_s = NOON_S + 600
    again = bench.box.poll(bench.due())
    assert again == [(first, True)]


def test_without_time_or_room_for_a_number_it_waits_and_goes_when_both_are_there():
    bench = Bench(unix_s=None)
    bench.box.write(b"Een.", b"F", False, 0)
    assert bench.run(0) == []
    assert [(letter.seq, letter.waits) for letter in bench.box.letters()] == [(0, True)]
    bench.plug_in(0)
    bench.clock.now_s = NOON_S
    bench.store.is_full = True
    assert bench.run(bench.due()) == []
    bench.store.is_full = False
    assert bench.run(bench.due()) == [(1, True)]


def test_a_second_report_never_hides_the_first_nor_does_its_answer():
    bench = Bench()
    bench.box.write(b"Een.", b"F", False, 0)
    bench.box.write(b"Twee.", b"F", False, 0)
    assert bench.run(0) == [(1, True), (2, True)]
    name = bench.answer(1, 2, b"Komt eraan.")
    assert bench.texts() == [(b"Twee.", False, b"Komt eraan."), (b"Een.", True, b"")]
    assert bench.box.letters()[0].name == name
    assert bench.box.mark_read(name)
    assert bench.texts() == [(b"Een.", True, b""), (b"Twee.", False, b"Komt eraan.")]


def test_an_acknowledgement_and_an_answer_that_follows_make_one_letter_unread_again():
    bench = Bench()
    bench.box.write(b"Een.", b"F", False, 0)
    bench.run(0)
    name = bench.answer(1, 1, minutes=1)
    (letter,) = bench.box.letters()
    assert letter.unread and letter.received_s == NOON_S + 60 and letter.answer == b""
    bench.box.mark_read(name)
    assert not bench.box.letters()[0].unread
    assert bench.answer(2, 1, b"Ambulance over 12 min.", minutes=5) == name
    (letter,) = bench.box.letters()
    assert letter.unread and letter.received_s == NOON_S + 60 and letter.answer == b"Ambulance over 12 min."


def test_read_answers_stay_read_over_a_restart_and_go_when_they_are_over():
    bench = Bench()
    bench.box.write(b"Een.", b"F", False, 0)
    bench.run(0)
    bench.answer(1, 1, b"Komt.")
    bench.answer(2, 0, b"Blijf binnen.", minutes=3)
    for letter in bench.box.letters():
        assert bench.box.mark_read(letter.name)
    bench.plug_in(0)
    assert [letter.unread for letter in bench.box.letters()] == [False, False]
    bench.clock.now_s = NOON_S + 7200
    bench.box.expire(bench.clock.now_s)
    assert bench.box.letters() == []


def test_an_answer_to_somebody_else_is_none_of_ours():
    bench = Bench()
    other = sealed.shared_key(REGION_PRIVATE, POINT_KEYS[1].public, TRUST.tag)
    made = answer.Answer(1, 1, 2, 0, NOON_S, NOON_S + 3600)
    raw = sealed.encode_answer(made, b"Voor een ander.", other, TRUST.tag, REGION_KEY.sign)
    assert bench.replica.receive_record(raw, NOON_S).state == NEW
    assert bench.box.learned((ANSWER, 1, 1, 0)) is None and bench.box.letters() == []


def test_an_answer_that_does_not_open_says_so_and_still_acknowledges():
    bench = Bench()
    bench.box.write(b"Een.", b"F", False, 0)
    bench.run(0)
    made = answer.Answer(1, 1, OWN, 1, NOON_S, NOON_S + 3600)
    raw = sealed.encode_answer(made, b"Met een vreemde sleutel.", bytes(32), TRUST.tag, REGION_KEY.sign)
    assert bench.replica.receive_record(raw, NOON_S).state == NEW
    (letter,) = bench.box.letters()
    assert not letter.waits and letter.answer.startswith(b"Onleesbaar")


def test_no_more_reports_wait_than_replicas_take_of_one_point():
    bench = Bench()
    for number in range(MAX_REPORTS_OF_POINT):
        assert bench.box.write(b"%d" % number, b"F", False, 0)
    assert not bench.box.write(b"Te veel.", b"F", False, 0)
    assert len(bench.run(0)) == MAX_REPORTS_OF_POINT
    bench.answer(1, 3)
    assert bench.box.write(b"Weer een.", b"F", False, 0)
    assert b"2" not in [letter.text for letter in bench.box.letters()], "what was answered makes room"
    assert len(bench.box.letters()) == MAX_REPORTS_OF_POINT + 1


def test_a_node_that_lost_its_flash_goes_on_behind_the_numbers_it_hears():
    bench = Bench()
    for _ in range(3):
        bench.box.write(b"Voor de brand.", b"F", False, 0)
    bench.run(0)
    kept = bench.replica.records()
    lost = Bench()
    for raw in kept:
        assert lost.replica.receive_record(raw, NOON_S).state == NEW
        lost.box.learned(decode_header(raw).record_id)
    lost.box.write(b"Na de brand.", b"F", False, 0)
    assert lost.run(0) == [(4, True)]


def test_a_point_whose_key_was_revoked_sends_nothing_more():
    bench = Bench()
    bench.box.write(b"Een.", b"F", False, 0)
    revoked = amendment.encode(Amendment(8, amendment.REVOKE_POINT, OWN), TRUST.tag, ROOT.sign)
    assert bench.replica.receive_record(revoked, NOON_S).state == NEW
    assert bench.run(0) == [] and bench.box.letters()[0].waits


def test_a_draft_of_a_report_is_read_back_and_is_not_one_of_a_status():
    for priority in (b"R", b"P", b"I", b"F"):
        for exercise in (False, True):
            data = report.encode_draft("Één.".encode(), priority, exercise)
            assert report.is_draft(data)
            assert report.decode_draft(data) == ("Één.".encode(), priority, exercise)
    assert data[0] == 0x1A and len(data) == 2 + 6


def test_what_waits_is_bounded_in_what_it_costs_on_flash():
    bench = Bench()
    for _ in range(MAX_REPORTS_OF_POINT):
        bench.box.write(bytes([97]) * report.MAX_TEXT, b"F", False, 0)
    bench.run(0)
    assert len(bench.kept()) <= MAX_REPORTS_OF_POINT * (report.MAX_TEXT + 10)
    assert len(bench.kept()) < 4096
    assert [key for key in bench.replica.letters.reports if key[0] == OWN]
    assert (REPORT, OWN, 1, 0) in [decode_header(raw).record_id for raw in bench.replica.records()]
