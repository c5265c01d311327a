"""The console on a radio without any broker: a Baken node on a serial port, a stock radio on either."""

import asyncio
import json

import pytest
from _brokers import KINDS, BrokerProcess, Observer, wait_for
from _exercise import ALARM as DRAFT
from _exercise import Exercise
from _radio_server import RadioServer
from _region import NOON_S, bulletin_parts
from _serial_node import NodeEnd, SerialNode
from _stock_radio import StockEnd, region_channel

from baken.wire.modem import preset_named
from baken.wire.records import BULLETIN, decode_header
from baken_console.app import ConsoleApp
from baken_console.cli import main
from baken_console.desk import Desk
from baken_console.ledger import Ledger
from baken_console.moments import SteadyClock
from baken_gateway.store import SqliteStore

ALARM = ("--exercise", "--event", "ALARM", "--area", "OV,DH", "--text", "Sluit ramen en deuren.")


class Room:
    """A crisis room's folders and an exercise clock; `run` is the command line with them."""

    def __init__(self, folder):
        self.folder = folder
        self.exercise = Exercise(folder)
        self.region = self.exercise.region
        self.clock = folder / "clock"
        self.exercise.clock.now_s = NOON_S
        self.clock.write_bytes((NOON_S * 1000).to_bytes(8, "big") + (100).to_bytes(8, "big"))

    def run(self, port, command, *words, data="data", broker=None):
        common = [
            "--region",
            self.region.folder,
            "--data",
            self.folder / data,
            "--exercise-clock",
            self.clock,
        ]
        common += ["--key", self.region.folder / "keys" / "authority-1.key", "--port", port]
        if broker is not None:
            common += ["--broker", f"127.0.0.1:{broker.port}"]
        return main([command, *map(str, common), *words])


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path)


@pytest.fixture
def node(room, tmp_path):
    serial_node = SerialNode(NodeEnd(room.region, "VR00"), tmp_path)
    serial_node.plug()
    yield serial_node
    serial_node.pull()


@pytest.fixture(params=["serial", "tcp"])
def stock(request, room, tmp_path):
    preset = preset_named(room.region.channel.preset).number
    end = StockEnd(0x5EED0001, (region_channel(room.region),), preset)
    if request.param == "tcp":
        server = RadioServer(end)
        yield server
        server.stop()
    else:
        serial_node = SerialNode(end, tmp_path)
        serial_node.plug()
        yield serial_node
        serial_node.pull()


def bulletins(records):
    return [raw for raw in records if decode_header(raw).kind == BULLETIN]


def asked(stock):
    with stock.lock:
        return [packet["decoded"]["payload"] for packet in stock.end.asked]


def test_a_bulletin_goes_to_the_node_on_the_port_and_its_statuses_come_back(room, node, capsys):
    status = room.exercise.status_of("OV01", received=[1], read=[1])
    assert room.run(node.port, "send", *ALARM) == 0  # the node in step tells which numbers are in use
    assert f"radio {node.port} has it" in capsys.readouterr().out
    wait_for(lambda: len(bulletins(node.records())) == 1, "the bulletin at the node")
    node.learn(status)
    assert room.run(node.port, "list", "--json", data="other") == 0
    board = json.loads(capsys.readouterr().out)
    assert board["up_to_date"] and [row["id"] for row in board["bulletins"]] == ["1/1"]
    assert board["bulletins"][0]["readBy"] == ["OV01"]


def test_numbers_go_on_after_what_the_node_knows(room, node, capsys):
    assert room.run(node.port, "send", *ALARM) == 0
    assert room.run(node.port, "send", *ALARM, data="new-computer") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["1/1", "1/2"]


def test_over_a_stock_radio_it_is_flooded_once_and_not_again_at_the_next_start(room, stock, capsys):
    assert room.run(stock.place, "send", *ALARM, "--first", "--wait", "20") == 0
    assert "has it" in capsys.readouterr().out
    sent = [payload for payload in asked(stock) if payload[:1] == b"\x11"]
    assert len(sent) == 1
    assert room.run(stock.place, "list", "--json", "--wait", "20") == 4
    out = capsys.readouterr()
    board = json.loads(out.out)
    assert [row["delivery"] for row in board["bulletins"]] == ["sent"] and not board["up_to_date"]
    assert "keeps no records" in out.err
    assert [payload for payload in asked(stock) if payload == sent[0]] == sent


def test_what_was_made_without_a_radio_goes_when_it_is_there(room, node, tmp_path, capsys):
    assert room.run(tmp_path / "no-such-port", "send", *ALARM, "--first", "--wait", "0.5") == 4
    assert "no such port" in capsys.readouterr().err
    assert room.run(node.port, "list", "--json") == 0
    assert [row["delivery"] for row in json.loads(capsys.readouterr().out)["bulletins"]] == ["sent"]
    assert len(bulletins(node.records())) == 1


def test_a_port_that_cannot_be_is_refused(room, capsys):
    assert room.run("tcp:", "list") == 1
    assert "port is 'tcp:'" in capsys.readouterr().err


def test_the_screen_joins_broker_and_radio_and_passes_on_between_them(room, node, tmp_path):
    broker = BrokerProcess(KINDS[-1], tmp_path)
    broker.start()
    observer = Observer(broker.port)
    store = SqliteStore(tmp_path / "screen.db")
    desk = Desk(room.region, store, Ledger(tmp_path / "ledger.db"), room.exercise.key)
    prefix = f"baken/v1/{room.region.id}/record/"
    (other,) = bulletin_parts(room.region, 7, origin=2)

    async def scene():
        app = ConsoleApp(desk, store, SteadyClock(room.clock), broker=broker.address, port=str(node.port))
        async with app.run_test(size=(120, 30)) as pilot:

            async def until(condition, what):
                for _ in range(600):
                    if condition():
                        return
                    await pilot.pause(0.05)
                pytest.fail(f"waited 30 s for {what}")

            await until(
                lambda: app.connection.broker == f"{broker.address} + {node.port}", "both connections"
            )
            observer.publish(prefix + "bulletin/2/7", other)
            await until(lambda: other in node.records(), "the broker's bulletin at the node")
            node.learn(room.exercise.status_of("OV01", received=[], read=[]))
            await until(
                lambda: any("/status/" in topic for topic in observer.retained), "the status at the broker"
            )
            await asyncio.to_thread(broker.stop, True)
            await until(lambda: app.connection.is_radio, "the broker's loss to be seen")
            assert app.connection.is_up
            made = desk.make(DRAFT, NOON_S)
            app.feed.wake()
            await until(lambda: made.records[0] in node.records(), "the bulletin at the node")
            await until(lambda: desk.is_sent(made.key), "it to count as sent")

    try:
        asyncio.run(scene())
    finally:
        observer.close()
        broker.stop()
        store.close()
