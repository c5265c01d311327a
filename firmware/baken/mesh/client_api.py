"""The device side of Meshtastic's serial client API: ToRadio in, FromRadio out, as bytes.

    api.receive_bytes(data, now)                 what came in on the serial port
    port.write(api.next_bytes(limit))            what is to go out; b"" when there is nothing
    api.receive_event(event, now)                every event of the MeshNode but Transmit
    while (event := api.next_event(now)) is not None: ...            an `events.Event`
    sleep_until(api.deadline())                  None: nothing scheduled

It is silent until the first frame of a client. Packets of PRIVATE_APP that the client sends to our own number
are the link between its replica and ours: they come out as ClientRecord and do not go on the air.
"""

from baken.compat import const
from baken.mesh.client_admin import Administration
from baken.mesh.client_config import startup
from baken.mesh.client_packets import heard, log_record, no_files, notification, numbered
from baken.mesh.events import (
    Acknowledged,
    ClientRecord,
    ClientText,
    GaveUp,
    KeyConflict,
    Received,
    Undecryptable,
)
from baken.mesh.preferences import Preferences
from baken.wire import protobuf, stream
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.messages import (
    ADMIN_APP,
    ALERT_APP,
    ERROR_BAD_REQUEST,
    ERROR_DUTY_CYCLE_LIMIT,
    ERROR_NO_CHANNEL,
    ERROR_NO_RESPONSE,
    ERROR_PKI_SEND_FAIL_PUBLIC_KEY,
    ERROR_RATE_LIMIT_EXCEEDED,
    ERROR_TOO_LARGE,
    FROM_RADIO,
    LEVEL_ERROR,
    LEVEL_WARNING,
    NODEINFO_APP,
    POSITION_APP,
    PRIORITY_ACK,
    PRIVATE_APP,
    RANGE_TEST_APP,
    ROUTING,
    ROUTING_APP,
    TELEMETRY_APP,
    TEXT_MESSAGE_APP,
    TO_RADIO,
    TRACEROUTE_APP,
    USER,
    WAYPOINT_APP,
)
from baken.wire.packet import BROADCAST

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from baken.mesh.client_config import DeviceInfo
    from baken.mesh.events import Event, NodeSeen
    from baken.mesh.node import MeshNode

MAX_PACKETS = const(32)
MAX_REPLIES = const(24)
MAX_EVENTS = const(16)
MAX_IDS = const(20)
_IDLE_MS = const(900_000)
_QUEUE_SIZE = const(16)
_MAX_TEXT = const(232)  # without reply_id or emoji; the Data message around it takes the other 7 bytes

# How long a client must wait before it sends the same again, as in stock firmware.
_RATE_LIMITS_MS = {
    TEXT_MESSAGE_APP: 2000,
    POSITION_APP: 10_000,
    TELEMETRY_APP: 10_000,
    WAYPOINT_APP: 10_000,
    ALERT_APP: 10_000,
    TRACEROUTE_APP: 30_000,
}

