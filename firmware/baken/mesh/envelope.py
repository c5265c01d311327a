"""Packets of our mesh to other meshes over MQTT and back, as Meshtastic's ServiceEnvelope.

    {root}/2/e/{channel name}/!{gateway}      packets of a channel with uplink enabled
    {root}/2/e/PKI/!{gateway}                 public-key packets, if any channel has it

A node has no network; messages travel through the attached client (mqttClientProxyMessage). Loaded only when
that is switched on.

Up: our own packets, and those of others that ask for it (ok_to_mqtt); nothing that came over MQTT. Down: what
a channel with downlink enabled can read, or what is sealed for us or between two nodes we know; never ADMIN,
never more than seven hops. Down-linked packets are then treated as if heard and relayed by radio, marked
via_mqtt; one that came with hop limit 0 stays here.
"""

from baken.compat import const
from baken.wire import packet as frames
from baken.wire import protobuf
from baken.wire.channel import crypt
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import ADMIN_APP, CHANNEL_DISABLED, DATA, MAX_PORT, MESH_PACKET, OK_TO_MQTT
from baken.wire.packet import BROADCAST, MAX_HOPS, MAX_PAYLOAD, Packet

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.config import MqttSettings
    from baken.mesh.node import MeshNode
    from baken.mesh.opening import Opened

MAX_UPLINKS = const(16)  # messages that wait for the client
MAX_TOPIC = const(60)
MAX_ENVELOPE = const(435)
PKI = b"PKI"

SERVICE_ENVELOPE = (
    (1, "packet", "message", MESH_PACKET),
    (2, "channel_id", "bytes"),
    (3, "gateway_id", "bytes"),
)


