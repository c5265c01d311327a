"""Sees for itself what happens in the region: reads the displays' pixels, the nodes' logs and flash, the
broker.

Nothing here asks a program what it believes it did. A bulletin counts as shown when its words were read back
from the pixels of a display together with GECONTROLEERD and its authority's name, as held when its record
lies on the flash.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

from baken.device.flash import read_log
from baken.wire.records import STATUS
from baken_hardware.demo.scenario import Bulletin, Letter
from baken_hardware.virtual.reader import Reader

WIDTH = 250
HEIGHT = 122
_STRIDE = (WIDTH + 7) // 8
# The last text line holds the clock: without it most pictures repeat, and need to be read once only.
_CLOCK_ROWS = 14
_SHORTEST_FRAGMENT = 12
_TELLING_FRAGMENT = 20  # letters of a sealed text that nobody else writes by chance
_MARGIN_FONTS = ("bold11", "bold13")  # of the title bar and of the lines below the rule
_CHECKED = "GECONTROLEERD"
_EXERCISE = "OEFENING"
_LEARNED = re.compile(r"^(\d+) learned (\d+)-(\d+)-(\d+)-(\d+) via ([0-9a-f]{2})$")
_REFUSED = re.compile(r"^(\d+) refused ([a-z-]+)$")

RecordId = tuple[int, int, int, int]


@dataclass(frozen=True)
class Page:
    """What a picture says: its running text, everything else on it, and which letters of which sealed texts
    (id of the message, first, behind the last).
    """

    body: str
    rest: str
    letters: tuple[tuple[str, int, int], ...] = ()

    @property
    def title(self) -> str:
        """The first word of the bar."""
        return self.rest.partition(" ")[0]


@dataclass(frozen=True)
class Learned:
    """A node has taken in a record at `t_ms`; `via` is the relay byte it came by, 0 for its own and the
    cable.
    """

    t_ms: int
    record_id: RecordId
    via: int


class Eyes:
    """Reads pictures. `see` tells which part of which bulletin one shows."""

    def __init__(self, bulletins: list[Bulletin], letters: list[Letter]) -> None:
        self._reader = Reader()
        self._pages: dict[bytes, Page] = {}
        self._texts = [(bulletin, " ".join(bulletin.text.split())) for bulletin in bulletins]
        self._sealed = [(letter.id, " ".join(letter.text.split())) for letter in letters]

    def page(self, picture: bytes) -> Page:
        """The words of a picture; the clock is left out."""
        key = picture[: (HEIGHT - _CLOCK_ROWS) * _STRIDE]
        if key not in self._pages:
            lines = self._reader.read(picture, WIDTH, HEIGHT)
            body = [line for line in lines if line.font not in _MARGIN_FONTS]
            rest = [line for line in lines if line.font in _MARGIN_FONTS]
            self._pages[key] = Page(_joined(body), _joined(rest), self._letters(_joined(lines)))
        return self._pages[key]

    def words(self, picture: bytes) -> str:
        """Everything on a picture, the last line too."""
        return self._reader.words(picture, WIDTH, HEIGHT)

    def see(self, page: Page) -> tuple[Bulletin, int, int] | None:
        """The bulletin whose text contains the page's, with the range of letters; None when there is none."""
        if len(page.body) < _SHORTEST_FRAGMENT:
            return None
        for bulletin, text in self._texts:
            at = text.find(page.body)
            if at >= 0:
                return bulletin, at, at + len(page.body)
        return None

    def _letters(self, words: str) -> tuple[tuple[str, int, int], ...]:
        """The longest piece of each sealed text that stands in `words`, if it is long enough to tell."""
        found = []
        for name, text in self._sealed:
            match = SequenceMatcher(None, text, words, autojunk=False).find_longest_match()
            if match.size >= min(_TELLING_FRAGMENT, len(text)):
                found.append((name, match.a, match.a + match.size))
        return tuple(found)


@dataclass
class Sighting:
    """An emergency report or answer under one title on one display: which of its letters were read, when it
    was seen first, and when all of it had been seen.
    """

    read: set[int] = field(default_factory=set)
    first_ms: int = 0
    whole_ms: int | None = None
    is_checked: bool = True
    is_marked: bool = True


