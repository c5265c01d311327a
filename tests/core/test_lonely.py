"""A neighbour that is heard but hears little says so, and is helped without asking again."""

from _flood import SETTINGS, Member, Packet
from _small_region import NOON_S, bulletin_parts, random_source

from baken.noticeboard.events import Send
from baken.noticeboard.lonely import FEW, MAX_LONELY, TRIES, Lonely
from baken.wire import digest as wire

EMPTY = wire.Digest(0, {}, {}, lonely=True)


def _said(member, now):
    """What a member wants sent until `now`."""
    found = []
    while member.gossip.deadline() <= now:
        at = member.gossip.deadline()
        event = member.gossip.next_event(at)
        while event is not None:
            if isinstance(event, Send):
                found.append((at, event))
            event = member.gossip.next_event(at)
    return found


def _hear(member, sender, digest, now, margin_db=10):
    payload = wire.encode_digest(digest)
    member.gossip.receive(payload, Packet(sender, now, payload, 0, 1), margin_db, NOON_S, now)


def test_the_flag_is_a_bit_of_its_own_in_the_digest():
    for lonely in (False, True):
        made = wire.Digest(7, {1: {4, 5}}, {(1, 6): 1}, {1: 2}, lonely)
        assert wire.decode_digest(wire.encode_digest(made)) == made


def test_only_who_hears_few_neighbours_for_long_is_lonely_and_then_never_suppressed():
    for neighbours in (FEW - 1, FEW):
        rand = random_source(4)
        member = Member("00", rand, 0)
        flags = []
        for now in range(0, 12 * SETTINGS.imax_ms, SETTINGS.imax_ms // 8):
            for sender in range(neighbours):
                _hear(member, sender, member.replica.inventory.digest(), now)
            said = [event for _, event in _said(member, now + SETTINGS.imax_ms // 8 - 1)]
            flags += [wire.decode_digest(event.payload).lonely for event in said]
        assert flags[0] is False and flags[-1] is (neighbours < FEW)
        # One digest in each interval against one in each second interval.
        assert (len(flags) >= 11) is (neighbours < FEW)


def test_what_a_lonely_neighbour_lacks_is_served_again_until_it_has_it():
    for answered in (False, True):
        member = Member("00", random_source(5), 0)
        _hear(member, "lonely", EMPTY, 0)
        member.gossip.publish(bulletin_parts(1)[0], NOON_S, 1000)
        if answered:
            _hear(member, "lonely", member.replica.inventory.digest(), 2000)
        sent = [event for _, event in _said(member, 20 * SETTINGS.imin_ms) if event.record_id is not None]
        served = [event for event in sent if not event.flood]
        assert len(sent) - len(served) == 1
        assert served == [] if answered else 2 <= len(served) <= TRIES


def test_who_hears_a_lonely_neighbour_badly_helps_it_only_when_it_says_that_it_lacks_something():
    for margin_db, asks, times in ((2, False, 0), (2, True, TRIES), (10, False, TRIES - 1)):
        member = Member("00", random_source(5), 0)
        _hear(member, "lonely", EMPTY, 0, margin_db)
        member.gossip.publish(bulletin_parts(1)[0], NOON_S, 1000)
        if asks:
            _hear(member, "lonely", EMPTY, 2000, margin_db)
        sent = [event for _, event in _said(member, 20 * SETTINGS.imin_ms) if event.record_id is not None]
        served = [event for event in sent if not event.flood]
        assert bool(served) is (times > 0) and len(served) <= times + 1


def test_liars_are_looked_after_in_bounded_number_and_for_bounded_time():
    rand = random_source(6)
    lonely = Lonely(1000, 32000, rand, 0)
    for sender in range(100):
        lonely.heard(sender, EMPTY, True, 10, 0)
    due = 0
    now = 0
    while lonely.deadline() is not None:
        now = lonely.deadline()
        while lonely.next_due(now) is not None:
            due += 1
    assert due == MAX_LONELY * TRIES and now <= 1000 * 2 ** (TRIES + 2)
