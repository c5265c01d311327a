"""PULSES under bytes nobody would think of, and what a replica believes of pulses in any order."""

from itertools import pairwise

from _region import NOON_S
from hypothesis import given
from hypothesis import strategies as st

from baken.crypto.signing import AuthorityKey, PointKey
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.pulses import BEHIND, PulseBook, PulseRounds
from baken.noticeboard.replica import NEW, Replica
from baken.wire import pulse, status
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.records import MAX_PAYLOAD, PULSES, VERSION
from baken.wire.trust import Point, TrustList

KIND = bytes((VERSION << 4 | PULSES,))
POINTS = (1, 2, 700)
KEYS = {number: PointKey(bytes([number & 0xFF]) * 32) for number in POINTS}
TRUST = TrustList(
    1,
    AuthorityKey(bytes(32)).public,
    b"",
    [(b"R", b"R")],
    [],
    [Point(number, b"P%d" % number, b"", 0, number, KEYS[number].public) for number in POINTS],
)
SEQ = 300
WINDOW_MS = 240_000


@st.composite
def _entries(draw: st.DrawFn) -> list[pulse.Pulse]:
    out = []
    for point in sorted(draw(st.sets(st.integers(1, 0xFFFF), max_size=6))):
        number = draw(st.integers(0, 255))
        if draw(st.integers(0, 9)) == 0:
            out.append(pulse.Pulse(point, number, holds_none=True))
            continue
        steps = []
        for chain in range(pulse.CHAINS):
            what = draw(st.sampled_from(("none", "alone", "value")))
            if what == "alone":
                steps.append((chain, draw(st.integers(0, pulse.LAST_STEP[chain])), b""))
            elif what == "value":
                size = pulse.VALUE_SIZE
                value = draw(st.binary(min_size=size, max_size=size))
                steps.append((chain, draw(st.integers(1, pulse.LAST_STEP[chain])), value))
        out.append(pulse.Pulse(point, number, tuple(steps)))
    return out


@given(_entries())
def test_what_is_encoded_is_decoded_unless_it_is_longer_than_a_frame(entries: list[pulse.Pulse]):
    size = 1 + sum(entry.size for entry in entries)
    try:
        data = pulse.encode(entries)
    except LocalProtocolError as error:
        assert size > MAX_PAYLOAD and error.cause == "pulses-size"
        return
    assert len(data) == size <= MAX_PAYLOAD
    assert pulse.decode(data) == entries


def _is_refused_or_canonical(data: bytes) -> None:
    try:
        found = pulse.decode(data)
    except RemoteProtocolError as error:
        assert error.cause in {"pulses-size", "pulses-order", "pulses-chain", "pulses-step"}
        return
    assert pulse.encode(found) == data, "one message has one meaning and one encoding"
    assert all(one.point < other.point for one, other in pairwise(found))
    assert len(found) <= (MAX_PAYLOAD - 1) // pulse.HEAD_SIZE


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_kind_are_refused_or_mean_one_thing(body: bytes):
    _is_refused_or_canonical(KIND + body)
    _is_refused_or_canonical(body)


