"""Control calls of the Telegram server: posts, chats, people, and what it has counted."""

import asyncio
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pyrogram import raw
from pyrogram.raw.core import TLObject

from .. import scenario
from ..control import ControlError, Request, route
from . import membership, posting, posts
from .authorization import Logins
from .posts import KINDS, Order
from .timeline import Message
from .world import Channel, Invitation, Role, User, channel_id_of

if TYPE_CHECKING:
    from ..__main__ import Sandbox

_ENTITIES: dict[str, type[TLObject]] = {
    "bold": raw.types.MessageEntityBold,
    "italic": raw.types.MessageEntityItalic,
    "underline": raw.types.MessageEntityUnderline,
    "strike": raw.types.MessageEntityStrike,
    "spoiler": raw.types.MessageEntitySpoiler,
    "code": raw.types.MessageEntityCode,
    "pre": raw.types.MessageEntityPre,
    "url": raw.types.MessageEntityUrl,
    "text_url": raw.types.MessageEntityTextUrl,
    "mention": raw.types.MessageEntityMention,
    "hashtag": raw.types.MessageEntityHashtag,
}


# Who and where


def find_user(sandbox: "Sandbox", given: Any) -> User:
    """A user by id or user name."""
    world = sandbox.telegram.world
    found = world.users.get(given) if isinstance(given, int) else world.by_username(str(given).removeprefix("@"))
    if isinstance(given, str) and given.isdigit():
        found = world.users.get(int(given))
    if not isinstance(found, User):
        raise ControlError(f"no such user: {given}")
    return found


def find_channel(sandbox: "Sandbox", given: Any) -> Channel:
    """A channel by name in scenario.json, user name, id or marked id."""
    world = sandbox.telegram.world
    if isinstance(given, int):
        found = world.channels.get(given if given > 0 else channel_id_of(given))
    else:
        named = sandbox.chats.get(given)
        found = world.channels[named] if named else world.by_username(str(given).removeprefix("@"))
    if not isinstance(found, Channel):
        raise ControlError(f"no such chat: {given}")
    return found


def find_post(sandbox: "Sandbox", request: Request) -> tuple[Channel, Message]:
    """The post that ``url``, or ``chat`` and ``message_id``, name."""
    if "url" in request.body:
        parts = str(request.body["url"]).split("t.me/")[-1].split("/")
        chat: Any = int(parts[1]) if parts[0] == "c" else parts[0]
        message_id = int(parts[-1])
    else:
        chat, message_id = request.need("chat"), request.need("message_id")
    channel = find_channel(sandbox, chat)
    message = channel.timeline.messages.get(message_id)
    if message is None:
        raise ControlError(f"no such post: {message_id} in {channel.title}")
    return channel, message


# Posts


@route("POST", "/posts")
async def post(sandbox: "Sandbox", request: Request) -> Any:
    actions = {"create": _create, "edit": _edit, "delete": _delete}
    action = actions.get(request.body.get("action", "create"))
    if action is None:
        raise ControlError(f"action is one of {', '.join(actions)}")
    return await action(sandbox, request)


def _order(sandbox: "Sandbox", request: Request) -> Order:
    known = {field.name for field in fields(Order)} - {"entities", "markup"}
    settings = {name: value for name, value in request.body.items() if name in known}
    settings["entities"] = entities_of(request)
    settings["buttons"] = tuple(
        tuple((button["text"], button["url"]) for button in row) for row in request.body.get("buttons", ())
    )
    settings["files"] = tuple(request.body.get("files", ()))
    settings["bought"] = tuple(find_user(sandbox, given).id for given in request.body.get("bought", ()))
    order = Order(**{"kind": "photo", **settings})
    if order.kind not in KINDS:
        raise ControlError(f"kind is one of {', '.join(KINDS)}")
    return order


def entities_of(request: Request) -> list[TLObject]:
    """The entities of a text, from the body. Raises ControlError."""
    found = []
    for entity in request.body.get("entities", ()):
        kind = _ENTITIES.get(entity["type"])
        if kind is None:
            raise ControlError(f"entity type is one of {', '.join(_ENTITIES)}")
        found.append(kind(**{name: value for name, value in entity.items() if name != "type"}))
    return found


