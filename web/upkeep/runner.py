"""The third program: whatever must happen with nobody waiting. ``python -m web.upkeep``.

A list of chores, each with its own rhythm. Some are prompt: they run again as soon as another process has committed,
since a refund asked for in chat is a row. ``run_once(now)`` is one turn; a chore that fails is logged and comes again,
and admins are told of one that goes on failing. Where the turns themselves stand still, so does the heart.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import peewee

from config import program
from config.settings import EXIT_OK, Settings
from models.database import checkpoint, close_database, connected, open_database, wakes
from models.jobs import batches, cache
from models.maintenance import clock_repair, health, privacy, retention
from models.money import orders, provider_requests, reminders, subscriptions, webhooks
from models.money.orders import OrderInfo
from web.paypal import disputes, events, reconciliation, registration, shop
from web.paypal.client import PayPalError
from web.paypal.monitor import AWAY, DENIED, FAILING, Monitor
from web.paypal.operations import Operations
from web.paypal.outcome import Result
from web.paypal.shop import Shop
from web.upkeep import backup_job, heartbeat
from web.upkeep.periodic_tasks import PeriodicTask, Steadiness
from web.upkeep.ping import Ping

logger = logging.getLogger("web.upkeep")

T = TypeVar("T")

PROGRAM = "upkeep"
TURN_S = 5
STANDSTILL_S = 900
"""No piece of work takes so long: PayPal has :data:`PATIENCE_S`, and a comparison some pages."""
PATIENCE_S = 20.0
"""What one look at PayPal may take in all, so that a slow one neither holds up the others nor a stop."""

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
PING_LOOK_S = 10
WEBHOOK_RETRY_S, WEBHOOK_DOUBLINGS = 15, 8
HELD_S = 7 * DAY_S
CACHE_AGE_S, CACHE_POSTS = 30 * DAY_S, 100_000
BROKEN = "chore_failing"
OF_PAYPAL = (AWAY, DENIED, FAILING, registration.INCIDENT, reconciliation.INCIDENT, disputes.INCIDENT)


class Upkeep:
    """All chores of one installation.

    :param till: None where PayPal is not set up; what does not need it goes on.
    """

    def __init__(self, settings: Settings, till: Shop | None) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._commits = wakes()
        self._steadiness = Steadiness()
        self.chores = [*(self._selling(till) if till else self._not_selling()), *self._keeping()]
        self.long_chores = self._long()
        self.ping = PeriodicTask("ping", PING_LOOK_S, Ping(settings, till).send)
        self._moved_at = time.monotonic()
        self._broken = self._known_as_broken()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()
        self._commits.close()

    def run_once(self, now: int) -> None:
        """Do every chore that is due."""
        for chore in self._while_wanted(self.chores):
            chore.turn(now)
        self._tell_of_broken(now)

    @property
    def is_moving(self) -> bool:
        """Whether the turns go on."""
        return time.monotonic() - self._moved_at < STANDSTILL_S

    def run(self) -> None:
        """Take a turn whenever another process has committed, and every few seconds anyway, until stopped."""
        for name, chores in (("long chores", self.long_chores), ("ping", [self.ping])):
            threading.Thread(target=self._work_beside, args=(chores,), name=name, daemon=True).start()
        while not self._stopping.is_set():
            self.run_once(int(time.time()))
            self._commits.wait(TURN_S)

    def _work_beside(self, chores: Iterable[PeriodicTask]) -> None:
        """Do what would keep customers, or each other, waiting, beside the turns. It may be interrupted anywhere."""
        with connected():
            while not self._stopping.wait(TURN_S):
                for chore in chores:
                    if not self._stopping.is_set():
                        chore.turn(int(time.time()))
                self._tell_of_broken(int(time.time()))

    def _tell_of_broken(self, now: int) -> None:
        broken = [each.name for each in (*self.chores, *self.long_chores, self.ping) if each.is_broken(now)]
        if broken == self._broken:
            return
        try:
            if broken:
                health.tell_incident(BROKEN, ", ".join(broken), now)
            else:
                health.close_incident(BROKEN, now)
        except peewee.DatabaseError as error:
            logger.warning("not written down: %s", error)
        else:
            self._broken = broken

    def _known_as_broken(self) -> list[str]:
        """The chores of which admins were told before this start: they are broken until they have run well."""
        names = next((each.text.split(", ") for each in health.incidents() if each.key == BROKEN), [])
        for chore in (*self.chores, *self.long_chores, self.ping):
            if chore.name in names:
                chore.remember_as_broken()
        return names

    def _selling(self, till: Shop) -> list[PeriodicTask]:
        vigil = Monitor(till)
        return [
            PeriodicTask("ask PayPal in", MINUTE_S, vigil.ask_in),
            PeriodicTask("watch notifications", MINUTE_S, vigil.watch_notifications),
            PeriodicTask("register the webhook", MINUTE_S, lambda now: registration.ensure(till, now)),
            PeriodicTask("carry out requests", 0, lambda now: self._carry_out_requests(till, now)),
            PeriodicTask("finish webhooks", 0, lambda now: self._finish_webhooks(till, now)),
            PeriodicTask("look at orders", 0, lambda now: self._look_at_orders(till, now)),
            PeriodicTask("look at subscriptions", MINUTE_S, lambda now: self._look_at_subscriptions(till, now)),
            PeriodicTask("compare with PayPal", HOUR_S, lambda now: reconciliation.compare(till, now)),
            PeriodicTask("compare disputes", HOUR_S, lambda now: disputes.compare(till, now)),
        ]

    def _not_selling(self) -> list[PeriodicTask]:
        """Left open when PayPal was taken out, an incident would never end, and hide the next of its kind."""
        return [PeriodicTask("end what was PayPal's", DAY_S, _end_all_of_paypal)]

    def _keeping(self) -> list[PeriodicTask]:
        return [
            PeriodicTask("mend times", MINUTE_S, lambda now: _discard(clock_repair.mend(now))),
            PeriodicTask("checkpoint", 1, lambda now: checkpoint()),
            self._settled("end unpaid orders", MINUTE_S, lambda now: _discard(orders.expire_due(now))),
            self._settled("remind", MINUTE_S, self._remind),
            self._settled("let go of what is held", HOUR_S, _let_go),
            self._settled("prune the cache", HOUR_S, lambda now: _discard(cache.prune(CACHE_AGE_S, CACHE_POSTS, now))),
        ]

    def _long(self) -> list[PeriodicTask]:
        return [
            PeriodicTask(
                "forget the erased", MINUTE_S, lambda now: _discard(privacy.finish(self._settings.timezone, now))
            ),
            self._settled("forget what is old", HOUR_S, self._forget),
            PeriodicTask("back up", 10 * MINUTE_S, lambda now: backup_job.back_up(self._settings, now)),
        ]

    def _settled(self, name: str, every_s: int, run: Callable[[int], None]) -> PeriodicTask:
        """A chore that a wrong clock must not do: what it ends, tells or deletes does not come back."""
        return PeriodicTask(name, every_s, run, is_possible=self._steadiness.has_come)

    def _forget(self, now: int) -> None:
        gone = retention.forget(self._settings.retention_days, self._settings.timezone, now)
        if gone:
            logger.info("forgot what is old", extra={"rows": dict(gone)})

    def _while_wanted(self, work: Iterable[T]) -> Iterator[T]:
        """Hand out pieces of work of the turns until it is time to stop."""
        for piece in work:
            if self._stopping.is_set():
                return
            self._moved_at = time.monotonic()
            yield piece

    def _carry_out_requests(self, till: Shop, now: int) -> None:
        errands = Operations(till)
        for errand in self._while_wanted(iter(lambda: provider_requests.claim("paypal", now), None)):
            with till.paypal.within(PATIENCE_S):
                errands.run(errand, now)

    def _finish_webhooks(self, till: Shop, now: int) -> None:
        for event in self._while_wanted(iter(lambda: webhooks.claim(now), None)):
            try:
                with till.paypal.within(PATIENCE_S):
                    events.follow(till, event, now)
            except (events.Unfinished, PayPalError) as error:
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
        if result in shop.ENDED or result is Result.DECLINED:
            return False
        if now > order.expires_at + DAY_S:
            orders.expire(order.id, now)
            return False
        return True

    def _look_at_subscriptions(self, till: Shop, now: int) -> None:
        for known in self._while_wanted(subscriptions.to_look_at("paypal", now)):
            subscriptions.looked(known.id, now + subscriptions.LOOK_EVERY_S)
            try:
                with till.paypal.within(PATIENCE_S):
                    till.settle_subscription(known, now)
            except PayPalError as error:
                logger.warning("subscription not read", extra={"subscription": known.id, "cause": str(error)})

    def _remind(self, now: int) -> None:
        if self._settings.reminders:
            reminders.write(now)


def _let_go(now: int) -> None:
    batches.expire_held(now - HELD_S, now)


def _end_all_of_paypal(now: int) -> None:
    for key in OF_PAYPAL:
        health.close_incident(key, now)


def _discard(_count: object) -> None:
    """Chores return nothing; how many rows they touched is of no further interest."""


def main() -> int:
    """Run until SIGTERM. Returns the exit code."""
    settings = program.begin(PROGRAM)
    Path(settings.db_path).mkdir(parents=True, exist_ok=True)
    open_database(settings.database_file)
    upkeep = Upkeep(settings, shop.build(settings))
    heartbeat.start(PROGRAM, lambda: upkeep.is_moving)
    for received in (signal.SIGTERM, signal.SIGINT):
        signal.signal(received, lambda *_: upkeep.stop())
    logger.info("upkeep started", extra={"paypal": settings.paypal_enabled})
    upkeep.run()
    close_database()
    logger.info("upkeep stopped")
    return EXIT_OK
