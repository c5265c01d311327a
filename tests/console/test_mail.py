"""Emergency reports at the desk: opened, never lost, acknowledged by a person; heartbeats."""

from pathlib import Path

import pytest
from _console import LARGE, SMALL, flat, play, screen_text
from _exercise import T0, Exercise
from _region import report_record

from baken.crypto.ed25519 import montgomery_public
from baken.noticeboard.memory import MemoryStore
from baken.wire import amendment, answer, sealed
from baken.wire.amendment import Amendment
from baken_console.desk import Desk
from baken_console.ledger import Ledger
from baken_console.mail import MailError
from baken_gateway.region import load_key

NEED = "1 persoon pijn op de borst. Ambulance naar OV06."


@pytest.fixture
def room(tmp_path):
    return Exercise(tmp_path)


def come_in(room, code="OV06", seq=1, text=NEED, **fields):
    raw = report_record(room.region, code, seq, text, time_s=fields.pop("time_s", T0), **fields)
    assert room.desk.replica.receive_record(raw, room.clock.now_s).state == "new"
    room.desk.absorb(room.clock.now_s)
    return raw


def opened_at_point(room, raw, code="OV06"):
    """What the point reads in an ANSWER."""
    private = load_key(room.region.folder / "keys" / f"point-{code}.key", room.region).private
    public = montgomery_public(room.region.trust.authorities[1].public)
    return sealed.open_text(raw, sealed.shared_key(private, public, room.region.trust.tag)).decode()


def test_a_report_is_opened_with_the_key_and_waits_first(room):
    come_in(room, "OV01", 1, "Brand.", time_s=T0 - 600, priority=b"I")
    come_in(room)
    rows = room.desk.mail.reports()
    assert [(row.ref, row.priority, row.text, row.waits) for row in rows] == [
        ("OV06/1", "F", NEED, True),
        ("OV01/1", "I", "Brand.", True),
    ]
    board = room.desk.board(T0 + 300)
    assert [one.kind for one in board.attention[:2]] == ["report", "report"]
    assert board.attention[0].report == rows[0].key


def test_a_person_acknowledges_with_or_without_a_text_and_the_point_can_read_it(room):
    come_in(room)
    number = room.region.point("OV06").number
    raw = room.desk.mail.answer(number, 1, "", T0 + 60)
    assert opened_at_point(room, raw) == ""
    assert room.desk.replica.letters.reports == {}
    room.desk.absorb(T0 + 60)
    (row,) = room.desk.mail.reports()
    assert not row.waits and not row.answered and row.received_s == T0 + 60 - (T0 + 60) % 60
    raw = room.desk.mail.answer(number, 1, "Ambulance komt.", T0 + 120)
    assert opened_at_point(room, raw) == "Ambulance komt." and answer.decode(raw).seq == 2
    room.desk.absorb(T0 + 120)
    (row,) = room.desk.mail.reports()
    assert row.answered and [one.text for one in row.answers] == ["", "Ambulance komt."]


def test_reports_and_answers_outlive_the_replica_and_a_restart(tmp_path):
    room = Exercise(tmp_path)
    ledger = Ledger(tmp_path / "ledger.db")
    desk = Desk(room.region, MemoryStore(), ledger, room.key)
    desk.replica.receive_record(report_record(room.region, "OV06", 1, NEED, time_s=T0), T0)
    desk.absorb(T0)
    number = room.region.point("OV06").number
    first = desk.mail.answer(number, 1, "Komt.", T0)
    desk.absorb(T0)
    ledger.close()
    again = Desk(room.region, MemoryStore(), Ledger(tmp_path / "ledger.db"), room.key)
    (row,) = again.mail.reports()
    assert (row.text, row.answers[0].text) == (NEED, "Komt.")
    second = again.mail.answer(number, 1, "Nu echt.", T0)
    assert answer.decode(second).seq == answer.decode(first).seq + 1, "no number is given twice"


def test_without_the_key_a_report_is_shown_as_sealed_and_opened_later(tmp_path):
    room = Exercise(tmp_path, key=False)
    ledger = room.ledger
    come_in(room)
    (row,) = room.desk.mail.reports()
    assert row.text is None and row.waits
    assert room.desk.board(T0).attention[0].kind == "report-sealed"
    with pytest.raises(MailError, match="no key"):
        room.desk.mail.answer(row.key[0], 1, "", T0)
    later = Desk(room.region, MemoryStore(), ledger, room.key)
    assert later.mail.reports()[0].text == NEED


def test_a_report_for_another_authority_stays_sealed_and_is_not_acknowledged_here(room):
    come_in(room, to=2)
    (row,) = room.desk.mail.reports()
    assert row.text is None and row.to == 2
    with pytest.raises(MailError, match="for authority 2"):
        room.desk.mail.answer(row.key[0], 1, "Komt.", T0)


