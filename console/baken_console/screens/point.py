"""One point: how it is doing, what it said last, and which bulletins it has and somebody there has read."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from baken_console.model import EXTERNAL_POWER_PERCENT, SILENT, Board, PointRow
from baken_console.palette import ALERT, GOOD, LIVENESS_STYLE, MUTED, STATE_STYLE, WARN
from baken_console.screens.base import BoardScreen
from baken_console.widgets.facts import Facts
from baken_console.widgets.plain_table import PlainTable


class PointScreen(BoardScreen):
    """Bulletins in force that are missing there come first."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def compose_body(self) -> ComposeResult:
        with Container(id="point-body"):
            with VerticalScroll(id="point-left"):
                yield Static(id="point-head")
                yield Static(id="point-said")
                yield Facts()
            with Container(id="point-pane", classes="pane"):
                yield Static(id="point-empty", classes="empty")
                yield PlainTable("point-bulletins")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(PlainTable).focus()

    def show_body(self, board: Board) -> None:
        row = board.point(self.number)
        if row is None:
            return
        words = self.console_app.words
        head = Text()
        head.append(f"{row.point.code}  {row.point.name}", "bold")
        if row.status is not None:
            head.append(f"  {words.word('state', row.state)}", STATE_STYLE.get(row.state, ""))
            if row.priority in ("F", "I"):
                head.append(f"  {words.word('priority', row.priority)}", ALERT)
            if row.status.exercise:
                head.append("  ")
                head.append(f" {words.word('status', 'Exercise')} ", "bold reverse")
        self.query_one("#point-head", Static).update(head)
        said = self.query_one("#point-said", Static)
        said.update(
            Text(f"“{row.text}”") if row.text else Text("" if row.status else words("point-never"), MUTED)
        )
        said.display = bool(row.text) or row.status is None
        self.query_one(Facts).show(self._facts(row, board))
        self._show_bulletins(board)

    def _facts(self, row: PointRow, board: Board) -> list[tuple[str, str, str]]:
        app = self.console_app
        words, calendar = app.words, app.calendar
        facts = [
            (words("label-municipality"), row.point.municipality, ""),
            (words("label-kind"), row.point.kind, ""),
        ]
        status = row.status
        if status is None or row.age_s is None or row.heard_s is None:
            return [*facts, (words("label-heard"), words("never"), MUTED)]
        when = calendar.day_clock(row.heard_s)
        heard = words(
            "heard-now" if row.age_s < 60 else "heard-value", when=when, age=calendar.age(row.age_s)
        )
        if row.liveness == SILENT and not row.closed:
            heard += f"  {words('liveness-silent')}"
        needs = ", ".join(f"{code} {words.word('need', code)}" for code in row.needs) or words("needs-none")
        percent = row.battery_percent
        battery = words("battery-unknown") if percent is None else f"{percent}%"
        if percent is not None and percent >= EXTERNAL_POWER_PERCENT:
            battery = words("battery-external")
        return [
            (words("label-heard"), heard, "" if row.closed else LIVENESS_STYLE[row.liveness]),
            (words("label-needs"), needs, WARN if row.needs else ""),
            (
                words("label-priority"),
                words.word("priority", row.priority),
                ALERT if row.priority in ("F", "I") else "",
            ),
            (
                words("label-people"),
                words("people-value", people=status.people, volunteers=status.volunteers),
                "",
            ),
            (
                words("label-power"),
                words("power-value", hours="?" if status.power_hours is None else status.power_hours),
                ALERT if row.low_power else "",
            ),
            (words("label-water"), words("water-value", litres=status.water_l), ""),
            (words("label-battery"), battery, ALERT if row.low_battery else ""),
            *facts,
        ]

    def _show_bulletins(self, board: Board) -> None:
        app = self.console_app
        words, calendar = app.words, app.calendar
        found = [
            (row, one) for row in board.bulletins for one in row.receiving if one.point.number == self.number
        ]
        found.sort(
            key=lambda pair: (pair[1].state not in ("valid", "incomplete"), pair[1].received, pair[1].read)
        )
        rows = []
        for row, one in found:
            in_force = one.state in ("valid", "incomplete")
            word = words(
                "receipt-read" if one.read else "receipt-received" if one.received else "receipt-none"
            )
            style = MUTED if not in_force else GOOD if one.read else WARN if one.received else ALERT
            at_s = one.receipt.read_s if one.read else one.receipt.received_s
            rows.append(
                (
                    row.ref,
                    [
                        Text(row.ref, "" if in_force else MUTED),
                        Text(words.word("event", row.event), "" if in_force else MUTED),
                        Text(word, style),
                        Text(
                            calendar.brief(at_s, board.now_s) if at_s is not None else "-",
                            "" if in_force else MUTED,
                        ),
                        Text(words(f"state-{one.state}"), "" if in_force else MUTED),
                        Text(row.text or "...", "" if in_force else MUTED, no_wrap=True, overflow="ellipsis"),
                    ],
                )
            )
        table = self.query_one(PlainTable)
        self.query_one("#point-empty", Static).display = not rows
        self.query_one("#point-empty", Static).update(words("point-no-bulletins"))
        table.display = bool(rows)
        spare = max(table.size.width - 6 - 12 - 11 - 10 - 12 - 2, 10)
        table.show(
            [
                (words("column-ref"), 6),
                (words("column-event"), 12),
                ("", 11),
                ("", 10),
                (words("column-state"), 12),
                (words("column-text"), spare),
            ],
            rows,
        )
        self.query_one("#point-pane").border_title = words("point-bulletins")

    def on_plain_table_opened(self, event: PlainTable.Opened) -> None:
        origin, _, seq = event.name.partition("/")
        self.console_app.open_bulletin((int(origin), int(seq)))
