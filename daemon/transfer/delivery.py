"""Sending a post to a customer, each message with the random id that was stored for it.

Everything is sent as a file that the bot holds (:class:`~daemon.transfer.media.stored_files.StoredFile`): kept from
before, seen in a public post, or just uploaded by ``messages.UploadMedia``. So an upload that is lost is no message
that is lost, and a message that is tried again is the same call again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyrogram import Client, raw
from pyrogram.errors import BadRequest, FloodPremiumWait, FloodWait, VoiceMessagesForbidden
from pyrogram.raw.core import TLObject

from daemon.telegram import rpc
from daemon.telegram.errors import AlreadySent
from daemon.telegram.sender import GONE, sent_id
from daemon.transfer.errors import Flooded, PartsLost, RecipientRestricted, Unreachable
from daemon.transfer.media import captions
from daemon.transfer.media.items import Item, attributes_of
from daemon.transfer.media.stored_files import StoredFile
from daemon.transfer.reader import Post
from models.jobs.reasons import RefusalReason

CALL_TIMEOUT_S = 6.0
SLOWEST_BYTES_S = 20 << 20  # at which Telegram puts an uploaded file together
LONGEST_FLOOD_S = 8
_OF_THE_FILE = (
    "AUDIO_", "CHAT_FORWARDS_RESTRICTED", "DOCUMENT_", "FILE_", "GROUPED_MEDIA_", "IMAGE_", "MEDIA_", "PHOTO_",
    "STICKER_", "VIDEO_",
)  # fmt: skip


class MediaRefused(Exception):
    """Telegram does not take the file by this name (any more): another way may do."""


class ReferenceExpired(MediaRefused):
    """What names the file is too old. It says nothing of the file."""


@dataclass(frozen=True)
class Message:
    """One call to come: its files (more than one: an album), its words, and its entities per file."""

    items: tuple[int, ...]
    """Indexes into the post's items; none for a message of text."""
    words: tuple[captions.Styled, ...]
    """One for each item, or one for the text."""
    spoilers: tuple[bool, ...] = ()
    """For each item: is it veiled until the reader taps it?"""

    @property
    def count(self) -> int:
        """How many messages, and random ids, the call makes."""
        return max(1, len(self.items))


def plan(post: Post) -> list[Message]:
    """The calls that deliver a post: files first, then what does not fit into captions."""
    if not post.items:
        return [Message((), (piece,)) for piece in captions.pieces(post.text, post.entities)]
    split = [captions.split(item.caption, item.entities, captions.MAX_CAPTION) for item in post.items]
    heads = [head for head, _ in split]
    spoilers = [bool(item.media.spoiler) for item in post.items]
    messages = [
        Message(tuple(group), tuple(heads[index] for index in group), tuple(spoilers[index] for index in group))
        for group in _groups(post.items)
    ]
    rests = [piece for _, rest in split for piece in captions.pieces(*rest)]
    return messages + [Message((), (rest,)) for rest in rests]


