"""SQLite files beside the database in use: copied out of it for a backup, examined, made ready to take its place."""

import contextlib
import sqlite3
from pathlib import Path

from models.errors import BackupUnsound, DatabaseInUse

BUSY_S = 30.0
HEAD = b"SQLite format 3\0"
"""What each database begins with."""


def is_database(file: Path) -> bool:
    """Whether a file is a database, sound or not."""
    with file.open("rb") as opened:
        return opened.read(len(HEAD)) == HEAD


def copy(source: Path, target: Path) -> Path:
    """Copy a database that others are writing to, as it is at one moment, into a single file; return that.

    :raises BackupUnsound: the database is damaged.
    """
    with (
        contextlib.closing(sqlite3.connect(source, timeout=BUSY_S)) as live,
        contextlib.closing(sqlite3.connect(target)) as made,
    ):
        try:
            live.backup(made)
            made.execute("PRAGMA journal_mode = delete")
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise BackupUnsound([str(error)]) from error
    return target


def quick_faults(file: Path) -> list[str]:
    """The first fault that a quick look at the file's pages finds, in SQLite's words."""
    return _ask(file, "quick_check(1)")


def faults(file: Path, limit: int) -> list[str]:
    """Up to *limit* faults of the file: in its pages and indexes, or, when these are sound, in its references."""
    return _ask(file, f"integrity_check({limit})") or _lost_references(file, limit)


def holds_shop(file: Path) -> bool:
    """Whether a migration has made a shop of it: a database that is empty, or of another program, is sound too."""
    return _has_row(file, "schema_migration")


def holds_session(file: Path) -> bool:
    """Whether the database holds the session of an account; one from before 1.1 holds none."""
    return _has_row(file, "account WHERE session IS NOT NULL")


def close_log(file: Path) -> None:
    """Bring a database into one file without a log. One that is damaged is left as it is.

    :raises DatabaseInUse: a program has the database open.
    """
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode = delete").fetchall()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise DatabaseInUse(f"{file} is still open in a program: stop all of them first") from error
    except sqlite3.DatabaseError:
        return


def _has_row(file: Path, where: str) -> bool:
    """Whether a table has a row; it may lack the table, or one of its columns."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        try:
            return connection.execute(f"SELECT 1 FROM {where}").fetchone() is not None
        except sqlite3.OperationalError:
            return False


def _ask(file: Path, check: str) -> list[str]:
    try:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            said = [str(row[0]) for row in connection.execute(f"PRAGMA {check}")]
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if said == ["ok"] else said


def _lost_references(file: Path, limit: int) -> list[str]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        lost = connection.execute("PRAGMA foreign_key_check").fetchmany(limit)
    return [f"{table} {row}: refers to a row of {parent} that is not there" for table, row, parent, _ in lost]
