"""Text messages over a radio on this computer, without any broker: a stock radio on TCP, and the screen."""

import asyncio
import json
import random
import threading
import time

import pytest
from _console import flat, screen_text
from _exercise import T0, Exercise
from _radio_server import RadioServer
from _region import NOON_S
from _stock_radio import StockEnd, region_channel
from meshtastic.protobuf import mesh_pb2, portnums_pb2
from textual.widgets import Input

from baken.mesh.config import MeshConfig
from baken.mesh.events import Received, Transmit
from baken.mesh.node import MeshNode
from baken.wire import messages, packet
from baken.wire.modem import preset_named
from baken.wire.packet import BROADCAST, low_byte
from baken_console import chat
from baken_console.app import ConsoleApp
from baken_console.chatbox import OWN_RADIO, Chatbox
from baken_console.cli import main
from baken_console.desk import Desk
from baken_console.ledger import Ledger
from baken_console.moments import SteadyClock
from baken_console.radio_texts import RadioTexts
from baken_console.screens.chat import ChatScreen
from baken_gateway import texts
from baken_gateway.store import SqliteStore

RADIO = 0x5EED_0001
JO = 0x1234_5678


@pytest.fixture
def exercise(tmp_path):
    made = Exercise(tmp_path, store=SqliteStore(tmp_path / "data" / "replica.db"))
    made.clock.now_s = NOON_S
    (tmp_path / "clock").write_bytes((NOON_S * 1000).to_bytes(8, "big") + (100).to_bytes(8, "big"))
    return made


# The two sides and what is between them


class Pair:
    """Chatbox and RadioTexts on one store, and a radio that takes what it is handed."""

    def __init__(self, exercise, seed):
        rand = random.Random(seed).randrange
        self.box = Chatbox(exercise.region, exercise.store, "c1", rand)
        self.radio = RadioTexts(exercise.region, exercise.store, self.box, rand)
        self.now = 1000

    def step(self):
        self.radio.step(RADIO, T0, self.now)
        self.now += 3000

    def handed(self):
        return self.radio.desk.next_packet(T0, self.now)

    def taken(self, packet):
        self.radio.desk.receive_queue_status(packet.id, 0, RADIO, T0, self.now)

    def line(self):
        return chat.conversations(self.box, T0)[0].lines[-1]


def test_a_text_is_handed_to_the_radio_and_its_fate_comes_back(exercise):
    pair = Pair(exercise, 1)
    pair.box.send("Water is op", BROADCAST, T0, gateway=OWN_RADIO)
    assert pair.line().state == chat.WAITING_HERE
    pair.step()
    assert pair.line().state == chat.TAKEN_HERE
    packet = pair.handed()
    assert (packet.to, packet.decoded.payload, packet.want_ack) == (BROADCAST, b"Water is op", True)
    assert pair.handed() is None
    pair.taken(packet)
    pair.step()
    assert (pair.line().state, pair.line().ours) == (texts.SENT, True)
    heard = mesh_pb2.MeshPacket(to=RADIO, id=9)
    setattr(heard, "from", RADIO)
    heard.decoded.portnum = portnums_pb2.PortNum.ROUTING_APP
    heard.decoded.request_id = packet.id
    heard.decoded.payload = mesh_pb2.Routing(error_reason=mesh_pb2.Routing.NONE).SerializeToString()
    pair.radio.desk.receive_packet(heard, RADIO, {}, T0, pair.now)
    pair.step()
    assert pair.line().state == texts.RELAYED


def test_it_is_never_sent_twice_and_never_to_a_broker_whenever_the_program_ends(exercise):
    pair = Pair(exercise, 1)
    pair.box.send("Eén keer", BROADCAST, T0, gateway=OWN_RADIO)
    ids = set()
    for seed in range(2, 6):  # ends after being asked, taken, handed over, and sent
        pair.box.tick(T0, pair.now, True)
        assert pair.box.next_publish() is None
        pair.step()
        packet = pair.handed()
        if packet is not None:
            ids.add(packet.id)
            if seed >= 4:
                pair.taken(packet)
                pair.step()
        pair = Pair(exercise, seed)
    assert len(ids) == 1  # the same packet, which the radio drops when it had it
    pair.step()
    assert pair.handed() is None and pair.line().state == texts.SENT
    assert len(chat.conversations(pair.box, T0)[0].lines) == 1


# A stock radio on TCP


class Volunteer:
    """A neighbour of the radio: relays what it hears, once, and says something of its own."""

    def __init__(self, server, preset, channel):
        self.server = server
        config = MeshConfig(JO, b"Jo", b"JO", (channel,), preset=preset, node_info_s=0)
        self.node = MeshNode(config, random.Random(5).randrange)
        self.texts = []
        self._passed = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def say(self, text):
        self.node.send(messages.TEXT_MESSAGE_APP, text.encode(), _now())

    def stop(self):
        self._stopped.set()
        self._thread.join()

    def _run(self):
        while not self._stopped.is_set():
            now = _now()
            heard = self.server.heard[self._passed :]
            self._passed += len(heard)
            for frame in heard:
                self.node.receive_frame(frame, -90, 5.0, now)
            while (event := self.node.next_event(now)) is not None:
                if isinstance(event, Transmit):
                    self.node.transmitted(now)
                    self.server.inject(event.frame)
                elif isinstance(event, Received) and event.portnum == messages.TEXT_MESSAGE_APP:
                    self.texts.append(event.payload.decode())
            time.sleep(0.01)


