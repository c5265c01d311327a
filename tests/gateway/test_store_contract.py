"""What `baken.noticeboard.store` promises, kept by every store alike: the node's, the gateway's, the one in
memory.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _small_region import bulletin_parts, fresh, status_record
from hypothesis import given
from hypothesis import strategies as st

from baken.device.flash import FlashStore
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.store import next_number, raise_number
from baken.wire.records import BULLETIN, STATUS, decode_header
from baken_gateway.store import ResilientStore, SqliteStore

OWN_POINT = 1  # a node lets no STATUS of its own wait, so all records here last at `commit`
STORES = {
    "flash": lambda path: FlashStore(str(path), OWN_POINT),
    "sqlite": lambda path: SqliteStore(path / "replica.db"),
    "resilient": lambda path: ResilientStore(lambda: SqliteStore(path / "replica.db")),
}
RECORDS = [
    raw
    for made in (
        bulletin_parts(1),
        bulletin_parts(2, "Довгий текст. ".encode() * 14),
        [status_record(OWN_POINT, 4)],
        [status_record(OWN_POINT, 4, b"Dicht.")],  # another record under the same id
        [status_record(OWN_POINT, 5)],
    )
    for raw in made
]
IDS = sorted({decode_header(raw).record_id for raw in RECORDS})

AnyStore = Any  # the interface has no class of its own
Open = Callable[[], AnyStore]


@pytest.fixture(params=STORES)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Gives the store as a program finds it that starts now; the one before was killed, not closed."""
    return lambda: STORES[request.param](tmp_path)


def commit(store: AnyStore) -> None:
    store.commit()


def stored(store: AnyStore) -> list[bytes]:
    return sorted(store.load())


def test_an_empty_store_has_no_records_no_values_and_forgets_what_it_never_had(reopen: Open):
    store = reopen()
    store.remove((STATUS, 1, 9, 0))
    commit(store)
    assert stored(store) == [] and store.get("status") is None
    assert stored(reopen()) == []


def test_a_record_of_the_same_id_is_replaced_and_a_removed_one_stays_away(reopen: Open):
    store = reopen()
    for raw in RECORDS:
        store.put(raw)
        store.put(raw)
    commit(store)
    alive = sorted(raw for raw in RECORDS if raw != status_record(OWN_POINT, 4))
    assert stored(store) == alive == stored(reopen())
    store = reopen()
    store.remove((BULLETIN, 1, 1, 0))
    store.remove((BULLETIN, 1, 1, 0))
    commit(store)
    assert stored(store) == stored(reopen()) == [raw for raw in alive if raw != bulletin_parts(1)[0]]


def test_a_value_lasts_when_set_returns_and_an_empty_one_is_not_a_missing_one(reopen: Open):
    store = reopen()
    for value in (b"", b"\x00", bytes(range(256)) * 4, b"last"):
        store.set("read", value)
        assert store.get("read") == value == reopen().get("read")
    store.set("twentyfourlettersofaname", b"")
    assert reopen().get("twentyfourlettersofaname") == b"" and reopen().get("rea") is None


def test_no_number_is_given_twice_over_restarts_nor_one_that_was_heard(reopen: Open):
    given_out = [next_number(reopen(), "status") for _ in range(3)]
    raise_number(reopen(), "status", 700)
    raise_number(reopen(), "status", 5)
    given_out += [next_number(reopen(), "status"), next_number(reopen(), "other")]
    assert given_out == [1, 2, 3, 701, 1]


def test_a_replica_finds_its_noticeboard_again(reopen: Open):
    replica = fresh(reopen())
    for raw in RECORDS:
        replica.receive_record(raw, None)
    replica.mark_read((1, 1))
    assert replica.receive_record(RECORDS[0][:-1] + b"\x00", None).state == "refused"
    again = fresh(reopen())
    assert again.records() == replica.records() and len(again.records()) == len(RECORDS) - 2
    assert again.is_read((1, 1)) and not again.is_read((1, 2)) and not again.counters


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(RECORDS)),
        st.tuples(st.just("remove"), st.sampled_from(IDS)),
        st.tuples(st.just("set"), st.tuples(st.sampled_from(("read", "status")), st.binary(max_size=40))),
        st.tuples(st.sampled_from(("commit", "restart")), st.none()),
    ),
    max_size=40,
)


@pytest.mark.parametrize("kind", STORES)
@given(steps=STEPS)
def test_whatever_is_done_to_it_a_store_holds_what_one_in_memory_holds(
    tmp_path_factory: pytest.TempPathFactory, kind: str, steps: list[tuple[str, Any]]
):
    folder = tmp_path_factory.mktemp(kind)
    store, model = STORES[kind](folder), MemoryStore()
    for what, of in steps:
        if what == "put":
            store.put(of)
            model.put(of)
        elif what == "remove":
            store.remove(of)
            model.remove(of)
        elif what == "set":
            store.set(*of)
            model.set(*of)
        else:
            commit(store)
            if what == "restart":
                store = STORES[kind](folder)
        assert stored(store) == stored(model)
        assert [store.get(name) for name in ("read", "status")] == [
            model.get(name) for name in ("read", "status")
        ]
    commit(store)
    assert stored(STORES[kind](folder)) == stored(model)
