"""The schema of a real file: what migrations make of it, and what they refuse."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import peewee
import pytest
from playhouse.migrations import Runner

from models import database
from models.database import sqlite
from models.errors import SchemaTooNew
from models.tables import TABLES

ROOT = Path(__file__).parents[3]


def schema(path: Path) -> dict[tuple[str, str], str]:
    """Every table and index with the words that made it."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
        ).fetchall()
    finally:
        connection.close()
    return {(kind, name): sql for kind, name, sql in rows if not name.startswith(("schema_migration", "sqlite_"))}


def test_a_migrated_file_has_the_tables_of_the_code(tmp_path: Path) -> None:
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


# ---- from every earlier schema, with rows in every table

NAMES = [migration.stem for migration in sorted(database.MIGRATIONS.glob("[0-9]*.py"))]
LATER = """
def up(migrator, db):
    db.execute_sql("ALTER TABLE user ADD COLUMN shoe_size INTEGER NOT NULL DEFAULT 42")
    db.execute_sql("CREATE TABLE later (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES user (id))")
    db.execute_sql("INSERT INTO later (user_id) SELECT id FROM user")
"""
ROWS = 3


def migrated_to(path: Path, name: str, migrations: Path) -> None:
    """Make a database as the version of the code made it whose newest migration was *name*."""
    old = peewee.SqliteDatabase(str(path), pragmas=sqlite.PRAGMAS)
    with old.connection_context():
        Runner(old, str(migrations)).up(name)


def fill(path: Path) -> dict[str, int]:
    """Put rows into every table, whatever tables there are; how many each of them has."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        ours = [name for name in tables if not name.startswith(("sqlite_", "schema_migration"))]
        for table in ours:
            columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
            for number in range(1, ROWS + 1):
                # Good for any column: an id, a reference to an id, a text, a JSON document.
                values = [f"{number}" if "TEXT" in column[2] else number for column in columns]
                connection.execute(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(values))})', values)
        connection.commit()
        return {table: ROWS for table in ours}


def counts(path: Path, tables: Iterable[str]) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as connection:
        return {table: connection.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0] for table in tables}


@pytest.mark.parametrize("name", NAMES)
def test_from_every_earlier_schema_nothing_is_lost(tmp_path: Path, migrated: Path, name: str) -> None:
    path = tmp_path / "old.db"
    migrated_to(path, name, database.MIGRATIONS)
    rows = fill(path)

    assert database.migrate(path) == NAMES[NAMES.index(name) + 1 :]

    assert schema(path) == schema(migrated)
    assert counts(path, rows) == rows
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_that_walk_takes_migrations_to_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrations = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, migrations)
    (migrations / "0999_later.py").write_text(LATER)
    monkeypatch.setattr(database, "MIGRATIONS", migrations)
    path = tmp_path / "old.db"
    migrated_to(path, NAMES[-1], migrations)
    rows = fill(path)

    assert database.migrate(path) == ["0999_later"]
    assert counts(path, [*rows, "later"]) == rows | {"later": ROWS}


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrations = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, migrations)
    (migrations / "0999_later.py").write_text(LATER + "    db.execute_sql('INSERT INTO nowhere VALUES (1)')\n")
    path = tmp_path / "old.db"
    migrated_to(path, NAMES[-1], migrations)
    fill(path)
    before = schema(path)
    monkeypatch.setattr(database, "MIGRATIONS", migrations)

    with pytest.raises(peewee.OperationalError, match="nowhere"):
        database.migrate(path)

    assert schema(path) == before
    assert database.pending(path) == ["0999_later"]


def test_programs_that_start_together_migrate_once(tmp_path: Path) -> None:
    path = tmp_path / "peaje.db"
    program = f"from pathlib import Path; from models import database; print(database.migrate(Path({str(path)!r})))"
    started = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert sorted(said) == sorted([str(NAMES), "[]", "[]", "[]"])


def test_the_file_uses_wal_and_commits_reach_the_disk(database_file: Path) -> None:
    pragma = {name: database.bound.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert database.bound.pragma("busy_timeout") == 5000
