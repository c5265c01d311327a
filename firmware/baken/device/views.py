"""What a page is told: plain values, no records, no clocks. Text is UTF-8 bytes, moments are unix seconds.

Every view knows the point's code, the time with its quality (`localtime.CLOCK_*`; `now_s` None when unknown),
whether an exercise is going on, and how many bulletins are known to be missing here.
"""

from ..compat import const
from .localtime import CLOCK_UNKNOWN

# What a text message is to the display.
OLD = const(0)  # here before, or empty
NEW = const(1)
FOR_US = const(2)  # an alert, or addressed to this node


class View:
    """The part all views share; subclasses take it as keywords too."""

    __slots__ = ("point_code", "now_s", "clock_quality", "exercise", "missing")

    def __init__(
        self, *, point_code=b"", now_s=None, clock_quality=CLOCK_UNKNOWN, exercise=False, missing=0
    ) -> None:
        self.point_code = point_code
        self.now_s = now_s
        self.clock_quality = clock_quality
        self.exercise = exercise
        self.missing = missing


class NoticeView(View):
    """One bulletin.

    `kind` is the word of the title bar (`ALARM`), `severity` the CAP word (`Extreme`). `missing_parts` holds
    the numbers (from 1) of the parts not received yet, `parts` how many there are; while parts are missing
    `text` is what there is of it, which may be empty. `warning` is a short remark about the node (`accu 9%`).
    """

    __slots__ = (
        "kind",
        "severity",
        "text",
        "authority",
        "sent_s",
        "expires_s",
        "missing_parts",
        "parts",
        "warning",
    )

    def __init__(
        self,
        *,
        kind,
        severity,
        text,
        authority,
        sent_s,
        expires_s,
        missing_parts=(),
        parts=1,
        warning=b"",
        **shared,
    ) -> None:
        super().__init__(**shared)
        self.kind = kind
        self.severity = severity
        self.text = text
        self.authority = authority
        self.sent_s = sent_s
        self.expires_s = expires_s
        self.missing_parts = missing_parts
        self.parts = parts
        self.warning = warning


class ListEntry:
    """A bulletin in the list; `complete` is False while parts are missing."""

    __slots__ = ("kind", "severity", "text", "sent_s", "read", "complete")

    def __init__(self, *, kind, severity, text, sent_s, read=True, complete=True) -> None:
        self.kind = kind
        self.severity = severity
        self.text = text
        self.sent_s = sent_s
        self.read = read
        self.complete = complete


class ListView(View):
    """The current bulletins; `selected` is the chosen entry's index or None, `contact_s` the last contact."""

    __slots__ = ("entries", "selected", "contact_s")

    def __init__(self, *, entries, selected=None, contact_s=None, **shared) -> None:
        super().__init__(**shared)
        self.entries = entries
        self.selected = selected
        self.contact_s = contact_s


class EmptyView(View):
    """No bulletin is valid, since `since_s` (None: since the start); `contact_s` the last contact or None."""

    __slots__ = ("since_s", "contact_s")

    def __init__(self, *, since_s=None, contact_s=None, **shared) -> None:
        super().__init__(**shared)
        self.since_s = since_s
        self.contact_s = contact_s


class StartView(View):
    """What a node says of itself when it starts."""

    __slots__ = ("point_name", "region_name", "version", "message")

    def __init__(self, *, point_name, region_name, version, message=b"Bezig met starten", **shared) -> None:
        super().__init__(**shared)
        self.point_name = point_name
        self.region_name = region_name
        self.version = version
        self.message = message


class TableView(View):
    """Labels and values in two columns: the health page."""

    __slots__ = ("title", "rows")

    def __init__(self, *, rows, title=b"TOESTAND", **shared) -> None:
        super().__init__(**shared)
        self.title = title
        self.rows = rows


class TextsView(View):
    """Text messages that nobody has verified: `texts` gives `count` of `mesh.inbox.Message`, newest first."""

    __slots__ = ("texts", "count")

    def __init__(self, *, texts, count, **shared) -> None:
        super().__init__(**shared)
        self.texts = texts
        self.count = count


class MenuView(View):
    """A question with choices; `selected` is the index of the marked one."""

    __slots__ = ("title", "question", "choices", "selected")

    def __init__(self, *, title, choices, selected=0, question=b"", **shared) -> None:
        super().__init__(**shared)
        self.title = title
        self.question = question
        self.choices = choices
        self.selected = selected


class MessageView(View):
    """A text of the node itself, or an answer to this point; `signed_by` names a verified authority, `hint`
    says what the button does.
    """

    __slots__ = ("hint", "signed_by", "text", "title")

    def __init__(self, *, title, text, signed_by=b"", hint=b"", **shared) -> None:
        super().__init__(**shared)
        self.hint = hint
        self.title = title
        self.text = text
        self.signed_by = signed_by
