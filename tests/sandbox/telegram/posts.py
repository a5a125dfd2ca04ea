"""Posts made on request: every kind of media, with content generated from a seed."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import posting
from .content import KIB, MIB
from .files import HOME_DC, FileMedia, Files
from .posting import Draft
from .server import Server
from .timeline import Message
from .world import Channel

Attributes = raw.types
_VIDEO_SIDES = (1280, 720)
_DURATION_S = 30


@dataclass(frozen=True)
class Order:
    """What a post is to be. `size` in bytes (ignored for photos, whose size follows from the picture)."""

    kind: str
    caption: str = ""
    entities: list[TLObject] = field(default_factory=list)
    size: int | None = None
    file_name: str | None = None
    width: int | None = None
    height: int | None = None
    duration: int = _DURATION_S
    title: str = "Song"
    performer: str = "Band"
    dc: int = HOME_DC
    seed: int | None = None
    ttl_seconds: int | None = None
    spoiler: bool = False
    # Kind and number of the items of an album.
    items: str = "photo"
    count: int = 5
    topic: int | None = None
    reply_to: int | None = None
    noforwards: bool = False
    markup: Any = None


@dataclass(frozen=True)
class Template:
    """How documents of a kind look unless the order says otherwise."""

    mime_type: str
    extension: str
    size: int
    attributes: Callable[[Order, int, int], list[TLObject]]
    sides: tuple[int, int] | None = None
    named: bool = True


def _video(order: Order, width: int, height: int, **flags: bool) -> TLObject:
    return Attributes.DocumentAttributeVideo(duration=float(order.duration), w=width, h=height, **flags)


def _audio(order: Order) -> list[TLObject]:
    return [Attributes.DocumentAttributeAudio(duration=order.duration, title=order.title, performer=order.performer)]


def _sticker(width: int, height: int) -> list[TLObject]:
    return [
        Attributes.DocumentAttributeImageSize(w=width, h=height),
        Attributes.DocumentAttributeSticker(alt="🎫", stickerset=Attributes.InputStickerSetEmpty()),
    ]


_TEMPLATES = {
    "video": Template(
        "video/mp4", "mp4", 3 * MIB, lambda o, w, h: [_video(o, w, h, supports_streaming=True)], _VIDEO_SIDES
    ),
    "animation": Template(
        "video/mp4",
        "mp4",
        400 * KIB,
        lambda o, w, h: [_video(o, w, h, nosound=True), Attributes.DocumentAttributeAnimated()],
        (480, 270),
    ),
    "video_note": Template(
        "video/mp4", "mp4", 900 * KIB, lambda o, w, h: [_video(o, w, h, round_message=True)], (384, 384), named=False
    ),
    "music": Template("audio/mpeg", "mp3", 4 * MIB, lambda o, w, h: _audio(o)),
    "voice": Template(
        "audio/ogg",
        "ogg",
        60 * KIB,
        lambda o, w, h: [Attributes.DocumentAttributeAudio(duration=o.duration, voice=True, waveform=bytes(range(63)))],
        named=False,
    ),
    "sticker": Template("image/webp", "webp", 30 * KIB, lambda o, w, h: _sticker(w, h), (512, 512)),
    "apk": Template("application/vnd.android.package-archive", "apk", 5 * MIB, lambda o, w, h: []),
    "document": Template("application/pdf", "pdf", 2 * MIB, lambda o, w, h: []),
}
KINDS = ("text", "photo", "album", *_TEMPLATES)


def media_of(server: Server, order: Order) -> FileMedia | None:
    """Make the media that an order asks for; None for text."""
    if order.kind == "text":
        return None
    files = server.world.part(Files)
    seed = order.seed if order.seed is not None else secrets.randbits(62)
    now = server.world.now()
    if order.kind == "photo":
        photo = files.generate_photo(seed, order.width or 640, order.height or 480, now, order.dc)
        return FileMedia(photo, order.spoiler, order.ttl_seconds)
    template = _TEMPLATES[order.kind]
    width, height = template.sides or (0, 0)
    width, height = order.width or width, order.height or height
    attributes = template.attributes(order, width, height)
    name = order.file_name or (f"{order.kind}-{seed % 10**6:06}.{template.extension}" if template.named else None)
    if name is not None:
        attributes.append(Attributes.DocumentAttributeFilename(file_name=name))
    document = files.generate_document(
        seed,
        template.size if order.size is None else order.size,
        now,
        template.mime_type,
        attributes,
        order.dc,
        (width, height) if template.sides else None,
    )
    return FileMedia(document, order.spoiler, order.ttl_seconds)


def publish(server: Server, channel: Channel, author: int, order: Order) -> list[Message]:
    """Post to a channel; an album gives several messages, the caption under the first."""
    orders = [order]
    grouped_id = None
    if order.kind == "album":
        grouped_id = secrets.randbits(62)
        item = replace(order, kind=order.items, seed=None)
        orders = [replace(item, caption=order.caption if n == 0 else "") for n in range(order.count)]
    return [posting.send(server, author, channel.peer, _draft(server, one, grouped_id)).message for one in orders]


def _draft(server: Server, order: Order, grouped_id: int | None) -> Draft:
    return Draft(
        text=order.caption,
        entities=order.entities if order.caption else [],
        media=media_of(server, order),
        markup=order.markup,
        grouped_id=grouped_id,
        topic=order.topic,
        reply_to=order.reply_to,
        noforwards=order.noforwards,
    )


def link(channel: Channel, message: Message) -> str:
    """The link that Telegram's "Copy Post Link" gives."""
    chat = channel.username or f"c/{channel.id}"
    topic = f"{message.topic}/" if message.topic is not None else ""
    return f"https://t.me/{chat}/{topic}{message.id}"


def facts(message: Message) -> dict[str, Any]:
    """What a test compares a delivered file with."""
    media = message.media
    if media is None:
        return {"kind": "text", "size": 0, "sha256": None, "file_name": None, "caption": message.text}
    name = None
    if hasattr(media.file, "attribute"):
        attribute = media.file.attribute(raw.types.DocumentAttributeFilename)
        name = attribute.file_name if attribute else None
    return {
        "size": media.file.content.size,
        "sha256": media.file.content.sha256(),
        "file_name": name,
        "caption": message.text,
    }


def describe(channel: Channel, order: Order, messages: list[Message]) -> dict[str, Any]:
    """Link and facts of a post as JSON; an album also lists its `items`."""
    first = messages[0]
    described = {
        "url": link(channel, first),
        **facts(first),
        "kind": order.kind,
        "chat_id": channel.peer,
        "message_id": first.id,
    }
    if len(messages) > 1:
        described["items"] = [{"url": link(channel, message), **facts(message)} for message in messages]
    return described
