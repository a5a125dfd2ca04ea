"""channels.* and invitations: reading, joining, leaving, who is in."""

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import membership, posting
from .errors import RpcError
from .messages import message_ids
from .registry import Call, method
from .world import Channel, Invitation, Role, is_user


@method("channels.getMessages")
def get_messages(call: Call, query: raw.functions.channels.GetMessages) -> TLObject:
    channel = call.channel(query.channel)
    timeline = channel.timeline
    view = call.view()
    view.mention(channel.peer)
    ids = message_ids(timeline, query.id)
    messages = [raw.types.MessageEmpty(id=id_) for id_ in ids] if _hides(call, channel) else view.found(timeline, ids)
    return raw.types.messages.ChannelMessages(
        pts=timeline.pts, count=len(messages), messages=messages, topics=[], chats=view.chats(), users=view.users()
    )


def _hides(call: Call, channel: Channel) -> bool:
    """A bot reads the posts of any public channel, but of a public group only what it is in."""
    return bool(call.user.bot) and channel.megagroup and not channel.has(call.user.id)


@method("channels.getChannels")
def get_channels(call: Call, query: raw.functions.channels.GetChannels) -> TLObject:
    view = call.view()
    return raw.types.messages.Chats(chats=[view.channel(call.channel(given)) for given in query.id])


@method("channels.getFullChannel")
def get_full_channel(call: Call, query: raw.functions.channels.GetFullChannel) -> TLObject:
    channel = call.channel(query.channel)
    view = call.view()
    view.mention(channel.peer)
    top = channel.timeline.last_id
    full = raw.types.ChannelFull(
        id=channel.id,
        about=channel.about,
        read_inbox_max_id=top,
        read_outbox_max_id=top,
        unread_count=0,
        chat_photo=raw.types.PhotoEmpty(id=0),
        notify_settings=raw.types.PeerNotifySettings(),
        bot_info=[],
        pts=channel.timeline.pts,
        participants_count=sum(1 for _ in channel.inside()),
        can_view_participants=channel.is_admin(call.user.id)
        or (channel.megagroup and not channel.hidden_members)
        or None,
        participants_hidden=channel.hidden_members or None,
    )
    return raw.types.messages.ChatFull(full_chat=full, chats=view.chats(), users=view.users())


def _sees_members(call: Call, channel: Channel) -> bool:
    """Admins do; in groups everybody does, unless the admins hide the members."""
    return channel.is_admin(call.user.id) or (channel.megagroup and not channel.hidden_members)


@method("channels.getParticipant")
def get_participant(call: Call, query: raw.functions.channels.GetParticipant) -> TLObject:
    channel = call.channel(query.channel)
    peer = call.peer(query.participant)
    member = channel.members.get(peer) if is_user(peer) else None
    if member is None or member.role in (Role.LEFT, Role.REQUESTED):
        raise RpcError(400, "USER_NOT_PARTICIPANT")
    if peer != call.user.id and not _sees_members(call, channel):
        raise RpcError(400, "CHAT_ADMIN_REQUIRED")
    view = call.view()
    view.mention(peer)
    participant = membership.participant(view, channel, peer, member)
    return raw.types.channels.ChannelParticipant(participant=participant, chats=view.chats(), users=view.users())


@method("channels.getParticipants")
def get_participants(call: Call, query: raw.functions.channels.GetParticipants) -> TLObject:
    channel = call.channel(query.channel)
    for_admins = isinstance(query.filter, _FOR_ADMINS)
    if not _sees_members(call, channel) or (for_admins and not channel.is_admin(call.user.id)):
        raise RpcError(400, "CHAT_ADMIN_REQUIRED")
    view = call.view()
    found = [user_id for user_id in channel.members if _wanted(call, channel, user_id, query.filter)]
    page = found[query.offset : query.offset + query.limit]
    participants = []
    for user_id in page:
        view.mention(user_id)
        participants.append(membership.participant(view, channel, user_id, channel.members[user_id]))
    return raw.types.channels.ChannelParticipants(
        count=len(found), participants=participants, chats=view.chats(), users=view.users()
    )


_FOR_ADMINS = (raw.types.ChannelParticipantsKicked, raw.types.ChannelParticipantsBanned)


def _wanted(call: Call, channel: Channel, user_id: int, filter_: TLObject) -> bool:
    user = call.world.users[user_id]
    if isinstance(filter_, _FOR_ADMINS):
        return channel.role(user_id) is Role.BANNED
    if isinstance(filter_, raw.types.ChannelParticipantsAdmins):
        return channel.is_admin(user_id)
    if isinstance(filter_, raw.types.ChannelParticipantsBots):
        return channel.has(user_id) and user.bot is not None
    if isinstance(filter_, raw.types.ChannelParticipantsSearch):
        names = f"{user.first_name} {user.last_name or ''} {user.username or ''}".lower()
        return channel.has(user_id) and filter_.q.lower() in names
    return channel.has(user_id)


