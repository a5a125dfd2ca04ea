"""Files that Telegram has stored for the bot, which it can send again with one call.

A :class:`StoredFile` is a value, kept in the database as JSON.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyrogram import raw

from daemon.transfer.media import carried


@dataclass(frozen=True)
class StoredFile:
    """A file as the bot refers to it. ``kind`` is ``photo`` or ``document``."""

    kind: str
    id: int
    access_hash: int
    file_reference: bytes
    beside: "tuple[tuple[str, StoredFile], ...]" = ()
    """The files that go with it, by the name of their field: a cover, the motion of a photo."""

    @classmethod
    def of(cls, media: Any) -> "StoredFile":
        """The file in *media*, which the bot itself has received or uploaded."""
        kind = "photo" if isinstance(media, raw.types.MessageMediaPhoto) else "document"
        file = getattr(media, kind)
        others = carried.files_of(media).items()
        beside = tuple((name, cls.of(carried.media_of(other))) for name, other in others)
        return cls(kind, file.id, file.access_hash, file.file_reference, beside=beside)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> "StoredFile":
        """The file that :meth:`row` gave, in this version or an earlier one."""
        beside = tuple((name, cls.read(other)) for name, other in row.get("beside", {}).items())
        return cls(row["kind"], row["id"], row["access_hash"], base64.b64decode(row["file_reference"]), beside=beside)

    def row(self) -> dict[str, Any]:
        """The JSON form."""
        reference = base64.b64encode(self.file_reference).decode()
        row = {"kind": self.kind, "id": self.id, "access_hash": self.access_hash, "file_reference": reference}
        return row | ({"beside": {name: other.row() for name, other in self.beside}} if self.beside else {})

    def input_media(self, settings: Mapping[str, Any]) -> Any:
        """The media object that sends the file, with the *settings* that the message has for it."""
        sent = raw.types.InputMediaPhoto if self.kind == "photo" else raw.types.InputMediaDocument
        files = {name: other.reference() for name, other in self.beside}
        kept = {name: value for name, value in settings.items() if carried.NEEDS.get(name, name) in {name, *files}}
        return sent(id=self.reference(), **kept, **files)

    def reference(self) -> Any:
        """What names the file in a call."""
        named = {"id": self.id, "access_hash": self.access_hash, "file_reference": self.file_reference}
        return raw.types.InputPhoto(**named) if self.kind == "photo" else raw.types.InputDocument(**named)
