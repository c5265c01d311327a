"""The screen program: shows the desk's board, and does what the keys ask.

Drawing is in screens and widgets.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App
from textual.command import CommandPalette
from textual.filter import Monochrome, NoColor
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from baken.noticeboard.replica import OVER
from baken_console import chat
from baken_console.chatbox import Chatbox
from baken_console.commands import ConsoleCommands
from baken_console.connection import Connection
from baken_console.desk import Desk, DeskError
from baken_console.draft import Draft, draft_update
from baken_console.feed import Feed, console_name, stored_is_sent
from baken_console.ledger import Entry, LedgerError
from baken_console.mail import MailError, ReportRow
from baken_console.messages import ConnectionChanged, RecordsChanged
from baken_console.model import MADE, Board
from baken_console.moments import Calendar
from baken_console.palette import THEME
from baken_console.receipts import BulletinKey
from baken_console.screens.base import BoardScreen
from baken_console.screens.bulletin import BulletinScreen
from baken_console.screens.chat import ChatScreen
from baken_console.screens.compose import ComposeScreen
from baken_console.screens.help import HelpScreen
from baken_console.screens.listing import AttentionScreen, LogScreen
from baken_console.screens.main import MainScreen
from baken_console.screens.point import PointScreen
from baken_console.screens.reports import ReportsScreen
from baken_console.widgets.bulletin_table import BulletinTable
from baken_console.words import Words
from baken_gateway.mqtt_link import BrokerAddress
from baken_gateway.store import StoreError
from baken_gateway.texts import ANY

HERE = Path(__file__).parent
REFRESH_S = 0.5
RELOAD_S = 2.0


class ConsoleApp(App[int]):
    """One desk on one terminal. `clock.unix_s()` gives calendar time and never raises."""

    TITLE = "Baken"
    CSS_PATH = sorted([*HERE.glob("screens/*.tcss"), *HERE.glob("widgets/*.tcss")])
    COMMANDS = {ConsoleCommands}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = [
        ("e", "language", "English"),
        ("f1,question_mark", "help", "Uitleg"),
        ("q", "leave", "Stop"),
    ]

    def __init__(
        self,
        desk: Desk,
        store: Any,
        clock: Any,
        *,
        broker: BrokerAddress | None = None,
        port: str | None = None,
        language: str = "nl",
        mono: bool = False,
        exercise: bool = False,
        data: Path | None = None,
        heartbeat: bool = True,
    ) -> None:
        super().__init__()
        self._beats = heartbeat
        self.desk = desk
        self.clock = clock
        self.exercise = exercise
        self.words = Words(language)
        self.calendar = Calendar(desk.region.timezone, language)
        self.connection = Connection()
        self.feed: Feed | None = None
        self.journal: list[Entry] = []
        self.authorities = {entry.number: entry.name for entry in desk.region.authorities}
        self._data = data
        self._drawn: tuple[int, int, int, bool] | None = None
        self.chatbox = Chatbox(desk.region, store, console_name("c").partition("/")[2], secrets.randbelow)
        self.unread = 0
        self._refused: dict[str, int] = {}
        self._unsent: set[BulletinKey] = set()
        if broker is None and port is None:
            desk.is_sent = stored_is_sent(desk, store)
        else:
            self.feed = Feed(desk, store, broker, clock, "c", self._feed_changed, port, self.chatbox)
            self.connection = self.feed.connection
        self.desk.absorb(self.now_s())
        self.board: Board = self.desk.board(self.now_s())
        self.journal = self.desk.journal()
        self.register_theme(THEME)
        self.theme = "baken"
        self._set_mono(mono or self.no_color)

    # --- what screens ask

    @property
    def sender(self) -> str | None:
        """Name of the authority that signs here, None for a console that only looks."""
        return self.authorities.get(self.desk.origin) if self.desk.key else None

    def now_s(self) -> int:
        return self.clock.unix_s()

    def area_names(self, codes: tuple[str, ...]) -> list[str]:
        names = {area.code: area.name for area in self.desk.region.areas}
        return [names.get(code, code) for code in codes]

    def open_bulletin(self, key: BulletinKey) -> None:
        self.push_screen(BulletinScreen(key))

    def open_point(self, number: int) -> None:
        self.push_screen(PointScreen(number))

    def open_report(self, key: tuple[int, int] | None = None) -> None:
        self.push_screen(ReportsScreen(key))

    def runner(self, action: str) -> Callable[[], Any]:
        """For the palette: runs an action once the palette has gone."""
        return lambda: self.call_later(self.run_action, action)

    # --- life

    def get_default_screen(self) -> Screen[Any]:
        return MainScreen()

    def on_mount(self) -> None:
        self.set_interval(REFRESH_S, self._each_moment)
        self.set_interval(RELOAD_S, self._reload)
        if self.feed is not None:
            self.run_worker(self.feed.run(), name="feed", exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.worker.name == "feed" and event.state == WorkerState.ERROR:
            self._complain(event.worker.error)

    def _feed_changed(self) -> None:
        self.post_message(RecordsChanged())
        if self.feed is not None and self.feed.connection != self.connection:
            self.post_message(ConnectionChanged(self.feed.connection))

    def on_records_changed(self, _message: RecordsChanged) -> None:
        self.refresh_board()

    def on_connection_changed(self, message: ConnectionChanged) -> None:
        before, self.connection = self.connection, message.connection
        entries = connection_entries(before, message.connection, self.now_s())
        try:
            self.desk.ledger.note(entries)
        except LedgerError as error:
            self._complain(error)
        self.refresh_board(force=True)

    def refresh_board(self, force: bool = False) -> None:
        """Draw conclusions from what has come in, and show them."""
        now_s = self.now_s()
        try:
            self.desk.absorb(now_s)
            noted = self._note_refusals(now_s) | self._note_sent(now_s)
            drawn = (self.desk.replica.revision, self.chatbox.revision, now_s // 60, self.clock.stopped)
            if drawn == self._drawn and not (noted or force):
                return
            self._drawn = drawn
            self.board = self.desk.board(now_s)
            self.unread = chat.unread_count(chat.conversations(self.chatbox, now_s))
            self._unsent = {row.key for row in self.board.bulletins if row.delivery == MADE}
            self.journal = self.desk.journal()
        except (LedgerError, StoreError) as error:
            self._complain(error)
            return
        for screen in self.screen_stack:
            if isinstance(screen, BoardScreen):
                screen.show_board()

    # --- keys

    def action_new(self) -> None:
        self._compose(Draft().for_event("BERICHT"))

    def action_update(self) -> None:
        self._compose_about(cancel=False)

    def action_cancel(self) -> None:
        self._compose_about(cancel=True)

    def action_attention(self) -> None:
        self.push_screen(AttentionScreen())

    def action_log(self) -> None:
        self.push_screen(LogScreen())

    def action_reports(self) -> None:
        if not any(isinstance(one, ReportsScreen) for one in self.screen_stack):
            self.open_report()

    def action_texts(self) -> None:
        if not any(isinstance(one, ChatScreen) for one in self.screen_stack):
            self.push_screen(ChatScreen())

    def action_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While somebody writes, single letters belong to the text: none of them quits or changes the
        language.
        """
        if action in ("leave", "language") and any(
            isinstance(one, (ComposeScreen, ChatScreen, ReportsScreen)) for one in self.screen_stack
        ):
            return False
        return super().check_action(action, parameters)

    def action_leave(self) -> None:
        """Quit by one letter; Ctrl+Q does the same everywhere."""
        self.exit()

    def action_sort(self) -> None:
        if isinstance(self.screen, MainScreen):
            self.screen.action_sort()

    def action_command_palette(self) -> None:
        if not any(isinstance(one, CommandPalette) for one in self.screen_stack):
            self.push_screen(CommandPalette(id="--command-palette", placeholder=self.words("palette-hint")))

    def action_language(self) -> None:
        language = "en" if self.words.language == "nl" else "nl"
        self.words = Words(language)
        self.calendar = Calendar(self.desk.region.timezone, language)
        for screen in self.screen_stack:
            if isinstance(screen, BoardScreen):
                screen.name_keys()
                screen.show_board()

    def action_mono(self) -> None:
        self._set_mono(not self.no_color)
        self.refresh_css(animate=False)
        self.refresh_board(force=True)
        self.screen.refresh(layout=True)

    def action_save_screenshot(self) -> None:
        path = self.save_screenshot(path=str(self._data) if self._data else None)
        self.notify(self.words("screenshot-saved", path=path), markup=False)

    # --- sending

    def answer(self, row: ReportRow, text: str) -> None:
        """Answer a report, or acknowledge it with "". MailError when it cannot be."""
        raw = self.desk.mail.answer(row.key[0], row.key[1], text, self.now_s())
        if self.feed is not None:
            self.feed.publish(raw)
        self.refresh_board(force=True)

    def say(self, text: str, to: int, channel: int) -> None:
        """Ask a gateway, or the radio here, to send a text; ChatError when it cannot be."""
        sender = self.feed.text_sender if self.feed is not None else ANY
        self.chatbox.send(text, to, self.now_s(), channel, sender)
        if self.feed is not None:
            self.feed.wake()
        self.refresh_board(force=True)

    def on_compose_screen_composed(self, message: ComposeScreen.Composed) -> None:
        try:
            made = self.desk.make(message.draft, self.now_s())
        except (DeskError, LedgerError, StoreError) as error:
            self._complain(error)
            return
        if self.feed is not None:
            self.feed.wake()
        self.refresh_board(force=True)
        words = self.words
        airtime = words.seconds(made.cost.airtime_ms)
        self.notify(
            words("sent-note", ref=made.ref, parts=words.parts(made.cost.parts), airtime=airtime),
            markup=False,
        )

    def _compose(self, draft: Draft) -> None:
        if self.desk.key is None:
            self.notify(self.words("read-only-refused"), severity="warning", markup=False)
            return
        self.push_screen(ComposeScreen(draft, self.exercise))

    def _compose_about(self, cancel: bool) -> None:
        words = self.words
        screen = self.screen
        key = screen.key if isinstance(screen, BulletinScreen) else None
        if isinstance(screen, MainScreen):
            key = screen.query_one(BulletinTable).chosen
        row = self.board.bulletin(key) if key else None
        if self.desk.key is None:
            self.notify(words("read-only-refused"), severity="warning", markup=False)
        elif row is None:
            self.notify(words("no-bulletin-chosen"), severity="warning", markup=False)
        elif row.key[0] != self.desk.origin:
            refused = words("foreign-refused", ref=row.ref, authority=row.authority)
            self.notify(refused, severity="warning", markup=False)
        else:
            self._compose(draft_update(Draft(), row, cancel))

    # --- inside

    def _each_moment(self) -> None:
        self._beat()
        self.refresh_board()

    def _beat(self) -> None:
        """Send a HEARTBEAT when one is due: once all is here, so that no number and no beat is doubled."""
        due_s = self.desk.mail.next_beat_s()
        if not self._beats or self.feed is None or not self.feed.synced or due_s is None:
            return
        if self.clock.stopped or self.now_s() < due_s:
            return
        try:
            self.feed.publish(self.desk.beat(self.now_s()))
        except (MailError, LedgerError, StoreError) as error:
            self._beats = False  # said once
            self._complain(error)

    def _reload(self) -> None:
        try:
            self.desk.reload(self.now_s())
        except StoreError as error:
            self._complain(error)

    def _note_refusals(self, now_s: int) -> bool:
        """Put new refusals in the log: nothing is refused silently."""
        counters = dict(self.desk.replica.counters)
        if self.feed is not None:
            for cause, count in self.feed.counters.items():
                counters[cause] = max(counters.get(cause, 0), count)
        new = {cause: count - self._refused.get(cause, 0) for cause, count in counters.items()}
        entries = [
            Entry(now_s, "refused", {"cause": cause, "count": count})
            for cause, count in new.items()
            if count > 0 and cause.removeprefix("stored-") not in OVER
        ]
        self._refused = counters
        self.desk.ledger.note(entries)
        return bool(entries)

    def _note_sent(self, now_s: int) -> bool:
        """Put in the log what the broker has confirmed since the last look."""
        sent = [key for key in self._unsent if self.desk.is_sent_or_over(key)]
        entries = [
            Entry(now_s, "sent", {"ref": f"{key[0]}/{key[1]}"}, f"sent:{key[0]}/{key[1]}")
            for key in sorted(sent)
        ]
        self.desk.ledger.note(entries)
        self._unsent.difference_update(sent)
        return bool(sent)

    def _set_mono(self, mono: bool) -> None:
        self.no_color = mono
        self._filters = [one for one in self._filters if not isinstance(one, (NoColor, Monochrome))]
        if mono:
            self._filters.append(NoColor())

    def _complain(self, error: BaseException | None) -> None:
        self.notify(self.words("problem", message=str(error)), severity="error", markup=False, timeout=20)


def connection_entries(before: Connection, after: Connection, now_s: int) -> list[Entry]:
    """Journal lines for what is different."""
    entries: list[Entry] = []
    if before.is_up != after.is_up:
        kind = "broker-up" if after.is_up else "broker-down"
        entries.append(Entry(now_s, kind, {"broker": after.broker}))
    if before.is_up and after.is_up:
        known = dict(before.gateways)
        for name, online in after.gateways:
            if known.get(name) != online and (online or name in known):
                entries.append(Entry(now_s, "gateway-on" if online else "gateway-off", {"name": name}))
    return entries
