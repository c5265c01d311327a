"""Signed broadcasts (XEdDSA, firmware 2.8): field 10 of Data, 64 bytes, over

    from, u32 | packet id, u32 | port number, u32 | payload          little endian

under the Edwards form, sign bit 0, of the X25519 key that the sender announces.
"""

import struct

from baken.compat import const, crc32, sha256
from baken.crypto.ed25519 import edwards_public
from baken.crypto.signing import verify
from baken.wire import protobuf
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import NODEINFO_APP, USER

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.wire.packet import Packet

MAX_GENUINE = const(4)


def signed_bytes(sender: int, packet_id: int, portnum: int, payload: bytes) -> bytes:
    """What a signature is over."""
    return struct.pack("<III", sender, packet_id, portnum) + payload


def is_genuine(packet: "Packet", data: dict, public: bytes, genuine: "list[bytes]") -> bool:
    """Whether the packet's signature is that of the owner of this X25519 key.

    `genuine` is the caller's, and keeps digests of the last good ones: a packet that is repeated need not be
    verified again.
    """
    signature = data["xeddsa_signature"]
    message = signed_bytes(packet.sender, packet.id, data["portnum"], data.get("payload", b""))
    digest = sha256(public + signature + message)
    if digest in genuine:
        return True
    if not verify(edwards_public(public), message, signature):
        return False
    if len(genuine) >= MAX_GENUINE:
        genuine.pop(0)
    genuine.append(digest)
    return True


def introduced_key(packet: "Packet", data: dict) -> bytes:
    """The key that a NodeInfo announces, if the sender's number follows from it; else empty.

    Who signs its first NodeInfo has a number made of its key, so nobody else can introduce it.
    """
    if data["portnum"] != NODEINFO_APP:
        return b""
    try:
        key = protobuf.decode(USER, data.get("payload", b"")).get("public_key", b"")
    except RemoteProtocolError:
        return b""
    return key if len(key) == 32 and crc32(key) == packet.sender else b""
