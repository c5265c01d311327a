"""Replicas that talk over a lossy ether end up with the same records, whatever was lost or off meanwhile."""

from _flood import SETTINGS, Member, Net, Packet, line
from _small_region import (
    LONG_TEXT,
    NOON_S,
    STRANGER_KEY,
    TRUST,
    bulletin_parts,
    make_bulletin,
    random_source,
    sign_bulletin,
    status_record,
)

from baken.noticeboard.events import Send
from baken.noticeboard.gossip import GossipSettings, serves
from baken.noticeboard.link import LinkSession
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.outbox import MAX_SCHEDULED
from baken.noticeboard.replica import NEW, Replica
from baken.noticeboard.trickle import Trickle
from baken.wire import digest as wire
from baken.wire.records import BULLETIN, STATUS

MINUTE = 60000


def test_a_bulletin_crosses_more_hops_than_its_hop_limit():
    net = Net(line(9))
    net.publish("00", *bulletin_parts(1))
    net.run(MINUTE)
    assert len(net.holders((BULLETIN, 1, 1, 0))) == 9
    assert SETTINGS.flood_hops < 8


def test_heavy_loss_is_repaired_by_digests():
    for seed in (1, 2, 3):
        net = Net(line(5), seed, loss_percent=40)
        net.publish("00", *bulletin_parts(1, LONG_TEXT))
        net.publish("04", status_record(1, 1))
        net.run(60 * MINUTE)
        for member in net.members.values():
            assert member.replica.notices[(1, 1)].complete
            assert 1 in member.replica.statuses


def sends_of_a_status(priority, is_heard):
    """(ms, whether it was a flood) of each send of an own STATUS; `is_heard`: a neighbour sends each on."""
    raw = status_record(1, 1, priority=priority)
    member = Member("00", random_source(4), 0)
    member.gossip.publish(raw, NOON_S, 0)
    said = []
    for second in range(60 * 60):
        for at, event in member.events(1000 * second, 1000 * second + 999):
            if isinstance(event, Send) and event.record_id == (STATUS, 1, 1, 0):
                said.append((at, event.flood))
                if is_heard:
                    relay = Packet("01", len(said), raw, 0, 3 if event.flood else 1)
                    member.gossip.receive(raw, relay, 10, NOON_S, at + 1)
    return said


def test_a_status_is_said_again_until_a_neighbour_is_heard_with_it_urgent_or_not():
    for priority, is_urgent in ((b"R", False), (b"I", True)):
        said = sends_of_a_status(priority, False)
        assert [is_flood for _, is_flood in said] == [is_urgent] + 4 * [False]
        # A quarter of a window and up to as much again, then twice as long each time.
        for repeat in range(4):
            wait = 2 * SETTINGS.imin_ms << repeat
            assert wait <= said[repeat + 1][0] - said[repeat][0] <= 2 * wait + 1000
        assert [is_flood for _, is_flood in sends_of_a_status(priority, True)] == [is_urgent]


def test_a_node_that_was_off_catches_up_from_its_neighbour():
    net = Net(line(4))
    net.run(2 * MINUTE)
    net.members["03"].on = False
    for seq in range(1, 13):
        net.publish("00", *bulletin_parts(seq))
        net.publish("00", status_record(2, seq))
    net.run(30 * MINUTE)
    assert not net.members["03"].replica.notices
    net.members["03"] = Member("03", net.rand, net.now)
    start = net.now
    net.run(start + 4 * MINUTE)
    assert len(net.members["03"].replica.notices) == 12
    assert net.members["03"].replica.statuses[2].seq == 12


def test_two_halves_that_meet_again_exchange_what_each_missed():
    links = line(4)
    whole = links["01"], links["02"]
    links["01"], links["02"] = ["00"], ["03"]
    net = Net(links)
    net.publish("00", *bulletin_parts(1))
    net.publish("03", *bulletin_parts(2, origin=2))
    net.publish("03", status_record(1, 4))
    net.run(10 * MINUTE)
    assert net.holders((BULLETIN, 1, 1, 0)) == ["00", "01"]
    links["01"], links["02"] = whole
    net.run(25 * MINUTE)
    assert len(net.holders((BULLETIN, 1, 1, 0))) == len(net.holders((BULLETIN, 2, 2, 0))) == 4
    assert len(net.holders((STATUS, 1, 4, 0))) == 4


