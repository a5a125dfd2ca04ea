"""messages.*: writing, editing, deleting and reading in any chat."""

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import posting
from .errors import RpcError
from .input_media import build_media
from .posting import Draft
from .registry import Call, method
from .timeline import Event, Message, Timeline
from .view import View
from .world import channel_id_of, is_channel, is_user
from .writing import check_entities, check_markup, check_send, check_text, copy_of, reply_fields, reply_sent

_MAX_IDS = 200
_MAX_HISTORY = 100


@method("messages.sendMessage")
def send_message(call: Call, query: raw.functions.messages.SendMessage) -> TLObject:
    peer = call.peer(query.peer)
    check_send(call, peer, [query.random_id])
    if not query.message.strip():
        raise RpcError(400, "MESSAGE_EMPTY")
    check_text(query.message, posting.MAX_TEXT)
    draft = Draft(
        text=query.message,
        entities=check_entities(query.message, query.entities),
        markup=check_markup(call, query.reply_markup),
        silent=bool(query.silent),
        noforwards=bool(query.noforwards),
        **reply_fields(call, peer, query.reply_to),
    )
    return reply_sent(call, peer, [draft], [query.random_id])


@method("messages.editMessage")
def edit_message(call: Call, query: raw.functions.messages.EditMessage) -> TLObject:
    peer = call.peer(query.peer)
    message = own_message(call, peer, query.id)
    changes: dict[str, object] = {}
    if query.message is not None:
        check_text(query.message, posting.MAX_TEXT if message.media is None else posting.MAX_CAPTION)
        if not query.message.strip() and message.media is None:
            raise RpcError(400, "MESSAGE_EMPTY")
        changes["text"] = query.message
        changes["entities"] = check_entities(query.message, query.entities)
    if query.media is not None:
        changes["media"] = build_media(call, query.media)
    changes["markup"] = check_markup(call, query.reply_markup)
    if all(getattr(message, name) == value for name, value in changes.items()):
        raise RpcError(400, "MESSAGE_NOT_MODIFIED")
    posted = posting.edit(call.server, call.user.id, peer, query.id, changes, call.session)
    view = call.view()
    return view.updates([posted.update(view)])


def own_message(call: Call, peer: int, message_id: int) -> Message:
    """A message that the caller may change. Raises RpcError MESSAGE_ID_INVALID or MESSAGE_AUTHOR_REQUIRED."""
    message = call.world.timeline_of(call.user.id, peer).messages.get(message_id)
    if message is None or message.peer != peer or message.action is not None:
        raise RpcError(400, "MESSAGE_ID_INVALID")
    by_admin = is_channel(peer) and call.world.channels[channel_id_of(peer)].is_admin(call.user.id)
    if message.sender != call.user.id and not (message.sender is None and by_admin):
        raise RpcError(403, "MESSAGE_AUTHOR_REQUIRED")
    return message


def _affected(timeline: Timeline, event: Event | None) -> TLObject:
    if event is None:
        return raw.types.messages.AffectedMessages(pts=timeline.pts, pts_count=0)
    return raw.types.messages.AffectedMessages(pts=event.pts, pts_count=event.count)


@method("messages.deleteMessages")
def delete_messages(call: Call, query: raw.functions.messages.DeleteMessages) -> TLObject:
    revoke = bool(query.revoke) or call.is_bot
    event = posting.delete_for_people(call.server, call.user.id, query.id, revoke, call.session)
    return _affected(call.user.timeline, event)


@method("messages.deleteHistory", bots=False)
def delete_history(call: Call, query: raw.functions.messages.DeleteHistory) -> TLObject:
    peer = call.peer(query.peer)
    timeline = call.user.timeline
    ids = [id_ for id_ in timeline.by_peer.get(peer, ()) if not query.max_id or id_ <= query.max_id]
    event = posting.delete_for_people(call.server, call.user.id, ids, bool(query.revoke), call.session)
    affected = _affected(timeline, event)
    return raw.types.messages.AffectedHistory(pts=affected.pts, pts_count=affected.pts_count, offset=0)


@method("messages.setTyping")
def set_typing(call: Call, query: raw.functions.messages.SetTyping) -> bool:
    peer = call.peer(query.peer)
    posting.check_may_write(call.world, call.user, peer)
    writer = call.user.id
    if is_user(peer) and peer != writer:

        def build(view: View) -> list[TLObject]:
            view.mention(writer)
            return [raw.types.UpdateUserTyping(user_id=writer, action=query.action)]

        call.server.push(peer, build)
    return True


@method("messages.readHistory", bots=False)
def read_history(call: Call, query: raw.functions.messages.ReadHistory) -> TLObject:
    peer = call.peer(query.peer)
    if is_channel(peer):
        raise RpcError(400, "PEER_ID_INVALID")
    top = call.user.timeline.top(peer)
    max_id = query.max_id or (top.id if top else 0)
    event = posting.read(call.server, call.user.id, peer, max_id, call.session)
    return _affected(call.user.timeline, event)


@method("messages.readMessageContents", bots=False)
def read_message_contents(call: Call, query: raw.functions.messages.ReadMessageContents) -> TLObject:
    return _affected(call.user.timeline, None)


