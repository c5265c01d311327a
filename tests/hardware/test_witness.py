"""What the demo reads from displays about emergency reports and answers."""

import pytest
from painter import Painter

from baken_hardware.demo import scenario
from baken_hardware.demo.witness import Displays

LETTERS = {letter.id: letter for letter in scenario.load_letters()}


@pytest.fixture(scope="module")
def painter():
    painter = Painter()
    yield painter
    painter.close()


def pages(painter, title, text, **fields):
    view = {
        "title": title,
        "text": text,
        "point_code": "OV06",
        "now_s": 1799751600,
        "exercise": True,
        **fields,
    }
    count, first, _ = painter.draw("message", view, 0)
    return [first] + [painter.draw("message", view, page)[1] for page in range(1, count)]


def test_an_answer_is_seen_whole_once_its_last_page_was_shown_however_little_stands_there(painter):
    answer = LETTERS["S31"]
    displays = Displays([], list(LETTERS.values()))
    shown = pages(
        painter, "ANTWOORD", "wo 11:00 " + "Over PZ03 dit: " * 4 + answer.text, signed_by="VR Merenland"
    )
    assert len(shown) == 2
    for t_ms, picture in enumerate(shown):
        sighting = displays.by_code["PZ03"].letters.get(("S31", "ANTWOORD"))
        assert sighting is None or sighting.whole_ms is None
        displays.look(t_ms, "PZ03", picture)
    sighting = displays.by_code["PZ03"].letters[("S31", "ANTWOORD")]
    assert (sighting.whole_ms, sighting.is_checked, sighting.is_marked) == (1, True, True)


def test_a_page_without_authority_or_mark_and_a_text_on_a_strange_display_are_noticed(painter):
    displays = Displays([], list(LETTERS.values()))
    (picture,) = pages(painter, "ANTWOORD", LETTERS["S40"].text, exercise=False)
    displays.look(5, "OV06", picture)
    assert list(displays.by_code["OV06"].letters) == [("S40", "ANTWOORD")]
    sighting = displays.by_code["OV06"].letters[("S40", "ANTWOORD")]
    assert (sighting.is_checked, sighting.is_marked) == (False, False)


def test_a_page_that_says_something_else_is_no_letter(painter):
    displays = Displays([], list(LETTERS.values()))
    for picture in pages(painter, "BAKEN", "Geen geldige berichten. Ambulance nodig? Druk lang."):
        displays.look(1, "OV06", picture)
    assert displays.by_code["OV06"].letters == {}
