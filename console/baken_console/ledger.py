"""What the console remembers beyond the replica: receipts, journal, every bulletin it ever saw, and its
counters.

One SQLite file beside the replica's own. A replica forgets a bulletin when it expires; a crisis room must be
able to tell afterwards what was sent, when, and who had it. Several processes may use one file at the same
time: each fact is one transaction, and a sequence number is taken inside a write lock of the database, so it
is never given twice.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from baken.wire.records import MAX_SEQ, decode_header
from baken_console.receipts import BulletinKey, NewReceipt, Receipt, Receipts

SCHEMA = 2
MAX_ARCHIVED_PARTS = 1600  # shown after a restart: 200 bulletins of eight parts; the file keeps all
MAX_LETTERS = 1000  # reports and answers shown after a restart; the file keeps all
MAX_JOURNAL_SHOWN = 500
BUSY_TIMEOUT_S = 10.0
MAX_LEAP = 1000  # a point's word about numbers is believed this far, so a stolen node cannot use them all up

_Result = TypeVar("_Result")

_MIGRATIONS = (
    """
    CREATE TABLE bulletin_part (
        origin INTEGER, seq INTEGER, part INTEGER, raw BLOB NOT NULL, seen_s INTEGER,
        PRIMARY KEY (origin, seq, part)
    );
    CREATE TABLE receipt (
        origin INTEGER, seq INTEGER, point INTEGER, received_s INTEGER, read_s INTEGER,
        PRIMARY KEY (origin, seq, point)
    );
    CREATE TABLE journal (
        id INTEGER PRIMARY KEY, at_s INTEGER NOT NULL, kind TEXT NOT NULL, details TEXT NOT NULL,
        token TEXT UNIQUE
    );
    CREATE INDEX journal_by_time ON journal (at_s);
    CREATE TABLE made (origin INTEGER, seq INTEGER, PRIMARY KEY (origin, seq));
    CREATE TABLE counter (origin INTEGER PRIMARY KEY, used INTEGER NOT NULL);
    """,
    """
    CREATE TABLE letter (
        kind INTEGER, origin INTEGER, seq INTEGER, raw BLOB NOT NULL, seen_s INTEGER,
        PRIMARY KEY (kind, origin, seq)
    );
    CREATE TABLE other_counter (
        kind INTEGER, origin INTEGER, used INTEGER NOT NULL, PRIMARY KEY (kind, origin)
    );
    """,
)


class LedgerError(Exception):
    """The ledger's file cannot be used; one sentence for the person who can mend it."""


@dataclass(frozen=True)
class Entry:
    """One line of the journal: `kind` and `details` are turned into words in the reader's language when
    shown.

    `token` names the fact: a fact that two processes see, or one process sees twice, makes one line. None: no
    such name.
    """

    at_s: int
    kind: str
    details: dict[str, Any]
    token: str | None = None


