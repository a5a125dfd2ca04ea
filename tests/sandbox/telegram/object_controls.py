"""``/control/…``: any update, any answer and any error that the layer knows, sent by name."""

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from pyrogram.raw.core import TLObject

from ..control import ControlError, Request, route
from . import errors, objects, qts, tl
from .controls import find_user
from .delivery import PACKINGS, Manners
from .fault_controls import add_rule
from .server import Server
from .view import View
from .world import User

if TYPE_CHECKING:
    from ..__main__ import Sandbox


@route("GET", "/control/constructors")
def constructors(sandbox: "Sandbox", request: Request) -> list[str]:
    """Names of all constructors of a ``type``, ``Update`` by default."""
    try:
        found = objects.constructors_of(request.query.get("type", "Update"))
    except objects.UnknownObject as error:
        raise ControlError(str(error)) from error
    return [kind.QUALNAME.removeprefix("types.") for kind in found]


@route("GET", "/control/errors")
def error_names(sandbox: "Sandbox", request: Request) -> list[dict[str, Any]]:
    return [{"code": code, "name": name} for code, name in errors.listed()]


async def _described(request: Request, name: str, given: dict[str, Any]) -> TLObject:
    """The object that the body tells: serialised (base64) or in JSON, filled by type. Raises ControlError."""
    described = request.need(name)
    everything = bool(request.body.get("everything", False))
    try:
        if isinstance(described, str):
            return tl.read(b64decode(described))
        # Looking types up for the first time takes a while, in which the others go on.
        made = await asyncio.to_thread(objects.make, described, given, everything=everything)
        made.write()
    except (objects.UnknownObject, tl.MalformedQuery, ValueError, TypeError, AttributeError) as error:
        raise ControlError(f"not to be made: {error!r}") from error
    return made


def _usual_values(sandbox: "Sandbox", user: User) -> dict[str, Any]:
    """What the fields of these names hold unless the test says otherwise: nothing that moves the account's points."""
    return {
        "pts": user.timeline.pts,
        "pts_count": 0,
        "qts": qts.queue_of(sandbox.telegram.world, user.id).qts,
        "date": sandbox.telegram.world.now(),
        "user_id": user.id,
        "channel_id": sandbox.chats["gallery"],
        "peer_id": {"_": "peerUser", "user_id": user.id},
    }


@route("POST", "/control/update")
async def push_update(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """Send ``update`` to all sessions of ``account``; with ``record`` it takes the next qts and stays in the
    difference."""
    user = find_user(sandbox, request.need("account"))
    update = await _described(request, "update", {**_usual_values(sandbox, user), **request.body.get("fields", {})})
    server = sandbox.telegram
    if request.body.get("record"):
        if "qts" not in objects.fields_of(type(update)):
            raise ControlError("only what has a qts can be recorded")
        return {"constructor": update.QUALNAME, "sessions": qts.tell(server, user.id, update, objects.peers_in(update))}
    sessions = _send(server, user.id, update, media=bool(request.body.get("media")))
    return {"constructor": update.QUALNAME, "sessions": sessions}


def _send(server: Server, user_id: int, obj: TLObject, *, media: bool) -> int:
    """An Update is wrapped with whom it mentions; any other object leaves as it is."""
    if type(obj) not in objects.constructors_of("Update"):
        return server.delivery.send(user_id, obj, media=media)
    peers = objects.peers_in(obj)

    def build(view: View) -> list[TLObject]:
        for peer in peers:
            view.mention_known(peer)
        return [obj]

    return server.delivery.push(user_id, build, media=media)


@route("POST", "/control/answer")
async def answer(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """Calls of ``method`` are answered with the object ``answer`` instead of being carried out, as a rule of faults."""
    request.need("method")
    made = await _described(request, "answer", request.body.get("fields", {}))
    return add_rule(sandbox, request, answer=lambda call, query: made)


@route("POST", "/control/error")
def answer_with_error(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """Calls of ``method`` are answered with the error ``name``, its X filled with ``value``, as a rule of faults."""
    request.need("method")
    try:
        error = errors.named(str(request.need("name")), int(request.body.get("value", 1)), request.body.get("code"))
    except ValueError as unknown:
        raise ControlError(str(unknown)) from unknown
    return add_rule(sandbox, request, error=error)


@route("POST", "/control/manners")
def set_manners(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """How updates come to ``account`` (default all) from now on: ``packing``, ``min_peers``, ``bare``, ``media``."""
    account = request.body.get("account")
    names = ("packing", "min_peers", "bare", "media")
    manners = Manners(**{name: request.body[name] for name in names if name in request.body})
    if manners.packing not in PACKINGS:
        raise ControlError(f"packing is one of {', '.join(PACKINGS)}")
    key = None if account is None else find_user(sandbox, account).id
    sandbox.telegram.delivery.manners[key] = manners
    return vars(manners)
