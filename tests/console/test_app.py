"""The screen, driven by keys: what is posted and made first, then what stands on it, at both sizes and
without colour.
"""

import re
from dataclasses import replace

import pytest
from _console import LARGE, SMALL, flat, play, screen_text
from _exercise import ALARM, HOUR, MINUTE, Exercise
from textual.widgets import Footer, Input, Select, TextArea

from baken.wire import content, phrases
from baken_console.app import connection_entries
from baken_console.connection import CONNECTED, DOWN, Connection
from baken_console.draft import Draft
from baken_console.messages import ConnectionChanged, RecordsChanged
from baken_console.screens.bulletin import BulletinScreen
from baken_console.screens.compose import ComposeScreen
from baken_console.screens.confirm import ConfirmScreen
from baken_console.screens.help import HelpScreen
from baken_console.screens.listing import AttentionScreen, LogScreen
from baken_console.screens.main import MainScreen
from baken_console.screens.point import PointScreen
from baken_console.widgets.bulletin_table import BulletinTable
from baken_console.widgets.point_table import PointTable
from baken_gateway.store import SqliteStore

UP = Connection(CONNECTED, "broker:1883", (("gw1", True),))


@pytest.fixture
def exercise(tmp_path):
    return Exercise(tmp_path)


def fill(exercise):
    """Two bulletins, one over, and three points of which one is in trouble."""
    exercise.send(text="Grote stroomstoring.")
    exercise.send(msg_type="Update", references=((1, 1),))
    exercise.send(event="WATER", severity="Severe", areas=("DH",), text="Kook kraanwater 3 minuten.")
    exercise.later(20 * MINUTE)
    exercise.report("OV01", received=[1, 2], read=[2], text=b"Kazerne open.")
    exercise.report("DH01", received=[2], needs=(b"WAT",), power_hours=3)
    exercise.report("OV10", state=b"DICHT")


async def type_text(pilot, text):
    await pilot.press(
        *("space" if letter == " " else "full_stop" if letter == "." else letter for letter in text)
    )


# --- what it does


def test_an_alarm_is_composed_confirmed_and_signed(exercise):
    messages = []

    async def scene(app, pilot):
        await pilot.press("n")
        screen = app.screen
        assert isinstance(screen, ComposeScreen)
        screen.query_one("#event", Select).value = "ALARM"
        screen.query_one("#status", Select).value = "Exercise"
        screen.query_one("#areas", Input).value = "dh"
        await pilot.pause()
        screen.query_one("#text", TextArea).focus()
        await type_text(pilot, "Ga naar binnen.")
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert "ECHT VERSTUREN?" in screen_text(app)
        assert app.focused.id == "no"  # an alarm begins on No
        assert exercise.desk.replica.notices == {}
        await pilot.press("left", "enter")
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)
        assert "1/1" in screen_text(app)

    play(exercise, scene, messages=messages)
    composed = list({id(one): one for one in messages if isinstance(one, ComposeScreen.Composed)}.values())
    assert [(one.draft.event, one.draft.areas, one.draft.text) for one in composed] == [
        ("ALARM", ("DH",), "Ga naar binnen.")
    ]
    notice = exercise.desk.replica.notices[(1, 1)]
    assert (notice.text, notice.meta.severity, notice.meta.status) == (
        b"Ga naar binnen.",
        b"Extreme",
        b"Exercise",
    )


def test_phrases_are_searched_filled_in_and_sent_as_such_until_a_letter_changes(exercise):
    async def scene(app, pilot):
        app.push_screen(ComposeScreen(Draft(status="Exercise"), False))
        await pilot.pause()
        await pilot.press("f2")
        await pilot.pause()
        assert "GEVAAR in <GEBIED>: rook." in screen_text(app)
        await type_text(pilot, "onderzeeboot")
        assert "Geen standaardzin" in screen_text(app)
        app.screen.query_one(Input).value = "kook drinkt"
        await pilot.press("enter")
        await pilot.pause()
        assert "36 GEBIED HOEVEELHEID" in screen_text(app) and "OV DH PZ RM" in screen_text(app)
        await type_text(pilot, "OV 3")
        await pilot.press("enter")
        assert "write a number with its unit" in screen_text(app)  # and the screen stays
        await type_text(pilot, "min")
        assert "Oosterveen: kook kraanwater 3 minuten" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        compose = app.screen
        assert isinstance(compose, ComposeScreen)
        await pilot.press("f2")
        await pilot.pause()
        await type_text(pilot, "14")
        await pilot.press("enter")
        await pilot.pause()
        text = compose.query_one("#text", TextArea)
        assert text.text.endswith("babyvoeding. Gebruik weinig stroom, anders valt het net weer uit.")
        compose.judge()
        whole = text.text
        assert phrases.decode(compose.draft.phrases) == [(36, (0, (3, b"min"))), (14, ())]
        text.text = whole + " Groet!"
        await pilot.pause()
        assert compose.draft.phrases == b""
        text.text = whole
        await pilot.press("ctrl+s")
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()

    play(exercise, scene)
    notice = exercise.desk.replica.notices[(1, 1)]
    assert notice.meta.encoding == content.PHRASE and b"kook kraanwater 3 minuten" in notice.text


