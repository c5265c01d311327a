"""The interface speaks two languages completely, and times and durations as people write them."""

import string

import pytest
from _exercise import HOUR, T0

from baken.wire import cap
from baken.wire import status as status_wire
from baken_console.commands import COMMANDS
from baken_console.moments import Calendar, MomentError, SteadyClock, duration_text, parse_duration
from baken_console.vocabulary import TABLES
from baken_console.words import SENTENCES, Words, listing
from baken_gateway.clock import ClockError


def fields(sentence):
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(sentence) if name}


def test_both_languages_have_every_sentence_with_the_same_blanks():
    for key, (dutch, english) in SENTENCES.items():
        assert dutch.strip() and english.strip(), key
        assert fields(dutch) == fields(english), key


def test_every_code_word_of_the_wire_has_a_name_in_both_languages():
    tables = {
        name: words for name, words, _shift, _width in cap.FIELDS if name not in ("encoding", "msg_type")
    }
    tables |= {
        "state": status_wire.STATES,
        "priority": status_wire.PRIORITIES,
        "need": status_wire.NEEDS,
        "language": cap.LANGUAGE,
    }
    for table, words in tables.items():
        for word in words:
            assert word.decode() in TABLES[table], (table, word)


def test_every_command_has_a_title_and_a_sentence():
    for name, _action in COMMANDS:
        assert Words("nl")(f"command-{name}") and Words("en")(f"command-{name}-help")


def test_a_word_from_a_newer_core_is_shown_as_it_is():
    assert Words("nl").word("event", "AARDBEVING") == "AARDBEVING"


def test_a_long_list_of_points_says_how_many_more():
    codes = [f"OV{number:02d}" for number in range(1, 20)]
    shown = listing(codes, 30)
    assert shown == "OV01 OV02 OV03 OV04 OV05 +14"
    assert listing(codes) == " ".join(codes)


def test_times_are_local_and_as_short_as_they_may_be():
    calendar = Calendar("Europe/Amsterdam")
    assert calendar.day_clock(T0) == "di 12 jan 06:40"
    assert calendar.brief(T0, T0 + HOUR) == "06:40"
    assert calendar.brief(T0, T0 + 24 * HOUR) == "di 06:40"
    assert calendar.brief(T0, T0 + 30 * 24 * HOUR) == "12 jan"
    assert calendar.iso(T0) == "2027-01-12T06:40:00+01:00"
    assert calendar.parse("2027-01-12T06:40") == calendar.parse("2027-01-12T05:40:00+00:00") == T0
    assert [calendar.age(seconds) for seconds in (5, 300, 7300, 200000)] == ["nu", "5 min", "2 u", "2 d"]
    assert Calendar("Europe/Amsterdam", "en").day_clock(T0) == "Tue 12 Jan 06:40"


def test_durations_are_read_back_as_they_are_written():
    for text, seconds in (("30m", 1800), ("6u", 21600), ("6h", 21600), ("2d", 172800), ("1u30m", 5400)):
        assert parse_duration(text) == seconds
        assert parse_duration(duration_text(seconds)) == seconds
    for text in ("", "6", "u", "0m", "6 weken", "-3u"):
        with pytest.raises(MomentError, match="6u"):
            parse_duration(text)


def test_an_exercise_clock_that_goes_away_does_not_stop_the_console(tmp_path):
    path = tmp_path / "clock"
    path.write_bytes((T0 * 1000).to_bytes(8, "big") + (100).to_bytes(8, "big"))
    clock = SteadyClock(path)
    assert (clock.unix_s(), clock.is_exercise, clock.stopped) == (T0, True, False)
    path.unlink()
    assert clock.unix_s() == T0 and clock.stopped
    with pytest.raises(ClockError, match="clock cannot be read"):
        SteadyClock(path)
