"""Sending a post to a customer, each message with the random id that was stored for it.

A file is sent as one that Telegram has stored (:class:`~daemon.transfer.media.stored_files.StoredFile`): from the
cache, from a public post, or just uploaded with ``messages.uploadMedia``. So a lost upload loses no message, and a
message that is tried again is the same call again. A small file is first sent with the very call that uploads it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyrogram import Client, raw
from pyrogram.errors import BadRequest, FloodPremiumWait, FloodWait, VoiceMessagesForbidden
from pyrogram.raw.core import TLObject

from config.units import MIB
from daemon.telegram import rpc
from daemon.telegram.errors import AlreadySent
from daemon.telegram.sender import GONE, Sender, sent_id
from daemon.transfer.errors import FloodWaitTooLong, PartsMissing, RecipientRestricted, RecipientUnreachable
from daemon.transfer.media import captions, carried
from daemon.transfer.media.items import Item, attributes_of, name_of
from daemon.transfer.media.stored_files import StoredFile
from daemon.transfer.reader import Post
from models.jobs.reasons import RefusalReason

Call = Callable[["TLObject[Any]"], Awaitable[Any]]
"""Makes a call and returns its result."""

CALL_TIMEOUT_S = 6.0
ASSEMBLY_BYTES_S = 20 * MIB  # the slowest rate at which Telegram assembles an uploaded file
LONGEST_FLOOD_S = 8
_FILE_ERRORS = (
    "AUDIO_", "CHAT_FORWARDS_RESTRICTED", "DOCUMENT_", "FILE_", "GROUPED_MEDIA_", "IMAGE_", "MEDIA_", "PHOTO_",
    "STICKER_", "VIDEO_",
)  # fmt: skip

_SORTS = {"photo": "visual", "video": "visual", "music": "music", "document": "file", "apk": "file"}


class MediaRefused(Exception):
    """Telegram refuses the file under this reference: another way may work."""


class ReferenceExpired(MediaRefused):
    """The file reference is too old. The file itself may be fine."""


@dataclass(frozen=True)
class Message:
    """One call to make: its files (several are an album) and the texts that go with them."""

    items: tuple[int, ...]
    """Indexes into the post's items; none for a message of text."""
    texts: tuple[captions.Styled, ...]
    """One for each item, or one for the text."""
    settings: tuple[Mapping[str, Any], ...] = ()
    """For each item, what the message says of it: that it is a spoiler, where a video starts."""
    inverted: bool = False
    """Is the caption above the files?"""

    @property
    def count(self) -> int:
        """How many messages the call sends, which is how many random ids it takes."""
        return max(1, len(self.items))


def plan(post: Post) -> list[Message]:
    """The calls that deliver a post: files first, then what does not fit into captions."""
    if not post.items:
        return [Message((), (piece,)) for piece in captions.pieces(post.text, post.entities)]
    split = [captions.split(item.caption, item.entities, captions.MAX_CAPTION) for item in post.items]
    heads = [head for head, _ in split]
    settings = [carried.settings_of(item.media) for item in post.items]
    messages = [
        Message(
            tuple(group),
            tuple(heads[index] for index in group),
            tuple(settings[index] for index in group),
            post.inverted,
        )
        for group in _groups(post.items)
    ]
    rests = [piece for _, rest in split for piece in captions.pieces(*rest)]
    return messages + [Message((), (rest,)) for rest in rests]


