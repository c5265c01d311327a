"""What the display walks through and what the button does, on a screen that only notes what it is given."""

from _small_region import DH, LONG_TEXT, NOON_S, OV, TRUST, bulletin_parts

from baken.device import views
from baken.device.letterbox import Letter
from baken.device.localtime import CLOCK_GOOD
from baken.device.menus import REPORT_KINDS
from baken.device.panel import MENU_MS, THANKS_MS, TURN_MS, Panel
from baken.device.views import FOR_US, OLD
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, Replica
from baken.wire import status


class Screen:
    """Notes the last page drawn: `kind`, `view`, `page`. `pages`: how many a bulletin, by its first word."""

    def __init__(self):
        self.kind = None
        self.view = None
        self.page = None
        self.pages = {}

    def _note(self, kind, view, page=0):
        self.kind, self.view, self.page = kind, view, page

    def draw_bulletin(self, view, page):
        self._note("bulletin", view, page)
        return self.pages.get(view.text.split(b" ")[0], 1)

    def draw_list(self, view, page):
        self._note("list", view, page)
        return self.pages.get("list", 1)

    def draw_health(self, view, page):
        self._note("table", view, page)
        return self.pages.get("table", 1)

    def draw_texts(self, view, page):
        self._note("texts", view, page)
        return self.pages.get("texts", 1)

    def draw_empty(self, view):
        self._note("empty", view)

    def draw_message(self, view, page=0):
        self._note("message", view, page)
        return 1

    def draw_menu(self, view):
        self._note("menu", view)


class Settings:
    code = b"OV06"
    area = OV
    trust = TRUST
    restricted = False


class Time:
    now_s = NOON_S

    def unix_s(self):
        return self.now_s

    def quality(self):
        return CLOCK_GOOD


class Bench:
    """A panel, and virtual time that goes by as the node lets it."""

    def __init__(self, *raws):
        self.replica = Replica(TRUST, MemoryStore())
        self.screen = Screen()
        self.settings = Settings()
        self.time = Time()
        self.said = status.Status(1, 4, NOON_S, b"OPEN", b"Soep.", needs=(b"MED",))
        self.said.people = 12
        self.said.priority = b"I"
        self.reports = []
        self.marked = []
        self.now = 0
        self.panel = Panel(
            self.screen,
            self.replica,
            self.settings,
            self.time,
            lambda: self.said,
            self.reports.append,
            lambda: [(b"Accu", b"50%")],
            self._mark_read,
        )
        self.learn(*raws)

    def _mark_read(self, key):
        self.marked.append(key)
        self.replica.mark_read(key)

    def learn(self, *raws):
        for raw in raws:
            outcome = self.replica.receive_record(raw, self.time.now_s)
            assert outcome.state == NEW
            assert outcome.record_id
            self.panel.show_new(outcome.record_id[1:3], self.now)
        return self.draw()

    def draw(self):
        self.panel.draw(self.now)
        return self.what()

    def what(self):
        """What is on the screen in a word or two."""
        view = self.screen.view
        if self.screen.kind == "bulletin":
            return (view.text, self.screen.page)
        return self.screen.kind if self.screen.kind != "table" else view.title

    def press(self, kind="short"):
        self.panel.press(kind, self.now)
        return self.draw()

    def later(self, ms):
        """Time goes by; the panel turns as often as it asked to."""
        end = self.now + ms
        while self.panel.deadline(self.now) <= end:
            due = self.panel.deadline(self.now)
            self.time.now_s += (due - self.now) // 1000
            self.now = due
            self.panel.turn(self.now)
            self.draw()
        self.time.now_s += (end - self.now) // 1000
        self.now = end
        return self.what()


