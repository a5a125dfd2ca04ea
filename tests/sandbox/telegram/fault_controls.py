"""POST /faults and POST /network: what goes wrong, and how slow the wire is."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..control import ControlError, Request, route
from . import srp
from .controls import find_post, find_user
from .errors import RpcError
from .faults import Rule
from .files import FileMedia, Files
from .network import Conditions
from .uploads import UploadKey, Uploads

if TYPE_CHECKING:
    from ..__main__ import Sandbox

_RULE_FIELDS = ("account", "where", "count", "after", "probability")
_VERDICTS = {"unregistered": "AUTH_KEY_UNREGISTERED", "revoked": "SESSION_REVOKED", "404": "404"}

Fault = Callable[["Sandbox", Request], Any]
_FAULTS: dict[str, Fault] = {}


def fault(name: str) -> Callable[[Fault], Fault]:
    """Register what ``{"fault": name, …}`` does."""

    def register(handler: Fault) -> Fault:
        _FAULTS[name] = handler
        return handler

    return register


@route("POST", "/faults")
async def set_fault(sandbox: "Sandbox", request: Request) -> Any:
    handler = _FAULTS.get(request.need("fault"))
    if handler is None:
        raise ControlError(f"fault is one of {', '.join(_FAULTS)}")
    return await handler(sandbox, request)


@route("GET", "/faults")
def list_faults(sandbox: "Sandbox", request: Request) -> list[dict[str, object]]:
    return [rule.describe() for rule in sandbox.telegram.faults.rules()]


@route("DELETE", "/faults")
def remove_faults(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """One rule by its id, or all of them together with the network's conditions and the manners of updates."""
    server = sandbox.telegram
    if request.rest:
        return {"removed": server.faults.remove(int(request.rest))}
    server.faults.clear()
    server.network.clear()
    server.delivery.manners.clear()
    return {"removed": True}


# Calls that fail


def add_rule(sandbox: "Sandbox", request: Request, **effect: Any) -> dict[str, Any]:
    """Add the rule that the body describes and return it as JSON."""
    settings = {name: request.body[name] for name in _RULE_FIELDS if name in request.body}
    if settings.get("account") is not None:
        settings["account"] = find_user(sandbox, settings["account"]).id
    rule: Rule = sandbox.telegram.faults.add(request.body.get("method", "*"), **settings, **effect)
    return rule.describe()


def _error(code: int, name: str) -> RpcError:
    try:
        return RpcError(code, name)
    except ValueError as error:
        raise ControlError(str(error)) from error


@fault("flood_wait")
async def _flood_wait(sandbox: "Sandbox", request: Request) -> Any:
    return add_rule(sandbox, request, error=_error(420, f"FLOOD_WAIT_{int(request.need('seconds'))}"))


@fault("flood_premium_wait")
async def _flood_premium_wait(sandbox: "Sandbox", request: Request) -> Any:
    return add_rule(sandbox, request, error=_error(420, f"FLOOD_PREMIUM_WAIT_{int(request.need('seconds'))}"))


@fault("error")
async def _any_error(sandbox: "Sandbox", request: Request) -> Any:
    return add_rule(sandbox, request, error=_error(int(request.need("code")), str(request.need("error"))))


@fault("drop_request")
async def _drop_request(sandbox: "Sandbox", request: Request) -> Any:
    return add_rule(sandbox, request, drop_request=True)


@fault("drop_reply")
async def _drop_reply(sandbox: "Sandbox", request: Request) -> Any:
    return add_rule(sandbox, request, drop_reply=True)


@fault("garble")
async def _garble(sandbox: "Sandbox", request: Request) -> Any:
    return add_rule(sandbox, request, garble=True)


@fault("bad_message")
async def _bad_message(sandbox: "Sandbox", request: Request) -> Any:
    """Answered ``bad_msg_notification``: 16 and 17 are ids from the past and the future, 32 and 33 sequence numbers."""
    return add_rule(sandbox, request, bad_message=int(request.need("code")))


