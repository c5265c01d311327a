"""A stock Meshtastic radio for tests: our own mesh engine and client API, without a replica behind them.

It differs from a Baken node as a stock device does: what the client sends to the radio's own number comes
back to the client as it is, and nobody answers it. `BakenEnd` is a Baken node with its air side, for the
same ether.
"""

from __future__ import annotations

import random
from typing import Any

from _region import NOON_S
from meshtastic.protobuf import mesh_pb2

from baken.mesh.client_api import ClientApi, DeviceInfo
from baken.mesh.config import Channel, MeshConfig, MqttSettings
from baken.mesh.events import ClientRecord, ClientText, Received, Transmit
from baken.mesh.node import MeshNode
from baken.noticeboard import events, gossip
from baken.noticeboard.link import LinkSession
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica
from baken.wire import messages, modem, protobuf
from baken.wire.errors import RemoteProtocolError
from baken.wire.stream import Deframer, frame
from baken_gateway.region import Region, load_channel_psk

STOCK_VERSION = b"2.7.26.54e0d8d"
PRIVATE_APP = messages.PRIVATE_APP


def region_channel(region: Region) -> Channel:
    """The channel that every device of the region has."""
    return Channel(region.channel.name.encode(), load_channel_psk(region.folder))


class StockEnd:
    """The radio: the bytes of its client on one side, its `node` on an ether.

    `loops_back`: hand packets to its own number back, else drop them. `refuse`: a Routing.Error with which it
    answers every packet for the air, without sending it. `free`: places it says are free, None: the truth.
    """

    def __init__(self, number: int, channels: tuple[Channel, ...], preset: int, seed: int = 1) -> None:
        self.rand = random.Random(seed).randrange
        self.config = MeshConfig(number, b"T-Echo", b"TE", channels, preset=preset)
        self.node = MeshNode(self.config, self.rand)
        self.loops_back = True
        self.refuse = 0
        self.free: int | None = None
        self.silent = False
        self.mqtt: MqttSettings | None = None
        self.texts: list[bytes] = []  # as its client gets them
        self.asked: list[dict] = []  # packets for the air that the client handed in
        self.boot()

    def boot(self, tell: bool = False) -> None:
        """It restarts; the mesh engine stays on its ether. `tell`: as stock firmware announces it."""
        info = DeviceInfo(bytes(16), STOCK_VERSION, b"t-echo")
        self.api = ClientApi(self.node, info, self.rand)
        self._deframer = Deframer()
        self._extra: list[bytes] = []
        if tell:
            self._say({"rebooted": True})

    def receive(self, data: bytes, now: int) -> None:
        """Bytes from the client."""
        for payload in self._deframer.receive(data):
            try:
                packet = protobuf.decode(messages.TO_RADIO, payload).get("packet")
            except RemoteProtocolError:
                packet = None
            if packet is not None and packet.get("to") == self.config.node_num:
                if self.loops_back:
                    self._say({"packet": {**packet, "from": self.config.node_num}})
            elif packet is not None:
                self.asked.append(packet)
                if self.refuse:
                    self._refuse(packet["id"])
                    continue
            self.api.receive_bytes(frame(payload), now)
        while (event := self.api.next_event(now)) is not None:
            assert isinstance(event, (ClientRecord, ClientText)), event  # it keeps neither

    def join_mqtt(self, settings: MqttSettings) -> None:
        """Set the MQTT module, as a client would."""
        self.mqtt = settings
        self.node.use_mqtt(settings)

    def receive_event(self, event: Any, now: int) -> None:
        """What the mesh engine tells."""
        if isinstance(event, Received) and event.portnum == messages.TEXT_MESSAGE_APP:
            self.texts.append(event.payload)
        self.api.receive_event(event, now)

    def next_bytes(self, now: int) -> bytes:
        """Bytes for the client."""
        if self.silent:
            return b""
        out = b"".join(self._extra)
        self._extra = []
        return out + self._retold(self.api.next_bytes(4096))

    def _refuse(self, packet_id: int) -> None:
        status = {"res": self.refuse, "free": 16, "maxlen": 16, "mesh_packet_id": packet_id}
        self._say({"queueStatus": status})
        own = self.config.node_num
        payload = protobuf.encode(messages.ROUTING, {"error_reason": self.refuse})
        data = {"portnum": messages.ROUTING_APP, "payload": payload, "request_id": packet_id}
        self._say({"packet": {"from": own, "to": own, "id": 1 + self.rand(1 << 31), "decoded": data}})

    def _say(self, message: dict) -> None:
        self._extra.append(frame(protobuf.encode(messages.FROM_RADIO, message)))

    def _retold(self, data: bytes) -> bytes:
        """What the client API says, with the free places, the channels and the MQTT module of this test."""
        if (self.free is None and self.mqtt is None) or not data:
            return data
        out = b""
        for payload in Deframer().receive(data):
            message = mesh_pb2.FromRadio.FromString(payload)
            if message.HasField("queueStatus") and self.free is not None:
                message.queueStatus.free = self.free
            elif message.HasField("channel") and message.channel.index < len(self.config.channels):
                told = self.config.channels[message.channel.index]
                message.channel.settings.uplink_enabled = told.uplink
                message.channel.settings.downlink_enabled = told.downlink
            elif message.HasField("moduleConfig") and self.mqtt is not None:
                message.moduleConfig.mqtt.enabled = self.mqtt.enabled
                message.moduleConfig.mqtt.proxy_to_client_enabled = self.mqtt.proxy_to_client_enabled
                message.moduleConfig.mqtt.root = self.mqtt.root.decode() or "msh/EU_868"
            out += frame(message.SerializeToString())
        return out


