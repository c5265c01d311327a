"""The command line against real brokers: send, list, screenshot, and everything that can be missing."""

import asyncio
import io
import json
import os
import subprocess
import sys

import pytest
from _brokers import KINDS, BrokerProcess, Observer, free_port, wait_for
from _console import Room
from _exercise import ALARM as DRAFT

from baken_console.app import ConsoleApp
from baken_console.cli import main
from baken_console.desk import Desk
from baken_console.ledger import Ledger
from baken_console.moments import SteadyClock
from baken_gateway.store import SqliteStore

ALARM = ("--exercise", "--event", "ALARM", "--area", "OV,DH", "--text", "Sluit ramen en deuren.")


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path)


@pytest.fixture(params=KINDS)
def broker(request, tmp_path):
    process = BrokerProcess(request.param, tmp_path)
    process.start()
    yield process
    process.stop()


def listed(capsys, room, *words, **places):
    code = room.run("list", "--json", *words, **places)
    return code, json.loads(capsys.readouterr().out)


def test_a_sent_bulletin_is_retained_at_the_broker_as_exactly_its_bytes(room, broker, capsys):
    assert room.run("send", *ALARM, "--valid", "6h", broker=broker) == 0
    out = capsys.readouterr().out
    assert out.startswith("1/1  22 bytes of text, 89 with signature, 1 part, 0.32 s") and "has it" in out
    observer = Observer(broker.port)
    topic = f"baken/v1/{room.region.id}/record/bulletin/1/1"
    wait_for(lambda: topic in observer.retained, "the record")
    observer.close()
    store = SqliteStore(room.folder / "data" / "replica.db")
    assert observer.retained[topic] == next(store.load())


def test_another_console_lists_it_and_who_received_and_read_it(room, broker, capsys):
    assert room.run("send", *ALARM, "--json", broker=broker) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["id"], made["state"], made["parts"]) == ("1/1", "confirmed", 1)
    observer = Observer(broker.port)
    for code, read in (("OV01", [1]), ("DH01", [])):
        raw = room.exercise.status_of(code, received=[1], read=read)
        number = room.region.point(code).number
        observer.publish(f"baken/v1/{room.region.id}/record/status/{number}/1", raw)
    observer.close()
    code, board = listed(capsys, room, "--points", broker=broker, data="other", key=False)
    assert (code, board["up_to_date"]) == (0, True)
    (row,) = board["bulletins"]
    assert (row["id"], row["state"], row["delivery"], row["areas"]) == ("1/1", "valid", "sent", ["OV", "DH"])
    assert (row["meant"], row["received"], row["read"]) == (6, 2, 1)
    assert (row["receivedBy"], row["readBy"]) == (["OV01", "DH01"], ["OV01"])
    assert (row["status"], row["severity"], row["expires"]) == (
        "Exercise",
        "Extreme",
        "2027-01-12T09:40:00+01:00",
    )
    point = next(one for one in board["points"] if one["code"] == "OV01")
    assert (point["state"], point["batteryPercent"], point["exercise"]) == ("OPEN", 90, True)


def test_numbers_go_on_on_a_new_computer_once_the_broker_is_heard(room, broker, capsys):
    assert room.run("send", *ALARM, broker=broker) == 0
    assert room.run("send", *ALARM, broker=broker, data="new-computer") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["1/1", "1/2"]


def test_what_is_made_without_a_broker_goes_when_it_is_there(room, tmp_path, capsys):
    process = BrokerProcess(KINDS[-1], tmp_path)
    process.start()
    assert room.run("send", *ALARM, broker=process) == 0
    process.stop()
    assert room.run("send", *ALARM, "--wait", "0.3", broker=process) == 4
    assert "has not confirmed it yet" in capsys.readouterr().out
    code, board = listed(capsys, room, "--wait", "0.3", broker=process)
    assert code == 4 and [row["delivery"] for row in board["bulletins"]] == ["made", "sent"]
    process.start()  # it comes back without any memory
    try:
        code, board = listed(capsys, room, broker=process)
        assert code == 0 and [row["delivery"] for row in board["bulletins"]] == ["sent", "sent"]
        observer = Observer(process.port)
        prefix = f"baken/v1/{room.region.id}/record/bulletin/1/"
        wait_for(lambda: {prefix + "1", prefix + "2"} <= set(observer.retained), "both bulletins")
        observer.close()
    finally:
        process.stop()