def test_a_forged_bulletin_goes_no_further_than_the_first_node():
    net = Net(line(3))
    (forged,) = sign_bulletin(make_bulletin(1), STRANGER_KEY)
    net._transmit("00", Packet("liar", 1, forged, 3, 3))
    net.run(10 * MINUTE)
    assert net.members["01"].replica.counters == {"bad-signature": 1}
    assert net.members["02"].replica.counters == {} and net.holders((BULLETIN, 1, 1, 0)) == []


def test_a_silent_hour_costs_each_node_a_few_digests():
    net = Net(line(5))
    net.publish("00", *bulletin_parts(1))
    net.run(20 * MINUTE)
    before = dict(net.sent)
    net.run(80 * MINUTE)
    for name in net.sent:
        assert 3 <= net.sent[name] - before.get(name, 0) <= 14


def test_a_lying_digest_repeated_for_ever_is_answered_ever_more_rarely():
    net = Net({"00": ["01"], "01": ["00"]})
    net.publish("00", *bulletin_parts(1))
    net.run(MINUTE)
    empty = wire.encode_digest(wire.Digest(0, {}, {}))
    before = net.sent["00"]
    for turn in range(200):
        net.members["00"].gossip.receive(empty, Packet("liar", turn, empty, 0, 1), 10, net.unix_s(), net.now)
        net.run(net.now + 3000)
    assert net.sent["00"] - before < 25


def test_who_hears_another_serve_a_liar_does_not_serve_it_next():
    for overheard in (False, True):
        net = Net({"00": []})
        gossip = net.members["00"].gossip
        (raw,) = bulletin_parts(1)
        net.publish("00", raw)
        net.run(MINUTE)
        before = net.sent["00"]
        empty = wire.encode_digest(wire.Digest(0, {}, {}))
        if overheard:
            gossip.receive(raw, Packet("other", 1, raw, 0, 1), 10, net.unix_s(), net.now)
        gossip.receive(empty, Packet("liar", 2, empty, 0, 1), 10, net.unix_s(), net.now)
        net.run(net.now + 8000)
        assert net.sent["00"] - before == (0 if overheard else 1)


def test_garbage_from_the_air_is_counted_and_the_gossip_lives_on():
    net = Net({"00": []})
    gossip = net.members["00"].gossip
    rand = random_source(3)
    for size in range(0, 232, 7):
        for first in (0x11, 0x13, 0x18, 0x19, 0xFF):
            data = bytes([first] + [rand(256) for _ in range(size)])
            gossip.receive(data, Packet("liar", size, data, 3, 3), 10, NOON_S, net.now)
    net.run(MINUTE)
    assert sum(gossip.counters.values()) + sum(gossip.replica.counters.values()) > 100
    assert gossip.publish(bulletin_parts(1)[0], NOON_S, net.now).state == NEW


def test_trickle_doubles_speaks_unless_suppressed_and_breaks_a_long_silence():
    rand = random_source(9)
    timer = Trickle(1000, 8000, 2, rand, 0)
    sent = 0
    now = 0
    intervals = []
    while now < 60000:
        now = timer.deadline()
        timer.heard_consistent()
        timer.heard_consistent()
        sent += timer.poll(now)
        intervals.append(timer.interval_ms)
    assert intervals[0] == 1000 and intervals[-1] == 8000 and 2 <= sent <= 5
    timer.reset(now)
    assert timer.interval_ms == 1000
    timer.hurry(now)
    assert timer.interval_ms == 250
    timer.reset(now)
    timer.hurry(now + 999)
    assert timer.interval_ms == 1000
    timer.hurry(now + 1000)
    assert timer.interval_ms == 250
    bridge = Trickle(1000, 8000, 0, rand, 0)
    for _ in range(100):
        bridge.heard_consistent()
    assert bridge.poll(999) and not bridge.poll(999)


