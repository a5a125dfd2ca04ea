"""Tells what happened: takes events from the outbox and says them in chat, each once, however often it is tried."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from itertools import groupby

import peewee
from pyrogram.errors import BadRequest, FloodPremiumWait, FloodWait, Forbidden, NotAcceptable, RPCError

from daemon.context import derived_id
from daemon.database import Database
from daemon.notifier import Notifier
from daemon.telegram.errors import Unreachable
from daemon.telegram.rpc import FLOOD_MARGIN_S, flood_seconds
from daemon.wakeup import Wakeup
from models import outbox
from models.event_kinds import EventKind
from models.jobs import queue
from models.maintenance import clock_repair
from models.money import access
from models.outbox import EventInfo

logger = logging.getLogger(__name__)

BATCH = 20
LOOK_S = 1.0
LONGEST_RETRY_S = 300
MOST_ATTEMPTS = 8
"""How often an event is tried whose words raise an exception: for four minutes, if nothing else stood in its way."""
BETTER_PLACE = frozenset({EventKind.PAYMENT_COMPLETED, EventKind.ACCESS_GIVEN})
"""Kinds after which a customer's waiting links may stand in a better line."""

REFUSED = (BadRequest, Forbidden, NotAcceptable)
"""What Telegram answers however often it is asked."""

EventHandler = Callable[[EventInfo], Awaitable[None]]


class OutboxWorker:
    """Tells events to customers and admins. *handlers* tell the kinds whose words take more than the event."""

    def __init__(
        self,
        admin_ids: Collection[int],
        notifier: Notifier,
        database: Database,
        wakeup: Wakeup,
        *,
        handlers: Mapping[str, EventHandler] | None = None,
    ) -> None:
        self._admin_ids = admin_ids
        self._notifier = notifier
        self._database = database
        self._wakeup = wakeup
        self._handlers = handlers or {}

    async def run(self, up: asyncio.Event) -> None:
        """Tell what is due while the bot is *up*, for ever."""
        subscription = self._wakeup.subscribe()
        await self._database(outbox.take_over, int(time.time()))
        while True:
            await up.wait()
            if not await self.tell_due():
                await subscription.wait(LOOK_S)

    async def flush(self) -> None:
        """Tell everything that is due now, once; for the end of the process."""
        while await self.tell_due():
            pass

    async def tell_due(self) -> bool:
        """Tell one handful; False when nothing was due. Different people are told beside each other."""
        due = await self._database(outbox.claim, int(time.time()), BATCH)
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
                    await self._database(outbox.retry, event.id, int(time.time()) + retry_wait(event.attempts))
            else:
                await self._database(outbox.heard, event.id, int(time.time()))

    async def _tell(self, event: EventInfo) -> None:
        if event.kind in BETTER_PLACE and event.user_id is not None:
            await self._database(_promote, event.user_id, int(time.time()))
            self._wakeup.wake()
        handle = self._handlers.get(event.kind, self._announce)
        try:
            await handle(event)
        except Unreachable as error:
            _note_unreachable(event, error)

    async def _announce(self, event: EventInfo) -> None:
        if event.user_id is None:
            await self._tell_admins(event)
        else:
            await self._notifier.announce(event.user_id, event.payload, random_id=event.random_id)

    async def _tell_admins(self, event: EventInfo) -> None:
        """Say it to each, whatever becomes of the others. Those who had it do not get it twice when it is said again.

        :raises RPCError: somebody could not be told now (also OSError). The one that asks for the longest wait.
        """
        put_off: list[Exception] = []
        for admin_id in sorted(self._admin_ids):
            try:
                # Telegram remembers a random_id by its sender: each admin needs one of his own.
                random_id = derived_id(f"{event.random_id}:{admin_id}")
                await self._notifier.announce(admin_id, event.payload, random_id=random_id)
            except Unreachable as error:
                _note_unreachable(event, error)
            except REFUSED as error:
                logger.warning("admin not told", extra={"event": event.id, "user": admin_id, "reason": str(error)})
            except (RPCError, OSError) as error:
                put_off.append(error)
        if put_off:
            raise max(put_off, key=lambda error: _wait(event, error))

    async def _give_up(self, event: EventInfo, error: Exception) -> None:
        """Say it no more: what waits for ever makes everything else look late."""
        extra = {"event": event.id, "kind": event.kind, "user": event.user_id, "reason": repr(error)}
        logger.error("event given up, nobody has heard it", extra=extra)
        await self._database(outbox.give_up, event, repr(error), int(time.time()))

    async def _later(self, event: EventInfo, seconds: int, error: Exception) -> None:
        logger.warning("event told later", extra={"event": event.id, "seconds": seconds, "reason": str(error)})
        now = int(time.time())
        await self._database(clock_repair.honour, now + seconds, now)
        await self._database(outbox.retry, event.id, now + seconds)


def _note_unreachable(event: EventInfo, error: Unreachable) -> None:
    logger.info("event not heard", extra={"event": event.id, "user": error.user_id, "reason": error.reason})


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