def test_no_means_that_nothing_is_made(exercise):
    async def scene(app, pilot):
        app.push_screen(ComposeScreen(ALARM, False))
        await pilot.pause()
        await pilot.press("ctrl+s", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ComposeScreen)

    play(exercise, scene)
    assert exercise.desk.replica.notices == {} and exercise.ledger.highest(1) is None


def test_personal_data_is_named_while_typing_and_again_before_sending(exercise):
    async def scene(app, pilot):
        draft = replace(
            ALARM, event="BERICHT", severity="Minor", text="Mevr. Jansen, Dorpsstraat 12, is ziek."
        )
        app.push_screen(ComposeScreen(draft, False))
        await pilot.pause()
        await pilot.pause()
        assert "lijkt een naam" in flat(app) and "lijkt een adres" in flat(app)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert app.focused.id == "no"
        assert "kaartnummer" in flat(app)

    play(exercise, scene)


def test_the_cost_follows_every_key_and_too_long_cannot_be_sent(exercise):
    async def scene(app, pilot):
        app.push_screen(ComposeScreen(replace(ALARM, text=""), False))
        await pilot.pause()
        text = app.screen.query_one("#text", TextArea)
        text.text = "ї" * 100
        await pilot.pause()
        await pilot.pause()
        assert "200 van 1200 bytes, 2 delen" in screen_text(app)
        text.text = "ї" * 600 + "x"
        await pilot.pause()
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, ComposeScreen)
        assert "de grens is 1200 bytes in 8 delen" in flat(app)

    play(exercise, scene)


def test_a_wrong_area_or_validity_is_told_with_what_is_allowed(exercise):
    async def scene(app, pilot):
        app.push_screen(ComposeScreen(ALARM, False))
        await pilot.pause()
        app.screen.query_one("#areas", Input).value = "XX"
        await pilot.pause()
        await pilot.pause()
        assert "'XX'" in screen_text(app) and "kies uit OV DH" in screen_text(app)
        app.screen.query_one("#areas", Input).value = ""
        app.screen.query_one("#valid", Input).value = "straks"
        await pilot.pause()
        await pilot.pause()
        assert "'straks'" in screen_text(app)
        await pilot.press("ctrl+s")
        assert isinstance(app.screen, ComposeScreen)

    play(exercise, scene)


def test_update_and_cancel_start_from_the_chosen_bulletin(exercise):
    fill(exercise)

    async def scene(app, pilot):
        await pilot.press("x")
        screen = app.screen
        assert isinstance(screen, ComposeScreen)
        assert (screen.draft.msg_type, screen.draft.references) == ("Cancel", ((1, 2),))
        assert screen.query_one("#status", Select).disabled  # an exercise is withdrawn as an exercise
        await type_text(pilot, "Voorbij.")
        await pilot.press("ctrl+s", "j")
        await pilot.pause()
        assert app.board.bulletin((1, 2)).state == "withdrawn"

    play(exercise, scene)


def test_letters_that_are_keys_elsewhere_are_text_while_writing(exercise):
    async def scene(app, pilot):
        await pilot.press("n")
        app.screen.query_one("#text", TextArea).focus()
        await type_text(pilot, "queue nuxe")
        assert app.screen.query_one("#text", TextArea).text == "queue nuxe"
        app.screen.query_one("#severity", Select).focus()
        await pilot.press("q", "e")
        assert isinstance(app.screen, ComposeScreen) and app.words.language == "nl" and app.is_running

    play(exercise, scene)


def test_leaving_a_written_draft_asks_first(exercise):
    async def scene(app, pilot):
        await pilot.press("n")
        app.screen.query_one("#text", TextArea).focus()
        await type_text(pilot, "Half")
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen) and app.focused.id == "no"
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, ComposeScreen)
        await pilot.press("escape", "j")
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)

    play(exercise, scene)


