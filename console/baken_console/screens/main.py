"""The main board: what needs attention, the bulletins, the points and the log, all at once."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.widgets import Static

from baken_console.model import Board
from baken_console.screens.base import BoardScreen
from baken_console.widgets.attention_strip import AttentionStrip
from baken_console.widgets.bulletin_table import BulletinTable
from baken_console.widgets.log_view import LogView
from baken_console.widgets.point_table import BY_CODE, PointTable

NARROW_ATTENTION_LINES = 3
WIDE_ATTENTION_LINES = 6


class MainScreen(BoardScreen):
    """Two columns when wide, otherwise one; Tab goes round, Enter opens."""

    BINDINGS = [
        ("n", "app.new", "Nieuw"),
        ("u", "app.update", "Vervang"),
        ("x", "app.cancel", "Trek in"),
        Binding("a", "app.attention", "Aandacht", show=False),  # the strip above names the key
        Binding("m", "app.reports", "Noodmeldingen", show=False),  # the strip names it when one waits
        ("t", "app.texts", "Teksten"),
        Binding("s", "sort", "Volgorde", show=False),
        Binding("l", "app.log", "Logboek", show=False),
        Binding("escape", "nothing", show=False),
    ]

    def compose_body(self) -> ComposeResult:
        yield AttentionStrip()
        with Container(id="board"):
            with Container(id="bulletins-pane", classes="pane"):
                yield Static(id="bulletins-empty", classes="empty")
                yield BulletinTable()
            with Container(id="points-pane", classes="pane"):
                yield PointTable()
            with Container(id="log-pane", classes="pane"):
                yield LogView()

    def show_body(self, board: Board) -> None:
        app = self.console_app
        words = app.words
        lines = WIDE_ATTENTION_LINES if self.has_class("-tall") else NARROW_ATTENTION_LINES
        self.query_one(AttentionStrip).show(board, lines, words)
        bulletins, points = self.query_one(BulletinTable), self.query_one(PointTable)
        empty = self.query_one("#bulletins-empty", Static)
        empty.display, bulletins.display = not board.bulletins, bool(board.bulletins)
        empty.update(words("empty-bulletins" if app.sender else "empty-bulletins-read-only"))
        bulletins.show(board, words, app.calendar)
        points.show(board, words, app.calendar)
        self.query_one(LogView).show(app.journal, app.authorities, board.now_s, words, app.calendar)
        valid = sum(row.in_force for row in board.bulletins)
        heard = sum(row.status is not None for row in board.points)
        order = words("sorted-code" if points.order == BY_CODE else "sorted-urgency")
        titles = {
            "#bulletins-pane": words("bulletins-count", valid=valid, over=len(board.bulletins) - valid),
            "#points-pane": f"{words('points-count', heard=heard, total=len(board.points))}, {order}",
            "#log-pane": words("log"),
        }
        for selector, title in titles.items():
            self.query_one(selector).border_title = title

    def action_sort(self) -> None:
        self.query_one(PointTable).toggle_order()
        self.show_board()

    def action_nothing(self) -> None:
        """Escape on the main board does nothing: nobody leaves it by accident."""

    def on_bulletin_table_opened(self, event: BulletinTable.Opened) -> None:
        self.console_app.open_bulletin(event.key)

    def on_point_table_opened(self, event: PointTable.Opened) -> None:
        self.console_app.open_point(event.number)
