"""Tells what happened: takes events from the outbox and says them in chat, each once, however often it is tried."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from itertools import groupby

import peewee
from pyrogram.errors import BadRequest, FloodPremiumWait, FloodWait, Forbidden, NotAcceptable, RPCError

from config.plans import Plans
from config.settings import Settings
from config.texts import translator
from daemon.context import derived_id
from daemon.database import Database
from daemon.screens import announcements
from daemon.telegram.errors import Unreachable
from daemon.telegram.rpc import FLOOD_MARGIN_S, flood_seconds
from daemon.telegram.sender import Sender
from daemon.wakeup import Wakeup
from models import outbox, users
from models.jobs import queue
from models.maintenance import clock_repair
from models.money import access
from models.outbox import EventInfo

logger = logging.getLogger(__name__)

BATCH = 20
LOOK_S = 1.0
LONGEST_RETRY_S = 300
LONGEST_FLOOD_S = 0
MOST_ATTEMPTS = 8
"""How often an event is tried whose words raise an exception: for four minutes, if nothing else stood in its way."""
BETTER_PLACE = frozenset({"payment_completed", "access_given"})
"""Kinds after which a customer's waiting links may stand in a better line."""

REFUSED = (BadRequest, Forbidden, NotAcceptable)
"""What Telegram answers however often it is asked."""

Teller = Callable[[EventInfo], Awaitable[None]]


class OutboxWorker:
    """Says events to customers and admins. ``tellers`` take over kinds that somebody else has the words for."""

    def __init__(self, settings: Settings, plans: Plans, calls: Database, outgoing: Sender, bell: Wakeup) -> None:
        self._settings = settings
        self._plans = plans
        self._calls = calls
        self._outgoing = outgoing
        self._bell = bell
        self.tellers: dict[str, Teller] = {}

    async def run(self, up: asyncio.Event) -> None:
        """Tell what is due while the bot is *up*, for ever."""
        ear = self._bell.subscribe()
        await self._calls(outbox.take_over, int(time.time()))
        while True:
            await up.wait()
            if not await self.tell_due():
                await ear.wait(LOOK_S)

    async def flush(self) -> None:
        """Tell everything that is due now, once; for the end of the process."""
        while await self.tell_due():
            pass

    async def tell_due(self) -> bool:
        """Tell one handful; False when nothing was due. Different people are told beside each other."""
        due = await self._calls(outbox.claim, int(time.time()), BATCH)
        by_person = groupby(sorted(due, key=_person), key=_person)
        await asyncio.gather(*(self._tell_in_order(list(each)) for _, each in by_person))
        return bool(due)

    async def _tell_in_order(self, of_one: Iterable[EventInfo]) -> None:
        for event in of_one:
            try:
                await self._tell(event)
            except REFUSED as error:
                await self._give_up(event, error)
            except (RPCError, OSError, peewee.DatabaseError) as error:
                await self._later(event, _wait(event, error), error)
            except Exception as error:
                # One event that cannot be put into words must not silence the others.
                logger.exception("event not told", extra={"event": event.id, "kind": event.kind})
                if event.attempts >= MOST_ATTEMPTS:
                    await self._give_up(event, error)
                else:
                    await self._calls(outbox.retry, event.id, int(time.time()) + retry_wait(event.attempts))
            else:
                await self._calls(outbox.heard, event.id, int(time.time()))

    async def _tell(self, event: EventInfo) -> None:
        if event.kind in BETTER_PLACE and event.user_id is not None:
            await self._calls(_promote, event.user_id, int(time.time()))
            self._bell.ring()
        if event.kind in self.tellers:
            await self.tellers[event.kind](event)
        elif event.user_id is not None:
            await self._say(event, event.user_id, event.random_id)
        else:
            await self._say_to_admins(event)

    async def _say_to_admins(self, event: EventInfo) -> None:
        """Say it to each, whatever becomes of the others. Those who had it do not get it twice when it is said again.

        :raises RPCError: somebody could not be told now (also OSError). The one that asks for the longest wait.
        """
        put_off: list[Exception] = []
        for admin_id in sorted(self._settings.admin_ids):
            try:
                # Telegram remembers a random_id by its sender: each admin needs one of his own.
                await self._say(event, admin_id, derived_id(f"{event.random_id}:{admin_id}"))
            except REFUSED as error:
                logger.warning("admin not told", extra={"event": event.id, "user": admin_id, "reason": str(error)})
            except (RPCError, OSError) as error:
                put_off.append(error)
        if put_off:
            raise max(put_off, key=lambda error: _wait(event, error))

    async def _say(self, event: EventInfo, user_id: int, random_id: int) -> None:
        user = await self._calls(users.get, user_id)
        setting = announcements.Setting(
            translator(user.language if user else None),
            self._plans,
            self._settings.timezone,
            self._settings.support_contact,
        )
        screen = announcements.render(event.kind, event.payload, setting)
        if screen is None:
            return
        try:
            await self._outgoing.send_text(
                user_id, screen.text, random_id=random_id, keyboard=screen.keyboard, longest_flood=LONGEST_FLOOD_S
            )
        except Unreachable as error:
            logger.info("event not heard", extra={"event": event.id, "user": user_id, "reason": error.reason})

    async def _give_up(self, event: EventInfo, error: Exception) -> None:
        """Say it no more: what waits for ever makes everything else look late."""
        extra = {"event": event.id, "kind": event.kind, "user": event.user_id, "reason": repr(error)}
        logger.error("event given up, nobody has heard it", extra=extra)
        await self._calls(outbox.give_up, event, repr(error), int(time.time()))

    async def _later(self, event: EventInfo, seconds: int, error: Exception) -> None:
        logger.warning("event told later", extra={"event": event.id, "seconds": seconds, "reason": str(error)})
        now = int(time.time())
        await self._calls(clock_repair.honour, now + seconds, now)
        await self._calls(outbox.retry, event.id, now + seconds)


def _wait(event: EventInfo, error: Exception) -> int:
    """Seconds until *event* is tried again after *error*."""
    if isinstance(error, FloodWait | FloodPremiumWait):
        return flood_seconds(error) + FLOOD_MARGIN_S
    return retry_wait(event.attempts)


def retry_wait(attempts: int) -> int:
    """Seconds until an event is tried again."""
    return int(min(2**attempts, LONGEST_RETRY_S))


def _promote(user_id: int, now: int) -> None:
    """Move the links that wait to the line of the plan that the customer has now."""
    queue.promote(user_id, access.of(user_id, now).level, now)


def _person(event: EventInfo) -> int:
    return event.user_id or 0
