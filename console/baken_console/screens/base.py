"""What all screens share: they show the app's current board, and go back with Escape."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer

from baken_console.model import Board
from baken_console.widgets.connection_bar import ConnectionBar
from baken_console.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from baken_console.app import ConsoleApp

WIDE_FROM = 120
TALL_FROM = 34


class BoardScreen(Screen[None]):
    """Title bar, connection bar, a body, footer. Subclasses give `compose_body` and `show_body`."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE_FROM, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (TALL_FROM, "-tall")]
    BINDINGS = [("escape", "back", "Terug")]

    @property
    def console_app(self) -> ConsoleApp:
        return cast("ConsoleApp", self.app)

    def compose(self) -> ComposeResult:
        yield TitleBar()
        yield ConnectionBar()
        yield from self.compose_body()
        yield Footer(show_command_palette=False)

    def compose_body(self) -> ComposeResult:
        """The widgets between the bars and the footer."""
        raise NotImplementedError

    def show_body(self, board: Board) -> None:
        """Show the board in those widgets."""
        raise NotImplementedError

    def show_board(self) -> None:
        """Show the app's board; called at every change and every new minute."""
        app = self.console_app
        if not self.is_mounted or not self.query(TitleBar):
            return  # not yet there, or closing
        self.query_one(TitleBar).show(app.desk.region.name, app.board, app.exercise, app.words, app.calendar)
        self.query_one(ConnectionBar).show(
            app.connection,
            app.board,
            app.sender,
            app.clock.stopped,
            app.words,
            app.calendar,
            app.unread,
        )
        self.show_body(app.board)

    def on_mount(self) -> None:
        self.name_keys()
        self.call_after_refresh(self.show_board)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_board)

    def on_screen_resume(self) -> None:
        self.name_keys()
        self.call_after_refresh(self.show_board)

    def name_keys(self) -> None:
        """Footer texts in the reader's language: bindings are described by their action's name."""
        words = self.console_app.words
        for node in (self, self.app):
            for key, bindings in list(node._bindings.key_to_bindings.items()):
                named = []
                for binding in bindings:
                    text = words.key_name(binding.action)
                    named.append(binding if text is None else replace(binding, description=text))
                node._bindings.key_to_bindings[key] = named
        self.refresh_bindings()

    def action_back(self) -> None:
        self.dismiss()
