"""The schema of a real file: what migrations make of it, and what they refuse."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import peewee
import pytest

from models import database
from models.errors import SchemaTooNew
from models.tables import TABLES

ROOT = Path(__file__).parents[2]


def schema(path: Path) -> dict[tuple[str, str], str]:
    """Every table and index with the words that made it."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    finally:
        connection.close()
    return {(kind, name): sql for kind, name, sql in rows if not name.startswith(("schema_migration", "sqlite_"))}


def test_a_migrated_file_has_exactly_the_tables_and_indexes_of_the_code(tmp_path: Path) -> None:
    database.migrate(tmp_path / "migrated.db")
    created = peewee.SqliteDatabase(str(tmp_path / "created.db"))
    with created.bind_ctx(TABLES), created.connection_context():
        created.create_tables(TABLES)
    assert schema(tmp_path / "migrated.db") == schema(tmp_path / "created.db")


def test_the_second_time_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert database.migrate(tmp_path / "peaje.db")[0] == "0001_initial"
    assert database.migrate(tmp_path / "peaje.db") == []


def test_a_file_of_newer_code_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "peaje.db"
    database.migrate(path)
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO schema_migration (name, applied) VALUES ('0999_future', '2030-01-01')")
    connection.commit()
    connection.close()
    before = schema(path)
    with pytest.raises(SchemaTooNew) as refused:
        database.migrate(path)
    assert refused.value.unknown == ["0999_future"]
    assert schema(path) == before


def test_programs_that_start_together_migrate_once(tmp_path: Path) -> None:
    path = tmp_path / "peaje.db"
    program = f"from pathlib import Path; from models import database; print(database.migrate(Path({str(path)!r})))"
    started = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert sorted(said) == ["['0001_initial']", "[]", "[]", "[]"]


def test_the_file_is_in_wal_mode_and_every_commit_reaches_the_disk(database_file: Path) -> None:
    pragma = {name: database.database.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert database.database.pragma("busy_timeout") == 5000
