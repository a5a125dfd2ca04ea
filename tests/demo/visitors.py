"""Who looks at the demo: each browser has a customer of its own, whom no other browser sees."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.demo.bubbles import Value
from tests.demo.phone import Phone
from tests.demo.streams import Stream
from tests.sandbox_process import Sandbox

NAMES = ("Mateo", "Noah", "Emma", "Hugo", "Olivia", "Lucas", "Amelia", "Leo", "Carla", "Ethan", "Mia", "Pablo")
MOST = 12
"""Customers who are logged in at a time; who was away longest is logged off."""
CANCEL_AGAIN_S = 0.2


@dataclass
class Visitor:
    """One browser."""

    key: str
    name: str
    language: str
    streams: list[Stream] = field(default_factory=list)
    customer: Phone | None = None
    person: dict[str, Any] = field(default_factory=dict)
    tour: "asyncio.Task[None] | None" = None
    toured: bool = False
    tours_asked: int = 0
    watches: bool = False
    seen_at: float = 0.0
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    def tell(self, event: Value) -> None:
        """Tell every page of this browser."""
        for stream in list(self.streams):
            stream.put(event)

    async def end_tour(self) -> None:
        """End the tour, and wait until it has ended: nothing of it is told afterwards.

        It is asked more than once. A cancellation is lost where what was waited for comes in the same moment
        (``asyncio.wait_for``, until Python 3.12).
        """
        while self.tour is not None and not self.tour.done():
            self.tour.cancel()
            await asyncio.wait([self.tour], timeout=CANCEL_AGAIN_S)


class Visitors:
    """All of them. To be used on the event loop."""

    def __init__(self) -> None:
        self._known: dict[str, Visitor] = {}
        self._made, self._welcomed = 0, -1

    def find(self, key: str) -> Visitor | None:
        """The visitor with this key."""
        return self._known.get(key)

    def welcome(self, language: str) -> Visitor:
        """Somebody new."""
        for known in [known for known, each in self._known.items() if not each.person and not each.streams][:-MOST]:
            del self._known[known]  # who has loaded the page and never opened it
        key = secrets.token_urlsafe(24)
        self._welcomed += 1
        visitor = self._known[key] = Visitor(key, NAMES[self._welcomed % len(NAMES)], language)
        return visitor

    def present(self) -> list[Visitor]:
        """Those who have the page open."""
        return [each for each in self._known.values() if each.streams]

    def others(self, visitor: Visitor) -> set[int]:
        """The customers whom this visitor must not see."""
        return {int(each.person["id"]) for each in self._known.values() if each.person and each is not visitor}

    async def customer(self, visitor: Visitor, sandbox: Sandbox) -> Phone:
        """The visitor's customer, logged in."""
        visitor.seen_at = time.monotonic()
        async with visitor.opening:
            if visitor.customer is None:
                if not visitor.person:
                    self._made += 1
                    username = f"{visitor.name.lower()}_{self._made}"
                    asked = {"first_name": visitor.name, "username": username, "language_code": visitor.language}
                    made = await asyncio.to_thread(sandbox.control, "POST", "/users", asked)
                    visitor.person = made["users"][0]
                await self._make_room()
                visitor.customer = await Phone(sandbox.scenario, visitor.person, "customer", visitor.tell).start()
        return visitor.customer

    async def _make_room(self) -> None:
        here = sorted((each for each in self._known.values() if each.customer), key=lambda each: each.seen_at)
        for each in here[: max(0, len(here) - MOST + 1)]:
            await self._log_off(each)

    async def _log_off(self, visitor: Visitor) -> None:
        await visitor.end_tour()
        if visitor.customer is not None:
            with contextlib.suppress(ConnectionError, TimeoutError):
                await visitor.customer.stop()
            visitor.customer = None

    async def forget(self) -> None:
        """End everybody's customer: the shop begins anew."""
        for each in list(self._known.values()):
            await self._log_off(each)
            each.person, each.toured = {}, False

    def tell(self, event: Value) -> None:
        """Tell everybody."""
        for each in self.present():
            each.tell(event)

    def close(self) -> None:
        """End all streams."""
        for stream in self._streams():
            stream.close()

    def _streams(self) -> Iterator[Stream]:
        for each in self._known.values():
            yield from each.streams