@method("messages.reportMessagesDelivery")
def report_delivery(call: Call, query: raw.functions.messages.ReportMessagesDelivery) -> bool:
    return True


@method("messages.getMessages")
def get_messages(call: Call, query: raw.functions.messages.GetMessages) -> TLObject:
    timeline = call.user.timeline
    view = call.view()
    messages = view.found(timeline, message_ids(timeline, query.id))
    return raw.types.messages.Messages(messages=messages, topics=[], chats=view.chats(), users=view.users())


def message_ids(timeline: Timeline, wanted: list[TLObject]) -> list[int]:
    """Ids that a Vector<InputMessage> names; a reply's original where that is asked for."""
    if len(wanted) > _MAX_IDS:
        raise RpcError(400, "LIMIT_INVALID")
    ids = []
    for item in wanted:
        if isinstance(item, raw.types.InputMessageReplyTo):
            message = timeline.messages.get(item.id)
            ids.append(message.reply_to or 0 if message else 0)
        else:
            ids.append(getattr(item, "id", 0))
    return ids


@method("messages.getHistory", bots=False)
def get_history(call: Call, query: raw.functions.messages.GetHistory) -> TLObject:
    peer = call.peer(query.peer)
    timeline = call.world.timeline_of(call.user.id, peer)
    return _page(call, peer, list(timeline.history(peer)), query)


@method("messages.search", bots=False)
def search(call: Call, query: raw.functions.messages.Search) -> TLObject:
    peer = call.peer(query.peer)
    timeline = call.world.timeline_of(call.user.id, peer)
    words = query.q.lower()
    found = [
        message
        for message in timeline.history(peer)
        if words in message.text.lower() and (query.top_msg_id in (None, message.topic))
    ]
    return _page(call, peer, found, query)


def _page(call: Call, peer: int, messages: list[Message], query: TLObject) -> TLObject:
    """Cut the page that offset_id, add_offset, limit, max_id and min_id describe out of messages, newest first."""
    start = 0
    if query.offset_id:
        start = sum(message.id >= query.offset_id for message in messages)
    elif getattr(query, "offset_date", 0):
        start = sum(message.date >= query.offset_date for message in messages)
    start = max(0, start + query.add_offset)
    page = messages[start : start + min(query.limit, _MAX_HISTORY)]
    page = [m for m in page if (not query.max_id or m.id < query.max_id) and m.id > query.min_id]
    view = call.view()
    view.mention(peer)
    rendered = [view.message(message) for message in page]
    common = {"messages": rendered, "topics": [], "chats": view.chats(), "users": view.users()}
    if is_channel(peer):
        pts = call.world.timeline_of(call.user.id, peer).pts
        return raw.types.messages.ChannelMessages(pts=pts, count=len(messages), **common)
    if len(page) == len(messages):
        return raw.types.messages.Messages(**common)
    return raw.types.messages.MessagesSlice(count=len(messages), **common)


@method("messages.startBot", bots=False)
def start_bot(call: Call, query: raw.functions.messages.StartBot) -> TLObject:
    bot = call.user_id(query.bot)
    if call.world.users[bot].bot is None:
        raise RpcError(400, "BOT_INVALID")
    check_send(call, bot, [query.random_id])
    text = f"/start {query.start_param}".strip()
    entities = [raw.types.MessageEntityBotCommand(offset=0, length=len("/start"))]
    return reply_sent(call, bot, [Draft(text, entities)], [query.random_id])


@method("messages.forwardMessages")
def forward_messages(call: Call, query: raw.functions.messages.ForwardMessages) -> TLObject:
    source, target = call.peer(query.from_peer), call.peer(query.to_peer)
    check_send(call, target, query.random_id)
    timeline = call.world.timeline_of(call.user.id, source)
    drafts = [_forwarded(call, source, timeline.messages.get(id_), query) for id_ in query.id]
    return reply_sent(call, target, drafts, query.random_id)


def _forwarded(
    call: Call, source: int, message: Message | None, query: raw.functions.messages.ForwardMessages
) -> Draft:
    if message is None or message.peer != source or message.action is not None:
        raise RpcError(400, "MESSAGE_ID_INVALID")
    if message.noforwards and not message.out:
        raise RpcError(400, "CHAT_FORWARDS_RESTRICTED")
    if getattr(message.media, "ttl_seconds", None):
        raise RpcError(400, "MEDIA_INVALID")
    draft = copy_of(message)
    if query.drop_media_captions and message.media is not None:
        draft.text, draft.entities = "", []
    if query.drop_author:
        draft.forwarded = None
    draft.silent = bool(query.silent)
    return draft


@method("messages.getMessagesViews", bots=False)
def get_messages_views(call: Call, query: raw.functions.messages.GetMessagesViews) -> TLObject:
    peer = call.peer(query.peer)
    timeline = call.world.timeline_of(call.user.id, peer)
    views = []
    for id_ in query.id:
        message = timeline.messages.get(id_)
        if message is not None and message.views is not None and query.increment:
            message.views += 1
        views.append(raw.types.MessageViews(views=message.views if message else None))
    return raw.types.messages.MessageViews(views=views, chats=[], users=[])
