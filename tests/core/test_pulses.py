"""Pulses: what they prove, what attackers cannot make of them, and how those of many points travel."""

from _small_region import NOON_S, POINT_KEYS, TRUST, bulletin_parts, cause_of, random_source, status_record

from baken.noticeboard import pulses
from baken.noticeboard.link import PULSES_MS, LinkSession
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.receipts import receipts_of
from baken.noticeboard.replica import NEW, Replica
from baken.wire import pulse, status
from baken.wire.records import MAX_PAYLOAD, PULSES, STATUS, message_kind

HOUR_STEPS = 3600 // pulse.PERIOD_S


SECRET = b"the same!!"  # for all: so only what is hashed in tells the chains apart


def value(point, seq, chain, step):
    return pulse.chain_value(SECRET, TRUST.tag, point, seq, chain, step)


def told(point, seq):
    seen = (status.Seen(1, 3, 0b111, 0b100),)
    anchors = tuple([value(point, seq, chain, 0) for chain in range(pulse.CHAINS)])
    return status_record(point, seq, anchors=anchors, seen=seen)


def beat(point, seq, *steps):
    """A genuine pulse; `steps`: (chain, step)."""
    shown = tuple([(chain, step, value(point, seq, chain, step)) for chain, step in steps])
    return pulse.Pulse(point, seq & 0xFF, shown)


def replica(*records):
    made = Replica(TRUST, MemoryStore())
    for raw in records:
        assert made.receive_record(raw, NOON_S).state == NEW
    return made


def test_a_pulse_tells_until_when_the_point_stood_behind_its_status():
    held = replica(told(2, 300))
    assert held.pulses.as_of_s(2) == NOON_S and held.pulses.as_of_s(3) is None
    assert held.pulses.receive(beat(2, 300, (pulse.ALIVE, HOUR_STEPS))) == pulses.NEW
    assert held.pulses.as_of_s(2) == NOON_S + 3600
    # One hour was lost.
    assert held.pulses.receive(beat(2, 300, (pulse.ALIVE, 3 * HOUR_STEPS))) == pulses.NEW
    assert held.pulses.as_of_s(2) == NOON_S + 3 * 3600


def test_a_replayed_pulse_changes_nothing():
    held = replica(told(2, 1))
    late = beat(2, 1, (pulse.ALIVE, 8))
    early = beat(2, 1, (pulse.ALIVE, 4))
    assert held.pulses.receive(late) == pulses.NEW
    revision = held.pulses.revision
    assert [held.pulses.receive(one) for one in (early, late)] == [pulses.KNOWN, pulses.KNOWN]
    assert (held.pulses.as_of_s(2), held.pulses.revision) == (NOON_S + 8 * pulse.PERIOD_S, revision)


def test_nothing_but_the_chain_of_this_very_status_and_point_counts():
    held = replica(told(2, 1), told(3, 1), told(1, 257))
    genuine = value(2, 1, pulse.ALIVE, 5)
    forged = [
        (2, 1, pulse.ALIVE, 5, bytes(10)),
        (2, 1, pulse.ALIVE, 6, genuine),  # one step more than the value is worth
        (2, 1, pulse.ALIVE, 4, genuine),
        (3, 1, pulse.ALIVE, 5, genuine),  # of another point
        (2, 1, pulse.RECEIVED, 5, genuine),  # of another chain
        (2, 1, pulse.READ, 5, value(2, 1, pulse.RECEIVED, 5)),  # of another one as long
        (1, 257 & 0xFF, pulse.ALIVE, 5, value(1, 1, pulse.ALIVE, 5)),  # of another STATUS, same low byte
        (2, 1, pulse.ALIVE, 96, bytes(10)),
    ]
    for point, number, chain, step, shown in forged:
        assert held.pulses.receive(pulse.Pulse(point, number, ((chain, step, shown),))) == pulses.REFUSED
    assert held.pulses.counters == {"pulse-value": len(forged)}
    assert [held.pulses.as_of_s(point) for point in (1, 2, 3)] == [NOON_S] * 3
    assert not list(held.pulses.all())


def test_a_pulse_of_nobody_trusted_or_behind_a_status_without_anchors_is_refused():
    held = replica(status_record(2, 1))
    assert held.pulses.receive(beat(99, 1, (pulse.ALIVE, 1))) == pulses.REFUSED
    assert held.pulses.receive(beat(2, 1, (pulse.ALIVE, 1))) == pulses.REFUSED
    assert held.pulses.counters == {"pulse-unknown-point": 1, "pulse-anchors": 1}
    assert held.pulses.receive(beat(3, 1, (pulse.ALIVE, 1))) == pulses.LATER


