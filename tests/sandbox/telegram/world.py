"""What exists on this Telegram: users, bots, basic groups, channels, and who may see what."""

import hmac
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from .errors import RpcError
from .timeline import Timeline

Part = TypeVar("Part")

_CHANNEL_BASE = -(10**12)
MAX_CHANNELS = 500
MAX_CHANNELS_PREMIUM = 1000


def channel_peer(channel_id: int) -> int:
    """Marked id of a channel."""
    return _CHANNEL_BASE - channel_id


def channel_id_of(peer: int) -> int:
    """Id of the channel with this marked id."""
    return _CHANNEL_BASE - peer


def is_user(peer: int) -> bool:
    return peer > 0


def is_channel(peer: int) -> bool:
    return peer < _CHANNEL_BASE


def is_basic_group(peer: int) -> bool:
    return _CHANNEL_BASE < peer < 0


@dataclass(eq=False)
class Bot:
    """What a user has besides when it is a bot."""

    token: str
    # Language code, "" for all others -> (about, description).
    infos: dict[str, tuple[str, str]] = field(default_factory=dict)
    # (scope, language code) -> [(command, description)]; scope as bots.scope_key spells it.
    commands: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    can_join_groups: bool = True
    # Chat, or 0 for all, -> what stands beside the text field.
    menu_buttons: dict[int, Any] = field(default_factory=dict)


@dataclass(eq=False)
class User:
    """An account. ``blocked`` holds whom this user blocked; ``password`` the SRP verifier of two-step verification."""

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    phone: str | None = None
    language_code: str | None = None
    premium: bool = False
    verified: bool = False
    support: bool = False
    bot: Bot | None = None
    banned: bool = False
    password: Any = None
    blocked: set[int] = field(default_factory=set)
    timeline: Timeline = field(default_factory=Timeline)
    # random_id -> (peer, message id), as long as the server remembers.
    random_ids: dict[int, tuple[int, int]] = field(default_factory=dict)
    # Channels this account may be in; None: what Telegram allows.
    max_channels: int | None = None


@dataclass(eq=False)
class Group:
    """A basic group; its messages stand in its members' own timelines."""

    id: int
    title: str
    creator: int
    date: int
    members: dict[int, int] = field(default_factory=dict)

    @property
    def peer(self) -> int:
        return -self.id


class Role(Enum):
    MEMBER = "member"
    ADMIN = "admin"
    CREATOR = "creator"
    LEFT = "left"
    BANNED = "banned"
    REQUESTED = "requested"


@dataclass(eq=False)
class Member:
    """A place in a channel; ``subscribed_until`` where it is paid for by the month."""

    role: Role
    date: int
    subscribed_until: int | None = None


@dataclass(eq=False)
class Invitation:
    """A link into a channel. ``expires_at`` in Unix seconds; ``usage_limit`` as set by its maker; ``price`` in
    Stars."""

    hash: str
    creator: int
    date: int
    request_needed: bool = False
    expires_at: int | None = None
    usage_limit: int | None = None
    usage: int = 0
    revoked: bool = False
    price: int | None = None


@dataclass(eq=False)
class Channel:
    """A channel (broadcast) or a supergroup (megagroup), public when it has a user name."""

    id: int
    title: str
    creator: int
    date: int
    username: str | None = None
    megagroup: bool = False
    forum: bool = False
    noforwards: bool = False
    # Who wants in has to be let in by an admin; only admins see who is in.
    join_request: bool = False
    hidden_members: bool = False
    about: str = ""
    members: dict[int, Member] = field(default_factory=dict)
    invitations: dict[str, Invitation] = field(default_factory=dict)
    # id of the message that opened it -> title
    topics: dict[int, str] = field(default_factory=dict)
    # The supergroup in which its posts are discussed, and post -> the copy there that comments answer.
    discussion: int | None = None
    discussed: dict[int, int] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=Timeline)

    @property
    def peer(self) -> int:
        return channel_peer(self.id)

    def role(self, user_id: int) -> Role | None:
        member = self.members.get(user_id)
        return member.role if member else None

    def has(self, user_id: int) -> bool:
        """Whether the user is inside."""
        return self.role(user_id) in (Role.MEMBER, Role.ADMIN, Role.CREATOR)

    def is_admin(self, user_id: int) -> bool:
        return self.role(user_id) in (Role.ADMIN, Role.CREATOR)

    def comments(self, root: int) -> list[int]:
        """Ids of the messages that answer this one."""
        return [message.id for message in self.timeline.history(self.peer) if message.reply_to == root]

    def inside(self) -> Iterator[int]:
        """Ids of everybody inside."""
        return (user_id for user_id in self.members if self.has(user_id))