def test_update_and_cancel_name_what_they_replace(room, broker, capsys):
    room.run("send", *ALARM, broker=broker)
    assert (
        room.run("send", "--exercise", "--update", "1/1", "--text", "Nog binnen blijven.", broker=broker) == 0
    )
    assert room.run("send", "--exercise", "--cancel", "1/2", "--text", "INGETROKKEN.", broker=broker) == 0
    capsys.readouterr()
    _code, board = listed(capsys, room, broker=broker)
    rows = {row["id"]: row for row in board["bulletins"]}
    assert {ref: row["state"] for ref, row in rows.items()} == {
        "1/1": "superseded",
        "1/2": "withdrawn",
        "1/3": "valid",
    }
    assert (rows["1/2"]["event"], rows["1/2"]["areas"]) == ("ALARM", ["OV", "DH"])
    assert (rows["1/3"]["msgType"], rows["1/3"]["event"], rows["1/3"]["references"]) == (
        "Cancel",
        "INTREKKING",
        ["1/2"],
    )


def test_an_exercise_can_play_a_sending_time(room, capsys):
    words = ("--valid", "6h", "--sent", "2027-01-12T06:10", "--first")
    assert room.run("send", *ALARM, *words) == 0
    _code, board = listed(capsys_after(capsys), room)
    assert board["bulletins"][0]["sent"] == "2027-01-12T06:10:00+01:00"


def capsys_after(capsys):
    capsys.readouterr()
    return capsys


def test_a_screen_that_is_open_publishes_and_shows_what_a_script_sends(room, broker, capsys):
    store = SqliteStore(room.folder / "data-screen" / "replica.db")
    desk = Desk(room.region, store, Ledger(room.folder / "data-screen" / "ledger.db"), room.exercise.key)

    async def scene():
        app = ConsoleApp(desk, store, SteadyClock(room.clock), broker=broker.address)
        async with app.run_test(size=(80, 24)) as pilot:

            async def until(condition, what):
                for _ in range(600):
                    if condition():
                        return
                    await pilot.pause(0.05)
                pytest.fail(f"waited 30 s for {what}")

            await until(lambda: app.feed.joined.synced, "the broker")
            assert desk.numbers_known()
            command = [sys.executable, "-m", "baken_console.cli", *room.words("send", *ALARM, broker=broker)]
            script = await asyncio.create_subprocess_exec(
                *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
            )
            out, err = await script.communicate()
            assert script.returncode == 0, err.decode()
            assert out.startswith(b"1/1 ")
            await until(lambda: app.board.bulletin((1, 1)), "the script's bulletin")
            made = desk.make(DRAFT, room.exercise.clock.now_s)
            app.feed.wake()
            assert made.ref == "1/2"
            await until(lambda: desk.is_sent((1, 2)), "the screen's own bulletin")
            await until(lambda: (row := app.board.bulletin((1, 2))) and row.delivery == "sent", "the row")

    asyncio.run(scene())
    _code, board = listed(capsys, room, broker=broker, data="third")
    assert {row["id"] for row in board["bulletins"]} == {"1/1", "1/2"}


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_the_screen_starts_without_a_broker_and_joins_when_it_comes(room, tmp_path):
    process = BrokerProcess(KINDS[-1], tmp_path)
    exercise = room.exercise

    async def scene():
        store = SqliteStore(room.folder / "data" / "replica.db")
        desk = Desk(room.region, store, Ledger(None), exercise.key)
        app = ConsoleApp(desk, store, SteadyClock(room.clock), broker=process.address)
        async with app.run_test(size=(80, 24)) as pilot:

            async def until(condition, what):
                for _ in range(900):
                    if condition():
                        return
                    await pilot.pause(0.05)
                pytest.fail(f"waited 45 s for {what}")

            await until(lambda: app.connection.state == "down", "the missing broker to be told")
            desk.make(DRAFT, exercise.clock.now_s)
            app.refresh_board()
            assert app.board.bulletin((1, 1)).delivery == "made"
            await asyncio.to_thread(process.start)
            await until(lambda: app.connection.is_up, "the connection")
            await until(lambda: app.board.bulletin((1, 1)).delivery == "sent", "the bulletin to be sent")
            await until(lambda: "sent" in [entry.kind for entry in app.journal], "the log")

    try:
        asyncio.run(scene())
    finally:
        process.stop()


# --- what can be missing or wrong


