"""Looks up names and invitations for customers, with one client: what is remembered first, then at a measured pace.

Telegram answers many look-ups with flood waits of hours, which would keep all customers waiting. So a name or an
invitation that was found is not looked up again, one that was not is not looked for again soon, and each customer may
send only so many that lead nowhere.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pyrogram import raw
from pyrogram.errors import BadRequest, Forbidden

from daemon.database import Database
from daemon.transfer.errors import FloodWaitTooLong, OutOfTurn, PermanentFailure
from daemon.transfer.pace import Pace, Rate
from daemon.transfer.reader import Channel, Reader
from models.jobs import budgets, lookups, sources
from models.jobs.budgets import LOOKUPS
from models.jobs.lookups import LookupInfo
from models.jobs.reasons import RefusalReason
from models.jobs.sources import SourceInfo

LONGEST_TURN_S = 2.0
"""How long a job keeps its place while it waits for its turn. For a longer wait it goes back in the queue."""

NAME, INVITATION, JOIN = "contacts.resolveUsername", "messages.checkChatInvite", "messages.importChatInvite"
OF_THE_ACCOUNT = {
    NAME: (Rate(4, 10), Rate(8, 8)),
    INVITATION: (Rate(4, 12), Rate(8, 8)),
    JOIN: (Rate(30, 4), Rate(30, 4)),
}
"""For each call the pace of the operator's account, and that of one customer."""
OF_THE_BOT = {NAME: (Rate(2, 30), Rate(4, 15))}


_LEADS_NOWHERE = frozenset({RefusalReason.NOT_FOUND, RefusalReason.PERSON})
"""What is remembered of a name: it holds whoever asks, as a chat that shuts the bot out does not."""


class Lookups:
    """Names and invitations as one client looks them up."""

    def __init__(self, reader: Reader, database: Database, *, is_bot: bool) -> None:
        self.reader, self._database, self._is_bot = reader, database, is_bot
        self._paces = {call: Pace(*rates) for call, rates in (OF_THE_BOT if is_bot else OF_THE_ACCOUNT).items()}

    async def by_name(self, customer: int | None, name: str) -> tuple[Channel, bool]:
        """The channel with that public name, and whether Telegram has just said so. Otherwise the name may have moved.

        :param customer: whose budget it is; None for the operator's own look-up.
        :raises PermanentFailure: nobody has the name, or a person or a bot has it.
        :raises RetryLater: Telegram cannot be asked now.
        """
        channel = self.reader.named(name) or self._stored(name, await self._database(sources.named, name))
        return (channel, False) if channel is not None else (await self.resolve(customer, name), True)

    def has_name(self, channel: Channel, name: str) -> bool:
        """Whether the channel had that name when it was last seen."""
        return name in self.reader.latest(channel).usernames

    async def resolve(self, customer: int | None, name: str) -> Channel:
        """Ask Telegram for the channel with that public name and remember the answer. Raises as :meth:`by_name`."""
        key = lookups.of_name(name)
        await self.remembered(key)
        try:
            channel: Channel = await self._ask(customer, NAME, key, lambda: self.reader.resolve(name))
        except PermanentFailure as refusal:
            if refusal.reason in _LEADS_NOWHERE:
                await self._database(lookups.failed, key, refusal.reason, _now())
            raise
        await remember(self._database, channel, _now(), as_bot=self._is_bot)
        await self._database(lookups.found, key, channel.id, _now())
        return channel

    async def remembered(self, key: str) -> LookupInfo:
        """What is remembered under a key.

        :raises PermanentFailure: it was found lately to lead nowhere.
        """
        known = await self._database(lookups.get, key, _now())
        if known.reason is not None:
            raise PermanentFailure(known.reason)
        return known

    async def check(self, customer: int | None, code: str) -> Any:
        """Telegram's answer about an invitation. Raises what Telegram refuses with, otherwise as :meth:`by_name`."""
        query = raw.functions.messages.CheckChatInvite(hash=code)
        return await self._ask(customer, INVITATION, lookups.of_invitation(code), lambda: self.reader.call(query))

    async def join(self, customer: int, code: str) -> Any:
        """Follow an invitation; raises as :meth:`check`."""
        await self._turn(customer, JOIN, lookups.of_invitation(code))
        return await self.reader.call(raw.functions.messages.ImportChatInvite(hash=code))

    async def _ask(self, customer: int | None, call: str, key: str, make: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call in its turn, within the customer's budget: it counts only when it leads nowhere."""
        if customer is not None and not await self._database(budgets.spend, customer, LOOKUPS, 1, _now()):
            raise PermanentFailure(RefusalReason.LOOKUPS_SPENT)
        leads_nowhere = False
        try:
            await self._turn(customer, call, key)
            return await make()
        except (PermanentFailure, BadRequest, Forbidden):
            leads_nowhere = True
            raise
        except FloodWaitTooLong as flood:
            self._paces[call].flooded(flood.seconds, time.monotonic())
            raise
        finally:
            if customer is not None and not leads_nowhere:
                await self._database(budgets.give_back, customer, LOOKUPS.purpose)

    async def _turn(self, customer: int | None, call: str, key: str) -> None:
        """Wait for the turn of a call.

        :raises FloodWaitTooLong: Telegram has asked for a flood wait that is not over.
        :raises OutOfTurn: it comes too late to keep the job's place for it.
        """
        pace = self._paces[call]
        while True:
            if flood := pace.flood(time.monotonic()):
                raise FloodWaitTooLong(flood)
            wait = pace.wait(customer, key, time.monotonic())
            if wait > LONGEST_TURN_S:
                raise OutOfTurn(wait)
            if not wait:
                return
            await asyncio.sleep(wait)

    def _stored(self, name: str, known: SourceInfo | None) -> Channel | None:
        """The channel as it is stored, where this client has its access hash."""
        access_hash = None if known is None else known.bot_access_hash if self._is_bot else known.access_hash
        if known is None or access_hash is None:
            return None
        return Channel(
            id=known.id,
            access_hash=access_hash,
            usernames=(name,),
            title=known.title,
            protected=known.protected,
            administered=known.administered,
        )


async def remember(database: Database, channel: Channel, now: int, *, as_bot: bool = False) -> SourceInfo:
    """Store what the account, or the bot, sees of a chat, unless it is stored already, and return what is stored.

    Who administers it, only the account sees.
    """
    known = await database(sources.get, channel.id)
    seen: dict[str, Any] = {
        "username": channel.username,
        "title": channel.title,
        "protected": channel.protected,
        "administered": bool(known and known.administered) if as_bot else channel.administered,
        "bot_access_hash" if as_bot else "access_hash": channel.access_hash,
    }
    if known is not None and all(getattr(known, name) == value for name, value in seen.items()):
        return known
    return await database(sources.remember, channel.id, now=now, **seen)


def _now() -> int:
    return int(time.time())
