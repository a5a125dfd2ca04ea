"""What all writing calls have in common: checks of the content, and the answer."""

import re

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import posting
from .errors import RpcError
from .posting import Draft
from .registry import Call
from .timeline import Message, Origin
from .world import channel_id_of, is_channel

# Simpler than the real rules, and enough for what people send to a bot.
_MARKED = re.compile(
    r"(?P<url>https?://[^\s<>\"]+[^\s<>\".,;:!?)]|(?<![\w/@.])(?:t\.me|telegram\.(?:me|dog))/[^\s<>\"]+[^\s<>\".,;:!?)])"
    r"|(?P<command>(?<!\S)/[A-Za-z0-9_]{1,64}(?:@\w+)?)"
    r"|(?P<mention>(?<![\w/])@[A-Za-z]\w{3,31})"
)
_BUTTON_URL = re.compile(r"(?:https?|tg|ton)://")
_MAX_BUTTON_DATA = 64
_FORWARDED_BUTTONS = (raw.types.InlineButtonTypeUrl, raw.types.InlineButtonTypeBuy)
_MARKS = {
    "url": raw.types.MessageEntityUrl,
    "command": raw.types.MessageEntityBotCommand,
    "mention": raw.types.MessageEntityMention,
}


def check_text(text: str, limit: int) -> None:
    """Raises RpcError MESSAGE_TOO_LONG or MEDIA_CAPTION_TOO_LONG; lengths count UTF-16 units as Telegram's do."""
    if utf16_length(text) > limit:
        raise RpcError(400, "MESSAGE_TOO_LONG" if limit == posting.MAX_TEXT else "MEDIA_CAPTION_TOO_LONG")


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def check_entities(text: str, entities: list[TLObject] | None) -> list[TLObject]:
    """Raises RpcError ENTITY_BOUNDS_INVALID."""
    length = utf16_length(text)
    for entity in entities or ():
        if entity.offset < 0 or entity.length <= 0 or entity.offset + entity.length > length:
            raise RpcError(400, "ENTITY_BOUNDS_INVALID")
    given = [_stored(entity) for entity in entities or ()]
    return sorted([*given, *_found(text, given)], key=lambda entity: entity.offset)


def _found(text: str, given: list[TLObject]) -> list[TLObject]:
    """Links, commands and mentions that the server marks itself where the client did not mark anything."""
    taken = [(entity.offset, entity.offset + entity.length) for entity in given]
    found = []
    for match in _MARKED.finditer(text):
        start = utf16_length(text[: match.start()])
        end = start + utf16_length(match.group())
        if all(end <= other_start or start >= other_end for other_start, other_end in taken):
            found.append(_MARKS[match.lastgroup](offset=start, length=end - start))
    return found


def _stored(entity: TLObject) -> TLObject:
    if isinstance(entity, raw.types.InputMessageEntityMentionName):
        return raw.types.MessageEntityMentionName(
            offset=entity.offset, length=entity.length, user_id=entity.user_id.user_id
        )
    return entity


def check_markup(call: Call, markup: TLObject | None) -> TLObject | None:
    """Buttons are for bots. Raises RpcError BUTTON_DATA_INVALID, BUTTON_URL_INVALID."""
    if markup is None or not call.is_bot:
        return None
    for row in getattr(markup, "rows", ()):
        for button in row.buttons:
            if len(getattr(button.type, "data", None) or b"") > _MAX_BUTTON_DATA:
                raise RpcError(400, "BUTTON_DATA_INVALID")
            if not _BUTTON_URL.match(getattr(button.type, "url", None) or "tg://"):
                raise RpcError(400, "BUTTON_URL_INVALID")
    return markup


def copy_of(message: Message, *, hidden_behind: str | None = None) -> Draft:
    """A forward of a message, with the buttons that mean something elsewhere; its origin may be only a name."""
    origin = message.forwarded
    if origin is None:
        by_channel = message.sender is None
        origin = Origin(message.sender or message.peer, message.date, message.id if by_channel else None)
    if hidden_behind is not None:
        origin = Origin(origin.peer, origin.date, name=hidden_behind)
    return Draft(
        message.text,
        message.entities,
        message.media,
        markup=message.markup if _works_anywhere(message.markup) else None,
        forwarded=origin,
        grouped_id=message.grouped_id,
    )


def _works_anywhere(markup: TLObject | None) -> bool:
    rows = markup.rows if isinstance(markup, raw.types.ReplyInlineMarkup) else []
    return all(isinstance(button.type, _FORWARDED_BUTTONS) for row in rows for button in row.buttons)


def reply_fields(call: Call, peer: int, reply_to: TLObject | None) -> dict[str, int | None]:
    """``reply_to`` and ``topic`` of a Draft, from an InputReplyTo."""
    if not isinstance(reply_to, raw.types.InputReplyToMessage):
        return {"reply_to": None, "topic": None}
    topic = None
    if is_channel(peer):
        channel = call.world.channels[channel_id_of(peer)]
        original = channel.timeline.messages.get(reply_to.reply_to_msg_id)
        if channel.forum:
            topic = reply_to.top_msg_id or (original.topic if original and original.topic else None)
            if topic is None and reply_to.reply_to_msg_id in channel.topics:
                topic = reply_to.reply_to_msg_id
    return {"reply_to": reply_to.reply_to_msg_id, "topic": topic}


def check_send(call: Call, peer: int, random_ids: list[int]) -> None:
    """What every sending call checks before it looks at its content."""
    posting.check_may_write(call.world, call.user, peer)
    for random_id in random_ids:
        posting.check_random_id(call.server, call.user, random_id)


def reply_sent(call: Call, peer: int, drafts: list[Draft], random_ids: list[int]) -> TLObject:
    """Post and answer with the updates that a sending call returns."""
    posted = [
        posting.send(call.server, call.user.id, peer, draft, random_id=random_id, session=call.session)
        for draft, random_id in zip(drafts, random_ids, strict=True)
    ]
    return posting.sent(call.view(), posted, random_ids)
