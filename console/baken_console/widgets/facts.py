"""Labels and values under each other: what is known about one bulletin or one point."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text
from textual.widgets import Static

from baken_console.palette import MUTED


class Facts(Static):
    """`show` takes (label, value, style); long values wrap in their own column."""

    def show(self, facts: Iterable[tuple[str, str, str]]) -> None:
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        for label, value, style in facts:
            grid.add_row(Text(label, MUTED), Text(value, style))
        self.update(grid)
