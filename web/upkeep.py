"""The third program: whatever must happen with nobody waiting. ``python -m web.upkeep``.

A list of chores, each with its own rhythm. Some are prompt: they run again as soon as another process has committed,
since a refund asked for in chat is a row. ``run_once(now)`` is one turn; a chore that fails is logged and comes again.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config import program
from config.settings import EXIT_OK, Settings
from models import batches, cache, orders, reminders, subscriptions, webhooks
from models.database import checkpoint, close_database, data_version, open_database
from models.orders import OrderInfo
from web import heart, reconciliation, registration, shop, webhook
from web.checkout import Result
from web.errands import Errands
from web.paypal import PayPalError
from web.shop import Shop

logger = logging.getLogger("web.upkeep")

PROGRAM = "upkeep"
POLL_S = 0.05
TURN_S = 5.0
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
SUBSCRIPTION_LOOK_S = 6 * HOUR_S
WEBHOOK_RETRY_S = 30
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
        if now < self.next_at:
            return
        self.next_at = now + self.every_s
        try:
            self.run(now)
        except PayPalError as error:
            logger.warning("chore put off", extra={"chore": self.name, "cause": str(error), "debug_id": error.debug_id})
        except Exception:
            logger.exception("chore failed", extra={"chore": self.name})


class Upkeep:
    """All chores of one installation.

    :param till: None where PayPal is not set up; what does not need it goes on.
    """

    def __init__(self, settings: Settings, till: Shop | None) -> None:
        self._settings = settings
        self._till = till
        self.chores = [*self._selling(till), *self._keeping()] if till else self._keeping()

    def run_once(self, now: int) -> None:
        """Do every chore that is due."""
        for chore in self.chores:
            chore.turn(now)

    def _selling(self, till: Shop) -> list[Chore]:
        return [
            Chore("register the webhook", MINUTE_S, lambda now: registration.ensure(till, now)),
            Chore("carry out requests", 0, Errands(till).run_all),
            Chore("finish webhooks", 0, self._finish_webhooks),
            Chore("look at open orders", 0, self._look_at_orders),
            Chore("look at subscriptions", MINUTE_S, self._look_at_subscriptions),
            Chore("compare with PayPal", HOUR_S, lambda now: reconciliation.compare(till, now)),
        ]

    def _keeping(self) -> list[Chore]:
        return [
            Chore("checkpoint", 1, lambda now: checkpoint()),
            Chore("end unpaid orders", MINUTE_S, lambda now: _discard(orders.expire_due(now))),
            Chore("remind", MINUTE_S, self._remind),
            Chore("let go of what is held", HOUR_S, lambda now: _discard(batches.expire_held(now - HELD_S, now))),
            Chore("prune the cache", HOUR_S, lambda now: _discard(cache.prune(CACHE_AGE_S, CACHE_POSTS, now))),
        ]

    def _remind(self, now: int) -> None:
        if self._settings.reminders:
            reminders.write(now)

    def _finish_webhooks(self, now: int) -> None:
        till = self._open_till()
        while event := webhooks.claim(now):
            try:
                webhook.follow(till, event, now)
            except (webhook.Unfinished, PayPalError) as error:
                logger.warning("webhook unfinished", extra={"event": event.event_id, "cause": str(error)})
                webhooks.retry(event.id, now + WEBHOOK_RETRY_S * 2 ** min(event.attempts, 8))

    def _look_at_orders(self, now: int) -> None:
        till = self._open_till()
        for order in orders.to_look_at("paypal", now):
            result = till.reconcile(order, now).result
            orders.looked(order.id, self._goes_on(order, result, now), now)

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

    def _look_at_subscriptions(self, now: int) -> None:
        till = self._open_till()
        for known in subscriptions.to_look_at("paypal", now):
            subscriptions.looked(known.id, now + SUBSCRIPTION_LOOK_S)
            till.look_at_subscription(known, now)

    def _open_till(self) -> Shop:
        if self._till is None:
            raise RuntimeError("PayPal is not set up")
        return self._till


def _discard(_count: int) -> None:
    """Chores return nothing; how many rows they touched is of no further interest."""


class Loop:
    """Turns, one after another, until :meth:`stop`."""

    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep
        self._stopping = threading.Event()
        self._seen: int | None = None

    def stop(self) -> None:
        """End after the present turn."""
        self._stopping.set()

    def run(self) -> None:
        """Take a turn whenever another process has committed, and every few seconds anyway."""
        while not self._stopping.is_set():
            self._upkeep.run_once(int(time.time()))
            self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + TURN_S
        while time.monotonic() < deadline and not self._stopping.wait(POLL_S):
            version = data_version()
            moved, self._seen = version != self._seen, version
            if moved:
                return


def main() -> int:
    """Run until SIGTERM. Returns the exit code."""
    settings = program.begin(PROGRAM)
    Path(settings.db_path).mkdir(parents=True, exist_ok=True)
    open_database(settings.database_file)
    heart.start(PROGRAM)
    loop = Loop(Upkeep(settings, shop.build(settings)))
    for received in (signal.SIGTERM, signal.SIGINT):
        signal.signal(received, lambda *_: loop.stop())
    logger.info("upkeep started", extra={"paypal": settings.paypal_enabled})
    loop.run()
    close_database()
    logger.info("upkeep stopped")
    return EXIT_OK


if __name__ == "__main__":
    raise SystemExit(main())
