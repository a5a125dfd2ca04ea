"""Which chat an admin means."""

from pyrogram import raw

from daemon.database import Database
from daemon.telegram import links
from daemon.telegram.links import InviteLink, PostLink, RangeLink
from daemon.transfer.errors import PermanentFailure
from daemon.transfer.invitations import remember
from daemon.transfer.reader import Reader
from models.jobs import sources
from models.jobs.reasons import RefusalReason


class Chats:
    """Finds the channel behind a link, an @name or a number, with the operator's account where need be."""

    def __init__(self, reader: Reader, database: Database) -> None:
        self._reader = reader
        self._database = database

    async def id_of(self, text: str, now: int) -> int:
        """Return the bare id of the channel that *text* means.

        :raises PermanentFailure: *text* names no channel, or one that the account cannot see.
        :raises RetryLater: Telegram asks for a wait.
        :raises OSError: the account is away.
        """
        link = links.read(text)
        invite = link.hash if isinstance(link, InviteLink) else getattr(link, "invite", None)
        if invite is not None:
            return await self._behind_invitation(invite, now)
        chat = link.chat if isinstance(link, PostLink | RangeLink) else sources.chat_key(text)
        if isinstance(chat, int) or (chat or "").isdecimal():
            return int(chat or 0)
        channel = await self._reader.by_name(str(chat))
        await remember(self._database, channel, now)
        return channel.id

    async def _behind_invitation(self, code: str, now: int) -> int:
        invite = await self._reader.call(raw.functions.messages.CheckChatInvite(hash=code))
        if not isinstance(invite, raw.types.ChatInviteAlready):
            raise PermanentFailure(RefusalReason.NO_ACCESS)
        channel = self._reader.learn(invite.chat)
        await remember(self._database, channel, now)
        return channel.id
