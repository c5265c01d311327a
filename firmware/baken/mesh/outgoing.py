"""A packet of our own as a frame: its Data message, checked, signed and encrypted, behind a header."""

from baken.compat import const
from baken.wire import packet, protobuf
from baken.wire.channel import crypt
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import (
    DATA,
    MAX_PORT,
    NODEINFO_APP,
    OK_TO_MQTT,
    POSITION_APP,
    ROUTING_APP,
    TEXT_MESSAGE_APP,
    TRACEROUTE_APP,
    WANT_RESPONSE,
)
from baken.wire.packet import BROADCAST, MAX_HOPS, MAX_PAYLOAD, Packet, low_byte

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from baken.mesh.config import MeshConfig
    from baken.mesh.nodedb import NodeDatabase
    from baken.mesh.opening import Opener
    from baken.mesh.secrets import Secret

_MAX_SEALED = const(227)
_SIGNATURE_FIELD = const(66)
_NEVER_SEALED = (TRACEROUTE_APP, NODEINFO_APP, ROUTING_APP, POSITION_APP)  # relays and strangers read these
_CLEAR_CHANNELS = (b"serial", b"gpio")


def compose(
    portnum: int,
    payload: bytes,
    request_id: int,
    want_response: bool,
    reply_id: int,
    emoji: int,
    ok_to_mqtt: bool = False,
) -> dict:
    """The Data message by field name. The bitfield is always there: newer nodes drop packets without it."""
    if not 0 < portnum <= MAX_PORT:
        raise LocalProtocolError(f"port number is {portnum}, limits 1 and {MAX_PORT}", cause="portnum")
    if len(payload) > MAX_PAYLOAD:
        raise LocalProtocolError(f"payload is {len(payload)} bytes, limit {MAX_PAYLOAD}", cause="too-large")
    bitfield = (WANT_RESPONSE if want_response else 0) | (OK_TO_MQTT if ok_to_mqtt else 0)
    data = {"portnum": portnum, "payload": payload, "bitfield": bitfield}
    if want_response:
        data["want_response"] = True
    if request_id:
        data["request_id"] = request_id
    if reply_id:
        data["reply_id"] = reply_id
    if emoji:
        data["emoji"] = emoji
    return data


def check_route(
    secrets: "Sequence[Secret | None]", channel: int, sender: int, to: int, hops: "tuple[int, int]"
) -> "Secret":
    """Refuse a channel, addressee or (hop limit, hop start) that cannot be; gives the channel's secret."""
    hop_limit, hop_start = hops
    if not 0 <= channel < len(secrets):
        raise LocalProtocolError(f"channel is {channel}, limit {len(secrets) - 1}", cause="channel")
    secret = secrets[channel]
    if secret is None:
        raise LocalProtocolError(f"channel {channel} is not in use", cause="channel")
    if not 0 <= hop_limit <= hop_start <= MAX_HOPS:
        raise LocalProtocolError(
            f"hop limit is {hop_limit} of {hop_start}, limit {MAX_HOPS}", cause="hop-limit"
        )
    if not 0 < to <= BROADCAST or to == sender:
        raise LocalProtocolError(f"addressee is {to}, not another node", cause="addressee")
    return secret


class Sealer:
    """Makes the frames of one node; it shares channels and keys with the node's `Opener`."""

    def __init__(
        self, config: "MeshConfig", opener: "Opener", nodes: "NodeDatabase", rand: "Callable[[int], int]"
    ) -> None:
        self._opener = opener
        self._nodes = nodes
        self._rand = rand
        self.configure(config)

    def configure(self, config: "MeshConfig") -> None:
        """Take other settings."""
        self._config = config

    def frame(
        self,
        data: dict,
        secret: "Secret",
        to: int,
        packet_id: int,
        hops: "tuple[int, int]",
        want_ack: bool,
        pki: "bool | None" = None,
        next_hop: int = 0,
    ) -> bytes:
        """The frame with this Data, on the channel of `secret` or, see `MeshNode.send`, sealed to `to`.

        want_ack of a broadcast is our own affair and does not go on the air.
        """
        sender = self._config.node_num
        key = self._direct_key(data["portnum"], secret, to, pki)
        encoded = protobuf.encode(DATA, data)
        if to == BROADCAST and self._config.sign_broadcasts and self._opener.keys:
            encoded = self._sign(data, packet_id, encoded)
        limit = MAX_PAYLOAD if key is None else _MAX_SEALED
        if len(encoded) > limit:
            raise LocalProtocolError(f"message is {len(encoded)} bytes, limit {limit}", cause="too-large")
        if key is None:
            payload = crypt(secret.key, packet_id, sender, encoded)
        else:
            from baken.wire import direct

            payload = direct.seal(key, packet_id, sender, self._rand(1 << 32), encoded)
        header = Packet(
            to,
            sender,
            packet_id,
            payload,
            hops[0],
            hops[1],
            secret.hash if key is None else 0,
            want_ack and to != BROADCAST,
            next_hop=next_hop,
            relay_node=low_byte(sender),
        )
        return packet.encode(header)

    def _direct_key(self, portnum: int, secret: "Secret", to: int, pki: "bool | None") -> "bytes | None":
        """The key shared with the addressee, or None to use the channel's."""
        if pki is False or (to == BROADCAST and not pki):
            return None
        keys = self._opener.keys
        if (
            to == BROADCAST
            or not keys
            or self._config.is_licensed
            or portnum in _NEVER_SEALED
            or secret.name.lower() in _CLEAR_CHANNELS
        ):
            if pki:
                raise LocalProtocolError(
                    f"port {portnum} to {to:08x} is never sealed with our keys", cause="pki-failed"
                )
            return None
        public = self._nodes.public_key(to)
        key = keys.shared(public) if public else b""
        if key:
            return key
        if pki or portnum == TEXT_MESSAGE_APP:
            raise LocalProtocolError(f"no key of node {to:08x} is known", cause="no-key")
        return None

    def _sign(self, data: dict, packet_id: int, encoded: bytes) -> bytes:
        if len(encoded) + _SIGNATURE_FIELD > MAX_PAYLOAD:
            return encoded  # signed it would not fit
        from baken.mesh.signatures import signed_bytes

        signed = dict(data)
        signed["xeddsa_signature"] = self._opener.keys.sign(
            signed_bytes(self._config.node_num, packet_id, data["portnum"], data["payload"])
        )
        return protobuf.encode(DATA, signed)
