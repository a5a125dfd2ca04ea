"""The one place from which the bot sends, edits and deletes its messages.

A message is sent with a ``random_id``: tried again with the same one, it still arrives once. Where the caller keeps the
``random_id`` in a row (events, deliveries), that holds across crashes too.
"""

import asyncio
import contextlib
import hashlib
import io
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

from pyrogram import Client, enums, raw
from pyrogram.errors import (
    ChatWriteForbidden,
    InputUserDeactivated,
    MessageIdInvalid,
    MessageNotModified,
    PeerIdInvalid,
    RPCError,
    UserIdInvalid,
    UserIsBlocked,
)

from config.plain_text import utf16_head, utf16_length
from config.units import KIB, MIB
from daemon.database import Database
from daemon.telegram.bucket import TokenBucket
from daemon.telegram.errors import AlreadySent, Unreachable
from daemon.telegram.rpc import LONGEST_FLOOD_S, invoke
from daemon.telegram.screen import Button, Keyboard, Screen, fitting
from models import users
from models.errors import NotFound

logger = logging.getLogger(__name__)

EDITS_PER_SECOND = 20
PART_BYTES = 512 * KIB
"""The size of the part that one ``upload.saveFilePart`` takes."""
SMALL_BYTES = 10 * MIB
"""Up to here a file is sent by ``upload.saveFilePart`` with a checksum, above it by ``upload.saveBigFilePart``."""
LONGEST_TEXT = 4096
"""UTF-16 units: Telegram refuses the whole message where there are more."""
GONE = (UserIsBlocked, InputUserDeactivated, PeerIdInvalid, UserIdInvalid, ChatWriteForbidden)
"""What says that a customer cannot be written to. ``USER_DEACTIVATED`` says that the bot itself cannot write."""


class Pace:
    """Lets *per_second* callers through, evenly spaced; the others wait."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._next = 0.0

    async def wait(self) -> None:
        """Wait until this caller may go on."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next)
        self._next = at + self._gap
        if at > now:
            await asyncio.sleep(at - now)


