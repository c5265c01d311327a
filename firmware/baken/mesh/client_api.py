"""The device side of Meshtastic's serial client API: ToRadio in, FromRadio out, as bytes.

    api.receive_bytes(data, now)                 what came in on the serial port
    port.write(api.next_bytes(limit))            what is to go out; b"" when there is nothing
    api.receive_event(event, now)                every event of the MeshNode but Transmit
    while (event := api.next_event(now)) is not None: ...            an `events.Event`
    sleep_until(api.deadline())                  None: nothing scheduled

It is silent until the first frame of a client. Packets of PRIVATE_APP that the client sends to our own number
are the link between its replica and ours: they come out as ClientRecord and do not go on the air.

A node in the field mostly has no client, so what serves one is loaded when it comes: `client_requests` takes
what it wants, `client_config` tells it who we are, `client_admin` serves its settings.
"""

from baken.compat import const
from baken.mesh.events import Acknowledged, GaveUp, KeyConflict, Received, Undecryptable
from baken.mesh.preferences import Preferences, unload_rules
from baken.wire import protobuf
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import (
    ADMIN_APP,
    ALERT_APP,
    ERROR_DUTY_CYCLE_LIMIT,
    FROM_RADIO,
    LEVEL_WARNING,
    PRIORITY_ACK,
    PRIVATE_APP,
    RANGE_TEST_APP,
    ROUTING,
    ROUTING_APP,
    TEXT_MESSAGE_APP,
    TO_RADIO,
)
from baken.wire.packet import BROADCAST
from baken.wire.record import Record

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from baken.mesh.client_admin import Administration
    from baken.mesh.events import Event, NodeSeen
    from baken.mesh.node import MeshNode

MAX_PACKETS = const(32)
# Bytes of the texts that wait for a client; the node's own display has more of them.
MAX_WAITING = const(2048)
MAX_REPLIES = const(24)
MAX_EVENTS = const(16)
MAX_ASKED = const(20)
_IDLE_MS = const(900_000)
_QUEUE_SIZE = const(16)


class DeviceInfo(Record):
    """What the hardware has to say: bytes for texts, `device_id` 16 bytes."""

    __slots__ = ("device_id", "firmware_version", "has_bluetooth", "has_wifi", "pio_env", "reboot_count")

    def __init__(
        self,
        device_id: bytes = b"",
        firmware_version: bytes = b"2.7.26.baken",
        pio_env: bytes = b"baken",
        reboot_count: int = 0,
        has_wifi: bool = False,
        has_bluetooth: bool = False,
    ) -> None:
        self.device_id = device_id
        self.firmware_version = firmware_version
        self.pio_env = pio_env
        self.reboot_count = reboot_count
        self.has_wifi = has_wifi
        self.has_bluetooth = has_bluetooth


