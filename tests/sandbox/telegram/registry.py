"""Methods of the API by name, and what a handler gets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyrogram import raw
from pyrogram.raw.core import TLObject

from .errors import RpcError
from .restrictions import Restrictions
from .session import Session
from .view import View
from .world import Channel, User, World, channel_peer

if TYPE_CHECKING:
    from .server import Server


@dataclass(frozen=True, slots=True)
class Method:
    """A registered call and who may make it."""

    name: str
    handler: Callable[["Call", Any], Any]
    bots: bool
    users: bool
    anyone: bool


_METHODS: dict[str, Method] = {}


def method(name: str, *, bots: bool = True, users: bool = True, anyone: bool = False) -> Callable:
    """Register a handler for the call ``name`` of the schema, such as ``messages.sendMessage``."""

    def register(handler: Callable[["Call", Any], Any]) -> Callable[["Call", Any], Any]:
        if name in _METHODS:
            raise ValueError(f"{name} is registered twice")
        _METHODS[name] = Method(name, handler, bots, users, anyone)
        return handler

    return register


def find(name: str) -> Method | None:
    return _METHODS.get(name)


class Call:
    """One call of a method: who makes it, from where, and the world it acts on."""

    def __init__(self, server: "Server", session: Session, method_name: str) -> None:
        self.server = server
        self.session = session
        self.method_name = method_name

    @property
    def world(self) -> World:
        return self.server.world

    @property
    def dc(self) -> int:
        """The data centre that was called."""
        return self.session.key.dc

    @property
    def user(self) -> User:
        """Who calls. Raises RpcError AUTH_KEY_UNREGISTERED when nobody is logged in."""
        user_id = self.session.user_id
        if user_id is None:
            raise RpcError(401, "AUTH_KEY_UNREGISTERED")
        return self.world.users[user_id]

    @property
    def is_bot(self) -> bool:
        return self.user.bot is not None

    def view(self) -> View:
        """A fresh view of the world with the caller's eyes."""
        return View(self.world, self.user.id)

    def check_allowed(self, method: Method) -> None:
        """Raises RpcError for callers that this method is not for."""
        verdict = self.session.key.verdict
        if verdict is not None and not (verdict == "AUTH_KEY_UNREGISTERED" and method.anyone):
            raise RpcError(406 if verdict == "AUTH_KEY_DUPLICATED" else 401, verdict)
        if method.anyone:
            return
        user = self.user
        if user.banned:
            raise RpcError(401, "USER_DEACTIVATED_BAN")
        if user.bot and not method.bots:
            raise RpcError(400, "BOT_METHOD_INVALID")
        if not user.bot and not method.users:
            raise RpcError(400, "USER_BOT_REQUIRED")

    def user_id(self, given: TLObject) -> int:
        """Id of the user that an InputUser or InputPeer names. Raises RpcError USER_ID_INVALID."""
        if isinstance(given, (raw.types.InputUserSelf, raw.types.InputPeerSelf)):
            return self.user.id
        if isinstance(given, (raw.types.InputUser, raw.types.InputPeerUser)):
            if given.user_id in self.world.users and self._hash_fits(given.user_id, given.access_hash):
                return given.user_id
        raise RpcError(400, "USER_ID_INVALID")

    def channel(self, given: TLObject) -> Channel:
        """The channel that an InputChannel or InputPeerChannel names, if the caller may read it.

        Raises RpcError CHANNEL_INVALID, CHANNEL_PRIVATE or, for a frozen account outside, FROZEN_PARTICIPANT_MISSING.
        """
        if not isinstance(given, (raw.types.InputChannel, raw.types.InputPeerChannel)):
            raise RpcError(400, "CHANNEL_INVALID")
        if not self._hash_fits(channel_peer(given.channel_id), given.access_hash):
            raise RpcError(400, "CHANNEL_INVALID")
        channel = self.world.channel_for(self.user.id, given.channel_id)
        if self.user.id in self.world.part(Restrictions).frozen and not channel.has(self.user.id):
            raise RpcError(400, "FROZEN_PARTICIPANT_MISSING")
        return channel

    def peer(self, given: TLObject) -> int:
        """Marked id of the chat that an InputPeer names. Raises RpcError PEER_ID_INVALID, CHANNEL_*."""
        if isinstance(given, raw.types.InputPeerChannel):
            return self.channel(given).peer
        if isinstance(given, raw.types.InputPeerChat):
            group = self.world.groups.get(given.chat_id)
            if group is None or self.user.id not in group.members:
                raise RpcError(400, "PEER_ID_INVALID")
            return group.peer
        try:
            return self.user_id(given)
        except RpcError as error:
            raise RpcError(400, "PEER_ID_INVALID") from error

    def _hash_fits(self, peer: int, given: int) -> bool:
        if peer == self.user.id or given == self.world.access_hash(self.user.id, peer):
            return True
        return given == 0 and self.is_bot and self.world.knows(self.user.id, peer)
