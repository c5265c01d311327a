"""Who speaks first: whose copy adds most, and whoever thanks for what it asked for."""

from _flood import SETTINGS, Member, Packet, airtime_ms
from _small_region import NOON_S, bulletin_parts, random_source, status_record

from baken.noticeboard.events import HoldBack, LeaveOut, Refresh, Send
from baken.noticeboard.gossip import GossipSettings
from baken.noticeboard.lonely import COMPANY
from baken.noticeboard.outbox import FRAME_OVERHEAD
from baken.noticeboard.waits import relay_wait, serve_wait, thanks_wait
from baken.wire import digest as wire

RAW = bulletin_parts(1)[0]
AIRTIME = airtime_ms(len(RAW) + FRAME_OVERHEAD)


def _least(_limit):
    return 0


def _most(limit):
    return limit - 1


def _sent(member, now, until):
    """(when, Send of a record) that a member wants sent from `now` to `until`."""
    return [
        (at, event)
        for at, event in member.events(now, until)
        if isinstance(event, Send) and event.record_id is not None
    ]


def test_a_relay_of_something_new_waits_the_longer_the_better_the_copy_was_heard():
    raw = bulletin_parts(1)[0]
    waits = []
    for margin_db in (0, 5, 10, 40):
        member = Member("00", lambda limit: limit - 1, 0)
        member.gossip.receive(raw, Packet("far", 1, raw, 2, 3), margin_db, NOON_S, 0)
        member.gossip.receive(raw, Packet("far", 1, raw, 2, 3), margin_db, NOON_S, 0)
        events = []
        event = member.gossip.next_event(0)
        while event is not None:
            events.append(event)
            event = member.gossip.next_event(0)
        (held,) = [event for event in events if isinstance(event, HoldBack)]
        waits.append(held.until)
    assert waits == sorted(set(waits))
    assert waits[-1] <= 13 * AIRTIME


def test_bridges_and_what_was_served_are_not_held_back():
    raw = bulletin_parts(1)[0]
    bridge = GossipSettings(10000, 320000, 0, 2, 3)
    for settings, hops, start in ((bridge, 2, 3), (SETTINGS, 0, 1)):
        member = Member("00", random_source(1), 0, settings=settings)
        member.gossip.receive(raw, Packet("far", 1, raw, hops, start), 10, NOON_S, 0)
        event = member.gossip.next_event(0)
        while event is not None:
            assert not isinstance(event, HoldBack)
            event = member.gossip.next_event(0)


def test_a_relay_at_the_edge_of_the_range_hardly_waits_and_the_nearest_waits_longest():
    for margin_db in (-3, 0):
        assert relay_wait(1000, margin_db, _most) <= 250
    assert relay_wait(1000, 2, _most) < 1000
    for margin_db in range(1, 15):
        for rand in (_least, _most):
            assert relay_wait(1000, margin_db, rand) < relay_wait(1000, margin_db + 1, rand)
    assert relay_wait(1000, 40, _least) == relay_wait(1000, 15, _least) == 12000


def _events(member, now):
    found = []
    event = member.gossip.next_event(now)
    while event is not None:
        found.append(event)
        event = member.gossip.next_event(now)
    return found


def test_what_came_from_close_by_is_not_relayed_where_many_could_find_out_who_lacks_it():
    severe = bulletin_parts(2, severity=b"Severe")[0]
    state = status_record(1, 1)
    bridge = GossipSettings(10000, 320000, 0, 2, 3)
    left_out = []
    for neighbours in (COMPANY - 1, COMPANY):
        for settings in (SETTINGS, bridge):
            for raw in (RAW, severe, state):
                for margin_db in (23, 24):
                    member = Member("00", random_source(2), 0, settings=settings)
                    for sender in range(neighbours):
                        digest = wire.encode_digest(member.replica.inventory.digest())
                        member.gossip.receive(digest, Packet(sender, 1, digest, 0, 1), 10, NOON_S, 0)
                    packet = Packet("near", 2, raw, 0, 3)
                    member.gossip.receive(raw, packet, margin_db, NOON_S, 1)
                    events = _events(member, 1)
                    relayed = [event for event in events if isinstance(event, Refresh)]
                    silent = [event for event in events if isinstance(event, LeaveOut)]
                    assert len(relayed) + len(silent) == 1
                    if silent:
                        assert silent[0].packet is packet
                        assert not [event for event in events if isinstance(event, HoldBack)]
                        left_out.append((neighbours, settings.k, raw != RAW, margin_db))
    assert left_out == [(COMPANY, SETTINGS.k, False, 24)]


