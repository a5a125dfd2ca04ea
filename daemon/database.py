"""The one way from the event loop to the database."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import peewee

from models.database import ERRORS, close_database, connect, is_damage, is_passing
from models.errors import Damaged

P = ParamSpec("P")
T = TypeVar("T")

RETRY_S = 1.0
"""Between two attempts to write to a database that is full or locked."""

logger = logging.getLogger(__name__)


class Database:
    """A single thread that owns a connection; calling the object runs a function there. :meth:`aside` has another.

    Peewee keeps transaction state per thread, not per task: two tasks on one connection would join each other's
    transactions. One thread makes calls serial and never blocks the loop.

    A call that finds the disk full, or the database locked for too long, has changed nothing. It is made again until it
    succeeds: its caller waits and loses nothing. Other calls may read meanwhile.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        self._aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database aside")
        self._stuck = 0
        self._damaged = asyncio.Event()

    @property
    def is_stuck(self) -> bool:
        """Is a call waiting because the database is full or locked?"""
        return self._stuck > 0

    @property
    def met_damage(self) -> bool:
        """Has a call found the file damaged? Then nothing more may be written to it."""
        return self._damaged.is_set()

    async def watch(self) -> None:
        """Wait until a call finds the file damaged.

        :raises Damaged: a call has found it.
        """
        await self._damaged.wait()
        raise Damaged

    async def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function(*args, **kwargs)`` in the database thread and return its result."""
        try:
            return await self._run(function, *args, **kwargs)
        except peewee.OperationalError as error:
            if not is_passing(error):
                raise
            logger.error("database.stuck", extra={"reason": str(error)})
        self._stuck += 1
        try:
            return await self._retry(function, *args, **kwargs)
        finally:
            self._stuck -= 1

    async def aside(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that only reads, and may read much, while other calls go on."""
        return await self._run_in(self._aside, function, *args, **kwargs)

    async def _retry(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        while True:
            await asyncio.sleep(RETRY_S)
            try:
                return await self._run(function, *args, **kwargs)
            except peewee.OperationalError as error:
                if not is_passing(error):
                    raise

    async def _run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run_in(self._executor, function, *args, **kwargs)

    async def _run_in(
        self, executor: ThreadPoolExecutor, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(executor, lambda: _connected(function, *args, **kwargs))
        except ERRORS as error:
            if is_damage(error):
                self._damaged.set()
            raise

    async def close(self) -> None:
        """Wait for calls under way, then close both connections."""
        loop = asyncio.get_running_loop()
        for executor in (self._aside, self._executor):
            await loop.run_in_executor(executor, close_database)
            executor.shutdown(wait=True)


def _connected(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    connect()
    return function(*args, **kwargs)
