"""``/messages``: what people without a client write, forward and edit, and what stands in their chats."""

from typing import TYPE_CHECKING, Any

from ..control import ControlError, Request, route
from . import posting, posts
from .controls import entities_of, find_post, find_user
from .timeline import Message
from .world import User
from .writing import copy_of

if TYPE_CHECKING:
    from ..__main__ import Sandbox


@route("POST", "/messages")
def write(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """Somebody without a client writes to somebody, or edits what they wrote."""
    sender = find_user(sandbox, request.need("from"))
    if request.body.get("action") == "edit":
        return _edit(sandbox, sender, request)
    recipient = find_user(sandbox, request.need("to"))
    draft = _forwarded(sandbox, request) if "forward" in request.body else _written(request)
    message = posting.send(sandbox.telegram, sender.id, recipient.id, draft).message
    return {"message_id": message.id}


def _written(request: Request) -> posting.Draft:
    return posting.Draft(request.need("text"), entities_of(request))


def _forwarded(sandbox: "Sandbox", request: Request) -> posting.Draft:
    """A copy of the post behind the link ``forward``; ``hidden``: its origin is only a name."""
    _, post = find_post(sandbox, Request({"url": request.body["forward"]}, {}, ""))
    return copy_of(post, hidden_behind="Somebody" if request.body.get("hidden") else None)


def _edit(sandbox: "Sandbox", sender: User, request: Request) -> dict[str, Any]:
    message = sender.timeline.messages.get(request.need("message_id"))
    if message is None or not message.out:
        raise ControlError("the sender has no such message")
    changes = {"text": request.need("text"), "entities": entities_of(request)}
    posting.edit(sandbox.telegram, sender.id, message.peer, message.id, changes)
    return {"message_id": message.id}


@route("GET", "/messages")
def transcript(sandbox: "Sandbox", request: Request) -> list[dict[str, Any]]:
    """What stands in one account's private chats, oldest first; ``with`` narrows it to one chat."""
    if "user" not in request.query:
        raise ControlError("missing parameter: user")
    user = find_user(sandbox, request.query["user"])
    wanted = find_user(sandbox, request.query["with"]).id if "with" in request.query else None
    after = int(request.query.get("after", 0))
    return [
        _told(message)
        for message in sorted(user.timeline.messages.values(), key=lambda message: message.id)
        if message.id > after and wanted in (None, message.peer)
    ]


def _told(message: Message) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": message.id,
        "chat_id": message.peer,
        "from": message.sender,
        "out": message.out,
        "date": message.date,
        "text": message.text,
    }
    if hasattr(message.media, "file"):
        told["file"] = posts.facts(message)
    elif message.media is not None:
        told["media"] = type(getattr(message.media, "media", message.media)).__name__
    if message.action is not None:
        told["action"] = type(message.action).__name__
    if message.grouped_id:
        told["grouped_id"] = str(message.grouped_id)
    rows = getattr(message.markup, "rows", None)
    if rows:
        told["buttons"] = [[button.text for button in row.buttons] for row in rows]
    return told
