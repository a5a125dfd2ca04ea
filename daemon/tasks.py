"""Named background tasks under one monitor: a task that ends without being asked to stops the process."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger(__name__)

CANCEL_AGAIN_S = 0.2


class Tasks:
    """Holds the tasks, which the event loop itself references only weakly, and notices how they end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run *work*, which goes on until it is cancelled."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def failure(self) -> BaseException | None:
        """Wait for the first task that ends by itself, and return what it raised; None when it just returned."""
        return await self._failed

    async def stop(self) -> None:
        """Cancel all tasks and wait for them.

        Each is cancelled until it ends: ``asyncio.wait_for`` of Python 3.11 loses a cancellation that arrives together
        with the result that it waits for, and the library waits with it everywhere.
        """
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(list(self._tasks), timeout=CANCEL_AGAIN_S)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or self._failed.done():
            return
        error = task.exception()
        logger.error("task.ended", extra={"task": task.get_name()}, exc_info=error)
        self._failed.set_result(error)
