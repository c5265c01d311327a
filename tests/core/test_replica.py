"""A replica takes what is true, refuses and counts the rest, and knows what to show where."""

from _small_region import (
    DH,
    LONG_TEXT,
    NOON_S,
    OV,
    PZ,
    STRANGER_KEY,
    TRUST,
    bulletin_parts,
    make_bulletin,
    sign_bulletin,
    status_record,
)

from baken.noticeboard import notice as notices
from baken.noticeboard.gossip import Gossip, settings_for
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.receipts import receipts_of
from baken.noticeboard.replica import KNOWN, NEW, REFUSED, Replica
from baken.noticeboard.store import next_number, raise_number
from baken.wire.digest import Digest, encode_digest
from baken.wire.packet import Packet
from baken.wire.records import BULLETIN, STATUS


def fresh():
    return Replica(TRUST, MemoryStore())


def take(replica, *raws, unix_s=NOON_S):
    return [replica.receive_record(raw, unix_s).state for raw in raws]


def shown(replica, area, unix_s=NOON_S, restricted=False):
    return [notice.key for notice in replica.current(area, unix_s, restricted)]


def test_a_good_bulletin_is_taken_once():
    replica = fresh()
    (raw,) = bulletin_parts(1)
    assert take(replica, raw, raw) == [NEW, KNOWN]
    assert replica.notices[(1, 1)].text == b"Blijf thuis." and replica.records() == [raw]


def test_forged_edited_and_foreign_bulletins_are_counted_and_never_shown():
    replica = fresh()
    (good,) = bulletin_parts(1)
    (forged,) = sign_bulletin(make_bulletin(2), STRANGER_KEY)
    unsigned = good[:3] + b"\x00\x00\x02" + good[6:-64] + bytes(64)
    edited = good[:-70] + bytes((good[-70] ^ 1,)) + good[-69:]
    (unknown,) = sign_bulletin(make_bulletin(1, origin=9), STRANGER_KEY)
    assert take(replica, forged, unsigned, edited, unknown, b"", good[:60], good) == [REFUSED] * 6 + [NEW]
    assert shown(replica, OV) == [(1, 1)]
    assert replica.counters == {"bad-signature": 3, "unknown-authority": 1, "record-short": 2}


def test_a_forged_number_does_not_displace_or_block_the_true_bulletin():
    replica = fresh()
    (forged,) = sign_bulletin(make_bulletin(0xFFFFFF), STRANGER_KEY)
    take(replica, forged)
    assert take(replica, *bulletin_parts(1)) == [NEW] and replica.inventory.digest().held == {1: {1}}


def test_two_bulletins_under_one_number_the_first_stays():
    replica = fresh()
    (first,) = bulletin_parts(1, b"Een.")
    (second,) = bulletin_parts(1, b"Twee.")
    assert take(replica, first, second) == [NEW, REFUSED]
    assert replica.notices[(1, 1)].text == b"Een." and replica.counters == {"conflict": 1}


def test_parts_of_two_different_bulletins_never_join():
    replica = fresh()
    long = LONG_TEXT
    take(replica, bulletin_parts(1, long)[0])
    take(replica, bulletin_parts(1, long, severity=b"Extreme")[1])
    assert replica.notices[(1, 1)].missing == [1, 2] and replica.counters == {"conflict": 1}


def test_a_long_bulletin_shows_what_is_missing_until_all_parts_are_here():
    replica = fresh()
    text = LONG_TEXT
    parts = bulletin_parts(1, text)
    take(replica, parts[2], parts[0])
    (notice,) = replica.current(OV, NOON_S)
    assert notice.missing == [1] and notice.text is None
    assert replica.state_of(notice, OV, NOON_S) == notices.INCOMPLETE
    take(replica, parts[1])
    assert notice.text == text and replica.state_of(notice, OV, NOON_S) == notices.VALID


def test_an_expired_bulletin_is_refused_forgotten_and_not_taken_again():
    replica = fresh()
    (raw,) = bulletin_parts(1, valid_s=600)
    assert take(replica, raw) == [NEW]
    assert shown(replica, OV, NOON_S + 599) == [(1, 1)] and shown(replica, OV, NOON_S + 600) == []
    assert replica.expire(NOON_S + 600) == [(BULLETIN, 1, 1, 0)] and not replica.notices
    assert take(replica, raw, unix_s=NOON_S + 601) == [REFUSED]
    assert take(replica, raw, unix_s=NOON_S) == [REFUSED]  # a clock that is put back brings nothing back
    assert replica.counters == {"expired": 2}
    replica.forget_retired()  # somebody has set a clock right that was ahead
    assert take(replica, raw, unix_s=NOON_S) == [NEW] and replica.next_expiry_s() == NOON_S + 600


