"""The question before something that cannot be taken back. An alarm asks twice as loudly and starts on No."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class ConfirmScreen(ModalScreen[bool]):
    """Gives True or False. `lines` are shown above the buttons; `careful`: the cursor starts on No."""

    BINDINGS = [
        ("escape", "answer(False)", ""),
        ("j,y", "answer(True)", ""),
        ("n", "answer(False)", ""),
        ("left,right", "swap", ""),
    ]

    def __init__(self, title: str, lines: list[Text], yes: str, no: str, careful: bool) -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._yes = yes
        self._no = no
        self.careful = careful

    def compose(self) -> ComposeResult:
        dialog = Vertical(id="dialog", classes="-careful" if self.careful else "")
        dialog.border_title = self._title
        with dialog:
            with VerticalScroll(id="dialog-lines", can_focus=False):
                for line in self._lines:
                    yield Static(line)
            with Horizontal(id="dialog-buttons"):
                yield Button(self._yes, id="yes", compact=True)
                yield Button(self._no, id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no" if self.careful else "#yes", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def action_swap(self) -> None:
        self.focus_next()
