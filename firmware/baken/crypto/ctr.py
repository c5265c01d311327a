"""AES in counter mode, built from ECB because no MicroPython port enables CTR in `cryptolib`.

The counter is the last four bytes of the block, big endian, and wraps modulo 2**32 (as Meshtastic does).
"""

import struct

from baken.compat import aes_ecb


def aes_ctr(key: bytes, block16: bytes, data: "bytes | bytearray | memoryview") -> bytes:
    """Encrypt or decrypt data under a 16 or 32-byte key, starting at the 16-byte counter block."""
    if len(block16) != 16:
        raise ValueError(f"counter block is {len(block16)} bytes, must be 16")
    length = len(data)
    if not length:
        return b""
    count = (length + 15) // 16
    blocks = bytearray(bytes(block16) * count)
    counter = int.from_bytes(block16[12:], "big")
    for i in range(1, count):
        struct.pack_into(">I", blocks, 16 * i + 12, (counter + i) & 0xFFFFFFFF)
    stream = aes_ecb(key).encrypt(blocks)[:length]
    return (int.from_bytes(stream, "big") ^ int.from_bytes(data, "big")).to_bytes(length, "big")
