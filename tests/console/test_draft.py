"""The rules for a bulletin that is being written: defaults, costs, errors, privacy warnings, hints."""

import pytest
from _exercise import ALARM, HOUR, MINUTE, Exercise

from baken.wire import cap
from baken.wire.bulletin import decode_part, encode_parts
from baken_console.draft import DEFAULTS, Draft, draft_update, parse_areas, parse_references, to_bulletin
from baken_console.privacy import sightings
from baken_gateway.region import RegionError


@pytest.fixture(scope="module")
def exercise(tmp_path_factory):
    return Exercise(tmp_path_factory.mktemp("draft"))


def kinds(exercise, draft, level=None):
    found = exercise.desk.check(draft, exercise.clock.now_s)
    return [finding.kind for finding in found if level in (None, finding.level)]


def test_every_kind_of_bulletin_has_defaults_that_can_be_encoded(exercise):
    assert set(DEFAULTS) == {word.decode() for word in cap.EVENT}
    for event in DEFAULTS:
        draft = Draft(status="Exercise", text="Tekst.").for_event(event)
        assert kinds(exercise, draft, "error") == []
        made = to_bulletin(draft, exercise.region, 1, 1, exercise.clock.now_s)
        assert encode_parts(made, exercise.region.trust.tag, exercise.key.key.sign)


def test_an_alarm_is_immediate_and_extreme_and_a_staff_bulletin_is_restricted():
    alarm = Draft().for_event("ALARM")
    assert (alarm.urgency, alarm.severity, alarm.is_alarm) == ("Immediate", "Extreme", True)
    assert Draft().for_event("INTERN").scope == "Restricted"
    assert Draft().for_event("INTERN").for_event("WATER").scope == "Public"


def test_what_is_forecast_is_what_is_sent(exercise):
    for text in ("Kort.", "é" * 200, "woord " * 150):
        draft = Draft(
            status="Exercise", text=text, areas=("OV", "DH"), references=((1, 1),), msg_type="Update"
        )
        cost = exercise.desk.cost(draft, exercise.clock.now_s)
        made = to_bulletin(draft, exercise.region, 1, 2, exercise.clock.now_s)
        records = encode_parts(made, exercise.region.trust.tag, exercise.key.key.sign)
        assert cost.parts == cost.frames == len(records)
        assert cost.record_bytes == sum(len(raw) for raw in records)
        assert cost.region_transmissions == 5 * cost.parts  # half of ten nodes, each part


