"""Few neighbours with a noticeboard: nobody around refreshes or repairs a flood, so it is helped on."""

from _flood import SETTINGS, Member, Packet, airtime_ms
from _small_region import NOON_S, bulletin_parts, random_source, status_record

from baken.noticeboard.events import HoldBack, LeaveOut, Refresh, Send
from baken.noticeboard.lonely import COMPANY, FEW
from baken.noticeboard.outbox import FRAME_OVERHEAD, MAX_AGAIN
from baken.wire import digest as wire

RAW = bulletin_parts(1)[0]
AIRTIME = airtime_ms(len(RAW) + FRAME_OVERHEAD)
SETTLED_MS = 4 * SETTINGS.imax_ms


def _member(neighbours, seed=1):
    """A node that has run long enough to know how many neighbours with a noticeboard it has."""
    member = Member("00", random_source(seed), 0)
    member.events(0, SETTLED_MS - 1)
    _keep_company(member, neighbours, SETTLED_MS)
    return member


def _keep_company(member, neighbours, now):
    for sender in range(neighbours):
        digest = wire.encode_digest(member.replica.inventory.digest())
        member.gossip.receive(digest, Packet(sender, now, digest, 0, 1), 10, NOON_S, now)


def _floods(member, now, until):
    return [at for at, event in member.events(now, until) if isinstance(event, Send) and event.flood]


def _hear(member, raw, packet_id, hop_limit, now, margin_db=14):
    """What comes at once of a flooded record that was heard."""
    packet = Packet("far", packet_id, raw, hop_limit, 3)
    member.gossip.receive(raw, packet, margin_db, NOON_S, now)
    return [event for _, event in member.events(now, now)]


def _refreshed(events):
    return [(event.hop_limit, event.hop_start) for event in events if isinstance(event, Refresh)]


def test_a_new_bulletin_goes_on_with_fresh_hops_and_hardly_waits():
    for neighbours in (FEW - 1, FEW):
        member = _member(neighbours)
        events = _hear(member, RAW, 1, 1, SETTLED_MS)
        (held,) = [event for event in events if isinstance(event, HoldBack)]
        if neighbours < FEW:
            assert _refreshed(events) == [(2, 3)]  # below its start, or stock nodes take it for a repeat
            assert held.until - SETTLED_MS <= AIRTIME // 4
        else:
            assert _refreshed(events) == []
            assert held.until - SETTLED_MS > AIRTIME


def test_a_source_floods_its_bulletin_twice_and_no_more():
    for neighbours, times in ((FEW - 1, 2), (FEW, 1)):
        member = _member(neighbours)
        member.gossip.publish(RAW, NOON_S, SETTLED_MS)
        floods = _floods(member, SETTLED_MS, SETTLED_MS + SETTINGS.imax_ms)
        assert len(floods) == times
        if times == 2:
            assert floods[1] - floods[0] == 5 * SETTINGS.imin_ms


def test_a_status_is_not_flooded_twice():
    member = _member(0)
    member.gossip.publish(status_record(1, 1, priority=b"I"), NOON_S, SETTLED_MS)
    assert len(_floods(member, SETTLED_MS, SETTLED_MS + SETTINGS.imax_ms)) == 1


def test_second_floods_that_wait_are_bounded():
    member = _member(0)
    for seq in range(1, MAX_AGAIN + 4):
        member.gossip.publish(bulletin_parts(seq)[0], NOON_S, SETTLED_MS)
    floods = _floods(member, SETTLED_MS, SETTLED_MS + 2 * SETTINGS.imax_ms)
    assert len(floods) == MAX_AGAIN + 3 + MAX_AGAIN


def test_a_second_flood_is_carried_on_by_those_among_stock_nodes():
    for neighbours in (FEW - 1, FEW):
        member = _member(neighbours)
        _hear(member, RAW, 1, 1, SETTLED_MS)
        events = _hear(member, RAW, 2, 1, SETTLED_MS + 5 * SETTINGS.imin_ms)
        assert _refreshed(events) == ([(2, 3)] if neighbours < FEW else [])


def test_a_second_flood_ends_where_digests_have_repaired_the_first():
    severe = bulletin_parts(1, severity=b"Severe")[0]
    left_out = []
    for neighbours in (COMPANY - 1, COMPANY):
        for raw in (RAW, severe):
            for later in (1, 5):
                member = _member(neighbours)
                _hear(member, raw, 1, 1, SETTLED_MS)
                member.events(SETTLED_MS, SETTLED_MS + later * SETTINGS.imin_ms - 1)
                events = _hear(member, raw, 2, 1, SETTLED_MS + later * SETTINGS.imin_ms)
                if [event for event in events if isinstance(event, LeaveOut)]:
                    left_out.append((neighbours, raw == severe, later))
    assert left_out == [(COMPANY, False, 5)]


def test_who_floods_a_known_bulletin_for_ever_is_helped_ever_more_rarely():
    member = _member(0)
    refreshed = 0
    for turn in range(200):
        refreshed += len(_refreshed(_hear(member, RAW, turn, 1, SETTLED_MS + turn * 3000)))
    assert 2 <= refreshed < 12


class _Heard:
    """All that a gateway with a stock radio tells of a packet."""

    sender, hop_limit, hop_start = "far", 2, 3


def test_who_is_lonely_needs_no_more_of_a_packet_than_sender_and_hops():
    member = Member("00", random_source(2), 0)
    for now in (3 * SETTINGS.imax_ms, 9 * SETTINGS.imax_ms):  # new, and again when it may be served
        heard = _Heard()
        member.gossip.receive(RAW, heard, 10, NOON_S, now)
        assert heard in [event.packet for _, event in member.events(now, now) if isinstance(event, HoldBack)]
