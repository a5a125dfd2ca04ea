"""Files that Telegram has stored for the bot, which it can send again with one call.

A :class:`StoredFile` is a value, kept in the database as JSON.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyrogram import raw


@dataclass(frozen=True)
class StoredFile:
    """A file as the bot refers to it. ``kind`` is ``photo`` or ``document``."""

    kind: str
    id: int
    access_hash: int
    file_reference: bytes

    @classmethod
    def of(cls, media: Any) -> "StoredFile":
        """The file in *media*, which the bot itself has received or uploaded."""
        if isinstance(media, raw.types.MessageMediaPhoto):
            return cls("photo", media.photo.id, media.photo.access_hash, media.photo.file_reference)
        document = media.document
        return cls("document", document.id, document.access_hash, document.file_reference)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> "StoredFile":
        """The file that :meth:`row` gave."""
        return cls(row["kind"], row["id"], row["access_hash"], base64.b64decode(row["file_reference"]))

    def row(self) -> dict[str, Any]:
        """The JSON form."""
        reference = base64.b64encode(self.file_reference).decode()
        return {"kind": self.kind, "id": self.id, "access_hash": self.access_hash, "file_reference": reference}

    def input_media(self, *, spoiler: bool) -> Any:
        """The media object that sends the file. *spoiler* belongs to the message, not to the file."""
        named = {"id": self.id, "access_hash": self.access_hash, "file_reference": self.file_reference}
        if self.kind == "photo":
            return raw.types.InputMediaPhoto(id=raw.types.InputPhoto(**named), spoiler=spoiler or None)
        return raw.types.InputMediaDocument(id=raw.types.InputDocument(**named), spoiler=spoiler or None)
