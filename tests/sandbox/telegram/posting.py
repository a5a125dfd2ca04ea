"""Sending, editing and deleting messages: copies in every timeline concerned, and the updates that follow."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyrogram import raw
from pyrogram.raw.core import TLObject

from .errors import RpcError
from .session import Session
from .timeline import Change, Event, Message, Origin, Timeline
from .view import View
from .world import Channel, User, World, channel_id_of, is_channel, is_user

if TYPE_CHECKING:
    from .server import Server

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_CAPTION_PREMIUM = 2048


@dataclass
class Draft:
    """What a message is to say. ``as_channel`` signs a channel's post with the channel instead of its writer."""

    text: str = ""
    entities: list[Any] = field(default_factory=list)
    media: Any = None
    markup: Any = None
    reply_to: int | None = None
    topic: int | None = None
    grouped_id: int | None = None
    action: Any = None
    silent: bool = False
    noforwards: bool = False
    as_channel: bool = False
    forwarded: Origin | None = None


@dataclass(frozen=True)
class Posted:
    """The sender's copy of a message and the event that it was."""

    message: Message
    event: Event
    timeline: Timeline
    channel: Channel | None

    def update(self, view: View) -> TLObject | None:
        return view.event(self.timeline, self.event, self.channel)


def check_may_write(world: World, sender: User, peer: int) -> None:
    """Raises RpcError when the sender may not write to this chat."""
    if is_user(peer):
        _check_private(world, sender, world.user(peer))
    elif is_channel(peer):
        channel = world.channels[channel_id_of(peer)]
        if not channel.has(sender.id) or (not channel.megagroup and not channel.is_admin(sender.id)):
            raise RpcError(403, "CHAT_WRITE_FORBIDDEN")


def _check_private(world: World, sender: User, recipient: User) -> None:
    if recipient.banned:
        raise RpcError(400, "INPUT_USER_DEACTIVATED")
    if sender.bot and recipient.bot:
        raise RpcError(400, "USER_IS_BOT")
    if sender.bot and not world.has_started(recipient.id, sender.id):
        raise RpcError(400, "PEER_ID_INVALID")
    if sender.id in recipient.blocked:
        raise RpcError(400, "USER_IS_BLOCKED")
    if recipient.id in sender.blocked:
        raise RpcError(400, "YOU_BLOCKED_USER")


def check_random_id(server: "Server", sender: User, random_id: int) -> None:
    """Raises RpcError RANDOM_ID_DUPLICATE for an id that this account has used and the server still remembers."""
    if not random_id:
        raise RpcError(400, "RANDOM_ID_EMPTY")
    if random_id in sender.random_ids:
        server.stats.duplicate(random_id)
        raise RpcError(server.faults.random_id_code, "RANDOM_ID_DUPLICATE")


def send(
    server: "Server", sender: int, peer: int, draft: Draft, *, random_id: int = 0, session: Session | None = None
) -> Posted:
    """Post a message without asking whether the sender may; everybody but ``session`` gets the update."""
    world = server.world
    if is_channel(peer):
        posted = _post_to_channel(server, sender, world.channels[channel_id_of(peer)], draft, session)
    else:
        posted = _post_to_people(server, sender, peer, draft, session)
    if random_id:
        world.users[sender].random_ids[random_id] = (peer, posted.message.id)
    server.stats.message_sent(random_id)
    server.changed()
    return posted


def sent(view: View, posted: list[Posted], random_ids: list[int]) -> raw.types.Updates:
    """The answer to a send call."""
    updates: list[TLObject] = [
        raw.types.UpdateMessageID(id=item.message.id, random_id=random_id)
        for item, random_id in zip(posted, random_ids, strict=True)
    ]
    updates += [update for item in posted if (update := item.update(view)) is not None]
    return view.updates(updates)


def _post_to_channel(server: "Server", sender: int, channel: Channel, draft: Draft, session: Session | None) -> Posted:
    timeline = channel.timeline
    message = _message(timeline.next_id(), channel.peer, sender, draft, server.world.now())
    if not channel.megagroup or draft.as_channel:
        message.sender = None
        message.views = 1 if not channel.megagroup else None
    message.noforwards = draft.noforwards or channel.noforwards
    event = timeline.add(message)
    _tell_channel(server, channel, event, session)
    if channel.discussion is not None:
        _open_discussion(server, channel, message, draft)
    return Posted(message, event, timeline, channel)


def _open_discussion(server: "Server", channel: Channel, post: Message, draft: Draft) -> None:
    """Copy a post to the channel's discussion group, where comments answer the copy."""
    assert channel.discussion is not None
    group = server.world.channels[channel.discussion]
    origin = Origin(channel.peer, post.date, post.id, (channel.peer, post.id))
    copy = Draft(draft.text, draft.entities, draft.media, grouped_id=draft.grouped_id, forwarded=origin)
    channel.discussed[post.id] = _post_to_channel(server, channel.peer, group, copy, None).message.id