def test_company_of_long_ago_counts_no_more():
    member = Member("00", random_source(2), 0)
    for sender in range(COMPANY):
        digest = wire.encode_digest(member.replica.inventory.digest())
        member.gossip.receive(digest, Packet(sender, 1, digest, 0, 1), 10, NOON_S, 0)
    now = 3 * SETTINGS.imax_ms + 1
    member.gossip.receive(RAW, Packet("near", 2, RAW, 2, 3), 30, NOON_S, now)
    assert [event for event in _events(member, now) if isinstance(event, HoldBack)]


def test_the_best_link_serves_first_whatever_chance_says():
    assert serve_wait(1000, 20, 0, _most) < 3000
    assert serve_wait(1000, 0, 0, _least) == 8000
    assert serve_wait(1000, 20, 3, _least) == 3600


def test_who_asked_passes_on_at_once_and_who_did_not_waits_by_strength():
    for asked in (True, False):
        member = Member("00", random_source(3), 0)
        now = 2 * SETTINGS.imax_ms  # its digests of the start are long said
        _sent(member, 0, now)
        if asked:
            richer = wire.encode_digest(wire.Digest(0, {1: {1}}, {}))
            member.gossip.receive(richer, Packet("other", 1, richer, 0, 1), 10, NOON_S, now)
            _sent(member, now, now + SETTINGS.imin_ms // 4)
            now += SETTINGS.imin_ms // 4
        else:  # past whatever it said last
            now = member.gossip.deadline() - 1
        member.gossip.receive(RAW, Packet("other", 2, RAW, 0, 1), 40, NOON_S, now)
        ((at, event), *_) = _sent(member, now, now + 14 * AIRTIME)
        assert (event.payload, event.hop_limit, event.hop_start) == (RAW, 0, 1)
        assert at - now <= thanks_wait(AIRTIME, _most) if asked else at - now >= 6 * AIRTIME


def test_thanks_for_a_record_silence_who_hears_the_asker_badly():
    """The two that could serve do not hear each other."""
    for seed in range(1, 9):
        near, far, asker = (Member(name, random_source(seed), 0) for name in ("near", "far", "asker"))
        for member in (near, far):
            member.gossip.publish(RAW, NOON_S, 0)
            _sent(member, 0, 3000)
        now = 3000
        digest = wire.encode_digest(wire.Digest(0, {}, {}))
        assert asker.gossip.deadline() <= now and isinstance(asker.gossip.next_event(now), Send)
        near.gossip.receive(digest, Packet("asker", 1, digest, 0, 1), 20, NOON_S, now)
        far.gossip.receive(digest, Packet("asker", 1, digest, 0, 1), 0, NOON_S, now)
        ((served_at, _),) = _sent(near, now, now + 4 * AIRTIME)
        got_at = served_at + AIRTIME
        asker.gossip.receive(RAW, Packet("near", 2, RAW, 0, 1), 20, NOON_S, got_at)
        ((thanks_at, _),) = _sent(asker, got_at, got_at + AIRTIME)
        assert _sent(far, now, thanks_at + AIRTIME) == []
        far.gossip.receive(RAW, Packet("asker", 3, RAW, 0, 1), 0, NOON_S, thanks_at + AIRTIME)
        assert _sent(far, thanks_at + AIRTIME, now + 20 * AIRTIME) == []
