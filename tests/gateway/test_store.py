"""The store in SQLite: durable, shared, and clear about what is wrong with the disk."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from _region import NOON_S, bulletin_parts, make_region, status_record

from baken.noticeboard.replica import Replica
from baken.noticeboard.store import next_number, raise_number
from baken.wire.records import STATUS
from baken_gateway import store as module
from baken_gateway.store import ResilientStore, SqliteStore, StoreError, open_gateway_store, open_store


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("store"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "replica.db"


def test_records_and_values_are_there_again_after_reopening(region, path):
    records = [*bulletin_parts(region, 1, "їх. " * 60), status_record(region, "OV06", 3)]
    store = SqliteStore(path)
    for raw in records:
        store.put(raw)
        store.put(raw)
    store.set("read", b"\x00\x01")
    store.set("empty", b"")
    store.set_acknowledged("record/bulletin/1/1", records[0])
    store.close()
    store = SqliteStore(path)
    assert sorted(store.load()) == sorted(records)
    assert (store.get("read"), store.get("empty"), store.get("other")) == (b"\x00\x01", b"", None)
    assert store.acknowledged() == {"record/bulletin/1/1": records[0]}
    store.remove((STATUS, 2, 3, 0))
    store.remove((STATUS, 2, 3, 0))
    store.set_acknowledged("record/bulletin/1/1", b"")
    assert sorted(store.load()) == sorted(records[:-1]) and store.acknowledged() == {}


def test_a_replica_lives_on_in_its_store(region, path):
    replica = Replica(region.trust, SqliteStore(path))
    parts = bulletin_parts(region, 1, "їх. " * 60)
    for raw in (*parts, status_record(region, "OV06", 3), status_record(region, "OV06", 4)):
        assert replica.receive_record(raw, NOON_S).state == "new"
    replica.mark_read((1, 1))
    again = Replica(region.trust, SqliteStore(path))
    assert again.records() == replica.records() == [*parts, status_record(region, "OV06", 4)]
    assert again.is_read((1, 1)) and not again.counters


def test_damaged_rows_are_not_loaded_as_records(region, path):
    store = SqliteStore(path)
    store.put(bulletin_parts(region, 1)[0])
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO record VALUES (1, 1, 2, 0, 'text')")
        other.execute("INSERT INTO record VALUES (1, 1, 3, 0, ?)", (bytes(1000),))
        other.execute("INSERT INTO record VALUES (1, 1, 4, 0, ?)", (bytes(100),))
    other.close()
    replica = Replica(region.trust, SqliteStore(path))
    assert replica.records() == bulletin_parts(region, 1)
    assert replica.counters == {"stored-record-version": 1}


def test_what_is_no_record_is_not_stored(path):
    with pytest.raises(ValueError, match="not a record: record is 3 bytes"):
        SqliteStore(path).put(b"abc")


def test_the_counter_is_that_of_the_core_and_never_gives_a_number_twice(path):
    store = SqliteStore(path)
    assert store.next_number("bulletin-1") == 1
    assert next_number(store, "bulletin-1") == 2
    assert store.next_number("bulletin-1") == 3
    assert store.next_number("bulletin-1", above=40) == 41
    raise_number(store, "bulletin-1", 50)
    assert (store.next_number("bulletin-1"), store.next_number("bulletin-2")) == (51, 1)


def test_two_programs_never_get_the_same_number(path):
    SqliteStore(path).close()

    def draw(_):
        store = SqliteStore(path)
        numbers = [store.next_number("bulletin-1") for _ in range(25)]
        store.close()
        return numbers

    with ThreadPoolExecutor(4) as pool:
        numbers = [number for drawn in pool.map(draw, range(4)) for number in drawn]
    assert sorted(numbers) == list(range(1, 101))


def test_acknowledgements_of_another_broker_do_not_count(path):
    store = SqliteStore(path)
    store.use_broker("one:1883")
    store.set_acknowledged("record/bulletin/1/1", b"x")
    store.use_broker("one:1883")
    assert store.acknowledged()
    store.use_broker("two:1883")
    assert not store.acknowledged()


def test_a_write_is_on_the_disk_when_the_call_returns(path):
    store = SqliteStore(path)
    connection = store._connection
    assert connection is not None
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.isolation_level is None  # every statement is a transaction of its own


def test_a_file_of_another_region_is_refused_and_keeps_what_it_holds(region, path, tmp_path):
    store = open_store(path, region)
    store.put(status_record(region, "OV06", 3))
    store.close()
    open_store(path, region).close()
    (tmp_path / "other").mkdir()
    other = make_region(tmp_path / "other")
    assert other.root_public != region.root_public
    match = (
        rf"replica\.db belongs to region {region.id} with root key {region.root_public.hex()[:8]}, "
        rf"not to {other.id} with {other.root_public.hex()[:8]}: .*--data"
    )
    with pytest.raises(StoreError, match=match):
        open_store(path, other)
    with pytest.raises(StoreError, match=match):
        open_gateway_store(path, other, 1)
    assert list(open_store(path, region).load()) == [status_record(region, "OV06", 3)]


def test_a_store_of_a_later_version_is_not_touched(region, path):
    store = SqliteStore(path)
    store.set("read", b"x")
    store.close()
    with sqlite3.connect(path) as later:
        later.execute("PRAGMA user_version = 99")
    later.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=f"is of version 99, this program knows {len(module._MIGRATIONS)}"):
        SqliteStore(path)
    with pytest.raises(StoreError, match="version 99"):
        open_gateway_store(path, region, 1)
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_old_version(path, monkeypatch):
    SqliteStore(path).close()
    broken = (*module._MIGRATIONS, ("CREATE TABLE one (a)", "CREATE TABLE one (a)"))
    with monkeypatch.context() as patch:
        patch.setattr(module, "_MIGRATIONS", broken)
        with pytest.raises(StoreError, match="table one already exists"):
            SqliteStore(path)
    store = SqliteStore(path)
    assert store._all("SELECT name FROM sqlite_master WHERE name = 'one'") == []
    store.close()
    with monkeypatch.context() as patch:
        patch.setattr(module, "_MIGRATIONS", (*module._MIGRATIONS, ("CREATE TABLE one (a)",)))
        store = SqliteStore(path)
        assert store._all("PRAGMA user_version") == [(len(module._MIGRATIONS),)]
        store.close()


@pytest.mark.parametrize("damage", [b"no database at all" * 200, b"SQLite format 3\0" + b"\xff" * 8192])
def test_a_damaged_file_is_put_aside_by_a_gateway_and_reported_to_others(region, path, damage):
    path.parent.mkdir()
    path.write_bytes(damage)
    with pytest.raises(StoreError, match=r"replica\.db .*(not a database|malformed|damaged)") as caught:
        SqliteStore(path)
    assert caught.value.damaged
    store, problem = open_gateway_store(path, region, 1799751600)
    assert problem and "kept as replica.db.damaged-1799751600, begun anew" in problem
    assert (path.parent / "replica.db.damaged-1799751600").read_bytes() == damage
    store.set("a", b"b")
    assert store.get("a") == b"b" and store.problem is None


def test_a_folder_that_cannot_be_written_is_named(region, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/replica\.db cannot be opened"):
        open_gateway_store(tmp_path / "file" / "replica.db", region, 1)


FULL_DISK = """
import resource, sys
from pathlib import Path
from baken_gateway.store import SqliteStore, StoreError
store = SqliteStore(Path(sys.argv[1]))
store.set("before", b"x")
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
for number in range(1000):
    try:
        store.set(f"value-{number}", bytes(1000))
    except StoreError as error:
        print(number, error.temporary, error.damaged, error)
        break
