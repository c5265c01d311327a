"""The points: state, people, power, needs, what they lack and when they were last heard."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import DataTable

from baken_console.model import EXTERNAL_POWER_PERCENT, NEVER, SILENT, Board, PointRow
from baken_console.moments import Calendar
from baken_console.palette import ALERT, LIVENESS_STYLE, MUTED, STATE_STYLE, WARN
from baken_console.words import Words

SAID_FROM = 118
BY_URGENCY = "urgency"
BY_CODE = "code"


class PointTable(DataTable[Text]):
    """A row each, trouble first or by code. The cursor stays on its point when rows move."""

    BINDINGS = [("enter", "select_cursor", "Open")]

    @dataclass
    class Opened(Message):
        """The person wants to see this point (its number)."""

        number: int

    def __init__(self) -> None:
        super().__init__(cursor_type="row", cell_padding=0, id="points", cursor_foreground_priority="css")
        self.order = BY_URGENCY
        self._numbers: list[int] = []
        self._content: tuple[Board, Words, Calendar] | None = None
        self._shown: object = None

    @property
    def chosen(self) -> int | None:
        """Number of the point under the cursor."""
        return self._numbers[self.cursor_row] if 0 <= self.cursor_row < len(self._numbers) else None

    def show(self, board: Board, words: Words, calendar: Calendar) -> None:
        """Show the board; nothing is drawn when nothing visible has changed."""
        self._content = (board, words, calendar)
        columns = _columns(words, self.size.width)
        points = list(board.points)
        if self.order == BY_CODE:
            points.sort(key=lambda row: (not row.point.is_support_point, row.point.code))
        rows = [_cells(row, words, calendar, columns) for row in points]
        shown = (columns, [[(cell.plain, str(cell.style)) for cell in row] for row in rows])
        if shown == self._shown:
            return
        self._shown = shown
        chosen, offset, at_top = self.chosen, self.scroll_offset, self.cursor_row == 0
        self.clear(columns=True)
        for name, label, width in columns:
            self.add_column(Text(label, no_wrap=True), key=name, width=width)
        self._numbers = [row.point.number for row in points]
        for number, cells in zip(self._numbers, rows, strict=True):
            self.add_row(*cells, key=str(number))
        if chosen in self._numbers and not (at_top and not self.has_focus):
            self.move_cursor(row=self._numbers.index(chosen), scroll=False)
            self.scroll_to(y=offset.y, animate=False)

    def toggle_order(self) -> None:
        """Trouble first, or by code."""
        self.order = BY_CODE if self.order == BY_URGENCY else BY_URGENCY
        if self._content is not None:
            self.show(*self._content)
            self.move_cursor(row=0)

    def on_resize(self, _event: events.Resize) -> None:
        if self._content is not None:
            self.show(*self._content)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))


def _columns(words: Words, width: int) -> list[tuple[str, str, int]]:
    columns = [
        ("code", f"  {words('column-code')}", 8),
        ("name", words("column-name"), 18),
        ("state", words("column-state"), 9),
        ("people", words("column-people"), 5),
        ("power", words("column-power"), 7),
        ("battery", words("column-battery"), 5),
        ("needs", words("column-needs"), 8),
        ("missing", words("column-missing"), 5),
        ("heard", words("column-heard"), 8),
    ]
    spare = width - sum(size for _name, _label, size in columns) - 2
    if width >= SAID_FROM:
        return [*columns, ("said", words("column-said"), spare)]
    name, label, size = columns[1]
    columns[1] = (name, label, max(min(size + spare, 34), 8))
    return columns


def _cells(
    row: PointRow, words: Words, calendar: Calendar, columns: list[tuple[str, str, int]]
) -> list[Text]:
    sizes = {name: size for name, _label, size in columns}
    faded = MUTED if row.closed or row.status is None else ""
    sign = {"F": "!!", "I": "! "}.get(row.priority, "")
    state = words.word("state", row.state) if row.status else "-"
    heard = words("never") if row.age_s is None else calendar.age(row.age_s)
    if row.liveness == SILENT and not row.closed:
        heard = f"! {heard}"
    cells = {
        "code": Text(f"{sign:>2}{row.point.code}", ALERT if sign else faded),
        "name": Text(_cut(row.point.name, sizes["name"]), faded),
        "state": Text(state, ALERT if sign else faded or STATE_STYLE.get(row.state, "")),
        "people": Text(str(row.status.people) if row.status else "", faded),
        "power": _power(row, words),
        "battery": _battery(row, words),
        "needs": Text(_cut(" ".join(row.needs), sizes["needs"]), faded or WARN),
        "missing": Text(str(len(row.missing)) if row.missing and row.status else "", faded or WARN),
        "heard": Text(heard, faded if row.closed or row.liveness == NEVER else LIVENESS_STYLE[row.liveness]),
        "said": Text(row.text, faded, no_wrap=True, overflow="ellipsis"),
    }
    return [cells[name] for name, _label, _size in columns]


def _power(row: PointRow, words: Words) -> Text:
    if row.status is None:
        return Text("")
    if row.status.power_hours is None:
        return Text("?", MUTED)
    sign = "! " if row.low_power else ""
    hours = "u" if words.language == "nl" else "h"
    return Text(
        f"{sign}{row.status.power_hours} {hours}", ALERT if row.low_power else MUTED if row.closed else ""
    )


def _battery(row: PointRow, words: Words) -> Text:
    percent = row.battery_percent
    if percent is None:
        return Text("?" if row.status else "", MUTED)
    if percent >= EXTERNAL_POWER_PERCENT:
        return Text(words("external")[:4], MUTED if row.closed else "")
    sign = "!" if row.low_battery else ""
    return Text(f"{sign}{percent}%", ALERT if row.low_battery else MUTED if row.closed else "")


def _cut(text: str, size: int) -> str:
    return text if len(text) < size else text[: size - 2] + "…"
