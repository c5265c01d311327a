"""What somebody can do who holds a key that is trusted, or an old copy of a node, and what undoes it.

Who holds no such key is the subject of test_replica, test_letters and test_gossip.
"""

from _flood import Member, Net, Packet, airtime_ms, line
from _small_region import (
    LONG_TEXT,
    NOON_S,
    REGION_KEY,
    TRUST,
    amend,
    beat,
    bulletin_parts,
    fresh,
    make_bulletin,
    sign_bulletin,
    status_record,
    take,
)

from baken.crypto.signing import AuthorityKey
from baken.noticeboard.board import MAX_BULLETINS, MAX_OF_AUTHORITY, MAX_PARTS_OF_AUTHORITY
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.outbox import FRAME_OVERHEAD
from baken.noticeboard.replica import NEW, REFUSED
from baken.wire import amendment, content
from baken.wire import digest as wire
from baken.wire.records import (
    BULLETIN,
    HEADER_SIZE,
    SIGNATURE_SIZE,
    STATUS,
    RecordHeader,
    encode_header,
    seal,
)
from baken.wire.trust import Authority

MINUTE = 60000
HUGE = 0xFFFFFF
NEW_KEY = AuthorityKey(bytes([79]) * 32)


def roll_over(seq):
    """The amendment that gives authority 1 a new key."""
    return amend(seq, amendment.SET_AUTHORITY, 1, Authority(1, NEW_KEY.public, b"VR Merenland"))


def copy_of(store):
    """The same records and values in another store, as a copy of a flash is."""
    other = MemoryStore()
    for raw in store.load():
        other.put(bytes(raw))
    return other


class Flash(MemoryStore):
    """Counts what is written."""

    def __init__(self):
        MemoryStore.__init__(self)
        self.written = 0

    def put(self, raw):
        self.written += 1
        MemoryStore.put(self, raw)


# A stolen point key


def test_statuses_without_end_of_a_stolen_point_cost_one_relay_a_node_and_hide_nothing_else():
    links = line(6)
    quiet, flooded = Net(links), Net(links)
    for net in (quiet, flooded):
        net.publish("00", status_record(2, 1))
        net.run(10 * MINUTE)
    count = 150
    for seq in range(1, count + 1):
        flooded.publish("05", status_record(1, seq, b"Vals."))
        flooded.run(flooded.now + 4000)
    flooded.publish("00", *bulletin_parts(1, event=b"ALARM", severity=b"Extreme"))
    flooded.run(flooded.now + 5 * MINUTE)
    quiet.run(flooded.now)
    assert len(flooded.holders((BULLETIN, 1, 1, 0))) == 6
    assert flooded.holders((STATUS, 1, count, 0)) == sorted(links)
    for name in links:
        caused = flooded.sent[name] - quiet.sent.get(name, 0)
        # A relay of each, its refresh where the hops ended, and now and then a repair.
        assert caused <= count * 3 // 2
        statuses = flooded.members[name].replica.statuses
        assert {point: status.seq for point, status in statuses.items()} == {1: count, 2: 1}


# A stolen authority key


def test_alarms_that_fill_the_board_go_with_the_key_that_signed_them():
    replica = fresh()
    for seq in range(1, MAX_OF_AUTHORITY + 1):
        raws = bulletin_parts(seq, b"Vals.", event=b"ALARM", severity=b"Extreme", sent_s=NOON_S + 60)
        assert take(replica, *raws) == [NEW]
    more = bulletin_parts(99, b"Vals.", event=b"ALARM", severity=b"Extreme")
    assert take(replica, *more) == [REFUSED] and replica.counters == {"full": 1}
    true = bulletin_parts(1, b"Echt.", origin=2, event=b"ALARM", severity=b"Extreme")
    assert take(replica, *true) == [NEW], "there are places that its key cannot take"
    assert take(replica, amend(8, amendment.REVOKE_AUTHORITY, 1)) == [NEW]
    assert list(replica.notices) == [(2, 1)]


def test_parts_of_bulletins_that_are_never_completed_give_way_to_what_is_more_severe():
    replica = fresh()
    parts = bulletin_parts(1, LONG_TEXT, severity=b"Moderate")
    body = parts[0][HEADER_SIZE:-SIGNATURE_SIZE]
    for seq in range(1, MAX_BULLETINS + 40):
        header = encode_header(RecordHeader(BULLETIN, 1, seq, 0, len(parts)))
        take(replica, seal(header + body, TRUST.tag, REGION_KEY.sign))
        assert sum([notice.meta.parts for notice in replica.notices.values()]) <= MAX_PARTS_OF_AUTHORITY
    assert take(replica, *bulletin_parts(1, b"Echt.", origin=2, severity=b"Extreme")) == [NEW]
    assert len(replica.notices) > 30 and replica.notices[(2, 1)].complete


def test_a_part_that_claims_to_expand_without_end_is_bounded():
    made = make_bulletin(1)
    made.content, made.encoding = bytes([0xFF]) * 140, content.SQUEEZED
    replica = fresh()
    for raw in sign_bulletin(made):
        take(replica, raw)
    for notice in replica.notices.values():
        assert len(notice.text) <= content.MAX_PIECE


