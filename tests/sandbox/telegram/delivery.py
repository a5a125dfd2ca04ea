"""Updates on their way to an account: to which of its sessions, and in which wrapping."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyrogram import raw
from pyrogram.raw.core import TLObject

from .session import Session
from .view import View

if TYPE_CHECKING:
    from .server import Server

Build = Callable[[View], list[TLObject]]
PACKINGS = ("updates", "short", "combined", "too_long")


@dataclass
class Manners:
    """How an account is told of updates: ``packing`` is one of PACKINGS.

    ``min_peers``: who is mentioned comes as a ``min`` description; ``bare``: not at all. ``media``: sessions that
    only move
    files hear of it too.
    """

    packing: str = "updates"
    min_peers: bool = False
    bare: bool = False
    media: bool = False


class Delivery:
    """Sends updates to the sessions that are connected; others ask for the difference later."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        # By account, None for all; as tests have asked for.
        self.manners: dict[int | None, Manners] = {}

    def manners_of(self, user_id: int) -> Manners:
        return self.manners.get(user_id) or self.manners.get(None) or Manners()

    def push(self, user_id: int, build: Build, exclude: Session | None = None, *, media: bool = False) -> int:
        """Send what ``build`` returns; answers how many sessions there were for it."""
        sessions = self._sessions(user_id, exclude, media=media)
        if not sessions:
            return 0
        manners = self.manners_of(user_id)
        view = View(self._server.world, user_id, min_peers=manners.min_peers)
        updates = build(view)
        return self._send(sessions, _wrapped(view, updates, manners)) if updates else 0

    def send(self, user_id: int, obj: TLObject, *, media: bool = False) -> int:
        """Send an object as it is; answers how many sessions there were for it."""
        return self._send(self._sessions(user_id, None, media=media), obj)

    def _sessions(self, user_id: int, exclude: Session | None, *, media: bool = False) -> list[Session]:
        media = media or self.manners_of(user_id).media
        return [
            session
            for session in self._server.sessions_of(user_id)
            if session is not exclude
            and (session.wants_updates or media)
            and session.connection in self._server.connections
            and session.key.verdict is None
        ]

    @staticmethod
    def _send(sessions: list[Session], obj: TLObject) -> int:
        body = obj.write()
        for session in sessions:
            assert session.connection is not None
            session.connection.send(session, body, reply=False)
        return len(sessions)


def _wrapped(view: View, updates: list[TLObject], manners: Manners) -> TLObject:
    if manners.packing == "too_long":
        return raw.types.UpdatesTooLong()
    if manners.packing == "short" and len(updates) == 1:
        return _short(view, updates[0])
    wrapped = view.updates(updates)
    if manners.bare:
        wrapped.users, wrapped.chats = [], []
    if manners.packing == "combined":
        return raw.types.UpdatesCombined(
            updates=wrapped.updates,
            users=wrapped.users,
            chats=wrapped.chats,
            date=wrapped.date,
            seq_start=wrapped.seq,
            seq=wrapped.seq,
        )
    return wrapped


def _short(view: View, update: TLObject) -> TLObject:
    """A new text in a private chat as ``updateShortMessage``, in a group as ``updateShortChatMessage``; else short."""
    message = getattr(update, "message", None)
    if not isinstance(update, raw.types.UpdateNewMessage) or not isinstance(message, raw.types.Message):
        return raw.types.UpdateShort(update=update, date=view.world.now())
    if message.media is not None or message.reply_markup is not None or message.grouped_id is not None:
        return view.updates([update])
    common = {
        name: getattr(message, name)
        for name in ("out", "silent", "id", "message", "date", "fwd_from", "reply_to", "entities")
    }
    points = {"pts": update.pts, "pts_count": update.pts_count}
    if isinstance(message.peer_id, raw.types.PeerUser):
        return raw.types.UpdateShortMessage(user_id=message.peer_id.user_id, **common, **points)
    writer = message.from_id.user_id
    return raw.types.UpdateShortChatMessage(from_id=writer, chat_id=message.peer_id.chat_id, **common, **points)
