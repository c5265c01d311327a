"""Radios whose own MQTT messages gateways carry: two on one broker must never echo each other for ever."""

import asyncio
import contextlib
import random

import pytest
from _brokers import KINDS, BrokerProcess, Observer
from _stock_radio import Air, StockEnd
from meshtastic.protobuf import channel_pb2, mesh_pb2, mqtt_pb2

from baken.mesh.config import Channel, MqttSettings
from baken.noticeboard.link import LinkSession
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica
from baken.wire.trust import TrustList
from baken_gateway.meshtastic_mqtt import MAX_DATA, MAX_QUEUE, MqttProxy
from baken_gateway.proxy_link import ProxyTask
from baken_gateway.session import READY, NodeSession
from baken_gateway.stock_radio import RadioSettings

STREET = Channel(b"Straat", bytes(range(32)), uplink=True, downlink=True)
ON = MqttSettings(True, True)
TOPIC = "msh/EU_868/2/e/Straat/!00001001"
LIMIT_S = 30
NOBODY = object()


_NO_TRUST = TrustList(1, bytes(32), b"", [], [], [])


def settings_of(mqtt=True, root="msh/EU_868", downlink=True, name="Straat"):
    settings = RadioSettings()
    settings.mqtt.enabled = settings.mqtt.proxy_to_client_enabled = mqtt
    settings.mqtt.root = root
    settings.channels[0] = channel_pb2.Channel(index=0, role=channel_pb2.Channel.Role.PRIMARY)
    settings.channels[0].settings.name = name
    settings.channels[0].settings.downlink_enabled = downlink
    return settings


def said(topic=TOPIC, data=b"x", retained=False):
    return mesh_pb2.MqttClientProxyMessage(topic=topic, data=data, retained=retained)


def opened_proxy(**changes):
    proxy = MqttProxy()
    proxy.open(settings_of(**changes), 0x1001)
    return proxy


def test_only_channels_with_downlink_are_subscribed_to_and_pki_with_them():
    assert opened_proxy().subscriptions == ("msh/EU_868/2/e/Straat/+", "msh/EU_868/2/e/PKI/+")
    assert opened_proxy(downlink=False).subscriptions == ()
    assert opened_proxy(root="").subscriptions[0] == "msh/2/e/Straat/+"
    for name in ("a/b", "#", "+"):
        assert opened_proxy(name=name).subscriptions == ()


def test_a_radio_whose_module_is_off_is_told_how_to_switch_it_on_and_nothing_is_carried():
    proxy = opened_proxy(mqtt=False)
    proxy.from_radio(said())
    proxy.from_broker(TOPIC, b"x")
    assert proxy.subscriptions == () and proxy.next_publish() is None and not proxy.has_for_radio
    assert "mqtt.proxy_to_client_enabled" in (proxy.problem or "")


def test_the_radio_cannot_publish_outside_its_root_nor_more_than_fits():
    proxy = opened_proxy()
    for topic in (
        "baken/v1/x/record/bulletin/1/1",
        "msh/NL/2/e/a/b",
        "msh/EU_868/2/e/#",
        "msh/EU_868/2/e/" + 60 * "x",
    ):
        proxy.from_radio(said(topic))
    proxy.from_radio(said(data=bytes(MAX_DATA + 1)))
    assert proxy.next_publish() is None
    assert proxy.counters == {"proxy-topic": 3, "proxy-size": 2}


def test_messages_wait_within_a_bound_in_both_directions():
    proxy = opened_proxy()
    for number in range(MAX_QUEUE + 4):
        proxy.from_radio(said(data=b"%d" % number))
        proxy.from_broker("msh/EU_868/2/e/Straat/!00000099", b"%d" % number)
    up, down = [], []
    while (message := proxy.next_publish()) is not None:
        up.append(message.payload)
    while (message := proxy.next_for_radio()) is not None:
        down.append(message.data)
    assert up == down == [b"%d" % number for number in range(4, MAX_QUEUE + 4)]


def test_what_is_published_is_not_retained_unless_that_was_asked_for():
    proxy = opened_proxy()
    proxy.from_radio(said(retained=True))
    message = proxy.next_publish()
    assert message is not None and not message.retain
    proxy = MqttProxy(allow_retained=True)
    proxy.open(settings_of(), 0x1001)
    proxy.from_radio(said(retained=True))
    message = proxy.next_publish()
    assert message is not None and message.retain


def test_the_radio_gets_its_own_echo_once_and_nothing_retained():
    proxy = opened_proxy()
    proxy.from_radio(said())
    proxy.next_publish()
    proxy.from_broker(TOPIC, b"x")
    proxy.from_broker(TOPIC, b"x")
    proxy.from_broker("msh/EU_868/2/e/Straat/!00000099", b"old", retained=True)
    assert proxy.next_for_radio() == said() and not proxy.has_for_radio
    assert proxy.counters == {"proxy-late-echo": 1, "proxy-old": 1}


class Broker:
    """Hands every message to every proxy that subscribed, the publisher too, as a broker does."""

    def __init__(self):
        self.log = []

    def carry(self, proxies):
        for publisher in proxies:
            while (message := publisher.next_publish()) is not None:
                self.log.append(message.topic)
                for proxy in proxies:
                    for pattern in proxy.subscriptions:
                        if message.topic.rpartition("/")[0] == pattern.rpartition("/")[0]:
                            proxy.from_broker(message.topic, message.payload)