def test_a_flood_of_false_pulses_costs_a_bounded_number_of_hashes():
    held = replica(told(1, 1), told(2, 1), told(3, 1), told(4, 1))
    spent = [0]
    genuine = pulse.sha256

    def counted(data):
        spent[0] += 1
        return genuine(data)

    steps = tuple([(chain, last, bytes(10)) for chain, last in enumerate(pulse.LAST_STEP)])
    frame = pulse.encode([pulse.Pulse(point, 1, steps) for point in (1, 2, 3, 4)])
    pulse.sha256 = counted
    try:
        for one in pulse.decode(frame):
            assert held.pulses.receive(one) == pulses.REFUSED
    finally:
        pulse.sha256 = genuine
    assert 0 < spent[0] <= 4 * sum(pulse.LAST_STEP)


def test_a_new_status_begins_anew_and_the_old_chain_counts_no_more():
    held = replica(told(2, 1))
    held.pulses.receive(beat(2, 1, (pulse.ALIVE, 8), (pulse.RECEIVED, 2)))
    assert held.statuses[2].seen[0].newest == 5
    assert held.receive_record(told(2, 2), NOON_S).state == NEW
    assert held.pulses.as_of_s(2) == NOON_S and held.statuses[2].seen[0].newest == 3
    assert held.pulses.receive(beat(2, 1, (pulse.ALIVE, 12))) == pulses.OLDER
    assert held.pulses.receive(beat(2, 2, (pulse.ALIVE, 4))) == pulses.NEW


def test_which_points_have_received_and_read_a_bulletin_and_as_of_when():
    held = replica(told(2, 1), told(3, 1))
    held.pulses.receive(beat(2, 1, (pulse.ALIVE, 4), (pulse.RECEIVED, 2), (pulse.READ, 1)))
    found = receipts_of(held, (1, 4))
    assert (found[2].received, found[2].read, found[2].as_of_s) == (True, True, NOON_S + 3600)
    assert (found[3].received, found[3].read, found[3].as_of_s) == (False, False, NOON_S)
    assert [receipts_of(held, (1, 5))[2].read, receipts_of(held, (1, 1))[3].read] == [False, True]


def test_what_is_meant_for_another_place_is_not_told_as_read():
    held = replica(told(2, 1), *bulletin_parts(4, areas=(0,)))  # point 2 lies in area 1
    held.pulses.receive(beat(2, 1, (pulse.RECEIVED, 1), (pulse.READ, 1)))
    assert receipts_of(held, (1, 4))[2].received and not receipts_of(held, (1, 4))[2].read


def test_a_message_is_what_it_says_and_garbage_is_refused():
    entries = [beat(1, 7, (pulse.ALIVE, 96), (pulse.READ, 1)), pulse.Pulse(3, 9, holds_none=True)]
    data = pulse.encode(entries)
    assert message_kind(data) == PULSES and pulse.decode(data) == entries
    for end in range(2, len(data)):
        cause = cause_of(pulse.decode, data[:end])
        assert cause == "pulses-size" or pulse.decode(data[:end]) == entries[:1]
    assert cause_of(pulse.decode, data + data[1:]) == "pulses-order"
    beyond = bytearray(data)
    beyond[5] = 97
    assert cause_of(pulse.decode, bytes(beyond)) == "pulses-step"
    assert cause_of(pulse.decode, data[:4] + b"\x08" + data[5:]) == "pulses-chain"
    assert cause_of(pulse.decode, bytes((data[0],)) + bytes(MAX_PAYLOAD)) == "pulses-size"


WINDOW_MS = 240000


def rounds(held, is_bridge=False):
    return pulses.PulseRounds(held.pulses, WINDOW_MS, is_bridge, random_source(3))


def learn(at, held, one, now):
    assert held.pulses.receive(one) == pulses.NEW
    at.tell(one.point, now)


def test_pulses_of_many_points_share_a_frame_within_the_window():
    held = replica(*[told(point, 1) for point in (1, 2, 3, 4)])
    at = rounds(held)
    for point in (4, 2, 1, 3):
        learn(at, held, beat(point, 1, (pulse.ALIVE, 4)), 1000 * point)
    due = at.deadline()
    assert due is not None and WINDOW_MS // 2 <= due - 4000 <= WINDOW_MS and at.poll(due - 1) is None
    sent = pulse.decode(at.poll(due))
    assert [one.point for one in sent] == [1, 2, 3, 4] and at.deadline() is None
    # Each is checked by another replica that has the statuses.
    other = replica(*[told(point, 1) for point in (1, 2, 3, 4)])
    assert [other.pulses.receive(one) for one in sent] == [pulses.NEW] * 4


