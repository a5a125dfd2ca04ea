"""Faults of accounts: frozen, limited, flagged, or calling a method too often."""

from typing import TYPE_CHECKING, Any

from ..control import Request
from .controls import find_user
from .fault_controls import fault
from .restrictions import FROZEN_METHODS, LIMITED_METHODS, Freeze, MethodLimit, Restrictions

if TYPE_CHECKING:
    from ..__main__ import Sandbox

_MONTH_S = 30 * 24 * 3600


@fault("freeze")
async def _freeze(sandbox: "Sandbox", request: Request) -> Any:
    """Telegram freezes the account; ``frozen: false`` takes it back. ``methods`` (globs): what it may not do."""
    account, frozen = find_user(sandbox, request.need("account")), request.body.get("frozen", True)
    now = sandbox.telegram.world.now()
    freeze = Freeze(now, now + _MONTH_S, tuple(request.body.get("methods", FROZEN_METHODS)))
    _set(sandbox, "frozen", account.id, freeze if frozen else None)


@fault("limit")
async def _limit(sandbox: "Sandbox", request: Request) -> Any:
    """PEER_FLOOD for an account that was reported too often, on ``methods`` (globs); ``limited: false`` takes it
    back."""
    account = find_user(sandbox, request.need("account"))
    methods = tuple(request.body.get("methods", LIMITED_METHODS))
    _set(sandbox, "limited", account.id, methods if request.body.get("limited", True) else None)


@fault("flag")
async def _flag(sandbox: "Sandbox", request: Request) -> Any:
    """Everybody sees the account as restricted, with ``reason``; null takes it back."""
    account = find_user(sandbox, request.need("account"))
    reason = request.body.get("reason", "This account was reported for spam.")
    _set(sandbox, "flagged", account.id, reason)


def _set(sandbox: "Sandbox", name: str, account: int, value: Any) -> None:
    restricted = getattr(sandbox.telegram.world.part(Restrictions), name)
    if value is None:
        restricted.pop(account, None)
    else:
        restricted[account] = value
    sandbox.telegram.changed()


@fault("method_limit")
async def _method_limit(sandbox: "Sandbox", request: Request) -> Any:
    """FLOOD_WAIT for an account (default each) that calls ``method`` more than ``calls`` times in ``per_s`` seconds.

    It ends after ``for_s`` seconds, where they are given.
    """
    account, for_s = request.body.get("account"), request.body.get("for_s")
    limit = MethodLimit(
        str(request.need("method")),
        int(request.need("calls")),
        int(request.body.get("per_s", 60)),
        int(request.body.get("seconds", 60)),
        None if account is None else find_user(sandbox, account).id,
        None if for_s is None else sandbox.telegram.world.now() + float(for_s),
    )
    sandbox.telegram.faults.limits.append(limit)
    return {"method": limit.method, "calls": limit.calls, "per_s": limit.per_s, "seconds": limit.wait_s}
