"""Writing a bulletin: all in one form, and under it at every key what it costs and what the rules say."""

from __future__ import annotations

from dataclasses import replace

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Input, Label, Select, Static, TextArea

from baken.wire import cap
from baken.wire.errors import ProtocolError
from baken_console import phrasing
from baken_console.draft import DEFAULTS, ERROR, WARNING, Draft, Finding, clean_text, parse_areas
from baken_console.forecast import Cost
from baken_console.model import Board
from baken_console.moments import MomentError, parse_duration
from baken_console.palette import ALERT, FINDING_STYLE, MUTED
from baken_console.screens.base import BoardScreen
from baken_console.screens.confirm import ConfirmScreen
from baken_console.screens.phrase import PhraseScreen
from baken_console.widgets.cost_view import CostView, cost_line, region_line
from baken_gateway.region import RegionError

# Select's id, draft field, CAP list, vocabulary table
_CHOICES = (
    ("severity", "severity", cap.SEVERITY, "severity"),
    ("scope", "scope", cap.SCOPE[:2], "scope"),
    ("language", "language", cap.LANGUAGE, "language"),
    ("urgency", "urgency", cap.URGENCY, "urgency"),
    ("certainty", "certainty", cap.CERTAINTY, "certainty"),
    ("response", "response_type", cap.RESPONSE_TYPE, "response_type"),
    ("category", "category", cap.CATEGORY, "category"),
)
_SELF_EVIDENT = ("text-empty", "status-unchosen", "next-bulletin")  # an untouched form says so itself
_FIELDS = {name: field for name, field, _words, _table in _CHOICES}