def test_what_two_others_have_sent_is_left_out_but_not_by_a_bridge():
    for is_bridge in (False, True):
        held = replica(told(1, 1), told(2, 1))
        at = rounds(held, is_bridge)
        first = beat(1, 1, (pulse.ALIVE, 4))
        learn(at, held, first, 0)
        learn(at, held, beat(2, 1, (pulse.ALIVE, 4)), 0)
        for _ in range(pulses.ENOUGH_HEARD):
            assert at.receive([first], 10) == []
        sent = pulse.decode(at.poll(at.deadline()))
        assert [one.point for one in sent] == ([1, 2] if is_bridge else [2])


def test_who_hears_of_a_later_status_asks_once_and_who_has_it_serves():
    poor, rich = replica(told(2, 1)), replica(told(2, 2))
    asker, holder = rounds(poor), rounds(rich)
    assert asker.receive([beat(2, 2, (pulse.ALIVE, 4))], 0) == []
    asked = pulse.decode(asker.poll(asker.deadline()))
    assert asked == [pulse.Pulse(2, 1)]
    assert holder.receive(asked, 0) == [(STATUS, 2)]
    asker.receive([beat(2, 2, (pulse.ALIVE, 4))], WINDOW_MS)
    assert asker.deadline() is None, "it asks again only after a pause"


def test_who_says_over_and_over_to_be_behind_is_answered_ever_more_rarely():
    held = replica(*[told(point, 1) for point in (1, 2, 3, 4)])
    at = rounds(held)
    for point in (1, 2, 3, 4):
        learn(at, held, beat(point, 1, (pulse.ALIVE, 60), (pulse.RECEIVED, 20), (pulse.READ, 10)), 0)
    assert at.poll(at.deadline())
    lie = [pulse.Pulse(point, 1, ((pulse.ALIVE, 0, b""),)) for point in (1, 2, 3, 4)]
    heard, said = 0, []
    for now in range(WINDOW_MS, WINDOW_MS + 24 * 3600000, 10000):
        due = at.deadline()
        if due is None:  # a lie while an answer waits would cost nothing
            if now % 60000 == 0:
                at.receive(lie, now)
                heard += 1
        elif due <= now:
            said.append((now, pulse.decode(at.poll(now))))
    assert heard > 1000 and len(said) <= 10
    gaps = [later[0] - earlier[0] for earlier, later in zip(said, said[1:])]
    assert gaps[0] >= 3 * WINDOW_MS and gaps[3] > 6 * gaps[0]
    assert all([[one.point for one in shown] == [1, 2, 3, 4] for _, shown in said])


def test_who_is_behind_once_an_hour_is_answered_each_time():
    held = replica(told(2, 1))
    at = rounds(held)
    learn(at, held, beat(2, 1, (pulse.ALIVE, 4), (pulse.READ, 1)), 0)
    assert at.poll(at.deadline())
    for hour in range(1, 6):
        at.receive([pulse.Pulse(2, 1, ((pulse.READ, 0, b""),))], hour * 3600000)
        (shown,) = pulse.decode(at.poll(at.deadline()))
        assert (pulse.READ, 1, value(2, 1, pulse.READ, 1)) in shown.steps


def test_over_a_cable_a_pulse_comes_behind_the_status_that_it_follows():
    ends = [replica(told(2, 1)), replica()]
    ends[0].pulses.receive(beat(2, 1, (pulse.ALIVE, 4)))
    sessions = [
        LinkSession(end, lambda raw, unix_s, now, end=end: end.receive_record(raw, unix_s)) for end in ends
    ]
    for session in sessions:
        session.open(0)
    for now in range(0, 4 * PULSES_MS, 100):
        for here, there in ((0, 1), (1, 0)):
            while True:
                payload = sessions[here].next_payload(now)
                if payload is None:
                    break
                sessions[there].receive(payload, NOON_S, now)
    assert ends[1].pulses.as_of_s(2) == NOON_S + 3600 and not ends[1].pulses.counters


def test_over_a_cable_a_draft_has_no_point_whose_pulse_would_be_told_again():
    session = LinkSession(replica(told(2, 1)))
    session.open(0)
    draft = status.encode_draft(status.Status(0, 0, 0, b"OPEN", b"Soep is er."))
    session.offer(draft)
    assert session.next_payload(PULSES_MS) == draft


def test_the_secret_of_a_point_is_not_its_key_and_differs_by_what_it_is_about():
    key = POINT_KEYS[0]
    assert key.secret(b"a") == key.secret(b"a") != key.secret(b"b") != POINT_KEYS[1].secret(b"b")
