"""Meshtastic's direct messages between two key pairs (PKC).

The payload of such a packet, whose channel hash is 0, is

    encrypted Data | tag, 8 bytes | extra nonce, u32 little endian

AES-256-CCM under SHA-256 of the X25519 secret; the nonce is packet id u32 | extra nonce u32 | sender u32 | 0,
little endian. The frame's header is protected only as far as id and sender are in the nonce.
"""

import struct

from baken.compat import const, sha256
from baken.crypto.ccm import ccm_open, ccm_seal
from baken.crypto.x25519 import x25519
from baken.wire.errors import LocalProtocolError, RemoteProtocolError

OVERHEAD = const(12)
MAX_DATA = const(227)

_TAG_SIZE = const(8)


def shared_key(private: bytes, public: bytes) -> bytes:
    """The 32-byte key that two nodes share; costs as much as verifying a signature, so keep it."""
    if len(public) != 32:
        raise RemoteProtocolError(f"public key is {len(public)} bytes, must be 32", "direct-key")
    secret = x25519(private, public)
    if secret == bytes(32):
        raise RemoteProtocolError("public key is of small order", "direct-key")
    return sha256(secret)


def seal(key: bytes, packet_id: int, sender: int, extra_nonce: int, data: bytes) -> bytes:
    """A packet's payload; `extra_nonce` is a fresh random number of 32 bits."""
    if len(data) > MAX_DATA:
        raise LocalProtocolError(f"message is {len(data)} bytes, limit {MAX_DATA}", "direct-size")
    for name, value in (("packet id", packet_id), ("sender", sender), ("extra nonce", extra_nonce)):
        if not 0 <= value <= 0xFFFFFFFF:
            raise LocalProtocolError(f"{name} is {value}, limit 0xffffffff", "packet-range")
    nonce = struct.pack("<IIIB", packet_id, extra_nonce, sender, 0)
    return ccm_seal(key, nonce, data) + nonce[4:8]


def open(key: bytes, packet_id: int, sender: int, payload: bytes) -> bytes:
    """The Data in a packet's payload; refused unless it was sealed with the same key, id and sender."""
    size = len(payload)
    if size <= OVERHEAD:
        raise RemoteProtocolError(f"direct message is {size} bytes, needs {OVERHEAD + 1}", "direct-short")
    extra = bytes(payload[size - 4 :])
    nonce = struct.pack("<I", packet_id) + extra + struct.pack("<IB", sender, 0)
    data = ccm_open(key, nonce, bytes(payload[: size - 4]))
    if data is None:
        raise RemoteProtocolError("direct message was not sealed with this key", "direct-tag")
    return data