class Ledger:
    """See the module. `path` None keeps everything in memory, for tests and for consoles that only look."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(
                str(path) if path else ":memory:",
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._migrate()
        except sqlite3.Error as error:
            raise LedgerError(f"{path or 'ledger'} cannot be used: {error}") from error

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    # --- bulletins ever seen

    def archive(self, raw: bytes, seen_s: int | None) -> None:
        """Keep one verified bulletin part for good; the first copy stays."""
        header = decode_header(raw)
        self._write(
            "INSERT OR IGNORE INTO bulletin_part VALUES (?, ?, ?, ?, ?)",
            (header.origin, header.seq, header.part, bytes(raw), seen_s),
        )

    def archived(self) -> list[bytes]:
        """The latest MAX_ARCHIVED_PARTS parts, oldest first."""
        rows = self._read(
            "SELECT raw FROM bulletin_part ORDER BY seen_s DESC, rowid DESC LIMIT ?", (MAX_ARCHIVED_PARTS,)
        )
        return [row[0] for row in reversed(rows)]

    # --- reports and answers

    def keep_letter(self, kind: int, raw: bytes, seen_s: int | None) -> None:
        """Keep one verified REPORT or ANSWER for good, sealed as it is; the first copy stays."""
        header = decode_header(raw)
        self._write(
            "INSERT OR IGNORE INTO letter VALUES (?, ?, ?, ?, ?)",
            (kind, header.origin, header.seq, bytes(raw), seen_s),
        )

    def letters(self) -> list[tuple[int, bytes]]:
        """(kind, raw) of the latest MAX_LETTERS, oldest first."""
        rows = self._read(
            "SELECT kind, raw FROM letter ORDER BY seen_s DESC, rowid DESC LIMIT ?", (MAX_LETTERS,)
        )
        return [(row[0], row[1]) for row in reversed(rows)]

    # --- receipts

    def keep(self, news: list[NewReceipt]) -> None:
        """Make receipts durable, all of one call together."""

        def insert() -> None:
            for new in news:
                key = (*new.key, new.point)
                self._db.execute("INSERT OR IGNORE INTO receipt VALUES (?, ?, ?, NULL, NULL)", key)
                column = "read_s" if new.read else "received_s"
                self._db.execute(
                    f"UPDATE receipt SET {column} = COALESCE({column}, ?)"
                    " WHERE origin = ? AND seq = ? AND point = ?",
                    (new.time_s, *key),
                )

        if news:
            self._transaction(insert)

    def receipts(self) -> Receipts:
        """Everything kept so far."""
        receipts = Receipts()
        for origin, seq, point, received_s, read_s in self._read("SELECT * FROM receipt", ()):
            receipts.restore((origin, seq), point, Receipt(received_s, read_s))
        return receipts

    # --- journal

    def note(self, entries: list[Entry]) -> None:
        """Append lines, all of one call together."""

        def insert() -> None:
            for entry in entries:
                self._db.execute(
                    "INSERT OR IGNORE INTO journal (at_s, kind, details, token) VALUES (?, ?, ?, ?)",
                    (entry.at_s, entry.kind, json.dumps(entry.details, ensure_ascii=False), entry.token),
                )

        if entries:
            self._transaction(insert)

    def journal(self, limit: int = MAX_JOURNAL_SHOWN) -> list[Entry]:
        """The latest lines, newest first."""
        rows = self._read(
            "SELECT at_s, kind, details, token FROM journal ORDER BY at_s DESC, id DESC LIMIT ?", (limit,)
        )
        return [Entry(at_s, kind, json.loads(details), token) for at_s, kind, details, token in rows]

    # --- sequence numbers

    def highest(self, origin: int) -> int | None:
        """The highest number known to be used by an authority, or None when this ledger has never met any."""
        row = self._read(
            "SELECT MAX(n) FROM (SELECT used AS n FROM counter WHERE origin = ?1"
            " UNION ALL SELECT MAX(seq) FROM bulletin_part WHERE origin = ?1)",
            (origin,),
        )
        return row[0][0]

    def with_next_number(self, origin: int, known: int, use: Callable[[int], _Result]) -> _Result:
        """`use(number)` with the next number of an authority, above `known` and all that this ledger knows.

        `use` runs inside the database's write lock, after the number has been taken and before that is
        committed: it makes the record durable. When it raises, the number is free again, because nothing
        carries it.
        """

        def take() -> _Result:
            number = max(known, self.highest(origin) or 0) + 1
            if number > MAX_SEQ:
                raise LedgerError(
                    f"sequence number is {number}, limit {MAX_SEQ}; this authority needs a new key"
                )
            self._db.execute("INSERT OR REPLACE INTO counter VALUES (?, ?)", (origin, number))
            self._db.execute("INSERT INTO made VALUES (?, ?)", (origin, number))
            return use(number)

        return self._transaction(take)

    def with_next_of(self, kind: int, origin: int, known: int, use: Callable[[int], _Result]) -> _Result:
        """The same for records of another kind, each of which has a counter of its own."""

        def take() -> _Result:
            row = self._db.execute(
                "SELECT MAX(n) FROM (SELECT used AS n FROM other_counter WHERE kind = ?1 AND origin = ?2"
                " UNION ALL SELECT MAX(seq) FROM letter WHERE kind = ?1 AND origin = ?2)",
                (kind, origin),
            ).fetchone()
            number = max(known, row[0] or 0) + 1
            if number > MAX_SEQ:
                raise LedgerError(f"sequence number is {number}, limit {MAX_SEQ}; the key must be replaced")
            self._db.execute("INSERT OR REPLACE INTO other_counter VALUES (?, ?, ?)", (kind, origin, number))
            return use(number)

        return self._transaction(take)

    def made(self) -> set[BulletinKey]:
        """Bulletins that were made with this ledger."""
        return {(origin, seq) for origin, seq in self._read("SELECT origin, seq FROM made", ())}

    def raise_number(self, origin: int, used: int) -> None:
        """Numbers up to `used` are known to be taken (0: known that none is)."""
        self._write(
            "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT (origin) DO UPDATE SET used = MAX(used, ?2)",
            (origin, used),
        )

    # --- inside

    def _migrate(self) -> None:
        def step() -> None:
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA:
                raise LedgerError(
                    f"ledger has schema {version}, this program knows up to {SCHEMA}; use a newer program"
                )
            for index, script in enumerate(_MIGRATIONS[version:], version + 1):
                for statement in filter(str.strip, script.split(";")):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {index}")

        self._transaction(step)

    def _transaction(self, work: Callable[[], _Result]) -> _Result:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise LedgerError(f"ledger cannot be written: {error}") from error
            try:
                result = work()
                self._db.execute("COMMIT")
            except BaseException as error:
                self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise LedgerError(f"ledger cannot be written: {error}") from error
                raise
        return result

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        self._transaction(lambda: self._db.execute(statement, values))

    def _read(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise LedgerError(f"ledger cannot be read: {error}") from error


def known_numbers(replica: Any, origin: int) -> int:
    """The highest number of an authority that anything in the replica mentions, also a point's status."""
    numbers = [seq for number, seq in replica.notices if number == origin]
    for notice in replica.notices.values():
        numbers += [seq for number, seq in notice.meta.references if number == origin]
    known = max(numbers, default=0)
    told = [0]
    for status in replica.statuses.values():
        seen = status.seen_of(origin)
        if seen is not None and (seen.received or seen.read):
            told.append(min(seen.newest, known + MAX_LEAP))
    return max(known, *told)


def key_text(key: BulletinKey) -> str:
    """A reference as people write it: authority/number."""
    return f"{key[0]}/{key[1]}"
