"""Who is in a channel, in which role, and who hears of it when that changes."""

from typing import TYPE_CHECKING

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import qts
from .ledger import SUBSCRIPTION_PERIOD
from .session import Session
from .view import ADMIN_RIGHTS, View
from .world import Channel, Invitation, Member, Role

if TYPE_CHECKING:
    from .server import Server

_GONE = (None, Role.LEFT, Role.REQUESTED)


def participant(view: View, channel: Channel, user_id: int, member: Member) -> TLObject:
    """The ChannelParticipant of somebody who is in, or banned."""
    view.mention(channel.creator)
    if member.role is Role.CREATOR:
        return raw.types.ChannelParticipantCreator(user_id=user_id, admin_rights=ADMIN_RIGHTS)
    if member.role is Role.ADMIN:
        return raw.types.ChannelParticipantAdmin(
            user_id=user_id,
            promoted_by=channel.creator,
            date=member.date,
            admin_rights=ADMIN_RIGHTS,
            # One flag in the schema: who sees themselves sees who let them in, too.
            is_self=user_id == view.viewer or None,
            inviter_id=channel.creator if user_id == view.viewer else None,
        )
    if member.role is Role.BANNED:
        return raw.types.ChannelParticipantBanned(
            peer=view.mention(user_id),
            kicked_by=channel.creator,
            date=member.date,
            banned_rights=raw.types.ChatBannedRights(until_date=0, view_messages=True),
            left=True,
        )
    if user_id == view.viewer:
        return raw.types.ChannelParticipantSelf(
            user_id=user_id,
            inviter_id=channel.creator,
            date=member.date,
            subscription_until_date=member.subscribed_until,
        )
    return raw.types.ChannelParticipant(
        user_id=user_id, date=member.date, subscription_until_date=member.subscribed_until
    )


def set_role(
    server: "Server",
    channel: Channel,
    user_id: int,
    role: Role,
    *,
    actor: int | None = None,
    invitation: Invitation | None = None,
    subscribed_until: int | None = None,
    session: Session | None = None,
) -> None:
    """Let somebody in, out or up, and tell those concerned: the account itself, and bots as they are told.

    A bot hears of its own membership, and as an admin of everybody's. ``session`` hears of it in its answer.
    """
    before = channel.members.get(user_id)
    after = Member(role, server.world.now(), subscribed_until)
    channel.members[user_id] = after
    server.changed()
    server.push(user_id, lambda view: channel_changed(view, channel), exclude=session)
    for bot in _bots_concerned(server, channel, user_id):
        if role is Role.REQUESTED:
            _tell_of_request(server, bot, channel, user_id, invitation)
        else:
            _tell_of_change(server, bot, channel, (actor or user_id, user_id), (before, after), invitation)


def channel_changed(view: View, channel: Channel) -> list[TLObject]:
    """The update by which an account learns that its place in a channel is another one."""
    view.mention(channel.peer)
    return [raw.types.UpdateChannel(channel_id=channel.id)]


def _bots_concerned(server: "Server", channel: Channel, user_id: int) -> list[int]:
    admins = [id_ for id_ in channel.members if channel.is_admin(id_) and id_ != user_id]
    return [id_ for id_ in (user_id, *admins) if server.world.users[id_].bot is not None]


def _tell_of_change(
    server: "Server",
    bot: int,
    channel: Channel,
    people: tuple[int, int],
    members: tuple[Member | None, Member | None],
    invitation: Invitation | None,
) -> None:
    actor, user_id = people
    view = View(server.world, bot)
    before, after = (
        None if member is None or member.role in _GONE else participant(view, channel, user_id, member)
        for member in members
    )
    update = raw.types.UpdateChannelParticipant(
        channel_id=channel.id,
        date=server.world.now(),
        actor_id=actor,
        user_id=user_id,
        qts=0,
        prev_participant=before,
        new_participant=after,
        invite=exported(invitation) if invitation else None,
    )
    qts.tell(server, bot, update, [channel.peer, channel.creator, actor, user_id])


def _tell_of_request(server: "Server", bot: int, channel: Channel, user_id: int, invitation: Invitation | None) -> None:
    update = raw.types.UpdateBotChatInviteRequester(
        peer=raw.types.PeerChannel(channel_id=channel.id),
        date=server.world.now(),
        user_id=user_id,
        about="",
        invite=exported(invitation) if invitation else raw.types.ChatInvitePublicJoinRequests(),
        qts=0,
    )
    qts.tell(server, bot, update, [channel.peer, channel.creator, user_id])


def exported(invitation: Invitation) -> TLObject:
    """An invitation as its maker sees it."""
    return raw.types.ChatInviteExported(
        link=f"https://t.me/+{invitation.hash}",
        admin_id=invitation.creator,
        date=invitation.date,
        revoked=invitation.revoked or None,
        request_needed=invitation.request_needed or None,
        expire_date=invitation.expires_at,
        usage_limit=invitation.usage_limit,
        usage=invitation.usage or None,
        subscription_pricing=pricing(invitation),
    )


def pricing(invitation: Invitation) -> TLObject | None:
    """What the invitation costs a month, if it does."""
    if invitation.price is None:
        return None
    return raw.types.StarsSubscriptionPricing(period=SUBSCRIPTION_PERIOD, amount=invitation.price)