def test_airtime_agrees_with_the_data_sheet_formula(exercise):
    cost = exercise.desk.cost(Draft(text="x" * 143), exercise.clock.now_s)
    # MediumFast: SF9, 250 kHz, 4/5; 17 + 143 + 64 bytes of record, 24 around it: 248 bytes on the air.
    symbols = 16 + 4.25 + 8 + -(-(8 * 248 - 4 * 9 + 28 + 16) // (4 * 9)) * 5
    assert cost.airtime_ms == round(symbols * 512 / 250)


def test_a_text_that_is_too_long_is_refused_with_its_size_and_the_limit(exercise):
    draft = Draft(status="Exercise", text="ї" * 650)
    finding = next(one for one in exercise.desk.check(draft, exercise.clock.now_s) if one.kind == "text-long")
    assert finding.details == {"bytes": 1300, "limit": 1200, "parts": 9, "max_parts": 8}


def test_whether_it_is_real_must_be_chosen(exercise):
    assert "status-unchosen" in kinds(exercise, Draft(text="Tekst."), "error")


def test_an_actual_bulletin_cannot_carry_a_sending_time_of_its_own(exercise):
    draft = Draft(status="Actual", text="Tekst.", sent_s=exercise.clock.now_s - HOUR)
    assert "sent-actual" in kinds(exercise, draft, "error")


def test_validity_outside_its_limits_is_an_error(exercise):
    for valid_s in (4 * MINUTE, 15 * 24 * HOUR):
        assert "validity" in kinds(
            exercise, Draft(status="Exercise", text="Tekst.", valid_s=valid_s), "error"
        )


def test_areas_are_read_as_people_write_them_and_unknown_ones_are_named(exercise):
    region = exercise.region
    assert parse_areas("ov, dh", region) == ("OV", "DH")
    assert parse_areas("DH OV DH", region) == ("DH", "OV")
    assert parse_areas("", region) == parse_areas("ALL", region) == parse_areas("alles", region) == ()
    with pytest.raises(RegionError, match="'XX'.*OV"):
        parse_areas("OV,XX", region)


def test_references_are_read_as_authority_slash_number():
    assert parse_references("1/12, 1/13") == ((1, 12), (1, 13))
    for text in ("12", "1/", "a/b", "1/12/3"):
        with pytest.raises(ValueError, match="authority/number"):
            parse_references(text)


def test_references_are_checked_against_what_is_known(tmp_path):
    exercise = Exercise(tmp_path)
    exercise.send(areas=("OV", "DH"))
    update = Draft(status="Exercise", text="Nieuw.", msg_type="Update")
    cases = {
        "reference-missing": {},
        "reference-foreign": {"references": ((2, 1),)},
        "reference-future": {"references": ((1, 99),)},
    }
    for kind, changes in cases.items():
        draft = Draft(**{**update.__dict__, **changes})
        assert kind in kinds(exercise, draft, "error"), kind
    known = Draft(**{**update.__dict__, "references": ((1, 1),)})
    assert kinds(exercise, known, "error") == []
    assert "reference-status" in kinds(exercise, Draft(**{**known.__dict__, "status": "Actual"}), "error")
    assert "reference-rest" in kinds(exercise, Draft(**{**known.__dict__, "areas": ("OV",)}), "hint")


def test_a_real_bulletin_during_an_exercise_needs_a_second_thought(tmp_path):
    exercise = Exercise(tmp_path)
    exercise.send()
    assert "other-status" in kinds(exercise, Draft(status="Actual", text="Echt."), "warning")
    assert "other-status" not in kinds(exercise, Draft(status="Exercise", text="Oefening."), "warning")


def test_an_update_takes_over_area_audience_and_kind_and_a_cancel_says_all_clear(tmp_path):
    exercise = Exercise(tmp_path)
    exercise.send(areas=("DH",), scope="Restricted")
    row = exercise.board().bulletins[0]
    update, cancel = draft_update(Draft(), row, False), draft_update(Draft(), row, True)
    assert (update.msg_type, update.event, update.areas, update.scope) == (
        "Update",
        "ALARM",
        ("DH",),
        "Restricted",
    )
    assert (cancel.msg_type, cancel.event, cancel.areas, cancel.references) == (
        "Cancel",
        "INTREKKING",
        ("DH",),
        ((1, 1),),
    )
    assert (update.status, cancel.response_type) == ("Exercise", "AllClear")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Mevr. X, Voorbeeldstraat 1, suikerziekte, moet bezoek thuis.", "private-name"),
        ("Mevr. X, Voorbeeldstraat 1, suikerziekte, moet bezoek thuis.", "private-address"),
        ("Bel Jan de Vries.", "private-name"),
        ("Bel 06-12345678 voor hulp.", "private-phone"),
        ("Bel +31 6 12345678.", "private-phone"),
        ("Patient geboren 12-03-1948.", "private-birth-date"),
        ("Zij is van 3 mei 1951.", "private-birth-date"),
        ("Woont op 1234 AB.", "private-address"),
        ("BSN 123456782 bekend.", "private-citizen-number"),
        ("Mail jan@voorbeeld.nl.", "private-email"),
    ],
)
def test_text_like_personal_data_gives_a_warning(exercise, text, kind):
    assert kind in kinds(exercise, Draft(status="Exercise", text=text), "warning")


@pytest.mark.parametrize(
    "text",
    [
        "Kaart OV07-12: thuisbezoek arts nodig, gegevens op papier hier.",
        "Grote brand Havenweg, Dijkerhaven. Rook trekt naar het noordoosten.",
        "Open: kazerne Centrum (OV01), Moskee Al Noor (OV04) en Kerk De Bron (OV06).",
        "Kind geboren 14:58. Moeder en kind goed.",
        "Vannacht -7 graden. Winkels 10:00-15:00. Watertank 7500 l geplaatst.",
        "Vragen? Bel 0800-1351 of 088 123 4567. Bel 112 bij levensgevaar.",
        "Vrijdag 15 januari 2027 om 06:00: Polderzijl en Eilandshoorn.",
    ],
)
def test_ordinary_bulletins_give_no_privacy_warning(exercise, text):
    assert sightings(text, tuple(point.name for point in exercise.region.points)) == ()


def test_hints_help_to_write_readable_dutch(exercise):
    long = "Dit is een zin die veel te lang is om in nood snel te kunnen lezen."
    assert "sentence-long" in kinds(exercise, Draft(status="Exercise", text=long), "hint")
    assert "clock-form" in kinds(exercise, Draft(status="Exercise", text="Open om 9.30 uur."), "hint")
    overview = Draft(status="Exercise", text="Stroom nog weg.").for_event("OVERZICHT")
    assert "next-bulletin" in kinds(exercise, overview, "hint")


def test_the_text_on_the_wire_is_one_line_with_single_spaces(exercise):
    draft = Draft(**{**ALARM.__dict__, "text": "  Blijf\nbinnen.  \n\nSluit   ramen. "})
    made = to_bulletin(draft, exercise.region, 1, 1, exercise.clock.now_s)
    records = encode_parts(made, exercise.region.trust.tag, exercise.key.key.sign)
    assert decode_part(records[0]).text == b"Blijf binnen. Sluit ramen."
