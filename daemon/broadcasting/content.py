"""What an admin wrote as news: read from their message, kept as JSON, and sent again with its formatting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyrogram import Client, raw
from pyrogram.types import Message

from config.plain_text import utf16_length
from daemon.telegram.rpc import invoke
from daemon.telegram.screen import Keyboard
from daemon.telegram.sender import markup
from daemon.transfer.media.captions import MAX_CAPTION, MAX_TEXT
from daemon.transfer.media.stored_files import StoredFile
from models.promotion.broadcasts import BroadcastInfo, Content

FORMATTING = ("Bold", "Italic", "Underline", "Strike", "Spoiler", "Code", "Pre", "TextUrl", "Blockquote", "CustomEmoji")
"""The entities that are kept. Telegram finds the others, such as @names, by itself."""
_ENTITY = "MessageEntity"


class NotNews(Exception):
    """A message cannot be news; ``too_long``: its text is, else it is no text, one picture or one video."""

    def __init__(self, *, too_long: bool = False) -> None:
        super().__init__()
        self.too_long = too_long


def read(sent: Message) -> Content:
    """What the message says.

    :raises NotNews: it cannot be sent on as news.
    """
    message = sent.raw
    if not isinstance(message, raw.types.Message) or message.grouped_id:
        raise NotNews
    media = _media(message.media)
    if not (message.message or media):
        raise NotNews
    if utf16_length(message.message) > (MAX_CAPTION if media else MAX_TEXT):
        raise NotNews(too_long=True)
    return Content(
        text=message.message,
        entities=[_stored(each) for each in message.entities or () if _name(each) in FORMATTING],
        media=None if media is None else media.row(),
        message_id=message.id,
    )


def with_text_of(draft: BroadcastInfo, sent: Content) -> Content:
    """The picture or video that was *sent* for a draft, which keeps its text where that has none of its own.

    :raises NotNews: it is neither, or the draft's text is too long to stand under one.
    """
    if sent.media is None:
        raise NotNews
    if not sent.text and utf16_length(draft.text) > MAX_CAPTION:
        raise NotNews(too_long=True)
    return sent if sent.text else replace(sent, text=draft.text, entities=draft.entities)


def _media(media: Any) -> StoredFile | None:
    """The picture or video.

    :raises NotNews: it is something else, or disappears by itself.
    """
    if media is None or isinstance(media, raw.types.MessageMediaWebPage):
        return None
    if getattr(media, "ttl_seconds", None):
        raise NotNews
    if isinstance(media, raw.types.MessageMediaPhoto) and isinstance(media.photo, raw.types.Photo):
        return StoredFile.of(media)
    document = getattr(media, "document", None)
    if isinstance(document, raw.types.Document) and document.mime_type.startswith(("video/", "image/gif")):
        return StoredFile.of(media)
    raise NotNews


async def renewed(bot: Client, broadcast: BroadcastInfo) -> Mapping[str, Any] | None:
    """A new reference to the picture or video, from the admin's own message; None when that is gone."""
    query = raw.functions.messages.GetMessages(id=[raw.types.InputMessageID(id=broadcast.source_message_id or 0)])
    found = await invoke(bot, query)
    media = next((getattr(message, "media", None) for message in found.messages), None)
    try:
        stored = _media(media)
    except NotNews:
        return None
    return None if stored is None else stored.row()


@dataclass(frozen=True)
class News:
    """A broadcast in one language, ready to be sent."""

    text: str
    entities: Sequence[Any]
    file: StoredFile | None
    keyboard: Keyboard

    @classmethod
    def of(cls, broadcast: BroadcastInfo, keyboard: Keyboard) -> "News":
        """The broadcast with its buttons."""
        return cls(
            broadcast.text,
            [_entity(each) for each in broadcast.entities],
            None if broadcast.media is None else StoredFile.read(broadcast.media),
            keyboard,
        )

    def query(self, peer: raw.base.InputPeer, random_id: int) -> Any:
        """The call that sends it to one chat."""
        said: dict[str, Any] = {
            "peer": peer,
            "random_id": random_id,
            "message": self.text,
            "entities": list(self.entities) or None,
            "reply_markup": markup(self.keyboard),
        }
        if self.file is None:
            return raw.functions.messages.SendMessage(no_webpage=True, **said)
        return raw.functions.messages.SendMedia(media=self.file.input_media({}), **said)


def _name(entity: Any) -> str:
    return type(entity).__name__.removeprefix(_ENTITY)


def _stored(entity: Any) -> dict[str, Any]:
    values = {name: getattr(entity, name) for name in entity.__slots__ if getattr(entity, name) is not None}
    return {"_": _name(entity), **values}


def _entity(stored: Mapping[str, Any]) -> Any:
    values = {name: value for name, value in stored.items() if name != "_"}
    return getattr(raw.types, _ENTITY + stored["_"])(**values)
