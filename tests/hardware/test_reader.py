"""The reader gives back, from the pixels alone, what the firmware was told to show."""

import pytest
from painter import BULLETINS, HEIGHT, WIDTH, Painter, notice

from baken_hardware.virtual.reader import Reader

DUTCH = "".join(map(chr, range(0x20, 0x7F))) + "áéíóúàèëïöüâêîôûçñÉËÏÖÜ€"
POLISH_AND_TURKISH = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻçğıöşüÇĞİÖŞÜ"
BODY = ["bold13", "bold16", "bold18", "bold20", "bold22", "bold26"]


@pytest.fixture(scope="module")
def reader():
    return Reader()


@pytest.fixture(scope="module")
def painter():
    painter = Painter()
    yield painter
    painter.close()


def body(reader, picture, top=17, foot=95):
    """The words of the body: what starts below the title bar and above the rule."""
    lines = [line for line in reader.read(picture, WIDTH, HEIGHT) if top < line.y < foot - 1]
    assert len({line.font for line in lines}) <= 1
    return " ".join(line.text for line in lines)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("bulletin", BULLETINS, ids=lambda bulletin: bulletin["id"])
def test_every_word_of_every_bulletin_is_read_back_from_its_pages(reader, painter, bulletin, large):
    pages = painter.bulletin(notice(bulletin), large=large)
    assert " ".join(body(reader, page) for page in pages) == " ".join(bulletin["text"].split())
    for number, page in enumerate(pages, 1):
        words = reader.words(page, WIDTH, HEIGHT)
        assert words.startswith(bulletin["kind"] + " - ")
        assert "OEFENING" in words
        assert "GECONTROLEERD " + bulletin["sender"] in words
        assert "geldig tot " in words
        assert (f"{number}/{len(pages)}" in words) == (len(pages) > 1)


@pytest.mark.parametrize("language", ["en", "pl", "tr", "uk"])
def test_translations_are_read_back(reader, painter, language):
    for bulletin in BULLETINS:
        text = bulletin["translations"].get(language)
        if text is None:
            continue
        pages = painter.bulletin(notice(bulletin, text=text))
        lines = [line for page in pages for line in reader.read(page, WIDTH, HEIGHT) if 17 < line.y < 94]
        words = " ".join(line.text for line in lines)
        assert words == reader.as_read(text, lines[0].font)
        if language != "uk":
            assert words == text


def test_a_script_the_fonts_lack_shows_boxes_and_no_gap(reader, painter):
    bulletin = next(bulletin for bulletin in BULLETINS if bulletin["id"] == "B04")
    text = bulletin["translations"]["ar"]
    pages = painter.bulletin(notice(bulletin, text=text))
    lines = [line for page in pages for line in reader.read(page, WIDTH, HEIGHT) if 17 < line.y < 94]
    assert " ".join(line.text for line in lines) == reader.as_read(text, lines[0].font)
    assert reader.as_read(text, lines[0].font).count("\ufffd") > 40


def test_letters_of_the_languages_shown_differ_in_every_font(reader):
    for font in reader.fonts:
        assert reader.as_read(DUTCH, font) == DUTCH
    for font in BODY:
        assert reader.as_read(POLISH_AND_TURKISH, font) == POLISH_AND_TURKISH


def test_any_characters_beside_each_other_are_read_back(reader, painter):
    """Seeded strings of all kinds of letters: no pair of cells reads as something else."""
    state, letters = 7, DUTCH.replace(" ", "") + POLISH_AND_TURKISH
    for _ in range(20):
        words = []
        for _ in range(14):
            word = ""
            for _ in range(6):
                state = (state * 1103515245 + 12345) & 0x7FFFFFFF
                word += letters[(state >> 8) % len(letters)]
            words.append(word)
        text = " ".join(words)
        pages = painter.bulletin(notice(BULLETINS[0], text=text))
        assert " ".join(body(reader, page) for page in pages) == text


def test_one_wrong_pixel_in_a_word_makes_it_unreadable(reader, painter):
    picture = bytearray(painter.bulletin(notice(BULLETINS[0]))[0])
    before = reader.read(bytes(picture), WIDTH, HEIGHT)
    line = next(line for line in before if 17 < line.y < 94)
    spoilt = 0
    for x in range(line.x, line.x + 40, 4):
        changed = bytearray(picture)
        changed[(line.y + 8) * 32 + x // 8] ^= 0x80 >> x % 8
        after = reader.read(bytes(changed), WIDTH, HEIGHT)
        spoilt += line not in after
    assert spoilt == 10


def test_paper_ink_and_stripes_hold_no_text(reader):
    assert reader.read(b"\xff" * 32 * HEIGHT, WIDTH, HEIGHT) == []
    assert reader.read(bytes(32 * HEIGHT), WIDTH, HEIGHT) == []
    assert reader.read(b"\xe1\xc3\x87\x0f" * 8 * HEIGHT, WIDTH, HEIGHT) == []


def test_a_picture_of_another_size_is_refused(reader):
    with pytest.raises(ValueError, match="3903 bytes, not 3904"):
        reader.read(bytes(3903), WIDTH, HEIGHT)
