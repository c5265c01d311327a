"""The top line: whose console this is, whether anything here is real, and what time it is."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from baken_console.model import Board
from baken_console.moments import Calendar
from baken_console.words import Words

STRIPES = "////"


class TitleBar(Static):
    """One line across the screen; during an exercise all of it is marked, by words, stripes and colour."""

    def show(self, region: str, board: Board, exercise: bool, words: Words, calendar: Calendar) -> None:
        """`exercise`: the whole session is one, whatever the board holds."""
        marked = exercise or board.exercise
        mixed = marked and board.actual
        self.set_class(marked, "-exercise")
        mark = ""
        if marked:
            key = "mixed-line" if mixed else "exercise-line" if self.size.width >= 110 else "exercise"
            mark = f"{STRIPES} {words(key)} {STRIPES}"
        left = f" {words('title')}  {region}"
        right = f"{calendar.day_clock(board.now_s)} "
        width = max(self.size.width, 20)
        room = width - len(right) - (len(mark) + 2 if mark else 1)
        if len(left) > room:
            left = left[: max(room - 1, 0)] + "…"
        line = Text(left)
        start = max((width - len(mark)) // 2, len(left) + 1) if mark else width
        start = min(start, width - len(right) - len(mark) - 1) if mark else start
        if mark:
            line.append(" " * (start - len(left)))
            line.append(mark, "bold")
        line.append(" " * (width - len(line) - len(right)))
        line.append(right)
        self.update(line)
