"""Text messages on the console: what is asked, what is shown, and the whole way over a real broker."""

import asyncio
import contextlib
import json
import random

import pytest
from _brokers import KINDS, BrokerProcess, Observer, wait_for
from _console import LARGE, SMALL, Room, flat, play, screen_text
from _exercise import HOUR, T0, Exercise
from textual.widgets import Input

from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica
from baken.wire.packet import BROADCAST
from baken_console import chat
from baken_console.chatbox import Chatbox, ChatError
from baken_console.screens.chat import ChatScreen
from baken_console.screens.main import MainScreen
from baken_gateway import texts, views
from baken_gateway.bridge import MqttReplica
from baken_gateway.clock import monotonic_ms
from baken_gateway.mqtt_link import MqttTask
from baken_gateway.store import SqliteStore
from baken_gateway.text_desk import TextDesk
from baken_gateway.texts import Fate, Text

JO = 0x12345678


@pytest.fixture
def exercise(tmp_path):
    return Exercise(tmp_path, store=SqliteStore(tmp_path / "data" / "replica.db"))


def gateway_node(exercise):
    return exercise.region.point("VR00").node_num


def new_box(exercise, seed=1):
    return Chatbox(exercise.region, exercise.store, "c1", random.Random(seed).randrange)


def fill(exercise, box):
    """A text to all, two from Jo to the gateway's node, one an alert, and one of ours with its fate."""
    own = gateway_node(exercise)
    point = exercise.region.point("OV06").node_num
    made = [
        Text(point, 1, BROADCAST, "Water is op.", T0 - 600, 0, "Baken", "Kerk", "OV06"),
        Text(JO, 2, own, "Hoort u mij?\x1b[2J", T0 - 300, 0, "Baken", "Jo", "JO", sealed=True),
        Text(JO, 3, own, "Brand!", T0 - 200, 0, "Baken", "Jo", "JO", alert=True),
        Text(own, 4, JO, "Ja, wij komen.", T0 - 100, 0, "Baken", heard_by=("gw1",)),
    ]
    for text in made:
        box.receive(f"text/{text.key}", texts.encode_text(text, exercise.region), 0)
    fate = Fate(texts.DELIVERED, "gw1", T0 - 90, True, made[3].key, JO)
    box.receive("text-fate/r1", texts.encode_fate(fate, exercise.region), 0)


def test_conversations_are_with_whom_and_say_what_became_of_our_texts(exercise):
    box = new_box(exercise)
    fill(exercise, box)
    channel, jo = chat.conversations(box, T0)
    assert (channel.name, channel.title, channel.unread) == ("channel", "#Baken", 1)
    assert [(line.sender, line.text) for line in channel.lines] == [("OV06", "Water is op.")]
    assert (jo.name, jo.to, jo.unread) == ("!12345678", JO, 2)
    assert jo.title == "Jo !12345678"
    assert [line.alert for line in jo.lines] == [False, True, False]
    assert [(line.ours, line.state, line.by) for line in jo.lines][2] == (True, texts.DELIVERED, "JO")
    assert "\x1b" not in jo.lines[0].text
    box.mark_read("!12345678", T0 - 200)
    assert chat.unread_count(chat.conversations(box, T0)) == 1
    again = new_box(exercise)  # another start of the same console
    assert [one.name for one in chat.conversations(again, T0)] == ["channel", "!12345678"]
    assert chat.unread_count(chat.conversations(again, T0)) == 1


def test_what_was_asked_waits_in_the_store_and_is_published_until_its_fate_is_known(exercise):
    box = new_box(exercise)
    request_id = box.send("Dekens?", JO, T0)
    again = new_box(exercise, 2)
    again.tick(T0, 0, False)
    assert again.next_publish() is None
    again.tick(T0, 0, True)
    below, payload = again.next_publish() or ("", b"")
    assert below == f"text-request/any/{request_id}" and again.next_publish() is None
    assert texts.decode_request(payload).text == "Dekens?"
    again.disconnected()
    again.tick(T0, 0, True)
    assert again.next_publish() == (below, payload)
    assert again.acknowledged(below, payload) and again.is_at_broker(request_id)
    again.tick(T0, 0, True)
    assert again.next_publish() is None
    fate = Fate(texts.REFUSED, "gw1", T0, True, reason="32 texts wait already")
    again.receive(f"text-fate/{request_id}", texts.encode_fate(fate, exercise.region), 0)
    again.receive(below, b"", 0)
    third = new_box(exercise, 3)
    third.tick(T0, 0, True)
    assert third.next_publish() is None
    line = chat.conversations(third, T0)[1].lines[0]
    assert (line.state, line.reason) == (texts.REFUSED, "32 texts wait already")


