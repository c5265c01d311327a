"""A virtual node whose owner has switched its MQTT module on with the `meshtastic` command, a gateway on its
port, a broker, and another implementation of Meshtastic on the air.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from _brokers import KINDS, BrokerProcess, Observer, wait_for
from _foreign import HASH, ForeignNode
from _gateway import GatewayProcess
from _region import make_region
from _virtual_node import LIMIT_S, meshtastic, virtual_node
from meshtastic.protobuf import mqtt_pb2

from baken.wire import messages, protobuf
from baken.wire.channel import DEFAULT_KEY, crypt
from baken.wire.packet import BROADCAST

FOREIGN = 0x5EED_0042
FAR_AWAY = 0x5EED_0099
BELOW = "msh/EU_868/2/e/LongFast/"


@pytest.fixture
def foreign() -> Iterator[ForeignNode]:
    node = ForeignNode(FOREIGN)
    yield node
    node.close()


def envelope(packet_id: int, text: bytes, hops: int) -> bytes:
    """What another gateway, far away, publishes of a text it heard from a node there."""
    made = mqtt_pb2.ServiceEnvelope(channel_id="LongFast", gateway_id=f"!{FAR_AWAY + 1:08x}")
    packet = made.packet
    setattr(packet, "from", FAR_AWAY)
    packet.to, packet.id, packet.channel = BROADCAST, packet_id, HASH
    packet.hop_limit = packet.hop_start = hops
    data = {"portnum": messages.TEXT_MESSAGE_APP, "payload": text, "bitfield": 1}
    packet.encrypted = crypt(DEFAULT_KEY, packet_id, FAR_AWAY, protobuf.encode(messages.DATA, data))
    return made.SerializeToString()


def texts(observer: Observer) -> list[tuple[str, int, int, bytes]]:
    """Topic, sender, id and text of each text in an envelope at the broker, as who has the key reads it."""
    found = []
    for topic, payload, is_retained in observer.log:
        if not topic.startswith("msh/"):
            continue
        assert topic.startswith(BELOW) and not is_retained
        packet = mqtt_pb2.ServiceEnvelope.FromString(payload).packet
        sender = getattr(packet, "from")
        data = protobuf.decode(messages.DATA, crypt(DEFAULT_KEY, packet.id, sender, packet.encrypted))
        if data["portnum"] == messages.TEXT_MESSAGE_APP:
            found.append((topic.removeprefix(BELOW), sender, packet.id, data["payload"]))
    return found


def test_packets_that_may_go_to_the_broker_and_come_back_from_it_once(tmp_path: Path, foreign: ForeignNode):
    region = make_region(tmp_path)
    broker = BrokerProcess(KINDS[-1], tmp_path)
    options = ("--region", str(region.folder), "--node", "OV06", "--udp-out", str(foreign.port))
    with contextlib.ExitStack() as stack:
        broker.start()
        stack.callback(broker.stop)
        observer = Observer(broker.port)
        stack.callback(observer.close)
        running = stack.enter_context(virtual_node(tmp_path, *options))
        foreign.join(running.port("udp-in"))
        where = ("--port", running.values["serial"])
        told = meshtastic(where, "--get", "mqtt.enabled", "--get", "mqtt.proxy_to_client_enabled")
        assert "mqtt.enabled: False" in told and "proxy_to_client_enabled: False" in told
        meshtastic(where, "--ch-add", "LongFast")
        shared = [word for way in ("uplink", "downlink") for word in ("--ch-set", f"{way}_enabled", "true")]
        meshtastic(where, "--ch-index", "1", "--ch-set", "psk", "default", *shared)
        meshtastic(where, "--set", "mqtt.enabled", "true", "--set", "mqtt.proxy_to_client_enabled", "true")
        own = f"!{running.number():08x}"
        gateway = GatewayProcess(region, where[1], broker, tmp_path, options=("--meshtastic-mqtt",))
        gateway.start()
        stack.callback(gateway.end, signal.SIGKILL)
        foreign.deliver(foreign.frame(messages.TEXT_MESSAGE_APP, b"Blijft hier"))
        sent = foreign.deliver(foreign.frame(messages.TEXT_MESSAGE_APP, b"Mag weg", bitfield=1))
        up = (own, FOREIGN, sent.id, b"Mag weg")
        wait_for(lambda: up in texts(observer), "the text at the broker", LIMIT_S)
        assert texts(observer) == [up]

        observer.publish(f"{BELOW}!{FAR_AWAY + 1:08x}", envelope(70, b"Nul", 0), retain=False)
        observer.publish(f"{BELOW}!{FAR_AWAY + 1:08x}", envelope(71, b"Van ver", 3), retain=False)
        copy = foreign.hear(FAR_AWAY, 71)
        assert copy.via_mqtt and (copy.hop_limit, copy.hop_start) == (2, 3)
        assert foreign.copies(FAR_AWAY, 70) == []

        last = foreign.deliver(foreign.frame(messages.TEXT_MESSAGE_APP, b"Mag ook weg", bitfield=1))
        wait_for(lambda: len(texts(observer)) == 4, "the second text at the broker", LIMIT_S)
        assert [packet_id for _, _, packet_id, _ in texts(observer)] == [sent.id, 70, 71, last.id]
        assert gateway.end() == 0
