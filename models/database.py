"""The one SQLite file that all programs share, and the only ways into it.

WAL with ``synchronous=FULL``: an acknowledged commit survives a power cut, because rows here are money.
Whatever only SQLite can do stays in this module.
"""

import asyncio
import contextlib
import fcntl
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import peewee
from playhouse.migrations import Runner

from models.errors import NestedTransaction, SchemaTooNew

BUSY_TIMEOUT_MS = 5_000
POLL_S = 0.05

CHECKPOINT_PAGES = 8_000
"""Past so many pages (32 MB) of log the next commit checkpoints by itself. A delivery writes about fifty: SQLite's 1000
would have every twentieth customer wait for it, while :func:`checkpoint` does it beside them."""

MIGRATIONS = Path(__file__).with_name("migrations")

# ``busy_timeout`` comes first: switching to WAL itself may meet a lock.
PRAGMAS = (
    ("busy_timeout", BUSY_TIMEOUT_MS),
    ("journal_mode", "wal"),
    ("synchronous", "full"),
    ("foreign_keys", 1),
    ("journal_size_limit", 64 << 20),
    ("wal_autocheckpoint", CHECKPOINT_PAGES),
    ("temp_store", "memory"),
)

PRIMARY_CODE = 0xFF
PASSING = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR})
"""SQLite's codes for what may pass. A full disk is an input/output error where the file beside the log has to grow."""

DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""SQLite's codes for a file that is not what it should be."""

logger = logging.getLogger(__name__)


class _Database(peewee.SqliteDatabase):
    def rollback(self) -> None:
        """Roll back what there is: on a full disk SQLite has done it, and asking again would hide the reason."""
        if self.connection().in_transaction:  # type: ignore[no-untyped-call]
            super().rollback()


database: peewee.SqliteDatabase = _Database(None)


def migrate(path: Path, back_up: Callable[[str], object] | None = None) -> list[str]:
    """Bring the schema of the file at *path* up to date; return the names of the migrations that were applied.

    A lock beside the file keeps two programs from migrating at once; the later one finds nothing to do.

    :param back_up: called with the name of the first migration before a file that holds a schema already is changed.
        What it raises keeps the file as it is.
    :raises SchemaTooNew: the file has been migrated by a newer version of the code.
    """
    with _locked(path.with_name(f"{path.name}.migrate.lock")), _runner(path) as runner:
        applied = set(runner.applied())
        missing = _missing(runner, applied)
        if missing and applied and back_up is not None:
            back_up(missing[0])
        return list(runner.up())


def pending(path: Path) -> list[str]:
    """The migrations that the file at *path* still lacks.

    :raises SchemaTooNew: the file has been migrated by a newer version of the code.
    """
    with _runner(path) as runner:
        return _missing(runner, set(runner.applied()))


@contextlib.contextmanager
def _runner(path: Path) -> Iterator[Runner]:
    target = peewee.SqliteDatabase(str(path), pragmas=PRAGMAS)
    with target.connection_context():
        yield Runner(target, str(MIGRATIONS))


def _missing(runner: Runner, applied: set[str]) -> list[str]:
    known = [migration.name for migration in runner.migrations()]
    unknown = applied - set(known)
    if unknown:
        raise SchemaTooNew(sorted(unknown))
    return [name for name in known if name not in applied]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def open_database(path: Path) -> None:
    """Bind the models to the file at *path* and connect the calling thread."""
    database.init(str(path), pragmas=PRAGMAS)
    database.connect(reuse_if_open=True)


def close_database() -> None:
    """Close the calling thread's connection; harmless when there is none."""
    if not database.is_closed():
        database.close()


@contextlib.contextmanager
def transaction(*, durable: bool = True) -> Iterator[None]:
    """Open the outermost IMMEDIATE transaction of a domain operation.

    IMMEDIATE because a deferred read-then-write fails at once under WAL when another process wrote in between
    (the busy timeout does not apply to that upgrade). Nested, Peewee would make it a savepoint without saying so
    and half an operation could commit: hence the refusal.

    :param durable: False does not wait for the disk, for steps that are simply done again when they are lost: a lease,
        a progress message. A crash of the program loses nothing; a power cut may lose it, but never something older
        than what it loses: the next durable commit, of whatever, makes all before it durable.
    :raises NestedTransaction: a transaction is already open on this connection.
    """
    if database.in_transaction():
        raise NestedTransaction("a write transaction is already open here")
    if not durable:
        database.execute_sql("PRAGMA synchronous = NORMAL")
    try:
        with database.atomic("IMMEDIATE"):
            yield
    finally:
        if not durable:
            database.execute_sql("PRAGMA synchronous = FULL")


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
    """Let several reads see one state of the database. Inside a write transaction it adds nothing."""
    if database.in_transaction():
        yield
        return
    with database.atomic("DEFERRED"):
        yield


def checkpoint() -> None:
    """Write what the log holds into the database, without making anybody wait: for a program with time to spare."""
    database.execute_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def data_version() -> int:
    """SQLite's counter of commits made by *other* connections: comparable only with itself, on one connection."""
    return int(database.data_version)


def is_passing(error: peewee.OperationalError) -> bool:
    """Whether nothing is wrong with the database itself: its disk is full, or somebody holds it for long."""
    return _code(error) in PASSING


def is_locked(error: BaseException) -> bool:
    """Whether somebody else has held it for too long."""
    return _code(error) == sqlite3.SQLITE_BUSY


def is_damage(error: BaseException) -> bool:
    """Whether the file itself is damaged. No retry helps, and whoever goes on writes into it."""
    return _code(error) in DAMAGE


def _code(error: BaseException) -> int:
    """SQLite's primary code for what went wrong; what comes while rows are fetched is not in Peewee's words."""
    code: int = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
    return code & PRIMARY_CODE


class Watcher:
    """Tells when another process, or another thread of this one, has committed.

    A thread of its own asks for ``data_version``: twenty times a second through the loop would cost an idle program
    more than everything else that it does. The version does not move on one's own connection's commits but does on
    those of this process's other threads, so no writer need say anything. Spurious wakes happen (a checkpoint moves
    it too); missed ones do not.
    """

    def __init__(self) -> None:
        self._moved = asyncio.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    async def wait(self, timeout: float) -> bool:
        """Wait until something was committed; False when *timeout* seconds passed without."""
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._watch, args=(loop,), name="watcher", daemon=True)
            self._thread.start()
        if not self._moved.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), timeout)
        moved = self._moved.is_set()
        self._moved.clear()
        return moved

    def close(self) -> None:
        """End the thread and its connection."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        database.connect(reuse_if_open=True)
        seen: int | None = None
        while not self._stopping.wait(POLL_S):
            version = data_version()
            if version != seen and not loop.is_closed():
                loop.call_soon_threadsafe(self._moved.set)
            seen = version
        close_database()
