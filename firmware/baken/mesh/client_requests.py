"""What an attached client asks of the node: to send its packets, to answer its own, to obey and to start up.

Loaded with the first message of a client: a node in the field mostly has none.
"""

from baken.compat import const
from baken.mesh.client_packets import no_files
from baken.mesh.events import ClientRecord, ClientText
from baken.wire import protobuf
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.messages import (
    ADMIN_APP,
    ALERT_APP,
    ERROR_BAD_REQUEST,
    ERROR_NO_CHANNEL,
    ERROR_NO_RESPONSE,
    ERROR_PKI_SEND_FAIL_PUBLIC_KEY,
    ERROR_RATE_LIMIT_EXCEEDED,
    ERROR_TOO_LARGE,
    LEVEL_ERROR,
    LEVEL_WARNING,
    NODEINFO_APP,
    POSITION_APP,
    PRIVATE_APP,
    TELEMETRY_APP,
    TEXT_MESSAGE_APP,
    TRACEROUTE_APP,
    USER,
    WAYPOINT_APP,
)
from baken.wire.packet import BROADCAST

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.client_api import ClientApi

_MAX_IDS = const(20)
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


class Requests:
    """Serves the ToRadio messages of `api`'s client."""

    def __init__(self, api: "ClientApi") -> None:
        self._api = api
        self._node = api.node
        self._ids = []  # of the client's last packets
        self._limited = {}  # portnum: when it was last sent

    def receive(self, message: dict, now: int) -> None:
        """Serve one decoded ToRadio."""
        api = self._api
        if "packet" in message:
            self._receive_packet(message["packet"], now)
        elif "want_config_id" in message:
            api.start_up(message["want_config_id"])
        elif "heartbeat" in message:
            if message["heartbeat"].get("nonce", 0) == 1:
                api.node.announce(now)
            else:
                api.reply_queue_status(0, 0)
        elif "mqttClientProxyMessage" in message and api.node.envelopes is not None:
            proxied = message["mqttClientProxyMessage"]
            api.node.envelopes.downlink(proxied.get("topic", b""), proxied.get("data", b""), now)
        elif message.get("disconnect"):
            api.close()
        elif "xmodemPacket" in message:
            try:
                api.reply(no_files(message["xmodemPacket"]))
            except RemoteProtocolError as error:
                api.count(error.cause)
        elif message:
            api.count("not-served")

    def _receive_packet(self, packet: dict, now: int) -> None:
        packet_id = packet.get("id", 0)
        data = packet.get("decoded")
        if data is None or not data.get("portnum"):
            self._api.reply_queue_status(ERROR_BAD_REQUEST, packet_id)
            return
        if packet_id:
            if packet_id in self._ids:
                self._api.count("repeated")
                self._api.reply_queue_status(0, packet_id)
                return
            self._ids.append(packet_id)
            if len(self._ids) > _MAX_IDS:
                self._ids.pop(0)
        if packet.get("to", 0) == self._node.config.node_num:
            self._api.reply_queue_status(0, packet_id)
            self._receive_local(packet, data, packet_id, now)
            return
        if self._is_too_often(data["portnum"], now):
            self._api.count("rate-limit")
            self._api.reply_queue_status(0, packet_id)
            if data["portnum"] == TEXT_MESSAGE_APP:
                self._api.reply_routing(ERROR_RATE_LIMIT_EXCEEDED, packet_id)
            return
        error = self._send(packet, data, packet_id, now)
        self._api.reply_queue_status(error, packet_id)
        if error:
            self._api.count("refused")
            self._api.reply_routing(error, packet_id)

    def _receive_local(self, packet: dict, data: dict, packet_id: int, now: int) -> None:
        portnum = data["portnum"]
        if portnum == ADMIN_APP:
            self._receive_admin(data, packet_id, now)
            return
        error = 0
        if portnum == PRIVATE_APP:
            self._api.tell(ClientRecord(data.get("payload", b"")))
        elif portnum == NODEINFO_APP and data.get("want_response"):
            self._api.reply_local(portnum, protobuf.encode(USER, self._node.config.user()), packet_id)
        else:
            self._api.count("to-ourselves")
            if data.get("want_response"):
                error = ERROR_NO_RESPONSE
        if error or packet.get("want_ack"):
            self._api.reply_routing(error, packet_id)

    def _receive_admin(self, data: dict, packet_id: int, now: int) -> None:
        admin = self._api.administration()
        admin.client_attached = True
        answer, error = admin.receive(data.get("payload", b""), now)
        for text in admin.notices:  # before the error, with which many clients leave
            self._api.notify(text, LEVEL_WARNING, packet_id)
        admin.notices.clear()
        if answer is None:
            self._api.reply_routing(error, packet_id)
        else:
            self._api.reply_local(ADMIN_APP, answer, packet_id)

    def _send(self, packet: dict, data: dict, packet_id: int, now: int) -> int:
        """Hand a packet to the mesh under our own number; gives a Routing.Error."""
        to = packet.get("to", 0)
        hop_limit = packet.get("hop_limit", 0)
        want_ack = packet.get("want_ack", False)
        channel = packet.get("channel", 0)
        pki = True if packet.get("pki_encrypted") else None
        if pki and not self._has_key(to):
            # Clients ask for it with all administration; the older way, a channel named admin, needs no key.
            if data["portnum"] != ADMIN_APP or not self._node.config.is_admin_channel(channel):
                return ERROR_PKI_SEND_FAIL_PUBLIC_KEY
            pki = False
        if data["portnum"] == TRACEROUTE_APP and to == BROADCAST and hop_limit > 0:
            return ERROR_BAD_REQUEST
        try:
            packet_id = self._node.send(
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
            self._api.ask(packet_id)
        if data["portnum"] in (TEXT_MESSAGE_APP, ALERT_APP):
            own = self._node.config.node_num
            payload = data.get("payload", b"")
            self._api.tell(ClientText(own, to, packet_id, packet.get("channel", 0), data["portnum"], payload))
        return 0

    def _has_key(self, num: int) -> bool:
        known = self._node.nodes.get(num)
        return known is not None and bool((known.user or {}).get("public_key"))

    def _explain(self, error: LocalProtocolError, data: dict, packet_id: int) -> None:
        text = "niet verzonden / not sent: " + str(error)
        if error.cause == "too-large" and data["portnum"] == TEXT_MESSAGE_APP:
            size = len(data.get("payload", b""))
            if size > _MAX_TEXT:  # a shorter one has more in its envelope, and the error says how much
                text = f"tekst is {size} bytes, grens {_MAX_TEXT} / text is {size} bytes, limit {_MAX_TEXT}"
        self._api.notify(text, LEVEL_ERROR, packet_id)

    def _is_too_often(self, portnum: int, now: int) -> bool:
        pause_ms = _RATE_LIMITS_MS.get(portnum)
        if pause_ms is None:
            return False
        last = self._limited.get(portnum)
        if last is not None and now - last < pause_ms:
            return True
        self._limited[portnum] = now
        return False
