"""Files as messages carry them: photos and documents, and the keys that let one account reach one file.

What an account is shown of a file (access hash and file reference) is signed for that account, so a file that one
account sees cannot be fetched or sent by another that never saw it, exactly as on the real servers.
"""

import hmac
import os
import secrets
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import picture
from .content import Content, Generated, Kept
from .errors import RpcError
from .world import channel_id_of, is_channel

if TYPE_CHECKING:
    from .timeline import Message
    from .view import View

HOME_DC = 2
VIEW_ONCE = 2**31 - 1
# Format, expiries of the file so far, chat and message it was seen in, whether it may be sent on.
_REFERENCE = struct.Struct(">BIqiB")
_SIGNATURE_SIZE = 12
_PHOTO_SIDES = {"m": 320, "x": 800, "y": 1280, "w": 2560}


@dataclass(frozen=True)
class Size:
    """A picture that belongs to a file: a photo in one resolution, or a thumbnail."""

    type: str
    width: int
    height: int
    content: Content

    def view(self) -> TLObject:
        return raw.types.PhotoSize(type=self.type, w=self.width, h=self.height, size=self.content.size)


@dataclass(eq=False)
class File:
    """A photo or a document as the server stores it."""

    id: int
    dc: int
    date: int
    content: Content
    sizes: list[Size] = field(default_factory=list)
    preview: bytes | None = None
    expiries: int = 0
    # After this many more chunks every file reference given out so far expires.
    chunks_until_expiry: int | None = None
    # Whether it is fetched from a content delivery network: "uploaded", or "missing" there until it is asked for.
    outsourced: str | None = None

    def sized(self, type_: str) -> Content:
        """Content of one size, or of the file itself for "". Raises RpcError LOCATION_INVALID."""
        for size in self.sizes:
            if size.type == type_:
                return size.content
        if type_:
            raise RpcError(400, "LOCATION_INVALID")
        return self.content

    def expire(self) -> None:
        """Make every file reference given out so far invalid."""
        self.expiries += 1
        self.chunks_until_expiry = None

    def count_chunk(self) -> None:
        """Take note of a chunk that was read."""
        if self.chunks_until_expiry is not None:
            self.chunks_until_expiry -= 1
            if self.chunks_until_expiry <= 0:
                self.expire()

    def size_views(self) -> list[TLObject]:
        preview = [raw.types.PhotoStrippedSize(type="i", bytes=self.preview)] if self.preview else []
        return preview + [size.view() for size in self.sizes]


@dataclass(eq=False)
class Photo(File):
    """A photo; ``content`` is its largest size."""

    def view(self, access_hash: int, file_reference: bytes) -> TLObject:
        return raw.types.Photo(
            id=self.id,
            access_hash=access_hash,
            file_reference=file_reference,
            date=self.date,
            sizes=self.size_views(),
            dc_id=self.dc,
        )


@dataclass(eq=False)
class Document(File):
    """Any other file: what it is, its attributes tell."""

    mime_type: str = "application/octet-stream"
    attributes: list[TLObject] = field(default_factory=list)

    def view(self, access_hash: int, file_reference: bytes) -> TLObject:
        return raw.types.Document(
            id=self.id,
            access_hash=access_hash,
            file_reference=file_reference,
            date=self.date,
            mime_type=self.mime_type,
            size=self.content.size,
            dc_id=self.dc,
            attributes=self.attributes,
            thumbs=self.size_views() or None,
        )

    def attribute(self, kind: type[TLObject]) -> TLObject | None:
        return next((attribute for attribute in self.attributes if isinstance(attribute, kind)), None)


@dataclass(frozen=True)
class Opened:
    """A file that an account reached by a valid reference, and what that reference says."""

    file: File
    may_send: bool