assert store.get("before") == b"x"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.set("after", b"y")
print(sum(store.get(f"value-{n}") is not None for n in range(1000)))
"""


def test_a_full_disk_is_an_error_of_one_call_and_loses_nothing(path):
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    environment = {"PYTHONPATH": ":".join(p for p in sys.path if p)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    failed, kept = result.stdout.splitlines()
    number, temporary, damaged, text = failed.split(" ", 3)
    assert (temporary, damaged, int(number) > 5) == ("True", "False", True)
    assert "replica.db cannot be written" in text
    assert kept == number  # all that were confirmed, and not the one that was not


class Moody(SqliteStore):
    """A store that fails while told to."""

    is_full = False

    def _write(self, statement, values):
        if self.is_full:
            raise StoreError("disk is full", temporary=True)
        super()._write(statement, values)


def test_a_gateway_goes_on_in_memory_while_its_disk_is_full_and_saves_it_later(region, path):
    moody = Moody(path)
    store = ResilientStore(lambda: moody)
    replica = Replica(region.trust, store)
    replica.receive_record(status_record(region, "OV06", 1), NOON_S)
    moody.is_full = True
    for raw in (
        *bulletin_parts(region, 1),
        status_record(region, "OV06", 2),
        status_record(region, "OV06", 3),
    ):
        assert replica.receive_record(raw, NOON_S).state == "new"
    replica.mark_read((1, 1))
    store.set_acknowledged("record/bulletin/1/1", b"x")
    assert store.problem == "disk is full"
    assert store.get("read") == b"\x00\x01\x00\x00\x01"
    store.retry()
    assert Replica(region.trust, SqliteStore(path)).records() == [status_record(region, "OV06", 1)]
    moody.is_full = False
    store.retry()
    assert store.problem is None and store.forgotten == 0
    saved = SqliteStore(path)
    assert Replica(region.trust, saved).records() == replica.records()
    assert saved.get("read") == b"\x00\x01\x00\x00\x01" and saved.acknowledged() == {
        "record/bulletin/1/1": b"x"
    }


def test_what_waits_in_memory_is_bounded(path, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING", 10)
    moody = Moody(path)
    store = ResilientStore(lambda: moody)
    moody.is_full = True
    for number in range(25):
        store.set(f"value-{number}", b"x")
        store.set("same", bytes([number]))
    assert store.forgotten == 16 and store.get("same") == b"\x18" and store.get("value-24") == b"x"
    moody.is_full = False
    store.retry()
    assert SqliteStore(path).get("same") == b"\x18"


def test_a_disk_that_is_full_at_the_start_does_not_keep_a_gateway_from_working(region, path):
    attempts = []

    def open_store():
        attempts.append(1)
        if len(attempts) < 3:
            raise StoreError("disk is full", temporary=True)
        return SqliteStore(path)

    store = ResilientStore(open_store)
    assert store.problem == "disk is full"
    replica = Replica(region.trust, store)
    replica.receive_record(bulletin_parts(region, 1)[0], NOON_S)
    store.retry()
    store.retry()
    assert store.problem is None
    assert Replica(region.trust, SqliteStore(path)).records() == replica.records()


def test_a_store_of_the_first_version_gets_its_place_for_texts_and_keeps_what_it_held(path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "_MIGRATIONS", module._MIGRATIONS[:1])
        first = SqliteStore(path)
        first.set("read", b"x")
        first.close()
    store = SqliteStore(path)
    store.set_text("text/a", b"one")
    store.set_text("text/b", b"two")
    store.set_text("text/a", b"")
    store.close()
    store = SqliteStore(path)
    assert store.get("read") == b"x" and store.texts() == {"text/b": b"two"}
