"""The board: what a bulletin's row counts, what a point's row shows, what is put before a person first."""

import pytest
from _exercise import HOUR, MINUTE, Exercise

from baken_console.model import FRESH, LATE, MADE, NEVER, PARTLY, SENT, SILENT
from baken_console.widgets.bulletin_table import tally


@pytest.fixture
def exercise(tmp_path):
    return Exercise(tmp_path)


def test_a_bulletin_counts_the_support_points_in_its_area_only(exercise):
    exercise.send()
    exercise.send(areas=("DH",))
    rows = {row.ref: row for row in exercise.board().bulletins}
    assert [one.point.code for one in rows["1/2"].receiving] == ["DH01", "DH02"]
    codes = {one.point.code for one in rows["1/1"].receiving}
    assert rows["1/1"].meant == 8 and not codes & {"RL1", "VR00"}


def test_received_and_read_come_from_the_points_masks_and_never_go_back(exercise):
    exercise.send()
    exercise.report("OV01", received=[1])
    exercise.report("OV06", received=[1], read=[1])
    row = exercise.board().bulletins[0]
    assert (row.received, row.read) == (2, 1)
    exercise.later(HOUR)
    exercise.report("OV01")  # its newest STATUS says nothing of it any more
    exercise.report("OV06")
    row = exercise.board().bulletins[0]
    assert (row.received, row.read) == (2, 1)
    receipt = {one.point.code: one.receipt for one in row.receiving}
    assert receipt["OV06"].read_s == exercise.clock.now_s - HOUR


def test_a_status_that_was_here_before_its_bulletin_counts_once_the_bulletin_comes(exercise):
    exercise.report("OV01", received=[7])
    exercise.take(*exercise.records_of(7))
    assert exercise.board().bulletins[0].received == 1


def test_an_update_supersedes_only_where_its_own_area_lies(exercise):
    exercise.send(areas=("OV", "DH"))
    exercise.send(msg_type="Update", references=((1, 1),), areas=("DH",), text="Anders.")
    row = exercise.board().bulletin((1, 1))
    assert row.state == PARTLY and row.replaced_by == ((1, 2),) and row.in_force
    assert {one.state for one in row.receiving if one.point.code.startswith("DH")} == {"superseded"}
    assert {one.state for one in row.receiving if one.point.code.startswith("OV")} == {"valid"}


def test_a_cancel_withdraws_and_what_is_over_stands_below(exercise):
    exercise.send()
    exercise.send(event="BERICHT", severity="Minor", text="Rustig.")
    exercise.send(
        msg_type="Cancel", event="INTREKKING", severity="Minor", references=((1, 1),), text="Ingetrokken."
    )
    board = exercise.board()
    assert board.bulletin((1, 1)).state == "withdrawn"
    assert board.bulletins[-1].key == (1, 1)


def test_an_expired_bulletin_stays_on_the_board_with_its_receipts(exercise):
    exercise.send(valid_s=HOUR)
    exercise.report("OV01", received=[1], read=[1])
    exercise.later(2 * HOUR)
    board = exercise.board()
    assert (1, 1) not in exercise.desk.replica.notices
    row = board.bulletin((1, 1))
    assert (row.state, row.received, row.read, row.text[:8]) == ("expired", 1, 1, "Telefoon")
    assert not any(one.bulletin == (1, 1) for one in board.attention)


def test_a_bulletin_of_which_a_part_is_missing_says_which(exercise):
    parts = exercise.records_of(3, text="Вода ї. " * 30)
    exercise.take(parts[0], parts[2])
    row = exercise.board().bulletins[0]
    assert (row.state, row.text, row.missing_parts, row.parts) == ("incomplete", None, (2,), 3)
    assert any(one.kind == "bulletin-incomplete" for one in exercise.board().attention)


def test_what_the_broker_has_not_confirmed_waits(exercise):
    exercise.desk.is_sent = lambda key: key == (1, 1)
    exercise.send()
    exercise.send()
    delivery = {row.ref: row.delivery for row in exercise.board().bulletins}
    assert delivery == {"1/1": SENT, "1/2": MADE}
    assert exercise.board().attention[0].kind == "bulletin-waiting"


