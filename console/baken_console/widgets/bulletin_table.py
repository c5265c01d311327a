"""The bulletins: number, kind, area, how long they hold, and how many points received and read them."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import DataTable

from baken_console.model import MADE, Board, BulletinRow
from baken_console.moments import Calendar
from baken_console.palette import ALERT, GOOD, MUTED, SEVERITY_SIGN, SEVERITY_STYLE, WARN
from baken_console.receipts import BulletinKey
from baken_console.words import Words

WIDE_FROM = 84
VERY_WIDE_FROM = 110
BAR_CELLS = 5


class BulletinTable(DataTable[Text]):
    """A row each; those in force first, the most urgent on top.

    The cursor stays on its bulletin when rows move.
    """

    BINDINGS = [("enter", "select_cursor", "Open")]

    @dataclass
    class Opened(Message):
        """The person wants to see this bulletin."""

        key: BulletinKey

    def __init__(self) -> None:
        super().__init__(cursor_type="row", cell_padding=0, id="bulletins", cursor_foreground_priority="css")
        self._keys: list[BulletinKey] = []
        self._content: tuple[Board, Words, Calendar] | None = None
        self._shown: object = None

    @property
    def chosen(self) -> BulletinKey | None:
        """Key of the bulletin under the cursor."""
        return self._keys[self.cursor_row] if 0 <= self.cursor_row < len(self._keys) else None

    def show(self, board: Board, words: Words, calendar: Calendar) -> None:
        """Show the board; nothing is drawn when nothing visible has changed."""
        self._content = (board, words, calendar)
        columns = _columns(words, self.size.width)
        rows = [_cells(row, board, words, calendar, columns) for row in board.bulletins]
        shown = (columns, [[(cell.plain, str(cell.style)) for cell in row] for row in rows])
        if shown == self._shown:
            return
        self._shown = shown
        chosen, offset = self.chosen, self.scroll_offset
        self.clear(columns=True)
        for name, label, width in columns:
            self.add_column(Text(label, no_wrap=True), key=name, width=width)
        self._keys = [row.key for row in board.bulletins]
        for key, cells in zip(self._keys, rows, strict=True):
            self.add_row(*cells, key=f"{key[0]}/{key[1]}")
        if chosen in self._keys:
            self.move_cursor(row=self._keys.index(chosen), scroll=False)
            self.scroll_to(y=offset.y, animate=False)

    def on_resize(self, _event: events.Resize) -> None:
        if self._content is not None:
            self.show(*self._content)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))


def _columns(words: Words, width: int) -> list[tuple[str, str, int]]:
    wide, very_wide = width >= WIDE_FROM, width >= VERY_WIDE_FROM
    columns = [
        ("ref", words("column-ref"), 6),
        ("event", words("column-event"), 13),
        ("area", words("column-area"), 12 if very_wide else 9 if wide else 8),
        ("sent", words("column-sent"), 10),
        ("until", words("column-until"), 10),
        (
            "received",
            words("column-received-wide" if wide else "column-received"),
            BAR_CELLS + 7 if wide else 6,
        ),
        ("read", words("column-read"), BAR_CELLS + 7 if wide else 8),
    ]
    if not very_wide:
        columns = [column for column in columns if column[0] != "sent"]
    used = sum(size for _name, _label, size in columns)
    return [*columns, ("text", words("column-text"), max(width - used - 2, 12))]


def _cells(
    row: BulletinRow, board: Board, words: Words, calendar: Calendar, columns: list[tuple[str, str, int]]
) -> list[Text]:
    sizes = {name: size for name, _label, size in columns}
    wide = sizes["received"] > BAR_CELLS + 1
    faded = MUTED if not row.in_force else ""
    sign = SEVERITY_SIGN.get(row.severity, "")
    event = f"{sign:2} {words.word('event', row.event)}"
    area = " ".join(row.areas) if row.areas else words("all-areas-short")
    text = Text(no_wrap=True, overflow="ellipsis")
    prefix, prefix_style = remark(row, words)
    if board.exercise and board.actual:  # never mixed up: every row says which it is
        text.append(f"{words.word('status', row.cap_status)} ", "bold")
    if prefix:
        text.append(f"[{prefix}] ", prefix_style)
    text.append(row.text or "...", faded)
    cells = {
        "ref": Text(row.ref, faded),
        "event": Text(_cut(event, sizes["event"]), faded or SEVERITY_STYLE.get(row.severity, "")),
        "area": Text(_cut(area, sizes["area"]), faded),
        "sent": Text(calendar.brief(row.sent_s, board.now_s), faded),
        "until": Text(calendar.brief(row.expires_s, board.now_s), faded),
        "received": tally(row.received, row.meant, row.all_received, row.in_force, BAR_CELLS if wide else 0),
        "read": tally(row.read, row.meant, row.all_read, row.in_force, BAR_CELLS if wide else 0),
        "text": text,
    }
    return [cells[name] for name, _label, _size in columns]


def remark(row: BulletinRow, words: Words) -> tuple[str, str]:
    """What is special about a bulletin, and its style: waiting, incomplete, over, staff only, exercise or
    not.
    """
    notes: list[str] = []
    style = MUTED
    if row.delivery == MADE:
        notes.append(words("delivery-made"))
        style = ALERT
    if row.state not in ("valid",):
        note = words(f"state-{row.state}")
        if row.state in ("withdrawn", "superseded", "partly") and row.replaced_by:
            note += f" {words('by', refs=' '.join(f'{origin}/{seq}' for origin, seq in row.replaced_by))}"
        notes.append(note)
        style = WARN if row.in_force and style != ALERT else style
    if row.scope != "Public":
        notes.append(words.word("scope", row.scope))
    if row.cap_status not in ("Actual", "Exercise"):
        notes.append(words.word("status", row.cap_status))
    return ", ".join(notes), style


def tally(count: int, of: int, everywhere: bool, in_force: bool, bar_cells: int) -> Text:
    """38/39, after a bar when there is room for one. `everywhere`: all open points; then the bar is full."""
    style = MUTED if not in_force or not of else GOOD if everywhere else WARN if count else ""
    numbers = f"{count}/{of}"
    if not bar_cells:
        return Text(numbers, style)
    filled = round(bar_cells * count / of) if of else 0
    if of and count:
        filled = bar_cells if everywhere else min(max(filled, 1), bar_cells - 1)
    return Text(f"{'█' * filled}{'░' * (bar_cells - filled)} {numbers}", style)


def _cut(text: str, size: int) -> str:
    return text if len(text) < size else text[: size - 2] + "…"
