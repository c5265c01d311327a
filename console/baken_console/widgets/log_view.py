"""The log: what happened, newest first.

Receipts of one bulletin that follow each other are told in one line.
"""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from baken_console.ledger import Entry
from baken_console.moments import Calendar
from baken_console.palette import ALERT, MUTED, WARN
from baken_console.words import Words

PANE_LINES = 100
MERGE_S = 30 * 60
_MERGED = ("received", "read")
_ALERTS = ("broker-down", "gateway-off", "refused")


class LogView(VerticalScroll):
    """Scrolls with the arrow keys when it has the focus. `whole`: all lines in full, else the latest ones."""

    def __init__(self, id: str = "log", whole: bool = False) -> None:
        super().__init__(id=id)
        self.whole = whole
        self._shown: object = None

    def compose(self) -> Any:
        yield Static()

    def show(
        self, entries: list[Entry], authorities: dict[int, str], now_s: int, words: Words, calendar: Calendar
    ) -> None:
        """Show the entries, given newest first."""
        width = max(self.size.width - 2, 30)
        shown = (tuple(entries[:1]), len(entries), words.language, width, calendar.local(now_s).date())
        if shown == self._shown:
            return
        self._shown = shown
        if not entries:
            self.query_one(Static).update(Text(words("empty-log"), MUTED))
            return
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(width=8, justify="right", no_wrap=True)
        grid.add_column(ratio=1, no_wrap=not self.whole, overflow="fold" if self.whole else "ellipsis")
        for entry in merge(entries)[: None if self.whole else PANE_LINES]:
            authority = authorities.get(entry.details.get("origin", 0), "")
            text = words.entry(entry.kind, entry.details, authority, 0 if self.whole else width - 10)
            grid.add_row(Text(calendar.brief(entry.at_s, now_s), MUTED), Text(text, _style(entry)))
        self.query_one(Static).update(grid)

    def on_resize(self) -> None:
        self._shown = None


def merge(entries: list[Entry]) -> list[Entry]:
    """Receipts of one bulletin within MERGE_S as one entry with all codes, at the time of the newest."""
    out: list[Entry] = []
    place: dict[tuple[str, str], int] = {}
    for entry in entries:
        if entry.kind not in _MERGED:
            out.append(entry)
            continue
        name = (entry.kind, entry.details["ref"])
        at = place.get(name)
        if at is not None and out[at].at_s - entry.at_s <= MERGE_S:
            last = out[at]
            out[at] = Entry(
                last.at_s,
                last.kind,
                {**last.details, "codes": [*last.details["codes"], entry.details["code"]]},
            )
        else:
            place[name] = len(out)
            out.append(Entry(entry.at_s, entry.kind, {**entry.details, "codes": [entry.details["code"]]}))
    return out


def _style(entry: Entry) -> str:
    if entry.kind in _ALERTS or entry.details.get("priority") in ("F", "I"):
        return ALERT
    if entry.kind == "bulletin":
        return WARN if entry.details.get("event") == "ALARM" else "bold"
    return MUTED if entry.kind in _MERGED else ""