@method("channels.deleteMessages")
def delete_messages(call: Call, query: raw.functions.channels.DeleteMessages) -> TLObject:
    channel = call.channel(query.channel)
    for id_ in query.id:
        message = channel.timeline.messages.get(id_)
        if message is not None and message.sender != call.user.id and not channel.is_admin(call.user.id):
            raise RpcError(403, "MESSAGE_DELETE_FORBIDDEN")
    event = posting.delete_from_channel(call.server, channel, query.id, call.session)
    return raw.types.messages.AffectedMessages(pts=channel.timeline.pts, pts_count=event.count if event else 0)


@method("channels.readHistory", bots=False)
def read_history(call: Call, query: raw.functions.channels.ReadHistory) -> bool:
    channel = call.channel(query.channel)
    call.user.timeline.read_inbox[channel.peer] = query.max_id or channel.timeline.last_id
    return True


# Joining and leaving


def enter(call: Call, channel: Channel, invitation: Invitation | None = None) -> TLObject:
    """Let the caller in, and answer as joining calls do."""
    if call.world.channels_joined(call.user.id) >= call.world.channel_limit(call.user):
        raise RpcError(400, "CHANNELS_TOO_MUCH")
    _set_own_role(call, channel, Role.MEMBER, invitation)
    return raw.types.messages.ChatInviteJoinResultOk(updates=_channel_changed(call, channel))


def _set_own_role(call: Call, channel: Channel, role: Role, invitation: Invitation | None = None) -> None:
    membership.set_role(call.server, channel, call.user.id, role, invitation=invitation, session=call.session)


def _channel_changed(call: Call, channel: Channel) -> TLObject:
    view = call.view()
    return view.updates(membership.channel_changed(view, channel))


@method("channels.joinChannel", bots=False)
def join_channel(call: Call, query: raw.functions.channels.JoinChannel) -> TLObject:
    channel = call.channel(query.channel)
    if channel.has(call.user.id):
        raise RpcError(400, "USER_ALREADY_PARTICIPANT")
    if channel.join_request:
        _set_own_role(call, channel, Role.REQUESTED)
        raise RpcError(400, "INVITE_REQUEST_SENT")
    return enter(call, channel)


@method("channels.leaveChannel")
def leave_channel(call: Call, query: raw.functions.channels.LeaveChannel) -> TLObject:
    channel = call.channel(query.channel)
    role = channel.role(call.user.id)
    if role is Role.CREATOR:
        raise RpcError(400, "USER_CREATOR")
    if not channel.has(call.user.id):
        raise RpcError(400, "USER_NOT_PARTICIPANT")
    _set_own_role(call, channel, Role.LEFT)
    return _channel_changed(call, channel)


def _invitation(call: Call, hash_: str) -> tuple[Channel, Invitation]:
    if not hash_:
        raise RpcError(400, "INVITE_HASH_EMPTY")
    found = call.world.invitation(hash_)
    if found is None:
        raise RpcError(400, "INVITE_HASH_INVALID")
    return found


def _check_usable(call: Call, channel: Channel, invitation: Invitation) -> None:
    used_up = invitation.usage_limit is not None and invitation.usage >= invitation.usage_limit
    late = invitation.expires_at is not None and invitation.expires_at <= call.world.now()
    if invitation.revoked or used_up or late or channel.role(call.user.id) is Role.BANNED:
        raise RpcError(400, "INVITE_HASH_EXPIRED")


@method("messages.checkChatInvite", bots=False)
def check_chat_invite(call: Call, query: raw.functions.messages.CheckChatInvite) -> TLObject:
    channel, invitation = _invitation(call, query.hash)
    if channel.has(call.user.id):
        return raw.types.ChatInviteAlready(chat=call.view().channel(channel))
    _check_usable(call, channel, invitation)
    return raw.types.ChatInvite(
        title=channel.title,
        photo=raw.types.PhotoEmpty(id=0),
        participants_count=sum(1 for _ in channel.inside()),
        color=0,
        channel=True,
        broadcast=not channel.megagroup or None,
        megagroup=channel.megagroup or None,
        public=channel.username is not None or None,
        request_needed=invitation.request_needed or None,
        subscription_pricing=membership.pricing(invitation),
        subscription_form_id=1 if invitation.price else None,
        about=channel.about or None,
    )


@method("messages.importChatInvite", bots=False)
def import_chat_invite(call: Call, query: raw.functions.messages.ImportChatInvite) -> TLObject:
    channel, invitation = _invitation(call, query.hash)
    if channel.has(call.user.id):
        raise RpcError(400, "USER_ALREADY_PARTICIPANT")
    _check_usable(call, channel, invitation)
    if invitation.price:
        raise RpcError(400, "STARS_PAYMENT_REQUIRED")
    if invitation.request_needed:
        _set_own_role(call, channel, Role.REQUESTED, invitation)
        raise RpcError(400, "INVITE_REQUEST_SENT")
    answer = enter(call, channel, invitation)
    invitation.usage += 1
    return answer