def test_without_a_clock_nothing_counts_as_expired():
    replica = fresh()
    assert replica.receive_record(bulletin_parts(1, valid_s=600)[0], None).state == NEW
    assert [notice.key for notice in replica.current(OV, None)] == [(1, 1)]


def test_a_bulletin_shows_in_its_area_only_and_staff_bulletins_on_staff_screens_only():
    replica = fresh()
    take(replica, *bulletin_parts(1, areas=(DH,)))
    take(replica, *bulletin_parts(2, scope=b"Restricted"))
    assert shown(replica, OV) == [] and shown(replica, DH) == [(1, 1)] and shown(replica, None) == []
    assert shown(replica, OV, restricted=True) == [(1, 2)]


def test_a_cancel_withdraws_and_keeps_withdrawing_after_its_own_expiry():
    replica = fresh()
    take(replica, *bulletin_parts(1, valid_s=36000, areas=(DH,)))
    take(replica, *bulletin_parts(2, valid_s=600, areas=(DH,), msg_type=b"Cancel", references=((1, 1),)))
    assert shown(replica, DH) == [(1, 2)]
    later = NOON_S + 700
    replica.expire(later)
    assert shown(replica, DH, later) == [] and (1, 2) in replica.notices
    assert replica.state_of(replica.notices[(1, 1)], DH, later) == notices.WITHDRAWN
    assert len(replica.expire(NOON_S + 36000)) == 2 and not replica.notices


def test_an_expired_cancel_still_withdraws_whichever_comes_first():
    cancel = bulletin_parts(2, valid_s=600, msg_type=b"Cancel", references=((1, 1),))[0]
    alarm = bulletin_parts(1, valid_s=36000)[0]
    later = NOON_S + 3600
    for order in ((cancel, alarm), (alarm, cancel)):
        replica = fresh()
        assert take(replica, *order, unix_s=later) == [NEW, NEW]
        assert shown(replica, OV, later) == []
        empty = Digest(0, {}, {})
        assert len(replica.inventory.missing_at(empty, later)) == 2
        assert replica.inventory.missing_at(empty, NOON_S + 36000) == []
    assert len(replica.expire(NOON_S + 36000)) == 2
    assert take(replica, alarm, cancel, unix_s=NOON_S + 36001) == [REFUSED, REFUSED]


def test_an_update_for_part_of_the_area_supersedes_only_there():
    replica = fresh()
    take(replica, *bulletin_parts(1))
    take(replica, *bulletin_parts(2, areas=(OV,), msg_type=b"Update", references=((1, 1),)))
    assert shown(replica, OV) == [(1, 2)] and shown(replica, PZ) == [(1, 1)]


def test_an_incomplete_update_and_another_authoritys_update_withdraw_nothing():
    replica = fresh()
    take(replica, *bulletin_parts(1))
    parts = bulletin_parts(2, LONG_TEXT, msg_type=b"Update", references=((1, 1),))
    take(replica, parts[0])
    take(replica, *bulletin_parts(5, origin=2, msg_type=b"Cancel", references=((1, 1),)))
    assert (1, 1) in shown(replica, OV)


def test_the_most_urgent_is_first():
    replica = fresh()
    take(replica, *bulletin_parts(1, severity=b"Minor"))
    take(replica, *bulletin_parts(2, severity=b"Severe", sent_s=NOON_S - 60))
    take(replica, *bulletin_parts(3, severity=b"Severe"))
    take(replica, *bulletin_parts(4, severity=b"Moderate", event=b"ALARM"))
    assert shown(replica, OV) == [(1, 4), (1, 3), (1, 2), (1, 1)]


