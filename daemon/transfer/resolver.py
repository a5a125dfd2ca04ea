"""From a link to a post that this customer may have: decides who may read what, by what Telegram says now."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pyrogram.errors import RPCError

from config.settings import Settings
from daemon.database import Database
from daemon.telegram import links
from daemon.telegram.links import Choice, Link, PostLink, RangeLink
from daemon.transfer.errors import AccountAway, OutOfTurn, PermanentFailure, RetryLater
from daemon.transfer.invitations import Invitations
from daemon.transfer.lookups import Lookups, remember
from daemon.transfer.media.stored_files import StoredFile
from daemon.transfer.openings import Openings
from daemon.transfer.reader import Channel, Post, Reader
from daemon.wakeup import Subscription
from models.jobs import lookups, sources
from models.jobs.reasons import RefusalReason
from models.jobs.sources import ReadingPolicy, SourceInfo, policy_of

logger = logging.getLogger(__name__)

LIST_RETRY_S = 60.0
REMEMBERED = 10_000
"""Names of chats in which the bot saw nothing at its last look."""
LISTS_S = 60.0


@dataclass(frozen=True)
class Customer:
    """The customer for whom a post is looked up."""

    id: int
    paying: bool


@dataclass(frozen=True)
class Found:
    """A post that the customer may have. ``stored``: its files, where the bot has seen them and can send them."""

    post: Post
    stored: tuple[StoredFile, ...] = ()


class Resolver:
    """Looks posts up: public ones with the bot first, all others with the account."""

    def __init__(
        self, bot: Reader, account: Reader, database: Database, settings: Settings, account_is_up: Callable[[], bool]
    ) -> None:
        self._bot, self._account, self._database = bot, account, database
        self.account_is_up = account_is_up
        self._settings = settings
        self._by_bot = Lookups(bot, database, is_bot=True)
        self._by_account = Lookups(account, database, is_bot=False)
        self._invitations = Invitations(self._by_account, database, settings)
        self._blind: OrderedDict[str, None] = OrderedDict()
        self._openings = Openings(account, database, self._invitations)

    @property
    def _policy(self) -> ReadingPolicy:
        return policy_of(self._settings)

    async def find(self, customer: Customer, link: PostLink) -> Found:
        """The post that *link* names. For a text that links to a post with files, that post.

        :raises PermanentFailure: there is no such post, or this customer may not have it.
        :raises RetryLater: it cannot be read now.
        """
        found = await self._find_post(customer, link)
        inner = _link_within(found.post)
        if inner is None:
            return found
        try:
            followed = await self._find_post(customer, inner)
        except PermanentFailure:
            return found
        except (RetryLater, RPCError, OSError):
            if await self._is_closed_to(customer, inner):
                return found
            raise
        return followed if followed.post.items else found

    async def _is_closed_to(self, customer: Customer, link: PostLink) -> bool:
        """Is it a private chat that this customer may not read, by what is stored? Asks nothing of Telegram."""
        if isinstance(link.chat, str):
            return False
        known = await self._database(sources.get, int(link.chat or 0))
        if known is None:
            return True
        opened = await self._database(sources.is_open_for, customer.id, known.id)
        return not sources.may_read(known, opened, self._policy).allowed

    async def follow(self, customer: Customer, code: str) -> tuple[Channel, bool]:
        """Follow an invitation, which opens its chat to the customer. True: the account joined just now.

        :raises PermanentFailure: the invitation is not followed, or opens nothing to this customer.
        """
        self._require_account()
        channel, joined = await self._invitations.follow(customer.id, customer.paying, code, int(time.time()))
        await self._openings.open(customer.id, channel, code)
        return channel, joined

    async def keep_lists(self, changed: Subscription) -> None:
        """Find the chats that the lists name, now and whenever *changed* says that others may be named."""
        kept = None
        while True:
            if (policy := self._policy) != kept:
                await self._find_listed()
                kept = policy
            await changed.wait(LISTS_S)

    async def _find_listed(self) -> None:
        """Find the chats that ``BLOCKED_CHATS`` and ``SOURCE_CHATS`` name, so that the lists hold whatever their names.

        It ends when each name that was never found has been looked for once; a name that nobody has yet is noticed
        when a link leads to a chat with that name.
        """
        wanted = {sources.BLOCKED: self._policy.blocked, sources.ALLOWED: self._policy.allowed}
        names = [(listed, name) for listed, each in wanted.items() for name in sorted(each) if not name.isdecimal()]
        for listed, name in names:
            while not await self._database(sources.is_listed, listed, name):
                try:
                    self._require_account()
                    channel = await self._by_account.resolve(None, name)
                    await self._listed(await self._remember(channel), channel)
                    break
                except PermanentFailure as refusal:
                    logger.warning("listed_chat.unknown", extra={"chat": name, "reason": refusal.reason})
                    break
                except (RetryLater, RPCError, OSError) as error:
                    await asyncio.sleep(min(getattr(error, "seconds", LIST_RETRY_S), LIST_RETRY_S))

    async def reread(self, post: Post) -> Post:
        """The same post as the account sees it now, with locations that the account can read."""
        self._require_account()
        channel = await self._as_the_account_knows(post.channel)
        return await self._account.post(channel, post.message_id, single=post.single)

    async def _find_post(self, customer: Customer, link: PostLink) -> Found:
        if not isinstance(link.chat, str) or link.comment_id is not None:
            return await self._find_with_account(customer, link)
        if link.chat in self._blind:
            return await self._find_with_both(customer, link)
        return await self._find_with_bot(customer, link) or await self._find_with_account(customer, link)

    async def _find_with_both(self, customer: Customer, link: PostLink) -> Found:
        """A public post of a chat in which the bot saw nothing lately: the account looks beside it, not after it."""
        account = asyncio.create_task(self._find_with_account(customer, link))
        try:
            return await self._find_with_bot(customer, link) or await account
        finally:
            account.cancel()
            await asyncio.gather(account, return_exceptions=True)

    async def _find_with_account(self, customer: Customer, link: PostLink) -> Found:
        self._require_account()
        post = await self._read_with_account(customer, link)
        await self._check_access(customer, await self._remember(post.channel), post.channel, post)
        if link.comment_id is not None:
            post = await self._account.comment(post.channel, link.message_id, link.comment_id, single=link.single)
            await self._check_comment(post)
        return Found(post)

    async def _read_with_account(self, customer: Customer, link: PostLink) -> Post:
        """The post that the link names. For a comment that is its parent, which need not be deliverable."""

        async def read(channel: Channel) -> Post:
            if link.comment_id is not None:
                return await self._account.parent(channel, link.message_id)
            return await self._account.post(channel, link.message_id, single=link.single)

        async def read_or_explain(channel: Channel) -> Post:
            try:
                return await read(channel)
            except PermanentFailure as refusal:
                await self._explain(customer, channel, refusal)
                raise

        if isinstance(link.chat, str):
            post = await self._read_by_name(self._by_account, customer, link.chat, read_or_explain)
            assert post is not None
            return post
        return await read_or_explain(await self._channel(customer, link))

    async def _explain(self, customer: Customer, channel: Channel, refusal: PermanentFailure) -> None:
        """Check a chat whose post cannot be read: only those who may read it are told what is in it."""
        if refusal.reason is RefusalReason.NO_ACCESS:
            await self._database(lookups.doubt, channel.id)
        else:
            channel = self._account.latest(channel)
            await self._check_access(customer, await self._remember(channel), channel)

    async def _read_by_name(
        self, looking_up: Lookups, customer: Customer, name: str, read: Callable[[Channel], Awaitable[Post | None]]
    ) -> Post | None:
        """What *read* finds in the channel that has the name now, wherever the name was learnt."""
        channel, fresh = await looking_up.by_name(customer.id, name)
        try:
            post = await read(channel)
        except PermanentFailure as refusal:
            if fresh or (refusal.reason is not RefusalReason.NO_ACCESS and looking_up.has_name(channel, name)):
                raise
        else:
            if fresh or looking_up.has_name(channel, name):
                return post
        looking_up.reader.forget(channel.id)  # the name has moved since, or another account learnt it
        return await read(await looking_up.resolve(customer.id, name))

    async def _find_with_bot(self, customer: Customer, link: PostLink) -> Found | None:
        """A public post as the bot itself sees it; None when only the account may see it."""
        name = str(link.chat)
        found = await self._look_with_bot(customer, name, link)
        self._blind.pop(name, None)
        if found is None:
            self._blind[name] = None
            if len(self._blind) > REMEMBERED:
                self._blind.popitem(last=False)
        return found

    async def _look_with_bot(self, customer: Customer, name: str, link: PostLink) -> Found | None:
        try:
            post = await self._read_by_name(
                self._by_bot, customer, name, lambda channel: self._read_with_bot(channel, link)
            )
        except PermanentFailure as refusal:
            if refusal.reason is RefusalReason.NO_ACCESS:
                return None
            raise
        except OutOfTurn:
            raise
        except (RPCError, OSError, RetryLater):
            return None
        if post is None:
            return None
        if name not in post.channel.usernames or post.protected or post.channel.protected:
            self._bot.forget(post.channel.id)
            return None
        known = await remember(self._database, post.channel, int(time.time()), as_bot=True)
        await self._check_access(customer, known, post.channel, post)
        return Found(post, tuple(StoredFile.of(item.media) for item in post.items))

    async def _read_with_bot(self, channel: Channel, link: PostLink) -> Post | None:
        """The post; None where the bot sees none: every message of a public group that it is not in is empty to it."""
        try:
            return await self._bot.post(channel, link.message_id, single=link.single)
        except PermanentFailure as refusal:
            if refusal.reason in (RefusalReason.NOT_FOUND, RefusalReason.NOTHING_TO_DELIVER):
                return None
            raise

    async def _channel(self, customer: Customer, link: PostLink) -> Channel:
        if link.invite is not None:
            channel, _ = await self.follow(customer, link.invite)
            return channel
        return await self._by_id(int(link.chat or 0))

    async def _by_id(self, channel_id: int) -> Channel:
        known = await self._database(sources.get, channel_id)
        return await self._account.by_id(channel_id, known.access_hash if known else None)

    async def _as_the_account_knows(self, channel: Channel) -> Channel:
        """The same channel with the account's own access hash."""
        if channel.username is None:
            return await self._by_id(channel.id)
        known, _ = await self._by_account.by_name(None, channel.username)
        return known if known.id == channel.id else await self._by_account.resolve(None, channel.username)

    async def _check_access(
        self, customer: Customer, info: SourceInfo, channel: Channel, post: Post | None = None
    ) -> None:
        """Check that the customer may read the chat, and the post where one is given.

        Of a private chat that is closed to them they hear the same, whether or not the account is in it.
        """
        info = await self._listed(info, channel)
        reason = self._reason(info, False, channel, post)
        if reason is RefusalReason.PRIVATE and await self._openings.holds(customer.id, channel):
            reason = self._reason(info, True, channel, post)
        if reason is RefusalReason.PRIVATE:
            logger.info("source.closed", extra={"user": customer.id, "source": info.id})
            reason = RefusalReason.NO_ACCESS
        if reason is not None:
            raise PermanentFailure(reason)

    async def _check_comment(self, comment: Post) -> None:
        """Check a comment: it is as open as its post, unless its group is blocked or protected."""
        info = await self._listed(await self._remember(comment.channel), comment.channel)
        reason = self._reason(info, True, comment.channel, comment)
        if reason is not None:
            raise PermanentFailure(reason)

    def _reason(self, info: SourceInfo, opened: bool, channel: Channel, post: Post | None) -> RefusalReason | None:
        protected = post is not None and post.protected
        return sources.may_read(info, opened, self._policy, post_protected=protected, names=channel.usernames).reason

    async def _listed(self, info: SourceInfo, channel: Channel) -> SourceInfo:
        """The chat, with what it has just been seen to have of the names on the operator's lists."""
        names = set(channel.usernames)
        if names & self._policy.blocked <= info.blocked_as and names & self._policy.allowed <= info.allowed_as:
            return info
        return await self._database(sources.keep_listed, info.id, names, self._policy, int(time.time()))

    async def _remember(self, channel: Channel) -> SourceInfo:
        return await remember(self._database, channel, int(time.time()))

    def _require_account(self) -> None:
        if not self.account_is_up():
            raise AccountAway


def _link_within(post: Post) -> PostLink | None:
    """The first post that a text or a button under it links to.

    An invitation there is not the customer's own and is not followed.
    """
    if post.items:
        return None
    hidden = [_TextLink(entity.offset, entity.length, getattr(entity, "url", None)) for entity in post.entities]
    found = (_first_of(link) for link in links.parse(post.text, hidden, post.urls))
    return next((link for link in found if link is not None and link.invite is None), None)


def _first_of(link: Link) -> PostLink | None:
    """The first post that a link names; of a choice, the one that is in every reading."""
    if isinstance(link, Choice):
        (link,) = link.readings[-1].links
    if isinstance(link, RangeLink):
        return PostLink(link.chat, link.first, link.thread_id, invite=link.invite)
    return link if isinstance(link, PostLink) else None


@dataclass(frozen=True)
class _TextLink:
    offset: int
    length: int
    url: str | None
