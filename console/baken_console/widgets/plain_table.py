"""A table to read and scroll: receipts of a bulletin, bulletins of a point. Enter on a row says which one."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual.message import Message
from textual.widgets import DataTable


class PlainTable(DataTable[Text]):
    """Rows have a name, so that the cursor can stay on the same one."""

    @dataclass
    class Opened(Message):
        """The person pressed Enter on the row with this name."""

        name: str

    def __init__(self, id: str) -> None:
        super().__init__(cursor_type="row", cell_padding=0, id=id, cursor_foreground_priority="css")
        self._names: list[str] = []
        self._shown: object = None

    def show(self, columns: list[tuple[str, int]], rows: list[tuple[str, list[Text]]]) -> None:
        """`columns`: (label, width); `rows`: (name, cells)."""
        shown = (columns, [(name, [(cell.plain, str(cell.style)) for cell in cells]) for name, cells in rows])
        if shown == self._shown:
            return
        self._shown = shown
        chosen = self._names[self.cursor_row] if 0 <= self.cursor_row < len(self._names) else None
        self.clear(columns=True)
        for index, (label, width) in enumerate(columns):
            self.add_column(Text(label, no_wrap=True), key=str(index), width=width)
        self._names = [name for name, _cells in rows]
        for name, cells in rows:
            self.add_row(*cells, key=name)
        if chosen in self._names:
            self.move_cursor(row=self._names.index(chosen))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if 0 <= self.cursor_row < len(self._names):
            self.post_message(self.Opened(self._names[self.cursor_row]))
