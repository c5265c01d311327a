"""Text into lines and pages: wraps on white space, cuts only words longer than a line, loses nothing.

Pure: text is UTF-8 bytes, a font is anything with `measure(bytes) -> pixels` and `height`.
"""

from baken.wire.utf8 import decode_at


class Layout:
    """Text fitted into pages: `font`, `pages` (lists of lines), `line_height` in pixels."""

    __slots__ = ("font", "pages", "line_height")

    def __init__(self, font, pages: list, line_height: int) -> None:
        self.font = font
        self.pages = pages
        self.line_height = line_height


def _cut(word: bytes, measure, width: int) -> list:
    """Pieces of a word that is wider than a line; at least one character each."""
    pieces = []
    start = index = used = 0
    while index < len(word):
        following = decode_at(word, index)[1]
        advance = measure(word[index:following])
        if used + advance > width and index > start:
            pieces.append(word[start:index])
            start, used = index, 0
        used += advance
        index = following
    pieces.append(word[start:])
    return pieces


def wrap(text: bytes, measure, width: int) -> list:
    """Lines of `text` no wider than `width` pixels.

    White space between words becomes one space; a newline starts a line, several leave one line blank. A
    single character wider than `width` stands alone on its line.
    """
    space = measure(b" ")
    lines = []
    for paragraph in text.split(b"\n"):
        line, used = b"", 0
        for word in paragraph.split():
            advance = measure(word)
            if line and used + space + advance <= width:
                line += b" " + word
                used += space + advance
                continue
            if line:
                lines.append(line)
            if advance > width:
                pieces = _cut(word, measure, width)
                lines.extend(pieces[:-1])
                word = pieces[-1]
                advance = measure(word)
            line, used = word, advance
        if line or (lines and lines[-1]):
            lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def paginate(lines: list, rows: int) -> list:
    """Lines in as few pages of at most `rows` as possible, filled evenly: no page with one lost line."""
    if rows < 1:
        raise ValueError(f"a page has {rows} rows, at least 1 is needed")
    if not lines:
        return [[]]
    count = -(-len(lines) // rows)
    base, longer = len(lines) // count, len(lines) % count
    pages, start = [], 0
    for number in range(count):
        end = start + base + (1 if number < longer else 0)
        pages.append(lines[start:end])
        start = end
    return pages


def _widest_word(text: bytes, measure) -> int:
    return max((measure(word) for word in text.split()), default=0)


def choose(text: bytes, fonts, width: int, height: int, max_pages: int, comfortable: int = 0) -> Layout:
    """Fit `text` into boxes of `width` x `height` with the largest font that needs at most `max_pages`.

    `fonts` go from large to small. Fewer pages are preferred as soon as they allow a line height of
    `comfortable`. A font that would cut a word is passed over. When even the smallest font needs more than
    `max_pages`, one page more than it needs is allowed instead.
    """
    counts = []  # not the lines: those of all fonts together are too much for a small board
    for font in fonts:
        rows = height // font.height
        smallest = font is fonts[-1]
        if not smallest and (rows < 1 or _widest_word(text, font.measure) > width):
            continue
        counts.append((font, len(_pages(text, font, width, height))))
    fewest = min(count for _, count in counts)
    budget = max_pages if fewest <= max_pages else fewest + 1
    for limit in range(fewest, budget + 1):
        for font, count in counts:
            if count <= limit and (font.height >= comfortable or limit == budget):
                return _spaced(font, _pages(text, font, width, height), height)
    raise AssertionError("the last limit takes any font")


def _pages(text: bytes, font, width: int, height: int) -> list:
    return paginate(wrap(text, font.measure, width), max(1, height // font.height))


def _spaced(font, pages: list, height: int) -> Layout:
    """Share the rows of pixels left over among the lines, a sixth of the letters' height at most."""
    rows = max(1, max(len(lines) for lines in pages))
    spare = max(0, height - rows * font.height) // rows
    return Layout(font, pages, font.height + min(spare, font.height // 6))


def shorten(text: bytes, measure, width: int, mark: bytes = b"\xe2\x80\xa6") -> bytes:
    """The words that fit in one line of `width`, with an ellipsis when some are left out."""
    words = text.split()
    whole = b" ".join(words)
    if measure(whole) <= width:
        return whole
    kept = b""
    for word in words:
        longer = kept + b" " + word if kept else word
        if measure(longer + mark) > width:
            break
        kept = longer
    if not kept and words:
        kept = _cut(words[0], measure, max(1, width - measure(mark)))[0]
    return kept + mark
