"""Single flight: callers that ask for the same at the same time share one fetch."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any


@dataclass
class _Fetch:
    task: asyncio.Task[Any]
    waiting: int = 0


class SingleFlight:
    """The fetches under way. A caller joins its key's fetch; when the last caller is cancelled, so is the fetch."""

    def __init__(self) -> None:
        self._fetches: dict[Hashable, _Fetch] = {}

    def is_under_way(self, key: Hashable) -> bool:
        """Is there a fetch under this key?"""
        return key in self._fetches

    async def join(self, key: Hashable, fetch: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of the fetch under *key*, which is started with *fetch* if there is none. All get its error."""
        running = self._fetches.get(key)
        if running is None:
            running = self._fetches[key] = _Fetch(asyncio.create_task(fetch()))
            running.task.add_done_callback(lambda _: self._remove(key, running))
        running.waiting += 1
        try:
            return await asyncio.shield(running.task)
        finally:
            running.waiting -= 1
            if running.waiting == 0 and not running.task.done():
                running.task.cancel()
                self._remove(key, running)

    def _remove(self, key: Hashable, running: _Fetch) -> None:
        if self._fetches.get(key) is running:
            del self._fetches[key]
