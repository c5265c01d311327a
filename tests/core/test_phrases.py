"""The phrasebook: numbers and parameters that every node shows in its own languages."""

from _small_region import TRUST, cause_of, make_bulletin, random_source, sign_bulletin

from baken.noticeboard.notice import Notice
from baken.wire import bulletin, content, phrases
from baken.wire.records import decode_header

_DANGER, _REPAIR, _NEXT, _POWER, _OPEN, _BEDS, _COLD, _MORE = 0, 10, 11, 12, 24, 32, 53, 67

# A value for each type, at the ends of its range.
_VALUES = {
    "A": (None, 0, 254),
    "P": (1, 0xFFFF),
    "T": (0, 1440),
    "D": (0, 0xFFFF),
    "N": (0, 0xFFFF),
    "Q": ((-32768, b"C"), (32767, b"EUR"), (1, b"h")),
    "W": (b"x", b"1234567890123456"),
}


def _said(*said, **options):
    return phrases.render_content(phrases.encode(said), options.get("language", b"nl"), TRUST).decode()


def test_a_phrase_is_shown_in_dutch_with_the_names_of_the_region():
    area = TRUST.areas[0][1].decode()
    assert _said((_DANGER, (0,))) == "GEVAAR in %s: rook. Ga naar binnen. Sluit ramen en deuren." % area
    assert _said((_REPAIR, (None, (3, b"d"))), (_NEXT, (22 * 60,))) == (
        "Geen stroom in heel %s. Het herstel duurt ongeveer 3 dagen. Volgend bericht om 22:00."
        % TRUST.region.decode()
    )


def test_every_language_has_every_phrase_with_its_own_parameters():
    for number, types in enumerate(phrases.TYPES):
        shown = []
        for language in phrases.LANGUAGES:
            values = [_VALUES[kind][-1] for kind in types]
            text = phrases.render(number, values, language, TRUST).decode()
            assert text and "{" not in text and "}" not in text, (number, language)
            shown.append(text)
        assert len(set(shown)) == len(phrases.LANGUAGES), (number, shown)


def test_what_is_encoded_comes_back():
    for number, types in enumerate(phrases.TYPES):
        for turn in range(3):
            values = tuple([_VALUES[kind][turn % len(_VALUES[kind])] for kind in types])
            assert phrases.decode(phrases.encode([(number, values)])) == [(number, values)]


def test_several_phrases_take_at_most_24_bytes():
    said = [(_DANGER, (0,)), (_NEXT, (600,))] * 4
    data = phrases.encode(said)
    assert len(data) == 20 and phrases.decode(data) == said
    assert cause_of(phrases.encode, said + [(_NEXT, (600,))] * 2) == "phrase"
    assert cause_of(phrases.decode, bytes(25)) == "phrase"
    assert cause_of(phrases.decode, b"") == "phrase"


def test_a_number_from_a_newer_book_is_told_and_never_guessed_at():
    data = phrases.encode([(_NEXT, (600,))]) + b"\xf0\x00\x01\x0b"
    assert phrases.render_content(data, b"nl", TRUST) == (
        b"Volgend bericht om 10:00. Bericht nr 240 (nieuwer woordenboek)."
    )
    assert phrases.render_content(b"\xf0", b"en", TRUST) == b"Phrase 240 (newer phrasebook)."


def test_a_place_that_the_trust_list_lacks_is_shown_by_its_number():
    assert _said((_DANGER, (200,))).startswith("GEVAAR in ?200:")
    assert "?9999" in _said((_OPEN, (9999, 60, 120)))
    assert phrases.render(_DANGER, (None,), b"nl").startswith(b"GEVAAR in heel ?:")


def test_a_word_cannot_bring_a_parameter_of_its_own():
    assert _said((_MORE, (b"{0} {1} }{",))) == "Meer informatie: {0} {1} }{."


def test_amounts_dates_and_times_read_as_people_say_them():
    assert "3 degrees" not in _said((_COLD, ((-7, b"C"),))) and "-7 graden" in _said((_COLD, ((-7, b"C"),)))
    assert "1 hour." in _said((_REPAIR, (0, (1, b"h"))), language=b"en")
    assert "op 13 januari om 05:30" in _said((_POWER, (0, 742, 330)))  # 2027-01-13
    assert "29 lutego" in _said((_POWER, (0, 1154, 330)), language=b"pl")  # 2028-02-29


def test_a_language_without_a_book_is_answered_in_english():
    assert _said((_NEXT, (0,)), language=b"de") == "Next message at 00:00."


def test_what_is_out_of_range_is_refused_before_it_is_sent():
    for said in (
        (len(phrases.TYPES), ()),
        (_DANGER, ()),
        (_DANGER, (255,)),
        (_NEXT, (1441,)),
        (_OPEN, (0, 0, 0)),
        (_BEDS, (1, 65536)),
        (_COLD, ((40000, b"C"),)),
        (_COLD, ((1, b"furlong"),)),
        (_MORE, (b"",)),
        (_MORE, (b"x" * 17,)),
    ):
        assert cause_of(phrases.encode, [said]) == "phrase", said
    assert cause_of(phrases.encode, []) == "phrase"


def test_garbage_is_shown_or_refused_and_nothing_else():
    rand = random_source(5)
    shown = 0
    for _ in range(2000):
        data = bytes([rand(256) if rand(2) else rand(70) for _ in range(1 + rand(26))])
        try:
            text = phrases.render_content(data, phrases.LANGUAGES[rand(6)], TRUST)
            shown += len(text) > 0
        except phrases.RemoteProtocolError as error:
            assert error.cause == "phrase"
    assert shown > 100


def test_a_bulletin_of_phrases_is_signed_and_shown_in_every_language():
    made = make_bulletin(7, b"-", event=b"WATER", language=b"nl")
    made.say([(36, (0, (3, b"min"))), (_NEXT, (600,))])
    (raw,) = sign_bulletin(made)
    part = bulletin.decode_part(raw)
    assert part.encoding == content.PHRASE and len(part.content) == 8 and part == made
    notice = Notice(raw, {decode_header(raw).record_id: raw}.get, lambda: TRUST)
    notice.add(part)
    area = TRUST.areas[0][1].decode()
    assert notice.text.decode().startswith(area + ": kook kraanwater 3 minuten voor u het drinkt.")
    assert notice.text_in(b"uk").decode().startswith(area + ": перед питтям кип'ятіть")
