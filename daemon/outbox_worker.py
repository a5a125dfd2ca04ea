"""Takes events from the outbox and tells them in chat, each once, however often sending is tried."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

import peewee
from pyrogram.errors import BadRequest, FloodPremiumWait, FloodWait, Forbidden, NotAcceptable, RPCError

from daemon.context import derived_id
from daemon.database import Database
from daemon.notifier import Notifier
from daemon.telegram.errors import Unreachable
from daemon.telegram.rpc import FLOOD_MARGIN_S, flood_seconds
from daemon.telegram.screen import Screen
from daemon.wakeup import Wakeup
from models import conversations, outbox
from models.conversations import Purpose, RelayInfo
from models.event_kinds import EventKind, MessageRelayed, ShopNotice
from models.jobs import queue
from models.maintenance import clock_repair
from models.money import access
from models.outbox import EventInfo

logger = logging.getLogger(__name__)

BATCH = 20
CHECK_S = 1.0
LONGEST_RETRY_S = 300
MAX_ATTEMPTS = 8
"""How often an event is tried whose rendering raises an exception: for about four minutes."""
MANY_SALES = 4
"""From how many sales at once on one message tells them all."""
PROMOTING = frozenset(
    {
        EventKind.PAYMENT_COMPLETED,
        EventKind.ACCESS_GIVEN,
        EventKind.REFERRAL_REWARD,
        EventKind.DISPUTE_CLOSED,
        EventKind.GIFT_CHANGED,
        EventKind.REQUEST_DONE,
    }
)
"""Kinds after which a customer may have more: a purchase, or what a dispute or a refund withheld and that came back."""

REFUSED = (BadRequest, Forbidden, NotAcceptable)
"""Errors that Telegram gives however often the call is made."""

EventHandler = Callable[[EventInfo], Awaitable[None]]


class OutboxWorker:
    """Tells events to customers and admins. *handlers* tell the kinds whose message takes more than the event.

    *promote* gives a customer's links what they have just bought, before they hear of it.

    *tells_sales*: whether admins hear of each sale; else they have the digest alone.
    """

    def __init__(
        self,
        admin_ids: Collection[int],
        notifier: Notifier,
        database: Database,
        wakeup: Wakeup,
        *,
        handlers: Mapping[str, EventHandler] | None = None,
        promote: Callable[[int, int], None] | None = None,
        tells_sales: Callable[[], bool] = lambda: True,
    ) -> None:
        self._tells_sales = tells_sales
        self._promote = promote or _promote
        self._admin_ids = admin_ids
        self._notifier = notifier
        self._database = database
        self._wakeup = wakeup
        self._handlers = handlers or {}

    async def run(self, up: asyncio.Event) -> None:
        """Tell due events while the bot is *up*, until cancelled."""
        subscription = self._wakeup.subscribe()
        await self._database(outbox.take_over, int(time.time()))
        while True:
            await up.wait()
            if not await self.tell_due():
                await subscription.wait(CHECK_S)

    async def flush(self) -> None:
        """Tell everything that is due now; for the end of the process."""
        while await self.tell_due():
            pass

    async def tell_due(self) -> bool:
        """Tell one batch; False when nothing was due. Different people are told at the same time."""
        due = await self._database(outbox.claim, int(time.time()), BATCH)
        by_person = groupby(sorted(due, key=_person), key=_person)
        await asyncio.gather(*(self._tell_in_order(list(each)) for _, each in by_person))
        return bool(due)

    async def _tell_in_order(self, of_one: Iterable[EventInfo]) -> None:
        for message in _messages(of_one):
            if len(message) == 1 and message[0].together is None:
                await self._try(message[0], partial(self._tell, message[0]))
            else:
                await self._try_together(message)

    async def _try_together(self, notices: Sequence[EventInfo]) -> None:
        """Tell many sales in one message. Where one of them cannot be put into words each is told alone.

        Once it may have been sent it stays this message: who has heard it would hear them again in another.
        """
        together = notices[0].together
        try:
            if self._tells_sales():
                screens = await self._gathered(notices)
                together = together or await self._database(outbox.bind, [event.id for event in notices])
                await self._send_together(notices, screens, f"together:{together}")
        except (RPCError, OSError, peewee.DatabaseError) as error:
            await self._postpone(notices, _wait(notices[0], error), error)
        except Exception as error:
            logger.exception("event.failed", extra={"event": notices[0].id, "kind": notices[0].kind})
            if together is not None:
                await self._again(notices, error)
                return
            for event in notices:
                await self._try(event, partial(self._tell, event))
        else:
            for event in notices:
                await self._database(outbox.heard, event.id, int(time.time()))

    async def _gathered(self, notices: Sequence[EventInfo]) -> dict[int, Screen]:
        """The message for each who is to hear it."""
        payloads = [event.read(ShopNotice) for event in notices]
        return {each: await self._notifier.gathered(each, payloads) for each in self._recipients(notices[0])}

    async def _send_together(self, notices: Sequence[EventInfo], screens: Mapping[int, Screen], key: str) -> None:
        await self._to_admins(
            notices,
            lambda admin_id: self._notifier.send(
                admin_id, lambda _: screens[admin_id], random_id=derived_id(f"{key}:{admin_id}"), longest_flood=0
            ),
        )

    async def _try(self, event: EventInfo, tell: Callable[[], Awaitable[None]]) -> None:
        try:
            await tell()
        except REFUSED as error:
            await self._give_up(event, error)
        except (RPCError, OSError, peewee.DatabaseError) as error:
            await self._postpone([event], _wait(event, error), error)
        except Exception as error:
            # One event that cannot be rendered must not hold up the others.
            logger.exception("event.failed", extra={"event": event.id, "kind": event.kind})
            await self._again([event], error)
        else:
            await self._database(outbox.heard, event.id, int(time.time()))

    async def _tell(self, event: EventInfo) -> None:
        if event.kind == EventKind.SHOP_NOTICE and not self._tells_sales():
            return
        if event.kind in PROMOTING and event.user_id is not None:
            await self._database(self._promote, event.user_id, int(time.time()))
            self._wakeup.wake()
        handle = self._handlers.get(event.kind, self._announce)
        try:
            await handle(event)
        except Unreachable as error:
            _log_unreachable(event, error)

    async def _announce(self, event: EventInfo) -> None:
        if event.user_id is None:
            # Telegram remembers a random_id by its sender, the bot: each admin needs one of their own.
            await self._to_admins(
                [event],
                lambda admin_id: self._notifier.announce(
                    admin_id, event.payload, random_id=derived_id(f"{event.random_id}:{admin_id}")
                ),
            )
            return
        payload = event.payload
        try:
            message_id = await self._notifier.announce(event.user_id, payload, random_id=event.random_id)
        except Unreachable:
            if isinstance(payload, MessageRelayed):
                now = int(time.time())
                await self._database(conversations.unheard, payload, event.user_id, event.random_id, now)
            raise
        if isinstance(payload, MessageRelayed) and message_id is not None:
            relay = RelayInfo(Purpose.SAY, payload.sender)
            await self._database(conversations.expect, event.user_id, message_id, relay, int(time.time()))

    async def _to_admins(self, message: Sequence[EventInfo], tell: Callable[[int], Awaitable[object]]) -> None:
        """Tell every admin a message of one event or more, whether or not the others can be told.

        Nobody gets it twice when it is tried again.

        :raises RPCError: an admin could not be told now (also OSError): the error with the longest wait.
        """
        failures: list[Exception] = []
        first = message[0]
        for admin_id in self._recipients(first):
            try:
                await tell(admin_id)
            except Unreachable as error:
                for event in message:
                    await self._database(outbox.miss, event.id, admin_id, int(time.time()))
                _log_unreachable(first, error)
            except REFUSED as error:
                logger.warning("event.refused", extra={"event": first.id, "user": admin_id, "reason": str(error)})
            except (RPCError, OSError) as error:
                failures.append(error)
        if failures:
            raise max(failures, key=lambda error: _wait(first, error))

    def _recipients(self, event: EventInfo) -> Sequence[int]:
        """Who hears of an event: all admins, or the one who has missed it."""
        return sorted(self._admin_ids) if event.user_id is None else [event.user_id]

    async def _again(self, message: Sequence[EventInfo], error: Exception) -> None:
        """Try a message again that an exception has stopped, a few times."""
        again_at = int(time.time()) + retry_wait(message[0].attempts)
        for event in message:
            if event.attempts >= MAX_ATTEMPTS:
                await self._give_up(event, error)
            else:
                await self._database(outbox.retry, event.id, again_at)

    async def _give_up(self, event: EventInfo, error: Exception) -> None:
        """Stop trying: an event that waits forever would make the whole outbox look late."""
        extra = {"event": event.id, "kind": event.kind, "user": event.user_id, "reason": repr(error)}
        logger.error("event.abandoned", extra=extra)
        await self._database(outbox.give_up, event, repr(error), int(time.time()))

    async def _postpone(self, message: Sequence[EventInfo], seconds: int, error: Exception) -> None:
        now = int(time.time())
        await self._database(clock_repair.honour, now + seconds, now)
        for event in message:
            logger.warning("event.unsent", extra={"event": event.id, "seconds": seconds, "reason": str(error)})
            await self._database(outbox.retry, event.id, now + seconds)


def _messages(events: Iterable[EventInfo]) -> Iterator[Sequence[EventInfo]]:
    """The events one by one, but in one list what is one message, and new sales that follow each other, if many."""
    messages: dict[int, list[EventInfo]] = {}
    for event in events:
        messages.setdefault(event.together or -event.id, []).append(event)
    for is_new_sale, run in groupby(messages.values(), key=_is_new_sale):
        found = list(run)
        if is_new_sale and len(found) >= MANY_SALES:
            yield [event for (event,) in found]
        else:
            yield from found


def _is_new_sale(message: Sequence[EventInfo]) -> bool:
    """Whether it is a sale that nobody can have heard of."""
    first = message[0]
    return first.kind == EventKind.SHOP_NOTICE and first.together is None and first.attempts == 1


def _log_unreachable(event: EventInfo, error: Unreachable) -> None:
    logger.info("event.unreachable", extra={"event": event.id, "user": error.user_id, "reason": error.reason})


def _wait(event: EventInfo, error: Exception) -> int:
    """Seconds until *event* is tried again after *error*."""
    if isinstance(error, FloodWait | FloodPremiumWait):
        return flood_seconds(error) + FLOOD_MARGIN_S
    return retry_wait(event.attempts)


def retry_wait(attempts: int) -> int:
    """Seconds until an event is tried again."""
    return int(min(2**attempts, LONGEST_RETRY_S))


def _promote(user_id: int, now: int) -> None:
    """Give the customer's waiting links the priority of the plan that they have now."""
    queue.promote(user_id, access.of(user_id, now).level, now)


def _person(event: EventInfo) -> int:
    return event.user_id or 0