_SEND_ERRORS = {
    "too-large": ERROR_TOO_LARGE,
    "channel": ERROR_NO_CHANNEL,
    "no-key": ERROR_PKI_SEND_FAIL_PUBLIC_KEY,
}


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
        self._admin = Administration(node, device, rand, self.preferences)
        self._deframer = stream.Deframer()
        self._open = False
        self._configured = False
        self._startup = None
        self._partial = b""  # rest of a frame of which a part has been handed out
        self._replies = []
        self._packets = []  # FromRadio messages from the mesh and from our replica
        self._events = []
        self._ids = []  # of the client's last packets
        self._asked = []  # those whose fate the client wants to know
        self._limited = {}  # portnum: when it was last sent
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
        for payload in self._deframer.receive(data):
            try:
                message = protobuf.decode(TO_RADIO, payload)
            except RemoteProtocolError as error:
                self._count(error.cause)
                continue
            self._open = True
            self._heard_at = now
            if not self._greeted and message and "want_config_id" not in message:
                # It goes on with a session of before our restart: let it ask for our settings again.
                self._greeted = True
                self._reply(protobuf.encode(FROM_RADIO, {"rebooted": True}))
            self._receive(message, now)

    def _receive(self, message: dict, now: int) -> None:
        if "packet" in message:
            self._receive_packet(message["packet"], now)
        elif "want_config_id" in message:
            self._replies = []
            self._configured = False
            self._greeted = True
            self._startup = startup(self, message["want_config_id"])
        elif "heartbeat" in message:
            if message["heartbeat"].get("nonce", 0) == 1:
                self.node.announce(now)
            else:
                self._reply_queue_status(0, 0)
        elif "mqttClientProxyMessage" in message and self.node.envelopes is not None:
            proxied = message["mqttClientProxyMessage"]
            self.node.envelopes.downlink(proxied.get("topic", b""), proxied.get("data", b""), now)
        elif message.get("disconnect"):
            self._close()
        elif "xmodemPacket" in message:
            try:
                self._reply(no_files(message["xmodemPacket"]))
            except RemoteProtocolError as error:
                self._count(error.cause)
        elif message:
            self._count("not-served")

    def _receive_packet(self, packet: dict, now: int) -> None:
        packet_id = packet.get("id", 0)
        data = packet.get("decoded")
        if data is None or not data.get("portnum"):
            self._reply_queue_status(ERROR_BAD_REQUEST, packet_id)
            return
        if packet_id:
            if packet_id in self._ids:
                self._count("repeated")
                self._reply_queue_status(0, packet_id)
                return
            self._ids.append(packet_id)
            if len(self._ids) > MAX_IDS:
                self._ids.pop(0)
        if packet.get("to", 0) == self.node.config.node_num:
            self._reply_queue_status(0, packet_id)
            self._receive_local(packet, data, packet_id, now)
            return
        if self._is_too_often(data["portnum"], now):
            self._count("rate-limit")
            self._reply_queue_status(0, packet_id)
            if data["portnum"] == TEXT_MESSAGE_APP:
                self._reply_routing(ERROR_RATE_LIMIT_EXCEEDED, packet_id)
            return
        error = self._send(packet, data, packet_id, now)
        self._reply_queue_status(error, packet_id)
        if error:
            self._count("refused")
            self._reply_routing(error, packet_id)

    def _receive_local(self, packet: dict, data: dict, packet_id: int, now: int) -> None:
        portnum = data["portnum"]
        if portnum == ADMIN_APP:
            self._receive_admin(data, packet_id, now)
            return
        error = 0
        if portnum == PRIVATE_APP:
            self._tell(ClientRecord(data.get("payload", b"")))
        elif portnum == NODEINFO_APP and data.get("want_response"):
            self._reply_local(portnum, protobuf.encode(USER, self.node.config.user()), packet_id)
        else:
            self._count("to-ourselves")
            if data.get("want_response"):
                error = ERROR_NO_RESPONSE
        if error or packet.get("want_ack"):
            self._reply_routing(error, packet_id)

    def _receive_admin(self, data: dict, packet_id: int, now: int) -> None:
        self._admin.client_attached = True
        answer, error = self._admin.receive(data.get("payload", b""), now)
        for text in self._admin.notices:  # before the error, with which many clients leave
            self.notify(text, LEVEL_WARNING, packet_id)
        self._admin.notices.clear()
        if answer is None:
            self._reply_routing(error, packet_id)
        else:
            self._reply_local(ADMIN_APP, answer, packet_id)

    def _send(self, packet: dict, data: dict, packet_id: int, now: int) -> int:
        """Hand a packet to the mesh under our own number; gives a Routing.Error."""
        to = packet.get("to", 0)
        hop_limit = packet.get("hop_limit", 0)
        want_ack = packet.get("want_ack", False)
        channel = packet.get("channel", 0)
        pki = True if packet.get("pki_encrypted") else None
        if pki and not self._has_key(to):
            # Clients ask for it with all administration; the older way, a channel named admin, needs no key.
            if data["portnum"] != ADMIN_APP or not self.node.config.is_admin_channel(channel):
                return ERROR_PKI_SEND_FAIL_PUBLIC_KEY
            pki = False
        if data["portnum"] == TRACEROUTE_APP and to == BROADCAST and hop_limit > 0:
            return ERROR_BAD_REQUEST
        try:
            packet_id = self.node.send(
                data["portnum"],
                data.get("payload", b""),
                now,
                to=to,
                channel=channel,
                hop_limit=None if want_ack and hop_limit == 0 else hop_limit,
                want_ack=want_ack,
                request_id=data.get("request_id", 0),
                priority=packet.get("priority") or None,
                packet_id=packet_id,
                want_response=data.get("want_response", False),
                reply_id=data.get("reply_id", 0),
                emoji=data.get("emoji", 0),
                pki=pki,
            )
        except LocalProtocolError as error:
            self._explain(error, data, packet_id)
            return _SEND_ERRORS.get(error.cause, ERROR_BAD_REQUEST)
        if want_ack:
            self._asked.append(packet_id)
            if len(self._asked) > MAX_IDS:
                self._asked.pop(0)
        if data["portnum"] in (TEXT_MESSAGE_APP, ALERT_APP):
            own = self.node.config.node_num
            payload = data.get("payload", b"")
            self._tell(ClientText(own, to, packet_id, packet.get("channel", 0), data["portnum"], payload))
        return 0

    def _has_key(self, num: int) -> bool:
        known = self.node.nodes.get(num)
        return known is not None and bool((known.user or {}).get("public_key"))

    def _explain(self, error: LocalProtocolError, data: dict, packet_id: int) -> None:
        text = "niet verzonden / not sent: " + str(error)
        if error.cause == "too-large" and data["portnum"] == TEXT_MESSAGE_APP:
            size = len(data.get("payload", b""))
            if size > _MAX_TEXT:  # a shorter one has more in its envelope, and the error says how much
                text = f"tekst is {size} bytes, grens {_MAX_TEXT} / text is {size} bytes, limit {_MAX_TEXT}"
        self.notify(text, LEVEL_ERROR, packet_id)

    def _is_too_often(self, portnum: int, now: int) -> bool:
        pause_ms = _RATE_LIMITS_MS.get(portnum)
        if pause_ms is None:
            return False
        last = self._limited.get(portnum)
        if last is not None and now - last < pause_ms:
            return True
        self._limited[portnum] = now
        return False

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
                self._reply_routing(0, event.packet_id)
        elif isinstance(event, GaveUp):
            if self._take_asked(event.packet_id):
                self._reply_routing(event.error, event.packet_id)
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
                self._packets.append(heard(event, self.unix_s or 0))

    def _receive_from_mesh(self, event: Received, now: int) -> None:
        own = self.node.config.node_num
        if event.to not in (BROADCAST, own):
            return
        if event.portnum == ADMIN_APP and event.to == own:
            self._admin.client_attached = self._open
            if self._admin.receive_remote(event, now):
                self._admin.notices.clear()  # they are for the one who asked, who got the error
                return
        is_text = event.portnum in (TEXT_MESSAGE_APP, ALERT_APP, RANGE_TEST_APP)
        if not self._open and not is_text:
            return  # a stock node keeps these too; here the memory is needed for records
        if event.portnum == ROUTING_APP:
            self._take_asked(event.data.get("request_id", 0))
        if len(self._packets) >= MAX_PACKETS:
            self._count("packets-dropped")
            if not is_text:
                return
            self._packets.pop(0)
        key = self.node.nodes.public_key(event.sender) if event.pki else b""
        self._packets.append(heard(event, self.unix_s or 0, key))

    # For the user of the client

    def notify(self, text: str, level: int = LEVEL_WARNING, reply_id: int = 0) -> None:
        """Show the client's user a sentence, Dutch first; `reply_id`: about which packet of his."""
        if self._open:
            self._reply(notification(text, level, self.unix_s or 0, reply_id))

    def log(self, line: bytes) -> None:
        """Pass a line of the log on to a client that wants it (security.debug_log_api_enabled)."""
        if not self.client_ready or len(self._packets) >= MAX_PACKETS:
            return
        if self._logging is None:
            self._logging = self.preferences.wants_log()
        if self._logging:
            self._packets.append(log_record(line, self.unix_s or 0))

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
                self._partial = stream.frame(numbered(message, self._number))
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
        if self._replies:
            return self._replies.pop(0)
        if self._told_free == 0 and self.node.free_places():
            self._reply_queue_status(0, 0)
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
            self._count("idle")
            self._close()
        if self._events:
            return self._events.pop(0)
        event = self._admin.next_event(now)
        if event is not None:
            self._logging = None
        return event

    def deadline(self) -> "int | None":
        """When `next_event` has something that nobody brings; None: nothing is scheduled."""
        return self._admin.deadline()

    def _close(self) -> None:
        self._open = False
        self._configured = False
        self._startup = None
        self._replies = []
        self._asked = []
        self._told_free = _QUEUE_SIZE
        self._admin.client_left()

    def _reply_queue_status(self, error: int, packet_id: int) -> None:
        self._told_free = self.node.free_places()
        status = {"res": error, "free": self._told_free, "maxlen": _QUEUE_SIZE, "mesh_packet_id": packet_id}
        self._reply(protobuf.encode(FROM_RADIO, {"queueStatus": status}))

    def _reply_routing(self, error: int, request_id: int) -> None:
        self._reply_local(ROUTING_APP, protobuf.encode(ROUTING, {"error_reason": error}), request_id)

    def _reply_local(self, portnum: int, payload: bytes, request_id: int) -> None:
        self._reply(self._local(portnum, payload, request_id))

    def _local(self, portnum: int, payload: bytes, request_id: int) -> bytes:
        """A packet from ourselves to ourselves, which has not been on the air."""
        own = self.node.config.node_num
        self._next_id = self._next_id % 0xFFFFFFFF + 1
        data = {"portnum": portnum, "payload": payload, "request_id": request_id}
        packet = {"from": own, "to": own, "decoded": data, "id": self._next_id, "rx_time": self.unix_s or 0}
        if portnum == ROUTING_APP:
            packet["priority"] = PRIORITY_ACK
        return protobuf.encode(FROM_RADIO, {"packet": packet})

    def _reply(self, message: bytes) -> None:
        if len(self._replies) >= MAX_REPLIES:
            self._replies.pop(0)
            self._count("replies-dropped")
        self._replies.append(message)

    def _take_asked(self, packet_id: int) -> bool:
        if packet_id not in self._asked:
            return False
        self._asked.remove(packet_id)
        return True

    def _tell(self, event: "Event") -> None:
        if len(self._events) >= MAX_EVENTS:
            self._events.pop(0)
            self._count("events-dropped")
        self._events.append(event)

    def _count(self, cause: str) -> None:
        self.counters[cause] = self.counters.get(cause, 0) + 1
