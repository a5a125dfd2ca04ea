"""Wakes the tasks of this process that wait for rows: one watcher of the database's commits serves them all."""

import asyncio
import contextlib
import threading

from models import database

WATCH_S = 60.0


class Watcher:
    """Tells an event loop when another process, or another thread of this one, has committed.

    A thread of its own waits for it: asking through the loop would cost an idle program more than everything else that
    it does. Spurious wakes happen; missed ones do not.
    """

    def __init__(self) -> None:
        self._moved = asyncio.Event()
        self._wakes = database.wakes()
        self._is_closed = False
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
        self._is_closed = True
        self._wakes.close()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        database.connect()
        while not self._is_closed:
            if self._wakes.wait(WATCH_S) and not loop.is_closed():
                loop.call_soon_threadsafe(self._moved.set)
        database.close_database()


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
