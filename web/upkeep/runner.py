"""The third program, ``python -m web.upkeep``: a list of periodic tasks, each with its own period.

``run_once(now)`` is one turn: it runs every task that is due. A turn follows every commit of another process, because a
refund that is asked for in chat is a row, and every few seconds without one. A task that fails is logged and runs
again; admins are told of a task that goes on failing. When the turns stand still, the heartbeat stops.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

import peewee

from config import program
from config.settings import EXIT_OK, Settings
from config.texts import translator
from config.units import DAY_S, HOUR_S, MINUTE_S
from models import catalogue, conversations, digest
from models.books import totals
from models.catalogue import Catalogue
from models.database import checkpoint, close_database, connected, open_database, wakes
from models.event_kinds import IncidentKey
from models.jobs import batches, budgets, cache, lookups
from models.jobs.holding import KEPT_DAYS
from models.maintenance import clock_repair, health, privacy, refusals, retention
from models.money import orders, provider_requests, reminders, subscriptions, webhooks
from models.money.orders import OrderInfo
from models.money.provider_requests import RequestInfo, RequestKind
from models.money.providers import Provider
from models.money.rewards import news
from models.money.seller import Result, Seller, SellerError
from models.money.vouchers import gifts
from models.overrides import Overrides
from models.promotion import broadcasts, recipients
from web.paypal import disputes, events, reconciliation, registration
from web.paypal.monitor import Monitor
from web.paypal.operations import Operations
from web.paypal.shop import ENDED, Shop, build_shop
from web.upkeep import asked_backups, backup_job, heartbeat, ledger_audit
from web.upkeep.periodic_tasks import PeriodicTask, WallClock
from web.upkeep.ping import Ping
from web.upkeep.plans_file import LOOK_S, PlansFile

logger = logging.getLogger("web.upkeep")

T = TypeVar("T")

PROGRAM = "upkeep"
TURN_S = 5
STANDSTILL_S = 900
"""No piece of work takes so long: PayPal has :data:`PATIENCE_S`, and a comparison some pages."""
PATIENCE_S = 20.0
"""Seconds that one poll of PayPal may take in all, so that a slow one delays neither the others nor a stop."""

A_TURN, LOOKUPS_A_TURN = 50, 3
"""Requests, or webhooks, that one turn carries out, so that those who wait for something else wait for one turn only.
Anybody may ask for look-ups, which are often for nothing."""

PING_CHECK_S = 10
LEFT_SHOWN = 10
"""Ids of what PayPal goes on with; more would fill the message."""
WEBHOOK_RETRY_S, WEBHOOK_DOUBLINGS = 15, 8
CACHE_AGE_S, CACHE_POSTS = 30 * DAY_S, 100_000
OF_PAYPAL = (
    IncidentKey.PAYPAL_AWAY,
    IncidentKey.PAYPAL_DENIED,
    IncidentKey.WEBHOOKS_FAILING,
    IncidentKey.WEBHOOK_MISSING,
    IncidentKey.REPORT_REFUSED,
    IncidentKey.DISPUTES_REFUSED,
)


class Upkeep:
    """The periodic tasks of one installation.

    :param shop: None where PayPal is not set up; the tasks that do not need it run all the same.
    """

    def __init__(self, settings: Settings, shop: Shop | None, catalogue: Catalogue) -> None:
        self._settings, self._overrides = settings, Overrides(settings)
        self._stopping = threading.Event()
        self._commits = wakes()
        self._clock = WallClock()
        follow = PeriodicTask("follow the plans", 0, lambda now: _discard(catalogue.refresh()))
        self.tasks = [follow, *(self._selling(shop) if shop else self._not_selling()), *self._keeping()]
        self.long_tasks = self._long()
        self.ping = PeriodicTask("ping", PING_CHECK_S, Ping(settings, shop).send)
        watched = PlansFile(settings.plans_file, catalogue, translator(settings.language))
        self.plans = PeriodicTask("follow the plans file", 0, watched.turn)
        self._moved_at = time.monotonic()
        self._broken = self._known_as_broken()

    def stop(self) -> None:
        """Start no further task; the running one ends first."""
        self._stopping.set()
        self._commits.close()

    def run_once(self, now: int) -> None:
        """Run every task that is due, by the settings as they are now."""
        self._overrides.refresh()
        for task in self._while_wanted(self.tasks):
            task.turn(now)
        self._tell_of_broken(now)

    @property
    def is_moving(self) -> bool:
        """Whether the turns go on."""
        return time.monotonic() - self._moved_at < STANDSTILL_S

    def run(self) -> None:
        """Take a turn whenever another process has committed, and every few seconds anyway, until stopped."""
        beside = (
            ("long tasks", self.long_tasks, TURN_S),
            ("ping", [self.ping], TURN_S),
            ("plans", [self.plans], LOOK_S),
        )
        for name, tasks, every_s in beside:
            threading.Thread(target=self._work_beside, args=(tasks, every_s), name=name, daemon=True).start()
        while not self._stopping.is_set():
            self.run_once(int(time.time()))
            self._commits.wait(TURN_S)

    def _work_beside(self, tasks: Iterable[PeriodicTask], every_s: float) -> None:
        """Run tasks in a thread of their own that would keep the turns waiting. They may be interrupted anywhere."""
        with connected():
            while not self._stopping.wait(every_s):
                for task in tasks:
                    if not self._stopping.is_set():
                        task.turn(int(time.time()))
                self._tell_of_broken(int(time.time()))

    def _tell_of_broken(self, now: int) -> None:
        broken = [each.name for each in (*self.tasks, *self.long_tasks, self.ping, self.plans) if each.is_broken(now)]
        if broken == self._broken:
            return
        try:
            if broken:
                health.tell_incident(IncidentKey.CHORE_FAILING, ", ".join(broken), now)
            else:
                health.close_incident(IncidentKey.CHORE_FAILING, now)
        except peewee.DatabaseError as error:
            logger.warning("incident.unwritten", extra={"incident": IncidentKey.CHORE_FAILING, "cause": str(error)})
        else:
            self._broken = broken

    def _known_as_broken(self) -> list[str]:
        """The tasks of which admins were told before this start: they count as broken until they succeed."""
        names = next(
            (each.text.split(", ") for each in health.incidents() if each.key == IncidentKey.CHORE_FAILING), []
        )
        for task in (*self.tasks, *self.long_tasks, self.ping, self.plans):
            if task.name in names:
                task.remember_as_broken()
        return names

    def _selling(self, shop: Shop) -> list[PeriodicTask]:
        monitor = Monitor(shop)
        return [
            PeriodicTask("take up what was left", DAY_S, _close_left),
            PeriodicTask("ask PayPal in", MINUTE_S, monitor.check_access),
            PeriodicTask("watch notifications", MINUTE_S, monitor.watch_notifications),
            PeriodicTask("register the webhook", MINUTE_S, lambda now: registration.ensure(shop, now)),
            PeriodicTask("carry out requests", 0, lambda now: self._carry_out_requests(shop, now)),
            PeriodicTask("finish webhooks", 0, lambda now: self._finish_webhooks(shop, now)),
            PeriodicTask("look at orders", 0, lambda now: self._poll_orders(shop, now)),
            PeriodicTask("look at subscriptions", MINUTE_S, lambda now: self._poll_subscriptions(shop, now)),
            PeriodicTask("compare with PayPal", HOUR_S, lambda now: reconciliation.compare(shop, now)),
            PeriodicTask("compare disputes", HOUR_S, lambda now: disputes.compare(shop, now)),
        ]

    def _not_selling(self) -> list[PeriodicTask]:
        """Close PayPal's incidents: nothing else does without PayPal, and an open one hides the next of its kind.

        What goes on there, although PayPal is switched off here, is one of its own.
        """
        return [
            PeriodicTask("end what was PayPal's", DAY_S, _end_all_of_paypal),
            PeriodicTask("tell what PayPal goes on with", MINUTE_S, _tell_what_is_left),
        ]

    def _keeping(self) -> list[PeriodicTask]:
        return [
            PeriodicTask("mend times", MINUTE_S, lambda now: _discard(clock_repair.mend(now))),
            PeriodicTask("checkpoint", 1, lambda now: checkpoint()),
            self._settled("end unpaid orders", MINUTE_S, lambda now: _discard(orders.expire_due(now))),
            self._settled("remind", MINUTE_S, self._remind),
            self._settled("tell of rewards", MINUTE_S, lambda now: _discard(news.write(now))),
            self._settled("write the digest", MINUTE_S, self._write_digest),
            self._settled("let go of what is held", HOUR_S, _let_go),
            self._settled("prune the cache", HOUR_S, lambda now: _discard(cache.prune(CACHE_AGE_S, CACHE_POSTS, now))),
        ]

    def _long(self) -> list[PeriodicTask]:
        return [
            PeriodicTask(
                "forget the erased", TURN_S, lambda now: _discard(privacy.finish(self._settings.timezone, now))
            ),
            self._settled("keep the totals", MINUTE_S, lambda now: totals.keep(self._settings.timezone, now)),
            self._settled("forget what is old", HOUR_S, self._forget),
            self._settled("count what was refused", 10 * MINUTE_S, self._count_refusals),
            PeriodicTask("audit the ledger", DAY_S, ledger_audit.audit),
            PeriodicTask("back up when asked", 0, lambda now: asked_backups.carry_out(self._settings, now)),
            PeriodicTask("back up", 10 * MINUTE_S, lambda now: backup_job.back_up(self._settings, now)),
        ]

    def _settled(self, name: str, every_s: int, run: Callable[[int], None]) -> PeriodicTask:
        """A task that must not run by a wrong clock: what it ends, tells or deletes does not come back."""
        return PeriodicTask(name, every_s, run, is_possible=self._clock.is_steady)

    def _write_digest(self, now: int) -> None:
        if self._settings.notices != "off":
            digest.write(self._settings.digest_hour, self._settings.timezone, now)

    def _count_refusals(self, now: int) -> None:
        budgets.forget(now)
        conversations.forget(now)
        lookups.forget(now)
        refusals.count(self._settings.timezone, now)

    def _forget(self, now: int) -> None:
        gone = retention.forget(self._settings.retention_days, self._settings.timezone, now)
        if gone:
            logger.info("rows.forgotten", extra={"rows": dict(gone)})
        broadcasts.forget_drafts(now)
        recipients.forget_old(now)

    def _while_wanted(self, work: Iterable[T]) -> Iterator[T]:
        """Yield the turn's pieces of work until the program is to stop."""
        for piece in work:
            if self._stopping.is_set():
                return
            self._moved_at = time.monotonic()
            yield piece

    def _carry_out_requests(self, shop: Shop, now: int) -> None:
        """Carry out what is due, as far as one turn goes: whatever is asked for, orders and webhooks have theirs."""
        operations = Operations(shop)
        for request in self._while_wanted(_next_requests(shop, now)):
            with shop.within(PATIENCE_S):
                operations.run(request, now)

    def _finish_webhooks(self, shop: Shop, now: int) -> None:
        for event in self._while_wanted(islice(iter(lambda: webhooks.claim(now), None), A_TURN)):
            with shop.within(PATIENCE_S):
                cause = events.finish(shop, event, now)
            if cause:
                logger.warning("webhook.unfinished", extra={"event": event.event_id, "cause": cause})
                webhooks.retry(event.id, now + WEBHOOK_RETRY_S * 2 ** min(event.attempts, WEBHOOK_DOUBLINGS))

    def _poll_orders(self, shop: Seller, now: int) -> None:
        for order in self._while_wanted(orders.to_poll(shop.provider, now)):
            orders.polled(order.id, True, now)  # first: an order that cannot be read must not hold up the others
            with shop.within(PATIENCE_S):
                result = shop.reconcile(order, now).result
            if not self._goes_on(order, result, now):
                orders.polled(order.id, False, now)

    def _goes_on(self, order: OrderInfo, result: Result, now: int) -> bool:
        """Whether the order is polled again. A pending payment is polled for as long as it takes."""
        if result is Result.PENDING:
            return True
        if result in ENDED or result is Result.DECLINED:
            return False
        if now > order.expires_at + DAY_S:
            orders.expire(order.id, now)
            return False
        return True

    def _poll_subscriptions(self, shop: Seller, now: int) -> None:
        for known in self._while_wanted(subscriptions.to_poll(shop.provider, now)):
            subscriptions.polled(known.id, now + subscriptions.POLL_EVERY_S)
            try:
                with shop.within(PATIENCE_S):
                    shop.settle_subscription(known, now)
            except SellerError as error:
                logger.warning("subscription.unread", extra={"subscription": known.id, "cause": str(error)})

    def _remind(self, now: int) -> None:
        if self._settings.reminders:
            reminders.write(now)
        gifts.remind(self._settings.refund_days, now)