class Delivery:
    """Sends and uploads with the bot's client; *sender* learns of each message, because news waits for deliveries."""

    def __init__(self, bot: Client, sender: Sender) -> None:
        self._bot = bot
        self._sender = sender

    async def send(
        self, chat_id: int, message: Message, stored: Sequence[StoredFile], random_ids: Sequence[int]
    ) -> Mapping[int, int]:
        """Make the call and return random id -> message id (0: Telegram had the message already).

        :raises MediaRefused: Telegram refuses a file under its reference; nothing was sent.
        :raises RecipientRestricted: the customer takes no voice messages.
        :raises RecipientUnreachable: the customer has blocked the bot.
        :raises FloodWaitTooLong: Telegram asks for a long wait.
        :raises OSError: no answer; the same call may be made again.
        """
        media = [
            stored[index].input_media(settings) for index, settings in zip(message.items, message.settings, strict=True)
        ]
        query = self._query(await self._bot.resolve_peer(chat_id), message, media, random_ids)
        for _ in random_ids:
            self._sender.answers()
        try:
            answer = await self._call(query)
        except AlreadySent:
            return dict.fromkeys(random_ids, 0)
        except BadRequest as error:
            raise (_as_media_error(error) if message.items else error) from error
        return {random_id: sent_id(answer, random_id) or 0 for random_id in random_ids}

    async def send_new(
        self, chat_id: int, message: Message, media: Any, random_id: int, call: Call
    ) -> tuple[Mapping[int, int], StoredFile | None]:
        """Send a file with the call that uploads it: what :meth:`send` returns, and the file, where the answer says it.

        :param media: the uploaded file, as it is named in a call.
        :param call: makes the call in the flight of the file's parts.
        :raises PartsMissing: the server lacks parts of it.

        Otherwise raises as :meth:`send`, and what *call* raises.
        """
        query = self._query(await self._bot.resolve_peer(chat_id), message, [media], [random_id])
        self._sender.answers()
        try:
            answer = await self._answer(rpc.noted(self._bot, call(query), self._sender.flooded))
        except AlreadySent:
            return {random_id: 0}, None
        except BadRequest as error:
            raise _as_media_error(error) from error
        message_id = sent_id(answer, random_id) or 0
        return {random_id: message_id}, _sent_file(answer, message_id)

    async def upload(self, chat_id: int, item: Item, media: Any, call: Call | None = None) -> StoredFile:
        """Have Telegram store an uploaded file, so that the bot can send it.

        :param call: makes the call in the flight of the file's parts.
        :raises PartsMissing: the server lacks parts of it.

        Otherwise raises as :meth:`send`, and what *call* raises.
        """
        query = raw.functions.messages.UploadMedia(peer=await self._bot.resolve_peer(chat_id), media=media)
        timeout = CALL_TIMEOUT_S + item.size / ASSEMBLY_BYTES_S
        try:
            return StoredFile.of(await (self._answer(call(query)) if call else self._call(query, timeout)))
        except BadRequest as error:
            raise _as_media_error(error) from error

    async def _call(self, query: "TLObject[Any]", timeout: float = CALL_TIMEOUT_S) -> Any:
        return await self._answer(
            rpc.invoke(self._bot, query, timeout=timeout, longest_flood=LONGEST_FLOOD_S, on_flood=self._sender.flooded)
        )

    async def _answer(self, asked: Awaitable[Any]) -> Any:
        try:
            return await asked
        except (FloodWait, FloodPremiumWait) as error:
            raise FloodWaitTooLong(rpc.flood_seconds(error)) from error
        except VoiceMessagesForbidden as error:
            raise RecipientRestricted(RefusalReason.VOICE_FORBIDDEN) from error
        except GONE as error:
            raise RecipientUnreachable(str(error.ID)) from error

    def _query(self, peer: Any, message: Message, media: Sequence[Any], random_ids: Sequence[int]) -> "TLObject[Any]":
        texts = [{"message": text, "entities": list(entities) or None} for text, entities in message.texts]
        if not message.items:
            return raw.functions.messages.SendMessage(random_id=random_ids[0], no_webpage=True, **texts[0], peer=peer)
        above = {"invert_media": message.inverted or None, "peer": peer}
        if len(media) == 1:
            return raw.functions.messages.SendMedia(media=media[0], random_id=random_ids[0], **texts[0], **above)
        return raw.functions.messages.SendMultiMedia(
            multi_media=[
                raw.types.InputSingleMedia(media=one, random_id=random_id, **text)
                for one, random_id, text in zip(media, random_ids, texts, strict=True)
            ],
            **above,
        )


def _as_media_error(error: BadRequest) -> Exception:
    """*error* as :class:`MediaRefused` where it is about the file: only then may another way work."""
    name = str(error.ID)
    if name.startswith(("FILE_PART", "MD5_CHECKSUM")):
        return PartsMissing(name)
    if name.startswith("FILE_REFERENCE"):
        return ReferenceExpired(name)
    return MediaRefused(name) if name.startswith(_FILE_ERRORS) else error


def _groups(items: Sequence[Item]) -> list[list[int]]:
    """The albums that Telegram allows: photos with videos, music with music, files with files; ten items at most.

    What is in no album, a sticker or an animation, goes alone: a poll may show such files beside others.
    """
    groups: list[list[int]] = []
    last = None
    for index, item in enumerate(items):
        sort = _SORTS.get(name_of(item))
        if sort is None or sort != last or len(groups[-1]) == 10:
            groups.append([])
        groups[-1].append(index)
        last = sort
    return groups


def _sent_file(updates: Any, message_id: int) -> StoredFile | None:
    """The file in the message of that id, from the server's answer; None where the answer lacks it."""
    for update in getattr(updates, "updates", ()):
        message = getattr(update, "message", None)
        if isinstance(message, raw.types.Message) and message.id == message_id and message.media is not None:
            return StoredFile.of(message.media)
    return None


def uploaded(item: Item, file: Any, thumbnail: Any = None, **settings: Any) -> Any:
    """The media object of an uploaded file, with the attributes of the original and the *settings* of its message."""
    media = item.media
    if isinstance(media, raw.types.MessageMediaPhoto):
        return raw.types.InputMediaUploadedPhoto(file=file, **settings)
    document = media.document
    animated = any(isinstance(one, raw.types.DocumentAttributeAnimated) for one in document.attributes)
    return raw.types.InputMediaUploadedDocument(
        file=file,
        mime_type=document.mime_type,
        attributes=attributes_of(document),
        thumb=thumbnail,
        nosound_video=None if animated else True,
        force_file=True if item.kind in ("document", "apk") else None,
        **settings,
    )
