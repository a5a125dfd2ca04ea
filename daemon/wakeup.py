"""Wakes the tasks of this process that wait for rows: one watcher of the database's commits serves them all."""

import asyncio

from models.database import Watcher

WATCH_S = 60.0


class Wakeup:
    """Wakes its subscribers when another process has committed. Tasks of this process that commit call :meth:`wake`."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._events: set[asyncio.Event] = set()

    def wake(self) -> None:
        """Wake every subscriber. Call it from the event loop's thread."""
        for event in self._events:
            event.set()

    async def run(self) -> None:
        """Watch for commits of other processes until cancelled."""
        while True:
            if await self._watcher.wait(WATCH_S):
                self.wake()

    def close(self) -> None:
        """Stop watching."""
        self._watcher.close()

    def subscribe(self) -> "Subscription":
        """Return a subscription of the caller's own."""
        event = asyncio.Event()
        self._events.add(event)
        return Subscription(event)


class Subscription:
    """One consumer's side. A wake-up between two waits is not missed."""

    def __init__(self, woken: asyncio.Event) -> None:
        self._woken = woken

    async def wait(self, timeout: float) -> bool:
        """Wait for a wake-up since the last call; False after *timeout* seconds without one."""
        try:
            async with asyncio.timeout(timeout):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True
