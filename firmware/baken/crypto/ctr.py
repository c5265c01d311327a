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
    # In place and with few copies: this runs for every frame, and what it leaves is garbage.
    blocks = bytearray((length + 15) // 16 * 16)
    counter = int.from_bytes(block16[12:], "big")
    for at in range(0, len(blocks), 16):
        struct.pack_into("16s", blocks, at, block16)
        struct.pack_into(">I", blocks, at + 12, counter)
        counter = (counter + 1) & 0xFFFFFFFF
    aes_ecb(key).encrypt(blocks, blocks)
    blocks[length:] = b""
    return (int.from_bytes(blocks, "big") ^ int.from_bytes(data, "big")).to_bytes(length, "big")
