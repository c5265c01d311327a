"""The pages of text messages: newest first, each under a line that says who, when and to whom.

Nothing here was signed, and it must not look as if it were: the title says so, no authority is named, and the
letters are smaller than a bulletin's.
"""

from ..mesh.inbox import ALERT, FROM_US, ROUGH_CLOCK, TO_US
from .canvas import BLACK, PAPER
from .layout import shorten, wrap
from .localtime import moment_text
from .pages import COMPACT_HEIGHT

MAX_TEXT_PAGES = 6  # newest ones; behind them the button reaches the status page
_TITLE = b"TEKST - niet gecontroleerd"
_SHORT_TITLE = b"Niet gecontroleerd"
_AGAIN = b"vervolg "
_LINES_TOGETHER = 2  # a head stands above at least so many lines of its text
_SPACE = 2  # pixels between two messages


def draw_texts(screen, view, page_index: int) -> int:
    """Draw one page of a TextsView on `screen`; returns how many pages there are."""
    canvas = screen.canvas
    is_compact = canvas.height < COMPACT_HEIGHT
    top = screen._open(view, _SHORT_TITLE if is_compact else _TITLE)
    bottom = canvas.height if is_compact else screen._one_line_foot()
    head_font = screen.store.font("bold11")
    font = screen.store.font("bold11" if is_compact else "bold13")
    pages, is_all = _paginate(view, head_font, font, canvas.right - canvas.left, bottom - top)
    page_index %= len(pages)
    last = page_index == len(pages) - 1
    left = (
        b"er zijn oudere" if last and not is_all else b"%d tekst%s" % (view.count, b"en" * (view.count > 1))
    )
    pill = b"%d/%d" % (page_index + 1, len(pages)) if len(pages) > 1 else b""
    if not is_compact:
        screen._foot(view, left, (), pill, True)
    y = top
    for head, lines in pages[page_index]:
        if y > top:
            y += _SPACE
        if head:
            width = canvas.right - canvas.left
            canvas.frame.fill_rect(canvas.left, y, width, head_font.height, BLACK)
            text = shorten(head, head_font.measure, width - 2)
            canvas.text(head_font, canvas.left + 1, y, text, PAPER)
            y += head_font.height
        y = canvas.lines(font, canvas.left, y, lines, font.height)
    return len(pages)


def head_text(message, now_s) -> bytes:
    """`OV06 ~12:03 aan dit punt`."""
    who = message.short_name or b"!%08x" % message.sender
    when = b"tijd onbekend"
    if message.unix_s is not None:
        when = (b"~" if message.flags & ROUGH_CLOCK else b"") + moment_text(message.unix_s, now_s)
    if message.flags & TO_US:
        where = b"aan dit punt"
    elif message.direct:
        where = b"aan !%08x" % message.to
    else:
        where = message.channel_name or b"kanaal %d" % message.channel
    if message.flags & FROM_US:
        who += b" (hier)"
    if message.flags & ALERT:
        who = b"LET OP " + who
    return b" ".join((who, when, where))


def _paginate(view, head_font, font, width: int, height: int) -> tuple:
    """(pages of (head, lines), whether all messages are on them)."""
    pages, page, left = [], [], height
    for message in view.texts:
        head = head_text(message, view.now_s)
        lines = wrap(message.text, font.measure, width)
        while lines:
            above = head_font.height + (_SPACE if page else 0)
            room = (left - above) // font.height
            if page and room < min(len(lines), _LINES_TOGETHER):
                pages.append(page)
                page, left = [], height
                if len(pages) == MAX_TEXT_PAGES:
                    return pages, False
                continue
            room = max(1, room)
            left -= above + font.height * min(room, len(lines))
            page.append((head, lines[:room]))
            lines = lines[room:]
            head = head if head.startswith(_AGAIN) else _AGAIN + head
    if page or not pages:
        pages.append(page)
    return pages, True