class Station:
    """A stock radio whose client carries its MQTT messages."""

    def __init__(self, number, seed):
        self.end = StockEnd(number, (STREET,), 0, seed)
        self.end.join_mqtt(ON)
        self.proxy = MqttProxy()
        replica = Replica(_NO_TRUST, MemoryStore())
        self.session = NodeSession(LinkSession(replica), random.Random(seed).randrange, proxy=self.proxy)

    def run(self, now):
        while (data := self.session.next_bytes(now)) is not None:
            self.end.receive(data, now)
        while data := self.end.next_bytes(now):
            self.session.receive(data, None, now)


def play(stations, air, broker, ms):
    end = air.now + ms
    while air.now < end:
        for station in stations:
            station.run(air.now)
        broker.carry([station.proxy for station in stations])
        air.step(20)


@pytest.mark.parametrize("in_reach", [True, False])
def test_each_text_arrives_once_however_air_and_broker_join_two_gateways(in_reach):
    stations = [Station(0x1001, 1), Station(0x1002, 2)]
    client = StockEnd(0x2001, (STREET,), 0, 3)  # a phone's radio near the first gateway
    other = StockEnd(0x2002, (STREET,), 0, 4)  # and one near the second
    air = Air([stations[0].end, stations[1].end, client, other])
    if not in_reach:
        air.deaf = {(a, b) for near in ((0, 2),) for far in ((1, 3),) for a in near for b in far}
        air.deaf |= {(b, a) for a, b in air.deaf}
    for end in (client, other):
        end.node.config.ignore_mqtt = False  # or nothing that came over MQTT would be heard at all
    for station in stations:
        station.session.open(air.now)
    broker = Broker()
    play(stations, air, broker, 5_000)
    assert all(station.session.state == READY for station in stations)
    before = len(air.frames)
    texts = [b"een", b"twee", b"drie"]
    for text in texts:
        stations[0].end.node.send(1, text, air.now)
        play(stations, air, broker, 15_000)
    play(stations, air, broker, 120_000)
    for end in (stations[1].end, client, other):
        assert end.texts == texts
    assert stations[0].end.texts == []
    own = [topic for topic in broker.log if topic.endswith("!00001001")]
    assert len(own) >= len(texts)
    text_frames = [sent for _, _, sent in air.frames[before:] if len(sent) < 40]
    assert len(text_frames) <= len(texts) * 4  # at most once from each radio
    counted = len(broker.log)
    play(stations, air, broker, 300_000)
    assert len(broker.log) - counted <= 2  # NodeInfo at most: nothing goes round


@pytest.mark.parametrize("kind", KINDS)
def test_messages_cross_a_real_broker_that_comes_late_and_goes_away(kind, tmp_path):
    broker = BrokerProcess(kind, tmp_path)
    proxy = opened_proxy()
    woken = []
    task = ProxyTask(proxy, broker.address, "test-proxy", lambda: woken.append(True))

    async def until(condition, what):
        try:
            async with asyncio.timeout(LIMIT_S):
                while not condition():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"waited {LIMIT_S} s for {what}")

    async def scene():
        running = asyncio.create_task(task.run())
        proxy.from_radio(said(data=b"kept"))
        await asyncio.to_thread(broker.start)
        observer = await asyncio.to_thread(Observer, broker.port)
        await until(lambda: any(data == b"kept" for _, data, _ in observer.log), "what waited")
        await asyncio.sleep(1)  # until the subscription is there
        observer.publish("msh/EU_868/2/e/Straat/!00000099", b"down", retain=False)
        observer.publish("msh/EU_868/2/e/Dicht/!00000099", b"other", retain=False)
        taken = []

        def has_come():
            while (message := proxy.next_for_radio()) is not None:
                taken.append(message.data)
            return b"down" in taken

        await until(has_come, "the message for the radio")
        assert woken and b"other" not in taken
        latecomer = await asyncio.to_thread(Observer, broker.port, "latecomer")
        await asyncio.sleep(0.5)
        assert latecomer.log == []  # nothing was retained
        for one in (observer, latecomer):
            await asyncio.to_thread(one.close)
        await asyncio.to_thread(broker.stop, True)
        await until(lambda: not task.is_connected, "the loss to be seen")
        await asyncio.to_thread(broker.start)
        await until(lambda: task.is_connected, "the broker again")
        observer = await asyncio.to_thread(Observer, broker.port, "second")
        proxy.from_radio(said(data=b"again"))
        await until(lambda: any(data == b"again" for _, data, _ in observer.log), "the next message")
        await asyncio.to_thread(observer.close)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    try:
        asyncio.run(scene())
    finally:
        broker.stop()


def test_an_envelope_of_the_node_reads_as_the_public_definition_says():
    end = StockEnd(0x1001, (STREET,), 0)
    end.join_mqtt(ON)
    packet_id = end.node.send(1, b"hallo", 0, hop_limit=2)
    envelopes = end.node.envelopes
    assert envelopes is not None
    ((topic, payload),) = [envelopes.next_uplink() or (b"", b"")]
    envelope = mqtt_pb2.ServiceEnvelope.FromString(payload)
    assert topic.decode() == TOPIC
    assert (envelope.channel_id, envelope.gateway_id) == ("Straat", "!00001001")
    assert (getattr(envelope.packet, "from"), envelope.packet.id) == (0x1001, packet_id)
    assert envelope.packet.WhichOneof("payload_variant") == "encrypted" and envelope.packet.hop_limit == 2