@given(
    _entries(),
    st.lists(
        st.tuples(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=4
    ),
)
def test_a_message_with_bytes_changed_cut_out_or_put_in_too(entries, changes):
    data = bytearray(pulse.encode([entry for entry in entries if entry.size <= 37][:6]))
    for at, put, out in changes:
        at %= len(data) + 1
        data[at : at + out] = put
    _is_refused_or_canonical(bytes(data))


@given(st.lists(st.sampled_from((1, 2, 3, 700, 0)), min_size=1, max_size=8))
def test_points_that_come_twice_or_out_of_order_are_refused(points: list[int]):
    """Else one frame could cost hashes without a bound."""
    data = KIND + b"".join(point.to_bytes(2, "big") + bytes((5, 0x10, 3)) for point in points)
    _is_refused_or_canonical(data)
    is_good = all(one < other for one, other in pairwise([0, *points]))
    try:
        assert [one.point for one in pulse.decode(data)] == points and is_good
    except RemoteProtocolError as error:
        assert error.cause == "pulses-order" and not is_good


def _value(point: int, chain: int, step: int) -> bytes:
    return pulse.chain_value(KEYS[point].secret(b"test"), TRUST.tag, point, SEQ, chain, step)


_ANCHORS = {point: tuple(_value(point, chain, 0) for chain in range(pulse.CHAINS)) for point in POINTS}
_STATUSES = []
for _point in POINTS:
    _made = status.Status(_point, SEQ, NOON_S, seen=(status.Seen(1, 3),))
    _made.anchors = _ANCHORS[_point]
    _STATUSES.append(status.encode(_made, TRUST.tag, KEYS[_point].sign))

# Values that points have shown, as (point, chain, step).
_SHOWN_STEPS = st.tuples(st.sampled_from(POINTS), st.integers(0, 2), st.integers(1, 32))


@st.composite
def _heard(draw: st.DrawFn) -> tuple[pulse.Pulse, tuple[int, int, int] | None]:
    """A pulse, and the genuine step in it or None."""
    point, chain, step = draw(_SHOWN_STEPS)
    what = draw(st.sampled_from(("genuine", "genuine", "moved", "made up", "question", "alone")))
    if what == "genuine":
        return pulse.Pulse(point, SEQ & 0xFF, ((chain, step, _value(point, chain, step)),)), (
            point,
            chain,
            step,
        )
    if what == "moved":
        other = draw(_SHOWN_STEPS.filter(lambda one: one != (point, chain, step)))
        return pulse.Pulse(point, SEQ & 0xFF, ((chain, step, _value(*other)),)), None
    if what == "made up":
        number = draw(st.integers(0, 255))
        return pulse.Pulse(point, number, ((chain, step, draw(st.binary(min_size=10, max_size=10))),)), None
    if what == "question":
        return pulse.Pulse(point, draw(st.integers(0, 255)), holds_none=draw(st.booleans())), None
    return pulse.Pulse(draw(st.integers(1, 0xFFFF)), SEQ & 0xFF, ((chain, step, b""),)), None


@given(st.lists(_heard(), max_size=30))
def test_a_replica_believes_the_latest_step_that_the_point_has_shown_and_nothing_else(heard):
    replica = Replica(TRUST, MemoryStore())
    assert [replica.receive_record(raw, NOON_S).state for raw in _STATUSES] == [NEW] * len(POINTS)
    book: PulseBook = replica.pulses
    rounds = PulseRounds(book, WINDOW_MS, False, lambda n: n // 2)
    best: dict[tuple[int, int], int] = {}
    for now, (one, genuine) in enumerate(heard):
        before = {point: book.as_of_s(point) or 0 for point in POINTS}
        rounds.receive([one], now)
        if genuine:
            point, chain, step = genuine
            best[point, chain] = max(step, best.get((point, chain), 0))
        for point in POINTS:
            assert (book.as_of_s(point) or 0) >= before[point], "no sign of life goes back"
            held = book.get(point)
            shown = {chain: step for chain, step, _ in held.steps} if held else {}
            assert shown == {chain: best[point, chain] for chain in range(3) if (point, chain) in best}
            assert book.as_of_s(point) == NOON_S + pulse.PERIOD_S * best.get((point, pulse.ALIVE), 0)
    # What it passes on is believed elsewhere, and fits a frame.
    other = Replica(TRUST, MemoryStore())
    for raw in _STATUSES:
        other.receive_record(raw, NOON_S)
    due = rounds.deadline()
    message = None if due is None else rounds.poll(due)
    for one in pulse.decode(message) if message else []:
        assert other.pulses.receive(one) != BEHIND
    assert not other.pulses.counters
