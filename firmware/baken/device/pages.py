"""The node's pages, drawn into the display's buffer from plain views; showing the buffer is the caller's.

All pages look alike: a black bar that says what it is, the body, and below a thin rule what else must be
known. An exercise is marked by the word OEFENING in the bar and by striped rails beside the body.
A display lower than COMPACT_HEIGHT (an OLED) gets a bulletin as one running text that ends with what else
would stand below.

    Screen(board.display).draw_bulletin(view, page_index) -> number of pages

A page index beyond the last page starts again at the first, so a caller may simply count button presses.
"""

from .canvas import BLACK, MARGIN, PAPER, Canvas
from .font import FontStore
from .layout import choose, paginate, shorten, wrap
from .localtime import age_text, clock_text, moment_text

SEVERITY_WORDS = {
    b"Extreme": b"ZEER ERNSTIG",
    b"Severe": b"ERNSTIG",
    b"Moderate": b"MATIG",
    b"Minor": b"GERING",
}
SEVERITY_UNKNOWN = b"ONBEKEND"
EXERCISE = b"OEFENING"
CHECKED = b"GECONTROLEERD "
UP = b"\xe2\x86\x91"
DOWN = b"\xe2\x86\x93"
HINT = b"kort: volgende - lang: kies"
MAX_PAGES = 2  # a bulletin that fits is not spread over more, unless the letters are set to large
COMPACT_HEIGHT = 100  # pixels; a lower display has no room for the lines below the body
COMFORTABLE_LINE = 19  # pixels: one page is enough as soon as letters are this large
_MAX_NAME_LINES = 3

_TITLE = ("bold13", "bold11")
_BODY = ("bold26", "bold22", "bold20", "bold18", "bold16", "bold13")
_HEAD = _BODY[1:]
_TEXT = ("bold16", "bold13", "bold11")
_LARGE = _BODY[:3]
_GAP = 1  # pixels between bar, body and rule; the letters' cells have air of their own


def title_text(view) -> bytes:
    """`ALARM - ZEER ERNSTIG`."""
    return view.kind + b" - " + SEVERITY_WORDS.get(view.severity, SEVERITY_UNKNOWN)


def missing_text(missing_parts, parts: int) -> bytes:
    """`deel 2 van 3 ontbreekt`, `delen 1 en 3 van 3 ontbreken`."""
    numbers = [b"%d" % number for number in missing_parts]
    if len(numbers) == 1:
        return b"deel %s van %d ontbreekt" % (numbers[0], parts)
    return b"delen %s en %s van %d ontbreken" % (b", ".join(numbers[:-1]), numbers[-1], parts)


def validity_text(expires_s: int, now_s) -> bytes:
    """`geldig tot wo 08:00`, or `VERLOPEN wo 08:00` when that has passed."""
    if now_s is not None and now_s >= expires_s:
        return b"VERLOPEN " + moment_text(expires_s, now_s)
    return b"geldig tot " + moment_text(expires_s, now_s)


