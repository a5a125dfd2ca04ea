"""The third program: whatever must happen with nobody waiting. ``python -m web.upkeep``.

A list of chores, each with its own rhythm. Some are prompt: they run again as soon as another process has committed,
since a refund asked for in chat is a row. ``run_once(now)`` is one turn; a chore that fails is logged and comes again.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from config import program
from config.settings import EXIT_GAVE_UP, EXIT_OK, Settings
from models import (
    batches,
    cache,
    clock,
    orders,
    personal,
    reminders,
    requests,
    retention,
    subscriptions,
    webhooks,
)
from models.database import checkpoint, close_database, data_version, database, is_damage, open_database
from models.errors import Damaged
from models.orders import OrderInfo
from web import disputes, heart, reconciliation, registration, safekeeping, shop, webhook
from web.errands import Errands
from web.outcome import Result
from web.paypal import PayPalError
from web.ping import Ping
from web.shop import Shop
from web.vigil import Vigil

logger = logging.getLogger("web.upkeep")

T = TypeVar("T")

PROGRAM = "upkeep"
POLL_S = 0.05
TURN_S = 5
PATIENCE_S = 20.0
"""What one look at PayPal may take in all, so that a slow one neither holds up the others nor a stop."""

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
PING_LOOK_S = 10
SUBSCRIPTION_LOOK_S = 6 * HOUR_S
WEBHOOK_RETRY_S, WEBHOOK_DOUBLINGS = 15, 8
HELD_S = 7 * DAY_S
CACHE_AGE_S, CACHE_POSTS = 30 * DAY_S, 100_000


@dataclass
class Chore:
    """Something to do every *every_s* seconds; 0 is at each turn."""

    name: str
    every_s: int
    run: Callable[[int], None]
    next_at: int = 0

    def turn(self, now: int) -> None:
        """Do it when it is due. A failure is logged and does not keep the others waiting."""
        if self.next_at - self.every_s <= now < self.next_at:  # before that: the clock was set back
            return
        self.next_at = now + self.every_s
        try:
            self.run(now)
        except PayPalError as error:
            logger.warning("chore put off", extra={"chore": self.name, "cause": str(error), "debug_id": error.debug_id})
        except Exception as error:
            logger.exception("chore failed", extra={"chore": self.name})
            if is_damage(error):
                logger.critical("%s", Damaged())
                os._exit(EXIT_GAVE_UP)  # from whichever thread


class Upkeep:
    """All chores of one installation.

    :param till: None where PayPal is not set up; what does not need it goes on.
    """

    def __init__(self, settings: Settings, till: Shop | None) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self.chores = [*(self._selling(till) if till else ()), *self._keeping()]
        self.long_chores = self._long()
        self.ping = Chore("ping", PING_LOOK_S, Ping(settings, till).send)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    def run_once(self, now: int) -> None:
        """Do every chore that is due."""
        for chore in self._while_wanted(self.chores):
            chore.turn(now)

    def run(self) -> None:
        """Take a turn whenever another process has committed, and every few seconds anyway, until stopped."""
        for name, chores in (("long chores", self.long_chores), ("ping", [self.ping])):
            threading.Thread(target=self._work_beside, args=(chores,), name=name, daemon=True).start()
        seen: int | None = None
        while not self._stopping.is_set():
            self.run_once(int(time.time()))
            deadline = time.monotonic() + TURN_S
            while time.monotonic() < deadline and not self._stopping.wait(POLL_S):
                version = data_version()
                if version != seen:
                    seen = version
                    break

    def _work_beside(self, chores: Iterable[Chore]) -> None:
        """Do what would keep customers, or each other, waiting, beside the turns. It may be interrupted anywhere."""
        with database.connection_context():
            while not self._stopping.wait(TURN_S):
                for chore in self._while_wanted(chores):
                    chore.turn(int(time.time()))

    def _selling(self, till: Shop) -> list[Chore]:
        vigil = Vigil(till)
        return [
            Chore("ask PayPal in", MINUTE_S, vigil.ask_in),
            Chore("watch notifications", MINUTE_S, vigil.watch_notifications),
            Chore("register the webhook", MINUTE_S, lambda now: registration.ensure(till, now)),
            Chore("carry out requests", 0, lambda now: self._carry_out_requests(till, now)),
            Chore("finish webhooks", 0, lambda now: self._finish_webhooks(till, now)),
            Chore("look at orders", 0, lambda now: self._look_at_orders(till, now)),
            Chore("look at subscriptions", MINUTE_S, lambda now: self._look_at_subscriptions(till, now)),
            Chore("compare with PayPal", HOUR_S, lambda now: reconciliation.compare(till, now)),
            Chore("compare disputes", HOUR_S, lambda now: disputes.compare(till, now)),
        ]

    def _keeping(self) -> list[Chore]:
        return [
            Chore("mend times", MINUTE_S, lambda now: _discard(clock.mend(now))),
            Chore("checkpoint", 1, lambda now: checkpoint()),
            Chore("end unpaid orders", MINUTE_S, lambda now: _discard(orders.expire_due(now))),
            Chore("remind", MINUTE_S, self._remind),
            Chore("let go of what is held", HOUR_S, lambda now: _discard(batches.expire_held(now - HELD_S, now))),
            Chore("prune the cache", HOUR_S, lambda now: _discard(cache.prune(CACHE_AGE_S, CACHE_POSTS, now))),
        ]

    def _long(self) -> list[Chore]:
        return [
            Chore("forget the erased", MINUTE_S, lambda now: _discard(personal.finish(self._settings.timezone, now))),
            Chore("forget what is old", HOUR_S, self._forget),
            Chore("back up", 10 * MINUTE_S, lambda now: safekeeping.back_up(self._settings, now)),
        ]

    def _forget(self, now: int) -> None:
        gone = retention.forget(self._settings.retention_days, self._settings.timezone, now)
        if gone:
            logger.info("forgot what is old", extra={"rows": dict(gone)})

    def _while_wanted(self, work: Iterable[T]) -> Iterator[T]:
        """Hand out pieces of work until it is time to stop."""
        for piece in work:
            if self._stopping.is_set():
                return
            yield piece

    def _carry_out_requests(self, till: Shop, now: int) -> None:
        errands = Errands(till)
        for errand in self._while_wanted(iter(lambda: requests.claim("paypal", now), None)):
            with till.paypal.within(PATIENCE_S):
                errands.run(errand, now)

    def _finish_webhooks(self, till: Shop, now: int) -> None:
        for event in self._while_wanted(iter(lambda: webhooks.claim(now), None)):
            try:
                with till.paypal.within(PATIENCE_S):
                    webhook.follow(till, event, now)
            except (webhook.Unfinished, PayPalError) as error:
                logger.warning("webhook unfinished", extra={"event": event.event_id, "cause": str(error)})
                webhooks.retry(event.id, now + WEBHOOK_RETRY_S * 2 ** min(event.attempts, WEBHOOK_DOUBLINGS))

    def _look_at_orders(self, till: Shop, now: int) -> None:
        for order in self._while_wanted(orders.to_look_at("paypal", now)):
            orders.looked(order.id, True, now)  # first: one that cannot be read must not hold up the others
            with till.paypal.within(PATIENCE_S):
                result = till.reconcile(order, now).result
            if not self._goes_on(order, result, now):
                orders.looked(order.id, False, now)

    def _goes_on(self, order: OrderInfo, result: Result, now: int) -> bool:
        """Whether an order is to be looked at again: a pending payment is awaited for as long as it takes."""
        if result is Result.PENDING:
            return True
        if result in shop.ENDED:
            return False
        if now > order.expires_at + DAY_S:
            orders.expire(order.id, now)
            return False
        return True

    def _look_at_subscriptions(self, till: Shop, now: int) -> None:
        for known in self._while_wanted(subscriptions.to_look_at("paypal", now)):
            subscriptions.looked(known.id, now + SUBSCRIPTION_LOOK_S)
            try:
                with till.paypal.within(PATIENCE_S):
                    till.settle_subscription(known, now)
            except PayPalError as error:
                logger.warning("subscription not read", extra={"subscription": known.id, "cause": str(error)})

    def _remind(self, now: int) -> None:
        if self._settings.reminders:
            reminders.write(now)


def _discard(_count: object) -> None:
    """Chores return nothing; how many rows they touched is of no further interest."""


def main() -> int:
    """Run until SIGTERM. Returns the exit code."""
    settings = program.begin(PROGRAM)
    Path(settings.db_path).mkdir(parents=True, exist_ok=True)
    open_database(settings.database_file)
    heart.start(PROGRAM)
    upkeep = Upkeep(settings, shop.build(settings))
    for received in (signal.SIGTERM, signal.SIGINT):
        signal.signal(received, lambda *_: upkeep.stop())
    logger.info("upkeep started", extra={"paypal": settings.paypal_enabled})
    upkeep.run()
    close_database()
    logger.info("upkeep stopped")
    return EXIT_OK


if __name__ == "__main__":
    raise SystemExit(main())
