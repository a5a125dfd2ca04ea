"""How the operator's account stands with Telegram: whether it is frozen, limited, or shown as restricted.

A frozen account reads the chats that it is in, and does nothing else; a limited one cannot turn to chats that it does
not know. Telegram says the former in the application's configuration, and both in its refusals.
See https://core.telegram.org/api/auth#frozen-accounts.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from pyrogram import Client, raw
from pyrogram.errors import FrozenMethodInvalid, FrozenParticipantMissing, PeerFlood, RPCError

from config.units import MINUTE_S
from daemon.database import Database
from daemon.telegram.rpc import invoke
from models.event_kinds import IncidentKey
from models.maintenance import health

logger = logging.getLogger(__name__)

REFUSALS = (FrozenMethodInvalid, FrozenParticipantMissing, PeerFlood)
"""What Telegram answers to a call that it takes from the account for a while."""

CHECK_S, CHECK_RESTRICTED_S = 300.0, 20.0
REFUSED_S = 15 * MINUTE_S
"""How long a refusal counts, where Telegram does not say by itself that it is over. Jobs try again more often."""

KEYS = (IncidentKey.ACCOUNT_FROZEN, IncidentKey.ACCOUNT_LIMITED, IncidentKey.ACCOUNT_FLAGGED)


class Standing:
    """Watches the account and tells the admins. *now* is a steady clock in seconds.

    *frozen* is awaited with why it is frozen, or with None.
    """

    def __init__(
        self,
        account: Client,
        database: Database,
        now: Callable[[], float] = time.monotonic,
        *,
        frozen: Callable[[str | None], Awaitable[None]] | None = None,
    ) -> None:
        self._account, self._frozen = account, frozen
        self._database = database
        self._now = now
        self._refused: dict[IncidentKey, tuple[float, str]] = {}
        self._suspected = asyncio.Event()

    def refused(self, error: str) -> None:
        """Note that Telegram has refused a call with one of the :data:`REFUSALS`."""
        key = IncidentKey.ACCOUNT_LIMITED if error == PeerFlood.ID else IncidentKey.ACCOUNT_FROZEN
        self._refused[key] = (self._now(), error)
        self._suspected.set()

    async def renew(self) -> None:
        """Another account is to be watched: look at it as soon as it is up."""
        self._refused.clear()
        self._suspected.set()

    async def watch(self, up: asyncio.Event) -> None:
        """Look now and then, and after each refusal, while the account is *up*, until cancelled."""
        while True:
            await up.wait()
            self._suspected.clear()
            is_restricted = await self._check()
            try:
                await asyncio.wait_for(self._suspected.wait(), CHECK_RESTRICTED_S if is_restricted else CHECK_S)
            except TimeoutError:
                continue

    async def _check(self) -> bool:
        """Record what is known now; whether to look again soon. Where Telegram says nothing, nothing is over."""
        said = await self._said()
        if IncidentKey.ACCOUNT_FROZEN in (said or {}):
            self._refused.pop(IncidentKey.ACCOUNT_FROZEN, None)  # Telegram will say when it is over
        self._refused = {key: each for key, each in self._refused.items() if self._now() - each[0] < REFUSED_S}
        found = {key: error for key, (_, error) in self._refused.items()} | (said or {})
        known = tuple(found) if said is None else KEYS
        for key in known:
            await self._record(key, found.get(key))
        if self._frozen is not None and IncidentKey.ACCOUNT_FROZEN in known:
            await self._frozen(found.get(IncidentKey.ACCOUNT_FROZEN))
        return said is None or bool(found)

    async def _said(self) -> dict[IncidentKey, str] | None:
        try:
            return await _read(self._account)
        except (RPCError, OSError) as error:
            logger.info("standing.unread", extra={"reason": str(error)})
            return None

    async def _record(self, key: IncidentKey, text: str | None) -> None:
        now = int(time.time())
        if text is None:
            await self._database(health.close_incident, key, now)
        elif await self._database(health.open_incident, key, text, now):
            logger.error("account.restricted", extra={"incident": key, "reason": text})


async def _read(account: Client) -> dict[IncidentKey, str]:
    """What Telegram itself says of the account, by incident."""
    found: dict[IncidentKey, str] = {}
    answer = await invoke(account, raw.functions.help.GetAppConfig(hash=0), longest_flood=0)
    frozen = {each.key: getattr(each.value, "value", None) for each in getattr(answer.config, "value", ())}
    if frozen.get("freeze_since_date"):
        until = frozen.get("freeze_until_date")
        found[IncidentKey.ACCOUNT_FROZEN] = f"{_day(until)} {frozen.get('freeze_appeal_url') or ''}".strip()
    for me in await invoke(account, raw.functions.users.GetUsers(id=[raw.types.InputUserSelf()]), longest_flood=0):
        if getattr(me, "restricted", None):
            reasons = {reason.text for reason in me.restriction_reason or ()}
            found[IncidentKey.ACCOUNT_FLAGGED] = "; ".join(sorted(reasons)) or "restricted"
    return found


def _day(moment: float | None) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat() if moment else ""
