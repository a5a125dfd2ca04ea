"""A numbered history of messages with the points (pts) that clients follow it by.

Each user has one for private chats and basic groups together; each channel has its own.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(slots=True, eq=False)
class Message:
    """A message as its owner (a user or a channel) has it."""

    id: int
    # Marked id of the chat it stands in, seen from the owner: in private chats the other person.
    peer: int
    # Who wrote it; None for a post signed by the channel itself.
    sender: int | None
    date: int
    text: str = ""
    entities: list[Any] = field(default_factory=list)
    media: Any = None
    markup: Any = None
    reply_to: int | None = None
    topic: int | None = None
    grouped_id: int | None = None
    edit_date: int | None = None
    action: Any = None
    out: bool = False
    silent: bool = False
    noforwards: bool = False
    views: int | None = None
    via: int | None = None
    forwarded: "Origin | None" = None
    # Common to all copies of one private or basic-group message: (owner, id) of each.
    copies: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a forwarded message comes from. ``post`` is its id when it was a channel's; ``name``: all that is known."""

    peer: int
    date: int
    post: int | None = None
    # The post that a discussion group got its copy of.
    saved_from: tuple[int, int] | None = None
    name: str | None = None


class Change(Enum):
    NEW = "new"
    EDITED = "edited"
    DELETED = "deleted"
    READ_INBOX = "read inbox"
    READ_OUTBOX = "read outbox"


@dataclass(frozen=True, slots=True)
class Event:
    """A step of the timeline: after it, the timeline stands at ``pts``."""

    pts: int
    count: int
    change: Change
    # Message ids; for the READ changes the highest id read, and then the peer.
    ids: tuple[int, ...]
    peer: int | None = None


class Timeline:
    """Messages by id, ids by chat, and the events that led here."""

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}
        self.by_peer: dict[int, list[int]] = {}
        self.events: list[Event] = []
        self.pts = 1
        self.last_id = 0
        self.read_inbox: dict[int, int] = {}
        self.read_outbox: dict[int, int] = {}

    def add(self, message: Message) -> Event:
        """Append a message whose id was taken from ``next_id``."""
        self.messages[message.id] = message
        self.by_peer.setdefault(message.peer, []).append(message.id)
        return self._record(Change.NEW, (message.id,), 1)

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def edited(self, message_id: int) -> Event:
        return self._record(Change.EDITED, (message_id,), 1)

    def delete(self, ids: list[int]) -> Event | None:
        """Remove those of the messages that exist; None when none does."""
        gone = tuple(id_ for id_ in ids if id_ in self.messages)
        if not gone:
            return None
        for id_ in gone:
            message = self.messages.pop(id_)
            self.by_peer[message.peer].remove(id_)
        return self._record(Change.DELETED, gone, len(gone))

    def read(self, change: Change, peer: int, max_id: int) -> Event | None:
        """Move the reading mark of a chat forward; None when it was there already."""
        marks = self.read_inbox if change is Change.READ_INBOX else self.read_outbox
        if marks.get(peer, 0) >= max_id:
            return None
        marks[peer] = max_id
        return self._record(change, (max_id,), 1, peer)

    def since(self, pts: int) -> list[Event]:
        """Events after the point that a client has reached."""
        return self.events[bisect_right(self.events, pts, key=lambda event: event.pts) :]

    def history(self, peer: int) -> Iterator[Message]:
        """Messages of a chat, newest first."""
        for id_ in reversed(self.by_peer.get(peer, ())):
            yield self.messages[id_]

    def top(self, peer: int) -> Message | None:
        """The newest message of a chat."""
        return next(self.history(peer), None)

    def unread(self, peer: int) -> int:
        mark = self.read_inbox.get(peer, 0)
        return sum(1 for message in self.history(peer) if message.id > mark and not message.out)

    def _record(self, change: Change, ids: tuple[int, ...], count: int, peer: int | None = None) -> Event:
        self.pts += count
        event = Event(self.pts, count, change, ids, peer)
        self.events.append(event)
        return event
