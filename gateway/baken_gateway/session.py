"""Our side of a radio's serial client API (Meshtastic's), for Baken nodes and for any other radio.

    port opened -> wake bytes -> want_config -> my_info, metadata, channels, config, node_info ...
    config_complete_id -> packets from our own node number to our own node number on port PRIVATE_APP: what
    LinkSessions say, by which a Baken node's replica and ours bring each other up to date

A stock radio has no replica: it hands such a packet back or drops it. When nobody has answered in
STOCK_AFTER_MS, `stock_radio.StockRadio` gossips over it. The question is asked again every two minutes, and
an answer at any time makes it a Baken node again, so a wrong guess costs time, never a record.

No input or output here: `receive` takes bytes, `next_bytes` gives bytes, `deadline` says when to ask again.
A heartbeat each minute makes the node answer; when it does not, `is_dead` turns true and the owner opens
the port anew. A node that says it has rebooted is asked for its configuration again.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from meshtastic.protobuf import mesh_pb2, portnums_pb2

from baken.noticeboard.link import PERIOD_MS, LinkSession
from baken.noticeboard.replica import NEW
from baken.wire import protobuf
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import ERROR_MAX_RETRANSMIT, ERROR_NONE, ROUTING
from baken.wire.records import DIGEST, message_kind
from baken.wire.stream import Deframer, frame
from baken_gateway.meshtastic_mqtt import MqttProxy
from baken_gateway.stock_radio import RadioSettings, StockRadio
from baken_gateway.text_desk import TextDesk

ROUTING_APP = portnums_pb2.PortNum.ROUTING_APP
PRIVATE_APP = portnums_pb2.PortNum.PRIVATE_APP
WAKE = b"\xc3" * 32  # the second byte of a frame's start: what a parser in any state throws away
WAKE_PAUSE_MS = 100
START_PERIOD_MS = 10_000  # between two attempts to get the configuration
START_ATTEMPTS = 6
HEARTBEAT_MS = 60_000
ANSWER_LIMIT_MS = 20_000  # from a heartbeat to any byte from the node
FRAME_LIMIT_MS = 2_000  # of silence inside a frame: its rest does not come
LINK_LIMIT_MS = 3 * PERIOD_MS  # without a word from the node's replica
MAX_UNANSWERED = 4  # packets without their queueStatus
MAX_UNANSWERED_ON_AIR = 2
UNANSWERED_LIMIT_MS = 5_000
STOCK_AFTER_MS = 8_000  # without an answer to the first link digest
STOCK_AFTER_BAKEN_MS = 30_000  # the same for a device whose version says that it is a Baken node
MAX_LINK_IDS = 64
MAX_TAKEN = 256  # records of which is remembered that the device has taken them
MAX_NODES = 250
MAX_LINES = 50

CLOSED = "closed"
STARTING = "starting"
READY = "ready"

PROBING = "probing"
BAKEN = "baken"
STOCK = "stock"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeardNode:
    """What our node tells about itself or another one."""

    num: int
    long_name: str
    short_name: str
    snr_db: float
    last_heard_s: int
    hops_away: int | None
    battery_percent: int | None


class NodeSession:
    """`link`: LinkSession of our replica; `rand(n)`: a number in [0, n). `air`: what to do with a radio that
    is no Baken node, None: nothing. `proxy`: carries the radio's own MQTT messages, None: they are dropped.
    `texts`: what to do with text messages, None: nothing.

    `in_step`: a Baken node and we hold the same, since the last record was offered, too.
    `state`: CLOSED, STARTING or READY; `device`: PROBING, BAKEN or STOCK; `radio`: its settings; `node_num`
    is None until the node has told it; `nodes`: {number: HeardNode}; `firmware`: its version;
    `counters`: {cause: count} of what was wrong on the line.
    """

    def __init__(
        self,
        link: LinkSession,
        rand: Callable[[int], int],
        *,
        air: StockRadio | None = None,
        proxy: MqttProxy | None = None,
        texts: TextDesk | None = None,
    ) -> None:
        self.link = link
        self.air = air
        self.proxy = proxy
        self.texts = texts
        self._unix_s: int | None = None
        self.state = CLOSED
        self.device = PROBING
        self.in_step = False
        self.radio = RadioSettings()
        self.node_num: int | None = None
        self.firmware = ""
        self.hw_model = 0
        self.nodes: dict[int, HeardNode] = {}
        self.counters: dict[str, int] = {}
        self._rand = rand
        self._deframer = Deframer(MAX_LINES)
        self._out: list[bytes] = []
        self._config_id = 0
        self._start_at: int | None = None
        self._attempts = 0
        self._received_at = 0
        self._heartbeat_at = 0
        self._heartbeat_s = 0
        self._asked_at: int | None = None
        self._link_heard_at: int | None = None
        self._link_ids: list[int] = []
        self._on_way: dict[int, bytes] = {}
        self._taken: deque[bytes] = deque(maxlen=MAX_TAKEN)
        self._stock_at: int | None = None
        self._free = 1
        self._unanswered = 0
        self._sent_at = 0

    # --- the port

    def open(self, now: int) -> None:
        """The port is open (again): wake the node and ask who it is."""
        self.close()
        self._deframer = Deframer(MAX_LINES)
        self._received_at = now
        self._attempts = 0
        self._begin(now, wake=True)

    def close(self) -> None:
        """The port is gone."""
        self.state = CLOSED
        self._hang_up()
        self._out = []
        self._start_at = None

    def is_dead(self, now: int) -> bool:
        """True when the node does not answer any more: close the port and open it anew."""
        if self.state == STARTING and self._attempts >= START_ATTEMPTS:
            return self._start_at is not None and now >= self._start_at
        return self._asked_at is not None and now - self._asked_at >= ANSWER_LIMIT_MS

    # --- bytes

    def receive(self, data: bytes, unix_s: int | None, now: int) -> list[bytes]:
        """Take bytes from the port; the records that were new here. Never raises for what the bytes hold."""
        if self.state == CLOSED:
            return []
        self._received_at = now
        self._asked_at = None
        self._unix_s = unix_s
        if unix_s is not None and abs(unix_s - self._heartbeat_s) * 1000 >= HEARTBEAT_MS:
            # A node in an exercise may live faster than we do, and forgets a client that is silent for long.
            self._heartbeat_s = unix_s
            self._heartbeat_at = min(self._heartbeat_at, now)
        new: list[bytes] = []
        before = self._deframer.bad_starts
        for payload in self._deframer.receive(data):
            try:
                message = mesh_pb2.FromRadio.FromString(payload)
            except DecodeError:
                self._count("bad-protobuf")
                continue
            new += self._receive_message(message, unix_s, now)
        if self._deframer.bad_starts != before:
            self._count("bad-start", self._deframer.bad_starts - before)
        for line in self._deframer.take_lines():
            _log.debug("node: %s", line.decode(errors="replace"))
        return new

    def offer(self, raw: bytes, now: int) -> None:
        """A record that is new here from elsewhere: give it to the node, or to the air."""
        self.in_step = False
        if self.device != STOCK:
            self.link.offer(raw)
        if self.air is not None and self.device != BAKEN:
            self.air.offer(raw, now)

    def has_taken(self, raw: bytes) -> bool:
        """Whether the device has lately accepted this record: a Baken node to keep, a stock radio to send."""
        return raw in self._taken

    def next_bytes(self, now: int) -> bytes | None:
        """Bytes to write to the port, or None when nothing is due."""
        if self.state == CLOSED:
            return None
        if self._deframer.is_inside_frame() and now - self._received_at >= FRAME_LIMIT_MS:
            self._deframer.abandon_frame()
            self._count("cut-frame")
        if self._start_at is not None and now >= self._start_at and self._attempts < START_ATTEMPTS:
            self._ask_for_config(now)
        if self._link_heard_at is not None and now - self._link_heard_at >= LINK_LIMIT_MS:
            # It answers heartbeats, yet it has forgotten that we are its client: it must have rebooted.
            self._count("link-lost")
            self._attempts = 0
            self._begin(now, wake=True)
        if self.state == READY and now >= self._heartbeat_at:
            self._send_heartbeat(now)
        if self._stock_at is not None and now >= self._stock_at:
            self._begin_air(now)
        if self._out:
            return self._out.pop(0)
        if self.state != READY:
            return None
        if self.proxy is not None and (message := self.proxy.next_for_radio()) is not None:
            return frame(mesh_pb2.ToRadio(mqttClientProxyMessage=message).SerializeToString())
        packet = self._next_packet(now)
        if packet is None:
            return None
        self._unanswered += 1
        self._sent_at = now
        while len(self._on_way) >= MAX_UNANSWERED:
            del self._on_way[next(iter(self._on_way))]
        self._on_way[packet.id] = packet.decoded.payload
        return frame(mesh_pb2.ToRadio(packet=packet).SerializeToString())

    def deadline(self) -> int | None:
        """When to call `next_bytes` (and look at `is_dead`) though nothing came, ms; None while closed."""
        if self.state == CLOSED:
            return None
        if self._out:
            return 0
        due = []
        if self._start_at is not None:
            due.append(self._start_at)
        if self._asked_at is not None:
            due.append(self._asked_at + ANSWER_LIMIT_MS)
        if self._deframer.is_inside_frame():
            due.append(self._received_at + FRAME_LIMIT_MS)
        if self.state == READY:
            due.append(self._heartbeat_at)
            if self._link_heard_at is not None:
                due.append(self._link_heard_at + LINK_LIMIT_MS)
            if self._stock_at is not None:
                due.append(self._stock_at)
            if self.proxy is not None and self.proxy.has_for_radio:
                due.append(0)
            air = self.air.deadline() if self.air is not None else None
            text = self.texts.node_deadline() if self.texts is not None else None
            for at, limit in (
                (self.link.deadline(), MAX_UNANSWERED),
                (text, MAX_UNANSWERED),
                (air, MAX_UNANSWERED_ON_AIR),
            ):
                if at is not None:
                    blocked = self._unanswered >= limit or self._free <= 0
                    due.append(max(at, self._sent_at + UNANSWERED_LIMIT_MS) if blocked else at)
        return min(due)

    # --- inside

    def _begin(self, now: int, wake: bool) -> None:
        self.state = STARTING
        self._hang_up()
        self.radio = RadioSettings()
        self._out = [WAKE] if wake else []
        self._start_at = now + (WAKE_PAUSE_MS if wake else 0)
        self._free, self._unanswered = 1, 0

    def _hang_up(self) -> None:
        """Nothing of what was agreed with the radio counts any more."""
        self.link.close()
        if self.air is not None:
            self.air.close()
        if self.proxy is not None:
            self.proxy.close()
        self.device = PROBING
        self.in_step = False
        self._link_ids = []
        self._on_way = {}
        self._asked_at = self._link_heard_at = self._stock_at = None

    def _ask_for_config(self, now: int) -> None:
        self._attempts += 1
        if self._attempts > 1:
            self._out.append(WAKE)
        self._start_at = now + START_PERIOD_MS
        # 69420 and 69421 would get only part of the answer.
        self._config_id = 1 + self._rand(60_000)
        self._send(mesh_pb2.ToRadio(want_config_id=self._config_id))

    def _send_heartbeat(self, now: int) -> None:
        self._heartbeat_at = now + HEARTBEAT_MS
        if self._asked_at is None:
            self._asked_at = now
        self._send(mesh_pb2.ToRadio(heartbeat=mesh_pb2.Heartbeat()))

    def _answered(self, status: mesh_pb2.QueueStatus, unix_s: int | None, now: int) -> None:
        """The radio has taken or refused a packet of ours."""
        packet_id = status.mesh_packet_id
        payload = self._on_way.pop(packet_id, None)
        if payload is not None and status.res == 0:
            self._taken.append(payload)
        if self.air is not None:
            self.air.answered(packet_id, status.res, now)
        if self.texts is not None and self.node_num is not None:
            self.texts.receive_queue_status(packet_id, status.res, self.node_num, unix_s, now)

    def _next_packet(self, now: int) -> mesh_pb2.MeshPacket | None:
        if self._may_send(MAX_UNANSWERED, now):
            text = self.texts.next_packet(self._unix_s, now) if self.texts is not None else None
            if text is not None:
                return text
            payload = self.link.next_payload(now)
            if payload is not None:
                return self._link_packet(payload)
        if self.air is not None and self.device == STOCK and self._may_send(MAX_UNANSWERED_ON_AIR, now):
            return self.air.next_packet(now)
        return None

    def _may_send(self, limit: int, now: int) -> bool:
        if self._unanswered < limit and self._free > 0:
            return True
        if now - self._sent_at < UNANSWERED_LIMIT_MS:
            return False
        # An answer was lost, or the node has said that it is full and nothing since: try one.
        self._unanswered, self._free = 0, 1
        return True

    def _link_packet(self, payload: bytes) -> mesh_pb2.MeshPacket:
        packet = mesh_pb2.MeshPacket(to=self.node_num or 0, id=1 + self._rand(0xFFFFFFFF))
        packet.decoded.portnum = PRIVATE_APP
        packet.decoded.payload = payload
        self._link_ids = [*self._link_ids[1 - MAX_LINK_IDS :], packet.id]
        return packet

    def _begin_air(self, now: int) -> None:
        """Nobody answers for a replica: the radio is a stock one."""
        self._stock_at = None
        if self.air is None:
            return
        self.device = STOCK
        self.air.open(self.radio, self.node_num or 0, now)
        if self.air.problem is not None:
            _log.error("%s", self.air.problem)
        elif self.air.channel.psk is None:
            _log.info('channel "%s": its key is not known here, its name had to do', self.air.channel.name)

    def _send(self, message: mesh_pb2.ToRadio) -> None:
        self._out.append(frame(message.SerializeToString()))

    def _receive_message(self, message: mesh_pb2.FromRadio, unix_s: int | None, now: int) -> list[bytes]:
        kind = message.WhichOneof("payload_variant")
        if kind == "my_info":
            self.node_num = message.my_info.my_node_num
        elif kind == "metadata":
            self.firmware = message.metadata.firmware_version[:40]
            self.hw_model = message.metadata.hw_model
        elif kind in ("channel", "config", "moduleConfig"):
            self.radio.learn(message)
            if kind == "channel" and self.texts is not None:
                self.texts.receive_channel(message.channel.index, message.channel.settings.name)
        elif kind == "node_info":
            self._remember(message.node_info)
        elif kind == "config_complete_id":
            self._complete(message.config_complete_id, now)
        elif kind == "rebooted":
            self._count("rebooted")
            self._attempts = 0
            self._begin(now, wake=False)
        elif kind == "queueStatus":
            self._free = message.queueStatus.free
            if message.queueStatus.mesh_packet_id:
                self._unanswered = max(0, self._unanswered - 1)
                self._answered(message.queueStatus, unix_s, now)
        elif kind == "mqttClientProxyMessage" and self.proxy is not None:
            self.proxy.from_radio(message.mqttClientProxyMessage)
        elif kind == "packet" and self.state == READY:
            return self._receive_packet(message.packet, unix_s, now)
        elif kind == "packet" and self.texts is not None and message.packet.decoded.portnum != ROUTING_APP:
            # A radio that has not noticed that its last client went hands out the texts it kept for it as
            # soon as the port is open, before it hears our question, and only once.
            self.texts.receive_packet(message.packet, self.node_num or 0, self.nodes, unix_s, now)
        return []

    def _complete(self, config_id: int, now: int) -> None:
        if self.state != STARTING or config_id != self._config_id:
            return
        if self.node_num is None:
            self._count("no-my-info")
            return
        self.state = READY
        self._start_at = None
        self._heartbeat_at = now + HEARTBEAT_MS
        if self.texts is not None:
            self.texts.node_opened()
        self.link.open(now)
        says_baken = "baken" in self.firmware.lower()
        self._stock_at = now + (STOCK_AFTER_BAKEN_MS if says_baken else STOCK_AFTER_MS)
        if self.proxy is not None:
            self.proxy.open(self.radio, self.node_num)

    def _receive_packet(self, packet: mesh_pb2.MeshPacket, unix_s: int | None, now: int) -> list[bytes]:
        if self.texts is not None and self.node_num is not None:
            self.texts.receive_packet(packet, self.node_num, self.nodes, unix_s, now)
        is_own = getattr(packet, "from") == packet.to == self.node_num
        if packet.decoded.portnum != PRIVATE_APP:
            self._receive_other(packet, is_own, now)
        elif is_own:
            return self._receive_link(packet, unix_s, now)
        elif self.air is not None:
            self.air.receive(packet, unix_s, now)
            return self.air.take_learned()
        return []

    def _receive_other(self, packet: mesh_pb2.MeshPacket, is_own: bool, now: int) -> None:
        """A packet of any port but ours: only what becomes of our own packets matters here."""
        if packet.decoded.portnum != ROUTING_APP or self.air is None:
            return
        try:
            error = protobuf.decode(ROUTING, packet.decoded.payload).get("error_reason")
        except RemoteProtocolError:
            self._count("bad-routing")
            return
        if error in (ERROR_NONE, ERROR_MAX_RETRANSMIT):
            self.air.confirmed(packet.decoded.request_id)
        elif error is not None and is_own:
            self.air.answered(packet.decoded.request_id, error, now)

    def _receive_link(self, packet: mesh_pb2.MeshPacket, unix_s: int | None, now: int) -> list[bytes]:
        if packet.id in self._link_ids:
            self._count("link-echo")  # a stock radio hands back what we say to ourselves
            return []
        payload = packet.decoded.payload
        self._link_heard_at = now
        self._stock_at = None
        if self.device != BAKEN:
            self.device = BAKEN
            if self.air is not None:
                self.air.close()
                self.air.forget_kept()
                self.air.problem = None
        outcome = self.link.receive(payload, unix_s, now)
        if message_kind(payload) == DIGEST:
            self.in_step = self.link.in_step
        return [payload] if outcome is not None and outcome.state == NEW else []

    def _remember(self, info: mesh_pb2.NodeInfo) -> None:
        if info.num not in self.nodes and len(self.nodes) >= MAX_NODES:
            del self.nodes[min(self.nodes, key=lambda num: self.nodes[num].last_heard_s)]
        battery = info.device_metrics.battery_level if info.device_metrics.HasField("battery_level") else None
        self.nodes[info.num] = HeardNode(
            info.num,
            info.user.long_name[:40],
            info.user.short_name[:8],
            round(info.snr, 2),
            info.last_heard,
            info.hops_away if info.HasField("hops_away") else None,
            battery,
        )

    def _count(self, cause: str, times: int = 1) -> None:
        self.counters[cause] = self.counters.get(cause, 0) + times
