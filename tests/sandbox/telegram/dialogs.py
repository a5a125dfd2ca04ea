"""messages.*: the list of chats, and basic groups."""

from collections.abc import Iterator

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import difference, posting
from .errors import RpcError
from .posting import Draft
from .registry import Call, method
from .timeline import Message
from .view import View
from .world import is_channel

_MAX_DIALOGS = 100


def _dialog_peers(call: Call) -> Iterator[int]:
    user = call.user
    yield from user.timeline.by_peer
    yield from (channel.peer for channel in call.world.channels.values() if channel.has(user.id))


def _tops(call: Call) -> list[tuple[int, Message]]:
    """Chats with their newest message, the most recent chat first."""
    tops = []
    for peer in _dialog_peers(call):
        top = call.world.timeline_of(call.user.id, peer).top(peer)
        if top is not None:
            tops.append((peer, top))
    return sorted(tops, key=lambda item: (item[1].date, item[1].id), reverse=True)


def dialog(call: Call, view: View, peer: int, top: Message | None) -> TLObject:
    """A chat as it stands in the caller's list."""
    own = call.user.timeline
    timeline = call.world.timeline_of(call.user.id, peer)
    return raw.types.Dialog(
        peer=view.mention(peer),
        top_message=top.id if top else 0,
        read_inbox_max_id=own.read_inbox.get(peer, 0),
        read_outbox_max_id=own.read_outbox.get(peer, 0),
        unread_count=0 if is_channel(peer) else timeline.unread(peer),
        unread_mentions_count=0,
        unread_reactions_count=0,
        unread_poll_votes_count=0,
        notify_settings=raw.types.PeerNotifySettings(),
        pts=timeline.pts if is_channel(peer) else None,
    )


@method("messages.getDialogs", bots=False)
def get_dialogs(call: Call, query: raw.functions.messages.GetDialogs) -> TLObject:
    tops = _tops(call) if not query.folder_id else []
    start = 0
    if query.offset_date:
        older = (n for n, (_, top) in enumerate(tops) if (top.date, top.id) < (query.offset_date, query.offset_id))
        start = next(older, len(tops))
    page = tops[start : start + min(query.limit or _MAX_DIALOGS, _MAX_DIALOGS)]
    view = call.view()
    dialogs = [dialog(call, view, peer, top) for peer, top in page]
    messages = [view.message(top) for _, top in page]
    common = {"dialogs": dialogs, "messages": messages, "chats": view.chats(), "users": view.users()}
    if len(page) == len(tops):
        return raw.types.messages.Dialogs(**common)
    return raw.types.messages.DialogsSlice(count=len(tops), **common)


@method("messages.getPinnedDialogs", bots=False)
def get_pinned_dialogs(call: Call, query: raw.functions.messages.GetPinnedDialogs) -> TLObject:
    return _peer_dialogs(call, [])


@method("messages.getPeerDialogs", bots=False)
def get_peer_dialogs(call: Call, query: raw.functions.messages.GetPeerDialogs) -> TLObject:
    return _peer_dialogs(call, [call.peer(item.peer) for item in query.peers])


def _peer_dialogs(call: Call, peers: list[int]) -> TLObject:
    view = call.view()
    tops = [(peer, call.world.timeline_of(call.user.id, peer).top(peer)) for peer in peers]
    dialogs = [dialog(call, view, peer, top) for peer, top in tops]
    messages = [view.message(top) for _, top in tops if top is not None]
    state = difference.state_of(call)
    return raw.types.messages.PeerDialogs(
        dialogs=dialogs, messages=messages, chats=view.chats(), users=view.users(), state=state
    )


@method("messages.getChats")
def get_chats(call: Call, query: raw.functions.messages.GetChats) -> TLObject:
    view = call.view()
    return raw.types.messages.Chats(
        chats=[view.group(call.world.group_for(call.user.id, chat_id)) for chat_id in query.id]
    )


@method("messages.getFullChat")
def get_full_chat(call: Call, query: raw.functions.messages.GetFullChat) -> TLObject:
    group = call.world.group_for(call.user.id, query.chat_id)
    view = call.view()
    view.mention(group.peer)
    participants = []
    for user_id, date in group.members.items():
        view.mention(user_id)
        if user_id == group.creator:
            participants.append(raw.types.ChatParticipantCreator(user_id=user_id))
        else:
            participants.append(raw.types.ChatParticipant(user_id=user_id, inviter_id=group.creator, date=date))
    full = raw.types.ChatFull(
        id=group.id,
        about="",
        participants=raw.types.ChatParticipants(chat_id=group.id, participants=participants, version=1),
        notify_settings=raw.types.PeerNotifySettings(),
    )
    return raw.types.messages.ChatFull(full_chat=full, chats=view.chats(), users=view.users())


@method("messages.deleteChatUser")
def delete_chat_user(call: Call, query: raw.functions.messages.DeleteChatUser) -> TLObject:
    group = call.world.group_for(call.user.id, query.chat_id)
    user_id = call.user_id(query.user_id)
    if user_id not in group.members:
        raise RpcError(400, "USER_NOT_PARTICIPANT")
    if user_id != call.user.id and group.creator != call.user.id:
        raise RpcError(400, "CHAT_ADMIN_REQUIRED")
    action = raw.types.MessageActionChatDeleteUser(user_id=user_id)
    posted = posting.send(call.server, call.user.id, group.peer, Draft(action=action), session=call.session)
    del group.members[user_id]
    return posting.sent(call.view(), [posted], [0])
