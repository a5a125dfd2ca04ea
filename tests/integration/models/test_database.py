"""Transactions: one writer, all or nothing, reads of one moment; and what an error of the database means."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import peewee
import pytest

from models import database, notes
from models.database import execute, joined_transaction, snapshot, transaction
from models.errors import NestedTransaction

pytestmark = pytest.mark.usefixtures("database_file")


@contextmanager
def another(file: Path) -> Iterator[sqlite3.Connection]:
    """Another program's connection, which waits for nobody."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as connection:
        yield connection


def write(connection: sqlite3.Connection, key: str) -> None:
    connection.execute("INSERT INTO note (key, value, at) VALUES (?, '1', 1)", (key,))


def test_a_transaction_in_another_is_refused() -> None:
    with transaction():
        notes.write("outer", 1, 1)
        with pytest.raises(NestedTransaction), transaction():
            notes.write("inner", 1, 1)
    assert (notes.get("outer"), notes.get("inner")) == (1, None)
    assert not database.in_transaction()


def test_what_joins_a_transaction_ends_with_it() -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        with joined_transaction():
            notes.write("joined", 1, 1)
        assert database.in_transaction()
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), joined_transaction():
        notes.write("alone", 1, 1)
        raise ZeroDivisionError
    assert (notes.get("joined"), notes.get("alone")) == (None, None)
    with joined_transaction():
        assert database.in_transaction()
        notes.write("alone", 1, 1)
    assert notes.get("alone") == 1


def test_there_is_one_writer_from_the_beginning(database_file: Path) -> None:
    for begin in (transaction, joined_transaction):
        with another(database_file) as other, begin():
            with pytest.raises(sqlite3.OperationalError) as locked:
                write(other, "meanwhile")
            assert database.is_locked(locked.value) and database.is_passing(locked.value)
            assert other.execute("SELECT COUNT(*) FROM note").fetchone() == (0,), "who only reads waits for nobody"


def test_a_snapshot_is_of_one_moment(database_file: Path) -> None:
    with another(database_file) as other:
        with snapshot():
            assert notes.get("late") is None
            write(other, "late")
            assert notes.get("late") is None
        assert notes.get("late") == 1
        with transaction(), snapshot():
            notes.write("own", 1, 1)
        assert notes.get("own") == 1, "the transaction around it went on"


def test_what_an_error_means_is_told_by_the_database(database_file: Path) -> None:
    with another(database_file) as other:
        other.execute("BEGIN IMMEDIATE")
        execute("PRAGMA busy_timeout = 0")
        with pytest.raises(peewee.OperationalError) as locked, transaction():
            notes.write("x", 1, 1)
        other.execute("ROLLBACK")
    pages = execute("PRAGMA page_count").fetchone()[0]
    execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(peewee.OperationalError) as full, transaction():
        notes.write("x", "x" * 100_000, 1)
    with pytest.raises(peewee.OperationalError) as wrong:
        execute("SELECT * FROM nothing_of_that_name")
    with pytest.raises(peewee.IntegrityError) as refused:
        execute("INSERT INTO batch (user_id, chat_id, source_key, total, created_at) VALUES (404, 1, 'x', 1, 1)")
    database.close_database()
    database_file.write_bytes(b"no database" * 1000)
    with pytest.raises(peewee.DatabaseError) as damaged:
        database.open_database(database_file)
    errors = [each.value for each in (locked, full, damaged, wrong, refused)]
    assert list(map(database.is_locked, errors)) == [True, False, False, False, False]
    assert list(map(database.is_passing, errors)) == [True, True, False, False, False]
    assert list(map(database.is_damage, errors)) == [False, False, True, False, False]
    assert not any(judge(ValueError()) for judge in (database.is_locked, database.is_passing, database.is_damage))


def test_before_its_first_migration_a_database_has_no_table(tmp_path: Path) -> None:
    assert "note" in database.tables()
    database.close_database()
    backed_up: list[str] = []
    database.open_database(tmp_path / "new.db")
    assert database.tables() == frozenset()
    database.close_database()
    assert database.migrate(tmp_path / "new.db", backed_up.append) and backed_up == [], "there is nothing to keep"
    assert database.pending(tmp_path / "new.db") == []


def test_a_row_is_read_by_the_names_of_its_columns() -> None:
    notes.put("a", 7, 5)
    assert database.mappings("SELECT key, at FROM note WHERE key = :key", {"key": "a"}) == [{"key": "a", "at": 5}]
    assert [database.marks(values) for values in ((), (1,), (1, 2))] == ["", "?", "?, ?"]


def test_a_thread_is_connected_for_as_long_as_it_says() -> None:
    database.close_database()
    with database.connected():
        notes.put("a", 7, 5)
    assert database.bound.is_closed()
    for _ in range(2):
        database.connect()
    assert notes.get("a") == 7
    database.checkpoint()
    for _ in range(2):
        database.close_database()
