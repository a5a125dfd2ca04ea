"""Resolves chats and reads posts with one client.

Only channels and supergroups. For other chats Telegram's ``messages.getMessages`` ignores the peer and returns messages
of the operator's private chats. So people, bots and basic groups are refused before any message is requested, and
messages are read with ``channels.getMessages`` alone. See https://core.telegram.org/method/channels.getMessages.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyrogram import Client, raw
from pyrogram.errors import (
    BadRequest,
    ChannelInvalid,
    ChannelPrivate,
    ChannelPublicGroupNa,
    FloodPremiumWait,
    FloodWait,
    UsernameInvalid,
    UsernameNotOccupied,
)
from pyrogram.raw.core import TLObject

from daemon.telegram import rpc, standing
from daemon.telegram.links import MAX_MESSAGE_ID
from daemon.transfer.errors import AccountRestricted, FloodWaitTooLong, PermanentFailure
from daemon.transfer.media.items import SERVICE, Item, items_of, text_of, urls_of, what_is
from models.event_kinds import Undeliverable
from models.jobs.blocked_posts import Contents
from models.jobs.reasons import RefusalReason

ALBUM_REACH = 9  # an album has at most ten messages with neighbouring ids
REMEMBERED = 10_000
DIALOGS_EVERY_S = 300.0
NEWEST_DIALOGS_EVERY_S = 2.0
DIALOGS_PAGE = 100
DIALOGS_PAGES = 20
CALL_TIMEOUT_S = 8.0
LONGEST_FLOOD_S = 8
_CLOSED = (ChannelInvalid, ChannelPrivate, ChannelPublicGroupNa)  # not errors about the login or the call


@dataclass(frozen=True)
class Channel:
    """A channel or supergroup as one client sees it; ``access_hash`` is that client's own."""

    id: int
    access_hash: int
    usernames: tuple[str, ...]
    title: str
    protected: bool
    administered: bool
    asks_to_join: bool = False
    """Its admins accept each person who joins."""
    is_paid: bool = False
    """The account is in it by a subscription that costs."""

    @property
    def username(self) -> str | None:
        """The channel's public name; None for a private one."""
        return self.usernames[0] if self.usernames else None


@dataclass(frozen=True)
class Post:
    """A post, whole: one message, or all messages of an album."""

    channel: Channel
    message_id: int
    single: bool
    edit_date: int
    items: tuple[Item, ...]
    text: str
    entities: tuple[Any, ...]
    protected: bool
    urls: tuple[str, ...] = ()
    """The addresses that the buttons under a text open."""
    inverted: bool = False
    """Is the caption above the files?"""
    origins: tuple[tuple[int, int], ...] = ()
    """Channel and message of each that was forwarded there, where Telegram tells."""

    @property
    def kinds(self) -> dict[str, int]:
        """How many deliveries of each kind the post counts as."""
        found: dict[str, int] = {}
        for kind in [item.kind for item in self.items] or ["text"]:
            found[kind] = found.get(kind, 0) + 1
        return found

    @property
    def contents(self) -> Contents:
        """What it consists of."""
        files = [*self.items, *(other for item in self.items for _, other in item.beside)]
        messages = {self.message_id, *(item.message_id for item in self.items)}
        ids = tuple(sorted({file.media_id for file in files}))
        return Contents(self.channel.id, tuple(sorted(messages)), ids, self.origins)

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(item.size for item in self.items)


