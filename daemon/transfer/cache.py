"""What the bot holds: files it has uploaded or sent, which it can send again with one call.

A :class:`Held` file is a value: it goes to the database as JSON and comes back, and a post that ten customers ask for
at once is fetched once, the others waiting for what it brings.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Hashable, Mapping
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

    def input_media(self) -> Any:
        """The media object that sends it."""
        named = {"id": self.id, "access_hash": self.access_hash, "file_reference": self.file_reference}
        if self.kind == "photo":
            return raw.types.InputMediaPhoto(id=raw.types.InputPhoto(**named))
        return raw.types.InputMediaDocument(id=raw.types.InputDocument(**named))


class Flights:
    """Fetches under way. Whoever wants what is being fetched already joins in; the last one to leave ends it."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}
        self._aboard: dict[Hashable, int] = {}

    async def join(self, key: Hashable, fetch: Callable[[], Awaitable[Any]]) -> Any:
        """The result of the *fetch* under that key, begun now if there is none. Its failure is everybody's."""
        if key not in self._tasks:
            self._tasks[key] = asyncio.ensure_future(fetch())
        task = self._tasks[key]
        self._aboard[key] = self._aboard.get(key, 0) + 1
        try:
            return await asyncio.shield(task)
        finally:
            self._leave(key, task)

    def is_under_way(self, key: Hashable) -> bool:
        """Is somebody still waiting for it?"""
        return key in self._tasks

    def _leave(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        self._aboard[key] -= 1
        if task.done() or self._aboard[key] == 0:
            task.cancel()
            if self._tasks.get(key) is task:
                del self._tasks[key]
        if self._aboard[key] == 0:
            del self._aboard[key]