def refused(capsys, code, *texts):
    error = capsys.readouterr().err
    assert all(text in error for text in texts), error
    assert "Traceback" not in error
    return code


def test_an_unknown_number_range_is_not_guessed(room, capsys):
    code = room.run("send", *ALARM, "--wait", "0.2", broker=free_port())
    assert refused(capsys, code, "numbers in use are unknown", "--first") == 1
    assert room.run("send", *ALARM) == 1
    assert room.run("send", *ALARM, "--first") == 0
    assert room.run("send", *ALARM) == 0  # from here on they are known
    assert capsys.readouterr().out.count("kept here") == 2


def test_exercise_or_actual_must_be_said(room, capsys):
    with pytest.raises(SystemExit) as stopped:
        room.run("send", "--event", "ALARM", "--text", "Tekst.")
    assert stopped.value.code == 2
    assert "--exercise --actual is required" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "texts"),
    [
        (("--exercise", "--event", "ALARM", "--area", "XX", "--text", "T."), 2, ("'XX'", "OV")),
        (("--exercise", "--event", "ALARM", "--valid", "soon", "--text", "T."), 2, ("'soon'", "6u")),
        (("--exercise", "--event", "ALARM", "--valid", "20d", "--text", "T."), 2, ("28800 minutes", "20475")),
        (
            ("--exercise", "--event", "ALARM", "--text", "ї" * 650),
            2,
            ("1300 bytes", "1200 bytes in 8 parts"),
        ),
        (("--exercise", "--event", "ALARM", "--text", " "), 2, ("no text",)),
        (("--exercise", "--text", "T."), 2, ("--event", "ALARM")),
        (("--exercise", "--cancel", "12", "--text", "T."), 2, ("'12'", "1/12")),
        (("--exercise", "--cancel", "1/12", "--text", "T."), 2, ("1/12 does not exist yet",)),
        (("--exercise", "--cancel", "2/1", "--text", "T."), 2, ("2/1 is by another sender",)),
        (
            ("--actual", "--event", "ALARM", "--text", "T."),
            2,
            ("exercise's clock", "real time"),
        ),
        (
            ("--exercise", "--event", "ALARM", "--sent", "noon", "--text", "T."),
            2,
            ("'noon'", "2027-01-12T07:15"),
        ),
        (("--exercise", "--event", "BERICHT", "--text", "Bel 06-12345678."), 3, ("06-12345678", "--anyway")),
    ],
)
def test_a_wrong_draft_is_refused_with_its_value_and_makes_nothing(room, capsys, words, code, texts):
    assert refused(capsys, room.run("send", *words, "--first"), *texts) == code
    assert list(SqliteStore(room.folder / "data" / "replica.db").load()) == []


def test_a_bulletin_of_phrases_is_short_and_reads_as_the_book_says(room, capsys):
    words = ("--exercise", "--event", "WATER", "--phrase", "36 OV 3min", "--phrase", "11 15:00", "--first")
    assert room.run("send", *words) == 0
    told = capsys.readouterr()
    assert "113 bytes of text, 89 with signature, 1 part" in told.out and told.err == ""
    _code, board = listed(capsys, room)
    assert board["bulletins"][0]["text"] == (
        "Oosterveen: kook kraanwater 3 minuten voor u het drinkt. Ook voor tandenpoetsen en babyvoeding. "
        "Volgend bericht om 15:00."
    )
    (raw,) = SqliteStore(room.folder / "data" / "replica.db").load()
    assert len(raw) == 89


@pytest.mark.parametrize(
    ("phrase", "texts"),
    [
        ("99", ("'99'", "0 to 67")),
        ("", ("''", "0 to 67")),
        ("36 OV", ("'36 OV'", "'36 AREA AMOUNT'")),
        ("36 OV 3min extra", ("'36 AREA AMOUNT'",)),
        ("36 XX 3min", ("'XX'", "OV, DH")),
        ("36 OV 3", ("'3'", "min h d")),
        ("23 ZZ99", ("'ZZ99'", "OV01")),
        ("11 24:01", ("'24:01'", "00:00 to 24:00")),
        ("20 13-01-2027", ("'13-01-2027'", "2027-01-13")),
        ("32 OV01 65536", ("65536", "0 to 65535")),
        ("32 OV01 vijf", ("'vijf'", "digits")),
        ("67 zeventien-letters", ("17", "1 to 16")),
    ],
)
def test_a_wrong_phrase_is_refused_with_its_value_and_how_to_write_it(room, capsys, phrase, texts):
    words = ("--exercise", "--event", "WATER", "--phrase", phrase, "--first")
    assert refused(capsys, room.run("send", *words), *texts) == 2
    assert list(SqliteStore(room.folder / "data" / "replica.db").load()) == []


