"""What the bot holds: files it has uploaded or sent, which it can send again with one call.

A :class:`Held` file is a value: it goes to the database as JSON and comes back, and a post that ten customers ask for
at once is fetched once, the others waiting for what it brings.
"""

import asyncio
import base64
from collections.abc import Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from pyrogram import raw


@dataclass(frozen=True)
class Held:
    """A file as the bot may name it. ``kind`` is ``photo`` or ``document``."""

    kind: str
    id: int
    access_hash: int
    file_reference: bytes

    @classmethod
    def of(cls, media: Any) -> "Held":
        """The file in a message's media that the bot itself received or uploaded."""
        if isinstance(media, raw.types.MessageMediaPhoto):
            return cls("photo", media.photo.id, media.photo.access_hash, media.photo.file_reference)
        document = media.document
        return cls("document", document.id, document.access_hash, document.file_reference)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> "Held":
        """What :meth:`row` wrote."""
        return cls(row["kind"], row["id"], row["access_hash"], base64.b64decode(row["file_reference"]))

    def row(self) -> dict[str, Any]:
        """The JSON form."""
        reference = base64.b64encode(self.file_reference).decode()
        return {"kind": self.kind, "id": self.id, "access_hash": self.access_hash, "file_reference": reference}

    def input_media(self, *, spoiler: bool) -> Any:
        """The media object that sends it, under a *spoiler* or not: that is the message's, not the file's."""
        named = {"id": self.id, "access_hash": self.access_hash, "file_reference": self.file_reference}
        if self.kind == "photo":
            return raw.types.InputMediaPhoto(id=raw.types.InputPhoto(**named), spoiler=spoiler or None)
        return raw.types.InputMediaDocument(id=raw.types.InputDocument(**named), spoiler=spoiler or None)


@dataclass
class _Flight:
    task: asyncio.Task[Any]
    aboard: int = 0


class Flights:
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