def test_an_answer_that_is_too_long_or_to_nothing_is_refused_with_the_limit(room):
    come_in(room)
    number = room.region.point("OV06").number
    with pytest.raises(MailError, match="text is 143 bytes, limit 142"):
        room.desk.mail.answer(number, 1, "x" * 143, T0)
    with pytest.raises(MailError, match="no report OV06/9"):
        room.desk.mail.answer(number, 9, "Komt.", T0)
    for text in ("OV06/2", "XX/1", "1/OV06", "OV06/"):
        with pytest.raises(MailError, match="POINT/NUMBER"):
            room.desk.mail.addressee(text)
    for text in ("XX01", ""):
        with pytest.raises(MailError, match="has no point"):
            room.desk.mail.addressee(text)
    assert room.desk.mail.addressee("ov06/1") == (number, 1)


def test_a_message_to_a_point_belongs_to_no_report_and_acknowledges_none(room):
    come_in(room)
    point, ref = room.desk.mail.addressee("ov06")
    assert (point, ref) == (room.region.point("OV06").number, 0)
    raw = room.desk.mail.answer(point, ref, "Watertank komt 13:00.", T0, exercise=True)
    made = answer.decode(raw)
    assert (made.point, made.ref, made.exercise) == (point, 0, True)
    assert opened_at_point(room, raw) == "Watertank komt 13:00."
    room.desk.absorb(T0)
    assert room.desk.mail.reports()[0].waits
    with pytest.raises(MailError, match="message to point OV06 needs a text"):
        room.desk.mail.answer(point, ref, " ", T0)


def test_the_text_of_a_report_is_neither_in_the_journal_nor_in_the_clear_on_disk(tmp_path):
    room = Exercise(tmp_path)
    ledger = Ledger(tmp_path / "ledger.db")
    desk = Desk(room.region, MemoryStore(), ledger, room.key)
    desk.replica.receive_record(report_record(room.region, "OV06", 1, NEED, time_s=T0), T0)
    desk.absorb(T0)
    desk.mail.answer(room.region.point("OV06").number, 1, "Geheim antwoord.", T0)
    desk.absorb(T0)
    kinds = [entry.kind for entry in desk.journal()]
    assert "report" in kinds and "report-answered" in kinds
    ledger.close()
    stored = b"".join(path.read_bytes() for path in Path(tmp_path).glob("ledger.db*"))
    assert b"pijn op de borst" not in stored and b"Geheim antwoord" not in stored


def test_what_a_point_with_a_revoked_key_said_before_is_still_listed(room):
    come_in(room)
    root = load_key(room.region.folder / "keys" / "root.key", room.region).key
    number = room.region.point("OV06").number
    gone = Amendment(room.region.trust.serial + 1, amendment.REVOKE_POINT, number)
    raw = amendment.encode(gone, room.region.trust.tag, root.sign)
    assert room.desk.replica.receive_record(raw, T0).state == "new"
    room.desk.absorb(T0)
    assert room.desk.replica.letters.reports == {}
    (row,) = room.desk.mail.reports()
    assert row.text == NEED and row.waits


def test_heartbeats_have_numbers_of_their_own_and_name_the_newest_bulletin(room):
    assert room.desk.mail.next_beat_s() == 0
    room.desk.beat(T0)
    beat = room.desk.replica.heartbeats[1]
    assert (beat.seq, beat.time_s, beat.newest, beat.period_min) == (1, T0, 0, 60)
    assert room.desk.mail.next_beat_s() == T0 + 3600
    room.send()
    room.send()
    room.desk.beat(T0 + 3600, 30)
    beat = room.desk.replica.heartbeats[1]
    assert (beat.seq, beat.newest, beat.period_min) == (2, 2, 30)


def test_a_point_that_lies_about_numbers_does_not_get_into_the_heartbeat(room):
    room.send()
    lie = room.status_of("OV06", received=[900])
    assert room.desk.replica.receive_record(lie, T0).state == "new"
    room.desk.beat(T0)
    assert room.desk.replica.heartbeats[1].newest == 1


def test_a_console_that_only_looks_sends_no_heartbeat(tmp_path):
    room = Exercise(tmp_path, key=False)
    assert room.desk.mail.next_beat_s() is None


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_on_the_screen_a_report_stands_on_top_is_acknowledged_and_answered(room, size):
    come_in(room, exercise=True)
    come_in(room, "OV01", 1, "Brand in de kelder.", time_s=T0 - 120, priority=b"I")

    async def scene(app, pilot):
        assert "NOODMELDING OV06/1" in flat(app)
        await pilot.press("m")
        await pilot.pause()
        assert "2 wachten" in flat(app) and "pijn op de borst" in flat(app)
        await pilot.press("ctrl+o")
        await pilot.pause()
        assert "1 wachten" in flat(app) and "ontvangen" in flat(app)
        assert app.focused.id == "reports-list"
        await pilot.press("tab", *"Komt.", "enter")
        await pilot.pause()
        assert "beantwoord" in flat(app) and "Komt." in flat(app)
        await pilot.press("escape")
        await pilot.pause()
        assert (
            "NOODMELDING OV01/1" in flat(app) and "NOODMELDING OV06/1" not in screen_text(app).split("Log")[0]
        )

    play(room, scene, size)
    texts = {row.ref: [one.text for one in row.answers] for row in room.desk.mail.reports()}
    assert texts == {"OV06/1": ["", "Komt."], "OV01/1": []}
