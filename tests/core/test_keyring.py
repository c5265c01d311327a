"""Who may speak: amendments of the trust list, in whatever order they come, and when one of them is lost."""

from _flood import Net, line
from _small_region import (
    AREAS,
    NOON_S,
    POINT_KEYS,
    REGION_KEY,
    ROOT,
    STRANGER_KEY,
    TOWN_KEY,
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

from baken.crypto.signing import AuthorityKey, PointKey
from baken.noticeboard.keyring import MAX_AMENDMENTS
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, REFUSED, Replica
from baken.wire import amendment, digest, report, sealed, status
from baken.wire.records import TRUST as TRUST_KIND
from baken.wire.trust import MAX_AUTHORITIES, Authority, Point, TrustList

MINUTE = 60000


def test_a_revoked_authority_takes_its_bulletins_with_it_and_touches_no_other():
    replica = fresh()
    take(replica, *bulletin_parts(1), *bulletin_parts(1, origin=2), beat(1), beat(1, origin=2, key=TOWN_KEY))
    assert take(replica, amend(8, amendment.REVOKE_AUTHORITY, 1)) == [NEW]
    assert sorted(replica.notices) == [(2, 1)] and sorted(replica.heartbeats) == [2]
    assert take(replica, *bulletin_parts(2)) == [REFUSED] and replica.counters == {"unknown-authority": 1}
    assert 1 not in replica.trust.authorities and 1 in TRUST.authorities  # the provisioned list is untouched


def test_a_stolen_point_key_is_replaced_and_its_huge_numbers_hide_nothing():
    replica = fresh()
    new_key = PointKey(bytes([77]) * 32)
    sent = report.Report(1, 5, NOON_S, 1)
    reported = sealed.encode_report(sent, b"Vals.", bytes(32), TRUST.tag, POINT_KEYS[0].sign)
    take(replica, status_record(1, 0xFFFFFF, b"Vals."), status_record(2, 4), reported)
    entry = Point(1, b"OV06", b"Punt OV06", 0, 0x1000, new_key.public)
    assert take(replica, amend(8, amendment.SET_POINT, 1, entry)) == [NEW]
    assert sorted(replica.statuses) == [2] and replica.letters.reports == {}
    assert take(replica, status_record(1, 0xFFFFFF, b"Vals.")) == [REFUSED]
    made = status.Status(1, 1, NOON_S, b"OPEN", b"Echt.")
    assert take(replica, status.encode(made, TRUST.tag, new_key.sign)) == [NEW]
    assert replica.statuses[1].text == b"Echt."


def test_an_authority_that_gets_a_new_key_may_use_its_numbers_anew():
    replica = fresh()
    new_key = AuthorityKey(bytes([78]) * 32)
    take(replica, *bulletin_parts(1, b"Oud."))
    entry = Authority(1, new_key.public, b"VR Merenland")
    assert take(replica, amend(9, amendment.SET_AUTHORITY, 1, entry)) == [NEW] and not replica.notices
    assert take(replica, *sign_bulletin(make_bulletin(1, b"Nieuw."), new_key)) == [NEW]
    assert replica.notices[(1, 1)].text == b"Nieuw."


def test_amendments_count_in_the_order_of_their_numbers_however_they_come():
    replica = fresh()
    entry = Authority(9, STRANGER_KEY.public, b"Waterschap")
    assert take(replica, amend(9, amendment.SET_AUTHORITY, 9, entry)) == [NEW]
    assert take(replica, amend(8, amendment.REVOKE_AUTHORITY, 9)) == [REFUSED]
    assert 9 in replica.trust.authorities and replica.counters == {"old-trust": 1}
    assert take(replica, amend(10, amendment.REVOKE_AUTHORITY, 9)) == [NEW]
    assert 9 not in replica.trust.authorities and len(replica.keyring) == 1


def test_only_root_amends_and_what_the_list_contains_is_refused():
    replica = fresh()
    assert take(replica, amend(8, amendment.REVOKE_POINT, 1, key=REGION_KEY)) == [REFUSED]
    assert take(replica, amend(7, amendment.REVOKE_POINT, 1)) == [REFUSED]
    beyond = Point(9, b"XX", b"", len(AREAS), 0x99, POINT_KEYS[0].public)
    assert take(replica, amend(8, amendment.SET_POINT, 9, beyond)) == [REFUSED]
    assert replica.counters == {"bad-signature": 1, "old-trust": 1, "trust-area": 1}
    assert sorted(replica.trust.points) == [1, 2, 3, 4]


def test_amendments_survive_a_restart_and_end_with_a_newer_list():
    store = MemoryStore()
    take(fresh(store), amend(8, amendment.REVOKE_POINT, 1), *bulletin_parts(1))
    replica = fresh(store)
    assert 1 not in replica.trust.points and list(replica.inventory.tally()) == [(TRUST_KIND, 0xFFFF, 8)]
    points = [TRUST.points[number] for number in (2, 3, 4)]
    newer = TrustList(8, ROOT.public, b"Merenland", AREAS, TRUST.authorities.values(), points)
    replica = Replica(newer, store)
    assert len(replica.keyring) == 0 and list(replica.inventory.tally()) == [] and (1, 1) in replica.notices


def test_an_authority_that_has_expired_speaks_no_more():
    replica = fresh()
    entry = Authority(1, REGION_KEY.public, b"VR Merenland", NOON_S + 3600)
    take(replica, amend(8, amendment.SET_AUTHORITY, 1, entry), *bulletin_parts(1), beat(1))
    assert sorted(replica.notices) == [(1, 1)]
    assert take(replica, *bulletin_parts(2), unix_s=NOON_S + 3600) == [REFUSED]
    replica.expire(NOON_S + 3600)
    assert not replica.notices and not replica.heartbeats
    assert replica.counters == {"expired-authority": 1}


def test_a_revocation_reaches_all_over_the_air():
    net = Net(line(5), seed=4, loss_percent=30)
    net.publish("00", *bulletin_parts(1))
    net.run(10 * MINUTE)
    net.publish("00", amend(8, amendment.REVOKE_AUTHORITY, 1))
    net.run(net.now + 30 * MINUTE)
    for member in net.members.values():
        assert not member.replica.notices and 1 not in member.replica.trust.authorities


def test_too_many_amendments_are_refused_but_a_later_word_on_the_same_subject_is_not():
    replica = fresh()
    revoke = amendment.REVOKE_POINT
    raws = [amend(100 + n, revoke, 1000 + n) for n in range(MAX_AMENDMENTS + 1)]
    assert take(replica, *raws) == [NEW] * MAX_AMENDMENTS + [REFUSED]
    assert take(replica, amend(900, revoke, 1000)) == [NEW] and len(replica.keyring) == MAX_AMENDMENTS


def test_no_more_are_trusted_than_a_list_may_have():
    replica = fresh()
    for number in range(3, MAX_AUTHORITIES + 1):
        entry = Authority(number, STRANGER_KEY.public, b"A")
        assert take(replica, amend(100 + number, amendment.SET_AUTHORITY, number, entry)) == [NEW]
    one_more = amend(200, amendment.SET_AUTHORITY, 50, Authority(50, STRANGER_KEY.public, b"A"))
    assert take(replica, one_more) == [REFUSED] and replica.counters == {"full": 1}
    assert take(replica, amend(199, amendment.REVOKE_AUTHORITY, 2), one_more) == [NEW, NEW]


def test_an_amendment_that_became_unreadable_takes_trust_away_and_never_gives_it_back():
    store = MemoryStore()
    replica = fresh(store)
    new_key = PointKey(bytes([77]) * 32)
    older = amend(9, amendment.SET_POINT, 1, TRUST.points[1])
    raws = [
        amend(10, amendment.SET_POINT, 1, Point(1, b"OV06", b"Punt", 0, 0x1000, new_key.public)),
        amend(11, amendment.REVOKE_POINT, 2),
    ]
    take(replica, *raws)
    for seq in (10, 11):
        store.remove((TRUST_KIND, amendment.ROOT_ORIGIN, seq, 0))
        store.lost.append((TRUST_KIND, amendment.ROOT_ORIGIN, seq, 0))
    assert take(replica, status_record(1, 1), status_record(2, 1), older) == [REFUSED] * 3
    assert list(replica.inventory.tally()) == [] and replica.records() == []
    assert replica.trust.points.get(1) is None and 2 not in replica.trust.points
    page = digest.Tally([(TRUST_KIND, amendment.ROOT_ORIGIN, seq) for seq in (10, 11)])
    assert replica.inventory.lacks_on_page(page)
    assert take(replica, *raws) == [NEW, NEW] and len(list(replica.inventory.tally())) == 2
    made = status.encode(status.Status(1, 1, NOON_S, b"OPEN", b""), TRUST.tag, new_key.sign)
    assert take(replica, made, status_record(2, 1)) == [NEW, REFUSED]