@dataclass
class Display:
    """What one display has shown: for each bulletin the letters read, and when all of it had been read."""

    read: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    shown_ms: dict[str, int] = field(default_factory=dict)
    last_ms: dict[str, int] = field(default_factory=dict)
    pictures: int = 0
    unchecked: set[str] = field(default_factory=set)
    unmarked: set[str] = field(default_factory=set)
    letters: dict[tuple[str, str], Sighting] = field(default_factory=dict)  # by id of the message and title


class Displays:
    """All displays of the region; `look` is the ether's `on_picture`."""

    def __init__(self, bulletins: list[Bulletin], letters: list[Letter]) -> None:
        self.eyes = Eyes(bulletins, letters)
        self._lengths = {letter.id: len(" ".join(letter.text.split())) for letter in letters}
        self.by_code: dict[str, Display] = defaultdict(Display)
        self.latest: dict[str, bytes] = {}

    def look(self, t_ms: int, code: str, picture: bytes) -> None:
        """Take in one picture that a display has just settled on."""
        display = self.by_code[code]
        display.pictures += 1
        self.latest[code] = picture
        page = self.eyes.page(picture)
        self._note_letters(t_ms, display, page)
        seen = self.eyes.see(page)
        if seen is None:
            return
        bulletin, start, end = seen
        display.last_ms[bulletin.id] = t_ms
        if f"{_CHECKED} {bulletin.authority}" not in page.rest:
            display.unchecked.add(bulletin.id)
        if _EXERCISE not in page.rest:
            display.unmarked.add(bulletin.id)
        letters = display.read[bulletin.id]
        letters.update(range(start, end))
        if bulletin.id not in display.shown_ms and _covers(letters, bulletin):
            display.shown_ms[bulletin.id] = t_ms

    def _note_letters(self, t_ms: int, display: Display, page: Page) -> None:
        for name, start, end in page.letters:
            sighting = display.letters.setdefault((name, page.title), Sighting(first_ms=t_ms))
            sighting.read.update(range(start, end))
            sighting.is_checked &= _CHECKED in page.rest
            sighting.is_marked &= _EXERCISE in page.rest
            # The space at which two lines or pages part is on neither.
            if sighting.whole_ms is None and len(sighting.read) >= self._lengths[name] - 1:
                sighting.whole_ms = t_ms


class NodeLog:
    """Follows one node's log file: what it learned and what it refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self.learned: list[Learned] = []
        self.refused: dict[str, int] = defaultdict(int)
        self.other: list[str] = []

    def update(self) -> NodeLog:
        """Read what is new."""
        if self._path.exists():
            with open(self._path, "rb") as file:
                file.seek(self._at)
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self._at += whole
            for line in data[:whole].decode(errors="replace").splitlines():
                self._take(line)
        return self

    def when(self, record_id: RecordId) -> Learned | None:
        """The first time the node learned a record."""
        return next((item for item in self.learned if item.record_id == record_id), None)

    def statuses(self) -> set[RecordId]:
        return {item.record_id for item in self.learned if item.record_id[0] == STATUS}

    def _take(self, line: str) -> None:
        learned = _LEARNED.match(line)
        refused = _REFUSED.match(line)
        if learned:
            t_ms, kind, origin, seq, part = (int(learned.group(n)) for n in range(1, 6))
            self.learned.append(Learned(t_ms, (kind, origin, seq, part), int(learned.group(6), 16)))
        elif refused:
            self.refused[refused.group(2)] += 1
        elif line:
            self.other.append(line)


def held_on_flash(flash: Path) -> set[RecordId]:
    """Ids of the records that lie on a node's flash."""
    return set(read_log(str(flash / "board"))) if (flash / "board" / "log").exists() else set()


def _joined(lines: list) -> str:
    return " ".join(" ".join(line.text for line in lines).split())


def _covers(letters: set[int], bulletin: Bulletin) -> bool:
    """Every letter was read; the space at which two lines or pages part is on neither."""
    text = " ".join(bulletin.text.split())
    return all(at in letters or text[at] == " " for at in range(len(text)))
