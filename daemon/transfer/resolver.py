"""From a link to a post that this customer may have: decides who may read what, by what Telegram says now."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyrogram.errors import RPCError

from config.settings import Settings
from daemon.database import Database
from daemon.telegram import links
from daemon.telegram.links import Choice, Link, PostLink, RangeLink
from daemon.transfer.errors import AccountAway, PermanentFailure, RetryLater
from daemon.transfer.invitations import Invitations, remember
from daemon.transfer.media.stored_files import StoredFile
from daemon.transfer.reader import Channel, Post, Reader
from models.jobs import sources
from models.jobs.reasons import RefusalReason
from models.jobs.sources import ReadingPolicy


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
        self._account_is_up = account_is_up
        self._policy = ReadingPolicy.of(settings.source_chats, settings.blocked_chats, settings.protected_content)
        self._invitations = Invitations(account, database, settings, self._policy)

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
        """Follow an invitation. True: the account joined just now."""
        self._require_account()
        return await self._invitations.follow(customer.id, customer.paying, code, int(time.time()))

    async def reread(self, post: Post) -> Post:
        """The same post as the account sees it now, with locations that the account can read."""
        self._require_account()
        channel = await self._by_id(post.channel.id, post.channel.username)
        return await self._account.post(channel, post.message_id, single=post.single)

    async def _find_post(self, customer: Customer, link: PostLink) -> Found:
        if isinstance(link.chat, str) and link.comment_id is None:
            found = await self._find_with_bot(customer, link)
            if found is not None:
                return found
        self._require_account()
        channel = await self._channel(customer, link)
        try:
            post = await self._read_named(channel, link)
        except PermanentFailure as refusal:
            if refusal.reason is not RefusalReason.NO_ACCESS:  # only those who may read a chat are told what is in it
                await self._check_access(customer, await self._remember(channel), channel)
            raise
        if isinstance(link.chat, str) and link.chat not in post.channel.usernames:
            self._account.forget(channel.id)  # the name has moved since it was learnt
            channel = await self._account.by_name(link.chat)
            post = await self._read_named(channel, link)
        await self._check_access(customer, await self._remember(post.channel), post.channel, post)
        if link.comment_id is not None:
            post = await self._account.comment(post.channel, link.message_id, link.comment_id, single=link.single)
            await self._check_comment(post)
        return Found(post)

    async def _read_named(self, channel: Channel, link: PostLink) -> Post:
        """The post that the link names. For a comment that is its parent, which need not be deliverable."""
        if link.comment_id is not None:
            return await self._account.parent(channel, link.message_id)
        return await self._account.post(channel, link.message_id, single=link.single)

    async def _find_with_bot(self, customer: Customer, link: PostLink) -> Found | None:
        """A public post as the bot itself sees it; None when only the account may see it."""
        name = str(link.chat)
        try:
            post = await self._read_with_bot(name, link)
        except PermanentFailure as refusal:
            if refusal.reason is RefusalReason.NO_ACCESS:
                return None
            raise
        except (RPCError, OSError, RetryLater):
            return None
        if post is None:
            return None
        known = await self._database(sources.get, post.channel.id)
        if name not in post.channel.usernames or post.protected or post.channel.protected:
            self._bot.forget(post.channel.id)
            return None
        if known is None or (known.username, known.title, known.protected) != _seen(post.channel):
            known = await self._database(
                sources.remember,
                post.channel.id,
                post.channel.username,
                post.channel.title,
                protected=False,
                now=int(time.time()),
                administered=bool(known and known.administered),
            )
        await self._check_access(customer, known, post.channel, post)
        return Found(post, tuple(StoredFile.of(item.media) for item in post.items))

    async def _read_with_bot(self, name: str, link: PostLink) -> Post | None:
        """The post; None where the bot sees none: every message of a public group that it is not in is empty to it."""
        channel = await self._bot.by_name(name)
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
        if isinstance(link.chat, str):
            return await self._account.by_name(link.chat)
        return await self._by_id(int(link.chat or 0), None)

    async def _by_id(self, channel_id: int, username: str | None) -> Channel:
        if username is not None:
            return await self._account.by_name(username)
        known = await self._database(sources.get, channel_id)
        return await self._account.by_id(channel_id, known.access_hash if known else None)

    async def _check_access(
        self, customer: Customer, info: sources.SourceInfo, channel: Channel, post: Post | None = None
    ) -> None:
        """Check that the customer may read the chat, and the post where one is given."""
        self._decide(info, await self._database(sources.is_open_for, customer.id, info.id), channel, post)

    def _decide(self, info: sources.SourceInfo, opened: bool, channel: Channel, post: Post | None) -> None:
        protected = post is not None and post.protected
        verdict = sources.may_read(info, opened, self._policy, post_protected=protected, names=channel.usernames)
        if verdict.reason is not None:
            raise PermanentFailure(verdict.reason)

    async def _check_comment(self, comment: Post) -> None:
        """Check a comment: it is as open as its post, unless its group is blocked or protected."""
        self._decide(await self._remember(comment.channel), True, comment.channel, comment)

    async def _remember(self, channel: Channel) -> sources.SourceInfo:
        return await remember(self._database, channel, int(time.time()))

    def _require_account(self) -> None:
        if not self._account_is_up():
            raise AccountAway


def _seen(channel: Channel) -> tuple[Any, ...]:
    return channel.username, channel.title, channel.protected


def _link_within(post: Post) -> PostLink | None:
    """The first post that a text links to. An invitation in a text is not the customer's own and is not followed."""
    if post.items:
        return None
    urls = [_TextLink(entity.offset, getattr(entity, "url", None)) for entity in post.entities]
    found = (_first_of(link) for link in links.parse(post.text, urls))
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
    url: str | None
