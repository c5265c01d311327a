"""A replica's store in SQLite, and what a broker has acknowledged; each call is one durable transaction.

WAL with `synchronous = FULL`: when a call returns, its fact is on the disk. Migrations and the version they
lead to are one transaction. SQLite's own locks let several programs use one file: `next_number` reads and
writes in one transaction, so two of them never get the same number.

Whatever goes wrong with the file (full disk, damage, no permission) is a StoreError; then nothing of the
call has happened.
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from baken.wire.errors import RemoteProtocolError
from baken.wire.records import MAX_PAYLOAD, decode_header
from baken_gateway.region import KEY_SIZE, Region

BUSY_TIMEOUT_S = 5.0
RecordId = tuple[int, int, int, int]  # kind, origin, sequence number, part
MAX_WAITING = 4096  # facts that a ResilientStore holds in memory, 250 bytes each or a view

# Each migration leads from the version of its index to the next; one that was released is never changed.
_MIGRATIONS = (
    (
        """CREATE TABLE record (
            kind INTEGER NOT NULL, origin INTEGER NOT NULL, seq INTEGER NOT NULL, part INTEGER NOT NULL,
            raw BLOB NOT NULL, PRIMARY KEY (kind, origin, seq, part)
        ) WITHOUT ROWID""",
        "CREATE TABLE value (name TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE acknowledged (topic TEXT PRIMARY KEY, payload BLOB NOT NULL) WITHOUT ROWID",
    ),
    ("CREATE TABLE text (name TEXT PRIMARY KEY, payload BLOB NOT NULL) WITHOUT ROWID",),
)


class StoreError(Exception):
    """The file cannot be read or written; the text names it and says what SQLite found.

    `damaged`: its content is no database any more. `temporary`: it may well work later, as with a full disk.
    """

    def __init__(self, message: str, *, damaged: bool = False, temporary: bool = False) -> None:
        super().__init__(message)
        self.damaged = damaged
        self.temporary = temporary


class _Shelf:
    """A store's records in memory, from where a replica fetches them: a disk may fail meanwhile, and another
    program that uses it may take them away.
    """

    lost: tuple = ()
    vouches = False

    def __init__(self) -> None:
        self._records: dict[RecordId, bytes] = {}

    def rows(self) -> Iterator[tuple[RecordId, bytes]]:
        """What the disk holds."""
        raise NotImplementedError

    def ids(self) -> Iterator[RecordId]:
        """The id of every record on the disk, in no promised order."""
        self._records.update(self.rows())
        return iter(list(self._records))

    def fetch(self, record_id: RecordId) -> bytes | None:
        """A raw record, once `ids` has named it or it was put; or None."""
        return self._records.get(record_id)

    def load(self) -> Iterator[bytes]:
        """All raw records on the disk."""
        for _record_id, raw in self.rows():
            yield raw

    def put(self, raw: bytes) -> None:
        """Keep `raw`; a record of the same id is replaced. ValueError when it is none."""
        try:
            record_id = decode_header(raw).record_id
        except RemoteProtocolError as error:
            raise ValueError(f"not a record: {error}") from error
        self._records[record_id] = bytes(raw)
        self._save_record(record_id, bytes(raw))

    def remove(self, record_id: RecordId) -> None:
        """Forget a record; nothing happens when there is none."""
        self._records.pop(record_id, None)
        self._save_record(record_id, None)

    def _save_record(self, record_id: RecordId, raw: bytes | None) -> None:
        raise NotImplementedError


class SqliteStore(_Shelf):
    """Store of one replica (interface: `baken.noticeboard.store`), plus the broker's acknowledgements.

    To be used from one thread. `unreadable` counts rows that were no records when they were loaded.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self._connection: sqlite3.Connection | None = None
        self.path = Path(path)
        self.unreadable = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            self._prepare(self._connection)
        except StoreError:
            self.close()
            raise
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise _store_error(f"{self.path} cannot be opened", error) from error

    # --- the store of a replica

    def rows(self) -> Iterator[tuple[RecordId, bytes]]:
        for *record_id, raw in self._all(
            "SELECT kind, origin, seq, part, raw FROM record ORDER BY kind, origin, seq, part"
        ):
            if isinstance(raw, bytes) and len(raw) <= MAX_PAYLOAD:
                yield (*record_id,), raw
            else:
                self.unreadable += 1

    def _save_record(self, record_id: RecordId, raw: bytes | None) -> None:
        if raw is None:
            self._write(
                "DELETE FROM record WHERE kind = ? AND origin = ? AND seq = ? AND part = ?", record_id
            )
        else:
            self._write("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)", (*record_id, raw))

    def commit(self) -> None:
        """Nothing is left to do: each call was durable by itself."""

    def get(self, name: str) -> bytes | None:
        """The value `name`, or None."""
        rows = self._all("SELECT data FROM value WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def set(self, name: str, value: bytes) -> None:
        """Keep `value` as `name`."""
        self._write("INSERT OR REPLACE INTO value VALUES (?, ?)", (name, bytes(value)))

    def belong_to(self, region: Region) -> None:
        """Keep this file for `region`, as whose it is known by the region's root key.

        StoreError when it is another's: its records cannot be checked here, and what cannot be checked goes.
        """
        with self._transaction("IMMEDIATE") as connection:
            row = connection.execute("SELECT data FROM value WHERE name = 'region'").fetchone()
            if row is None:
                mark = region.root_public + region.id.encode()
                connection.execute("INSERT INTO value VALUES ('region', ?)", (mark,))
                return
        root, name = row[0][:KEY_SIZE], row[0][KEY_SIZE:].decode(errors="replace")
        if root != region.root_public:
            raise StoreError(
                f"{self.path} belongs to region {name} with root key {root.hex()[:8]}, not to {region.id} "
                f"with {region.root_public.hex()[:8]}: say the region folder it belongs to, or another "
                "data folder (--data)"
            )

    # --- numbers that several programs draw from

    def next_number(self, name: str, above: int = 0) -> int:
        """The next number of the counter `name`, and more than `above`; never given twice, whoever asks.

        The counter is the one of `baken.noticeboard.store.next_number`, but safe against a second program.
        """
        with self._transaction("IMMEDIATE") as connection:
            row = connection.execute("SELECT data FROM value WHERE name = ?", (name,)).fetchone()
            number = max(int.from_bytes(row[0], "big") if row else 0, above) + 1
            connection.execute(
                "INSERT OR REPLACE INTO value VALUES (?, ?)", (name, number.to_bytes(4, "big"))
            )
        return number

    # --- what the broker has acknowledged

    def use_broker(self, name: str) -> None:
        """From here on acknowledgements are those of broker `name`; those of another one are forgotten."""
        with self._transaction("IMMEDIATE") as connection:
            row = connection.execute("SELECT data FROM value WHERE name = 'broker'").fetchone()
            if row is None or row[0] != name.encode():
                connection.execute("DELETE FROM acknowledged")
                connection.execute("INSERT OR REPLACE INTO value VALUES ('broker', ?)", (name.encode(),))

    def acknowledged(self) -> dict[str, bytes]:
        """Topic to the payload that the broker has confirmed."""
        return dict(self._all("SELECT topic, payload FROM acknowledged"))

    def set_acknowledged(self, topic: str, payload: bytes) -> None:
        """The broker has confirmed `payload`; an empty one means that the topic is cleared."""
        if payload:
            self._write("INSERT OR REPLACE INTO acknowledged VALUES (?, ?)", (topic, payload))
        else:
            self._write("DELETE FROM acknowledged WHERE topic = ?", (topic,))

    # --- text messages

    def texts(self) -> dict[str, bytes]:
        """Name to payload of all that was kept by `set_text`."""
        return dict(self._all("SELECT name, payload FROM text"))

    def set_text(self, name: str, payload: bytes) -> None:
        """Keep `payload` under `name`; an empty one removes it."""
        if payload:
            self._write("INSERT OR REPLACE INTO text VALUES (?, ?)", (name, payload))
        else:
            self._write("DELETE FROM text WHERE name = ?", (name,))

    def close(self) -> None:
        """Give the file free; the store is of no use afterwards."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        # The garbage collector may come by in another thread; the connection then closes as it goes.
        with contextlib.suppress(sqlite3.ProgrammingError):
            self.close()

    # --- inside

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_MIGRATIONS):
            raise StoreError(f"{self.path} is of version {version}, this program knows {len(_MIGRATIONS)}")
        if version < len(_MIGRATIONS):
            self._migrate(connection)
        problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise StoreError(f"{self.path} is damaged: {problem}", damaged=True)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        with self._transaction("EXCLUSIVE"):
            # Asked again inside: another program may have been first.
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            for statements in _MIGRATIONS[version:]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        connection = self._open()
        try:
            connection.execute(f"BEGIN {kind}")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _store_error(f"{self.path} cannot be written", error) from error

    def _write(self, statement: str, values: tuple) -> None:
        try:
            self._open().execute(statement, values)
        except sqlite3.Error as error:
            raise _store_error(f"{self.path} cannot be written", error) from error

    def _all(self, statement: str, values: tuple = ()) -> list:
        try:
            return self._open().execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _store_error(f"{self.path} cannot be read", error) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{self.path} is closed")
        return self._connection


class ResilientStore(_Shelf):
    """Keeps a gateway alive when its disk does not: what cannot be saved is held in memory and tried again.

    Only for a gateway: each of its records also lies where it came from, on the node or at the broker, so a
    crash meanwhile loses nothing. `problem` is the last StoreError's text, None while all is saved;
    `forgotten` counts what did not even find room in memory.
    """

    def __init__(self, open_store: Callable[[], SqliteStore]) -> None:
        """A StoreError of the first opening is passed on unless it is temporary."""
        super().__init__()
        self.problem: str | None = None
        self.forgotten = 0
        self._open_store = open_store
        self._store: SqliteStore | None = None
        # What each waiting fact is about -> how to save it. A later one about the same thing takes its place.
        self._waiting: dict[tuple, tuple[str, tuple]] = {}
        try:
            self._store = open_store()
        except StoreError as error:
            if not error.temporary:
                raise
            self.problem = str(error)

    def rows(self) -> Iterator[tuple[RecordId, bytes]]:
        return self._store.rows() if self._store else iter(())

    def _save_record(self, record_id: RecordId, raw: bytes | None) -> None:
        self._write(("record", record_id), "_save_record", record_id, raw)

    def commit(self) -> None:
        """Nothing is left to do: each call was saved, or waits."""

    def get(self, name: str) -> bytes | None:
        waiting = self._waiting.get(("value", name))
        if waiting:
            return waiting[1][1]
        return self._store.get(name) if self._store else None

    def set(self, name: str, value: bytes) -> None:
        self._write(("value", name), "set", name, value)

    def use_broker(self, name: str) -> None:
        self._write(("broker",), "use_broker", name)

    def acknowledged(self) -> dict[str, bytes]:
        return self._store.acknowledged() if self._store else {}

    def set_acknowledged(self, topic: str, payload: bytes) -> None:
        self._write(("acknowledged", topic), "set_acknowledged", topic, payload)

    def texts(self) -> dict[str, bytes]:
        return self._store.texts() if self._store else {}

    def set_text(self, name: str, payload: bytes) -> None:
        self._write(("text", name), "set_text", name, payload)

    def retry(self) -> None:
        """Try to save what waits, the oldest first; call it now and then."""
        try:
            if self._store is None:
                self._store = self._open_store()
            for about, (name, values) in list(self._waiting.items()):
                getattr(self._store, name)(*values)
                del self._waiting[about]
        except StoreError as error:
            self.problem = str(error)
        else:
            self.problem = None

    def close(self) -> None:
        if self._store:
            self._store.close()

    def _write(self, about: tuple, name: str, *values: object) -> None:
        if self._store and not self._waiting:
            try:
                getattr(self._store, name)(*values)
                return
            except StoreError as error:
                self.problem = str(error)
        # Behind something that waits everything waits: a record must not be removed before it was put.
        self._waiting.pop(about, None)
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.pop(next(iter(self._waiting)))
            self.forgotten += 1
        self._waiting[about] = (name, values)


def open_store(path: Path, region: Region) -> SqliteStore:
    """The store in this file, which is or becomes the one of `region`."""
    store = SqliteStore(path)
    try:
        store.belong_to(region)
    except StoreError:
        store.close()
        raise
    return store


def open_gateway_store(path: Path, region: Region, now_s: int) -> tuple[ResilientStore, str | None]:
    """The store of a gateway of `region`, and what was wrong with the file if anything was.

    A damaged file is put aside as NAME.damaged-<unix seconds> and a new one begun: all that a gateway knows
    comes back from its node and its broker.
    """
    try:
        return ResilientStore(lambda: open_store(path, region)), None
    except StoreError as error:
        if not error.damaged:
            raise
        aside = path.with_name(f"{path.name}.damaged-{now_s}")
        path.replace(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return ResilientStore(lambda: open_store(path, region)), f"{error}; kept as {aside.name}, begun anew"


def _store_error(message: str, error: Exception) -> StoreError:
    """The StoreError for what SQLite or the system says."""
    if isinstance(error, sqlite3.OperationalError):
        code = error.sqlite_errorname or ""
        temporary = code.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_LOCKED"))
        return StoreError(f"{message}: {error}", temporary=temporary)
    if isinstance(error, OSError):
        return StoreError(
            f"{message}: {error.strerror}", temporary=error.errno in (errno.ENOSPC, errno.EDQUOT)
        )
    return StoreError(f"{message}: {error}", damaged=type(error) is sqlite3.DatabaseError)
