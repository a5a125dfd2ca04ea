"""The one database that all programs share, and the only ways into it.

What everybody calls stands here. What only one kind of database can do, its SQL included, stands in its engine
(:mod:`models.database.sqlite`) and in :mod:`models.database.files`: no statement elsewhere depends on it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peewee

from models.database.engine import Engine, Trouble, Wakes
from models.database.sqlite import SQLite
from models.errors import NestedTransaction, SchemaTooNew

if TYPE_CHECKING:
    from playhouse.migrations import Runner

MIGRATIONS = Path(__file__).parents[1] / "migrations"
BREATH_S = 0.05
BEYOND = 1 << 40
"""Later than any time in a row, and larger than any id."""

_engine: Engine = SQLite()

bound: peewee.Database = _engine.peewee
"""What :mod:`models.tables` is bound to. Nobody else has a use for it."""

ERRORS = _engine.errors
"""What a statement may raise: Peewee's errors, and the driver's, which come while rows are fetched."""


def migrate(path: Path, back_up: Callable[[str], object] | None = None) -> list[str]:
    """Bring the schema of the database at *path* up to date; return the names of the migrations that were applied.

    Two programs never migrate at once; the later one finds nothing to do.

    :param back_up: called with the name of the first migration before a database that holds a schema already is
        changed. What it raises keeps the database as it is.
    :raises SchemaTooNew: the database has been migrated by a newer version of the code.
    """
    engine = SQLite(path)
    with engine.migrating(), _runner(engine) as runner:
        applied = set(runner.applied())
        missing = _missing(runner, applied)
        if missing and applied and back_up is not None:
            back_up(missing[0])
        return list(runner.up())


def pending(path: Path) -> list[str]:
    """The migrations that the database at *path* still lacks.

    :raises SchemaTooNew: the database has been migrated by a newer version of the code.
    """
    with _runner(SQLite(path)) as runner:
        return _missing(runner, set(runner.applied()))


@contextlib.contextmanager
def _runner(engine: Engine) -> Iterator[Runner]:
    # Only now: it loads every kind of database that Peewee knows, and most programs find their schema made.
    from playhouse.migrations import Runner

    with engine.peewee.connection_context():
        yield Runner(engine.peewee, str(MIGRATIONS))


def _missing(runner: Runner, applied: set[str]) -> list[str]:
    known = [migration.name for migration in runner.migrations()]
    unknown = applied - set(known)
    if unknown:
        raise SchemaTooNew(sorted(unknown))
    return [name for name in known if name not in applied]


def open_database(path: Path) -> None:
    """Bind the models to the database at *path* and connect the calling thread."""
    _engine.open(path)


def connect() -> None:
    """Connect the calling thread to the open database; harmless when it is connected."""
    bound.connect(reuse_if_open=True)


def connected() -> AbstractContextManager[None]:
    """Connect the calling thread for as long as a ``with`` block runs."""
    context: AbstractContextManager[None] = bound.connection_context()
    return context


def close_database() -> None:
    """Close the calling thread's connection; harmless when there is none."""
    if not bound.is_closed():
        bound.close()


def execute(statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
    """Run *statement* and return its cursor.

    :param values: a sequence for ``?``, a mapping for ``:name``.
    """
    return bound.execute_sql(statement, values)


def mappings(statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
    """Run *statement* as :func:`execute` does, and return its rows by the names of their columns."""
    cursor = execute(statement, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def marks(values: Collection[Any]) -> str:
    """As many ``?`` as there are *values*, for ``IN (…)``."""
    return ", ".join("?" * len(values))


def tables() -> frozenset[str]:
    """The tables that the open database has: none before its first migration."""
    return frozenset(bound.get_tables())


def fetch(query: peewee.Query) -> Any:
    """Run one of Peewee's queries and return its cursor: rows as the database holds them, converted by no field."""
    return bound.execute(query)


def in_transaction() -> bool:
    """Whether a transaction is open on the calling thread's connection."""
    return bool(bound.in_transaction())


@contextlib.contextmanager
def transaction(*, durable: bool = True) -> Iterator[None]:
    """Open the outermost transaction of a domain operation. There is one writer at a time.

    Nested, Peewee would make it a savepoint without saying so and half an operation could commit: hence the refusal.

    :param durable: False does not wait for the disk, for steps that are simply done again when they are lost: a lease,
        a progress message. A crash of the program loses nothing; a power cut may lose it, but never something older
        than what it loses: the next durable commit, of whatever, makes all before it durable.
    :raises NestedTransaction: a transaction is already open on this connection.
    """
    if bound.in_transaction():
        raise NestedTransaction("a write transaction is already open here")
    with _engine.writing(durable):
        yield


@contextlib.contextmanager
def joined_transaction(*, durable: bool = True) -> Iterator[None]:
    """The caller's transaction where one is open, else one as :func:`transaction` opens it.

    For an operation that stands alone and is also a step of a larger one: what the team does, with its audit row.
    """
    if bound.in_transaction():
        yield
        return
    with transaction(durable=durable):
        yield


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
    """Let several reads see one state of the database. Inside a write transaction it adds nothing."""
    if bound.in_transaction():
        yield
        return
    with _engine.reading():
        yield


def give_way() -> None:
    """Let other programs write between two steps of long work: who waits for the database asks for it now and then."""
    time.sleep(BREATH_S)


def checkpoint() -> None:
    """Do what the database puts off, without making anybody wait: for a program with time to spare."""
    _engine.tidy()


def wakes() -> Wakes:
    """Begin to watch for commits of other connections, for one thread to wait on."""
    return _engine.wakes()


def is_passing(error: BaseException) -> bool:
    """Whether the database itself is sound: its disk is full, or another connection holds it for long."""
    return _engine.trouble(error) in (Trouble.PASSING, Trouble.LOCKED)


def is_locked(error: BaseException) -> bool:
    """Whether another connection has held the database for too long."""
    return _engine.trouble(error) is Trouble.LOCKED


def is_damage(error: BaseException) -> bool:
    """Whether the database itself is damaged. No retry helps, and a program that goes on makes it worse."""
    return _engine.trouble(error) is Trouble.DAMAGE
