"""What a full board lets go, and what nobody can make it let go; signatures are the replica's business."""

from _small_region import LONG_TEXT, NOON_S, make_bulletin

from baken.noticeboard.board import (
    MAX_BULLETINS,
    MAX_OF_AUTHORITY,
    MAX_PARTS,
    MAX_PARTS_OF_AUTHORITY,
    Board,
)
from baken.wire import bulletin
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import BULLETIN

TAG = bytes(8)
AREAS = 3


def offer(board, seq, text=b"Blijf thuis.", unix_s=NOON_S, parts=8, **fields):
    """Offer the first `parts` parts of a bulletin; the cause of the first refusal, or None."""
    made = make_bulletin(seq, text, **fields)
    for raw in bulletin.encode_parts(made, TAG, lambda _signed: bytes(64))[:parts]:
        part = bulletin.decode_part(raw)
        try:
            board.check_part(part, raw, unix_s)
            board.make_room(raw, unix_s, AREAS)
        except RemoteProtocolError as error:
            return error.cause
        board.add(part, raw)
    return None


def full_board():
    """An ALARM and others of both authorities in all places."""
    board = Board({}.get)
    assert offer(board, 1, event=b"ALARM", severity=b"Minor", sent_s=NOON_S - 3600) is None
    for seq in range(2, MAX_BULLETINS - 15):
        assert offer(board, seq, severity=b"Moderate", sent_s=NOON_S + 60 * seq) is None
    for seq in range(1, 17):
        assert offer(board, seq, origin=2, severity=b"Moderate", sent_s=NOON_S + 9000 + 60 * seq) is None
    assert len(board.notices) == MAX_BULLETINS
    return board


def test_a_full_board_lets_the_least_severe_oldest_go_and_never_an_alarm():
    board = full_board()
    assert offer(board, 900, severity=b"Minor") == "full"
    assert offer(board, 17, severity=b"Severe", origin=2) is None
    assert len(board.notices) == MAX_BULLETINS
    assert (1, 1) in board.notices and (1, 2) not in board.notices


def test_expired_and_withdrawn_bulletins_make_room_before_any_that_still_holds():
    board = full_board()
    cancel = {"msg_type": b"Cancel", "severity": b"Extreme", "origin": 2}
    assert offer(board, 20, references=((2, 16),), **cancel) is None  # in the place of 1/2
    assert (1, 2) not in board.notices and (2, 16) in board.notices
    assert offer(board, 21, severity=b"Minor", origin=2) is None
    assert (2, 16) not in board.notices and (1, 3) in board.notices
    later_s = NOON_S + 5 * 3600
    assert offer(board, 22, severity=b"Minor", origin=2, unix_s=later_s) is None
    assert (1, 1) not in board.notices, "an ALARM that has expired goes too"
    assert (1, 3) in board.notices


def test_a_refused_bulletin_makes_nothing_go_not_even_what_has_expired():
    board = Board({}.get)
    assert offer(board, 1, valid_s=600) is None
    for seq in range(1, MAX_OF_AUTHORITY + 1):
        assert offer(board, seq, origin=2, event=b"ALARM") is None
    later_s = NOON_S + 900
    assert offer(board, 90, origin=2, event=b"ALARM", unix_s=later_s) == "full"
    assert (1, 1) in board.notices
    assert board.expire(later_s) == [(BULLETIN, 1, 1, 0)], "so that its user takes it out of the store"


def test_an_authority_that_has_taken_its_share_of_alarms_takes_no_place_of_another():
    board = Board({}.get)
    assert offer(board, 1, severity=b"Minor") is None
    outcomes = [offer(board, seq, origin=2, event=b"ALARM") for seq in range(1, MAX_OF_AUTHORITY + 9)]
    assert outcomes == [None] * MAX_OF_AUTHORITY + ["full"] * 8
    assert (1, 1) in board.notices
    for seq in range(2, MAX_BULLETINS - MAX_OF_AUTHORITY + 1):
        assert offer(board, seq, severity=b"Minor") is None
    assert len(board.notices) == MAX_BULLETINS


def test_bulletins_begun_and_never_completed_leave_room_for_others_and_in_memory():
    board = Board({}.get)
    for seq in range(1, 60):
        assert offer(board, seq, LONG_TEXT, origin=2, severity=b"Extreme", parts=1) is None
    parts = board.notices[(2, 59)].meta.parts
    assert parts > 1 and len(board.notices) == MAX_PARTS_OF_AUTHORITY // parts
    for seq in range(1, 14):
        assert offer(board, seq, LONG_TEXT) is None and board.notices[(1, seq)].complete
    held = sum([notice.meta.parts for notice in board.notices.values()])
    assert MAX_PARTS - parts < held <= MAX_PARTS