class World:
    """Everything that survives a restart."""

    def __init__(self) -> None:
        self.users: dict[int, User] = {}
        self.groups: dict[int, Group] = {}
        self.channels: dict[int, Channel] = {}
        self.secret = os.urandom(32)
        self.clock_offset = 0
        # Bot -> users who have written to it.
        self.started: dict[int, set[int]] = {}
        self._parts: dict[str, Any] = {}

    def now(self) -> int:
        """Unix seconds on the clock of this world, which tests move."""
        return int(time.time()) + self.clock_offset

    def part(self, kind: type[Part]) -> Part:
        """State that another module keeps here, made at first use."""
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name not in self._parts:
            self._parts[name] = kind()
        return self._parts[name]

    # Who is who

    def add_user(self, user: User) -> User:
        self.users[user.id] = user
        return user

    def user(self, user_id: int) -> User:
        """Raises RpcError USER_ID_INVALID."""
        user = self.users.get(user_id)
        if user is None:
            raise RpcError(400, "USER_ID_INVALID")
        return user

    def bot_by_token(self, token: str) -> User | None:
        return next((user for user in self.users.values() if user.bot and user.bot.token == token), None)

    def user_by_phone(self, phone: str) -> User | None:
        digits = "".join(filter(str.isdigit, phone))
        return next((user for user in self.users.values() if user.phone == digits), None)

    def by_username(self, username: str) -> User | Channel | None:
        wanted = username.lower()
        for owner in (*self.users.values(), *self.channels.values()):
            if owner.username and owner.username.lower() == wanted:
                return owner
        return None

    def access_hash(self, viewer: int, peer: int) -> int:
        """What ``viewer`` must show to name ``peer``: different for each account, so that borrowed ones are refused."""
        digest = hmac.digest(self.secret, f"{viewer} {peer}".encode(), "sha256")
        return int.from_bytes(digest[:8], "little", signed=True)

    # Chats

    def add_channel(self, channel: Channel) -> Channel:
        self.channels[channel.id] = channel
        channel.members[channel.creator] = Member(Role.CREATOR, channel.date)
        return channel

    def add_group(self, group: Group) -> Group:
        self.groups[group.id] = group
        group.members.setdefault(group.creator, group.date)
        return group

    def timeline_of(self, viewer: int, peer: int) -> Timeline:
        """The timeline in which ``viewer`` finds the messages of ``peer``."""
        if is_channel(peer):
            return self.channels[channel_id_of(peer)].timeline
        return self.users[viewer].timeline

    def may_read(self, viewer: int, channel: Channel) -> bool:
        """Members and, in public chats, everybody who is not banned."""
        if channel.has(viewer):
            return True
        return channel.username is not None and channel.role(viewer) is not Role.BANNED

    def channel_for(self, viewer: int, channel_id: int) -> Channel:
        """The channel, if ``viewer`` may read it. Raises RpcError CHANNEL_INVALID or CHANNEL_PRIVATE."""
        channel = self.channels.get(channel_id)
        if channel is None:
            raise RpcError(400, "CHANNEL_INVALID")
        if not self.may_read(viewer, channel):
            raise RpcError(400, "CHANNEL_PRIVATE")
        return channel

    def group_for(self, viewer: int, group_id: int) -> Group:
        """The basic group, if ``viewer`` is in it. Raises RpcError CHAT_ID_INVALID."""
        group = self.groups.get(group_id)
        if group is None or viewer not in group.members:
            raise RpcError(400, "CHAT_ID_INVALID")
        return group

    def channels_joined(self, user_id: int) -> int:
        return sum(channel.has(user_id) for channel in self.channels.values())

    def channel_limit(self, user: User) -> int:
        return user.max_channels or (MAX_CHANNELS_PREMIUM if user.premium else MAX_CHANNELS)

    def invitation(self, hash_: str) -> tuple[Channel, Invitation] | None:
        for channel in self.channels.values():
            if hash_ in channel.invitations:
                return channel, channel.invitations[hash_]
        return None

    def has_talked_to(self, owner: int, peer: int) -> bool:
        """Whether there is a dialog with ``peer`` in the owner's list."""
        return bool(self.users[owner].timeline.by_peer.get(peer))

    def knows(self, viewer: int, peer: int) -> bool:
        """Whether a bot has met the peer, so that it may name it without an access hash."""
        if is_channel(peer):
            channel = self.channels.get(channel_id_of(peer))
            return channel is not None and channel.has(viewer)
        return peer == viewer or self.has_talked_to(viewer, peer) or self._share_a_chat(viewer, peer)

    def _share_a_chat(self, one: int, other: int) -> bool:
        if any(one in group.members and other in group.members for group in self.groups.values()):
            return True
        return any(channel.has(one) and channel.has(other) for channel in self.channels.values())

    def start_bot(self, user: int, bot: int) -> None:
        """The user has written to the bot, which may write to him from now on, deleted chats or not."""
        self.started.setdefault(bot, set()).add(user)

    def has_started(self, user: int, bot: int) -> bool:
        return user in self.started.get(bot, ())
