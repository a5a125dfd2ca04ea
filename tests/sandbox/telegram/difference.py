"""updates.*: what a client missed."""

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import qts
from .errors import RpcError
from .registry import Call, method
from .timeline import Change, Event, Timeline
from .view import View
from .world import Channel

_SLICE = 500
_CHANNEL_TIMEOUT_S = 30


def state_of(call: Call, pts: int | None = None) -> raw.types.updates.State:
    """How far the account's updates have come: its own points, or ``pts`` in the middle of a difference."""
    timeline = call.user.timeline
    return raw.types.updates.State(
        pts=timeline.pts if pts is None else pts,
        qts=qts.queue_of(call.world, call.user.id).qts,
        date=call.world.now(),
        seq=0,
        unread_count=0,
    )


@method("updates.getState")
def get_state(call: Call, query: raw.functions.updates.GetState) -> TLObject:
    return state_of(call, call.user.timeline.pts + call.server.faults.state_ahead.get(call.user.id, 0))


@method("updates.getDifference")
def get_difference(call: Call, query: raw.functions.updates.GetDifference) -> TLObject:
    timeline = call.user.timeline
    if query.pts < 1:
        raise RpcError(400, "PERSISTENT_TIMESTAMP_EMPTY")
    if query.pts > timeline.pts + call.server.faults.state_ahead.get(call.user.id, 0):
        raise RpcError(400, "PERSISTENT_TIMESTAMP_INVALID")
    events = timeline.since(query.pts)
    told = qts.queue_of(call.world, call.user.id).since(query.qts)
    if not events and not told:
        return raw.types.updates.DifferenceEmpty(date=call.world.now(), seq=0)
    if query.pts_total_limit is not None and timeline.pts - query.pts > query.pts_total_limit:
        return raw.types.updates.DifferenceTooLong(pts=timeline.pts)
    slice_ = events[:_SLICE]
    view = call.view()
    messages, others = _told(view, timeline, slice_, None)
    if len(slice_) == len(events):
        others += [one.render(view) for one in told]
    common = {
        "new_messages": messages,
        "new_encrypted_messages": [],
        "other_updates": others,
        "chats": view.chats(),
        "users": view.users(),
    }
    if len(slice_) < len(events):
        return raw.types.updates.DifferenceSlice(intermediate_state=state_of(call, slice_[-1].pts), **common)
    return raw.types.updates.Difference(state=state_of(call), **common)


@method("updates.getChannelDifference")
def get_channel_difference(call: Call, query: raw.functions.updates.GetChannelDifference) -> TLObject:
    channel = call.channel(query.channel)
    timeline = channel.timeline
    if query.pts < 1 or query.limit < 1:
        raise RpcError(400, "PERSISTENT_TIMESTAMP_EMPTY")
    if query.pts > timeline.pts:
        raise RpcError(400, "PERSISTENT_TIMESTAMP_INVALID")
    events = timeline.since(query.pts)
    if not events:
        return raw.types.updates.ChannelDifferenceEmpty(pts=timeline.pts, final=True, timeout=_CHANNEL_TIMEOUT_S)
    slice_ = events[: min(query.limit, _SLICE)]
    view = call.view()
    messages, others = _told(view, timeline, slice_, channel)
    return raw.types.updates.ChannelDifference(
        pts=slice_[-1].pts,
        final=len(slice_) == len(events) or None,
        timeout=_CHANNEL_TIMEOUT_S,
        new_messages=messages,
        other_updates=others,
        chats=view.chats(),
        users=view.users(),
    )


def _told(
    view: View, timeline: Timeline, events: list[Event], channel: Channel | None
) -> tuple[list[TLObject], list[TLObject]]:
    """New messages by themselves, everything else as updates."""
    messages, others = [], []
    for event in events:
        if event.change is Change.NEW:
            message = timeline.messages.get(event.ids[0])
            if message is not None:
                messages.append(view.message(message))
        elif (update := view.event(timeline, event, channel)) is not None:
            others.append(update)
    if channel is not None:
        view.mention(channel.peer)
    return messages, others