@fault("delay")
async def _delay(sandbox: "Sandbox", request: Request) -> Any:
    return add_rule(sandbox, request, delay_s=float(request.need("seconds")))


@fault("random_id_code")
async def _random_id_code(sandbox: "Sandbox", request: Request) -> Any:
    """With which code RANDOM_ID_DUPLICATE comes: 400 or 500."""
    code = int(request.need("code"))
    _error(code, "RANDOM_ID_DUPLICATE")
    sandbox.telegram.faults.random_id_code = code


@fault("forget_random_ids")
async def _forget_random_ids(sandbox: "Sandbox", request: Request) -> Any:
    users = sandbox.telegram.world.users.values()
    if "account" in request.body:
        users = [find_user(sandbox, request.body["account"])]
    for user in users:
        user.random_ids.clear()


# Connections


def _account_and_dc(sandbox: "Sandbox", request: Request) -> tuple[int | None, int | None]:
    account = request.body.get("account")
    return (None if account is None else find_user(sandbox, account).id), request.body.get("dc")


@fault("reset")
async def _reset(sandbox: "Sandbox", request: Request) -> Any:
    """Reset connections, of an account or data centre or all."""
    account, dc = _account_and_dc(sandbox, request)
    hit = [
        connection
        for connection in sandbox.telegram.connections
        if account in (None, connection.user_id) and dc in (None, connection.dc)
    ]
    for connection in hit:
        connection.abort()
    return {"reset": len(hit)}


@fault("black_hole")
async def _black_hole(sandbox: "Sandbox", request: Request) -> Any:
    """Accept and read, answer nothing, for ``seconds``; with ``deaf`` read nothing either, of what stands now."""
    seconds, deaf = float(request.need("seconds")), bool(request.body.get("deaf", False))
    sandbox.telegram.faults.silence(seconds, *_account_and_dc(sandbox, request), deaf=deaf)


@fault("refuse")
async def _refuse(sandbox: "Sandbox", request: Request) -> Any:
    """Do not listen for ``seconds``; with ``reset`` (default) connections that stand are reset too."""
    if request.body.get("reset", True):
        await _reset(sandbox, request)
    await sandbox.telegram.refuse_connections(float(request.need("seconds")), request.body.get("dc"))


# Accounts


@fault("revoke")
async def _revoke(sandbox: "Sandbox", request: Request) -> Any:
    """End the sessions of an account, everywhere or in one data centre.

    ``how`` is unregistered (default), revoked, or 404 (the key itself is gone).
    """
    verdict = _VERDICTS.get(str(request.body.get("how", "unregistered")))
    if verdict is None:
        raise ControlError(f"how is one of {', '.join(_VERDICTS)}")
    return _pass_verdict(sandbox, request, verdict)


@fault("duplicate_key")
async def _duplicate_key(sandbox: "Sandbox", request: Request) -> Any:
    """The key was used in two places at once."""
    return _pass_verdict(sandbox, request, "AUTH_KEY_DUPLICATED")


def _pass_verdict(sandbox: "Sandbox", request: Request, verdict: str) -> dict[str, Any]:
    user, dc = find_user(sandbox, request.need("account")), request.body.get("dc")
    keys = [key for key in sandbox.telegram.keys_of(user.id) if dc in (None, key.dc)]
    for key in keys:
        key.verdict = verdict
    if request.body.get("reset", False):
        for connection in list(sandbox.telegram.connections):
            if connection.user_id == user.id and dc in (None, connection.dc):
                connection.abort()
    return {"keys": len(keys)}


@fault("restore_keys")
async def _restore_keys(sandbox: "Sandbox", request: Request) -> Any:
    """Take back what ``revoke`` and ``duplicate_key`` did."""
    keys = sandbox.telegram.keys_of(find_user(sandbox, request.need("account")).id)
    for key in keys:
        key.verdict = None
    return {"keys": len(keys)}


@fault("ban")
async def _ban(sandbox: "Sandbox", request: Request) -> Any:
    """Telegram bans the account; ``banned: false`` takes it back."""
    find_user(sandbox, request.need("account")).banned = bool(request.body.get("banned", True))
    sandbox.telegram.changed()