class BakenEnd:
    """A Baken node with mesh, gossip, client API and link, as `baken.device.app` joins them; no display."""

    def __init__(self, region: Region, code: str, preset: int, seed: int, now: int) -> None:
        point = region.point(code)
        self.rand = random.Random(seed).randrange
        self.config = MeshConfig(
            point.node_num, code.encode(), code.encode()[:4], (region_channel(region),), preset=preset
        )
        self.node = MeshNode(self.config, self.rand)
        self.replica = Replica(region.trust, MemoryStore())
        hops = max(1, region.channel.hop_limit)
        airtime_ms = self.node.modem.airtime_ms
        self.gossip = gossip.Gossip(
            self.replica, gossip.settings_for(airtime_ms, hops), airtime_ms, self.rand, now
        )
        self.api = ClientApi(self.node, DeviceInfo(bytes(16)), self.rand)
        self.link = LinkSession(self.replica, self.gossip.publish)
        self._limit_db = modem.snr_limit_db(self.node.modem.spreading_factor)
        self._is_open = False
        self._pending: bytes | None = None
        self._queued: dict = {}
        self.served_heard: list[int] = []  # hop_start of each served frame heard

    def publish(self, raw: bytes, now: int) -> None:
        """A record made here."""
        self.gossip.publish(raw, NOON_S, now)

    def receive(self, data: bytes, now: int) -> None:
        """Bytes from the client."""
        self.api.receive_bytes(data, now)
        while (event := self.api.next_event(now)) is not None:
            if isinstance(event, ClientRecord):
                self.link.receive(event.payload, NOON_S, now)

    def receive_event(self, event: Any, now: int) -> None:
        """What the mesh engine tells."""
        if isinstance(event, Received) and event.portnum == PRIVATE_APP and event.channel == 0:
            if event.hop_limit == 0:
                self.served_heard.append(event.hop_start)
            self.gossip.receive(event.payload, event, event.snr_db - self._limit_db, NOON_S, now)
        else:
            self.api.receive_event(event, now)

    def run(self, now: int) -> None:
        """Carry out what gossip wants."""
        while (event := self.gossip.next_event(now)) is not None:
            if isinstance(event, events.Send):
                packet_id = self.node.send(
                    PRIVATE_APP,
                    event.payload,
                    now,
                    hop_limit=event.hop_limit,
                    hop_start=event.hop_start,
                    want_ack=event.flood,
                )
                self._queued[event.record_id] = packet_id
            elif isinstance(event, events.Refresh):
                self.node.relay_again(event.packet, event.hop_limit, event.hop_start, now)
            elif isinstance(event, events.HoldBack):
                self.node.hold_relay(event.packet.sender, event.packet.packet_id, event.until, now)
            elif isinstance(event, events.Withdraw) and event.record_id in self._queued:
                self.node.cancel(self._queued.pop(event.record_id))
            elif isinstance(event, events.Learned):
                self.link.offer(event.raw)

    def next_bytes(self, now: int) -> bytes:
        """Bytes for the client."""
        if self.api.client_ready != self._is_open:
            self._is_open = self.api.client_ready
            if self._is_open:
                self.link.open(now)
            else:
                self.link.close()
        while self._is_open:
            self._pending = self._pending or self.link.next_payload(now)
            if self._pending is None or not self.api.client_record(self._pending):
                break
            self._pending = None
        return self.api.next_bytes(4096)


class Air:
    """Ends joined by an ether in virtual time, stepwise: half duplex, a busy channel is waited for, and
    frames that overlap at a receiver are lost there. `deaf` holds pairs (sender, receiver) that do not reach.
    """

    def __init__(self, ends: list, now: int = 1_000_000) -> None:
        self.ends = ends
        self.now = now
        self.frames: list[tuple[int, int, bytes]] = []
        self.deaf: set[tuple[int, int]] = set()
        self._flying: list[list] = []  # [end ms, sender, frame, receivers that miss it]

    def sent(self, position: int) -> list[bytes]:
        """Frames an end put on the air."""
        return [sent for _, sender, sent in self.frames if sender == position]

    def step(self, ms: int) -> None:
        """Let this much time pass at once."""
        self.now += ms
        landed = [flight for flight in self._flying if flight[0] <= self.now]
        self._flying = [flight for flight in self._flying if flight[0] > self.now]
        for _, sender, sent, missing in landed:
            self.ends[sender].node.transmitted(self.now)
            for position, end in enumerate(self.ends):
                if position != sender and (sender, position) not in self.deaf and position not in missing:
                    end.node.receive_frame(sent, -90, 5.0, self.now)
        for position, end in enumerate(self.ends):
            if isinstance(end, BakenEnd):
                end.run(self.now)
            while (event := end.node.next_event(self.now)) is not None:
                if isinstance(event, Transmit):
                    self._try(position, event)
                else:
                    end.receive_event(event, self.now)

    def _try(self, position: int, event: Transmit) -> None:
        heard = [flight for flight in self._flying if (flight[1], position) not in self.deaf]
        if heard:
            self.ends[position].node.channel_busy(self.now)
            return
        missing: set[int] = set()
        for flight in self._flying:
            both = {
                receiver
                for receiver in range(len(self.ends))
                if (position, receiver) not in self.deaf and (flight[1], receiver) not in self.deaf
            }
            flight[3] |= both | {position}
            missing |= both | {flight[1]}
        self.frames.append((self.now, position, event.frame))
        self._flying.append([self.now + event.airtime_ms, position, event.frame, missing])
