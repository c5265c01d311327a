"""Draws the node's bitmap fonts from an outline font: a one-off tool, run when sizes or characters change.

    python -m baken_hardware.bench.fonts [--source FILE.ttf] [--out FOLDER]

Needs Pillow (`pip install -e .[fonts]`). The result is committed, so nobody needs the tool to build a node.
The format of the files is written down in `baken.device.font`.

Every glyph is drawn with FreeType's one-bit hinting and then made to fit its own cell, advance x height
pixels: ink left or right of the advance widens it, and an accent above the top is moved down into the gap
under it. So drawn text is a row of cells that never overlap, which lets `baken_hardware.virtual.reader` read
pixels back exactly.
"""

import argparse
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from baken.device.font import MAGIC, REPLACEMENT
from baken_hardware.checkout import FONTS

DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSansCondensed-Bold.ttf")

# Unbroken runs of code points. The first run must be the printable ASCII characters.
RUNS = (
    (0x0020, 0x007E),  # ASCII
    (0x00A0, 0x017F),  # Latin-1, Latin Extended-A
    (0x0218, 0x021B),  # Romanian s and t with comma
    (0x0400, 0x045F),  # Cyrillic: Ukrainian, Russian, Serbian, Bulgarian
    (0x0490, 0x0491),  # Ukrainian g with upturn
    (0x200B, 0x200F),  # zero width: no ink, no advance
    (0x2010, 0x2026),  # dashes, quotation marks, bullet, ellipsis
    (0x2030, 0x203A),
    (0x20AC, 0x20AC),  # euro
    (0x2190, 0x2193),  # arrows
    (0x2713, 0x2713),  # check mark
    (REPLACEMENT, REPLACEMENT),
)
_INVISIBLE = (0x00AD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F)
_SPACES = (0x0020, 0x00A0)

# At small sizes the outline's tilde comes out as a flat dash, and "~14:05" must not read as "-14:05".
_TILDE = (".##...#", "####.##", "##.####", "#...##.")


@dataclass(frozen=True)
class Size:
    """One font file: pixels of an em, rows above and below the baseline."""

    name: str
    em: int
    above: int
    below: int


# Chosen for a body of 76 rows between bar and foot: 5, 4, 3, 3, 3 and 2 lines. Accents on capitals that do
# not fit above the baseline are squeezed; only the smallest font loses the difference between some of them.
SIZES = (
    Size("bold11", 11, 10, 3),
    Size("bold13", 13, 12, 3),
    Size("bold16", 16, 15, 4),
    Size("bold18", 18, 18, 5),
    Size("bold20", 20, 19, 5),
    Size("bold22", 22, 19, 6),
    Size("bold26", 26, 25, 7),
)


@dataclass
class Glyph:
    """A drawn character: rows of 0/1 from `top` rows above the baseline downwards, all `advance` wide."""

    advance: int
    top: int
    rows: list[list[int]]


def _trim(glyph: Glyph) -> Glyph:
    rows = list(glyph.rows)
    top = glyph.top
    while rows and not any(rows[0]):
        rows.pop(0)
        top -= 1
    while rows and not any(rows[-1]):
        rows.pop()
    return Glyph(glyph.advance, top, rows)


def _merge(rows: list[list[int]], candidates: range) -> int:
    """Remove a row, a blank one if there is any, else the one most like the row above it; 1 if ink went."""

    def cost(i: int) -> tuple[bool, int]:
        return any(rows[i]), sum(a != b for a, b in zip(rows[i], rows[i - 1], strict=True))

    choice = min(candidates, key=cost)
    lost = any(rows[choice]) and rows[choice] != rows[choice - 1]
    rows.pop(choice)
    return int(lost)