class Delivery:
    """The bot's sending side."""

    def __init__(self, bot: Client) -> None:
        self._bot = bot

    async def send(
        self, chat_id: int, message: Message, held: Sequence[StoredFile], random_ids: Sequence[int]
    ) -> Mapping[int, int]:
        """Make the call and return random id -> message id (0: Telegram had the message already).

        :raises MediaRefused: a file cannot be sent by that name; nothing was sent.
        :raises Declined: the customer takes no voice messages.
        :raises Unreachable: the customer blocked the bot.
        :raises Flooded: Telegram asks for a long wait.
        :raises OSError: no answer; the same call may be made again.
        """
        query = self._query(await self._bot.resolve_peer(chat_id), message, held, random_ids)
        try:
            answer = await self._call(query)
        except AlreadySent:
            return dict.fromkeys(random_ids, 0)
        except BadRequest as error:
            raise (_about(error) if message.items else error) from error
        return {random_id: sent_id(answer, random_id) or 0 for random_id in random_ids}

    async def upload(self, chat_id: int, item: Item, file: Any, thumbnail: Any) -> StoredFile:
        """Turn an uploaded *file* into one that the bot holds.

        :raises PartsLost: the server misses parts of it.
        :raises MediaRefused: it takes no such file.
        :raises Declined: the customer takes no voice messages.
        """
        peer = await self._bot.resolve_peer(chat_id)
        query = raw.functions.messages.UploadMedia(peer=peer, media=_uploaded(item, file, thumbnail))
        try:
            return StoredFile.of(await self._call(query, CALL_TIMEOUT_S + item.size / SLOWEST_BYTES_S))
        except BadRequest as error:
            if (error.ID or "").startswith(("FILE_PART", "MD5_CHECKSUM")):
                raise PartsLost(str(error.ID)) from error
            raise _about(error) from error

    async def _call(self, query: "TLObject[Any]", timeout: float = CALL_TIMEOUT_S) -> Any:
        try:
            return await rpc.invoke(self._bot, query, timeout=timeout, longest_flood=LONGEST_FLOOD_S)
        except (FloodWait, FloodPremiumWait) as error:
            raise Flooded(rpc.flood_seconds(error)) from error
        except VoiceMessagesForbidden as error:
            raise RecipientRestricted(RefusalReason.VOICE_FORBIDDEN) from error
        except GONE as error:
            raise Unreachable(str(error.ID)) from error

    def _query(
        self, peer: Any, message: Message, held: Sequence[StoredFile], random_ids: Sequence[int]
    ) -> "TLObject[Any]":
        words = [{"message": text, "entities": list(entities) or None} for text, entities in message.words]
        if not message.items:
            return raw.functions.messages.SendMessage(random_id=random_ids[0], no_webpage=True, **words[0], peer=peer)
        media = [
            held[index].input_media(spoiler=spoiler)
            for index, spoiler in zip(message.items, message.spoilers, strict=True)
        ]
        if len(media) == 1:
            return raw.functions.messages.SendMedia(media=media[0], random_id=random_ids[0], **words[0], peer=peer)
        return raw.functions.messages.SendMultiMedia(
            multi_media=[
                raw.types.InputSingleMedia(media=one, random_id=random_id, **said)
                for one, random_id, said in zip(media, random_ids, words, strict=True)
            ],
            peer=peer,
        )


def _about(error: BadRequest) -> Exception:
    """The same, told as a matter of the file when it is one: only then does another way help."""
    name = str(error.ID)
    if name.startswith("FILE_REFERENCE"):
        return ReferenceExpired(name)
    return MediaRefused(name) if name.startswith(_OF_THE_FILE) else error


def _groups(items: Sequence[Item]) -> list[list[int]]:
    """Albums that Telegram takes: pictures with videos, music with music, files with files; at most ten."""
    groups: list[list[int]] = []
    last = None
    for index, item in enumerate(items):
        sort = {"photo": "visual", "video": "visual", "music": "music"}.get(item.kind, "file")
        if sort != last or len(groups[-1]) == 10:
            groups.append([])
        groups[-1].append(index)
        last = sort
    return groups


def _uploaded(item: Item, file: Any, thumbnail: Any) -> Any:
    """The media object of a fresh upload, with all that the original's file had."""
    media = item.media
    if isinstance(media, raw.types.MessageMediaPhoto):
        return raw.types.InputMediaUploadedPhoto(file=file)
    document = media.document
    animated = any(isinstance(one, raw.types.DocumentAttributeAnimated) for one in document.attributes)
    return raw.types.InputMediaUploadedDocument(
        file=file,
        mime_type=document.mime_type,
        attributes=attributes_of(document),
        thumb=thumbnail,
        nosound_video=None if animated else True,
        force_file=True if item.kind in ("document", "apk") else None,
    )