def test_the_phrasebook_is_printed_in_each_of_its_languages_and_searched(room, capsys):
    assert room.run("phrases", "kraanwater", "VEILIG") == 0
    assert capsys.readouterr().out == (
        " 35  AREA                     Het kraanwater in <AREA> is veilig. U kunt het drinken.\n"
    )
    books = {}
    for language in ("nl", "en", "ar", "tr", "pl", "uk"):
        assert room.run("phrases", "--json", "--language", language) == 0
        books[language] = json.loads(capsys.readouterr().out)
        assert [row["number"] for row in books[language]] == list(range(68))
    assert len({row[12]["text"] for row in books.values()}) == 6
    assert {row[12]["parameters"] for row in books.values()} == {"AREA YYYY-MM-DD HH:MM"}
    assert room.run("phrases", "onderzeeboot") == 1
    assert "onderzeeboot" in capsys.readouterr().out


def test_a_warning_can_be_overruled(room):
    words = ("--exercise", "--event", "BERICHT", "--text", "Bel 06-12345678.", "--first", "--anyway")
    assert room.run("send", *words) == 0


def test_a_dry_run_tells_the_cost_and_makes_nothing(room, capsys):
    assert room.run("send", *ALARM, "--dry-run", "--json") == 0
    cost = json.loads(capsys.readouterr().out)
    assert cost["text_bytes"] == 22 and cost["parts"] == 1 and cost["estimated_transmissions"] == 5
    assert list(SqliteStore(room.folder / "data" / "replica.db").load()) == []


def test_a_missing_region_key_or_broker_gives_one_sentence(room, tmp_path, capsys):
    cases = [
        (["list"], ("no region", "--region DIR")),
        (["list", "--region", str(tmp_path / "nowhere")], ("nowhere is not a folder",)),
        (room.words("list", "--key", str(tmp_path / "no.key"), key=False), ("no.key cannot be read",)),
        (room.words("send", *ALARM, key=False), ("no key", "--key FILE")),
        (room.words("list", "--broker", "host:port"), ("'host:port'", "1 to 65535")),
        (room.words("list", "--exercise-clock", str(tmp_path / "gone")), ("gone cannot be read",)),
    ]
    for words, texts in cases:
        assert refused(capsys, main(words), *texts) == 1, words


def test_a_points_key_cannot_send(room, capsys):
    key = room.region.folder / "keys" / "point-OV01.key"
    assert (
        refused(capsys, main(room.words("send", *ALARM, "--key", str(key))), "point OV01", "authority") == 1
    )


def test_a_key_that_others_can_read_is_refused(room, capsys):
    key = room.region.folder / "keys" / "authority-1.key"
    key.chmod(0o644)
    assert refused(capsys, room.run("list"), "chmod 600") == 1


def test_options_may_stand_before_or_behind_the_command(room, capsys):
    words = room.words("list")
    assert main([*words[1:], words[0]]) == 0
    assert "no bulletins" in capsys.readouterr().out


def test_a_screenshot_shows_the_board(room, tmp_path):
    room.run("send", *ALARM, "--first")
    target = tmp_path / "board.svg"
    assert main(room.words("list")[1:] + ["--screenshot", str(target), "--size", "100x30"]) == 0
    picture = target.read_text()
    assert picture.startswith("<svg") and "ALARM" in picture and "OEFENING" in picture


def test_without_a_terminal_the_screen_says_so(room, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert refused(capsys, main(room.words("list")[1:]), "needs a terminal") == 1


def test_help_teaches_with_examples(capsys):
    for words, texts in (
        (["--help"], ("examples", "BAKEN_REGION", "F1")),
        (["send", "--help"], ("no safe one", "exit codes", "--update 1/12")),
        (["list", "--help"], ("superseded", "--json")),
    ):
        with pytest.raises(SystemExit):
            main(words)
        out = capsys.readouterr().out
        assert all(text in out for text in texts), words


def test_scripts_do_not_load_the_screen():
    code = "import sys, baken_console.cli; print('textual' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True
    )
    assert done.stdout.strip() == "False"
