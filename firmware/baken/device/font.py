"""Bitmap fonts in files, read glyph by glyph; the RAM in use is bounded.

Layout of a `.bkf` file (integers big endian):

    magic "BKF1" | height u8 | baseline u8 | cap height u8 | ranges u8
    per range: first code point u32 | count u16 | offset of its index u32
    advances of U+0020 .. U+007E, one byte each (the first range is exactly these)
    index, per code point: offset of the glyph << 8 | length of the glyph, u32; 0 = the font lacks it
    glyph: rows of 1-bit pixels, most significant bit left, rows padded to bytes, 1 = ink;
           then advance u8 | x u8 | y u8 | width u8 | height u8

x and y place the bitmap in the cell of `advance` x `height` pixels; ink never leaves the cell. The header
stands behind the bitmap so that the bytes of a glyph serve as a frame buffer as they are. Further scripts are
further ranges. U+FFFD is always there: an open box, drawn for every character the font lacks.

A build that has the firmware frozen into it has no files: there the module `baken.device.fonts.<name>` has
the same bytes as `DATA`.

RAM: all fonts together share one glyph cache of `limit_bytes` (counted with the heap's own overhead on a
32-bit chip), emptied when full. One file is open at a time. Per font 95 advances and its range table are
kept, or read in place where the font lies in memory, as in a ROMFS image or a frozen module.
"""

from baken.compat import const
from baken.wire.utf8 import REPLACEMENT, decode_at

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

MAGIC = b"BKF1"
_HEADER = 8
_RANGE = 10
_ASCII = 95
_ENTRY_OVERHEAD = 40  # bytearray object 16, rounding up of its data 8 on average, dictionary slot 8-16
CACHE_LIMIT_BYTES = 1500


def _u32(data, offset: int) -> int:
    return data[offset] << 24 | data[offset + 1] << 16 | data[offset + 2] << 8 | data[offset + 3]


class FontStore:
    """The fonts of one folder. `font(name)` opens one; OSError when it is missing."""

    def __init__(self, folder: str = "", limit_bytes: int = CACHE_LIMIT_BYTES) -> None:
        self.folder = folder or __file__.rsplit("/", 1)[0] + "/fonts"
        self.limit_bytes = limit_bytes
        self.cached_bytes = 0
        self.file_reads = 0
        self._glyphs = {}
        self._fonts = {}
        self._file: "Any" = None
        self._file_name = ""

    def font(self, name: str) -> "Font":
        """The font in `name`.bkf; the same object every time."""
        if name not in self._fonts:
            self._fonts[name] = Font(self, name, len(self._fonts))
        return self._fonts[name]

    def close(self) -> None:
        """Close the open file and forget all glyphs."""
        self._close_file()
        self._forget()

    def _forget(self) -> None:
        self._glyphs = {}
        self.cached_bytes = 0

    def _close_file(self) -> None:
        if self._file is not None and not isinstance(self._file, bytes):
            self._file.close()
        self._file = None

    def _opened(self, name: str) -> "Any":
        """The file of a font, or its bytes where they are frozen."""
        if self._file is None or name != self._file_name:
            self._close_file()
            try:
                self._file = open(self.folder + "/" + name + ".bkf", "rb")
            except OSError:
                self._file = _frozen(name)
                if self._file is None:
                    raise
            self._file_name = name
        return self._file

    def read(self, name: str, offset: int, length: int) -> bytearray:
        """Bytes of a font. ValueError when the file is shorter."""
        file = self._opened(name)
        self.file_reads += 1
        if isinstance(file, bytes):
            data = bytearray(file[offset : offset + length])
            count = len(data)
        else:
            data = bytearray(length)
            file.seek(offset)
            count = file.readinto(data)
        if count != length:
            raise ValueError(f"font {name}: {count} bytes at {offset}, {length} expected")
        return data

    def lasting(self, name: str, offset: int, length: int):
        """The same to keep: of a file that lies in memory a view, which takes no room."""
        try:
            view = memoryview(self._opened(name))  # a file of a ROMFS can
        except TypeError:
            return bytes(self.read(name, offset, length))
        view = view[offset : offset + length]
        if len(view) != length:
            raise ValueError(f"font {name}: {len(view)} bytes at {offset}, {length} expected")
        return view

    def cached(self, key: int):
        """A glyph kept under `key`, or None."""
        return self._glyphs.get(key)

    def keep(self, key: int, glyph: bytearray) -> None:
        """Keep a glyph; all others are forgotten when the bound would be passed."""
        cost = len(glyph) + _ENTRY_OVERHEAD
        if self.cached_bytes + cost > self.limit_bytes:
            self._forget()
        self.cached_bytes += cost
        self._glyphs[key] = glyph


def _frozen(name: str) -> "bytes | None":
    try:
        return __import__("baken.device.fonts." + name, None, None, ("DATA",)).DATA
    except ImportError:
        return None


class Font:
    """One size of letters. `height`, `baseline` and `cap_height` are in pixels."""

    def __init__(self, store: FontStore, name: str, number: int) -> None:
        self.name = name
        self._store = store
        self._number = number << 21
        head = store.read(name, 0, _HEADER)
        if bytes(head[:4]) != MAGIC:
            raise ValueError(f"font {name} starts with {bytes(head[:4])}, not {MAGIC}")
        self.height, self.baseline, self.cap_height = head[4], head[5], head[6]
        self._ranges = store.lasting(name, _HEADER, _RANGE * head[7])
        self._advances = store.lasting(name, _HEADER + _RANGE * head[7], _ASCII)
        if _u32(self._ranges, 0) != 0x20 or self._locate(REPLACEMENT) == 0:
            raise ValueError(f"font {name} lacks ASCII or the replacement box")

    def _locate(self, code_point: int) -> int:
        """The index entry of a code point, 0 when the font lacks it."""
        ranges = self._ranges
        for offset in range(0, len(ranges), _RANGE):
            place = code_point - _u32(ranges, offset)
            if 0 <= place < (ranges[offset + 4] << 8 | ranges[offset + 5]):
                return _u32(self._store.read(self.name, _u32(ranges, offset + 6) + 4 * place, 4), 0)
        return 0

    def has(self, code_point: int) -> bool:
        """Whether the font itself has this character."""
        return self._locate(code_point) != 0

    def glyph(self, code_point: int) -> bytearray:
        """Bitmap rows followed by advance, x, y, width, height; the box for what the font lacks."""
        key = self._number | code_point
        glyph = self._store.cached(key)
        if glyph is None:
            entry = self._locate(code_point) or self._locate(REPLACEMENT)
            glyph = self._store.read(self.name, entry >> 8, entry & 0xFF)
            self._store.keep(key, glyph)
        return glyph

    def measure(self, text: bytes) -> int:
        """Width of `text` in pixels."""
        advances = self._advances
        width = index = 0
        end = len(text)
        while index < end:
            byte = text[index]
            if 0x20 <= byte < 0x7F:
                width += advances[byte - 0x20]
                index += 1
            else:
                code_point, index = decode_at(text, index)
                width += self.glyph(code_point)[-5]
        return width

    def code_points(self) -> list:
        """Every character the font has, in the file's order. For tools; reads the whole index."""
        found = []
        ranges = self._ranges
        for offset in range(0, len(ranges), _RANGE):
            first = _u32(ranges, offset)
            for place in range(ranges[offset + 4] << 8 | ranges[offset + 5]):
                if self._locate(first + place):
                    found.append(first + place)
        return found
