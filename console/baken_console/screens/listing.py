"""Whole-screen lists: everything that needs attention, and the log."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container

from baken_console.model import Attention, Board
from baken_console.palette import ALERT, WARN
from baken_console.screens.base import BoardScreen
from baken_console.widgets.attention_strip import ALERT_RANK
from baken_console.widgets.log_view import LogView
from baken_console.widgets.plain_table import PlainTable


class AttentionScreen(BoardScreen):
    """Most urgent first; Enter opens the bulletin or point that it is about."""

    def __init__(self) -> None:
        super().__init__()
        self._attention: tuple[Attention, ...] = ()

    def compose_body(self) -> ComposeResult:
        with Container(id="attention-pane", classes="pane listing"):
            yield PlainTable("attention-list")

    def show_body(self, board: Board) -> None:
        words = self.console_app.words
        self._attention = board.attention
        table = self.query_one(PlainTable)
        width = max(table.size.width - 5, 30)
        rows = []
        for index, one in enumerate(board.attention):
            alert = one.rank <= ALERT_RANK
            style = ALERT if alert else WARN
            sentence = Text(words.attention(one, width), style, no_wrap=True, overflow="ellipsis")
            rows.append((str(index), [Text("!!" if alert else " !", style), sentence]))
        if not rows:
            rows = [("", [Text(" ="), Text(words("attention-none"))])]
        table.show([("", 3), (words("attention"), width)], rows)
        self.query_one("#attention-pane").border_title = words("attention-title")

    def on_plain_table_opened(self, event: PlainTable.Opened) -> None:
        if not event.name:
            return
        one = self._attention[int(event.name)]
        if one.report is not None:
            self.console_app.open_report(one.report)
        elif one.bulletin is not None:
            self.console_app.open_bulletin(one.bulletin)
        elif one.point is not None:
            self.console_app.open_point(one.point)


class LogScreen(BoardScreen):
    """All lines that the board keeps in sight, newest first."""

    def compose_body(self) -> ComposeResult:
        with Container(id="log-whole", classes="pane listing"):
            yield LogView("log-lines", whole=True)

    def show_body(self, board: Board) -> None:
        app = self.console_app
        self.query_one(LogView).show(app.journal, app.authorities, board.now_s, app.words, app.calendar)
        self.query_one("#log-whole").border_title = app.words("log-title")
