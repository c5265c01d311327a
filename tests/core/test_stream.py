"""Frames among text on a serial line, however the bytes arrive."""

from _vectors import Random, cause_of

from baken.wire.errors import LocalProtocolError
from baken.wire.stream import MAX_PAYLOAD, Deframer, frame


def _all_ways(data, max_lines=8):
    """Payloads and lines, checked to be the same for the whole, byte by byte, and in random pieces."""
    whole = Deframer(max_lines)
    result = (whole.receive(data), whole.take_lines(), whole.bad_starts, whole.lines_lost)
    for seed in range(1, 8):
        rand = Random(seed)
        deframer = Deframer(max_lines)
        payloads = []
        at = 0
        while at < len(data):
            size = 1 if seed == 1 else 1 + rand.below(7)
            payloads += deframer.receive(data[at : at + size])
            at += size
        assert (payloads, deframer.take_lines(), deframer.bad_starts, deframer.lines_lost) == result
    return result


def test_a_frame_is_its_start_its_length_and_its_payload():
    assert frame(b"abc") == b"\x94\xc3\x00\x03abc"
    assert frame(b"") == b"\x94\xc3\x00\x00"
    assert frame(bytes(300))[:4] == b"\x94\xc3\x01\x2c"


def test_frames_come_out_in_order_and_empty_ones_count():
    data = frame(b"one") + frame(b"") + frame(b"two")
    assert _all_ways(data)[0] == [b"one", b"", b"two"]


def test_the_largest_frame_passes_and_a_larger_one_cannot_be_sent():
    assert _all_ways(frame(bytes(512)))[0] == [bytes(512)]
    assert cause_of(LocalProtocolError, frame, bytes(513)) == "stream-size"


def test_a_payload_may_contain_anything_that_looks_like_a_frame():
    inner = frame(b"inner") + b"\x94\x94\xc3"
    assert _all_ways(frame(inner) + frame(b"next"))[0] == [inner, b"next"]


def test_a_stray_start_byte_does_not_swallow_the_frame_behind_it():
    payloads, _, bad_starts, _ = _all_ways(b"\x94" + frame(b"kept"))
    assert payloads == [b"kept"]
    assert bad_starts == 1
    assert _all_ways(b"\x94\x94\x94" + frame(b"kept"))[0] == [b"kept"]
    assert _all_ways(b"\x94x" + frame(b"kept"))[0] == [b"kept"]


def test_an_impossible_length_costs_one_byte_and_not_the_frame_inside():
    payloads, _, bad_starts, _ = _all_ways(b"\x94\xc3\x02\x01" + frame(b"kept"))
    assert payloads == [b"kept"]
    assert bad_starts == 1
    # The length's own bytes are the start of the true frame.
    assert _all_ways(b"\x94\xc3" + frame(b"kept"))[0] == [b"kept"]


def test_wake_up_bytes_before_the_first_frame_are_skipped():
    assert _all_ways(b"\xc3" * 32 + frame(b"hello"))[0] == [b"hello"]


def test_text_between_frames_is_kept_as_lines():
    data = b"boot\r\n" + frame(b"one") + b"DEBUG a=1\n\nhalf" + frame(b"two") + b" a line\n"
    payloads, lines, _, _ = _all_ways(data)
    assert payloads == [b"one", b"two"]
    assert lines == [b"boot", b"DEBUG a=1", b"", b"half a line"]


def test_a_line_that_does_not_end_is_cut_and_many_lines_lose_the_oldest():
    _, lines, _, lost = _all_ways(b"x" * 450 + b"\n")
    assert [len(line) for line in lines] == [200, 200, 50]
    assert lost == 0
    _, lines, _, lost = _all_ways(b"".join([b"%d\n" % number for number in range(20)]), 8)
    assert lines == [b"%d" % number for number in range(12, 20)]
    assert lost == 12


def test_text_is_thrown_away_where_nobody_wants_it():
    deframer = Deframer()
    assert deframer.receive(b"text\n" * 100 + frame(b"one")) == [b"one"]
    assert deframer.take_lines() == []
    assert deframer.lines_lost == 0


def test_lines_are_handed_out_once():
    deframer = Deframer(4)
    deframer.receive(b"one\ntwo\n")
    assert deframer.take_lines() == [b"one", b"two"]
    assert deframer.take_lines() == []


def test_an_abandoned_frame_gives_back_the_frames_that_it_held():
    deframer = Deframer(4)
    # The rest of a frame of 200 bytes was lost; two whole frames were taken for its payload.
    assert deframer.receive(b"\x94\xc3\x00\xc8abc\n" + frame(b"one") + frame(b"two")) == []
    assert deframer.is_inside_frame()
    assert deframer.abandon_frame() == [b"one", b"two"]
    assert not deframer.is_inside_frame()
    assert deframer.bad_starts == 1
    assert deframer.abandon_frame() == []
    assert deframer.receive(frame(b"three")) == [b"three"]
    deframer.receive(b"\x94\xc3\x00\x0512")
    assert deframer.abandon_frame() == []
    assert not deframer.is_inside_frame()


def test_garbage_never_holds_more_than_one_frame_nor_loses_the_next():
    rand = Random(11)
    for _ in range(30):
        deframer = Deframer(2)
        for _ in range(20):
            deframer.receive(rand.bytes(100))
            assert len(deframer._buffer) < 4 + MAX_PAYLOAD
        deframer.abandon_frame()
        assert deframer.receive(frame(b"alive")) == [b"alive"]


def test_garbage_gives_the_same_however_it_is_cut():
    rand = Random(12)
    alphabet = b"\x94\xc3\x00\x03\x01a\n"
    for _ in range(60):
        data = bytes([alphabet[rand.below(len(alphabet))] for _ in range(60)])
        _all_ways(data, 3)
