"""Choosing a phrase of the book: search words first, then its number with what goes in, and how it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from baken.wire import phrases
from baken.wire.errors import ProtocolError
from baken_console import phrasing
from baken_console.palette import ALERT, GOOD, MUTED
from baken_console.widgets.plain_table import PlainTable
from baken_gateway.region import RegionError

if TYPE_CHECKING:
    from baken_console.app import ConsoleApp


class PhraseScreen(ModalScreen[str]):
    """Gives a phrase as `phrasing.parse` reads it, with `said` in front of it fitting in one bulletin; "" for
    none.
    """

    BINDINGS = [("escape", "back", ""), ("down", "list", "")]

    def __init__(self, said: tuple[str, ...]) -> None:
        super().__init__()
        self._said = said
        self._book: list[tuple[int, str, str]] = []

    @property
    def console_app(self) -> ConsoleApp:
        return cast("ConsoleApp", self.app)

    def compose(self) -> ComposeResult:
        words = self.console_app.words
        with Vertical(id="phrase-pane", classes="pane") as pane:
            pane.border_title = words("phrase-title")
            yield Input(placeholder=words("phrase-search"), id="phrase-input", select_on_focus=False)
            yield Static(id="phrase-note")
            yield PlainTable("phrase-list")

    def on_mount(self) -> None:
        words = self.console_app.words
        names = {kind: words(f"phrase-{kind}") for kind in phrasing.HOW_TO_WRITE}
        self._book = phrasing.book(words.language, names)
        self.query_one(Input).focus()
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show()

    def on_plain_table_opened(self, event: PlainTable.Opened) -> None:
        number = int(event.name)
        line = self.query_one(Input)
        line.value = f"{number} "
        if self._book[number][1]:
            line.focus()
            line.cursor_position = len(line.value)
        else:
            self._choose()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        rows = self._matches()
        if self._number() is None and len(rows) == 1:
            self.on_plain_table_opened(PlainTable.Opened(str(rows[0][0])))
        elif self._number() is None:
            self.action_list()
        else:
            self._choose()

    def action_list(self) -> None:
        self.query_one(PlainTable).focus()

    def action_back(self) -> None:
        self.dismiss("")

    def _choose(self) -> None:
        text = self.query_one(Input).value.strip()
        if not self._problem(text):
            self.dismiss(text)

    def _number(self) -> int | None:
        """Number of the phrase that the line begins with; None while it holds search words."""
        first, *_rest = self.query_one(Input).value.split() or [""]
        return int(first) if first.isdecimal() and int(first) < len(self._book) else None

    def _matches(self) -> list[tuple[int, str, str]]:
        number = self._number()
        if number is not None:
            return [self._book[number]]
        wanted = self.query_one(Input).value.split()
        return [row for row in self._book if phrasing.has_all(row[2], wanted)]

    def _problem(self, text: str) -> str:
        try:
            phrasing.encode([*self._said, text], self.console_app.desk.region)
        except (ValueError, RegionError, ProtocolError) as error:
            return str(error)
        return ""

    def _show(self) -> None:
        words = self.console_app.words
        rows = self._matches()
        table = self.query_one(PlainTable)
        spare = max(table.size.width - 4 - 2, 20)
        cells = [
            (str(number), [Text(f"{number:3} ", MUTED), Text(text, no_wrap=True, overflow="ellipsis")])
            for number, _wanted, text in rows
        ]
        table.show([("", 4), (words("phrase-column"), spare)], cells)
        self.query_one("#phrase-note", Static).update(self._note(rows))

    def _note(self, rows: list[tuple[int, str, str]]) -> Text:
        words = self.console_app.words
        number = self._number()
        if number is None:
            return Text(words("phrase-how" if rows else "phrase-none"), MUTED if rows else ALERT)
        wanted = f"{number} {self._book[number][1]}".strip()
        region = self.console_app.desk.region
        note = Text(words("phrase-write", wanted=wanted), MUTED)
        line = self.query_one(Input).value.strip()
        if len(line.split()) < len(wanted.split()):
            codes = " ".join(area.code for area in region.areas)
            kinds = phrases.TYPES[number]
            if "A" in kinds:
                note.append("\n" + words("phrase-areas", codes=codes), MUTED)
            if "Q" in kinds:
                note.append("\n" + words("phrase-units", units=" ".join(phrasing.UNITS)), MUTED)
            return note
        problem = self._problem(line)
        if problem:
            return note.append(f"\n{problem}", ALERT)
        return note.append(f"\n{phrasing.in_dutch(phrasing.encode([line], region), region)}", GOOD)