class ComposeScreen(BoardScreen):
    """`draft` is what the form starts with; `Composed` is posted when the person has confirmed."""

    BINDINGS = [
        ("ctrl+s", "send", "Versturen"),
        ("f2", "phrase", "Standaardzin"),
        ("escape", "back", "Terug"),
    ]

    class Composed(Message):
        """Send this draft."""

        def __init__(self, draft: Draft) -> None:
            super().__init__()
            self.draft = draft

    def __init__(self, draft: Draft, session_exercise: bool) -> None:
        super().__init__()
        self.draft = replace(draft, status="Exercise") if session_exercise else draft
        self._status_fixed = session_exercise or bool(draft.references)
        self._begun_with = self.draft
        self._event = draft.event
        self._problem = ""
        self._said: tuple[str, ...] = ()  # phrases that the text consists of, as they are written

    # --- the form

    def compose_body(self) -> ComposeResult:
        words, draft = self.console_app.words, self.draft
        yield Static(id="compose-title")
        with VerticalScroll(id="compose-form", can_focus=False):
            with Horizontal(classes="row"):
                yield Label(words("field-event"), classes="label")
                events = [word.decode() for word in cap.EVENT if word.decode() in DEFAULTS]
                yield self._select("event", events, "event", draft.event, draft.msg_type == "Cancel")
                yield Label(words("field-status"), classes="label")
                yield self._select(
                    "status", ["Actual", "Exercise"], "status", draft.status, self._status_fixed
                )
            with Horizontal(classes="row"):
                yield Label(words("field-severity"), classes="label")
                yield self._choice("severity")
                yield Label(words("field-valid"), classes="label")
                yield Input(words.duration(draft.valid_s), id="valid", compact=True, select_on_focus=True)
            with Horizontal(classes="row"):
                yield Label(words("field-areas"), classes="label")
                yield Input(",".join(draft.areas), id="areas", compact=True, placeholder=words("all-areas"))
                yield Static(id="areas-names")
            yield TextArea(
                draft.text, id="text", compact=True, tab_behavior="focus", placeholder=words("text-hint")
            )
            yield CostView()
            with Horizontal(id="compose-buttons"):
                yield Button(words("button-send"), id="send", compact=True)
                yield Button(words("button-cancel"), id="discard", compact=True)
            yield Static(Text(words("field-more"), MUTED), classes="section")
            for left, right in (("scope", "language"), ("urgency", "certainty"), ("response", "category")):
                with Horizontal(classes="row"):
                    yield Label(words(f"field-{left}"), classes="label")
                    yield self._choice(left)
                    yield Label(words(f"field-{right}"), classes="label")
                    yield self._choice(right)

    def _select(
        self, name: str, options: list[str], table: str, value: str, fixed: bool = False
    ) -> Select[str]:
        words = self.console_app.words
        return Select(
            [(words.word(table, option), option) for option in options],
            prompt=words("choose-status"),
            allow_blank=not value,
            value=value or Select.NULL,
            id=name,
            compact=True,
            disabled=fixed,
        )

    def _choice(self, name: str) -> Select[str]:
        _name, field, options, table = next(choice for choice in _CHOICES if choice[0] == name)
        return self._select(name, [option.decode() for option in options], table, getattr(self.draft, field))

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#text" if self.draft.references else "#event").focus()
        self.call_after_refresh(self.judge)

    def show_body(self, board: Board) -> None:
        self.judge()

    # --- what the person does

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        if event.select.id == "event" and event.value != self._event and isinstance(event.value, str):
            self._event = event.value
            if self.draft.msg_type == "Alert":
                self._fill(self.draft.for_event(event.value))
        self.judge()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.judge()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self.judge()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_send() if event.button.id == "send" else self.action_back()

    def action_back(self) -> None:
        words = self.console_app.words
        if clean_text(self.query_one("#text", TextArea).text) == clean_text(self._begun_with.text):
            self.dismiss()
            return

        def answered(discard: bool | None) -> None:
            if discard:
                self.dismiss()

        question = ConfirmScreen(
            words("discard-question"), [], words("discard-yes"), words("no"), careful=True
        )
        self.app.push_screen(question, answered)

    def action_phrase(self) -> None:
        """Add a phrase of the book; text that was typed before makes room for it."""
        said = self._said if self._content(self.query_one("#text", TextArea).text) else ()

        def chosen(phrase: str | None) -> None:
            if phrase:
                self._said = (*said, phrase)
                region = self.console_app.desk.region
                text = phrasing.in_dutch(phrasing.encode(self._said, region), region)
                self.query_one("#text", TextArea).text = text

        self.app.push_screen(PhraseScreen(said), chosen)

    def action_send(self) -> None:
        cost, findings = self.judge()
        words = self.console_app.words
        problem = self._problem or next((words.finding(one) for one in findings if one.level == ERROR), "")
        if problem or cost is None:
            self.notify(words("send-blocked", problem=problem), severity="error", markup=False)
            return
        draft = self.draft

        def answered(send: bool | None) -> None:
            if send:
                self.app.post_message(self.Composed(draft))
                self.dismiss()

        self.app.push_screen(self._question(draft, cost, findings), answered)

    # --- judging

    def judge(self) -> tuple[Cost | None, tuple[Finding, ...]]:
        """Read the form, show cost and findings; the form is never changed by it."""
        app, words = self.console_app, self.console_app.words
        self._read_form()
        now_s = app.now_s()
        try:
            cost = app.desk.cost(self.draft, now_s)
            findings = app.desk.check(self.draft, now_s)
        except (ProtocolError, RegionError) as error:
            self._problem = self._problem or str(error)
            return None, ()
        untouched = not clean_text(self.draft.text)
        shown = tuple(one for one in findings if not (untouched and one.kind in _SELF_EVIDENT))
        self.query_one(CostView).show(cost, shown, words, self._problem)
        points = len(app.desk.region.points_meant(self._area_indexes()))
        names = ", ".join(app.area_names(self.draft.areas))
        if not names:
            names = words("areas-hint", codes=" ".join(area.code for area in app.desk.region.areas))
        self.query_one("#areas-names", Static).update(
            Text(words("areas-chosen", names=names, count=points), MUTED, no_wrap=True, overflow="ellipsis")
        )
        self._show_title()
        return cost, findings

    def _area_indexes(self) -> tuple[int, ...]:
        return tuple(self.console_app.desk.region.area_by_code(code).index for code in self.draft.areas)

    def _show_title(self) -> None:
        words, draft = self.console_app.words, self.draft
        refs = ", ".join(f"{origin}/{seq}" for origin, seq in draft.references)
        key = {"Update": "compose-update", "Cancel": "compose-cancel"}.get(draft.msg_type, "compose-new")
        title = Text(words(key, ref=refs), "bold")
        if draft.status:
            title.append("   ")
            title.append(f" {words.word('status', draft.status)} ", "bold reverse")
        self.query_one("#compose-title", Static).update(title)

    def _read_form(self) -> None:
        self._problem = ""
        region, words = self.console_app.desk.region, self.console_app.words
        text = self.query_one("#text", TextArea).text
        changes: dict[str, object] = {"text": text, "event": self._event, "phrases": self._content(text)}
        for name, field in (*_FIELDS.items(), ("status", "status")):
            value = self.query_one(f"#{name}", Select).value
            changes[field] = value if isinstance(value, str) else ""
        areas, valid = (self.query_one(name, Input).value for name in ("#areas", "#valid"))
        try:
            changes["areas"] = parse_areas(areas, region)
        except RegionError:
            known = " ".join(area.code for area in region.areas)
            self._problem = words("areas-unknown", areas=areas.upper(), known=known)
        try:
            changes["valid_s"] = parse_duration(valid)
        except MomentError:
            self._problem = self._problem or words("validity-unreadable", valid=valid)
        self.draft = replace(self.draft, **changes)  # type: ignore[arg-type]

    def _content(self, text: str) -> bytes:
        """What is sent in place of `text`: its phrases, until somebody changes a letter of them."""
        if not self._said:
            return b""
        region = self.console_app.desk.region
        content = phrasing.encode(self._said, region)
        return content if clean_text(text) == phrasing.in_dutch(content, region) else b""

    def _fill(self, draft: Draft) -> None:
        """Put the CAP words of `draft` into the form."""
        for name, field in _FIELDS.items():
            self.query_one(f"#{name}", Select).value = getattr(draft, field)
        self.query_one("#valid", Input).value = self.console_app.words.duration(draft.valid_s)
        self.draft = draft

    def _question(self, draft: Draft, cost: Cost, findings: tuple[Finding, ...]) -> ConfirmScreen:
        app, words = self.console_app, self.console_app.words
        now_s = app.now_s()
        points = len(app.desk.region.points_meant(self._area_indexes()))
        area = ", ".join(app.area_names(draft.areas)) or words("all-areas")
        event = words.word("event", draft.event)
        warnings = [one for one in findings if one.level == WARNING]
        actual = draft.status == "Actual"
        lines = [
            Text(
                words("confirm-actual" if actual else "confirm-exercise"), ALERT if actual else "bold reverse"
            ),
            Text(""),
            Text(words("confirm-what", event=event, area=area, count=points), "bold"),
            Text(words("confirm-until", until=app.calendar.day_clock(now_s + draft.valid_s))),
            Text(""),
            Text(clean_text(draft.text), "bold"),
            Text(""),
            Text(cost_line(cost, words), MUTED),
            Text(region_line(cost, words), MUTED),
        ]
        for one in warnings:
            lines.append(Text(f"{words('finding-warning')}: {words.finding(one)}", FINDING_STYLE[WARNING]))
        if not app.connection.is_up:
            lines.append(Text(words("confirm-offline"), FINDING_STYLE[WARNING]))
        first = not app.desk.numbers_known()
        if first:
            lines.append(Text(words("confirm-first"), ALERT))
        careful = draft.is_alarm or bool(warnings) or first
        title = words("confirm-alarm-title" if draft.is_alarm else "confirm-title")
        return ConfirmScreen(f" {title} ", lines, words("yes"), words("no"), careful)
