"""The seam between the models and a database: what an engine must do, and nothing that is the same in all of them."""

import enum
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import peewee


class Trouble(enum.Enum):
    """What an error of the database means for the caller."""

    PASSING = "passing"
    """Nothing is wrong with the database itself: the disk is full, or cannot be written to for a moment."""

    LOCKED = "locked"
    """Another connection has held the database for too long. That passes too."""

    DAMAGE = "damage"
    """The database is not what it should be. No retry helps."""


class Wakes(Protocol):
    """Tells one thread when another connection has committed, in this process or another."""

    def wait(self, seconds: float) -> bool:
        """Wait until something was committed; False after *seconds* without, and once closed.

        It may return True for nothing, but it misses nothing that was committed between two calls. All calls come from
        one thread, whose connection it uses.
        """

    def close(self) -> None:
        """End the waiting within a moment, from any thread or a signal handler."""


class Engine(Protocol):
    """A kind of database, bound to one of them by :meth:`open`."""

    peewee: peewee.Database
    errors: tuple[type[Exception], type[Exception]]
    """What a statement may raise: Peewee's errors, and the driver's, which come while rows are fetched."""

    def open(self, where: Path) -> None:
        """Use the database at *where* from now on, and connect the calling thread."""

    def writing(self, durable: bool) -> AbstractContextManager[None]:
        """A transaction that no other writer enters meanwhile. Not *durable*: a power cut may lose it."""

    def reading(self) -> AbstractContextManager[None]:
        """A transaction whose reads see one state of the database."""

    def migrating(self) -> AbstractContextManager[None]:
        """Keep every other program from migrating this database meanwhile."""

    def tidy(self) -> None:
        """Do what the database puts off, without making anybody wait."""

    def wakes(self) -> Wakes:
        """Begin to watch for commits."""

    def trouble(self, error: BaseException) -> Trouble | None:
        """What *error* means; None for one that says something about the statement alone."""
