"""The texts of one conversation, oldest first, with what became of those that were sent from here."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from baken_console.chat import HEARD, LATE, TAKEN_HERE, WAITING, WAITING_HERE, Conversation, Line
from baken_console.moments import Calendar
from baken_console.palette import ALERT, GOOD, MUTED, WARN
from baken_console.words import Words
from baken_gateway import texts

MAX_LINES = 200
_STYLES = {
    WAITING: WARN,
    WAITING_HERE: WARN,
    TAKEN_HERE: WARN,
    texts.TAKEN: WARN,
    texts.SENT: WARN,
    texts.RELAYED: GOOD,
    texts.DELIVERED: GOOD,
    texts.FAILED: ALERT,
    texts.REFUSED: ALERT,
    LATE: ALERT,
}


class ChatView(VerticalScroll):
    """Stays at the newest text unless somebody has scrolled away from it."""

    def __init__(self, id: str = "chat-lines") -> None:
        super().__init__(id=id)
        self._shown: object = None

    def compose(self) -> ComposeResult:
        yield Static()

    def show(self, conversation: Conversation, now_s: int, words: Words, calendar: Calendar) -> None:
        shown = (conversation.name, conversation.lines, words.language, self.size.width, now_s // 86400)
        if shown == self._shown:
            return
        self._shown = shown
        if not conversation.lines:
            self.query_one(Static).update(Text(words("chat-empty"), MUTED))
            return
        grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
        grid.add_column(width=8, justify="right", no_wrap=True)
        grid.add_column(width=9, no_wrap=True, overflow="ellipsis")
        grid.add_column(ratio=1, overflow="fold")
        for line in conversation.lines[-MAX_LINES:]:
            text = Text(words("chat-alert") + " ", ALERT) if line.alert else Text()
            text.append(line.text, "")
            if line.state != HEARD:
                text.append(f"  {mark(line, words)}", _STYLES[line.state])
            grid.add_row(
                Text(calendar.brief(line.time_s, now_s), MUTED),
                Text(line.sender, "bold" if line.ours else ""),
                text,
            )
        self.query_one(Static).update(grid)
        self.scroll_end(animate=False)

    def on_resize(self) -> None:
        self._shown = None


def mark(line: Line, words: Words) -> str:
    """What became of a text: `[ontvangen door OV06]`."""
    return f"[{words(f'chat-{line.state}', reason=line.reason, by=line.by)}]"
