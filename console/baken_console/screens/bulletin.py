"""One bulletin: its whole text, what CAP says about it, and which point received and read it when."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from baken_console.model import Board, BulletinRow, Receiving
from baken_console.palette import ALERT, GOOD, MUTED, SEVERITY_STYLE, WARN
from baken_console.receipts import BulletinKey
from baken_console.screens.base import BoardScreen
from baken_console.widgets.bulletin_table import remark
from baken_console.widgets.facts import Facts
from baken_console.widgets.plain_table import PlainTable


class BulletinScreen(BoardScreen):
    """Points that have not received it come first, then those that have not read it."""

    BINDINGS = [
        ("u", "app.update", "Vervang"),
        ("x", "app.cancel", "Trek in"),
    ]

    def __init__(self, key: BulletinKey) -> None:
        super().__init__()
        self.key = key

    def compose_body(self) -> ComposeResult:
        with Container(id="bulletin-body"):
            with VerticalScroll(id="bulletin-left"):
                yield Static(id="bulletin-head")
                yield Static(id="bulletin-text")
                yield Facts()
            with Container(id="receipts-pane", classes="pane"):
                yield PlainTable("receipts")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(PlainTable).focus()

    def show_body(self, board: Board) -> None:
        row = board.bulletin(self.key)
        if row is None:
            return
        words = self.console_app.words
        head = Text()
        head.append(
            f"{row.ref}  {words.word('event', row.event)}", SEVERITY_STYLE.get(row.severity, "") or "bold"
        )
        head.append("  ")
        head.append(f" {words.word('status', row.cap_status)} ", "bold reverse" if row.exercise else "bold")
        note, style = remark(row, words)
        if note:
            head.append(f"  [{note}]", style)
        self.query_one("#bulletin-head", Static).update(head)
        problem = words("parts-missing", missing=", ".join(map(str, row.missing_parts)), parts=row.parts)
        text = row.text if row.text is not None else words("text-incomplete", problem=problem)
        self.query_one("#bulletin-text", Static).update(Text(text, "" if row.text is not None else ALERT))
        self.query_one(Facts).show(self._facts(row, board))
        self._show_receipts(row, board)

    def _facts(self, row: BulletinRow, board: Board) -> list[tuple[str, str, str]]:
        app = self.console_app
        words, calendar = app.words, app.calendar
        names = ", ".join(app.area_names(row.areas)) or words("all-areas")
        state = words(f"state-{row.state}")
        if row.replaced_by:
            state += f" {words('by', refs=' '.join(f'{origin}/{seq}' for origin, seq in row.replaced_by))}"
        cap = [
            row.msg_type,
            row.urgency,
            row.severity,
            row.certainty,
            row.response_type,
            row.category,
            row.language,
        ]
        facts = [
            (
                words("label-received"),
                f"{row.received}/{row.meant}",
                GOOD if row.all_received else WARN,
            ),
            (words("label-read"), f"{row.read}/{row.meant}", GOOD if row.all_read else ""),
            (words("label-state"), state, "" if row.in_force else MUTED),
            (
                words("label-delivery"),
                words(f"delivery-{row.delivery}"),
                ALERT if row.delivery == "made" else "",
            ),
            (words("label-area"), names, ""),
            (words("label-until"), calendar.day_clock(row.expires_s), ""),
            (words("label-sent"), calendar.day_clock(row.sent_s), ""),
            (words("label-authority"), words("label-authority-verified", name=row.authority), ""),
            (words("label-scope"), words.word("scope", row.scope), WARN if row.scope != "Public" else ""),
            (words("label-cap"), " · ".join(cap), MUTED),
        ]
        if row.references:
            refs = ", ".join(f"{origin}/{seq}" for origin, seq in row.references)
            facts.insert(4, (words("label-references"), f"{words.word('msg_type', row.msg_type)} {refs}", ""))
        return facts

    def _show_receipts(self, row: BulletinRow, board: Board) -> None:
        words, calendar = self.console_app.words, self.console_app.calendar

        def order(one: Receiving) -> tuple[bool, bool, bool, str]:
            return one.closed, one.received, one.read, one.point.code

        rows = []
        for one in sorted(row.receiving, key=order):
            received, read = one.receipt.received_s, one.receipt.read_s
            word = words(
                "receipt-read" if one.read else "receipt-received" if one.received else "receipt-none"
            )
            if one.closed and not one.received:
                word = words("receipt-closed")
            style = GOOD if one.read else WARN if one.received else MUTED if one.closed else ALERT
            rows.append(
                (
                    str(one.point.number),
                    [
                        Text(one.point.code, "bold" if not one.received else ""),
                        Text(one.point.name, no_wrap=True, overflow="ellipsis"),
                        Text(word, style),
                        Text(calendar.brief(received, board.now_s) if received is not None else "-"),
                        Text(calendar.brief(read, board.now_s) if read is not None else "-"),
                    ],
                )
            )
        table = self.query_one(PlainTable)
        spare = max(table.size.width - 6 - 13 - 10 - 10 - 2, 10)
        table.show(
            [
                (words("column-code"), 6),
                (words("column-name"), min(spare, 34)),
                (words("column-state"), 13),
                (words("label-received"), 10),
                (words("label-read"), 10),
            ],
            rows,
        )
        received = f"{words('label-received').lower()} {row.received}/{row.meant}"
        pane = self.query_one("#receipts-pane")
        pane.border_title = (
            f"{words('points')}: {received}, {words('label-read').lower()} {row.read}/{row.meant}"
        )

    def on_plain_table_opened(self, event: PlainTable.Opened) -> None:
        self.console_app.open_point(int(event.name))
