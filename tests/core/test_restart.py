"""What a node checks when it starts: nothing twice, and all of it when other keys count."""

from _small_region import (
    AREAS,
    LONG_TEXT,
    ROOT,
    STRANGER_KEY,
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

from baken.noticeboard import keyring
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, Replica
from baken.wire import amendment
from baken.wire.records import BULLETIN
from baken.wire.records import TRUST as TRUST_KIND
from baken.wire.trust import Authority, TrustList


class VouchingStore(MemoryStore):
    """As a node's flash: what it gives back is what it was given."""

    vouches = True


class FullStore(VouchingStore):
    def set(self, name, value):
        raise OSError(28)


class Checks:
    """Counts the signatures that are checked while it is open."""

    def __enter__(self):
        self.count = 0
        self._signing = keyring.signing
        keyring.signing = self
        return self

    def __exit__(self, *_):
        keyring.signing = self._signing

    def verify(self, *of):
        self.count += 1
        return self._signing.verify(*of)


def filled(store):
    """The store after five records came."""
    took = take(fresh(store), *bulletin_parts(1, LONG_TEXT), beat(1), status_record(2, 4))
    assert took == [NEW] * 5, took
    return store


def checks_of_start(store, trust=TRUST):
    """(signatures checked by a start, the replica)."""
    with Checks() as checks:
        replica = Replica(trust, store)
    return checks.count, replica


def test_what_was_checked_when_it_came_is_not_checked_by_a_start():
    store = filled(VouchingStore())
    before = list(store.load())
    count, replica = checks_of_start(store)
    assert count == 0 and sorted(replica.records()) == sorted(before) and not replica.counters
    assert replica.notices[(1, 1)].text == LONG_TEXT and replica.statuses[2].seq == 4


def test_what_comes_after_the_start_is_checked():
    store = filled(VouchingStore())
    replica = checks_of_start(store)[1]
    take(replica, *sign_bulletin(make_bulletin(2), STRANGER_KEY))
    assert replica.counters == {"bad-signature": 1} and (1, 2) not in replica.notices


def test_a_store_that_does_not_vouch_is_checked_by_each_start():
    store = filled(MemoryStore())
    assert [checks_of_start(store)[0] for _ in range(2)] == [5, 5]


def test_a_store_filled_by_others_is_checked_once():
    store = VouchingStore()
    (forged,) = sign_bulletin(make_bulletin(2), STRANGER_KEY)
    for raw in bulletin_parts(1) + [forged]:
        store.put(raw)
    count, replica = checks_of_start(store)
    assert count == 2 and sorted(replica.notices) == [(1, 1)]
    assert replica.counters == {"stored-bad-signature": 1}
    assert checks_of_start(store)[0] == 0


def test_everything_is_checked_when_another_list_is_provisioned():
    store = filled(VouchingStore())
    other = Authority(1, STRANGER_KEY.public, b"VR Merenland")
    newer = TrustList(
        8, ROOT.public, b"Merenland", AREAS, [other], [TRUST.points[number] for number in TRUST.points]
    )
    count, replica = checks_of_start(store, newer)
    assert count == 5 and not replica.notices and sorted(replica.statuses) == [2]
    assert replica.counters == {"stored-bad-signature": 4}
    assert checks_of_start(store, newer)[0] == 0


def test_everything_is_checked_by_a_version_that_checks_more():
    store = filled(VouchingStore())
    before = keyring.CHECKS
    try:
        keyring.CHECKS = before + 1
        assert [checks_of_start(store)[0] for _ in range(2)] == [5, 0]
    finally:
        keyring.CHECKS = before


def test_that_it_takes_a_while_is_said_before_and_only_then():
    told = []
    Replica(TRUST, VouchingStore(), lambda: told.append("nothing"))
    store = VouchingStore()
    for raw in bulletin_parts(1) + [status_record(2, 4)]:
        store.put(raw)
    with Checks() as checks:
        Replica(TRUST, store, lambda: told.append(checks.count))
    Replica(TRUST, store, lambda: told.append("again"))
    assert told == [0] and checks.count == 2


def test_an_amendment_checks_what_it_concerns_and_no_start_does_it_again():
    store = filled(VouchingStore())
    replica = checks_of_start(store)[1]
    assert take(replica, amend(8, amendment.REVOKE_POINT, 2)) == [NEW]
    count, replica = checks_of_start(store)
    assert count == 0 and not replica.statuses and (1, 1) in replica.notices


def test_everything_is_checked_after_the_power_failed_in_an_amendment():
    store = filled(VouchingStore())
    store.put(amend(8, amendment.SET_AUTHORITY, 1, Authority(1, STRANGER_KEY.public, b"VR Merenland")))
    count, replica = checks_of_start(store)
    assert count == 6 and not replica.notices and not replica.heartbeats
    assert checks_of_start(store)[0] == 0


def test_everything_is_checked_when_an_amendment_is_lost():
    store = filled(VouchingStore())
    entry = Authority(1, STRANGER_KEY.public, b"VR Merenland")
    replica = checks_of_start(store)[1]
    take(replica, amend(8, amendment.SET_AUTHORITY, 1, entry), *sign_bulletin(make_bulletin(2), STRANGER_KEY))
    assert sorted(replica.notices) == [(1, 2)]
    store.remove((TRUST_KIND, amendment.ROOT_ORIGIN, 8, 0))
    replica = checks_of_start(store)[1]
    assert not replica.notices and replica.counters == {"stored-bad-signature": 1}
    assert store.fetch((BULLETIN, 1, 2, 0)) is None


def test_a_flash_without_room_for_the_mark_is_checked_again():
    store = filled(FullStore())
    assert [checks_of_start(store)[0] for _ in range(2)] == [5, 5]
