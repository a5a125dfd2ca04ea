"""Faults of updates: points that do not fit, differences that are too long, salts and clocks that change."""

import random
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pyrogram import raw
from pyrogram.raw.core import TLObject

from ..control import ControlError, Request
from . import dialogs, objects
from .controls import find_channel, find_user
from .fault_controls import add_rule, fault
from .registry import Call

if TYPE_CHECKING:
    from ..__main__ import Sandbox


@fault("difference_too_long")
async def _difference_too_long(sandbox: "Sandbox", request: Request) -> Any:
    """``updates.getDifference`` says that there is too much to tell; the client goes on from the points that it
    names."""
    request.body["method"] = "updates.getDifference"

    def answer(call: Call, query: TLObject) -> TLObject:
        return raw.types.updates.DifferenceTooLong(pts=call.user.timeline.pts)

    return add_rule(sandbox, request, answer=answer)


@fault("channel_difference_too_long")
async def _channel_difference_too_long(sandbox: "Sandbox", request: Request) -> Any:
    """The same of ``updates.getChannelDifference``."""
    request.body["method"] = "updates.getChannelDifference"
    return add_rule(sandbox, request, answer=_too_long)


def _too_long(call: Call, query: raw.functions.updates.GetChannelDifference) -> TLObject:
    channel = call.channel(query.channel)
    view = call.view()
    top = channel.timeline.top(channel.peer)
    return raw.types.updates.ChannelDifferenceTooLong(
        dialog=dialogs.dialog(call, view, channel.peer, top),
        messages=[view.message(top)] if top else [],
        chats=view.chats(),
        users=view.users(),
        final=True,
    )


@fault("state_ahead")
async def _state_ahead(sandbox: "Sandbox", request: Request) -> Any:
    """``getState`` names ``points`` more than the difference will ever explain; 0 takes it back."""
    account = find_user(sandbox, request.need("account"))
    sandbox.telegram.faults.state_ahead[account.id] = int(request.body.get("points", 1))


@fault("rewind")
async def _rewind(sandbox: "Sandbox", request: Request) -> Any:
    """The server loses the last ``points`` of an account's or a ``chat``'s timeline: clients that know them are
    ahead."""
    if "chat" in request.body:
        timeline = find_channel(sandbox, request.body["chat"]).timeline
    else:
        timeline = find_user(sandbox, request.need("account")).timeline
    points = int(request.body.get("points", 1))
    if not 0 < points < timeline.pts:
        raise ControlError(f"points is between 1 and {timeline.pts - 1}")
    timeline.pts -= points
    timeline.events = [event for event in timeline.events if event.pts <= timeline.pts]
    sandbox.telegram.changed()
    return {"pts": timeline.pts}


@fault("change_salt")
async def _change_salt(sandbox: "Sandbox", request: Request) -> Any:
    """The salt of an account's keys changes: the next packet under an old one is answered ``bad_server_salt``."""
    keys = sandbox.telegram.keys_of(find_user(sandbox, request.need("account")).id)
    for key in keys:
        key.salt = random.getrandbits(62)
    return {"keys": len(keys)}


@fault("empty_chats")
async def _empty_chats(sandbox: "Sandbox", request: Request) -> Any:
    """Answers about posts that do not exist leave ``chats`` empty, as the real server's may."""
    request.body.setdefault("method", "channels.getMessages")
    request.body.setdefault("count", None)
    return add_rule(sandbox, request, alter=_without_chats)


def _without_chats(result: Any) -> Any:
    messages = getattr(result, "messages", None)
    if messages and all(isinstance(message, raw.types.MessageEmpty) for message in messages):
        result.chats, result.users = [], []
    return result


@fault("leave_out")
async def _leave_out(sandbox: "Sandbox", request: Request) -> Any:
    """Answers of ``method`` come without the optional ``fields``; with ``of``, only in objects of that constructor."""
    fields = frozenset(request.need("fields"))
    try:
        kind = objects.named(request.body["of"]) if "of" in request.body else TLObject
    except objects.UnknownObject as error:
        raise ControlError(str(error)) from error
    request.need("method")
    request.body.setdefault("count", None)
    return add_rule(sandbox, request, alter=lambda result: _without(result, kind, fields))


def _without(result: Any, kind: type[TLObject], fields: frozenset[str]) -> Any:
    """A copy: parts of an answer belong to the world."""
    result = deepcopy(result)
    for part in objects.within(result):
        if isinstance(part, kind):
            objects.leave_out(part, fields)
    return result
