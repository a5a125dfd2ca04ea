"""The world as one account sees it, in TL objects."""

from collections.abc import Iterable
from typing import Any

from pyrogram import raw
from pyrogram.raw.core import TLObject

from .restrictions import Restrictions
from .timeline import Change, Event, Message, Timeline
from .world import Channel, Group, Role, User, World, channel_id_of, is_channel, is_user

_FOREVER = 2**31 - 1
ADMIN_RIGHTS = raw.types.ChatAdminRights(
    change_info=True,
    post_messages=True,
    edit_messages=True,
    delete_messages=True,
    ban_users=True,
    invite_users=True,
    pin_messages=True,
    add_admins=True,
    manage_call=True,
    other=True,
)


def peer(marked_id: int) -> TLObject:
    """PeerUser, PeerChat or PeerChannel of a marked id."""
    if is_user(marked_id):
        return raw.types.PeerUser(user_id=marked_id)
    if is_channel(marked_id):
        return raw.types.PeerChannel(channel_id=channel_id_of(marked_id))
    return raw.types.PeerChat(chat_id=-marked_id)


_MENTIONS = (raw.types.MessageEntityMentionName,)


class View:
    """Renders for one viewer, and collects the users and chats that what it rendered mentions."""

    def __init__(self, world: World, viewer: int, *, min_peers: bool = False) -> None:
        self.world = world
        self.viewer = viewer
        self._min_peers = min_peers
        self._mentioned: dict[int, None] = {}

    def mention(self, marked_id: int) -> TLObject:
        """Name a chat or a user, to be described among ``users`` or ``chats``."""
        self._mentioned[marked_id] = None
        return peer(marked_id)

    def mention_known(self, marked_id: int) -> None:
        """Describe a chat or a user as well, if there is such a one."""
        if marked_id in self.world.users or -marked_id in self.world.groups:
            self.mention(marked_id)
        elif is_channel(marked_id) and channel_id_of(marked_id) in self.world.channels:
            self.mention(marked_id)

    def users(self) -> list[TLObject]:
        """Descriptions of the users mentioned so far."""
        found = [self.user(self.world.users[id_]) for id_ in self._mentioned if id_ in self.world.users]
        return [_as_min(user) for user in found] if self._min_peers else found

    def chats(self) -> list[TLObject]:
        """Descriptions of the groups and channels mentioned so far."""
        found = [self.chat(id_) for id_ in self._mentioned if not is_user(id_)]
        return [_as_min(chat) for chat in found] if self._min_peers else found

    def updates(self, updates: Iterable[TLObject]) -> raw.types.Updates:
        """Wrap updates together with everybody they mention."""
        return raw.types.Updates(
            updates=list(updates), users=self.users(), chats=self.chats(), date=self.world.now(), seq=0
        )

    def user(self, user: User) -> raw.types.User:
        is_self = user.id == self.viewer
        viewer_is_bot = self.world.users[self.viewer].bot is not None
        flagged = self.world.part(Restrictions).flagged.get(user.id)
        return raw.types.User(
            id=user.id,
            is_self=is_self or None,
            access_hash=self.world.access_hash(self.viewer, user.id),
            first_name=user.first_name,
            last_name=user.last_name,
            username=user.username,
            phone=user.phone if is_self else None,
            premium=user.premium or None,
            verified=user.verified or None,
            support=user.support or None,
            lang_code=user.language_code if viewer_is_bot else None,
            bot=True if user.bot else None,
            bot_info_version=1 if user.bot else None,
            bot_nochats=None if not user.bot or user.bot.can_join_groups else True,
            status=None if user.bot else raw.types.UserStatusRecently(),
            restricted=flagged is not None or None,
            scam=flagged is not None or None,
            restriction_reason=_restriction(flagged) if flagged is not None else None,
        )

    def chat(self, marked_id: int) -> TLObject:
        """Describe a basic group or a channel, with no more than the viewer may know."""
        if not is_channel(marked_id):
            return self.group(self.world.groups[-marked_id])
        return self.channel(self.world.channels[channel_id_of(marked_id)])

    def group(self, group: Group) -> TLObject:
        if self.viewer not in group.members:
            return raw.types.ChatForbidden(id=group.id, title=group.title)
        return raw.types.Chat(
            id=group.id,
            title=group.title,
            photo=raw.types.ChatPhotoEmpty(),
            participants_count=len(group.members),
            date=group.date,
            version=1,
            creator=group.creator == self.viewer or None,
            default_banned_rights=raw.types.ChatBannedRights(until_date=_FOREVER),
        )

    def channel(self, channel: Channel) -> TLObject:
        access_hash = self.world.access_hash(self.viewer, channel.peer)
        if not self.world.may_read(self.viewer, channel):
            return raw.types.ChannelForbidden(
                id=channel.id,
                access_hash=access_hash,
                title=channel.title,
                broadcast=not channel.megagroup or None,
                megagroup=channel.megagroup or None,
            )
        member = channel.members.get(self.viewer)
        role = member.role if member else None
        return raw.types.Channel(
            id=channel.id,
            title=channel.title,
            photo=raw.types.ChatPhotoEmpty(),
            date=channel.date,
            access_hash=access_hash,
            username=channel.username,
            creator=role is Role.CREATOR or None,
            left=not channel.has(self.viewer) or None,
            broadcast=not channel.megagroup or None,
            megagroup=channel.megagroup or None,
            forum=channel.forum or None,
            noforwards=channel.noforwards or None,
            join_request=channel.join_request or None,
            join_to_send=channel.join_request or None,
            subscription_until_date=member.subscribed_until if member else None,
            admin_rights=ADMIN_RIGHTS if channel.is_admin(self.viewer) else None,
            default_banned_rights=raw.types.ChatBannedRights(until_date=_FOREVER) if channel.megagroup else None,
        )

    def message(self, message: Message) -> TLObject:
        """Render a message from the timeline that the viewer reads it in."""
        self.mention(message.peer)
        if message.sender is not None:
            self.mention(message.sender)
        common = {
            "id": message.id,
            "peer_id": peer(message.peer),
            "from_id": self._from(message),
            "date": message.date,
            "out": self._is_out(message) or None,
            "post": self._is_post(message) or None,
            "reply_to": self._reply_header(message),
            "silent": message.silent or None,
        }
        if message.action is not None:
            return raw.types.MessageService(action=self._rendered(message.action, message), **common)
        for entity in message.entities:
            if isinstance(entity, _MENTIONS):
                self.mention(entity.user_id)
        return raw.types.Message(
            fwd_from=self._forward_header(message),
            replies=self._replies(message),
            message=message.text,
            media=self._rendered(message.media, message),
            entities=message.entities or None,
            reply_markup=message.markup,
            grouped_id=message.grouped_id,
            edit_date=message.edit_date,
            noforwards=message.noforwards or None,
            views=message.views,
            forwards=0 if message.views is not None else None,
            **common,
        )

    def _rendered(self, part: Any, message: Message) -> Any:
        """TL objects are the same for everybody; what is not has a ``view`` of its own."""
        return part.view(self, message) if hasattr(part, "view") else part

    def _is_post(self, message: Message) -> bool:
        return is_channel(message.peer) and message.sender is None

    def _is_out(self, message: Message) -> bool:
        return message.sender == self.viewer if is_channel(message.peer) else message.out

    @staticmethod
    def _from(message: Message) -> TLObject | None:
        return None if message.sender is None else peer(message.sender)

    @staticmethod
    def _reply_header(message: Message) -> TLObject | None:
        if message.topic is not None:
            nested = message.reply_to is not None and message.reply_to != message.topic
            return raw.types.MessageReplyHeader(
                forum_topic=True,
                reply_to_msg_id=message.reply_to if nested else message.topic,
                reply_to_top_id=message.topic if nested else None,
            )
        if message.reply_to is not None:
            return raw.types.MessageReplyHeader(reply_to_msg_id=message.reply_to)
        return None

    def _forward_header(self, message: Message) -> TLObject | None:
        origin = message.forwarded
        if origin is None:
            return None
        saved = origin.saved_from
        return raw.types.MessageFwdHeader(
            date=origin.date,
            from_id=self.mention(origin.peer) if origin.name is None else None,
            from_name=origin.name,
            channel_post=origin.post if origin.name is None else None,
            saved_from_peer=self.mention(saved[0]) if saved else None,
            saved_from_msg_id=saved[1] if saved else None,
        )

    def _replies(self, message: Message) -> TLObject | None:
        """How many comments a post has, and where."""
        if not self._is_post(message):
            return None
        channel = self.world.channels[channel_id_of(message.peer)]
        if channel.discussion is None or message.id not in channel.discussed:
            return None
        group = self.world.channels[channel.discussion]
        return raw.types.MessageReplies(
            comments=True,
            replies=len(group.comments(channel.discussed[message.id])),
            replies_pts=group.timeline.pts,
            channel_id=group.id,
        )

    def found(self, timeline: Timeline, ids: Iterable[int], wanted_peer: int | None = None) -> list[TLObject]:
        """Render messages by id; MessageEmpty where there is none, or none in the wanted chat."""
        result = []
        for id_ in ids:
            message = timeline.messages.get(id_)
            if message is None or wanted_peer not in (None, message.peer):
                result.append(raw.types.MessageEmpty(id=id_))
            else:
                result.append(self.message(message))
        return result

    def event(self, timeline: Timeline, event: Event, channel: Channel | None) -> TLObject | None:
        """The update that tells of an event; None when the message it speaks of has gone since."""
        if channel is not None:
            self.mention(channel.peer)
        points = {"pts": event.pts, "pts_count": event.count}
        if event.change is Change.DELETED:
            if channel:
                return raw.types.UpdateDeleteChannelMessages(channel_id=channel.id, messages=list(event.ids), **points)
            return raw.types.UpdateDeleteMessages(messages=list(event.ids), **points)
        if event.change in _READ_UPDATES:
            return self._read_event(event, points)
        message = timeline.messages.get(event.ids[0])
        if message is None:
            return None
        kinds = _CHANNEL_UPDATES if channel else _USER_UPDATES
        return kinds[event.change](message=self.message(message), **points)

    def _read_event(self, event: Event, points: dict[str, int]) -> TLObject:
        assert event.peer is not None
        marks = {"peer": self.mention(event.peer), "max_id": event.ids[0], **points}
        if event.change is Change.READ_INBOX:
            return raw.types.UpdateReadHistoryInbox(still_unread_count=0, **marks)
        return raw.types.UpdateReadHistoryOutbox(**marks)


def _restriction(text: str) -> list[TLObject]:
    return [raw.types.RestrictionReason(platform="all", reason="terms", text=text)]


def _as_min(described: TLObject) -> TLObject:
    """A description as Telegram gives it of who is only mentioned: its access hash opens nothing but pictures."""
    if isinstance(described, (raw.types.User, raw.types.Channel)) and not getattr(described, "is_self", None):
        described.min = True
        described.access_hash ^= 1
    return described


_USER_UPDATES = {Change.NEW: raw.types.UpdateNewMessage, Change.EDITED: raw.types.UpdateEditMessage}
_CHANNEL_UPDATES = {Change.NEW: raw.types.UpdateNewChannelMessage, Change.EDITED: raw.types.UpdateEditChannelMessage}
_READ_UPDATES = (Change.READ_INBOX, Change.READ_OUTBOX)