def _squeeze(glyph: Glyph, above: int, below: int) -> tuple[Glyph, int]:
    """Fit a glyph between `above` and `below` the baseline; also the number of inked rows left out."""
    rows, top, lost = list(glyph.rows), glyph.top, 0
    while rows and top > above:
        if len(rows) >= top:  # It stands on the baseline: the gap under the accent goes.
            lost += _merge(rows, range(1, max(2, top // 2)))
        top -= 1
    while rows and len(rows) - top > below:
        if top <= 0:  # It hangs wholly under the baseline, as "_" does.
            top += 1
        else:
            lost += _merge(rows, range(max(1, top - 1), len(rows)))
    return Glyph(glyph.advance, top, rows), lost


def _box(size: Size, cap: int) -> Glyph:
    """The replacement for unknown characters: an open box as tall as a capital."""
    stroke = 1 if cap < 14 else 2
    width = max(6, cap * 2 // 3)
    rows = []
    for y in range(cap):
        edge = y < stroke or y >= cap - stroke
        ink = [1 if edge or x < stroke or x >= width - stroke else 0 for x in range(width)]
        rows.append([0, *ink, 0])
    return Glyph(width + 2, cap, rows)


def _draw(font, code_point: int, size: Size) -> Glyph:
    character = chr(code_point)
    advance = int(font.getlength(character, mode="1"))
    left, top, right, bottom = font.getbbox(character, mode="1", anchor="ls")
    mask = font.getmask(character, mode="1")
    width, height = mask.size
    pixels = [[1 if mask.getpixel((x, y)) else 0 for x in range(width)] for y in range(height)]
    if not any(any(row) for row in pixels):
        return Glyph(advance, 0, [])
    inked = [x for x in range(width) if any(row[x] for row in pixels)]
    left += inked[0]
    pixels = [row[inked[0] : inked[-1] + 1] for row in pixels]
    width = len(pixels[0])
    shift = max(0, -left)  # Ink left of the origin moves the whole glyph right ...
    advance = max(advance + shift, left + shift + width)  # ... and the advance grows with it.
    left += shift
    rows = [[0] * left + row + [0] * (advance - left - width) for row in pixels]
    return _trim(Glyph(advance, -top, rows))


def _separate(glyph: Glyph) -> Glyph:
    """End every glyph with a blank column, so that neighbours never touch: "rn" must not become "m"."""
    if not any(row[-1] for row in glyph.rows):
        return glyph
    if any(row[0] or row[1] for row in glyph.rows):
        return Glyph(glyph.advance + 1, glyph.top, [row + [0] for row in glyph.rows])
    return Glyph(glyph.advance, glyph.top, [row[1:] + [0] for row in glyph.rows])


def _tail(glyph: Glyph) -> Glyph:
    """An "l" that would look like an "I" gets a foot."""
    right = max(x for row in glyph.rows for x, pixel in enumerate(row) if pixel)
    rows = [[*row[: right + 1], 0, *row[right + 1 :]] for row in glyph.rows]
    rows[-1][right + 1] = 1
    return Glyph(glyph.advance + 1, glyph.top, rows)


def _record(glyph: Glyph, size: Size) -> bytes:
    """A glyph as stored: bitmap rows, then advance, x, y, width and height."""
    columns = [x for x in range(glyph.advance) if any(row[x] for row in glyph.rows)]
    if not columns:
        return bytes((glyph.advance, 0, 0, 0, 0))
    left, right = columns[0], columns[-1] + 1
    width, stride = right - left, (right - left + 7) // 8
    bitmap = bytearray()
    for row in glyph.rows:
        bits = int("".join(map(str, row[left:right])), 2) << (stride * 8 - width)
        bitmap += bits.to_bytes(stride, "big")
    record = bytes(bitmap) + bytes((glyph.advance, left, size.above - glyph.top, width, len(glyph.rows)))
    if len(record) > 255:
        raise ValueError(f"glyph record is {len(record)} bytes, limit 255")
    return record


def build(source: Path, size: Size) -> tuple[bytes, list[str]]:
    """One font file and the remarks about glyphs that lost rows."""
    from PIL import ImageFont  # pyright: ignore[reportMissingImports]  # only in the extra `fonts`

    font = ImageFont.truetype(str(source), size.em, layout_engine=ImageFont.Layout.BASIC)
    missing = font.getmask("\uffff", mode="1")
    cap = -int(font.getbbox("H", mode="1", anchor="ls")[1])
    remarks, ranges, records, offset = [], [], {}, 0
    for first, last in RUNS:
        for code_point in range(first, last + 1):
            mask = font.getmask(chr(code_point), mode="1")
            absent = mask.size == missing.size and bytes(mask) == bytes(missing)
            if code_point == REPLACEMENT:
                glyph = _box(size, cap)
            elif code_point in _INVISIBLE:
                glyph = Glyph(0, 0, [])
            elif absent:
                continue
            else:
                glyph = _draw(font, code_point, size)
                if code_point == ord("~") and len(glyph.rows) < len(_TILDE):
                    rows = [[0, *(int(pixel == "#") for pixel in row), 0] for row in _TILDE]
                    glyph = Glyph(len(rows[0]), (cap + len(rows)) // 2, rows)
                if not glyph.rows and code_point not in _SPACES and not 0x2000 <= code_point < 0x2030:
                    remarks.append(f"{size.name}: U+{code_point:04X} draws nothing")
                glyph, lost = _squeeze(glyph, size.above, size.below)
                if lost:
                    remarks.append(f"{size.name}: {chr(code_point)} U+{code_point:04X} lost {lost} rows")
            record = _record(_separate(glyph), size)
            if code_point == ord("l") and record == records[ord("I")]:
                record = _record(_tail(_separate(glyph)), size)
            records[code_point] = record
    header_length = 8 + 10 * len(RUNS)
    ascii_advances = bytes(records[c][-5] for c in range(RUNS[0][0], RUNS[0][1] + 1))
    offset = header_length + len(ascii_advances)
    for first, last in RUNS:
        ranges.append(struct.pack(">IHI", first, last - first + 1, offset))
        offset += 4 * (last - first + 1)
    index, glyphs = bytearray(), bytearray()
    for first, last in RUNS:
        for code_point in range(first, last + 1):
            record = records.get(code_point)
            if record is None:
                index += bytes(4)
                continue
            index += struct.pack(">I", (offset + len(glyphs)) << 8 | len(record))
            glyphs += record
    head = MAGIC + bytes((size.above + size.below, size.above, cap, len(RUNS)))
    return head + b"".join(ranges) + ascii_advances + bytes(index) + bytes(glyphs), remarks


def main(arguments: list[str] | None = None) -> int:
    """Write every font file; say what it costs and which glyphs had to be squeezed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--source", type=Path, default=DEJAVU, help="outline font (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=FONTS, help="folder for the font files")
    options = parser.parse_args(arguments)
    if not options.source.is_file():
        print(f"{options.source} not found: install fonts-dejavu-extra or give --source", file=sys.stderr)
        return 2
    try:
        built = [(size, *build(options.source, size)) for size in SIZES]
    except ImportError:
        print("Pillow is not installed: pip install -e .[fonts]", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    for size, data, remarks in built:
        (options.out / f"{size.name}.bkf").write_bytes(data)
        print(f"{size.name}.bkf: {len(data)} bytes, line {size.above + size.below} px")
        for remark in remarks:
            print(f"  {remark}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
