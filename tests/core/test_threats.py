"""Old copies, floods of a stolen key and lies about what one holds; docs/threats.md lists all attacks."""

from _flood import LATENCY_MS, Member, Net, Packet, airtime_ms
from _small_region import (
    NOON_S,
    ROOT,
    TRUST,
    bulletin_parts,
    status_record,
)

from baken.noticeboard.gossip import FRAME_OVERHEAD
from baken.noticeboard.replica import NEW, Replica
from baken.noticeboard.store import MemoryStore
from baken.wire import amendment
from baken.wire import digest as wire
from baken.wire.records import BULLETIN, STATUS

MINUTE = 60000


def copied(store):
    copy = MemoryStore()
    for raw in store.load():
        copy.put(raw)
    return copy


def test_a_store_restored_from_an_old_copy_is_brought_up_to_date_and_rolls_nobody_back():
    net = Net({"00": ["01"], "01": ["00"]})
    store = MemoryStore()
    net.members["01"] = Member("01", net.rand, 0, store)
    old = [status_record(1, 1), bulletin_parts(1)[0], bulletin_parts(1, origin=2)[0]]
    net.publish("00", *old)
    net.run(MINUTE)
    assert len(store.load()) == 3
    before = copied(store)
    revoked = amendment.Amendment(8, amendment.REVOKE_AUTHORITY, 2)
    net.publish(
        "00",
        status_record(1, 2, b"Dicht."),
        bulletin_parts(2, msg_type=b"Cancel", references=((1, 1),))[0],
        amendment.encode(revoked, TRUST.tag, ROOT.sign),
    )
    net.run(2 * MINUTE)
    newest = net.members["00"].replica.records()
    net.members["01"] = Member("01", net.rand, net.now, before)
    assert net.members["01"].replica.statuses[1].seq == 1, "it starts with what the copy holds"
    net.run(net.now + 20 * MINUTE)
    assert net.members["00"].replica.records() == net.members["01"].replica.records() == newest
    assert 2 not in net.members["01"].replica.trust.authorities
    for raw in old:
        assert net.members["00"].replica.receive_record(raw, net.unix_s()).state != NEW


def test_of_a_flood_of_statuses_from_a_stolen_key_one_is_kept_and_others_lose_nothing():
    replica = Replica(TRUST, MemoryStore())
    true = status_record(2, 1)
    replica.receive_record(true, NOON_S)
    for seq in range(1, 40):
        assert replica.receive_record(status_record(1, seq), NOON_S).state == NEW
    assert len(replica.records()) == 2 and replica.get((STATUS, 2, 1, 0)) == true


def caused_by(lie, every_ms, turns):
    """(airtime ms that a node with records spends, airtime ms that the liar spends)."""
    net = Net({"00": ["liar"], "liar": []})
    net.members["liar"].on = False
    net.publish("00", bulletin_parts(1)[0], status_record(1, 1), status_record(2, 1))
    net.run(20 * MINUTE)
    spent = [0]
    transmit = net._transmit

    def counted(name, packet):
        spent[0] += airtime_ms(len(packet.payload) + FRAME_OVERHEAD)
        transmit(name, packet)

    net._transmit = counted
    for turn in range(turns):
        packet = Packet("liar", 1000 + turn, lie, 0, 1)
        net.members["00"].gossip.receive(lie, packet, 10, net.unix_s(), net.now)
        net.run(net.now + every_ms)
    assert net.members["00"].replica.get((BULLETIN, 1, 1, 0)) and LATENCY_MS < every_ms
    return spent[0], turns * airtime_ms(len(lie) + FRAME_OVERHEAD)


def test_a_lie_repeated_costs_a_node_that_hears_it_less_than_twice_the_airtime_of_the_lie():
    lies = {
        "holds nothing": wire.encode_digest(wire.Digest(0, {}, {})),
        "holds more": wire.encode_digest(wire.Digest(0, {1: {1, 5000}, 2: {9}}, {})),
        "other statuses": wire.encode_digest(wire.Digest(1, {1: {1}}, {})),
        "empty tally": wire.encode_tally([])[0],
        "newer statuses": wire.encode_tally([(STATUS, 1, 900), (STATUS, 2, 900)])[0],
    }
    for name in sorted(lies):
        for every_ms in (3000, 12000):
            caused, spent = caused_by(lies[name], every_ms, 100)
            assert 0 < caused < 2 * spent, (name, every_ms, caused, spent)
