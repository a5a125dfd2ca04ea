"""Topics of forums, and the comments under a channel's posts."""

from pyrogram import raw
from pyrogram.raw.core import TLObject

from .errors import RpcError
from .registry import Call, method
from .timeline import Message
from .view import View
from .world import Channel, channel_id_of, is_channel

_TOPIC_COLOUR = 0x6FB9F0


def _forum(call: Call, given: TLObject) -> Channel:
    peer = call.peer(given)
    if not is_channel(peer) or not call.world.channels[channel_id_of(peer)].forum:
        raise RpcError(400, "CHANNEL_FORUM_MISSING")
    return call.world.channels[channel_id_of(peer)]


def _topics(call: Call, forum: Channel, ids: list[int]) -> TLObject:
    view = call.view()
    view.mention(forum.peer)
    topics = [_topic(view, forum, id_) if id_ in forum.topics else raw.types.ForumTopicDeleted(id=id_) for id_ in ids]
    return raw.types.messages.ForumTopics(
        count=len(topics),
        topics=topics,
        messages=[],
        chats=view.chats(),
        users=view.users(),
        pts=forum.timeline.pts,
    )


def _topic(view: View, forum: Channel, id_: int) -> TLObject:
    opened = forum.timeline.messages.get(id_)
    inside = [message.id for message in forum.timeline.history(forum.peer) if message.topic == id_]
    return raw.types.ForumTopic(
        id=id_,
        date=opened.date if opened else forum.date,
        peer=view.mention(forum.peer),
        title=forum.topics[id_],
        icon_color=_TOPIC_COLOUR,
        top_message=inside[0] if inside else id_,
        read_inbox_max_id=0,
        read_outbox_max_id=0,
        unread_count=0,
        unread_mentions_count=0,
        unread_reactions_count=0,
        unread_poll_votes_count=0,
        from_id=view.mention(forum.creator),
        notify_settings=raw.types.PeerNotifySettings(),
    )


@method("messages.getForumTopicsByID")
def get_topics_by_id(call: Call, query: raw.functions.messages.GetForumTopicsByID) -> TLObject:
    return _topics(call, _forum(call, query.peer), query.topics)


@method("messages.getForumTopics", bots=False)
def get_topics(call: Call, query: raw.functions.messages.GetForumTopics) -> TLObject:
    forum = _forum(call, query.peer)
    newest_first = sorted(forum.topics, reverse=True)
    return _topics(call, forum, [id_ for id_ in newest_first if not query.offset_topic or id_ < query.offset_topic])


@method("messages.getDiscussionMessage", bots=False)
def get_discussion_message(call: Call, query: raw.functions.messages.GetDiscussionMessage) -> TLObject:
    peer = call.peer(query.peer)
    channel = call.world.channels[channel_id_of(peer)] if is_channel(peer) else None
    if channel is None or query.msg_id not in channel.discussed:
        raise RpcError(400, "MSG_ID_INVALID")
    assert channel.discussion is not None
    group = call.world.channels[channel.discussion]
    root = group.timeline.messages.get(channel.discussed[query.msg_id])
    if root is None:
        raise RpcError(400, "MSG_ID_INVALID")
    thread = _thread(group, root)
    view = call.view()
    return raw.types.messages.DiscussionMessage(
        messages=[view.message(message) for message in thread],
        unread_count=0,
        max_id=max(group.comments(thread[-1].id), default=None),
        chats=view.chats(),
        users=view.users(),
    )


def _thread(group: Channel, root: Message) -> list[Message]:
    """The copy that comments answer; of an album all its items, newest first, so that comments answer the last."""
    if root.grouped_id is None:
        return [root]
    return [message for message in group.timeline.history(group.peer) if message.grouped_id == root.grouped_id]
