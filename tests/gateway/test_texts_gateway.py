"""Text messages through the gateway as a process: a node on a pseudo-terminal, a real broker, and kills."""

import signal
import time

import pytest
from _brokers import KINDS, BrokerProcess, Observer, wait_for
from _gateway import GatewayProcess
from _region import NOON_S, make_region
from _serial_node import NodeEnd, SerialNode

from baken.mesh.config import MeshConfig
from baken.mesh.events import Received, Transmit
from baken.mesh.node import MeshNode
from baken.wire.messages import TEXT_MESSAGE_APP
from baken.wire.packet import BROADCAST
from baken_gateway import texts
from baken_gateway.texts import Request

PREFIX = "baken/v1/merenland/"
STRANGER = 0x12345678


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("texts"))


@pytest.fixture(params=KINDS)
def broker(request, tmp_path):
    process = BrokerProcess(request.param, tmp_path)
    process.start()
    yield process
    process.stop()


class Air:
    """The gateway's node with its serial port, and a stranger who hears it; `heard`: texts of the node's."""

    def __init__(self, region, folder):
        self.end = NodeEnd(region, "VR00")
        self.serial = SerialNode(self.end, folder)
        config = MeshConfig(STRANGER, b"Vrijwilliger", b"VR1L", public_key=bytes(32))
        self.stranger = MeshNode(config, self.end.rand)
        self.heard = []

    def turn(self):
        """Carry frames between the two."""
        now = time.monotonic_ns() // 1_000_000
        with self.serial.lock:
            for node, other in ((self.end.node, self.stranger), (self.stranger, self.end.node)):
                while (event := node.next_event(now)) is not None:
                    if isinstance(event, Transmit):
                        other.receive_frame(event.frame, -80, 8.0, now)
                        node.transmitted(now)
                    elif node is self.end.node:
                        self.end.api.receive_event(event, now)
                    elif isinstance(event, Received) and event.portnum == TEXT_MESSAGE_APP:
                        self.heard.append((event.packet_id, event.payload.decode()))

    def say(self, text, to=BROADCAST):
        with self.serial.lock:
            now = time.monotonic_ns() // 1_000_000
            return self.stranger.send(TEXT_MESSAGE_APP, text.encode(), now, to=to, want_ack=True)

    def until(self, condition, what):
        def look():
            self.turn()
            return condition()

        wait_for(look, what)


@pytest.fixture
def air(region, tmp_path):
    air = Air(region, tmp_path)
    yield air
    air.serial.pull()


@pytest.fixture
def gateway(region, air, broker, tmp_path):
    process = GatewayProcess(region, air.serial.port, broker, tmp_path)
    yield process
    process.end(signal.SIGKILL)


@pytest.fixture
def observer(broker):
    observer = Observer(broker.port)
    yield observer
    observer.close()


def fate_of(observer, request_id):
    payload = observer.retained.get(f"{PREFIX}text-fate/{request_id}")
    return texts.decode_fate(payload) if payload else None


def ask(observer, region, request_id, text, to=BROADCAST):
    payload = texts.encode_request(Request(text, NOON_S, to), region)
    observer.publish(f"{PREFIX}text-request/any/{request_id}", payload)


def is_online(observer):
    return observer.retained.get(f"{PREFIX}gateway/gw1/online") == b"1"


def test_what_is_heard_is_published_and_what_is_asked_is_sent_with_its_fate(region, air, gateway, observer):
    air.serial.plug()
    gateway.start()
    air.until(lambda: b'"serial":"ready"' in observer.retained.get(f"{PREFIX}gateway/gw1", b""), "the node")
    packet_id = air.say("Hoort iemand mij?")
    topic = f"{PREFIX}text/{STRANGER:08x}-{packet_id:08x}"
    air.until(lambda: topic in observer.retained, "the text")
    text = texts.decode_text(topic.removeprefix(f"{PREFIX}text/"), observer.retained[topic])
    assert (text.text, text.to, text.heard_by) == ("Hoort iemand mij?", BROADCAST, ("gw1",))
    ask(observer, region, "c1", "Ja, hier de crisisruimte.", to=STRANGER)
    air.until(lambda: (fate := fate_of(observer, "c1")) and fate.final, "the fate")
    fate = fate_of(observer, "c1")
    assert fate and (fate.state, fate.by) == (texts.DELIVERED, STRANGER)
    assert [said for _, said in air.heard] == ["Ja, hier de crisisruimte."]
    wait_for(lambda: f"{PREFIX}text-request/any/c1" not in observer.retained, "the request to be cleared")
    assert f"{PREFIX}text/{fate.text}" in observer.retained


def test_a_gateway_that_is_killed_sends_what_was_asked_once_all_the_same(region, air, gateway, observer):
    air.serial.plug()
    gateway.start()
    air.until(lambda: is_online(observer), "presence")
    for life in range(3):
        ask(observer, region, f"c{life}", f"Tekst {life}", to=STRANGER)
        air.until(lambda life=life: fate_of(observer, f"c{life}"), "the claim")
        gateway.end(signal.SIGKILL)
        gateway.start()
    air.until(
        lambda: all(
            (fate := fate_of(observer, f"c{life}")) and fate.state != texts.TAKEN for life in range(3)
        ),
        "all sent",
    )
    air.until(lambda: len({said for _, said in air.heard}) == 3, "all heard")
    assert len({packet_id for packet_id, _ in air.heard}) == len(air.heard) == 3