def test_a_text_that_waited_for_more_than_an_hour_is_not_asked_any_more(exercise):
    box = new_box(exercise)
    box.send("Te laat", BROADCAST, T0)
    box.tick(T0 + HOUR + 1, 0, True)
    assert box.next_publish() is None
    assert chat.conversations(box, T0 + HOUR + 1)[0].lines[0].state == chat.LATE
    assert chat.conversations(box, T0 + HOUR)[0].lines[0].state == chat.WAITING


@pytest.mark.parametrize(
    ("text", "to", "message"),
    [
        ("é" * 117, BROADCAST, "234 bytes, limit 232"),
        ("x" * 221, JO, "221 bytes, limit 220"),
        (" ", JO, "empty"),
    ],
)
def test_what_does_not_fit_is_refused_before_it_is_asked(exercise, text, to, message):
    box = new_box(exercise)
    with pytest.raises(ChatError, match=message):
        box.send(text, to, T0)
    assert not box.own and not exercise.store.texts()


def test_garbage_from_the_broker_is_counted_and_bounded(exercise):
    box = new_box(exercise)
    rand = random.Random(3)
    for number in range(3000):
        box.receive(f"text/{number:08x}-00000001", rand.randbytes(30), 0)
        box.receive(f"text-request/any/{number}", b"{}", 0)
        text = Text(JO, number + 1, BROADCAST, "x", T0)
        box.receive(f"text/{text.key}", texts.encode_text(text, exercise.region), 0)
    assert box.refused > 5000 and len(box.texts) <= 1024 and not box.requests


# --- the screen


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_screen_shows_conversations_marks_and_that_nothing_is_verified(exercise, size, language):
    fill(exercise, new_box(exercise))
    box = new_box(exercise)
    box.receive(
        "text-fate/r1",
        texts.encode_fate(
            Fate(texts.DELIVERED, "gw1", T0, True, f"{gateway_node(exercise):08x}-00000004", JO),
            exercise.region,
        ),
        0,
    )

    async def scene(app, pilot):
        app.chatbox.fates, app.chatbox.own_nodes = box.fates, box.own_nodes
        app.refresh_board(force=True)
        await pilot.pause()
        assert ("3 nieuwe tekst" if language == "nl" else "3 new text") in flat(app)
        await pilot.press("t")
        await pilot.pause()
        assert isinstance(app.screen, ChatScreen)
        shown = flat(app)
        assert "Water is op." in shown and "#Baken" in shown
        assert ("niet gecontroleerd" if language == "nl" else "not verified") in shown
        assert ("0 van 232 bytes" if language == "nl" else "0 of 232 bytes") in shown
        await pilot.press("at", *"jo", "enter")
        await pilot.pause()
        assert ("is geen punt" if language == "nl" else "is no point") in flat(app)
        app.screen.query_one("#chat-input", Input).value = "@!12345678"
        await pilot.press("enter")
        await pilot.pause()
        shown = flat(app)
        assert "Hoort u mij?" in shown and "Brand!" in shown and "Ja, wij komen." in shown
        assert ("LET OP" if language == "nl" else "ALERT") in shown
        assert ("ontvangen door JO" if language == "nl" else "received by JO") in shown
        assert all(len(line) <= size[0] for line in screen_text(app).splitlines())
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, MainScreen) and app.unread == 0
        assert "nieuwe tekst" not in flat(app) and "new text" not in flat(app)

    play(exercise, scene, size=size, language=language)


def test_enter_sends_and_letters_belong_to_the_text(exercise):
    async def scene(app, pilot):
        await pilot.press("t")
        await pilot.pause()
        await pilot.press(*"quel", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ChatScreen) and app.words.language == "nl"
        ((_, request),) = app.chatbox.requests.values()
        assert (request.text, request.to) == ("quel", BROADCAST)
        assert "[wacht op gateway]" in flat(app)
        assert app.screen.query_one("#chat-input", Input).value == ""

    play(exercise, scene)


