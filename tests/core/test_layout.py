"""Wrapping, paging and choosing a font, with a font whose letters are all equally wide."""

from baken.device.layout import choose, paginate, shorten, wrap
from baken.wire.utf8 import REPLACEMENT, decode_at

TEXT = b"Grote stroomstoring in heel Merenland. Oorzaak onbekend. Blijf thuis. Zet apparaten uit."


class Even:
    """Every character is `advance` wide."""

    def __init__(self, advance, height):
        self.advance = advance
        self.height = height

    def measure(self, text):
        index = count = 0
        while index < len(text):
            index = decode_at(text, index)[1]
            count += 1
        return count * self.advance


def measure(text):
    return Even(1, 1).measure(text)


def test_lines_hold_as_many_words_as_fit_and_no_more():
    lines = wrap(TEXT, measure, 22)
    assert lines[0] == b"Grote stroomstoring in"
    assert b" ".join(lines) == TEXT
    for line, following in zip(lines, lines[1:]):
        assert measure(line) <= 22
        assert measure(line + b" " + following.split()[0]) > 22


def test_white_space_collapses_and_newlines_start_a_line():
    assert wrap(b"  een\t twee \r\n drie\n\n\n\nvier \n", measure, 20) == [b"een twee", b"drie", b"", b"vier"]
    assert wrap(b" \n ", measure, 20) == []
    assert wrap(b"", measure, 20) == []


def test_only_a_word_longer_than_a_line_is_cut_and_no_letter_is_lost():
    lines = wrap(b"zie hoogspanningsstation nu", measure, 10)
    assert lines == [b"zie", b"hoogspanni", b"ngsstation", b"nu"]
    assert wrap(b"hoogspanningsstations nu", measure, 10) == [b"hoogspanni", b"ngsstation", b"s nu"]


def test_a_cut_never_splits_a_character():
    word = "ééééé€€€€€".encode()
    lines = wrap(word, measure, 3)
    assert b"".join(lines) == word
    for line in lines:
        line.decode()
    assert len(lines) == 4


def test_a_line_narrower_than_a_letter_still_ends():
    assert wrap(b"abc", Even(9, 9).measure, 4) == [b"a", b"b", b"c"]


def test_bytes_that_are_not_utf8_are_kept_and_count_as_one_character_each():
    for bad in (b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"):
        assert decode_at(bad, 0) == (REPLACEMENT, 1)
        assert measure(bad) == len(bad)
        assert b"".join(wrap(b"a" + bad * 9, measure, 4)) == b"a" + bad * 9
    assert decode_at("é€😀".encode(), 0) == (0xE9, 2)
    assert decode_at("é€😀".encode(), 2) == (0x20AC, 5)
    assert decode_at("é€😀".encode(), 5) == (0x1F600, 9)
    assert decode_at(b"\xe2\x82a", 0) == (REPLACEMENT, 1)


def test_pages_are_as_few_as_possible_and_evenly_filled():
    lines = [b"%d" % number for number in range(7)]
    pages = paginate(lines, 3)
    assert [len(page) for page in pages] == [3, 2, 2]
    assert [line for page in pages for line in page] == lines
    assert [len(page) for page in paginate(lines, 6)] == [4, 3]
    assert paginate(lines, 7) == [lines]
    assert paginate([], 3) == [[]]


def test_a_page_without_rows_is_the_callers_mistake():
    try:
        paginate([b"a"], 0)
    except ValueError as error:
        assert "0 rows" in str(error)
    else:
        raise AssertionError("accepted")


FONTS = (Even(12, 24), Even(10, 20), Even(8, 16), Even(6, 12))


def words_of(layout):
    return b" ".join(line for page in layout.pages for line in page)


def test_a_short_text_gets_the_largest_letters():
    layout = choose(b"Brand.", FONTS, 240, 72, 2, 16)
    assert layout.font.height == 24
    assert layout.pages == [[b"Brand."]]
    assert 24 <= layout.line_height <= 28


def test_one_page_is_enough_when_its_letters_are_comfortable():
    text = TEXT[:69]
    assert len(choose(text, FONTS, 240, 72, 2, 20).pages) == 1
    assert choose(text, FONTS, 240, 72, 2, 20).font.height == 20
    larger = choose(text, FONTS, 240, 72, 2, 24)
    assert (larger.font.height, len(larger.pages)) == (24, 2)
    assert words_of(larger) == text


def test_a_text_too_long_for_the_pages_allowed_gets_one_page_more_than_it_needs():
    text = b" ".join([TEXT] * 6)
    least = len(paginate(wrap(text, FONTS[-1].measure, 240), 6))
    layout = choose(text, FONTS, 240, 72, 1, 16)
    assert least > 1
    assert len(layout.pages) <= least + 1
    assert words_of(layout) == text


def test_a_font_that_would_cut_a_word_is_passed_over():
    word = b"gezondheidscentrum"
    layout = choose(word, FONTS, 160, 72, 3)
    assert layout.font.height == 16
    assert layout.pages == [[word]]


def test_every_page_fits_whatever_the_text():
    state = 1
    for round_number in range(120):
        words = []
        for _ in range(round_number):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            words.append(b"abcdefghijklmnopqrstuvwxyz"[: state % 17 + 1])
        text = b" ".join(words)
        layout = choose(text, FONTS, 240, 72, 2, 16)
        assert words_of(layout) == text
        for page in layout.pages:
            assert len(page) * layout.line_height <= 72
            assert all(layout.font.measure(line) <= 240 for line in page)


def test_shortened_text_ends_after_a_word_with_an_ellipsis():
    assert shorten(b"Blijf  thuis.", measure, 12) == b"Blijf thuis."
    assert shorten(b"Blijf thuis en luister.", measure, 13) == "Blijf thuis…".encode()
    assert shorten(b"gezondheidscentrum", measure, 6) == "gezon…".encode()
    assert shorten(b"", measure, 6) == b""
