"""Emergency reports: what waits first, the chosen one in full, and a line to answer it."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Vertical, VerticalScroll
from textual.widgets import Input, Static

from baken.wire.answer import MAX_TEXT
from baken_console.mail import MailError, ReportRow, waiting
from baken_console.model import Board
from baken_console.palette import ALERT, GOOD, MUTED, WARN
from baken_console.screens.base import BoardScreen
from baken_console.widgets.plain_table import PlainTable


class ReportsScreen(BoardScreen):
    """Ctrl+O acknowledges the chosen report without a text, Enter in the line below sends an answer, which
    acknowledges it too. `chosen`: begin with this report.
    """

    BINDINGS = [("ctrl+o", "acknowledge", "Bevestig ontvangst"), ("escape", "back", "Terug")]

    def __init__(self, chosen: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.chosen = chosen
        self._problem = ""

    def compose_body(self) -> ComposeResult:
        words = self.console_app.words
        with Container(id="reports-body"):
            with Container(id="reports-pane", classes="pane"):
                yield Static(id="reports-empty", classes="empty")
                yield PlainTable("reports-list")
            with Vertical(id="report-pane", classes="pane"):
                with VerticalScroll(id="report-scroll", can_focus=False):
                    yield Static(id="report-text")
                yield Static(id="report-note")
                yield Input(placeholder=words("reports-hint"), id="report-input")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#report-input" if self.chosen else "#reports-list").focus()

    @property
    def row(self) -> ReportRow | None:
        """The report that is open: the chosen one, or the one that waits longest."""
        reports = self.console_app.board.reports
        for row in reports:
            if row.key == self.chosen:
                return row
        return reports[0] if reports else None

    def show_body(self, board: Board) -> None:
        words = self.console_app.words
        row = self.row
        table = self.query_one(PlainTable)
        table.display = bool(board.reports)
        self.query_one("#reports-empty", Static).display = not board.reports
        self.query_one("#reports-empty", Static).update(words("reports-none"))
        spare = max(table.size.width - 10 - 15 - 2, 10)
        rows = []
        for one in board.reports:
            state, style = self._state(one, board.now_s)
            chosen = "bold" if row is not None and one.key == row.key else ""
            text = one.text if one.text is not None else self._sealed(one)
            rows.append(
                (
                    f"{one.key[0]}/{one.key[1]}",
                    [
                        Text(one.ref, chosen),
                        Text(state, style),
                        Text(text, "" if one.waits else MUTED, no_wrap=True, overflow="ellipsis"),
                    ],
                )
            )
        table.show([(words("column-code"), 10), (words("column-state"), 15), ("", spare)], rows)
        self.query_one("#reports-pane").border_title = words(
            "reports-title", waiting=len(waiting(board.reports))
        )
        pane = self.query_one("#report-pane")
        pane.display = row is not None
        if row is not None:
            pane.border_title = words("reports-answer", ref=row.ref)
            self.query_one("#report-text", Static).update(self._whole(row, board))
        self._show_note()

    def on_plain_table_opened(self, event: PlainTable.Opened) -> None:
        point, _, seq = event.name.partition("/")
        self.chosen = (int(point), int(seq))
        self._problem = ""
        self.show_board()
        self.query_one("#report-input").focus()

    def on_input_changed(self, _event: Input.Changed) -> None:
        self._problem = ""
        self._show_note()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._answer(event.value.strip(), "reports-sent")

    def action_acknowledge(self) -> None:
        self._answer("", "reports-acknowledged")

    def _answer(self, text: str, said: str) -> None:
        row = self.row
        if row is None:
            return
        app = self.console_app
        self.chosen = row.key  # what is answered stays in sight
        try:
            app.answer(row, text)
        except MailError as error:
            self._problem = str(error)
            self._show_note()
            return
        if text:
            self.query_one("#report-input", Input).value = ""
        app.notify(app.words(said, ref=row.ref), markup=False)
        self.show_board()

    def _state(self, row: ReportRow, now_s: int) -> tuple[str, str]:
        words, calendar = self.console_app.words, self.console_app.calendar
        if row.waits:
            return words("report-waits", age=calendar.age(max(now_s - row.sent_s, 0))), ALERT
        return (words("report-answered"), GOOD) if row.answered else (words("report-received"), WARN)

    def _sealed(self, row: ReportRow) -> str:
        app = self.console_app
        return app.words("reports-sealed", authority=app.authorities.get(row.to, str(row.to)))

    def _whole(self, row: ReportRow, board: Board) -> Text:
        app = self.console_app
        words, calendar = app.words, app.calendar
        out = Text()
        out.append(f"{row.code}  {row.name}", "bold")
        out.append(f"  {words.word('priority', row.priority)}", ALERT if row.waits else "")
        if row.exercise:
            out.append("  ")
            out.append(f" {words.word('status', 'Exercise')} ", "bold reverse")
        out.append(f"\n{words('report-said', when=calendar.brief(row.sent_s, board.now_s))}\n", MUTED)
        if row.text is None:
            out.append(f"{self._sealed(row)}\n", WARN)
        else:
            out.append(f"“{row.text}”\n")
        for one in row.answers:
            when = calendar.brief(one.time_s, board.now_s)
            if one.text == "":
                out.append(f"{words('report-received-at', when=when)}\n", GOOD)
            else:
                text = one.text if one.text is not None else "?"
                out.append(f"{words('report-answered-at', when=when, text=text)}\n", GOOD)
        return out

    def _show_note(self) -> None:
        app = self.console_app
        size = len(self.query_one("#report-input", Input).value.strip().encode())
        note = Text(
            app.words("reports-bytes", size=size, limit=MAX_TEXT), ALERT if size > MAX_TEXT else MUTED
        )
        if self._problem:
            note.append(f"  {self._problem}", ALERT)
        elif app.desk.key is None:
            note = Text(app.words("reports-no-key"), WARN)
        self.query_one("#report-note", Static).update(note)
