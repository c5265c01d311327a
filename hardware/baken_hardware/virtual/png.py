"""One-bit pictures as PNG files. Rows are MONO_HLSB (8 pixels a byte, most significant bit left, 1 = white),
which is also PNG's own form for a greyscale picture of bit depth 1 (ISO/IEC 15948), so rows go in as they
are."""

from __future__ import annotations

import os
import struct
import zlib
from functools import lru_cache
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def stride_bytes(width: int) -> int:
    """Bytes of one row."""
    return (width + 7) // 8


def encode(width: int, height: int, rows: bytes, scale: int = 1) -> bytes:
    """A PNG of `rows`, each pixel drawn as `scale` x `scale`; ValueError when the size does not fit."""
    stride = stride_bytes(width)
    if width < 1 or height < 1 or len(rows) != stride * height:
        raise ValueError(f"picture of {width} x {height} has {len(rows)} bytes, not {stride * height}")
    if not 1 <= scale <= 16:
        raise ValueError(f"scale is {scale}, limits 1..16")
    lines = bytearray()
    for start in range(0, len(rows), stride):
        line = rows[start : start + stride]
        if scale > 1:
            line = _widen(line, width, scale)
        lines += (b"\x00" + line) * scale
    head = struct.pack(">IIBBBBB", width * scale, height * scale, 1, 0, 0, 0, 0)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(bytes(lines), 6))
        + _chunk(b"IEND", b"")
    )


def write(path: str | Path, width: int, height: int, rows: bytes, scale: int = 1) -> None:
    """Save a picture so that a reader sees the old file or the new one, never half of it."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    part.write_bytes(encode(width, height, rows, scale))
    os.replace(part, path)


def _widen(line: bytes, width: int, scale: int) -> bytes:
    table = _wide_bytes(scale)
    size = stride_bytes(width * scale)
    wide = bytearray(b"".join([table[byte] for byte in line])[:size])
    wide[-1] |= (1 << size * 8 - width * scale) - 1
    return bytes(wide)


@lru_cache
def _wide_bytes(scale: int) -> list[bytes]:
    """For every byte the `scale` bytes in which each of its pixels stands `scale` times."""
    return [
        int("".join(bit * scale for bit in f"{byte:08b}"), 2).to_bytes(scale, "big") for byte in range(256)
    ]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
