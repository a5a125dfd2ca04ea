"""Which chat an admin means."""

from pyrogram import raw

from daemon.database import Database
from daemon.telegram import links
from daemon.telegram.links import InviteLink, PostLink, RangeLink
from daemon.transfer.errors import PermanentFailure
from daemon.transfer.lookups import remember
from daemon.transfer.reader import Reader
from models.jobs import sources
from models.jobs.blocked_posts import Contents
from models.jobs.reasons import RefusalReason


class Chats:
    """Finds the channel behind a link, an @name or a number, with the operator's account where need be."""

    def __init__(self, reader: Reader, database: Database) -> None:
        self._reader = reader
        self._database = database

    async def forget(self) -> None:
        """Forget what only one account knows: another one is to read."""
        self._reader.forget_all()

    async def id_of(self, text: str, now: int, *, seen: bool = True) -> int:
        """Return the bare id of the channel that *text* means.

        :param seen: a number counts only if the account can see a channel of that number.

        :raises PermanentFailure: *text* names no channel, or one that the account cannot see. A number that no channel
            can have is none either.
        :raises RetryLater: Telegram asks for a wait.
        :raises OSError: the account is away.
        """
        link = links.read(text)
        invite = link.hash if isinstance(link, InviteLink) else getattr(link, "invite", None)
        if invite is not None:
            return await self._behind_invitation(invite, now)
        chat = link.chat if isinstance(link, PostLink | RangeLink) else sources.chat_key(text)
        if isinstance(chat, int) or (chat or "").isdecimal():
            return await self._by_number(int(chat or 0), now, seen)
        channel = await self._reader.by_name(str(chat))
        await remember(self._database, channel, now)
        return channel.id

    async def contents(self, link: PostLink, now: int) -> Contents:
        """What the post of a link consists of, whoever may have it. Of a post that cannot be read: its place alone.

        :raises PermanentFailure: nobody can tell which channel, or which comment, the link means; the others as
            :meth:`id_of`.
        """
        source_id = await self.id_of(str(link), now, seen=False)
        try:
            known = await self._database(sources.get, source_id)
            channel = await self._reader.by_id(source_id, known.access_hash if known else None)
            if link.comment_id is None:
                return (await self._reader.post(channel, link.message_id, single=link.single)).contents
            return (await self._reader.comment(channel, link.message_id, link.comment_id, single=link.single)).contents
        except PermanentFailure:
            if link.comment_id is not None:
                raise
            return Contents(source_id, (link.message_id,))

    async def _by_number(self, chat_id: int, now: int, seen: bool) -> int:
        if not 0 < chat_id <= links.MAX_CHANNEL_ID:
            raise PermanentFailure(RefusalReason.BAD_NUMBER)
        known = await self._database(sources.get, chat_id)
        if seen and (known is None or not known.title):
            await remember(self._database, await self._reader.by_id(chat_id), now)
        return chat_id

    async def _behind_invitation(self, code: str, now: int) -> int:
        invite = await self._reader.call(raw.functions.messages.CheckChatInvite(hash=code))
        if not isinstance(invite, raw.types.ChatInviteAlready):
            raise PermanentFailure(RefusalReason.NO_ACCESS)
        channel = self._reader.learn(invite.chat)
        await remember(self._database, channel, now)
        return channel.id