class Reader:
    """Reads chats and posts with one client, and remembers the chats.

    *on_flood* hears of each method of which Telegram wants no call for so many seconds.
    """

    def __init__(self, client: Client, on_flood: Callable[[str, int], None] = lambda _method, _seconds: None) -> None:
        self._client, self._on_flood = client, on_flood
        self._channels: OrderedDict[int, Channel] = OrderedDict()
        self._names: dict[str, int] = {}
        self._all_read_at = self._newest_read_at = float("-inf")
        self._dialogs = asyncio.Lock()

    async def by_name(self, username: str) -> Channel:
        """The channel with that public name.

        :raises PermanentFailure: nobody has the name, or a person or a bot has it.
        """
        return self.named(username) or await self.resolve(username)

    def named(self, username: str) -> Channel | None:
        """The channel that had that public name when it was last seen."""
        return self._channels.get(self._names.get(username, 0))

    def latest(self, channel: Channel) -> Channel:
        """The channel as it was last seen."""
        return self._channels.get(channel.id, channel)

    async def resolve(self, username: str) -> Channel:
        """Ask Telegram for the channel with that public name; raises as :meth:`by_name`."""
        try:
            found = await self.call(raw.functions.contacts.ResolveUsername(username=username))
        except (UsernameNotOccupied, UsernameInvalid):
            raise PermanentFailure(RefusalReason.NOT_FOUND) from None
        if not isinstance(found.peer, raw.types.PeerChannel):
            raise PermanentFailure(RefusalReason.PERSON)
        return self._learn(found.chats, found.peer.channel_id)

    async def by_id(self, channel_id: int, access_hash: int | None = None) -> Channel:
        """The channel with that bare id, by the stored *access_hash*, or else from the client's dialogs.

        :raises PermanentFailure: the client is not in the channel.
        """
        if channel_id not in self._channels and access_hash is not None:
            peer = raw.types.InputChannel(channel_id=channel_id, access_hash=access_hash)
            try:
                found = await self.call(raw.functions.channels.GetChannels(id=[peer]))
                self._learn(found.chats, channel_id)
            except (ChannelInvalid, ChannelPrivate):
                pass  # stored for an account that the operator has replaced since
        if channel_id not in self._channels:
            await self._read_dialogs(channel_id)
        if channel_id not in self._channels:
            raise PermanentFailure(RefusalReason.NO_ACCESS)
        return self._channels[channel_id]

    async def post(self, channel: Channel, message_id: int, *, single: bool = False) -> Post:
        """The post with that id, with its whole album unless *single*. Its channel is as Telegram sees it now.

        :raises PermanentFailure: no such post, no access, or a post that is never delivered.
        """
        reach = 0 if single else ALBUM_REACH
        message_ids = range(max(1, message_id - reach), min(message_id + reach, MAX_MESSAGE_ID) + 1)
        channel, messages = await self.messages(channel, message_ids)
        main = next((message for message in messages if message.id == message_id), None)
        if main is None:
            raise PermanentFailure(RefusalReason.NOT_FOUND)
        if isinstance(main, raw.types.MessageService):
            raise PermanentFailure(RefusalReason.NOTHING_TO_DELIVER, Undeliverable(what=SERVICE))
        return self._post(
            channel, main, [main] if single or main.grouped_id is None else _album(main, messages), single
        )

    async def parent(self, channel: Channel, message_id: int) -> Post:
        """The post that a comment belongs to, with only what says who may read it.

        :raises PermanentFailure: no such post, or no access.
        """
        channel, messages = await self.messages(channel, [message_id])
        if not messages:
            raise PermanentFailure(RefusalReason.NOT_FOUND)
        return Post(
            channel=channel,
            message_id=message_id,
            single=True,
            edit_date=0,
            items=(),
            text="",
            entities=(),
            protected=bool(getattr(messages[0], "noforwards", None)),
        )

    async def comment(self, channel: Channel, message_id: int, comment_id: int, *, single: bool = False) -> Post:
        """A comment under a post: a message of the discussion group, which must belong to that post's thread.

        Telegram lists the post's copies in the group newest first. Of an album the oldest is the thread's root.
        """
        peer = raw.types.InputPeerChannel(channel_id=channel.id, access_hash=channel.access_hash)
        try:
            found = await self.call(raw.functions.messages.GetDiscussionMessage(peer=peer, msg_id=message_id))
        except BadRequest:
            raise PermanentFailure(RefusalReason.NOT_FOUND) from None
        copies = [each for each in found.messages if isinstance(getattr(each, "peer_id", None), raw.types.PeerChannel)]
        if not copies:
            raise PermanentFailure(RefusalReason.NOT_FOUND)
        group = self._learn(found.chats, copies[-1].peer_id.channel_id)
        _, answers = await self.messages(group, [comment_id])
        thread = getattr(answers[0], "reply_to", None) if answers else None
        answered = {getattr(thread, "reply_to_top_id", None), getattr(thread, "reply_to_msg_id", None)}
        if not answered & {each.id for each in copies}:
            raise PermanentFailure(RefusalReason.NOT_FOUND)
        return await self.post(group, comment_id, single=single)

    async def messages(self, channel: Channel, message_ids: Sequence[int]) -> tuple[Channel, list[Any]]:
        """Those messages with these ids that exist, and the channel as Telegram sees it now."""
        query = raw.functions.channels.GetMessages(
            channel=raw.types.InputChannel(channel_id=channel.id, access_hash=channel.access_hash),
            id=[raw.types.InputMessageID(id=each) for each in message_ids],
        )
        try:
            found = await self.call(query)
        except _CLOSED:
            self.forget(channel.id)
            raise PermanentFailure(RefusalReason.NO_ACCESS) from None
        messages = [message for message in found.messages if not isinstance(message, raw.types.MessageEmpty)]
        if found.chats:
            channel = self._learn(found.chats, channel.id)
        return channel, messages  # about posts that do not exist, Telegram may leave out the chat

    async def call(self, query: "TLObject[Any]") -> Any:
        """Make a call.

        :raises FloodWaitTooLong: Telegram asks for a long flood wait.
        :raises AccountRestricted: Telegram has frozen the account, or limits it.
        """
        try:
            return await rpc.invoke(
                self._client,
                query,
                timeout=CALL_TIMEOUT_S,
                longest_flood=LONGEST_FLOOD_S,
                on_flood=partial(self._on_flood, _method(query)),
            )
        except (FloodWait, FloodPremiumWait) as error:
            raise FloodWaitTooLong(rpc.flood_seconds(error)) from error
        except standing.REFUSALS as error:
            raise AccountRestricted(str(error.ID)) from error

    def learn(self, chat: Any) -> Channel:
        """Remember a channel as Telegram describes it.

        :raises PermanentFailure: *chat* is a basic group, or closed to this client.
        """
        if not isinstance(chat, raw.types.Channel) or chat.access_hash is None:
            raise PermanentFailure(
                RefusalReason.BASIC_GROUP if isinstance(chat, raw.types.Chat) else RefusalReason.NO_ACCESS
            )
        channel = Channel(
            id=chat.id,
            access_hash=chat.access_hash,
            usernames=_usernames(chat),
            title=chat.title,
            protected=bool(chat.noforwards),
            administered=bool(chat.creator or chat.admin_rights),
            asks_to_join=bool(chat.join_request),
            is_paid=bool(chat.subscription_until_date),
        )
        self.forget(channel.id)
        self._channels[channel.id] = channel
        self._names.update(dict.fromkeys(channel.usernames, channel.id))
        if len(self._channels) > REMEMBERED:
            self.forget(next(iter(self._channels)))
        return channel

    def forget(self, channel_id: int) -> None:
        """Forget a channel and its names."""
        if self._channels.pop(channel_id, None) is not None:
            self._names = {name: owner for name, owner in self._names.items() if owner != channel_id}

    def forget_all(self) -> None:
        """Forget every channel: what is known of them is one account's."""
        self._channels.clear()
        self._names.clear()
        self._all_read_at = self._newest_read_at = float("-inf")

    def _learn(self, chats: Sequence[Any], channel_id: int) -> Channel:
        chat = next((chat for chat in chats if chat.id == channel_id), None)
        if chat is None:
            raise PermanentFailure(RefusalReason.NO_ACCESS)
        return self.learn(chat)

    async def _read_dialogs(self, wanted: int) -> None:
        """Learn the chats that the client is in: a new session knows none.

        All dialogs are read every five minutes at most; in between only the newest, where a chat appears that the
        client has just joined. One job at a time reads them; the others wait for the result.
        """
        async with self._dialogs:
            now = time.monotonic()
            if wanted in self._channels or now - self._newest_read_at < NEWEST_DIALOGS_EVERY_S:
                return
            everything = now - self._all_read_at >= DIALOGS_EVERY_S
            await self._read_pages(DIALOGS_PAGES if everything else 1, wanted)
            self._newest_read_at = now
            if everything:
                self._all_read_at = now

    async def _read_pages(self, pages: int, wanted: int) -> None:
        offset: dict[str, Any] = {"offset_date": 0, "offset_id": 0}
        for _ in range(pages):
            query = raw.functions.messages.GetDialogs(
                limit=DIALOGS_PAGE, hash=0, offset_peer=raw.types.InputPeerEmpty(), **offset
            )
            found = await self.call(query)
            for chat in found.chats:
                if isinstance(chat, raw.types.Channel) and chat.access_hash is not None and not chat.min:
                    self.learn(chat)
            if wanted in self._channels or not isinstance(found, raw.types.messages.DialogsSlice) or not found.messages:
                return
            last = min(found.messages, key=lambda message: getattr(message, "date", 0))
            offset = {"offset_date": last.date, "offset_id": last.id}

    def _post(self, channel: Channel, main: Any, messages: list[Any], single: bool) -> Post:
        items = items_of(messages)
        text, entities = text_of(main) if not items else ("", ())
        if not items and not text:
            raise PermanentFailure(RefusalReason.NOTHING_TO_DELIVER, Undeliverable(what=what_is(main.media)))
        return Post(
            channel=channel,
            message_id=messages[0].id,
            single=single,
            edit_date=max(message.edit_date or 0 for message in messages),
            items=items,
            text=text,
            entities=entities,
            protected=any(message.noforwards for message in messages),
            urls=() if items else urls_of(main),
            inverted=any(message.invert_media for message in messages),
            origins=tuple(origin for message in messages if (origin := _origin(message)) is not None),
        )


def _album(main: Any, messages: Sequence[Any]) -> list[Any]:
    same = (m for m in messages if getattr(m, "grouped_id", None) == main.grouped_id)
    return sorted(same, key=lambda message: message.id)


def _origin(message: Any) -> tuple[int, int] | None:
    """The channel, and the message in it, that a message was forwarded from."""
    told = getattr(message, "fwd_from", None)
    peer, number = getattr(told, "from_id", None), getattr(told, "channel_post", None)
    return (peer.channel_id, number) if isinstance(peer, raw.types.PeerChannel) and number else None


def _method(query: "TLObject[Any]") -> str:
    """The name of a call as Telegram writes it: ``contacts.resolveUsername``."""
    *path, name = query.QUALNAME.removeprefix("functions.").split(".")
    return ".".join([*path, name[:1].lower() + name[1:]])


def _usernames(chat: Any) -> tuple[str, ...]:
    active = [name.username for name in chat.usernames or () if name.active]
    return tuple(name.lower() for name in ([chat.username] if chat.username else []) + active)
