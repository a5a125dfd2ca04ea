"""The files of a message, in the kinds that plans count: pure functions of raw messages.

A photo counts as ``photo``, as does a sticker; an animation and a video note as ``video``; a voice message as
``music``; an Android package as ``apk``; any other file as ``document``.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyrogram import raw

from config.plans import LARGEST_FILE_MIB
from config.units import KIB, MIB
from daemon.transfer.errors import PermanentFailure
from daemon.transfer.media import carried
from models.event_kinds import Undeliverable
from models.jobs.reasons import RefusalReason

MAX_BYTES = LARGEST_FILE_MIB * MIB
"""The largest file that a bot may upload."""

MAX_THUMBNAIL_BYTES = 200 * KIB

APK = "application/vnd.android.package-archive"

_REFUSED = {"MessageMediaPaidMedia": RefusalReason.PAID_MEDIA, "MessageMediaStory": RefusalReason.STORY}

SERVICE, EMPTY_FILE = "service", "empty_file"
UNDELIVERABLE = {
    "MessageMediaContact": "contact",
    "MessageMediaGeo": "location",
    "MessageMediaGeoLive": "live_location",
    "MessageMediaVenue": "place",
    "MessageMediaPoll": "poll_result",
    "MessageMediaToDo": "checklist",
    "MessageMediaDice": "dice",
    "MessageMediaGame": "game",
    "MessageMediaInvoice": "invoice",
    "MessageMediaGiveaway": "giveaway",
    "MessageMediaGiveawayResults": "giveaway_result",
    "MessageMediaVideoStream": "live_stream",
    "MessageMediaPhoto": EMPTY_FILE,
    "MessageMediaDocument": EMPTY_FILE,
    "MessageMediaUnsupported": "unsupported",
}
"""What a post is that has neither a file nor a text, by the name of its media. A poll has its question for a text."""
_NEVER_BY_THEIR_TEXT = ("MessageMediaInvoice", "MessageMediaUnsupported")

_FOUND_BY_TELEGRAM = tuple(
    getattr(raw.types, f"MessageEntity{name}")
    for name in "Unknown Mention MentionName Hashtag Cashtag BotCommand Url Email Phone BankCard".split()
)


@dataclass(frozen=True)
class Thumbnail:
    """A file's small preview."""

    location: Any
    size: int


@dataclass(frozen=True)
class Item:
    """One file of a post, as one account sees it."""

    message_id: int
    kind: str
    size: int
    media_id: int
    """The file's own id: another id is another file."""
    data_centre: int
    location: Any
    """What ``upload.getFile`` takes: valid for the account that read the post, and for some hours."""
    media: Any
    """The raw media of the message: a photo or a document."""
    caption: str
    entities: tuple[Any, ...]
    thumbnail: Thumbnail | None = None
    beside: "tuple[tuple[str, Item], ...]" = ()
    """The files that go with it, by the name of their field: a cover, the motion of a photo."""


def items_of(messages: Sequence[Any]) -> tuple[Item, ...]:
    """The files of one post's messages, in order. Empty for a post of text alone.

    :raises PermanentFailure: the post has something that is never delivered.
    """
    return tuple(item for message in messages for item in _items(message))


def kind_of(document: Any) -> str:
    """The kind that plans count a document as."""
    named = {type(attribute): attribute for attribute in document.attributes}
    if raw.types.DocumentAttributeSticker in named or raw.types.DocumentAttributeCustomEmoji in named:
        return "photo"
    if raw.types.DocumentAttributeAnimated in named or raw.types.DocumentAttributeVideo in named:
        return "video"
    if raw.types.DocumentAttributeAudio in named:
        return "music"
    name = getattr(named.get(raw.types.DocumentAttributeFilename), "file_name", "")
    return "apk" if document.mime_type == APK or name.lower().endswith(".apk") else "document"


def name_of(item: Item) -> str:
    """What a customer calls the file: ``sticker``, ``animation``, ``video_note`` or ``voice``, else its kind."""
    document = getattr(item.media, "document", None)
    for attribute in document.attributes if document is not None else ():
        match attribute:
            case raw.types.DocumentAttributeSticker() | raw.types.DocumentAttributeCustomEmoji():
                return "sticker"
            case raw.types.DocumentAttributeAnimated():
                return "animation"
            case raw.types.DocumentAttributeVideo(round_message=True):
                return "video_note"
            case raw.types.DocumentAttributeAudio(voice=True):
                return "voice"
    return item.kind


def file_name_of(item: Item) -> str:
    """The name under which the file is uploaded; empty where it has none."""
    document = getattr(item.media, "document", None)
    if document is None:
        return "photo.jpg"
    named = (each for each in document.attributes if isinstance(each, raw.types.DocumentAttributeFilename))
    return next((str(each.file_name) for each in named), "")


def text_of(message: Any) -> tuple[str, tuple[Any, ...]]:
    """The text of a message, and its entities. A poll becomes text, below what is said of it."""
    said = message.message or ""
    if isinstance(message.media, raw.types.MessageMediaPoll):
        poll = message.media.poll
        asked = "\n".join([poll.question.text, *(f"• {answer.text.text}" for answer in poll.answers)])
        said = f"{said}\n\n{asked}" if said else asked
    return said, sendable(message.entities or ())


