"""What a message says of its file beside the file: cover, start, motion, spoiler.

All of it is carried over that what is sent can hold, by the library's own tables: a field that Telegram adds to both
is carried from the day on which the library knows it. Only what is named here is left out. The other qualities of a
video have no place in what is sent: Telegram makes them itself.
"""

from collections.abc import Mapping
from typing import Any

from pyrogram import raw

INPUTS: Mapping[type, type] = {
    raw.types.MessageMediaPhoto: raw.types.InputMediaPhoto,
    raw.types.MessageMediaDocument: raw.types.InputMediaDocument,
}
"""What a file of each sort is sent as."""

LEFT_OUT = frozenset({"ttl_seconds"})  # what destroys itself is not delivered at all
NEEDS = {"live_photo": "video"}
"""Settings that mean nothing, and cannot be sent, without a file."""


def settings_of(media: Any) -> dict[str, Any]:
    """The plain values that go with the file: numbers, words, and what is true."""
    return {name: value for name, value in _shared(media).items() if isinstance(value, bool | int | float | str)}


def files_of(media: Any) -> dict[str, Any]:
    """The photos and documents that go with the file, by the name of their field."""
    return {
        name: value for name, value in _shared(media).items() if isinstance(value, raw.types.Photo | raw.types.Document)
    }


def media_of(file: Any) -> Any:
    """A photo or document as a message would hold it."""
    if isinstance(file, raw.types.Photo):
        return raw.types.MessageMediaPhoto(photo=file)
    return raw.types.MessageMediaDocument(document=file)


def _shared(media: Any) -> dict[str, Any]:
    """The fields that *media* has, and what is sent has too."""
    names = _fields(INPUTS.get(type(media))) & _fields(type(media)) - LEFT_OUT
    return {name: value for name in sorted(names) if (value := getattr(media, name)) not in (None, False)}


def _fields(kind: Any) -> set[str]:
    return set(getattr(kind, "__slots__", ()))
