"""The ledger: numbers that are never given twice, and facts that outlive the program."""

import multiprocessing
import sqlite3

import pytest
from _exercise import ALARM, T0, Exercise

from baken.noticeboard.memory import MemoryStore
from baken_console.desk import Desk, DeskError
from baken_console.ledger import MAX_LEAP, Entry, Ledger, LedgerError, known_numbers
from baken_gateway.store import SqliteStore


def take_numbers(path, count, results):
    ledger = Ledger(path)
    results.put([ledger.with_next_number(1, 0, lambda number: number) for _ in range(count)])


def test_two_processes_never_get_the_same_number(tmp_path):
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=take_numbers, args=(path, 25, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    numbers = [number for _ in workers for number in results.get(timeout=60)]
    for worker in workers:
        worker.join()
    assert sorted(numbers) == list(range(1, 76))


def test_a_number_survives_and_is_raised_above_everything_known(tmp_path):
    path = tmp_path / "ledger.db"
    first = Ledger(path)
    assert first.with_next_number(1, 0, lambda number: number) == 1
    assert first.with_next_number(1, 41, lambda number: number) == 42
    first.close()
    assert Ledger(path).with_next_number(1, 0, lambda number: number) == 43


def test_a_number_that_carried_nothing_is_free_again():
    ledger = Ledger(None)

    def fails(number):
        raise DeskError("no")

    with pytest.raises(DeskError):
        ledger.with_next_number(1, 0, fails)
    assert ledger.highest(1) is None
    assert ledger.with_next_number(1, 0, lambda number: number) == 1


def test_numbers_that_points_or_others_mention_are_not_used_again(tmp_path):
    exercise = Exercise(tmp_path)
    exercise.take(*exercise.records_of(5))
    exercise.report("OV01", received=[9])
    assert exercise.send().ref == "1/10"


def test_a_stolen_point_cannot_use_up_the_numbers(tmp_path):
    exercise = Exercise(tmp_path)
    exercise.report("OV01", received=[0xFFFFFF])
    assert known_numbers(exercise.desk.replica, 1) == MAX_LEAP
    assert exercise.send().key[1] == MAX_LEAP + 1


def test_a_crash_between_keeping_the_record_and_the_counter_reuses_nothing(tmp_path):
    """The record is in the store, the counter's transaction was lost: the replica still knows the number."""
    exercise = Exercise(tmp_path, store=SqliteStore(tmp_path / "replica.db"))

    class Crash(BaseException):
        pass

    def keep_then_crash(number):
        for raw in exercise.records_of(number):
            exercise.desk.replica.receive_record(raw, T0)
        raise Crash

    with pytest.raises(Crash):
        exercise.ledger.with_next_number(1, 0, keep_then_crash)
    again = Desk(exercise.region, SqliteStore(tmp_path / "replica.db"), Ledger(None), exercise.key)
    assert again.make(ALARM, T0).ref == "1/2"


def test_receipts_archive_and_journal_are_there_after_a_restart(tmp_path):
    exercise = Exercise(tmp_path)
    exercise.ledger = exercise.desk.ledger = Ledger(tmp_path / "ledger.db")
    exercise.send(valid_s=3600)
    exercise.report("OV01", received=[1], read=[1])
    lines = exercise.desk.journal()
    exercise.ledger.close()
    exercise.later(2 * 3600)
    again = Desk(exercise.region, MemoryStore(), Ledger(tmp_path / "ledger.db"), exercise.key)
    again.absorb(exercise.clock.now_s)
    row = again.board(exercise.clock.now_s).bulletins[0]
    assert (row.ref, row.state, row.received, row.read) == ("1/1", "expired", 1, 1)
    assert again.journal() == lines
    assert {line.kind for line in lines} == {"bulletin", "status", "received", "read"}


def test_one_fact_makes_one_line_however_often_it_is_seen():
    ledger = Ledger(None)
    for _ in range(3):
        ledger.note([Entry(5, "sent", {"ref": "1/1"}, "sent:1/1"), Entry(6, "broker-up", {"broker": "b"})])
    kinds = [line.kind for line in ledger.journal()]
    assert kinds.count("sent") == 1 and kinds.count("broker-up") == 3


def test_a_ledger_of_a_newer_program_is_refused_with_both_versions(tmp_path):
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 9")
    database.close()
    with pytest.raises(LedgerError, match="schema 9.*knows up to 2"):
        Ledger(path)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"no database at all, but long enough to look at" * 100)
    with pytest.raises(LedgerError, match="ledger.db cannot be used"):
        Ledger(tmp_path / "ledger.db")