def test_a_huge_number_hides_true_bulletins_no_longer_than_its_key_is_trusted():
    net = Net(line(3))
    net.publish("00", *bulletin_parts(HUGE, b"Vals."))
    net.run(MINUTE)
    net.publish("00", *bulletin_parts(1, b"Echt."))
    net.run(net.now + 10 * MINUTE)
    assert len(net.holders((BULLETIN, 1, 1, 0))) == 3  # who hears it takes it, huge number or not
    net.members["02"].on = False
    net.publish("00", roll_over(8))
    net.publish("00", *sign_bulletin(make_bulletin(1, b"Nieuw."), NEW_KEY))
    net.run(net.now + 10 * MINUTE)
    net.members["02"] = Member("02", net.rand, net.now)
    net.run(net.now + 20 * MINUTE)
    for member in net.members.values():
        assert [notice.text for notice in member.replica.notices.values()] == [b"Nieuw."]


def test_what_a_revoked_key_signed_cannot_be_replayed_to_anybody_who_heard_of_it():
    alarm = bulletin_parts(2, event=b"ALARM", severity=b"Extreme")
    old = bulletin_parts(1) + alarm + [beat(1)]
    net = Net(line(4))
    net.publish("00", *old)
    net.run(10 * MINUTE)
    net.publish("00", roll_over(8))
    net.run(net.now + 10 * MINUTE)
    for turn in range(20):
        for raw in old:
            net._transmit("03", Packet("thief", 100 + turn, raw, 3, 3))
        net.run(net.now + MINUTE)
    for member in net.members.values():
        assert member.replica.notices == {} and member.replica.heartbeats == {}
    assert net.members["02"].replica.counters["bad-signature"] > 0


# An old copy


def test_a_store_restored_from_an_old_copy_is_brought_up_to_date_and_rolls_nobody_back():
    net = Net(line(3))
    store = MemoryStore()
    net.members["02"] = Member("02", net.rand, 0, store)
    old = [status_record(1, 1), bulletin_parts(1)[0], bulletin_parts(1, origin=2)[0]]
    net.publish("00", *old)
    net.run(MINUTE)
    assert len(store.load()) == 3
    before = copy_of(store)
    net.publish(
        "00",
        status_record(1, 2, b"Dicht."),
        bulletin_parts(2, msg_type=b"Cancel", references=((1, 1),))[0],
        amend(8, amendment.REVOKE_AUTHORITY, 2),
    )
    net.run(2 * MINUTE)
    newest = net.members["00"].replica.records()
    net.members["02"] = Member("02", net.rand, net.now, before)
    assert net.members["02"].replica.statuses[1].seq == 1, "it starts with what the copy holds"
    net.run(net.now + 20 * MINUTE)
    for member in net.members.values():
        assert member.replica.records() == newest and 2 not in member.replica.trust.authorities
        assert NEW not in take(member.replica, *old)


def test_what_is_old_is_refused_whatever_the_kind_and_writes_nothing_to_flash():
    store = Flash()
    replica = fresh(store)
    newest = [status_record(1, 9), beat(9), amend(9, amendment.REVOKE_POINT, 3)]
    assert take(replica, *newest) == [NEW] * 3
    written = store.written
    for seq in range(1, 9):
        assert take(replica, status_record(1, seq), beat(seq)) == [REFUSED] * 2
    assert take(replica, amend(8, amendment.REVOKE_POINT, 3)) == [REFUSED]
    assert take(replica, *bulletin_parts(3, valid_s=900), unix_s=NOON_S + 900) == [REFUSED]
    assert store.written == written


# Lies about what somebody holds


def caused_by(net, lies, every_ms, turns):
    """(airtime ms that the nodes spend, airtime ms that the liar spends) who tells its lies in turn."""
    caused = [0]
    transmit = net._transmit

    def counted(name, packet):
        caused[0] += airtime_ms(len(packet.payload) + FRAME_OVERHEAD)
        transmit(name, packet)

    net._transmit = counted
    spent = 0
    for turn in range(turns):
        lie = lies[turn % len(lies)]
        spent += airtime_ms(len(lie) + FRAME_OVERHEAD)
        packet = Packet("liar", 1000 + turn, lie, 0, 1)
        for member in net.members.values():
            member.gossip.receive(lie, packet, 10, net.unix_s(), net.now)
        net.run(net.now + every_ms)
    return caused[0], spent


def test_a_liar_who_claims_to_lack_everything_causes_hardly_more_airtime_than_it_spends():
    net = Net({"00": ["01"], "01": ["00"]})
    for seq in range(1, 17):
        net.publish("00", *bulletin_parts(seq, b"Blijf binnen en sluit ramen en deuren. " * 2))
    net.run(20 * MINUTE)
    lies = [wire.encode_digest(wire.Digest(crc, {}, {})) for crc in range(5)]
    caused, spent = caused_by(net, lies, 5000, 720)  # an hour
    assert 0 < caused < 5 * spent // 2  # two nodes that answer, each with as much as the liar spends


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
            net = Net({"00": []})
            net.publish("00", bulletin_parts(1)[0], status_record(1, 1), status_record(2, 1))
            net.run(20 * MINUTE)
            caused, spent = caused_by(net, [lies[name]], every_ms, 100)
            assert 0 < caused < 2 * spent, (name, every_ms, caused, spent)


# Clocks


def test_a_bulletin_signed_far_in_the_future_or_past_is_kept_by_its_own_times_alone():
    replica = fresh()
    year_s = 365 * 86400
    assert take(replica, *bulletin_parts(1, sent_s=NOON_S + year_s)) == [NEW]
    assert take(replica, *bulletin_parts(2, sent_s=NOON_S - year_s)) == [REFUSED]
    assert take(replica, *bulletin_parts(3)) == [NEW]  # the future one does not make this one old
    assert sorted(replica.notices) == [(1, 1), (1, 3)]