def test_settings_and_ids_are_values():
    assert GossipSettings() == GossipSettings(32000, 1024000, 2, 2, 3)
    assert serves(bulletin_parts(4)[0]) == (BULLETIN, 1, 4, 0)
    assert serves(wire.encode_digest(wire.Digest(0, {}, {}))) is None and serves(b"") is None


def join(left, right, left_unix_s=NOON_S, right_unix_s=NOON_S, limit_ms=180000, lose=None):
    """Run two link sessions against each other; returns payloads carried."""
    carried = 0
    for now in range(0, limit_ms, 100):
        for here, there, unix_s in ((left, right, right_unix_s), (right, left, left_unix_s)):
            for _ in range(4):
                payload = here.next_payload(now)
                if payload is None:
                    break
                carried += 1
                if lose is None or not lose(carried):
                    there.receive(payload, unix_s, now)
    return carried


def test_a_cable_brings_two_replicas_in_step():
    left, right = LinkSession(Replica(TRUST, MemoryStore())), LinkSession(Replica(TRUST, MemoryStore()))
    for seq in range(1, 41):
        left.replica.receive_record(bulletin_parts(seq)[0], NOON_S)
    right.replica.receive_record(bulletin_parts(50, origin=2)[0], NOON_S)
    for point in range(1, 5):
        right.replica.receive_record(status_record(point, point), NOON_S)
    left.open(0)
    right.open(0)
    assert join(left, right, limit_ms=20000) < 120
    assert left.in_step and right.in_step
    assert left.replica.records() == right.replica.records() and len(left.replica.records()) == 45
    (new,) = bulletin_parts(60)
    left.replica.receive_record(new, NOON_S)
    left.offer(new)
    join(left, right, limit_ms=1000)
    assert right.replica.records() == left.replica.records()


def test_a_cable_that_loses_half_still_brings_them_in_step():
    rand = random_source(4)
    left, right = LinkSession(Replica(TRUST, MemoryStore())), LinkSession(Replica(TRUST, MemoryStore()))
    for seq in range(1, 21):
        left.replica.receive_record(bulletin_parts(seq)[0], NOON_S)
        right.replica.receive_record(status_record(1 + seq % 4, seq), NOON_S)
    left.open(0)
    right.open(0)
    join(left, right, limit_ms=1800000, lose=lambda _count: rand(2))
    assert left.replica.records() == right.replica.records() and len(left.replica.records()) == 24


def test_bulletins_below_the_window_of_a_digest_do_not_keep_a_cable_busy():
    left, right = LinkSession(Replica(TRUST, MemoryStore())), LinkSession(Replica(TRUST, MemoryStore()))
    for seq in (1, 2, 90):
        for end in (left, right):
            end.replica.receive_record(bulletin_parts(seq)[0], NOON_S)
    left.open(0)
    right.open(0)
    assert join(left, right) < 20
    assert left.in_step and right.in_step


def test_a_record_the_other_side_refuses_does_not_loop():
    left, right = LinkSession(Replica(TRUST, MemoryStore())), LinkSession(Replica(TRUST, MemoryStore()))
    left.replica.receive_record(bulletin_parts(1, valid_s=600)[0], NOON_S)
    left.open(0)
    right.open(0)
    carried = join(left, right, right_unix_s=NOON_S + 900, limit_ms=600000)
    assert carried < 120 and right.replica.counters["expired"] <= 12


def test_a_flood_that_found_no_room_to_wait_is_served_when_that_is_what_it_is_to_be_later():
    outbox = Member("00", random_source(1), 0).gossip._outbox
    for seq in range(MAX_SCHEDULED):
        outbox.schedule((1, 1, seq, 0), 100)
    letter = (5, 1, 1, 0)
    outbox.schedule(letter, 100, flood=True)
    taken = [outbox.take_due(100) for _ in range(MAX_SCHEDULED)]
    assert set(taken) == {((1, 1, seq, 0), False) for seq in range(MAX_SCHEDULED)}
    assert outbox.take_due(100) is None
    outbox.schedule(letter, 200)
    assert outbox.take_due(200) == (letter, False)