async def _create(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    channel = find_channel(sandbox, request.body.get("chat", "gallery"))
    order = _order(sandbox, request)
    messages = posts.publish(sandbox.telegram, channel, channel.creator, order)
    # The digest of a large file takes a second, in which the others go on.
    return await asyncio.to_thread(posts.describe, channel, order, messages)


async def _edit(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    channel, message = find_post(sandbox, request)
    changes: dict[str, Any] = {}
    if "caption" in request.body:
        changes = {"text": request.body["caption"], "entities": entities_of(request)}
    order = _order(sandbox, request)
    if "kind" in request.body:
        changes["media"] = posts.media_of(sandbox.telegram, order)
    posting.edit(sandbox.telegram, channel.creator, channel.peer, message.id, changes)
    return await asyncio.to_thread(posts.describe, channel, order, [message])


async def _delete(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    channel, message = find_post(sandbox, request)
    posting.delete_from_channel(sandbox.telegram, channel, [message.id])
    return {"deleted": message.id}


# Chats and people


@route("POST", "/chats")
def open_chat(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    if request.body.get("action") == "edit":
        return _edit_chat(sandbox, request)
    settings = {
        name: request.body[name]
        for name in ("username", "megagroup", "forum", "noforwards", "about", "join_request", "hidden_members")
        if name in request.body
    }
    members = tuple(find_user(sandbox, given).id for given in request.body.get("members", ()))
    channel = scenario.open_channel(sandbox.telegram, request.need("title"), members=members, **settings)
    if settings.get("forum"):
        channel.megagroup = True
    return _as_it_is(sandbox, channel)


def _edit_chat(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    channel = find_channel(sandbox, request.need("chat"))
    for name in ("title", "username", "noforwards", "join_request", "hidden_members"):
        if name in request.body:
            setattr(channel, name, request.body[name])
    return _as_it_is(sandbox, channel)


def _as_it_is(sandbox: "Sandbox", channel: Channel) -> dict[str, Any]:
    sandbox.telegram.changed()
    return {"chat_id": channel.peer, "id": channel.id, "username": channel.username}


@route("POST", "/topics")
def open_topic(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    return {
        "topic": scenario.open_topic(
            sandbox.telegram, find_channel(sandbox, request.need("chat")), request.need("title")
        )
    }


@route("POST", "/invitations")
def invite(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    channel = find_channel(sandbox, request.need("chat"))
    names = ("request_needed", "expires_at", "usage_limit", "revoked", "price")
    made: Invitation = scenario.invitation(
        sandbox.telegram, **{name: request.body[name] for name in names if name in request.body}
    )
    channel.invitations[made.hash] = made
    sandbox.telegram.changed()
    return {"url": f"https://t.me/+{made.hash}", "hash": made.hash}


@route("POST", "/members")
def set_member(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    channel = find_channel(sandbox, request.need("chat"))
    user = find_user(sandbox, request.need("user"))
    try:
        role = Role(request.body.get("role", "member"))
    except ValueError as error:
        raise ControlError(f"role is one of {', '.join(role.value for role in Role)}") from error
    membership.set_role(
        sandbox.telegram,
        channel,
        user.id,
        role,
        actor=channel.creator,
        subscribed_until=request.body.get("subscribed_until"),
    )
    return {"chat_id": channel.peer, "user_id": user.id, "role": role.value}


@route("POST", "/users")
def add_user(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """More customers; each comes with a session string."""
    world = sandbox.telegram.world
    made = []
    for _ in range(request.body.get("count", 1)):
        id_ = max(world.users) + 1
        number = str(id_)[-6:]
        language = request.body.get("language_code", "en")
        name = request.body.get("first_name", f"Extra {number}")
        username = request.body.get("username", f"extra_{number}")
        user = world.add_user(User(id_, name, username=username, phone=f"34699{number}", language_code=language))
        session = sandbox.telegram.new_session_string(user.id)
        made.append({"id": user.id, "session_string": session, "first_name": user.first_name})
    return {"users": made}


@route("POST", "/language")
def set_language(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """What an account's applications speak from now on."""
    find_user(sandbox, request.need("user")).language_code = request.need("language_code")
    sandbox.telegram.changed()
    return {}


@route("POST", "/sessions")
def new_session(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """One more session string for an account that exists."""
    user = find_user(sandbox, request.need("user"))
    return {"id": user.id, "session_string": sandbox.telegram.new_session_string(user.id)}


@route("GET", "/login-code")
def login_code(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    phone = "".join(filter(str.isdigit, request.query.get("phone", "")))
    return {"code": sandbox.telegram.world.part(Logins).code_for(phone)}


@route("GET", "/login-tokens")
def login_tokens(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """What the QR codes hold that nobody has scanned, the newest last."""
    tokens = sandbox.telegram.world.part(Logins).tokens
    return {"tokens": [token.hex() for token, each in tokens.items() if each.user_id is None]}


@route("GET", "/commands")
def commands(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """Command lists of a bot by ``scope/language``."""
    bot = find_user(sandbox, request.query.get("bot", "")).bot
    if bot is None:
        raise ControlError("not a bot")
    return {f"{scope}/{language}": listed for (scope, language), listed in bot.commands.items()}


@route("DELETE", "/commands")
def forget_commands(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """Leave a bot without any command list, as a new one is."""
    bot = find_user(sandbox, request.query.get("bot", "")).bot
    if bot is None:
        raise ControlError("not a bot")
    bot.commands.clear()
    return {}


@route("POST", "/bot-info")
def bot_info(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """What the operator writes at @BotFather: ``about`` and ``description`` in a language."""
    bot = find_user(sandbox, request.need("bot")).bot
    if bot is None:
        raise ControlError("not a bot")
    bot.infos[request.body.get("language", "")] = (request.need("about"), request.need("description"))
    sandbox.telegram.changed()
    return {}


# Counters


@route("GET", "/stats")
def stats(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    server = sandbox.telegram
    return {"connections": server.connections_by_account(), **server.stats.snapshot()}


@route("DELETE", "/stats")
def reset_stats(sandbox: "Sandbox", request: Request) -> None:
    sandbox.telegram.stats.reset()


@route("GET", "/unsupported")
def unsupported(sandbox: "Sandbox", request: Request) -> dict[str, int]:
    return dict(sandbox.telegram.stats.unsupported)
