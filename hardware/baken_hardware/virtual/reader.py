"""Reads the text back from a node's picture: proof, from the pixels, of what people at the display can read.

    reader = Reader()                       # the firmware's own font files
    reader.read(picture, 250, 122)          # [TextLine(x, y, font, inverse, text), ...] from top to bottom

Drawn text is a row of cells (see `baken.device.font`). The reader knows nothing of the pages: it looks for
every glyph of every font at every place, black on paper and white on black, where the whole cell agrees pixel
for pixel. Cells that stand side by side, with at most one space between them, make a chain; chains that
explain most ink win over what overlaps them. Bars, rules and stripes are no glyphs and fall away.

Some characters look exactly alike (Latin and Cyrillic A): such a cell reads as the one with the lowest code
point, and `Reader.as_read(text, font)` says how a text reads in a font. It is the identity for Dutch,
English, Polish and Turkish in every font but the smallest, where a few accents on capitals look alike.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from baken.device.font import FontStore
from baken.wire.utf8 import REPLACEMENT, decode_at
from baken_hardware.checkout import FONTS


@dataclass(frozen=True)
class TextLine:
    """A run of text: the top left corner of its first cell, its font, and whether it is white on black."""

    x: int
    y: int
    font: str
    inverse: bool
    text: str


@dataclass(frozen=True)
class _Shape:
    """What a cell looks like: one integer per column, the topmost pixel in the highest bit."""

    columns: tuple[int, ...]
    ink: int
    character: str


class _Face:
    """One font as the reader needs it: shapes by their first inked column."""

    def __init__(self, store: FontStore, name: str) -> None:
        font = store.font(name)
        self.name = name
        self.height = font.height
        self.space = font.measure(b" ")
        self.shapes: dict[int, list[tuple[int, _Shape]]] = defaultdict(list)
        self.alike: dict[str, str] = {}
        known: dict[tuple[int, ...], str] = {}
        cells = {chr(c): _columns(font.glyph(c), font.height) for c in sorted(font.code_points())}
        for character, columns in cells.items():
            # A ligature drawn exactly as its letters side by side (U+0133, "ij") reads as those letters.
            letters = unicodedata.normalize("NFKC", character)
            apart = sum((cells.get(letter, ()) for letter in letters), ())
            if len(letters) > 1 and _stripped(columns) == _stripped(apart):
                self.alike[character] = letters
                continue
            if not any(columns):
                self.alike[character] = " " if columns else ""
                continue
            self.alike[character] = known.setdefault(columns, character)
            if known[columns] != character:
                continue
            first = next(i for i, column in enumerate(columns) if column)
            ink = sum(column.bit_count() for column in columns)
            self.shapes[columns[first]].append((first, _Shape(columns, ink, character)))


def _stripped(columns: tuple[int, ...]) -> tuple[int, ...]:
    """A cell without the blank columns at its end."""
    end = len(columns)
    while end and not columns[end - 1]:
        end -= 1
    return columns[:end]


def _columns(glyph: bytes | bytearray, height: int) -> tuple[int, ...]:
    """The whole cell of a stored glyph."""
    advance, left, top, width, rows = glyph[-5:]
    stride = (width + 7) // 8
    columns = [0] * advance
    for y in range(rows):
        for x in range(width):
            if glyph[y * stride + x // 8] >> (7 - x % 8) & 1:
                columns[left + x] |= 1 << (height - 1 - top - y)
    return tuple(columns)


@dataclass
class _Chain:
    """Cells side by side in one font at one height."""

    face: _Face
    inverse: bool
    y: int
    start: int
    end: int
    ink: int
    text: str


class Reader:
    """Reads pictures drawn with the fonts in `folder`."""

    def __init__(self, folder: Path = FONTS) -> None:
        names = sorted(path.stem for path in folder.glob("*.bkf"))
        if not names:
            raise ValueError(f"no font files in {folder}")
        store = FontStore(str(folder), 1 << 20)
        self._faces = {name: _Face(store, name) for name in names}
        store.close()

    @property
    def fonts(self) -> list[str]:
        """Names of the fonts."""
        return list(self._faces)

    def as_read(self, text: str | bytes, font: str) -> str:
        """How `text` reads from pixels: look-alikes as the first of them, unknown characters as U+FFFD."""
        data = text.encode() if isinstance(text, str) else text
        alike = self._faces[font].alike
        characters, index = [], 0
        while index < len(data):
            code_point, index = decode_at(data, index)
            characters.append(alike.get(chr(code_point), chr(REPLACEMENT)))
        return "".join(characters)

    def read(self, picture: bytes, width: int, height: int) -> list[TextLine]:
        """All text in a picture of MONO_HLSB rows (1 = paper), from top to bottom, left to right."""
        stride = (width + 7) // 8
        if len(picture) != stride * height:
            raise ValueError(f"picture of {width} x {height} has {len(picture)} bytes, not {stride * height}")
        columns = [0] * width
        for y in range(height):
            row = int.from_bytes(picture[y * stride : (y + 1) * stride], "big")
            for x in range(width):
                columns[x] = columns[x] << 1 | (row >> (stride * 8 - 1 - x) & 1)
        everything = (1 << height) - 1
        chains = []
        for inverse in (False, True):
            inked = columns if inverse else [column ^ everything for column in columns]
            for face in self._faces.values():
                for y in range(height - face.height + 1):
                    shift = height - face.height - y
                    mask = (1 << face.height) - 1
                    band = [column >> shift & mask for column in inked]
                    chains.extend(_chains(face, inverse, y, band))
        return _winners(chains)

    def words(self, picture: bytes, width: int, height: int) -> str:
        """All text as one string with single spaces: what a test compares."""
        return " ".join(" ".join(line.text for line in self.read(picture, width, height)).split())


def _chains(face: _Face, inverse: bool, y: int, band: list[int]) -> Iterable[_Chain]:
    """The chains in one band of rows: of all ways to string the cells found, those that explain most ink."""
    width = len(band)
    cells = []
    for x, column in enumerate(band):
        for first, shape in face.shapes.get(column, ()) if column else ():
            start = x - first
            end = start + len(shape.columns)
            # A last cell may stick out over the edge of the display with blank columns only.
            if start >= 0 and tuple(band[start:end]) == shape.columns[: width - start]:
                if not any(shape.columns[width - start :]):
                    cells.append((start, end, shape))
    cells.sort(key=lambda cell: cell[0])
    best: dict[int, _Chain] = {}  # by the x where the chain ends
    for start, end, shape in cells:
        # Text has blank columns at both its ends; a glyph's cell ends with one.
        free = start == 0 or not band[start - 1]
        chain = _Chain(face, inverse, y, start, end, shape.ink if free else 0, shape.character)
        for gap, joint in ((0, ""), (face.space, " ")):
            before = best.get(start - gap)
            if before is None or before.ink + shape.ink <= chain.ink:
                continue
            if not any(band[start - gap : start]):
                text = before.text + joint + shape.character
                chain = _Chain(face, inverse, y, before.start, end, before.ink + shape.ink, text)
        if not chain.ink:
            continue
        # Equal ink in fewer cells: one sign is likelier than two that make it up.
        rival = best.get(end)
        if rival is None or (chain.ink, -len(chain.text)) > (rival.ink, -len(rival.text)):
            best[end] = chain
    return best.values()


def _winners(chains: list[_Chain]) -> list[TextLine]:
    """Of the chains that overlap, the one that explains most ink."""
    chains.sort(key=lambda chain: (-chain.ink, chain.y, chain.start))
    won: list[_Chain] = []
    for chain in chains:
        bottom = chain.y + chain.face.height
        for other in won:
            if chain.start < other.end and other.start < chain.end:
                if chain.y < other.y + other.face.height and other.y < bottom:
                    break
        else:
            won.append(chain)
    won.sort(key=lambda chain: (chain.y, chain.start))
    return [TextLine(chain.start, chain.y, chain.face.name, chain.inverse, chain.text) for chain in won]