def test_a_point_goes_from_fresh_over_late_to_silent(exercise):
    number = exercise.region.point("OV01").number
    assert exercise.board().point(number).liveness == NEVER
    exercise.report("OV01")
    assert exercise.board().point(number).liveness == FRESH
    exercise.later(3 * HOUR)
    assert exercise.board().point(number).liveness == LATE
    exercise.later(4 * HOUR)
    board = exercise.board()
    assert board.point(number).liveness == SILENT
    silent = next(one for one in board.attention if one.kind == "points-silent")
    assert silent.details["codes"] == ("OV01",)


def test_a_closed_point_is_not_missed_and_does_not_hold_up_everywhere(exercise):
    exercise.send(areas=("OV",))
    exercise.report("OV10", state=b"DICHT", power_hours=0)
    for code in ("OV01", "OV04", "OV06"):
        exercise.report(code, received=[1])
    exercise.later(7 * HOUR)
    board = exercise.board()
    row = board.bulletin((1, 1))
    assert (row.received, row.meant, row.all_received) == (3, 4, True)
    assert all("OV10" not in str(one.details) for one in board.attention)


def test_life_comes_first_then_alarms_that_have_not_arrived(exercise):
    exercise.send()
    exercise.later(20 * MINUTE)
    exercise.report("DH02", received=[1], power_hours=3)
    exercise.report("OV06", received=[1], priority=b"F", text="1 persoon pijn op de borst.".encode())
    kinds = [one.kind for one in exercise.board().attention]
    assert kinds[:2] == ["point-urgent", "bulletin-unreached"]
    assert "points-power" in kinds
    assert exercise.board().points[0].point.code == "OV06"


def test_an_alarm_that_nobody_confirms_asks_for_attention_after_a_quarter(exercise):
    exercise.send(areas=("PZ",))
    exercise.report("PZ01", received=[1])
    assert not any(one.kind == "bulletin-unread" for one in exercise.board().attention)
    exercise.later(16 * MINUTE)
    unread = next(one for one in exercise.board().attention if one.kind == "bulletin-unread")
    assert unread.details["codes"] == ("PZ01",)


def test_a_point_lists_what_it_lacks_of_what_is_in_force_for_it(exercise):
    exercise.send(areas=("DH",))
    exercise.send(areas=("OV",))
    exercise.report("OV01", received=[])
    row = exercise.board().point(exercise.region.point("OV01").number)
    assert (row.missing, row.unread) == (((1, 2),), ((1, 2),))


def test_exercise_and_actual_side_by_side_is_said(exercise):
    exercise.send()
    assert exercise.board().exercise and not exercise.board().actual
    exercise.send(status="Actual")
    board = exercise.board()
    assert board.exercise and board.actual
    assert any(one.kind == "mixed" and one.details["refs"] == "1/2" for one in board.attention)


def test_forged_records_are_counted_and_shown_but_never_as_bulletins(exercise):
    raw = bytearray(exercise.records_of(9)[0])
    raw[-1] ^= 1
    assert exercise.take(bytes(raw))[0].state == "refused"
    board = exercise.board()
    assert board.bulletins == ()
    assert next(one for one in board.attention if one.kind == "refused").details["count"] == 1


def test_battery_unknown_and_external_power_are_not_numbers(exercise):
    exercise.report("OV01", battery_percent=255)
    exercise.report("DH01", battery_percent=101)
    board = exercise.board()
    assert board.point(exercise.region.point("OV01").number).battery_percent is None
    assert not board.point(exercise.region.point("DH01").number).low_battery


@pytest.mark.parametrize(
    ("count", "of", "everywhere", "bar"),
    [(0, 40, False, "░░░░░"), (1, 40, False, "█░░░░"), (39, 40, False, "████░"), (39, 40, True, "█████")],
)
def test_a_bar_is_full_only_when_every_open_point_has_it(count, of, everywhere, bar):
    assert tally(count, of, everywhere, True, 5).plain == f"{bar} {count}/{of}"


def test_text_from_the_air_cannot_steer_the_terminal(exercise):
    exercise.take(*exercise.records_of(1, text="Rood\x1b[31m\u202eomgekeerd \u0646\u200c\u0627."))
    exercise.report("OV01", text="Hallo\x1b]0;titel\x07".encode())
    board = exercise.board()
    assert board.bulletins[0].text == "Rood [31m omgekeerd \u0646\u200c\u0627."
    assert board.point(exercise.region.point("OV01").number).text == "Hallo ]0;titel "
    assert "\x1b" not in str(exercise.desk.journal())
