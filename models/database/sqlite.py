"""SQLite: one file that all programs share, in WAL mode.

``synchronous=FULL``: an acknowledged commit survives a power cut, because rows here are money.
"""

import contextlib
import fcntl
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import peewee

from config.units import MIB
from models.database.engine import Trouble
from models.database.file_changes import FileChanges
from models.database.statements import Statement

BUSY_TIMEOUT_MS = 5_000
POLL_S = 0.05
UNTOLD_S = 0.25
MOST_UNTOLD = 3
"""Commits in a row that were found without being told of: then the system's word is not waited for any more."""
FIRST_LOOK_S, LONGEST_LOOK_S, SETTLE_S = 0.001, 0.008, 0.1

CHECKPOINT_PAGES = 8_000
"""A commit that finds more pages than this (32 MB) in the log checkpoints by itself. A delivery writes about fifty:
SQLite's 1000 would have every twentieth customer wait, while :meth:`SQLite.tidy` does it beside them."""

# ``busy_timeout`` comes first: switching to WAL itself may meet a lock.
PRAGMAS = (
    ("busy_timeout", BUSY_TIMEOUT_MS),
    ("journal_mode", "wal"),
    ("synchronous", "full"),
    ("foreign_keys", 1),
    ("journal_size_limit", 64 * MIB),
    ("wal_autocheckpoint", CHECKPOINT_PAGES),
    ("temp_store", "memory"),
)

PRIMARY_CODE = 0xFF
TROUBLES = {
    sqlite3.SQLITE_FULL: Trouble.PASSING,
    sqlite3.SQLITE_IOERR: Trouble.PASSING,  # a full disk too, where the file beside the log has to grow
    sqlite3.SQLITE_BUSY: Trouble.LOCKED,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGE,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGE,
}


class _Database(peewee.SqliteDatabase):
    context_class = Statement

    def rollback(self) -> None:
        """Roll back unless SQLite has done it, as on a full disk: asking again would hide the reason."""
        if self.connection().in_transaction:  # type: ignore[no-untyped-call]
            super().rollback()


class SQLite:
    """The engine for a file. Its methods are described in :class:`models.database.engine.Engine`."""

    errors: tuple[type[Exception], type[Exception]] = (peewee.DatabaseError, sqlite3.Error)

    def __init__(self, file: Path | None = None) -> None:
        self.peewee: peewee.Database = _Database(None if file is None else str(file), pragmas=PRAGMAS)

    def open(self, where: Path) -> None:
        self.peewee.init(str(where), pragmas=PRAGMAS)
        self.peewee.connect(reuse_if_open=True)

    @contextlib.contextmanager
    def writing(self, durable: bool) -> Iterator[None]:
        """IMMEDIATE: a deferred read-then-write fails at once under WAL when another process wrote in between.

        The busy timeout does not apply to that upgrade.
        """
        if not durable:
            self.peewee.execute_sql("PRAGMA synchronous = NORMAL")
        try:
            with self.peewee.atomic("IMMEDIATE"):
                yield
        finally:
            if not durable:
                self.peewee.execute_sql("PRAGMA synchronous = FULL")

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        with self.peewee.atomic("DEFERRED"):
            yield

    @contextlib.contextmanager
    def migrating(self) -> Iterator[None]:
        """A lock beside the file."""
        with Path(f"{self.peewee.database}.migrate.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def tidy(self) -> None:
        """Write what the log holds into the file."""
        self.peewee.execute_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def wakes(self) -> "DataVersion":
        return DataVersion(self.peewee)

    def trouble(self, error: BaseException) -> Trouble | None:
        """SQLite's primary code tells; an error that comes while rows are fetched is not wrapped by Peewee."""
        code: int = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
        return TROUBLES.get(code & PRIMARY_CODE)


class DataVersion:
    """Asks for ``data_version``, SQLite's counter of commits made by *other* connections, whenever a file has changed.

    The counter is comparable only with itself, on one connection. It does not move on that connection's own commits
    but does on those of this process's other threads, so no writer need say anything. Spurious wakes happen (a
    checkpoint moves it too); missed ones do not: it is asked every :data:`UNTOLD_S` anyway, and every :data:`POLL_S`
    where the system does not tell of changes, or is found not to.
    """

    def __init__(self, database: peewee.Database) -> None:
        self._database = database
        self._changes: FileChanges | None = None
        self._untold, self._moved_at = 0, float("-inf")
        self._seen: int | None = None
        self._is_closed = False

    def wait(self, seconds: float) -> bool:
        changes = self._changes = self._changes or FileChanges(Path(self._database.database).parent)
        deadline = time.monotonic() + seconds
        time.sleep(max(0.0, min(seconds, self._moved_at + POLL_S - time.monotonic())))  # many commits are one wake
        moved = self._has_moved(0.0)  # what was told of together with the last commit, and counts only now
        while not (moved or self._is_closed) and time.monotonic() < deadline:
            told = changes.wait(UNTOLD_S if changes.is_told else POLL_S)
            moved = self._has_moved(SETTLE_S if told else 0.0)
            if moved:
                self._untold = 0 if told else self._untold + 1
        if moved:
            self._moved_at = time.monotonic()
        if self._is_closed or self._untold > MOST_UNTOLD:
            changes.close()
        return moved

    def _has_moved(self, settle_s: float) -> bool:
        """Whether the counter moves within *settle_s*: a commit counts a moment after its last bytes are written."""
        until, pause = time.monotonic() + settle_s, FIRST_LOOK_S
        while (version := self._version()) == self._seen:
            if time.monotonic() >= until:
                return False
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK_S)
        self._seen = version
        return True

    def _version(self) -> int:
        """Asked of the driver itself: what Peewee does around it costs more than the answer."""
        (version,) = self._database.connection().execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        """A plain flag: an :class:`threading.Event` that is set in a signal handler can wait for its own thread."""
        self._is_closed = True