def test_without_a_key_the_console_only_looks(tmp_path):
    exercise = Exercise(tmp_path, key=False)
    exercise.take(*exercise.records_of(1))

    async def scene(app, pilot):
        await pilot.press("n")
        assert isinstance(app.screen, MainScreen)
        assert [one.message for one in app._notifications] == [app.words("read-only-refused")]
        assert "alleen kijken" in flat(app)

    play(exercise, scene)


def test_a_bulletin_of_another_authority_is_not_ours_to_withdraw(exercise):
    exercise.take(*exercise.records_of(1, authority=2))

    async def scene(app, pilot):
        await pilot.press("x")
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)
        assert ["Gemeente Oosterveen" in one.message for one in app._notifications] == [True]

    play(exercise, scene)


def test_keys_lead_everywhere_and_back(exercise):
    fill(exercise)

    async def scene(app, pilot):
        for key, screen in (
            ("f1", HelpScreen),
            ("a", AttentionScreen),
            ("l", LogScreen),
            ("enter", BulletinScreen),
        ):
            await pilot.press(key)
            await pilot.pause()
            assert isinstance(app.screen, screen), key
            await pilot.press("escape")
            await pilot.pause()
            assert isinstance(app.screen, MainScreen)
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert isinstance(app.screen, PointScreen)
        await pilot.press("escape", "escape", "escape")
        assert isinstance(app.screen, MainScreen)

    play(exercise, scene)


def test_the_palette_finds_a_command_by_its_dutch_words(exercise):
    fill(exercise)

    async def scene(app, pilot):
        await pilot.press("ctrl+p")
        await pilot.pause()
        assert "Zoek een opdracht" in flat(app)
        await type_text(pilot, "intrekken")
        for _ in range(100):
            await pilot.pause(0.02)
            if "Gekozen bericht intrekken" in flat(app) and "Nieuw bericht schrijven" not in flat(app):
                break
        await pilot.press("down", "enter")
        for _ in range(100):
            await pilot.pause(0.02)
            if isinstance(app.screen, ComposeScreen):
                break
        assert isinstance(app.screen, ComposeScreen) and app.screen.draft.msg_type == "Cancel"

    play(exercise, scene)


def test_opening_a_row_posts_which_one(exercise):
    fill(exercise)
    messages = []

    async def scene(app, pilot):
        await pilot.press("down", "enter")
        await pilot.press("escape")
        app.screen.query_one(PointTable).focus()
        await pilot.press("s", "down", "enter")

    play(exercise, scene, messages=messages)
    posted = list({id(one): one for one in messages}.values())  # a message passes every widget on its way up
    assert [one.key for one in posted if isinstance(one, BulletinTable.Opened)] == [(1, 3)]
    opened = [one.number for one in posted if isinstance(one, PointTable.Opened)]
    assert opened == [exercise.region.point("DH02").number]  # by code: DH01, DH02, ...


def test_enter_on_something_that_needs_attention_opens_it(exercise):
    fill(exercise)

    async def scene(app, pilot):
        await pilot.press("a")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, BulletinScreen) and app.screen.key == (1, 2)

    play(exercise, scene)


def test_news_arrives_on_the_screen_and_the_cursor_stays_on_its_bulletin(exercise):
    fill(exercise)

    async def scene(app, pilot):
        table = app.screen.query_one(BulletinTable)
        await pilot.press("down")
        assert table.chosen == (1, 3)
        exercise.desk.replica.receive_record(
            exercise.records_of(9, text="Nieuw alarm.")[0], exercise.clock.now_s
        )
        app.post_message(RecordsChanged())
        await pilot.pause()
        await pilot.pause()
        assert "Nieuw alarm." in screen_text(app)
        assert table.chosen == (1, 3)

    play(exercise, scene)


def test_a_burst_of_changes_is_one_message():
    assert RecordsChanged().can_replace(RecordsChanged())
    assert ConnectionChanged(UP).can_replace(ConnectionChanged())
    assert not RecordsChanged().can_replace(ConnectionChanged())


