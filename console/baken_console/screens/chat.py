"""Text messages with volunteers and other consoles: conversations, their texts, and a line to write."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Input, Static

from baken_console import chat
from baken_console.chat import Conversation
from baken_console.chatbox import ChatError
from baken_console.model import Board
from baken_console.palette import ALERT, MUTED, WARN
from baken_console.screens.base import BoardScreen
from baken_console.widgets.chat_view import ChatView
from baken_console.widgets.plain_table import PlainTable
from baken_gateway.texts import Request


class ChatScreen(BoardScreen):
    """Enter sends; a text that looks like personal data wants a second Enter. `to`: begin with this node."""

    BINDINGS = [("ctrl+n", "address", "Aan wie"), ("escape", "back", "Terug")]

    def __init__(self, to: str = chat.CHANNEL) -> None:
        super().__init__()
        self.chosen = to
        self._found: tuple[Conversation, ...] = ()
        self._warned = ""
        self._problem = ""

    def compose_body(self) -> ComposeResult:
        words = self.console_app.words
        with Container(id="chat-body"):
            with Container(id="chat-list-pane", classes="pane"):
                yield PlainTable("chat-list")
            with Vertical(id="chat-pane", classes="pane"):
                yield ChatView()
                yield Static(id="chat-note")
                yield Input(placeholder=words("chat-hint"), id="chat-input")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#chat-input").focus()

    @property
    def conversation(self) -> Conversation:
        """The one that is open; an empty one for a node nobody has written to yet."""
        for one in self._found:
            if one.name == self.chosen:
                return one
        to = chat.addressee(self.chosen, self.console_app.desk.region)
        if to is None or self.chosen == chat.CHANNEL:
            return self._found[0]
        return Conversation(self.chosen, chat.node_title(to, self.console_app.chatbox), to, 0, (), 0)

    def show_body(self, board: Board) -> None:
        app = self.console_app
        words = app.words
        self._found = chat.conversations(app.chatbox, board.now_s)
        one = self.conversation
        if one.unread and self.is_current:
            app.chatbox.mark_read(one.name, one.last_s)
            self._found = chat.conversations(app.chatbox, board.now_s)
            app.unread = chat.unread_count(self._found)
            one = self.conversation
            self.call_after_refresh(self.show_board)  # the bar above still tells of them
        table = self.query_one(PlainTable)
        width = max(table.size.width - 5, 10)
        listed = self._found if one in self._found else (one, *self._found)
        rows = []
        for each in listed:
            unread = Text(f"{each.unread:>3}" if each.unread else "   ", ALERT)
            title = Text(
                each.title, "bold" if each.name == one.name else "", no_wrap=True, overflow="ellipsis"
            )
            rows.append((each.name, [unread, title]))
        table.show([("", 4), (words("chat-with"), width)], rows)
        self.query_one(ChatView).show(one, board.now_s, words, app.calendar)
        self.query_one("#chat-list-pane").border_title = words("chat-title")
        self.query_one("#chat-pane").border_title = words("chat-pane", title=one.title)
        self._show_note()

    def on_plain_table_opened(self, event: PlainTable.Opened) -> None:
        self.chosen = event.name
        self._warned = self._problem = ""
        self.show_board()
        self.query_one("#chat-input").focus()

    def on_input_changed(self, _event: Input.Changed) -> None:
        self._warned = self._problem = ""
        self._show_note()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        app = self.console_app
        text = event.value.strip()
        if text.startswith("@"):
            self._address(text)
            return
        seen = chat.private_sightings(text, app.desk.region)
        if seen and self._warned != text:
            self._warned = text
            self._show_note()
            return
        one = self.conversation
        try:
            app.say(text, one.to, one.channel)
        except ChatError as error:
            self._problem = str(error)
            self._show_note()
            return
        self.query_one("#chat-input", Input).value = ""
        self.show_board()

    def action_address(self) -> None:
        field = self.query_one("#chat-input", Input)
        field.value = "@"
        field.focus()
        field.cursor_position = 1

    def _address(self, text: str) -> None:
        """`@OV06 text` or `@!12345678`: open that conversation, and keep the text to be sent."""
        name, _, rest = text[1:].partition(" ")
        to = chat.addressee(name, self.console_app.desk.region)
        if to is None:
            self._problem = self.console_app.words("chat-nobody", name=name)
            self._show_note()
            return
        self.chosen = chat.conversation_name(to)
        self.query_one("#chat-input", Input).value = rest.strip()
        self.show_board()

    def _show_note(self) -> None:
        """How long the text is, and what is wrong with it."""
        app = self.console_app
        words = app.words
        text = self.query_one("#chat-input", Input).value
        one = self.conversation
        request = Request(text.strip(), 0, one.to)
        size = len(request.text.encode())
        note = Text(
            words("chat-bytes", size=size, limit=request.limit), ALERT if size > request.limit else MUTED
        )
        if self._problem:
            note.append(f"  {self._problem}", ALERT)
        elif size > request.limit:
            note.append(f"  {words('chat-long')}", ALERT)
        elif seen := chat.private_sightings(text, app.desk.region):
            note.append(f"  {words(f'finding-private-{seen[0].kind}', text=seen[0].text)}", WARN)
            if self._warned == text.strip():
                note.append(f" {words('chat-again')}", ALERT)
        elif text.startswith("@"):
            note.append(f"  {words('chat-address')}", MUTED)
        else:
            note.append(f"  {words('chat-open' if not one.direct else 'chat-direct')}", MUTED)
        self.query_one("#chat-note", Static).update(note)
