"""Wakes whoever waits for rows: one look at the database for all consumers of this process."""

import asyncio

from models.database import Watcher

LOOK_S = 60.0


class Wakeup:
    """Rings when any process has committed. Whoever commits for a consumer in this process rings it himself."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._waiters: set[asyncio.Event] = set()

    def ring(self) -> None:
        """Wake everybody. Call it from the event loop's thread."""
        for waiter in self._waiters:
            waiter.set()

    async def run(self) -> None:
        """Listen for commits of other processes, for ever."""
        while True:
            if await self._watcher.wait(LOOK_S):
                self.ring()

    def close(self) -> None:
        """Listen no more."""
        self._watcher.close()

    def subscribe(self) -> "Subscription":
        """Return an ear of one's own; a ring between two waits is not missed."""
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        return Subscription(waiter)


class Subscription:
    """One consumer's hearing."""

    def __init__(self, rung: asyncio.Event) -> None:
        self._rung = rung

    async def wait(self, timeout: float) -> bool:
        """Wait for a ring since the last call; False after *timeout* seconds without."""
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True
