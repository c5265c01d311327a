"""Meshtastic's channels: from a configured key (PSK) to the AES key, the hash byte and the cipher.

A packet's `Data` is encrypted with AES-CTR. The first counter block is

    packet id, u64 little endian | sender, u32 little endian | 4 zero bytes

so a pair (sender, id) must never be used twice with one key. Nothing proves integrity: whoever holds the key
can write as anybody, which is why Baken's records carry their own signatures.
"""

import struct

from baken.compat import const
from baken.crypto.ctr import aes_ctr
from baken.wire.errors import LocalProtocolError

MAX_NAME = const(11)
MAX_PSK = const(32)

# The well-known key that a PSK of one byte 0x01 stands for; everybody has it.
DEFAULT_KEY = b"\xd4\xf1\xbb\x3a\x20\x29\x07\x59\xf0\xbc\xff\xab\xcf\x4e\x69\x01"
DEFAULT_PSK = b"\x01"


def expand_key(psk: bytes, primary_key: bytes = b"") -> bytes:
    """The AES key (0, 16 or 32 bytes; empty is no encryption) of a configured PSK of 0 to 32 bytes.

    A secondary channel with an empty PSK uses the primary channel's key: pass that expanded key.
    """
    length = len(psk)
    if length > MAX_PSK:
        raise LocalProtocolError(f"channel key is {length} bytes, limit {MAX_PSK}", "channel-key")
    if length == 0:
        return primary_key
    if length == 1:
        if not psk[0]:
            return b""
        return DEFAULT_KEY[:15] + bytes(((DEFAULT_KEY[15] + psk[0] - 1) & 0xFF,))
    size = 16 if length <= 16 else 32
    return bytes(psk) + bytes(size - length)


def effective_name(name: bytes, preset_name: bytes) -> bytes:
    """The name that counts for hash and frequency: the preset's name where none is configured."""
    return name or preset_name


def channel_hash(name: bytes, key: bytes) -> int:
    """The header's hint which key was used: all bytes of the effective name and the expanded key, XORed."""
    value = 0
    for byte in name:
        value ^= byte
    for byte in key:
        value ^= byte
    return value


def crypt(key: bytes, packet_id: int, sender: int, data: "bytes | bytearray") -> bytes:
    """Encrypt or decrypt a packet's `Data` under an expanded key; under the empty key it stays clear."""
    if not key:
        return bytes(data)
    if not 0 <= packet_id <= 0xFFFFFFFF or not 0 <= sender <= 0xFFFFFFFF:
        raise LocalProtocolError(f"packet id {packet_id}, sender {sender}: limit 0xffffffff", "packet-range")
    return aes_ctr(key, struct.pack("<IIII", packet_id, 0, sender, 0), data)