def test_connection_and_gateways_are_always_in_sight_and_in_the_log(exercise):
    async def scene(app, pilot):
        assert "ZONDER NETWERK" in screen_text(app)
        app.post_message(ConnectionChanged(UP))
        await pilot.pause()
        await pilot.pause()
        assert "Verbonden met broker:1883" in screen_text(app) and "gateway gw1 aan" in screen_text(app)
        app.post_message(ConnectionChanged(replace(UP, gateways=(("gw1", False),))))
        await pilot.pause()
        await pilot.pause()
        assert "GATEWAY gw1 UIT" in screen_text(app)
        app.post_message(ConnectionChanged(Connection(DOWN, "broker:1883", (), "refused")))
        await pilot.pause()
        await pilot.pause()
        assert "GEEN VERBINDING met broker:1883" in screen_text(app)

    play(exercise, scene)
    kinds = [entry.kind for entry in reversed(exercise.desk.journal())]
    assert kinds == ["broker-up", "gateway-off", "broker-down"]


def test_a_long_address_leaves_room_for_the_gateway_and_the_last_news(exercise):
    fill(exercise)
    address = "mqtt.crisisruimte.veiligheidsregio-merenland.example:18830"

    async def scene(app, pilot):
        app.post_message(ConnectionChanged(replace(UP, broker=address)))
        await pilot.pause()
        await pilot.pause()
        line = screen_text(app).splitlines()[1]
        assert (
            "mqtt.crisisruimte" in line and "18830" in line and "gateway gw1 aan" in line and len(line) <= 80
        )

    play(exercise, scene)


def test_the_same_connection_makes_no_journal_line():
    assert connection_entries(UP, UP, 5) == []


def test_a_refused_record_is_in_the_log(exercise):
    raw = bytearray(exercise.records_of(4)[0])
    raw[20] ^= 1

    async def scene(app, pilot):
        exercise.desk.replica.receive_record(bytes(raw), exercise.clock.now_s)
        app.post_message(RecordsChanged())
        await pilot.pause()
        await pilot.pause()
        assert "bad-signature" in screen_text(app) and "vervalste" in screen_text(app)

    play(exercise, scene)


def test_what_another_process_stored_appears(tmp_path):
    store = SqliteStore(tmp_path / "replica.db")
    exercise = Exercise(tmp_path, store=store)

    async def scene(app, pilot):
        other = SqliteStore(tmp_path / "replica.db")
        other.put(exercise.records_of(3, text="Uit een script.")[0])
        other.close()
        exercise.desk.reload(exercise.clock.now_s)
        app.refresh_board()
        await pilot.pause()
        assert "Uit een script." in screen_text(app)

    play(exercise, scene)
    store.close()


# --- how it looks


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("mono", [False, True])
def test_the_board_shows_everything_that_matters(exercise, size, mono):
    fill(exercise)

    async def scene(app, pilot):
        text = screen_text(app)
        lines = text.splitlines()
        assert "OEFENING" in lines[0] and "di 12 jan 07:00" in lines[0]
        for word in ("1/2", "!! ALARM", "NIET ONTVANGEN", "regio", "Berichten: 2 geldig, 1 voorbij"):
            assert word in text, word
        for word in ("DH01", "WAT", "! 3 u", "Punten: 3 van 10 gehoord", "Logboek", "2/8", "1/8"):
            assert word in text, word
        assert "vervangen door 1/2" in text
        assert "n Nieuw" in re.sub(" +", " ", lines[-1]) and "Stop" in lines[-1]
        assert max(map(len, lines)) <= size[0]

    play(exercise, scene, size=size, mono=mono)


def test_the_wide_board_says_more(exercise):
    fill(exercise)

    async def scene(app, _pilot):
        text = screen_text(app)
        assert "█░░░░ 2/8" in text and "niets hiervan is echt" in text and "DICHT" in text

    play(exercise, scene, size=LARGE)


def test_without_colour_nothing_but_two_tones_is_drawn_and_the_cursor_is_still_there(exercise):
    fill(exercise)

    async def scene(app, pilot):
        styles = {
            str(color)
            for strip in app.screen._compositor.render_strips(app.size)
            for segment in strip
            for color in (segment.style.color, segment.style.bgcolor)
            if segment.style and color
        }
        filtered = {
            segment.style.color.name
            for strip in app.screen._compositor.render_strips(app.size)
            for segment in strip.apply_filter(app.get_line_filters()[-1], app.screen.background_colors[1])
            if segment.style and segment.style.color
        }
        assert styles and filtered == {"default"}
        table = app.screen.query_one(BulletinTable)
        assert table.get_component_styles("datatable--cursor").text_style.reverse

    play(exercise, scene, mono=True)


