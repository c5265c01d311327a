"""A packet of our own as a frame: its Data message, checked and encrypted, behind a header."""

from baken.compat import const
from baken.wire import packet, protobuf
from baken.wire.channel import crypt
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import DATA, MAX_PORT, WANT_RESPONSE
from baken.wire.packet import BROADCAST, MAX_HOPS, MAX_PAYLOAD, Packet, low_byte

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Sequence

    from baken.mesh.secrets import Secret


def compose(
    portnum: int, payload: bytes, request_id: int, want_response: bool, reply_id: int, emoji: int
) -> dict:
    """The Data message by field name. The bitfield is always there: newer nodes drop packets without it."""
    if not 0 < portnum <= MAX_PORT:
        raise LocalProtocolError(f"port number is {portnum}, limits 1 and {MAX_PORT}", cause="portnum")
    if len(payload) > MAX_PAYLOAD:
        raise LocalProtocolError(f"payload is {len(payload)} bytes, limit {MAX_PAYLOAD}", cause="too-large")
    data = {"portnum": portnum, "payload": payload, "bitfield": WANT_RESPONSE if want_response else 0}
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


def frame_of(
    data: dict,
    secret: "Secret",
    sender: int,
    to: int,
    packet_id: int,
    hops: "tuple[int, int]",
    want_ack: bool,
) -> bytes:
    """The frame with this Data; want_ack of a broadcast is our own affair and does not go on the air."""
    encoded = protobuf.encode(DATA, data)
    if len(encoded) > MAX_PAYLOAD:
        raise LocalProtocolError(f"message is {len(encoded)} bytes, limit {MAX_PAYLOAD}", cause="too-large")
    header = Packet(
        to,
        sender,
        packet_id,
        crypt(secret.key, packet_id, sender, encoded),
        hops[0],
        hops[1],
        secret.hash,
        want_ack and to != BROADCAST,
        relay_node=low_byte(sender),
    )
    return packet.encode(header)