def test_a_newer_status_replaces_an_older_never_the_other_way():
    replica = fresh()
    first, second = status_record(1, 1), status_record(1, 2, b"Dicht.")
    assert take(replica, second, first, second) == [NEW, REFUSED, KNOWN]
    assert replica.statuses[1].text == b"Dicht." and replica.records() == [second]
    assert replica.counters == {"old-status": 1}
    forged = second[:5] + b"\x09" + second[6:]
    assert take(replica, forged) == [REFUSED] and replica.statuses[1].seq == 2


def test_received_and_read_are_told_per_authority():
    replica = fresh()
    take(replica, *bulletin_parts(1))
    take(replica, *bulletin_parts(3))
    take(replica, *bulletin_parts(8, origin=2, sent_s=NOON_S + 60))
    replica.mark_read((1, 3))
    replica.mark_read((1, 99))
    by_authority = {seen.authority: seen for seen in replica.seen()}
    assert by_authority[1].newest == 3 and by_authority[1].received == 0b101 and by_authority[1].read == 0b001
    assert by_authority[2].newest == 8 and by_authority[2].received == 1


def test_everything_survives_a_restart():
    store = MemoryStore()
    replica = Replica(TRUST, store)
    take(replica, *bulletin_parts(1))
    take(replica, *bulletin_parts(2, LONG_TEXT)[1:])
    take(replica, status_record(1, 1), status_record(1, 5))
    replica.mark_read((1, 1))
    again = Replica(TRUST, store)
    assert again.records() == replica.records() and again.is_read((1, 1)) and not again.counters
    assert again.statuses[1].seq == 5 and again.inventory.digest() == replica.inventory.digest()


def test_a_store_with_garbage_and_forgeries_loses_only_those():
    store = MemoryStore()
    (good,) = bulletin_parts(1)
    (forged,) = sign_bulletin(make_bulletin(2), STRANGER_KEY)
    store.put(good)
    store.put(forged)
    store._records[(1, 1, 9, 0)] = b"rubbish"
    store.put(status_record(1, 4))
    store.put(status_record(1, 5))  # the power failed between put and remove
    replica = Replica(TRUST, store)
    assert replica.records() == [good, status_record(1, 5)]
    assert replica.counters == {"stored-record-short": 1, "stored-bad-signature": 1}
    assert [STATUS, STATUS] != [r[0] & 15 for r in store.load()]


class FailingStore(MemoryStore):
    """Stands for a flash that does not give back the records in `bad`."""

    def __init__(self):
        super().__init__()
        self.lost = []
        self.bad = set()

    def fetch(self, record_id):
        if record_id in self.bad and record_id in self._records:
            del self._records[record_id]
            self.lost.append(record_id)
        return super().fetch(record_id)


def test_what_the_store_cannot_give_back_is_left_out_and_comes_again():
    store = FailingStore()
    replica = Replica(TRUST, store)
    gossip = Gossip(replica, settings_for(lambda size: 9 * size, 3), lambda size: 9 * size, lambda n: 0, 0)
    parts = bulletin_parts(2, LONG_TEXT)
    raws = bulletin_parts(1) + parts + [status_record(1, 4), status_record(2, 4)]
    take(replica, *raws)
    store.bad = {(BULLETIN, 1, 1, 0), (BULLETIN, 1, 2, 1), (STATUS, 1, 4, 0)}
    # Asked for everything by a neighbour that has nothing.
    gossip.receive(
        encode_digest(Digest(0, {}, {}, {})), Packet(0xFFFFFFFF, 7, 1, b"", 0, 1, 0), 9.0, NOON_S, 0
    )
    while gossip.deadline() < 100_000:
        gossip.next_event(gossip.deadline())
    assert replica.statuses.get(1) is None and sorted(dict(replica.statuses.items())) == [2]
    assert 1 not in receipts_of(replica, (1, 1)) and not replica.notices[(1, 2)].text
    replica.expire(NOON_S)
    assert shown(replica, OV) == [(1, 2)] and replica.notices[(1, 2)].missing == [1]
    assert replica.inventory.digest().held == {} and sorted(replica.statuses) == [2]
    store.bad = set()
    assert take(replica, raws[0], parts[1], status_record(1, 4)) == [NEW] * 3
    assert sorted(replica.records()) == sorted(raws)


def test_a_counter_is_never_given_twice():
    store = MemoryStore()
    assert [next_number(store, "status"), next_number(store, "status")] == [1, 2]
    raise_number(store, "status", 40)
    raise_number(store, "status", 7)
    assert next_number(store, "status") == 41
