"""One fetch for all who ask for the same at once: the others wait for what the first one brings."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any


@dataclass
class _Flight:
    task: asyncio.Task[Any]
    aboard: int = 0


class SingleFlight:
    """Fetches under way. Whoever wants what is being fetched already joins in; the last one to leave ends it."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    def is_under_way(self, key: Hashable) -> bool:
        """Is it being fetched?"""
        return key in self._flights

    async def join(self, key: Hashable, fetch: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of the *fetch* under that key, begun now if there is none. Its failure is everybody's."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(fetch()))
            flight.task.add_done_callback(lambda _: self._landed(key, flight))
        flight.aboard += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.aboard -= 1
            if flight.aboard == 0 and not flight.task.done():
                flight.task.cancel()
                self._landed(key, flight)

    def _landed(self, key: Hashable, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
