"""Our side of a node's serial client API (Meshtastic's): its replica and ours bring each other up to date.

    port opened -> wake bytes -> want_config -> my_info, metadata, channels, config, node_info ...
    config_complete_id -> packets from our own node number to our own node number on port PRIVATE_APP: what
    LinkSessions say

No input or output here: `receive` takes bytes, `next_bytes` gives bytes, `deadline` says when to ask again.
A heartbeat each minute makes the node answer; when it does not, `is_dead` turns true and the owner opens
the port anew. A node that says it has rebooted is asked for its configuration again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from meshtastic.protobuf import mesh_pb2, portnums_pb2

from baken.noticeboard.link import PERIOD_MS, LinkSession
from baken.noticeboard.replica import NEW
from baken.wire.stream import Deframer, frame
from baken_gateway.text_desk import TextDesk

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
UNANSWERED_LIMIT_MS = 5_000
MAX_NODES = 250
MAX_LINES = 50

CLOSED = "closed"
STARTING = "starting"
READY = "ready"

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
    """`link`: LinkSession of our replica; `rand(n)`: a number in [0, n); `texts`: for text messages.

    `state`: CLOSED, STARTING or READY; `node_num` is None until the node has told it; `nodes`: {number:
    HeardNode}; `firmware`: its version; `counters`: {cause: count} of what was wrong on the line.
    """

    def __init__(self, link: LinkSession, rand: Callable[[int], int], texts: TextDesk | None = None) -> None:
        self.link = link
        self.texts = texts
        self._unix_s: int | None = None
        self.state = CLOSED
        self.node_num: int | None = None
        self.firmware = ""
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
        self.link.close()
        self._out = []
        self._start_at = self._asked_at = self._link_heard_at = None

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

    def offer(self, raw: bytes) -> None:
        """A record that is new here from elsewhere: give it to the node."""
        self.link.offer(raw)

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
        if self._out:
            return self._out.pop(0)
        if self.state == READY and self._may_send(now):
            text = self.texts.next_packet(self._unix_s, now) if self.texts else None
            if text is not None:
                self._unanswered += 1
                self._sent_at = now
                return frame(mesh_pb2.ToRadio(packet=text).SerializeToString())
            payload = self.link.next_payload(now)
            if payload is not None:
                self._unanswered += 1
                self._sent_at = now
                return self._packet(payload)
        return None

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
            link = self.link.deadline()
            text = self.texts.node_deadline() if self.texts else None
            if text is not None:
                link = text if link is None else min(link, text)
            if link is not None:
                blocked = self._unanswered >= MAX_UNANSWERED or self._free <= 0
                due.append(max(link, self._sent_at + UNANSWERED_LIMIT_MS) if blocked else link)
        return min(due)

    # --- inside

    def _begin(self, now: int, wake: bool) -> None:
        self.state = STARTING
        self.link.close()
        self._out = [WAKE] if wake else []
        self._start_at = now + (WAKE_PAUSE_MS if wake else 0)
        self._free, self._unanswered = 1, 0
        self._asked_at = self._link_heard_at = None

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

    def _may_send(self, now: int) -> bool:
        if self._unanswered < MAX_UNANSWERED and self._free > 0:
            return True
        if now - self._sent_at < UNANSWERED_LIMIT_MS:
            return False
        # An answer was lost, or the node has said that it is full and nothing since: try one.
        self._unanswered, self._free = 0, 1
        return True

    def _packet(self, payload: bytes) -> bytes:
        packet = mesh_pb2.MeshPacket(to=self.node_num or 0, id=1 + self._rand(0xFFFFFFFF))
        packet.decoded.portnum = PRIVATE_APP
        packet.decoded.payload = payload
        return frame(mesh_pb2.ToRadio(packet=packet).SerializeToString())

    def _send(self, message: mesh_pb2.ToRadio) -> None:
        self._out.append(frame(message.SerializeToString()))

    def _receive_message(self, message: mesh_pb2.FromRadio, unix_s: int | None, now: int) -> list[bytes]:
        kind = message.WhichOneof("payload_variant")
        if kind == "my_info":
            self.node_num = message.my_info.my_node_num
        elif kind == "metadata":
            self.firmware = message.metadata.firmware_version[:40]
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
                if self.texts and self.node_num is not None:
                    status = message.queueStatus
                    self.texts.receive_queue_status(
                        status.mesh_packet_id, status.res, self.node_num, unix_s, now
                    )
        elif kind == "channel":
            if self.texts:
                self.texts.receive_channel(message.channel.index, message.channel.settings.name)
        elif kind == "packet" and self.state == READY:
            return self._receive_packet(message.packet, unix_s, now)
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
        if self.texts:
            self.texts.node_opened()
        self.link.open(now)

    def _receive_packet(self, packet: mesh_pb2.MeshPacket, unix_s: int | None, now: int) -> list[bytes]:
        if self.texts and self.node_num is not None:
            self.texts.receive_packet(packet, self.node_num, self.nodes, unix_s, now)
        is_link = getattr(packet, "from") == packet.to == self.node_num
        if not is_link or packet.decoded.portnum != PRIVATE_APP:
            return []
        payload = packet.decoded.payload
        self._link_heard_at = now
        outcome = self.link.receive(payload, unix_s, now)
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