def _post_to_people(server: "Server", sender: int, peer: int, draft: Draft, session: Session | None) -> Posted:
    world = server.world
    if is_user(peer) and world.users[peer].bot and peer != sender:
        world.start_bot(sender, peer)
    now = world.now()
    own: Posted | None = None
    copies: list[tuple[int, int]] = []
    for owner in _owners(world, sender, peer):
        timeline = world.users[owner].timeline
        chat = sender if is_user(peer) and owner != sender else peer
        message = _message(timeline.next_id(), chat, sender, draft, now)
        message.out = owner == sender and peer != sender
        message.copies = copies
        message.reply_to = _reply_for(world, sender, owner, draft.reply_to)
        copies.append((owner, message.id))
        event = timeline.add(message)
        if owner == sender:
            own = Posted(message, event, timeline, None)
        push_event(server, owner, timeline, event, session)
    assert own is not None
    return own


def _owners(world: World, sender: int, peer: int) -> list[int]:
    """Everybody who gets a copy, the sender first."""
    others = [peer] if is_user(peer) else list(world.groups[-peer].members)
    return [sender, *(other for other in others if other != sender)]


def _reply_for(world: World, sender: int, owner: int, reply_to: int | None) -> int | None:
    """A reply names the message by the id that it has in each owner's timeline."""
    original = world.users[sender].timeline.messages.get(reply_to) if reply_to else None
    if original is None or owner == sender:
        return reply_to if original else None
    return dict(original.copies).get(owner)


def _message(id_: int, peer: int, sender: int, draft: Draft, now: int) -> Message:
    return Message(
        id=id_,
        peer=peer,
        sender=sender,
        date=now,
        text=draft.text,
        entities=draft.entities,
        media=draft.media,
        markup=draft.markup,
        reply_to=draft.reply_to,
        topic=draft.topic,
        grouped_id=draft.grouped_id,
        action=draft.action,
        silent=draft.silent,
        noforwards=draft.noforwards,
        forwarded=draft.forwarded,
    )


def push_event(
    server: "Server",
    owner: int,
    timeline: Timeline,
    event: Event,
    session: Session | None = None,
    channel: Channel | None = None,
) -> None:
    """Tell an account of an event, on all its sessions but the one that caused it."""

    def build(view: View) -> list[TLObject]:
        update = view.event(timeline, event, channel)
        return [] if update is None else [update]

    server.push(owner, build, exclude=session)


def _tell_channel(server: "Server", channel: Channel, event: Event, session: Session | None) -> None:
    for user_id in channel.inside():
        push_event(server, user_id, channel.timeline, event, session, channel)


def edit(
    server: "Server", owner: int, peer: int, message_id: int, changes: dict[str, Any], session: Session | None = None
) -> Posted:
    """Change a message in every copy. ``changes`` are fields of Message; returns the owner's copy."""
    world = server.world
    changes = {**changes, "edit_date": world.now()}
    server.changed()
    if is_channel(peer):
        channel = world.channels[channel_id_of(peer)]
        event = _change(channel.timeline, message_id, changes)
        _tell_channel(server, channel, event, session)
        return Posted(channel.timeline.messages[message_id], event, channel.timeline, channel)
    own: Posted | None = None
    for user_id, id_ in world.users[owner].timeline.messages[message_id].copies:
        timeline = world.users[user_id].timeline
        if id_ not in timeline.messages:
            continue
        event = _change(timeline, id_, changes)
        push_event(server, user_id, timeline, event, session)
        if user_id == owner:
            own = Posted(timeline.messages[id_], event, timeline, None)
    assert own is not None
    return own


def _change(timeline: Timeline, message_id: int, changes: dict[str, Any]) -> Event:
    message = timeline.messages[message_id]
    for name, value in changes.items():
        setattr(message, name, value)
    return timeline.edited(message_id)


def delete_for_people(
    server: "Server", owner: int, ids: list[int], revoke: bool, session: Session | None = None
) -> Event | None:
    """Delete messages of private chats and basic groups: the owner's copies, with ``revoke`` everybody's."""
    world = server.world
    timeline = world.users[owner].timeline
    doomed: dict[int, list[int]] = {owner: [id_ for id_ in ids if id_ in timeline.messages]}
    if revoke:
        for id_ in doomed[owner]:
            for user_id, other_id in timeline.messages[id_].copies:
                if user_id != owner:
                    doomed.setdefault(user_id, []).append(other_id)
    own = None
    for user_id, user_ids in doomed.items():
        event = world.users[user_id].timeline.delete(user_ids)
        if event is not None:
            push_event(server, user_id, world.users[user_id].timeline, event, session)
        if user_id == owner:
            own = event
    server.changed()
    return own


def delete_from_channel(
    server: "Server", channel: Channel, ids: list[int], session: Session | None = None
) -> Event | None:
    """Delete posts of a channel for everybody."""
    event = channel.timeline.delete(ids)
    if event is not None:
        _tell_channel(server, channel, event, session)
        server.changed()
    return event


def read(server: "Server", reader: int, peer: int, max_id: int, session: Session | None = None) -> Event | None:
    """Mark messages of a private chat read, and tell the other side that they were."""
    world = server.world
    timeline = world.users[reader].timeline
    event = timeline.read(Change.READ_INBOX, peer, max_id)
    if event is None:
        return None
    push_event(server, reader, timeline, event, session)
    last = next((message for message in timeline.history(peer) if message.id <= max_id and not message.out), None)
    if last is not None and is_user(peer) and peer != reader:
        writer = world.users[peer].timeline
        seen = writer.read(Change.READ_OUTBOX, reader, dict(last.copies).get(peer, 0))
        if seen is not None:
            push_event(server, peer, writer, seen)
    return event
