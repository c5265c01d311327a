"""AES-CCM (RFC 3610) with a 13-byte nonce: encryption that notices every change.

Two-byte lengths (L = 2), so up to 65535 bytes; the tag is 4 to 16 bytes, even.
"""

import struct

from baken.compat import aes_ecb
from baken.crypto.ctr import aes_ctr

_LENGTH_SIZE = 2
_NONCE_SIZE = 13


def ccm_seal(key: bytes, nonce: bytes, data: bytes, associated: bytes = b"", tag_size: int = 8) -> bytes:
    """The encrypted data with the tag behind it; `associated` is protected by the tag but not contained."""
    return aes_ctr(key, _counter(nonce, 1), data) + _tag(key, nonce, data, associated, tag_size)


def ccm_open(
    key: bytes, nonce: bytes, sealed: bytes, associated: bytes = b"", tag_size: int = 8
) -> "bytes | None":
    """The data that was sealed, or None if any of it, the nonce or `associated` is not what was sealed."""
    if len(sealed) < tag_size:
        return None
    end = len(sealed) - tag_size
    data = aes_ctr(key, _counter(nonce, 1), sealed[:end])
    if _tag(key, nonce, data, associated, tag_size) != sealed[end:]:
        return None
    return data


def _counter(nonce, number):
    if len(nonce) != _NONCE_SIZE:
        raise ValueError(f"nonce is {len(nonce)} bytes, must be {_NONCE_SIZE}")
    return struct.pack(">B", _LENGTH_SIZE - 1) + bytes(nonce) + struct.pack(">H", number)


def _tag(key, nonce, data, associated, tag_size):
    if tag_size not in (4, 6, 8, 10, 12, 14, 16):
        raise ValueError(f"tag is {tag_size} bytes, allowed 4 to 16, even")
    if len(data) > 0xFFFF or len(associated) >= 0xFF00:
        raise ValueError(f"{len(data)} bytes and {len(associated)} associated, limits 65535 and 65279")
    flags = (0x40 if associated else 0) | (tag_size - 2) // 2 << 3 | _LENGTH_SIZE - 1
    blocks = struct.pack(">B", flags) + bytes(nonce) + struct.pack(">H", len(data))
    if associated:
        blocks += struct.pack(">H", len(associated)) + associated
        blocks += bytes(-len(blocks) % 16)
    blocks += data
    blocks += bytes(-len(blocks) % 16)
    encrypt = aes_ecb(key).encrypt
    mac = 0
    for at in range(0, len(blocks), 16):
        mac ^= int.from_bytes(blocks[at : at + 16], "big")
        mac = int.from_bytes(encrypt(mac.to_bytes(16, "big")), "big")
    return aes_ctr(key, _counter(nonce, 0), mac.to_bytes(16, "big")[:tag_size])