@dataclass
class Files:
    """All files of this Telegram. ``seeds`` are those of generated content, to recognise it in uploads."""

    files: dict[int, File] = field(default_factory=dict)
    seeds: set[int] = field(default_factory=set)
    secret: bytes = field(default_factory=lambda: os.urandom(32))

    def add(self, file: File) -> File:
        self.files[file.id] = file
        for content in (file.content, *(size.content for size in file.sizes)):
            if isinstance(content, Generated):
                self.seeds.add(content.seed)
        return file

    def generate_document(
        self,
        seed: int,
        size: int,
        date: int,
        mime_type: str,
        attributes: list[TLObject],
        dc: int = HOME_DC,
        thumbnail: tuple[int, int] | None = None,
    ) -> Document:
        """Make a document of ``size`` bytes out of nothing; ``thumbnail`` is (width, height) in pixels."""
        document = Document(
            secrets.randbits(62), dc, date, Generated(seed, size), mime_type=mime_type, attributes=attributes
        )
        if thumbnail is not None:
            width, height = _fit(*thumbnail, _PHOTO_SIDES["m"])
            document.sizes = [Size("m", width, height, Kept(picture.jpeg(seed, width, height)))]
            document.preview = picture.stripped(seed, width, height)
        self.add(document)
        return document

    def generate_photo(self, seed: int, width: int, height: int, date: int, dc: int = HOME_DC) -> Photo:
        """Make a photo with its usual sizes, at most 2560 pixels a side."""
        width, height = _fit(width, height, _PHOTO_SIDES["w"])
        return self.keep_photo(Kept(picture.jpeg(seed, width, height)), width, height, date, dc, seed)

    def keep_photo(
        self, content: Content, width: int, height: int, date: int, dc: int = HOME_DC, seed: int | None = None
    ) -> Photo:
        """Store a picture as a photo. Its largest size keeps the bytes; the smaller ones are only stand-ins."""
        if seed is None:
            seed = int(content.sha256()[:15], 16)
        sizes = []
        for type_, side in _PHOTO_SIDES.items():
            largest = type_ == "w" or max(width, height) <= side
            fitted = _fit(width, height, side)
            sizes.append(Size(type_, *fitted, content if largest else Kept(picture.jpeg(seed, *fitted))))
            if largest:
                break
        photo = Photo(secrets.randbits(62), dc, date, content, sizes, picture.stripped(seed, width, height))
        self.add(photo)
        return photo

    def show(self, document: Document, data: bytes) -> None:
        """Give a document a JPEG picture to be shown by."""
        width, height = picture.dimensions(data) or (0, 0)
        document.sizes = [Size("m", width, height, Kept(data))]

    def access_hash(self, account_id: int, file: File) -> int:
        """What the account must show, with a reference, to name the file."""
        digest = hmac.digest(self.secret, f"{account_id} {file.id}".encode(), "sha256")
        return int.from_bytes(digest[:8], "little", signed=True)

    def reference(
        self, account_id: int, file: File, peer: int = 0, message_id: int = 0, may_send: bool = True
    ) -> bytes:
        """A file reference for the account: where it saw the file, signed."""
        packed = _REFERENCE.pack(2, file.expiries, peer, message_id, may_send)
        return packed + self._signature(account_id, file, packed)

    def _signature(self, account_id: int, file: File, packed: bytes) -> bytes:
        return hmac.digest(self.secret, packed + f"{account_id} {file.id}".encode(), "sha256")[:_SIGNATURE_SIZE]

    def find(self, account_id: int, file_id: int, access_hash: int) -> File | None:
        """The file, when the hash is this account's."""
        file = self.files.get(file_id)
        return file if file is not None and access_hash == self.access_hash(account_id, file) else None

    def open(self, account_id: int, file: File, file_reference: bytes) -> Opened:
        """Check a reference to a file that was found. Raises RpcError FILE_REFERENCE_EMPTY, _INVALID or _EXPIRED."""
        if not file_reference:
            raise RpcError(400, "FILE_REFERENCE_EMPTY")
        packed = file_reference[: _REFERENCE.size]
        if file_reference[_REFERENCE.size :] != self._signature(account_id, file, packed):
            raise RpcError(400, "FILE_REFERENCE_INVALID")
        _, expiries, _, _, may_send = _REFERENCE.unpack(packed)
        if expiries != file.expiries:
            raise RpcError(400, "FILE_REFERENCE_EXPIRED")
        return Opened(file, bool(may_send))


def _fit(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass(frozen=True)
class FileMedia:
    """A file in a message. With ``ttl_seconds`` it destroys itself that long after being looked at.

    A video may have a ``cover``, a second to ``start`` at, and other ``qualities``; a live photo has its ``motion``.
    """

    file: Photo | Document
    spoiler: bool = False
    ttl_seconds: int | None = None
    cover: Photo | None = None
    start: int | None = None
    qualities: tuple[Document, ...] = ()
    motion: Document | None = None

    def view(self, view: "View", message: "Message | None" = None) -> TLObject:
        """Render for one account, with references that name ``message`` as the place where it saw the file."""
        flags = {"spoiler": self.spoiler or None, "ttl_seconds": self.ttl_seconds}
        if isinstance(self.file, Photo):
            return raw.types.MessageMediaPhoto(
                photo=self._shown(view, message, self.file),
                live_photo=self.motion is not None or None,
                video=self._shown(view, message, self.motion) if self.motion else None,
                **flags,
            )
        return raw.types.MessageMediaDocument(
            document=self._shown(view, message, self.file),
            video_cover=self._shown(view, message, self.cover) if self.cover else None,
            video_timestamp=self.start,
            alt_documents=[self._shown(view, message, quality) for quality in self.qualities] or None,
            **self._kind_flags(self.file),
            **flags,
        )

    def _shown(self, view: "View", message: "Message | None", file: "Photo | Document") -> TLObject:
        files = view.world.part(Files)
        reference = files.reference(
            view.viewer,
            file,
            message.peer if message else 0,
            message.id if message else 0,
            self.ttl_seconds is None and not (message and _is_protected(view, message)),
        )
        return file.view(files.access_hash(view.viewer, file), reference)

    @staticmethod
    def _kind_flags(document: Document) -> dict[str, bool | None]:
        video = document.attribute(raw.types.DocumentAttributeVideo)
        audio = document.attribute(raw.types.DocumentAttributeAudio)
        animated = document.attribute(raw.types.DocumentAttributeAnimated)
        return {
            "video": bool(video and not animated) or None,
            "round": bool(video and video.round_message) or None,
            "voice": bool(audio and audio.voice) or None,
        }


def _is_protected(view: "View", message: "Message") -> bool:
    """Whether the viewer may not send on what stands in this message."""
    if message.noforwards:
        return not message.out
    if not is_channel(message.peer):
        return False
    channel = view.world.channels[channel_id_of(message.peer)]
    return channel.noforwards and not channel.is_admin(view.viewer)