class Screen:
    """Draws pages on `display`. `large_letters` gives large type on as many pages as it takes."""

    def __init__(self, display, store=None) -> None:
        self.store = store or FontStore()
        self.canvas = Canvas(display)
        self.large_letters = False
        self._small = self.store.font("bold11")
        self._top = 0
        self._compact = display.height < COMPACT_HEIGHT

    def _fonts(self, names) -> list:
        return [self.store.font(name) for name in names]

    def _open(self, view, title: bytes) -> int:
        """Clear, draw the bar; the y where the body may start."""
        exercise = view.exercise and not self._compact
        self.canvas.clear(exercise)
        self._top = self.canvas.bar(self._fonts(_TITLE), title, EXERCISE if exercise else b"")
        return self._top + _GAP

    def _status(self, view) -> bytes:
        clock = clock_text(view.now_s, view.clock_quality)
        if view.missing and self._compact:
            return b"MIST %d %s" % (view.missing, clock)
        missing = b"MIST %d  " % view.missing if view.missing else b""
        return b"%s%s %s" % (missing, view.point_code, clock)

    def _foot(self, view, left: bytes, above=(), pill: bytes = b"", one_line: bool = False) -> int:
        """The lines below the rule; returns the y where the body must end.

        The last line holds `left`, the pill and the status. When `left` does not fit it moves up a line, or
        is shortened in a foot of `one_line`.
        """
        canvas, font = self.canvas, self._small
        status = self._status(view)
        pill_width = font.measure(pill) + 14 if pill else 0
        width = canvas.width - 2 * MARGIN
        lines = list(above)
        room = width - font.measure(status) - 6 - pill_width
        if one_line:
            left = shorten(left, font.measure, room)
        elif font.measure(left) > room:
            lines.extend(wrap(left, font.measure, width))
            left = b""
        y = canvas.height - font.height
        start = canvas.text_right(font, canvas.width - MARGIN, y, status)
        end = canvas.text(font, MARGIN, y, left)
        if pill:
            middle = canvas.width // 2
            if left or middle + pill_width // 2 > start:
                middle = (end + start) // 2
            canvas.pill(font, middle - (pill_width - 7) // 2, y, pill)
        y -= font.height * len(lines)
        canvas.lines(font, MARGIN, y, lines, font.height)
        canvas.rule(y - 1)
        if view.exercise and not self._compact:
            canvas.rails(self._top, y - 1)
        return y - 1 - _GAP

    def _body(self, text: bytes, height: int):
        canvas = self.canvas
        large = self.large_letters
        fonts = self._fonts(_LARGE if large else _BODY)
        max_pages = 99 if large else MAX_PAGES
        width = canvas.right - canvas.left
        return choose(text, fonts, width, height, max_pages, 99 if large else COMFORTABLE_LINE)

    def _paged(self, view, title: bytes, text: bytes, foot, page_index: int) -> int:
        """Draw a page of running text; `foot(pill)` draws the lines below and returns where the body ends."""
        top = self._open(view, title)
        bottom = foot(b"")
        layout = self._body(text, bottom - top)
        count = len(layout.pages)
        page_index %= count
        if count > 1:
            # The number of pages takes room in the last line, and may move its text to a line of its own.
            pill = b"%d/%d" % (page_index + 1, count)
            top = self._open(view, title)
            below = foot(pill)
            if below != bottom:
                layout = self._body(text, below - top)
                count = len(layout.pages)
                page_index %= count
                self._open(view, title)
                foot(b"%d/%d" % (page_index + 1, count))
                bottom = below
        lines = layout.pages[page_index]
        rows = max(len(page) for page in layout.pages)
        y = top + max(0, bottom - top - rows * layout.line_height) // 2
        self.canvas.lines(layout.font, self.canvas.left, y, lines, layout.line_height)
        return count

    def draw_bulletin(self, view, page_index: int = 0) -> int:
        """A page of a bulletin; returns how many pages it has."""
        text, checked = view.text, CHECKED + view.authority
        if view.missing_parts:
            gap = missing_text(view.missing_parts, view.parts)
            gap = gap[:1].upper() + gap[1:] + b"."
            text = gap + (b"\n" + text if text else b" Het bericht wordt opgehaald.")
            checked = b"NIET COMPLEET " + view.authority
        if view.warning:
            checked += b" - " + view.warning
        title, validity = title_text(view), validity_text(view.expires_s, view.now_s)
        if self._compact:
            text = b"\n".join((title, text, checked, validity))
            title = EXERCISE if view.exercise else view.kind
            return self._paged(view, title, text, lambda pill: self._foot(view, b"", (), pill), page_index)

        def foot(pill):
            width = self.canvas.width - 2 * MARGIN
            lines = wrap(checked, self._small.measure, width)
            if len(lines) > _MAX_NAME_LINES:
                rest = b" ".join(lines[_MAX_NAME_LINES - 1 :])
                lines[_MAX_NAME_LINES - 1 :] = [shorten(rest, self._small.measure, width)]
            return self._foot(view, validity, lines, pill)

        return self._paged(view, title, text, foot, page_index)

    def draw_message(self, view, page_index: int = 0) -> int:
        """A page of running text; returns how many pages it has."""
        title, text, above = view.title, view.text, []
        if self._compact:
            text += b"\n" + CHECKED + view.signed_by if view.signed_by else b""
            text += b"\n" + view.hint if view.hint else b""
            if view.exercise:
                title, text = EXERCISE, title + b". " + text
        elif view.signed_by:
            above = [CHECKED + view.signed_by]
        hint = b"" if self._compact else view.hint
        return self._paged(view, title, text, lambda pill: self._foot(view, hint, above, pill), page_index)

    def draw_list(self, view, page_index=None) -> int:
        """A page of the list, by default the one with the selected entry; returns how many pages it has."""
        top = self._open(view, b"BERICHTEN (%d)" % len(view.entries))
        bottom = self._one_line_foot()
        pitch = self.store.font("bold13").height + self._small.height
        rows = max(1, (bottom - top) // pitch)
        count = max(1, -(-len(view.entries) // rows))
        if page_index is None:
            page_index = (view.selected or 0) // rows
        page_index %= count
        pill = b"%d/%d" % (page_index + 1, count) if count > 1 else b""
        self._foot(view, self._short_contact(view), (), pill, True)
        y = top + (bottom - top - rows * pitch) // 2
        for index in range(page_index * rows, min(len(view.entries), (page_index + 1) * rows)):
            self._entry(view.entries[index], view.now_s, y, pitch, index == view.selected)
            y += pitch
        return count

    def _one_line_foot(self) -> int:
        """Where the body ends above a foot of one line."""
        return self.canvas.height - self._small.height - 1 - _GAP

    def _short_contact(self, view) -> bytes:
        """Last contact in few enough words to stand beside a page number and the status."""
        if view.contact_s is None:
            return b"geen contact"
        return b"contact " + moment_text(view.contact_s, view.now_s or view.contact_s)

    def _entry(self, entry, now_s, y: int, pitch: int, selected: bool) -> None:
        """Kind, severity and moment on one line, the first words of the text under it."""
        canvas, font = self.canvas, self.store.font("bold13")
        ink = BLACK
        if selected:
            canvas.frame.fill_rect(canvas.left - 2, y, canvas.right - canvas.left + 4, pitch, BLACK)
            ink = PAPER
        indent = canvas.left + 1
        if not entry.read:
            canvas.frame.fill_rect(indent, y + 4, 7, 7, ink)
            indent += 11
        start = canvas.text_right(font, canvas.right - 1, y, moment_text(entry.sent_s, now_s), ink)
        canvas.text(font, indent, y, shorten(title_text(entry), font.measure, start - indent - 6), ink)
        text = entry.text if entry.complete else b"Nog niet compleet."
        x = canvas.left + 1
        text = shorten(text, self._small.measure, canvas.right - x)
        canvas.text(self._small, x, y + font.height, text, ink)

    def draw_empty(self, view) -> None:
        """No bulletin is valid now."""
        top = self._open(view, b"BAKEN")
        bottom = self._foot(view, b"")
        lines = []
        if view.since_s is not None:
            lines.append(b"Sinds " + moment_text(view.since_s, view.now_s) + b".")
        if view.contact_s is None:
            lines.append(b"Nog geen contact met de crisisruimte.")
        else:
            when = moment_text(view.contact_s, view.now_s)
            if view.now_s is not None:
                when += b" (" + age_text(view.now_s - view.contact_s) + b")"
            lines.append(b"Laatste contact met de crisisruimte: " + when + b".")
        self._head_and_text(b"Geen geldige berichten", b"\n".join(lines), top, bottom)

    def _head_and_text(self, head: bytes, text: bytes, top: int, bottom: int) -> None:
        """A few large words and a text under them, in the middle of the body."""
        canvas = self.canvas
        width = canvas.right - canvas.left
        heads = choose(head, self._fonts(_HEAD), width, (bottom - top) // 2, 1)
        space = bottom - top - len(heads.pages[0]) * heads.line_height - 3
        texts = choose(text, self._fonts(_TEXT), width, space, 1)
        used = len(texts.pages[0]) * texts.line_height
        y = top + max(0, space - used) // 2
        y = canvas.lines(heads.font, canvas.left, y, heads.pages[0], heads.line_height) + 3
        canvas.lines(texts.font, canvas.left, y, texts.pages[0], texts.line_height)

    def draw_start(self, view) -> None:
        """Name of the point and what the node is doing."""
        top = self._open(view, b"BAKEN")
        bottom = self._foot(view, b"versie " + view.version)
        text = view.region_name + b"\n" + view.message
        self._head_and_text(view.point_name, text, top, bottom)

    def draw_health(self, view, page_index: int = 0) -> int:
        """A page of a two-column table; returns how many pages it has."""
        canvas, font = self.canvas, self.store.font("bold13")
        top = self._open(view, view.title)
        bottom = self._one_line_foot()
        pitch = font.height + 2
        pages = paginate(list(view.rows), max(1, (bottom - top) // pitch))
        page_index %= len(pages)
        pill = b"%d/%d" % (page_index + 1, len(pages)) if len(pages) > 1 else b""
        self._foot(view, b"", (), pill, True)
        y = top
        for label, value in pages[page_index]:
            canvas.line_of_two(font, y, label, value)
            y += pitch
        return len(pages)

    def draw_texts(self, view, page_index: int = 0) -> int:
        """A page of text messages that nobody has verified; returns how many pages are shown."""
        from .text_pages import draw_texts  # few nodes ever need it, and not for long

        return draw_texts(self, view, page_index)

    def draw_menu(self, view) -> None:
        """A question and its choices, the selected one in a black bar."""
        canvas, font = self.canvas, self.store.font("bold13")
        y = self._open(view, view.title)
        bottom = canvas.height if self._compact else self._foot(view, HINT, (), b"", True)
        width = canvas.right - canvas.left
        pitch = font.height + 1
        if view.question and self._compact:
            canvas.text(self._small, canvas.left, y, shorten(view.question, self._small.measure, width))
            y += self._small.height + 1
        elif view.question:
            lines = wrap(view.question, font.measure, width)
            y = canvas.lines(font, canvas.left, y, lines, font.height) + 2
        rows = max(1, (bottom - y) // pitch)
        first = max(0, min(view.selected - rows // 2, len(view.choices) - rows))
        last = min(len(view.choices), first + rows)
        for index in range(first, last):
            ink = BLACK
            if index == view.selected:
                canvas.frame.fill_rect(canvas.left - 2, y, width + 4, pitch, BLACK)
                ink = PAPER
            # Arrows say that there is more above or below.
            arrow = UP if index == first > 0 else DOWN if index == last - 1 < len(view.choices) - 1 else b""
            canvas.line_of_two(font, y, view.choices[index], arrow, ink)
            y += pitch