def test_no_color_in_the_environment_is_respected(exercise, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def scene(app, _pilot):
        assert app.no_color

    play(exercise, scene)


def test_colour_can_be_switched_off_and_on(exercise):
    async def scene(app, pilot):
        assert not app.no_color
        await app.run_action("mono")
        await pilot.pause()
        assert app.no_color and "BAKEN" in screen_text(app)
        await app.run_action("mono")
        assert not app.no_color

    play(exercise, scene)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_one_key_changes_the_language_of_everything(exercise, size):
    fill(exercise)

    async def scene(app, pilot):
        await pilot.press("e")
        await pilot.pause()
        await pilot.pause()
        text = screen_text(app)
        for word in (
            "EXERCISE",
            "Bulletins: 2 in force",
            "NOT RECEIVED",
            "Points: 3 of 10 heard",
            "Tue 12 Jan 07:00",
        ):
            assert word in text, word
        assert "Berichten" not in text and "Punten" not in text
        assert "Nederlands" in text.splitlines()[-1] and app.screen.query_one(Footer)
        await pilot.press("e")
        await pilot.pause()
        await pilot.pause()
        assert "Berichten: 2 geldig" in screen_text(app)

    play(exercise, scene, size=size)


def test_it_can_start_in_english(exercise):
    async def scene(app, _pilot):
        assert "No bulletins and no points heard yet" in screen_text(app)

    play(exercise, scene, language="en")


def test_an_empty_board_teaches(exercise):
    async def scene(app, _pilot):
        text = flat(app)
        assert "Druk n om er een te schrijven" in text and "F1 voor uitleg" in text

    play(exercise, scene)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_bulletin_tells_per_point_who_has_it_and_who_read_it(exercise, size):
    fill(exercise)

    async def scene(app, pilot):
        app.open_bulletin((1, 2))
        await pilot.pause()
        await pilot.pause()
        text = screen_text(app)
        assert "Telefoon en mobiel" in text and "ontvangen 2/8, gelezen 1/8" in text
        rows = {
            line.split()[0]: line for line in text.splitlines() if re.match(r".*\b(OV01|DH01|DH02) ", line)
        }
        joined = "\n".join(rows.values()) + text
        assert "nog niets" in joined and "handtekening gecontroleerd" in text

    play(exercise, scene, size=size)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_point_tells_how_it_is(exercise, size):
    fill(exercise)

    async def scene(app, pilot):
        app.open_point(exercise.region.point("DH01").number)
        await pilot.pause()
        await pilot.pause()
        text = screen_text(app)
        for word in (
            "Brandweerkazerne Dijkerhaven",
            "WAT drinkwater",
            "nog 3 uur",
            "90%",
            "1/3",
            "nog niets",
        ):
            assert word in text, word

    play(exercise, scene, size=size)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_the_whole_form_stands_on_the_screen(exercise, size):
    async def scene(app, pilot):
        app.push_screen(ComposeScreen(ALARM, False))
        await pilot.pause()
        await pilot.pause()
        text = screen_text(app)
        for word in ("Soort", "Ernst", "Gebied", "Geldig", "OEFENING", "Versturen", "schatting", "1 deel"):
            assert word in text, word

    play(exercise, scene, size=size)


def test_an_exercise_session_can_only_send_exercises(exercise):
    async def scene(app, pilot):
        assert "OEFENING" in screen_text(app).splitlines()[0]
        await pilot.press("n")
        select = app.screen.query_one("#status", Select)
        assert select.disabled and select.value == "Exercise"

    play(exercise, scene, exercise=True)


def test_real_and_exercise_side_by_side_are_marked_on_every_row(exercise):
    exercise.send()
    exercise.send(status="Actual", text="Dit is geen oefening.")

    async def scene(app, _pilot):
        text = screen_text(app)
        assert "DOOR ELKAAR" in text and "ECHT Dit is geen" in text and "OEFENING Telefoon" in text

    play(exercise, scene, size=LARGE)


def test_a_clock_that_stands_still_is_said(exercise):
    async def scene(app, pilot):
        exercise.clock.stopped = True
        app.refresh_board(force=True)
        await pilot.pause()
        assert "KLOK STAAT STIL" in screen_text(app)

    play(exercise, scene)


def test_time_alone_moves_what_has_expired(exercise):
    exercise.send(valid_s=HOUR)

    async def scene(app, pilot):
        assert "1 geldig" in screen_text(app)
        exercise.later(2 * HOUR)
        app.refresh_board()
        await pilot.pause()
        assert "0 geldig, 1 voorbij" in screen_text(app) and "[verlopen]" in screen_text(app)

    play(exercise, scene)