def _next_requests(shop: Shop, now: int) -> Iterator[RequestInfo]:
    """The requests of one turn: refunds and renewals first, at most a few look-ups, and no more after a slow one."""
    until, lookups = time.monotonic() + PATIENCE_S, 0
    for _ in range(A_TURN):
        request = provider_requests.claim(shop.provider, now, lookups=lookups < LOOKUPS_A_TURN)
        if request is None or time.monotonic() > until:
            return
        lookups += request.kind is RequestKind.LOOKUP
        yield request


def _let_go(now: int) -> None:
    batches.expire_held(now - KEPT_DAYS * DAY_S, now)


def _end_all_of_paypal(now: int) -> None:
    for key in OF_PAYPAL:
        health.close_incident(key, now)


def _tell_what_is_left(now: int) -> None:
    left = [*subscriptions.going_on(Provider.PAYPAL), *provider_requests.refunding(Provider.PAYPAL)]
    if left:
        more = ["…"] if len(left) > LEFT_SHOWN else []
        health.tell_incident(IncidentKey.PAYPAL_LEFT, ", ".join([*left[:LEFT_SHOWN], *more]), now)
    else:
        _close_left(now)


def _close_left(now: int) -> None:
    health.close_incident(IncidentKey.PAYPAL_LEFT, now)


def _discard(_count: object) -> None:
    """Tasks return nothing; the number of rows is not needed."""


def main() -> int:
    """Run until SIGTERM. Returns the exit code."""
    settings = program.begin(PROGRAM)
    Path(settings.db_path).mkdir(parents=True, exist_ok=True)
    open_database(settings.database_file)
    held = catalogue.begin(settings, int(time.time()))
    upkeep = Upkeep(settings, build_shop(settings, held), held)
    heartbeat.start(PROGRAM, lambda: upkeep.is_moving)
    for received in (signal.SIGTERM, signal.SIGINT):
        signal.signal(received, lambda *_: upkeep.stop())
    logger.info("upkeep.started", extra={"paypal": settings.paypal_enabled})
    upkeep.run()
    close_database()
    logger.info("upkeep.stopped")
    return EXIT_OK