@fault("block")
async def _block(sandbox: "Sandbox", request: Request) -> Any:
    """A user blocks a bot or a person (``blocked: false`` unblocks)."""
    user, other = find_user(sandbox, request.need("user")), find_user(sandbox, request.need("blocks"))
    sandbox.telegram.set_blocked(user.id, other.id, bool(request.body.get("blocked", True)))


@fault("channel_limit")
async def _channel_limit(sandbox: "Sandbox", request: Request) -> Any:
    """How many channels an account may be in; null: what Telegram allows."""
    find_user(sandbox, request.need("account")).max_channels = request.need("limit")
    sandbox.telegram.changed()


@fault("password")
async def _password(sandbox: "Sandbox", request: Request) -> Any:
    """Two-step verification of an account; null takes it away."""
    password = request.need("password")
    find_user(sandbox, request.need("account")).password = None if password is None else srp.Password.of(password)
    sandbox.telegram.changed()


# Files


def _file_media(sandbox: "Sandbox", request: Request) -> FileMedia:
    _, message = find_post(sandbox, request)
    if not isinstance(message.media, FileMedia):
        raise ControlError("that post has no file")
    return message.media


@fault("expire_references")
async def _expire_references(sandbox: "Sandbox", request: Request) -> Any:
    """References given out so far expire: of one post's file, or of all; ``after_chunks`` more are served first."""
    if "url" in request.body or "message_id" in request.body:
        files = [_file_media(sandbox, request).file]
    else:
        files = list(sandbox.telegram.world.part(Files).files.values())
    for file in files:
        if request.body.get("after_chunks"):
            file.chunks_until_expiry = int(request.body["after_chunks"])
        else:
            file.expire()
    return {"files": len(files)}


@fault("migrate_file")
async def _migrate_file(sandbox: "Sandbox", request: Request) -> Any:
    """Move a post's file to another data centre: FILE_MIGRATE_X for who asks where it was."""
    dc = int(request.need("dc"))
    if dc not in sandbox.telegram.ports:
        raise ControlError(f"dc is one of {', '.join(map(str, sandbox.telegram.ports))}")
    _file_media(sandbox, request).file.dc = dc
    sandbox.telegram.changed()


@fault("cdn")
async def _cdn(sandbox: "Sandbox", request: Request) -> Any:
    """A post's file is fetched from a content delivery network; ``state``: uploaded, missing, or null for no longer."""
    state = request.body.get("state", "uploaded")
    if state not in (None, "uploaded", "missing"):
        raise ControlError("state is uploaded, missing or null")
    _file_media(sandbox, request).file.outsourced = state


@fault("lose_part")
async def _lose_part(sandbox: "Sandbox", request: Request) -> Any:
    """Forget part number ``part`` of what ``account`` is uploading as ``file_id``: FILE_PART_X_MISSING when it is
    sent."""
    key = UploadKey(find_user(sandbox, request.need("account")).id, int(request.need("file_id")))
    if not sandbox.telegram.world.part(Uploads).lose(key, int(request.need("part"))):
        raise ControlError("there is no such part")


# The wire


@route("POST", "/network")
def set_network(sandbox: "Sandbox", request: Request) -> dict[str, Any]:
    """``rtt_ms``, ``bandwidth`` (bytes per second and connection, both ways) and ``loss`` (0 to 1)."""
    conditions = Conditions(
        float(request.body.get("rtt_ms", 0)) / 1000,
        request.body.get("bandwidth"),
        float(request.body.get("loss", 0)),
    )
    sandbox.telegram.network.set(conditions, *_account_and_dc(sandbox, request))
    return {"rtt_ms": conditions.round_trip_s * 1000, "bandwidth": conditions.bandwidth, "loss": conditions.loss}


@route("DELETE", "/network")
def clear_network(sandbox: "Sandbox", request: Request) -> None:
    sandbox.telegram.network.clear()