class Inbox:
    """So many texts."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def newest(self):
        return range(self.count)


def one(seq, text, **fields):
    return bulletin_parts(seq, text, **fields)[0]


def test_without_bulletins_it_says_so_and_a_press_goes_to_status_and_health_and_back():
    bench = Bench()
    assert bench.draw() == "empty" and bench.screen.view.contact_s is None
    assert [bench.press() for _ in range(4)] == [b"MIJN STATUS", b"TOESTAND", "empty", b"MIJN STATUS"]


def test_the_most_urgent_comes_first_then_the_others_then_the_list():
    bench = Bench(
        one(1, b"Gewoon."), one(2, b"Ernstig.", severity=b"Severe"), one(3, b"Alarm.", event=b"ALARM")
    )
    bench.press()
    while bench.what() != (b"Alarm.", 0):
        bench.press()
    assert [bench.press() for _ in range(5)] == [
        (b"Ernstig.", 0),
        (b"Gewoon.", 0),
        "list",
        b"MIJN STATUS",
        b"TOESTAND",
    ]
    assert bench.press() == (b"Alarm.", 0)


def test_it_turns_by_itself_through_all_pages_but_not_to_status_and_health():
    bench = Bench(one(1, b"Een."), one(2, b"Twee.", severity=b"Severe"))
    bench.screen.pages = {b"Een.": 3, "list": 2}
    while bench.what() != (b"Twee.", 0):
        bench.later(TURN_MS)
    seen = []
    for _ in range(8):
        bench.later(TURN_MS)
        seen.append((bench.what(), bench.screen.page))
    around = [
        ((b"Een.", 0), 0),
        ((b"Een.", 1), 1),
        ((b"Een.", 2), 2),
        ("list", 0),
        ("list", 1),
        ((b"Twee.", 0), 0),
    ]
    assert seen == around + around[:2]


def test_a_new_bulletin_is_shown_at_once_from_its_first_page():
    bench = Bench(one(1, b"Een."))
    bench.screen.pages = {b"Een.": 3}
    bench.press()
    assert bench.learn(one(2, b"Nieuw.", severity=b"Minor")) == (b"Nieuw.", 0)
    bench.press("long")
    assert bench.what() == "message"
    assert bench.learn(one(3, b"Nog een.")) == (b"Nog een.", 0), "it does not wait for the thanks"


def test_what_is_meant_for_elsewhere_or_for_staff_is_not_shown():
    bench = Bench(one(1, b"Elders.", areas=(DH,)), one(2, b"Intern.", scope=b"Restricted"))
    assert bench.draw() == "empty"
    assert bench.learn(one(3, b"Hier.", areas=(OV,))) == (b"Hier.", 0)
    assert bench.press() == b"MIJN STATUS", "one bulletin needs no list"
    bench.settings.restricted = True
    assert {(b"Hier.", 0), (b"Intern.", 0), "list"} <= {bench.press() for _ in range(6)}


def test_a_bulletin_leaves_the_display_at_the_second_it_expires_and_it_is_told_since_when_none_is_valid():
    bench = Bench(one(1, b"Kort.", valid_s=600))
    assert bench.later(599000) == (b"Kort.", 0)
    assert bench.later(1000) == "empty"
    assert bench.screen.view.since_s == NOON_S + 600
    assert bench.learn(one(2, b"Weer iets.", sent_s=NOON_S + 600)) == (b"Weer iets.", 0)


def test_a_long_press_on_a_whole_bulletin_marks_it_read_and_thanks():
    bench = Bench(one(1, b"Lees mij."))
    assert bench.press("long") == "message" and bench.screen.view.title == b"GELEZEN"
    assert bench.marked == [(1, 1)]
    assert bench.later(THANKS_MS - 1) == "message"
    bench.later(2)
    assert bench.what() == (b"Lees mij.", 0)
    bench.press("long")
    assert bench.press() == (b"Lees mij.", 0), "a press takes the thanks away and does nothing else"
    parts = bulletin_parts(2, LONG_TEXT)
    bench.learn(parts[0])
    assert bench.screen.view.missing_parts == [2, 3] and bench.screen.view.text == b""
    bench.press("long")
    assert (1, 2) not in bench.marked and bench.screen.kind == "bulletin"


def test_a_long_press_on_the_list_or_the_health_page_does_nothing():
    bench = Bench(one(1, b"Een."), one(2, b"Twee."))
    while bench.what() != "list":
        bench.press()
    assert bench.press("long") == "list"
    bench.press()
    assert bench.press() == b"TOESTAND" and bench.press("long") == b"TOESTAND"
    assert not bench.marked and not bench.reports


def test_the_menu_takes_another_state_and_keeps_everything_else_that_was_said():
    for presses, state in enumerate((b"OPEN", b"BEPERKT", b"VOL", b"DICHT")):
        bench = Bench()
        bench.screen.pages = {"table": 2}
        bench.draw()
        bench.press()
        bench.press()
        assert bench.what() == b"MIJN STATUS" and bench.screen.page == 1
        assert bench.press("long") == "menu" and bench.screen.view.selected == 0
        for _ in range(presses):
            bench.press()
        assert bench.press("long") == b"MIJN STATUS" and bench.screen.page == 0
        (new,) = bench.reports
        assert new.state == state
        for name in (
            "people",
            "priority",
            "needs",
            "text",
            "exercise",
            "power_hours",
            "water_l",
            "volunteers",
        ):
            assert getattr(new, name) == getattr(bench.said, name), name


def test_back_changes_nothing_and_the_choices_go_round():
    bench = Bench()
    bench.draw()
    bench.press()
    bench.press("long")
    choices = len(bench.screen.view.choices)
    for _ in range(choices - 1):
        bench.press()
    assert bench.screen.view.selected == choices - 1
    assert bench.press() == "menu" and bench.screen.view.selected == 0
    for _ in range(choices - 1):
        bench.press()
    assert bench.press("long") == b"MIJN STATUS" and not bench.reports


def test_an_open_menu_is_not_pushed_aside_by_a_bulletin_and_closes_by_itself():
    bench = Bench()
    bench.draw()
    bench.press()
    bench.press("long")
    assert bench.learn(one(1, b"Nieuw.")) == "menu"
    assert bench.later(MENU_MS - 1) == "menu"
    bench.later(1)
    assert bench.what() == b"MIJN STATUS"
    assert bench.later(TURN_MS) == (b"Nieuw.", 0)


def test_a_withdrawn_bulletin_that_is_on_the_display_gives_way():
    bench = Bench(one(1, b"Weg ermee."), one(2, b"Blijft.", severity=b"Minor"))
    bench.press()
    cancel = one(3, b"Ingetrokken.", msg_type=b"Cancel", references=((1, 1),), severity=b"Minor")
    assert bench.learn(cancel) == (b"Ingetrokken.", 0)
    seen = [bench.press() for _ in range(8)]
    assert (b"Weg ermee.", 0) not in seen and (b"Blijft.", 0) in seen


def test_every_page_tells_the_code_the_time_and_its_quality():
    bench = Bench(one(1, b"Een."), one(2, b"Twee.", status=b"Exercise"))
    kinds = set()
    for _ in range(8):
        bench.press()
        view = bench.screen.view
        kinds.add(bench.screen.kind)
        assert (view.point_code, view.now_s, view.clock_quality) == (b"OV06", NOON_S, CLOCK_GOOD)
        if bench.screen.kind == "bulletin":
            assert view.exercise == (view.text == b"Twee.")
            assert view.authority == b"VR Merenland"
    assert kinds == {"bulletin", "list", "table"}


def test_texts_are_behind_the_bulletins_and_only_there_when_there_are_any():
    bench = Bench(one(1, b"Een."), one(2, b"Twee."))
    bench.panel.inbox = Inbox(0)
    assert "texts" not in {bench.press() for _ in range(12)}
    bench.panel.inbox = Inbox(3)
    while bench.what() != "list":
        bench.press()
    bench.screen.pages = {"texts": 2}
    assert bench.press() == "texts" and (bench.screen.page, bench.screen.view.count) == (0, 3)
    assert bench.press() == "texts" and bench.screen.page == 1
    assert bench.press("long") == "texts" and not bench.marked
    assert bench.press() == b"MIJN STATUS"


def test_the_display_never_turns_to_texts_by_itself_and_leaves_them_after_a_turn():
    bench = Bench(one(1, b"Een."), one(2, b"Twee."))
    bench.panel.inbox = Inbox(3)
    for _ in range(10):
        bench.later(TURN_MS)
        assert bench.what() != "texts"
    while bench.what() != "texts":
        bench.press()
    assert not bench.panel.show_text(OLD, bench.now) and bench.panel.show_text(views.NEW, bench.now)
    bench.later(TURN_MS)
    assert bench.what() == (b"Twee.", 0)
    assert not bench.panel.show_text(views.NEW, bench.now) and bench.draw() == (b"Twee.", 0)


def test_a_text_for_this_point_comes_up_once_but_a_bulletin_always_goes_first():
    bench = Bench()
    bench.panel.inbox = Inbox(1)
    assert bench.draw() == "empty"
    assert bench.panel.show_text(FOR_US, bench.now) and bench.draw() == "texts"
    assert bench.learn(one(1, b"Nieuw.")) == (b"Nieuw.", 0)
    assert not bench.panel.show_text(FOR_US, bench.now) and bench.draw() == (b"Nieuw.", 0)
    assert bench.later(TURN_MS - 1) == (b"Nieuw.", 0)
    assert bench.later(1) == "texts"
    assert bench.later(TURN_MS) == (b"Nieuw.", 0)
    for _ in range(5):
        assert bench.later(TURN_MS) == (b"Nieuw.", 0)


def test_a_text_does_not_push_a_menu_aside_nor_comes_again_once_it_was_looked_at():
    bench = Bench()
    bench.panel.inbox = Inbox(1)
    bench.draw()
    bench.press()
    bench.press()
    assert bench.press("long") == "menu"
    assert not bench.panel.show_text(FOR_US, bench.now) and bench.draw() == "menu"
    bench.press()
    while bench.what() != "texts":
        bench.press("long" if bench.what() == "menu" else "short")
    bench.later(TURN_MS)
    assert [bench.later(TURN_MS) for _ in range(3)] == ["empty"] * 3


class Letterbox:
    """Letters without keys and records: `written` is what the panel handed in."""

    def __init__(self):
        self.held = []
        self.written = []
        self.marked = []
        self.is_full = False

    def letters(self):
        return self.held

    def write(self, text, priority, exercise, now):
        if self.is_full:
            return None
        self.written.append((text, priority, exercise))
        self.held.append(Letter("own-%d" % len(self.held), 1, text, NOON_S, 1))
        return self.held[-1].name

    def mark_read(self, name):
        for letter in self.held:
            if letter.name == name and not letter.waits:
                letter.unread = False
                self.marked.append(name)
                return True
        return False

    def answer(self, name, words=b""):
        for letter in self.held:
            if letter.name == name:
                letter.received_s = letter.answered_s = NOON_S
                letter.open_answer = lambda: words
                letter.unread = True


def with_letters(*raws):
    bench = Bench(*raws)
    bench.panel.letterbox = Letterbox()
    bench.panel.open_letterbox = lambda: bench.panel.letterbox
    return bench


def find(bench, title):
    """Press until the page with that title is there."""
    for _ in range(9):
        if bench.screen.view.title == title if hasattr(bench.screen.view, "title") else False:
            return
        bench.press()
    raise AssertionError("no page %r" % title)


def test_a_report_takes_a_page_a_choice_and_a_confirmation():
    bench = with_letters(one(1, b"Een."))
    box = bench.panel.letterbox
    find(bench, b"NOODMELDING")
    bench.press("long")
    assert bench.screen.kind == "menu" and bench.screen.view.title == b"NOODMELDING"
    bench.press()
    bench.press()
    bench.press("long")
    assert bench.screen.view.title.startswith(b"ZEKER?") and bench.screen.view.selected == 0
    bench.press()
    bench.press("long")
    assert box.written == [(REPORT_KINDS[1][1], b"F", False)]
    assert bench.screen.view.title == b"NOODMELDING 1" and REPORT_KINDS[1][1] in bench.screen.view.text


def test_holding_the_button_down_or_walking_away_sends_nothing():
    bench = with_letters(one(1, b"Een."))
    box = bench.panel.letterbox
    find(bench, b"NOODMELDING")
    for _ in range(40):
        bench.press("long")
    assert box.written == []
    find(bench, b"NOODMELDING")
    bench.press("long")
    bench.press()
    bench.press("long")
    assert bench.screen.view.title.startswith(b"ZEKER?")
    bench.later(MENU_MS + 1)
    assert box.written == [] and bench.screen.kind != "menu"


def test_a_report_that_is_not_taken_is_said_to_be_not_sent():
    bench = with_letters()
    bench.panel.letterbox.is_full = True
    bench.draw()
    find(bench, b"NOODMELDING")
    for kind in ("long", "short", "long", "short", "long"):
        bench.press(kind)
    assert b"NIET VERZONDEN" in bench.screen.view.text


def test_what_waits_is_walked_through_with_the_bulletins_and_an_answer_comes_up_at_once():
    bench = with_letters(one(1, b"Een."))
    box = bench.panel.letterbox
    box.write(b"Brand.", b"F", False, 0)
    box.write(b"Nog een.", b"F", False, 0)
    shown = set()
    for _ in range(6):
        bench.later(TURN_MS)
        shown.add(bench.screen.view.text)
    assert len(shown) == 3 and all([text.startswith(b"WACHT") for text in shown if text != b"Een."])
    box.answer("own-1", b"Komt eraan.")
    bench.panel.show_letter("own-1", bench.now)
    bench.draw()
    assert bench.screen.view.title == b"ONTVANGEN" and b"Komt eraan." in bench.screen.view.text
    assert bench.screen.view.signed_by == b"VR Merenland"
    bench.press("long")
    assert box.marked == ["own-1"] and bench.screen.view.title == b"GELEZEN"


def test_a_report_that_waits_cannot_be_marked_as_read():
    bench = with_letters()
    box = bench.panel.letterbox
    box.write(b"Brand.", b"F", False, 0)
    bench.panel.show_letter("own-0", 0)
    bench.draw()
    bench.press("long")
    assert box.marked == [] and bench.screen.view.text.startswith(b"WACHT")


def test_a_point_that_is_not_trusted_any_more_says_so_and_offers_no_report():
    bench = with_letters(one(1, b"Een."))
    bench.panel.is_trusted = lambda: False
    seen = set()
    for _ in range(8):
        bench.press()
        seen.add(getattr(bench.screen.view, "title", None))
    assert b"INGETROKKEN" in seen and b"NOODMELDING" not in seen


def test_missing_bulletins_are_counted_on_every_page():
    class Gaps:
        def missing(self):
            return [(1, 4), (1, 5)]

    bench = with_letters(one(1, b"Een."))
    bench.panel.gaps = Gaps()
    bench.draw()
    assert bench.screen.view.missing == 2