def _now():
    return time.monotonic_ns() // 1_000_000


def wait_for(condition, what):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, f"not within 20 s: {what}"
        time.sleep(0.02)


@pytest.fixture
def server(exercise):
    preset = preset_named(exercise.region.channel.preset).number
    server = RadioServer(StockEnd(RADIO, (region_channel(exercise.region),), preset))
    yield server
    server.stop()


@pytest.fixture
def volunteer(exercise, server):
    preset = preset_named(exercise.region.channel.preset).number
    volunteer = Volunteer(server, preset, region_channel(exercise.region))
    yield volunteer
    volunteer.stop()


def run(exercise, tmp_path, server, command, *words):
    common = ["--region", exercise.region.folder, "--data", tmp_path / "other"]
    common += ["--exercise-clock", tmp_path / "clock", "--port", server.place]
    return main([command, *map(str, common), *words])


def test_say_goes_over_a_stock_radio_and_texts_prints_what_the_radio_heard(
    exercise, server, volunteer, tmp_path, capsys
):
    said = run(
        exercise, tmp_path, server, "say", "--to", "channel", "--wait", "30", "--json", "Water om 15:00"
    )
    assert said == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["final"], told["gateway"]) == (texts.RELAYED, True, OWN_RADIO)
    assert volunteer.texts == ["Water om 15:00"]
    sent = [packet.decode(frame) for frame in server.heard]
    assert {(header.sender, header.relay_node) for header in sent} == {(RADIO, low_byte(RADIO))}

    volunteer.say("Hier zijn tien mensen")
    wait_for(lambda: b"Hier zijn tien mensen" in server.end.texts, "the radio to hear it")
    assert run(exercise, tmp_path, server, "texts", "--json", "--wait", "20") == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["up_to_date"]
    assert [(one["text"], one["ours"], one["verified"]) for one in listed["texts"]] == [
        ("Water om 15:00", True, False),
        ("Hier zijn tien mensen", False, False),
    ]


def test_a_text_that_no_radio_took_is_kept_and_goes_at_the_next_start(
    exercise, server, volunteer, tmp_path, capsys
):
    place, server_place = tmp_path / "no-such-port", server.place
    common = ["--region", exercise.region.folder, "--data", tmp_path / "other"]
    common += ["--exercise-clock", tmp_path / "clock"]
    words = ["--to", "channel", "--wait", "1", "Later"]
    assert main(["say", *map(str, common), "--port", str(place), *words]) == 4
    assert "no such port" in capsys.readouterr().err
    assert main(["texts", *map(str, common), "--port", server_place, "--wait", "20"]) == 0
    wait_for(lambda: volunteer.texts, "the text")
    assert volunteer.texts == ["Later"]


def test_without_broker_and_port_or_with_another_radio_than_there_is_nothing_is_asked(
    exercise, tmp_path, capsys
):
    common = ["--region", str(exercise.region.folder), "--data", str(tmp_path / "other")]
    assert main(["say", *common, "--to", "channel", "x"]) == 1
    assert "no broker and no port" in capsys.readouterr().err
    where = ["--broker", "127.0.0.1:1", "--gateway", OWN_RADIO]
    assert main(["say", *common, *where, "--to", "channel", "x"]) == 1
    assert "no radio here" in capsys.readouterr().err


def test_the_screen_chats_over_the_radio(exercise, server, volunteer, tmp_path):
    store = SqliteStore(tmp_path / "screen.db")
    desk = Desk(exercise.region, store, Ledger(tmp_path / "ledger.db"), exercise.key)

    async def scene():
        app = ConsoleApp(desk, store, SteadyClock(tmp_path / "clock"), port=server.place)
        async with app.run_test(size=(140, 40)) as pilot:

            async def until(condition, what):
                for _ in range(600):
                    if condition():
                        return
                    await pilot.pause(0.05)
                pytest.fail(f"waited 30 s for {what}:\n{screen_text(app)}")

            await until(lambda: app.connection.is_up or app.feed.radio.can_send_texts, "the radio")
            await pilot.press("t")
            await until(lambda: isinstance(app.screen, ChatScreen), "the chat")
            app.screen.query_one("#chat-input", Input).value = "Hoeveel dekens?"
            await pilot.press("enter")
            await until(lambda: "verzonden en doorgegeven" in flat(app), "its fate")
            assert volunteer.texts == ["Hoeveel dekens?"]
            volunteer.say("Twintig dekens")
            await until(lambda: "Twintig dekens" in flat(app), "the answer")

    try:
        asyncio.run(scene())
    finally:
        store.close()