def test_a_text_that_is_too_long_or_looks_like_personal_data_is_held_back(exercise):
    async def scene(app, pilot):
        await pilot.press("t")
        await pilot.pause()
        field = app.screen.query_one("#chat-input", Input)
        field.value = "€" * 78
        await pilot.press("enter")
        await pilot.pause()
        assert not app.chatbox.requests and "234 van 232 bytes" in flat(app)
        field.value = "Bel 06-12345678"
        await pilot.press("enter")
        await pilot.pause()
        assert not app.chatbox.requests and "telefoonnummer" in flat(app) and "toch versturen" in flat(app)
        await pilot.press("enter")
        await pilot.pause()
        assert [request.text for _, request in app.chatbox.requests.values()] == ["Bel 06-12345678"]

    play(exercise, scene)


# --- the command line and a real broker


class Noon:
    def unix_s(self):
        return T0


@contextlib.asynccontextmanager
async def gateway_at(region, broker, outcomes):
    """A gateway's broker side in this process, and a node that answers with `outcomes` in turn."""
    store = SqliteStore(":memory:")
    desk = TextDesk(region, store, "gw1", random.Random(1).randrange)
    joined = MqttReplica(
        region,
        Replica(region.trust, MemoryStore()),
        store,
        "gateway/gw1",
        views=True,
        texts=desk,
    )
    joined.set_info({"serial": "ready"})
    task = MqttTask(joined, broker.address, Noon())
    desk.on_broker = task.wake
    sent = []

    def hand():
        while (packet := desk.next_packet(T0, monotonic_ms() + len(sent) * 10_000)) is not None:
            sent.append((packet.to, packet.decoded.payload.decode()))
            desk.receive_queue_status(
                packet.id, outcomes.pop(0), region.point("VR00").node_num, T0, monotonic_ms()
            )

    desk.on_node = hand
    running = asyncio.create_task(task.run())
    try:
        yield sent
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        store.close()  # collected later, it could be by another thread, which SQLite refuses


@pytest.fixture(params=KINDS)
def broker(request, tmp_path):
    process = BrokerProcess(request.param, tmp_path)
    process.start()
    yield process
    process.stop()


def test_say_waits_for_the_fate_and_texts_lists_it(tmp_path, broker, capsys):
    room = Room(tmp_path)

    async def scene():
        async with gateway_at(room.region, broker, [9, 0]) as sent:
            code = await asyncio.to_thread(
                room.run,
                "say",
                "--to",
                "ov06",
                "--wait",
                "25",
                "--json",
                "Water komt.",
                broker=broker,
                key=False,
            )
            said = json.loads(capsys.readouterr().out)
            assert (code, said["state"], said["reason"]) == (5, "failed", "DUTY_CYCLE_LIMIT")
            assert said["gateway"] == "gw1" and sent == [(room.region.point("OV06").node_num, "Water komt.")]
            code = await asyncio.to_thread(
                room.run, "say", "--to", "channel", "--wait", "8", "Hallo", broker=broker
            )
            assert code == 4 and capsys.readouterr().out.endswith("sent\n")
            assert sent[1:] == [(BROADCAST, "Hallo")]

    asyncio.run(scene())
    assert room.run("texts", "--json", broker=broker, data="other", key=False) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(one["text"], one["state"], one["with"]) for one in listed["texts"]] == [("Hallo", "sent", None)]
    assert listed["up_to_date"] and not listed["texts"][0]["verified"]
    assert room.run("texts", broker=broker) == 0
    assert "[FAILED: DUTY_CYCLE_LIMIT]" in capsys.readouterr().out


def test_what_say_cannot_send_is_told_and_not_asked(tmp_path, broker, capsys):
    room = Room(tmp_path)
    observer = Observer(broker.port)
    for words, code, told in (
        (("--to", "XX99", "Hallo"), 2, "must be a point's code"),
        (("--to", "channel", "x" * 233), 2, "text is 233 bytes, limit 232"),
        (("--to", "OV06", "--gateway", "a b", "x"), 2, "gateway is 'a b'"),
        (("--to", "channel", "Bel mevrouw Jansen"), 3, "say --anyway"),
    ):
        assert room.run("say", "--wait", "0.1", *words, broker=broker) == code
        assert told in capsys.readouterr().err
    assert room.run("say", "--to", "OV06", "Hallo") == 1 and "no broker" in capsys.readouterr().err
    assert room.run("say", "--to", "!12345678", "--wait", "3", "Hallo", broker=broker) == 4
    wait_for(lambda: any("/text-request/any/" in topic for topic in observer.retained), "the request")
    assert views.decode(next(held for topic, held in observer.retained.items() if "/text-request/" in topic))
    observer.close()