def urls_of(message: Any) -> tuple[str, ...]:
    """The addresses that the buttons under a message open."""
    buttons = [button for row in getattr(message.reply_markup, "rows", None) or () for button in row.buttons]
    addresses = (getattr(getattr(button, "type", None), "url", None) for button in buttons)
    return tuple(address for address in addresses if isinstance(address, str))


def what_is(media: Any) -> str:
    """One of the values of :data:`UNDELIVERABLE`; empty for what has no name here."""
    return UNDELIVERABLE.get(type(media).__name__, "")


def sendable(entities: Sequence[Any]) -> tuple[Any, ...]:
    """The entities that can be sent again: all but those that Telegram finds by itself."""
    return tuple(entity for entity in entities if not isinstance(entity, _FOUND_BY_TELEGRAM))


def attributes_of(document: Any) -> list[Any]:
    """A document's attributes for a new upload. A sticker set is left out: its reference belongs to one account."""
    kept = []
    for attribute in document.attributes:
        if isinstance(attribute, raw.types.DocumentAttributeSticker):
            attribute = raw.types.DocumentAttributeSticker(
                alt=attribute.alt, stickerset=raw.types.InputStickerSetEmpty(), mask=attribute.mask
            )
        if not isinstance(attribute, raw.types.DocumentAttributeHasStickers | raw.types.DocumentAttributeCustomEmoji):
            kept.append(attribute)
    return kept


def _items(message: Any) -> list[Item]:
    """The files of a message: its own, or those of a poll and its answers. Its text goes with the first."""
    poll = message.media
    if not isinstance(poll, raw.types.MessageMediaPoll):
        own = _item(message, poll)
        return [] if own is None else [own]
    found: list[Item] = []
    for media in (poll.attached_media, *(getattr(answer, "media", None) for answer in poll.poll.answers)):
        with contextlib.suppress(PermanentFailure):  # the others are delivered, and the text
            if (item := _item(message, media)) is not None:
                found.append(replace(item, caption="", entities=()) if found else item)
    return found


def _item(message: Any, media: Any) -> Item | None:
    name = type(media).__name__
    if name in _REFUSED:
        raise PermanentFailure(_REFUSED[name])
    if name in _NEVER_BY_THEIR_TEXT:
        raise _nothing(media)
    if getattr(media, "ttl_seconds", None):
        raise PermanentFailure(RefusalReason.SELF_DESTRUCTING)
    if isinstance(media, raw.types.MessageMediaPhoto) and isinstance(media.photo, raw.types.Photo):
        return _photo(message, media)
    if isinstance(media, raw.types.MessageMediaDocument) and isinstance(media.document, raw.types.Document):
        return _document(message, media)
    return None


def _nothing(media: Any) -> PermanentFailure:
    return PermanentFailure(RefusalReason.NOTHING_TO_DELIVER, Undeliverable(what=what_is(media)))


def _beside(message: Any, media: Any) -> tuple[tuple[str, Item], ...]:
    """The files that go with the one in *media*. An empty one is left out."""
    found = []
    for name, file in carried.files_of(media).items():
        with contextlib.suppress(PermanentFailure):
            other = carried.media_of(file)
            found.append((name, _photo(message, other) if hasattr(other, "photo") else _document(message, other)))
    return tuple(found)


def _photo(message: Any, media: Any) -> Item:
    photo = media.photo
    sizes = {size.type: _bytes_of(size) for size in photo.sizes or ()}
    if max(sizes.values(), default=0) <= 0:
        raise _nothing(media)
    largest = max(sizes, key=lambda name: sizes[name])
    location = raw.types.InputPhotoFileLocation(
        id=photo.id, access_hash=photo.access_hash, file_reference=photo.file_reference, thumb_size=largest
    )
    text, entities = text_of(message)
    return Item(
        message_id=message.id,
        kind="photo",
        size=sizes[largest],
        media_id=photo.id,
        data_centre=photo.dc_id,
        location=location,
        media=media,
        caption=text,
        entities=entities,
        beside=_beside(message, media),
    )


def _document(message: Any, media: Any) -> Item:
    document = media.document
    if (document.size or 0) <= 0:
        raise _nothing(media)
    location = raw.types.InputDocumentFileLocation(
        id=document.id, access_hash=document.access_hash, file_reference=document.file_reference, thumb_size=""
    )
    text, entities = text_of(message)
    return Item(
        message_id=message.id,
        kind=kind_of(document),
        size=document.size,
        media_id=document.id,
        data_centre=document.dc_id,
        location=location,
        media=media,
        caption=text,
        entities=entities,
        thumbnail=_thumbnail(document),
        beside=_beside(message, media),
    )


def _thumbnail(document: Any) -> Thumbnail | None:
    sizes = {thumb.type: _bytes_of(thumb) for thumb in document.thumbs or ()}
    fitting = {name: size for name, size in sizes.items() if 0 < size <= MAX_THUMBNAIL_BYTES}
    if not fitting:
        return None
    name = max(fitting, key=lambda name: fitting[name])
    location = raw.types.InputDocumentFileLocation(
        id=document.id, access_hash=document.access_hash, file_reference=document.file_reference, thumb_size=name
    )
    return Thumbnail(location, fitting[name])


def _bytes_of(size: Any) -> int:
    """The bytes of a photo size on the server; 0 for the tiny ones that are part of the message."""
    if isinstance(size, raw.types.PhotoSizeProgressive):
        return int(max(size.sizes or (), default=0))
    return int(size.size or 0) if isinstance(size, raw.types.PhotoSize) else 0
