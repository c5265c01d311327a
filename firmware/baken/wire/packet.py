"""Meshtastic's frame on the air: a header of 16 bytes, little endian, and a payload, usually encrypted.

    0  to            u32    0xFFFFFFFF is everybody
    4  from          u32    never 0
    8  id            u32    (from, id) names a packet; also part of the cipher's counter block
    12 flags         u8     bits 0-2 hop_limit, bit 3 want_ack, bit 4 via_mqtt, bits 5-7 hop_start
    13 channel hash  u8     0 for public-key messages
    14 next hop      u8     low byte of the node that should relay; 0: everybody
    15 relay node    u8     low byte of the node that put this copy on the air

Senders before firmware 2.6 leave the last two bytes undefined; their hop_start is 0.
"""

import struct

from baken.compat import const
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record

BROADCAST = const(0xFFFFFFFF)
HEADER_SIZE = const(16)
MAX_FRAME = const(255)
MAX_PAYLOAD = const(239)
MAX_HOPS = const(7)

_WANT_ACK = const(0x08)
_VIA_MQTT = const(0x10)


class Packet(Record):
    """One frame. `sender` is the header's `from`, `payload` what follows the header, as it is on the air."""

    __slots__ = (
        "channel_hash",
        "hop_limit",
        "hop_start",
        "id",
        "next_hop",
        "payload",
        "relay_node",
        "sender",
        "to",
        "via_mqtt",
        "want_ack",
    )

    def __init__(
        self,
        to: int,
        sender: int,
        id: int,
        payload: bytes,
        hop_limit: int = 3,
        hop_start: int = 3,
        channel_hash: int = 0,
        want_ack: bool = False,
        via_mqtt: bool = False,
        next_hop: int = 0,
        relay_node: int = 0,
    ) -> None:
        self.to = to
        self.sender = sender
        self.id = id
        self.payload = payload
        self.hop_limit = hop_limit
        self.hop_start = hop_start
        self.channel_hash = channel_hash
        self.want_ack = want_ack
        self.via_mqtt = via_mqtt
        self.next_hop = next_hop
        self.relay_node = relay_node

    def is_broadcast(self) -> bool:
        """Whether the packet is for everybody."""
        return self.to == BROADCAST

    def hops_away(self) -> "int | None":
        """How many relays the packet passed, or None where the header does not tell."""
        if not self.hop_start or self.hop_limit > self.hop_start:
            return None
        return self.hop_start - self.hop_limit

    def relayed(self, hop_limit: int, relay_node: int, next_hop: int = 0) -> "Packet":
        """The copy that a relay sends: the rest of the header, and the payload, stay as received."""
        return Packet(
            self.to,
            self.sender,
            self.id,
            self.payload,
            hop_limit,
            self.hop_start,
            self.channel_hash,
            self.want_ack,
            self.via_mqtt,
            next_hop,
            relay_node,
        )


def encode(packet: Packet) -> bytes:
    """The frame of a packet."""
    _check("to", packet.to, BROADCAST)
    _check("from", packet.sender, BROADCAST - 1)
    if not packet.sender:
        raise LocalProtocolError("from is 0, must be a node number", "packet-from")
    _check("id", packet.id, 0xFFFFFFFF)
    _check("hop limit", packet.hop_limit, MAX_HOPS)
    _check("hop start", packet.hop_start, MAX_HOPS)
    _check("channel hash", packet.channel_hash, 0xFF)
    _check("next hop", packet.next_hop, 0xFF)
    _check("relay node", packet.relay_node, 0xFF)
    if len(packet.payload) > MAX_PAYLOAD:
        size = len(packet.payload)
        raise LocalProtocolError(f"payload is {size} bytes, limit {MAX_PAYLOAD}", "packet-size")
    flags = packet.hop_limit | packet.hop_start << 5
    if packet.want_ack:
        flags |= _WANT_ACK
    if packet.via_mqtt:
        flags |= _VIA_MQTT
    return (
        struct.pack(
            "<IIIBBBB",
            packet.to,
            packet.sender,
            packet.id,
            flags,
            packet.channel_hash,
            packet.next_hop,
            packet.relay_node,
        )
        + packet.payload
    )


def decode(frame: "bytes | bytearray | memoryview") -> Packet:
    """The packet in a frame; it may be addressed to anybody and encrypted with any key."""
    size = len(frame)
    if not HEADER_SIZE <= size <= MAX_FRAME:
        raise RemoteProtocolError(f"frame is {size} bytes, allowed 16 to {MAX_FRAME}", "packet-size")
    to, sender, id, flags, channel_hash, next_hop, relay_node = struct.unpack_from("<IIIBBBB", frame, 0)
    if sender in (0, BROADCAST):
        raise RemoteProtocolError(f"from is {sender:08x}, must be a node number", "packet-from")
    return Packet(
        to,
        sender,
        id,
        bytes(frame[HEADER_SIZE:]),
        flags & MAX_HOPS,
        flags >> 5,
        channel_hash,
        bool(flags & _WANT_ACK),
        bool(flags & _VIA_MQTT),
        next_hop,
        relay_node,
    )


def low_byte(node: int) -> int:
    """The byte by which relays name a node: the last of its number, 0xFF where that is 0 (0 means nobody)."""
    return node & 0xFF or 0xFF


def _check(name: str, value: int, limit: int) -> None:
    # MicroPython's struct.pack would cut the value off without a word.
    if not 0 <= value <= limit:
        raise LocalProtocolError(f"{name} is {value}, allowed 0 to {limit}", "packet-range")