class Sender:
    """Sends, edits and deletes the bot's messages. Texts are HTML."""

    def __init__(self, bot: Client, database: Database) -> None:
        self._bot = bot
        self._database = database
        self._edits = Pace(EDITS_PER_SECOND)
        self._bucket = TokenBucket()

    def answers(self) -> None:
        """Count a message that the bot sends elsewhere: a delivery, an invoice. News waits for these too."""
        self._bucket.answer(_now())

    def flooded(self, seconds: int) -> None:
        """Note that Telegram asked for a flood wait."""
        self._bucket.flooded(seconds, _now())

    async def turn_for_news(self) -> None:
        """Wait until news may take its turn: customers' answers and deliveries come first."""
        while wait := self._bucket.news(_now()):
            await asyncio.sleep(wait)

    @property
    def bot_name(self) -> str:
        """The bot's name in links, without @; empty before its first login."""
        return str(self._bot.me.username or "") if self._bot.me else ""

    async def send_screen(
        self,
        chat_id: int,
        screen: Screen,
        *,
        random_id: int | None = None,
        reply_to: int | None = None,
        silent: bool = False,
        longest_flood: float = LONGEST_FLOOD_S,
    ) -> int | None:
        """Send a message and return its id; None when the server knew this *random_id* already.

        A flood wait of at most *longest_flood* seconds is slept out.

        :raises Unreachable: the customer has blocked the bot or is gone; that is stored with the customer.
        :raises RPCError: Telegram refused for another reason.
        :raises OSError: no answer; the same *random_id* may be tried again.
        """
        random_id = secrets.randbits(63) if random_id is None else random_id
        parsed = await self._parsed(screen.text)

        def query(peer: raw.base.InputPeer) -> Any:
            return raw.functions.messages.SendMessage(
                peer=peer,
                random_id=random_id,
                no_webpage=True,
                silent=silent or None,
                reply_to=raw.types.InputReplyToMessage(reply_to_msg_id=reply_to) if reply_to else None,
                reply_markup=markup(screen.keyboard),
                **parsed,
            )

        return await self._send(chat_id, random_id, query, longest_flood)

    async def send_file(
        self, chat_id: int, content: BinaryIO, *, name: str, mime_type: str, caption: str
    ) -> int | None:
        """Send a file of the bot's own (an export, a backup) and return the message's id.

        :raises Unreachable: as :meth:`send_screen`, and so the others.
        """
        media = raw.types.InputMediaUploadedDocument(
            file=await self._upload(name, content),
            mime_type=mime_type,
            attributes=[raw.types.DocumentAttributeFilename(file_name=name)],
            force_file=True,
        )
        parsed, random_id = await self._parsed(caption), secrets.randbits(63)
        return await self._send(
            chat_id,
            random_id,
            lambda peer: raw.functions.messages.SendMedia(peer=peer, random_id=random_id, media=media, **parsed),
        )

    async def send_news(
        self, chat_id: int, query: Callable[[raw.base.InputPeer, int], Any], *, random_id: int
    ) -> int | None:
        """Make the call that *query* builds for a chat, in a turn that :meth:`turn_for_news` has given.

        A flood wait is raised. The rest is as for :meth:`send_screen`.
        """
        return await self._attempt(chat_id, random_id, lambda peer: query(peer, random_id), 0)

    async def send_now(
        self, chat_id: int, query: Callable[[raw.base.InputPeer, int], Any], *, random_id: int | None = None
    ) -> int | None:
        """Make such a call at once, for the admin who looks at their news."""
        random_id = secrets.randbits(63) if random_id is None else random_id
        return await self._send(chat_id, random_id, lambda peer: query(peer, random_id))

    async def _send(
        self,
        chat_id: int,
        random_id: int,
        query: Callable[[raw.base.InputPeer], Any],
        longest_flood: float = LONGEST_FLOOD_S,
    ) -> int | None:
        self.answers()
        return await self._attempt(chat_id, random_id, query, longest_flood)

    async def _attempt(
        self, chat_id: int, random_id: int, query: Callable[[raw.base.InputPeer], Any], longest_flood: float
    ) -> int | None:
        try:
            called = query(await self._bot.resolve_peer(chat_id))
            answer = await invoke(self._bot, called, longest_flood=longest_flood, on_flood=self.flooded)
            return sent_id(answer, random_id)
        except AlreadySent:
            return None
        except GONE as error:
            await self._mark_unreachable(chat_id, error)
            raise Unreachable(chat_id, str(error.ID)) from error

    async def _upload(self, name: str, content: BinaryIO) -> raw.base.InputFile:
        """Upload part by part over the bot's main connection: such files are small and rare."""
        size = content.seek(0, io.SEEK_END)
        content.seek(0)
        parts, file_id, digest = -(-size // PART_BYTES), secrets.randbits(63), hashlib.md5(usedforsecurity=False)
        for number in range(parts):
            piece = content.read(PART_BYTES)
            digest.update(piece)
            part: Any = raw.functions.upload.SaveFilePart(file_id=file_id, file_part=number, bytes=piece)
            if size > SMALL_BYTES:
                part = raw.functions.upload.SaveBigFilePart(
                    file_id=file_id, file_part=number, file_total_parts=parts, bytes=piece
                )
            await invoke(self._bot, part)
        if size > SMALL_BYTES:
            return raw.types.InputFileBig(id=file_id, parts=parts, name=name)
        return raw.types.InputFile(id=file_id, parts=parts, name=name, md5_checksum=digest.hexdigest())

    async def edit_screen(
        self,
        chat_id: int,
        message_id: int,
        screen: Screen,
        *,
        paced: bool = False,
        longest_flood: float = LONGEST_FLOOD_S,
    ) -> bool:
        """Edit a message; False when it no longer exists or the customer is unreachable.

        A flood wait of at most *longest_flood* seconds is slept out. *paced* edits (progress) share a limit of 20 a
        second; answers to a button are sent at once.
        """
        if paced:
            await self._edits.wait()
        try:
            query = raw.functions.messages.EditMessage(
                peer=await self._bot.resolve_peer(chat_id),
                id=message_id,
                no_webpage=True,
                reply_markup=markup(screen.keyboard),
                **await self._parsed(screen.text),
            )
            await invoke(self._bot, query, longest_flood=longest_flood)
        except MessageNotModified:
            return True
        except (MessageIdInvalid, *GONE):
            return False
        return True

    async def delete(self, chat_id: int, message_ids: Iterable[int]) -> None:
        """Delete messages for both sides. Messages that are gone already are no error."""
        try:
            await self.delete_for_all(message_ids)
        except RPCError as error:
            logger.info("message.undeleted", extra={"user": chat_id, "reason": str(error)})

    async def delete_for_all(self, message_ids: Iterable[int]) -> None:
        """Delete messages of private chats, up to 100, whoever's they are: a bot has one sequence of ids for them all.

        :raises RPCError: Telegram refused.
        :raises OSError: no answer.
        """
        await invoke(self._bot, raw.functions.messages.DeleteMessages(id=list(message_ids), revoke=True))

    async def _parsed(self, text: str) -> dict[str, object]:
        parsed: dict[str, Any] = await self._bot.parser.parse(text, enums.ParseMode.HTML)
        return _that_fits(parsed["message"], parsed["entities"] or ())

    async def _mark_unreachable(self, user_id: int, error: RPCError) -> None:
        logger.info("customer.unreachable", extra={"user": user_id, "reason": str(error.ID)})
        with contextlib.suppress(NotFound):  # an admin who has never written to the bot
            await self._database(users.mark_blocked_bot, user_id, True, int(time.time()))


def _that_fits(text: str, entities: Iterable[Any]) -> dict[str, object]:
    """A text with its entities, and an ellipsis in the place of what Telegram would not take: it quotes what people
    wrote, and part of an answer says more than none.
    """
    if utf16_length(text) <= LONGEST_TEXT:
        return {"message": text, "entities": list(entities) or None}
    kept = utf16_head(text, LONGEST_TEXT - 1).rstrip()
    end = utf16_length(kept)
    styled = [each for each in entities if each.offset < end]
    for each in styled:
        each.length = min(each.length, end - each.offset)
    return {"message": f"{kept}…", "entities": styled or None}


def markup(keyboard: Keyboard) -> raw.types.ReplyInlineMarkup | None:
    """The keyboard in Telegram's form; None for an empty one."""
    if not keyboard:
        return None
    rows = [raw.types.KeyboardInlineButtonRow(buttons=[_button(button) for button in row]) for row in fitting(keyboard)]
    return raw.types.ReplyInlineMarkup(rows=rows)


def sent_id(updates: raw.base.Updates, random_id: int) -> int | None:
    """The id of the message sent with *random_id*, from the server's answer; None where the answer lacks it."""
    if isinstance(updates, raw.types.UpdateShortSentMessage):
        return int(updates.id)
    for update in getattr(updates, "updates", ()):
        if isinstance(update, raw.types.UpdateMessageID) and update.random_id == random_id:
            return int(update.id)
    return None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _button(button: Button) -> raw.types.KeyboardInlineButton:
    kind: raw.base.InlineButtonType = raw.types.InlineButtonTypeCallback(data=button.data.encode())
    if button.url:
        kind = raw.types.InlineButtonTypeUrl(url=button.url)
    elif button.app:
        kind = raw.types.InlineButtonTypeWebView(url=button.app)
    return raw.types.KeyboardInlineButton(text=button.text, type=kind)
