"""Posts made on request: every kind of media, with content generated from a seed."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import objects, picture, posting
from .attachments import ATTACHMENTS, Attachment, PaidMedia, attachment
from .content import KIB, MIB, Kept
from .files import HOME_DC, Document, FileMedia, Files, Photo
from .posting import Draft
from .server import Server
from .timeline import Message
from .world import Channel

Attributes = raw.types
_VIDEO_SIDES = (1280, 720)
_DURATION_S = 30


@dataclass(frozen=True)
class Order:
    """What a post is to be. ``size`` in bytes (ignored for photos, whose size follows from the picture)."""

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
    # Of videos: whether it has a cover, where it starts in seconds, how many other qualities there are. Of polls:
    # whether a photo is shown above it.
    cover: bool = False
    start: int | None = None
    qualities: int = 0
    # Of paid media: the price, and the ids of those who have paid it.
    stars: int = 50
    bought: tuple[int, ...] = ()
    # Rows of buttons, each (text, address).
    buttons: tuple[tuple[tuple[str, str], ...], ...] = ()
    # A file of this machine whose bytes are posted, and a JPEG picture to show for it; of an album, one for each item.
    file: str | None = None
    thumbnail: str | None = None
    files: tuple[str, ...] = ()
    mime_type: str | None = None
    # Any other media, as JSON with `_`.
    media: dict[str, Any] | None = None


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
KINDS = ("text", "photo", "live_photo", "album", "paid", "any", *_TEMPLATES, *ATTACHMENTS)


def media_of(server: Server, order: Order) -> Any:
    """Make the media that an order asks for; None for text."""
    if order.kind == "text":
        return None
    if order.kind in ATTACHMENTS:
        return attachment(order.kind, file_of(server, _sibling(order, "photo")) if order.cover else None)
    if order.kind == "any":
        return Attachment(objects.make(order.media or {}))
    if order.kind == "paid":
        return PaidMedia(order.stars, tuple(_paid_items(server, order)), frozenset(order.bought))
    if order.kind == "live_photo":
        still = file_of(server, replace(order, kind="photo"))
        return replace(still, motion=file_of(server, _sibling(order, "video_note")).file)
    media = file_of(server, order)
    if order.kind != "video":
        return media
    return replace(
        media,
        cover=file_of(server, _sibling(order, "photo")).file if order.cover else None,
        start=order.start,
        qualities=tuple(file_of(server, _sibling(order, "video")).file for _ in range(order.qualities)),
    )


def _sibling(order: Order, kind: str) -> Order:
    """A file that belongs to a post's main one, of the same sides."""
    return Order(kind, width=order.width, height=order.height, dc=order.dc)


def _paid_items(server: Server, order: Order) -> list[FileMedia]:
    return [file_of(server, _sibling(order, order.items)) for _ in range(order.count)]


def file_of(server: Server, order: Order) -> FileMedia:
    """Make the file of an order for a photo or one of the documents."""
    files = server.world.part(Files)
    seed = order.seed if order.seed is not None else secrets.randbits(62)
    now = server.world.now()
    if order.kind == "photo":
        photo = _photo(files, order, seed, now)
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
        order.mime_type or template.mime_type,
        attributes,
        order.dc,
        (width, height) if template.sides else None,
    )
    if order.file is not None:
        document.content = Kept(Path(order.file).read_bytes())
    if order.thumbnail is not None:
        files.show(document, Path(order.thumbnail).read_bytes())
    return FileMedia(document, order.spoiler, order.ttl_seconds)


def _photo(files: Files, order: Order, seed: int, now: int) -> Photo:
    if order.file is None:
        return files.generate_photo(seed, order.width or 640, order.height or 480, now, order.dc)
    data = Path(order.file).read_bytes()
    width, height = picture.dimensions(data) or (640, 480)
    return files.keep_photo(Kept(data), width, height, now, order.dc)


def publish(server: Server, channel: Channel, author: int, order: Order) -> list[Message]:
    """Post to a channel; an album gives several messages, the caption under the first."""
    orders = [order]
    grouped_id = None
    if order.kind == "album":
        grouped_id = secrets.randbits(62)
        item = replace(order, kind=order.items, seed=None)
        orders = [replace(item, caption=order.caption if n == 0 else "") for n in range(order.count)]
        if order.files:
            orders = [replace(one, file=file) for one, file in zip(orders, order.files, strict=True)]
    return [posting.send(server, author, channel.peer, _draft(server, one, grouped_id)).message for one in orders]


def _draft(server: Server, order: Order, grouped_id: int | None) -> Draft:
    return Draft(
        text=order.caption,
        entities=order.entities if order.caption else [],
        media=media_of(server, order),
        markup=order.markup or _buttons(order),
        grouped_id=grouped_id,
        topic=order.topic,
        reply_to=order.reply_to,
        noforwards=order.noforwards,
    )


def _buttons(order: Order) -> TLObject | None:
    """The keyboard under a post: buttons that open addresses."""
    rows = [
        raw.types.KeyboardInlineButtonRow(
            buttons=[
                raw.types.KeyboardInlineButton(text=text, type=raw.types.InlineButtonTypeUrl(url=url))
                for text, url in row
            ]
        )
        for row in order.buttons
    ]
    return raw.types.ReplyInlineMarkup(rows=rows) if rows else None


def link(channel: Channel, message: Message) -> str:
    """The link that Telegram's "Copy Post Link" gives."""
    chat = channel.username or f"c/{channel.id}"
    topic = f"{message.topic}/" if message.topic is not None else ""
    return f"https://t.me/{chat}/{topic}{message.id}"


def facts(message: Message) -> dict[str, Any]:
    """What a test compares a delivered file with."""
    media = message.media
    if not isinstance(media, FileMedia):
        kind = {"kind": "text"} if media is None else {}
        return {**kind, "size": 0, "sha256": None, "file_name": None, "caption": message.text}
    attribute = None
    if isinstance(media.file, Document):
        attribute = media.file.attribute(raw.types.DocumentAttributeFilename)
    return {
        "size": media.file.content.size,
        "sha256": media.file.content.sha256(),
        "file_name": attribute.file_name if attribute else None,
        "caption": message.text,
        **beside(media),
    }


def beside(media: FileMedia) -> dict[str, Any]:
    """What a file has beside its bytes, where it has it: cover, start, motion, other qualities."""
    found: dict[str, Any] = {
        "cover_sha256": media.cover.content.sha256() if media.cover else None,
        "start": media.start,
        "motion_sha256": media.motion.content.sha256() if media.motion else None,
        "qualities": len(media.qualities) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def describe(channel: Channel, order: Order, messages: list[Message]) -> dict[str, Any]:
    """Link and facts of a post as JSON; an album also lists its ``items``."""
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