class Envelopes:
    """The MQTT rules of one node; what is dropped is counted in the node's counters, by cause."""

    def __init__(self, node: "MeshNode", settings: "MqttSettings") -> None:
        self._node = node
        self._settings = settings
        self._uplinks = []

    # Up

    def heard(self, header: Packet, opened: "Opened | None", rssi_dbm: int, snr_db: float) -> None:
        """A packet of another node, once for each."""
        message = self.uplink(header, opened)
        if message is not None:
            message["rx_rssi"] = rssi_dbm
            message["rx_snr"] = snr_db
            self._queue(message, opened is None or opened.pki, opened.channel if opened else 0)

    def sent(self, frame: bytes, data: dict, channel: int) -> None:
        """A packet of our own."""
        header = frames.decode(frame)
        is_pki = header.channel_hash == 0 and header.to != BROADCAST
        if self._has_uplink(channel, is_pki):
            self._queue(self._message(header, data, channel, is_pki), is_pki, channel)

    def uplink(self, header: Packet, opened: "Opened | None") -> "dict | None":
        """The MeshPacket to publish for another node's packet, None where a rule forbids it."""
        if header.via_mqtt:
            return None
        if opened is None:
            # Sealed for somebody else: nobody but those two can tell, so the seal has to stay on.
            is_sealed = header.channel_hash == 0 and header.to not in (BROADCAST, self._node.config.node_num)
            if not is_sealed or not self._settings.encryption_enabled or not self._has_uplink(0, True):
                return None
            return self._message(header, None, 0, True)
        if not opened.data.get("bitfield", 0) & OK_TO_MQTT or not self._has_uplink(
            opened.channel, opened.pki
        ):
            return None
        return self._message(header, opened.data, opened.channel, opened.pki)

    def next_uplink(self) -> "tuple[bytes, bytes] | None":
        """(topic, payload) for the client to publish, or None."""
        return self._uplinks.pop(0) if self._uplinks else None

    def _message(self, header: Packet, data: "dict | None", channel: int, is_pki: bool) -> dict:
        message = {
            "from": header.sender,
            "to": header.to,
            "id": header.id,
            "hop_limit": header.hop_limit,
            "hop_start": header.hop_start,
            "want_ack": header.want_ack,
            "next_hop": header.next_hop,
            "relay_node": header.relay_node,
        }
        if is_pki:
            message["pki_encrypted"] = True
        if self._settings.encryption_enabled or data is None:
            message["channel"] = header.channel_hash
            message["encrypted"] = header.payload
        else:
            message["channel"] = channel
            message["decoded"] = data
        return message

    def _queue(self, message: dict, is_pki: bool, channel: int) -> None:
        gateway = b"!%08x" % self._node.config.node_num
        name = PKI if is_pki else self._name(channel)
        topic = self._root() + b"/2/e/" + name + b"/" + gateway
        envelope = {"packet": message, "channel_id": name, "gateway_id": gateway}
        payload = protobuf.encode(SERVICE_ENVELOPE, envelope)
        if len(topic) > MAX_TOPIC or len(payload) > MAX_ENVELOPE:
            self._count("mqtt-size")
            return
        if len(self._uplinks) >= MAX_UPLINKS:
            self._uplinks.pop(0)
            self._count("mqtt-full")
        self._uplinks.append((topic, payload))
        self._count("mqtt-up")

    # Down

    def downlink(self, topic: bytes, payload: bytes, now: int) -> None:
        """A message that the client got from the broker; never raises for what it holds."""
        cause = self._receive(topic, payload, now)
        self._count(cause)

    def _receive(self, topic: bytes, payload: bytes, now: int) -> str:
        """Apply the rules; gives the cause to count."""
        if len(topic) > MAX_TOPIC or len(payload) > MAX_ENVELOPE:
            return "mqtt-size"
        if not topic.startswith(self._root() + b"/2/e/"):
            return "mqtt-topic"
        try:
            envelope = protobuf.decode(SERVICE_ENVELOPE, payload)
            message = envelope.get("packet", {})
            own = self._node.config.node_num
            if envelope.get("gateway_id") == b"!%08x" % own:
                if message.get("from") == own:
                    self._node.acknowledge_by_echo(message.get("id", 0))
                return "mqtt-echo"
            name = envelope.get("channel_id", b"")
            header = self._header(message, name)
            if header is None:
                return "mqtt-refused"
            frame = frames.encode(header)
        except RemoteProtocolError as error:
            return error.cause
        if not self._may_enter(header, name):
            return "mqtt-refused"
        self._node.receive_envelope(header, frame, now)
        return "mqtt-down"

    def _header(self, message: dict, name: bytes) -> "Packet | None":
        """The packet as it would be on the air; None where its form is against the rules."""
        sender, packet_id = message.get("from", 0), message.get("id", 0)
        hops = (message.get("hop_limit", 0), message.get("hop_start", 0))
        to = message.get("to", 0)
        if max(hops) > MAX_HOPS or sender in (0, BROADCAST, self._node.config.node_num):
            return None
        if not packet_id or not to:
            return None
        payload, channel_hash = message.get("encrypted", b""), message.get("channel", 0)
        if not payload:
            sealed = self._seal(message.get("decoded"), name, sender, packet_id)
            if sealed is None:
                return None
            payload, channel_hash = sealed
        if not 0 < len(payload) <= MAX_PAYLOAD or channel_hash > 0xFF:
            return None
        return Packet(
            to,
            sender,
            packet_id,
            payload,
            hops[0],
            hops[1],
            channel_hash,
            message.get("want_ack", False) and to != BROADCAST,
            True,
            message.get("next_hop", 0) & 0xFF,
            message.get("relay_node", 0) & 0xFF,
        )

    def _seal(
        self, data: "dict | None", name: bytes, sender: int, packet_id: int
    ) -> "tuple[bytes, int] | None":
        """Payload and channel hash of a packet that came in the clear on channel `name`."""
        if self._settings.encryption_enabled or not data or not 0 < data.get("portnum", 0) <= MAX_PORT:
            return None
        for secret in self._node.config.secrets():
            if secret is not None and secret.name == name:
                return crypt(secret.key, packet_id, sender, protobuf.encode(DATA, data)), secret.hash
        return None

    def _may_enter(self, header: Packet, name: bytes) -> bool:
        node = self._node
        opened = node.open_packet(header)
        if name == PKI:
            if header.channel_hash != 0 or header.to == BROADCAST or not self._has_downlink(None):
                return False
            if opened is not None and opened.data.get("portnum") == ADMIN_APP:
                return False
            known = node.nodes.get(header.sender) is not None and node.nodes.get(header.to) is not None
            return header.to == node.config.node_num or known
        if opened is None or opened.pki or opened.data.get("portnum") == ADMIN_APP:
            return False
        return self._name(opened.channel) == name and self._has_downlink(opened.channel)

    # Settings

    def _root(self) -> bytes:
        return self._settings.root or b"msh/" + self._node.config.band().name.encode()

    def _name(self, channel: int) -> bytes:
        secret = self._node.config.secrets()[channel]
        return b"" if secret is None else secret.name

    def _has_uplink(self, channel: int, is_pki: bool) -> bool:
        channels = self._node.config.channels
        if is_pki:
            return any([one.uplink for one in channels if one.role != CHANNEL_DISABLED])
        return channel < len(channels) and channels[channel].uplink

    def _has_downlink(self, channel: "int | None") -> bool:
        channels = self._node.config.channels
        if channel is None:
            return any([one.downlink for one in channels if one.role != CHANNEL_DISABLED])
        return channels[channel].downlink

    def _count(self, cause: str) -> None:
        counters = self._node.counters
        counters[cause] = counters.get(cause, 0) + 1