class ClientApi:
    """One client at a time on one byte stream.

    The owner keeps `unix_s` and `battery_percent` up to date; None is unknown. `counters` counts what was
    lost or not served, by name. Without `preferences`, settings last as long as this object.
    """

    def __init__(
        self,
        node: "MeshNode",
        device: "DeviceInfo",
        rand: "Callable[[int], int]",
        preferences: "Preferences | None" = None,
    ) -> None:
        self.node = node
        self.device = device
        self.preferences = Preferences(node.config) if preferences is None else preferences
        self.unix_s: "int | None" = None
        self.battery_percent: "int | None" = None
        self.counters = {}
        self.now = 0
        self._rand = rand
        # Loaded when there is a client, or an administrator by radio.
        self._admin = None
        self._requests = None
        self._deframer = None
        self._open = False
        self._configured = False
        self._startup = None
        self._partial = b""  # rest of a frame of which a part has been handed out
        self._replies = []
        self._packets = []  # FromRadio messages from the mesh and from our replica
        self._events = []
        self._asked = []  # those whose fate the client wants to know
        self._next_id = rand(0x7FFFFFFF) + 1
        self._told_free = _QUEUE_SIZE
        self._heard_at = 0
        self._greeted = False  # a client has asked for our settings since the start
        self._number = 0  # of the last FromRadio
        self._logging = None  # whether the client wants our log; None: look it up

    @property
    def client_ready(self) -> bool:
        """Whether a client is attached and has been told our settings."""
        return self._open and self._configured

    # From the client

    def receive_bytes(self, data: bytes, now: int) -> None:
        """Take what came in on the line, cut anywhere."""
        self.now = now
        if self._deframer is None:
            from baken.wire.stream import Deframer

            self._deframer = Deframer()
        for payload in self._deframer.receive(data):
            try:
                message = protobuf.decode(TO_RADIO, payload)
            except RemoteProtocolError as error:
                self.count(error.cause)
                continue
            self._open = True
            self._heard_at = now
            if not self._greeted and message and "want_config_id" not in message:
                # It goes on with a session of before our restart: let it ask for our settings again.
                self._greeted = True
                self.reply(protobuf.encode(FROM_RADIO, {"rebooted": True}))
            self._receive(message, now)

    def _receive(self, message: dict, now: int) -> None:
        if self._requests is None:
            from baken.mesh.client_requests import Requests

            self._requests = Requests(self)
        self._requests.receive(message, now)

    # From the mesh

    def receive_event(
        self, event: "Received | Undecryptable | Acknowledged | GaveUp | KeyConflict | NodeSeen", now: int
    ) -> None:
        """Take an event of the MeshNode; what concerns the client is passed on."""
        self.now = now
        if isinstance(event, Received):
            self._receive_from_mesh(event, now)
        elif isinstance(event, Acknowledged):
            if self._take_asked(event.packet_id):
                self.reply_routing(0, event.packet_id)
        elif isinstance(event, GaveUp):
            if self._take_asked(event.packet_id):
                self.reply_routing(event.error, event.packet_id)
            if event.error == ERROR_DUTY_CYCLE_LIMIT:
                limit = self.node.config.duty_permille() / 10
                self.notify(
                    f"zendtijd op, grens {limit:g} % per uur / out of airtime, limit {limit:g} % of an hour",
                    LEVEL_WARNING,
                    event.packet_id,
                )
        elif isinstance(event, KeyConflict):
            if event.own_key:
                text = f"knoop !{event.num:08x} heeft onze sleutel / has our key: messages to us can be read"
            else:
                text = f"knoop !{event.num:08x} meldt een andere sleutel / announces another key: not trusted"
            self.notify(text)
        elif isinstance(event, Undecryptable):
            if self._open and len(self._packets) < MAX_PACKETS:
                self._packets.append(_messages().heard(event, self.unix_s or 0))

    def _receive_from_mesh(self, event: Received, now: int) -> None:
        own = self.node.config.node_num
        if event.to not in (BROADCAST, own):
            return
        if event.portnum == ADMIN_APP and event.to == own:
            admin = self.administration()
            admin.client_attached = self._open
            if admin.receive_remote(event, now):
                admin.notices.clear()  # they are for the one who asked, who got the error
                return
        is_text = event.portnum in (TEXT_MESSAGE_APP, ALERT_APP, RANGE_TEST_APP)
        if not self._open and not is_text:
            return  # a stock node keeps these too; here the memory is needed for records
        if event.portnum == ROUTING_APP:
            self._take_asked(event.data.get("request_id", 0))
        if len(self._packets) >= MAX_PACKETS:
            self.count("packets-dropped")
            if not is_text:
                return
            self._packets.pop(0)
        key = self.node.nodes.public_key(event.sender) if event.pki else b""
        self._packets.append(_messages().heard(event, self.unix_s or 0, key))
        while not self._open and sum([len(packet) for packet in self._packets]) > MAX_WAITING:
            self.count("packets-dropped")
            self._packets.pop(0)

    # For the user of the client

    def notify(self, text: str, level: int = LEVEL_WARNING, reply_id: int = 0) -> None:
        """Show the client's user a sentence, Dutch first; `reply_id`: about which packet of his."""
        if self._open:
            self.reply(_messages().notification(text, level, self.unix_s or 0, reply_id))

    def log(self, line: bytes) -> None:
        """Pass a line of the log on to a client that wants it (security.debug_log_api_enabled)."""
        if not self.client_ready or len(self._packets) >= MAX_PACKETS:
            return
        if self._logging is None:
            self._logging = self.preferences.wants_log()
        if self._logging:
            self._packets.append(_messages().log_record(line, self.unix_s or 0))

    def client_record(self, payload: bytes) -> bool:
        """Send one record up to the client; False when there is no client or no room: try again later."""
        if not self.client_ready or len(self._packets) >= MAX_PACKETS:
            return False
        self._packets.append(self._local(PRIVATE_APP, payload, 0))
        return True

    # To the client

    def next_bytes(self, limit: int) -> bytes:
        """Up to `limit` bytes for the line; b"" when there is nothing to say."""
        out = bytearray()
        while len(out) < limit:
            if not self._partial:
                message = self._next_message()
                if message is None:
                    break
                self._number = self._number % 0xFFFFFFFF + 1
                self._partial = _messages().line_frame(message, self._number)
            room = limit - len(out)
            out.extend(self._partial[:room])
            self._partial = self._partial[room:]
        return bytes(out)

    def _next_message(self) -> "bytes | None":
        if not self._open:
            return None
        if self._startup is not None:
            try:
                return next(self._startup)
            except StopIteration:
                self._startup = None
                self._configured = True
                unload_rules()
        if self._replies:
            return self._replies.pop(0)
        if self._told_free == 0 and self.node.free_places():
            self.reply_queue_status(0, 0)
            return self._replies.pop(0)
        if self._packets:
            return self._packets.pop(0)
        if self.node.envelopes is not None and self._startup is None:
            uplink = self.node.envelopes.next_uplink()
            if uplink is not None:
                proxied = {"topic": uplink[0], "data": uplink[1]}
                return protobuf.encode(FROM_RADIO, {"mqttClientProxyMessage": proxied})
        return None

    def next_event(self, now: int) -> "Event | None":
        """What the client, or an administrator by radio, wants of the device; call until None."""
        self.now = now
        if self._open and now - self._heard_at > _IDLE_MS:
            self.count("idle")
            self.close()
        if self._events:
            return self._events.pop(0)
        event = None if self._admin is None else self._admin.next_event(now)
        if event is not None:
            self._logging = None
        return event

    def deadline(self) -> "int | None":
        """When `next_event` has something that nobody brings; None: nothing is scheduled."""
        return None if self._admin is None else self._admin.deadline()

    # For those who serve the client: `client_requests`, `client_admin`

    def administration(self) -> "Administration":
        """What serves settings, loaded at the first question for one."""
        if self._admin is None:
            from baken.mesh.client_admin import Administration

            self._admin = Administration(self.node, self.device, self._rand, self.preferences)
        return self._admin

    def start_up(self, nonce: int) -> None:
        """Answer want_config_id: from now on the client is told all that `nonce` asks for."""
        from baken.mesh.client_config import startup

        self._replies = []
        self._configured = False
        self._greeted = True
        self._startup = startup(self, nonce)

    def ask(self, packet_id: int) -> None:
        """The client wants to know what becomes of its packet."""
        self._asked.append(packet_id)
        if len(self._asked) > MAX_ASKED:
            self._asked.pop(0)

    def close(self) -> None:
        """The client has gone."""
        self._open = False
        self._configured = False
        self._startup = None
        self._replies = []
        self._asked = []
        self._told_free = _QUEUE_SIZE
        if self._admin is not None:
            self._admin.client_left()

    def reply_queue_status(self, error: int, packet_id: int) -> None:
        """Tell what became of a packet of the client, and how many more there is room for."""
        self._told_free = self.node.free_places()
        status = {"res": error, "free": self._told_free, "maxlen": _QUEUE_SIZE, "mesh_packet_id": packet_id}
        self.reply(protobuf.encode(FROM_RADIO, {"queueStatus": status}))

    def reply_routing(self, error: int, request_id: int) -> None:
        """Answer a packet of the client with a Routing.Error."""
        self.reply_local(ROUTING_APP, protobuf.encode(ROUTING, {"error_reason": error}), request_id)

    def reply_local(self, portnum: int, payload: bytes, request_id: int) -> None:
        """Answer a packet that the client sent to this node itself."""
        self.reply(self._local(portnum, payload, request_id))

    def _local(self, portnum: int, payload: bytes, request_id: int) -> bytes:
        """A packet from ourselves to ourselves, which has not been on the air."""
        own = self.node.config.node_num
        self._next_id = self._next_id % 0xFFFFFFFF + 1
        data = {"portnum": portnum, "payload": payload, "request_id": request_id}
        packet = {"from": own, "to": own, "decoded": data, "id": self._next_id, "rx_time": self.unix_s or 0}
        if portnum == ROUTING_APP:
            packet["priority"] = PRIORITY_ACK
        return protobuf.encode(FROM_RADIO, {"packet": packet})

    def reply(self, message: bytes) -> None:
        """Let a FromRadio go out before what the mesh brings."""
        if len(self._replies) >= MAX_REPLIES:
            self._replies.pop(0)
            self.count("replies-dropped")
        self._replies.append(message)

    def _take_asked(self, packet_id: int) -> bool:
        if packet_id not in self._asked:
            return False
        self._asked.remove(packet_id)
        return True

    def tell(self, event: "Event") -> None:
        """Let `next_event` give this."""
        if len(self._events) >= MAX_EVENTS:
            self._events.pop(0)
            self.count("events-dropped")
        self._events.append(event)

    def count(self, cause: str) -> None:
        """One more of this in `counters`."""
        self.counters[cause] = self.counters.get(cause, 0) + 1


def _messages():
    # A node without a client needs them for nothing but texts that wait for one.
    from baken.mesh import client_packets

    return client_packets
