"""What upkeep watches, on the test's own clock: PayPal, its notifications, the clock itself, and its own tasks."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from config import settings
from config.settings import Settings
from config.texts import translator
from models import database, outbox, users
from models.event_kinds import AccessEnded
from models.jobs import queue
from models.jobs.queue import JobInfo
from models.maintenance import clock_repair, health
from models.money import orders, payments, provider_requests, reminders, subscriptions, webhooks
from models.money.subscriptions import News, SubscriptionState
from models.tables import Event, Job, Order, Payment, User
from tests import environment, machine
from tests.purchases import MONTHLY, customer, fact, order
from tests.sandbox.paypal import LocalPayPal
from tests.sandbox.paypal import start as start_paypal
from tests.store import customers, enqueue
from web.paypal.client import AccessDenied, PayPalError
from web.paypal.monitor import AWAY_S, Monitor, judge
from web.paypal.shop import Shop, build_shop
from web.upkeep.periodic_tasks import SETTLE_S, PeriodicTask
from web.upkeep.runner import STANDSTILL_S, Upkeep

MINUTE, HOUR, DAY = 60, 3600, 86_400


@pytest.fixture
def paypal(tmp_path: Path, database_file: Path) -> Iterator[LocalPayPal]:
    machine.need_npm_packages()
    running = start_paypal(tmp_path / "paypal")
    yield running
    running.stop()


@pytest.fixture
def configured(paypal: LocalPayPal, tmp_path: Path) -> Settings:
    environ = {**environment.minimal(tmp_path), **paypal.env(), "BACKEND_URL": "http://127.0.0.1:9"}
    return settings.load(environ, None)


@pytest.fixture
def shop(configured: Settings) -> Shop:
    built = build_shop(configured, environment.catalogue(configured))
    assert built is not None
    return built


def told(kind: str) -> list[str]:
    return [row.payload["key"] for row in Event.select().where(Event.kind == kind).order_by(Event.id)]


def test_paypal_outage_opens_and_closes_one_incident(shop: Shop, configured: Settings, paypal: LocalPayPal) -> None:
    now = int(time.time())
    users.seen(1, "Ana", None, "en", now)
    plan = shop.catalogue.plans.by_code("premium")
    assert plan is not None
    order, _ = shop.sell(1, plan, translator("en"), now)
    # Given a payment approved just before PayPal's servers go away
    found = orders.get(order.id)
    assert found is not None and found.remote_id is not None
    paypal.approve_order(found.remote_id)
    paypal.switch("lost_request", on="* /v*", count=100_000)
    monitor = Monitor(shop)
    # When an hour passes
    opened_after = None
    for minute in range(60):
        with pytest.raises(PayPalError):
            monitor.check_access(now + minute * MINUTE)
        if opened_after is None and health.incidents():
            opened_after = minute * MINUTE
    # Then that was told, after ten minutes, once
    assert opened_after == AWAY_S
    assert told("incident_opened") == ["paypal_away"]
    # And its end is, once, and the payment is settled by itself
    paypal.clear_switches()
    monitor.check_access(now + HOUR)
    Upkeep(configured, shop, environment.catalogue(configured)).run_once(now + HOUR)
    assert told("incident_closed") == ["paypal_away"]
    assert [row.state for row in Payment.select()] == ["completed"]


def test_credentials_are_checked_though_the_token_is_valid(shop: Shop, paypal: LocalPayPal) -> None:
    now = int(time.time())
    monitor = Monitor(shop)
    monitor.check_access(now)
    paypal.switch("error", on="POST /v1/oauth2/token", status=401, issue="invalid_client", count=100)
    with pytest.raises(AccessDenied):
        monitor.check_access(now + MINUTE)
    assert told("incident_opened") == ["paypal_denied"]

    paypal.clear_switches()
    monitor.check_access(now + 2 * MINUTE)
    assert told("incident_closed") == ["paypal_denied"]


def test_a_clock_set_back_makes_no_endless_wait(shop: Shop, paypal: LocalPayPal) -> None:
    now = int(time.time())
    paypal.switch("lost_request", on="* /v*", count=100_000)
    monitor = Monitor(shop)
    for moment in (now, now - DAY, now - DAY + AWAY_S):
        with pytest.raises(PayPalError):
            monitor.check_access(moment)
    assert told("incident_opened") == ["paypal_away"]


def test_a_notification_ends_the_missing_webhook_incident(shop: Shop) -> None:
    now = int(time.time())
    users.seen(1, "Ana", None, "en", now - DAY)
    configured = replace(shop, settings=replace(shop.settings, paypal_webhook_id="WH-1"))
    webhooks.receive("paypal", "WH-EVENT-0", "PAYMENT.CAPTURE.COMPLETED", "capture0", "{}", now - 7 * DAY)
    for number in (1, 2):
        Payment.create(
            provider="paypal", remote_id=f"capture{number}", user=1, amount=500, currency="USD", state="completed",
            created_at=now - HOUR, effective_at=now - HOUR, completed_at=now - HOUR, recorded_at=now - HOUR,
        )  # fmt: skip
    monitor = Monitor(configured)
    monitor.watch_notifications(now)
    assert [incident.key for incident in health.incidents()] == ["webhooks_failing"]
    assert "2 payments without a notification" in health.incidents()[0].text
    # That nothing is bought for two days mends nothing
    monitor.watch_notifications(now + 2 * DAY)
    assert [incident.key for incident in health.incidents()] == ["webhooks_failing"]

    webhooks.receive("paypal", "WH-EVENT-1", "PAYMENT.CAPTURE.COMPLETED", "capture1", "{}", now + 2 * DAY)
    monitor.watch_notifications(now + 2 * DAY + MINUTE)
    assert health.incidents() == []


@pytest.mark.parametrize(
    ("completed", "newest", "stuck", "expected"),
    [
        ([], None, 0, None),  # nothing has happened that could tell
        ([100], None, 0, None),  # one may be lost
        ([100, 200], None, 0, "2 payments without a notification"),
        ([100, 120], 90, 0, ""),  # the notification may come a little before we know of the payment
        ([1000, 2000], 900, 0, "2 payments without a notification"),
        ([1000, 2000], 1500, 0, None),  # the newest one lacks its notification: wait
        ([], 100, 0, ""),
        ([], 100, 3, "3 notifications could not be followed"),
    ],
)
def test_how_notifications_are_judged(
    completed: list[int], newest: int | None, stuck: int, expected: str | None
) -> None:
    assert judge(completed, newest, stuck) == expected


def test_a_task_comes_again_when_the_clock_was_set_back() -> None:
    turns: list[int] = []
    task = PeriodicTask("count", HOUR, turns.append)
    for moment in (DAY, DAY + MINUTE, MINUTE, 2 * MINUTE, MINUTE + HOUR):
        task.turn(moment)

    assert turns == [DAY, MINUTE, MINUTE + HOUR]


def test_tasks_put_off_by_a_clock_ahead_are_due_again(database_file: Path) -> None:
    now, ahead = 1_800_000_000, 1_800_000_000 + DAY
    customers(1)
    job = enqueue(1, "update 1", now=now)
    waiting = enqueue(1, "update 2", now=now)
    # Given a job that was put back, and an event that was put off, by a clock a day ahead; and an honest flood wait
    for owner, put_off in ((job, ahead), (waiting, now)):
        claimed = queue.claim("worker/1", 60, 9, put_off)
        assert claimed is not None and claimed.id == owner.id
        queue.put_back(claimed.id, "worker/1", put_off + 2 * HOUR, False, put_off)
    with database.transaction():
        outbox.append(AccessEnded(until=ahead), 1, ahead)
    (event,) = outbox.claim(ahead)
    outbox.retry(event.id, ahead + 300)
    # When the clock is right again
    assert clock_repair.mend(now + 1) == 2
    # Then both are due, and the flood wait holds
    due = queue.claim("worker/1", 60, 9, now + 1)
    assert isinstance(due, JobInfo) and due.id == job.id
    assert queue.claim("worker/1", 60, 9, now + 1) is None
    assert [one.id for one in outbox.claim(now + 1)] == [event.id]
    assert Job.get_by_id(waiting.id).not_before == now + 2 * HOUR
    assert provider_requests.claim("stars", now) is None


def test_a_flood_wait_from_a_clock_ahead_excuses_nothing(database_file: Path) -> None:
    now, ahead = 1_800_000_000, 1_800_000_000 + DAY
    customers(1)
    with database.transaction():
        outbox.append(AccessEnded(until=now), 1, now)
    # Given a wait of two hours, asked for while the clock was a day ahead
    (event,) = outbox.claim(ahead)
    clock_repair.honour(ahead + 2 * HOUR, ahead)
    outbox.retry(event.id, ahead + 2 * HOUR)
    # When the clock is right again it is due
    assert clock_repair.mend(now) == 1
    assert [one.id for one in outbox.claim(now)] == [event.id]
    # And the next wait, asked for by the right clock, holds until it is over
    clock_repair.honour(now + 2 * HOUR, now)
    outbox.retry(event.id, now + 2 * HOUR)
    assert clock_repair.mend(now + MINUTE) == 0
    # A shorter one does not take it back
    clock_repair.honour(now + 90 * MINUTE, now + 1)
    assert clock_repair.mend(now + MINUTE) == 0
    assert [one.id for one in outbox.claim(now + 2 * HOUR)] == [event.id]


def test_access_is_told_in_time_after_a_clock_far_ahead(database_file: Path) -> None:
    now = 1_800_000_000
    user = customer(now)
    payments.settle(fact(order(user, now=now), now), now)
    until = now + 30 * DAY
    clock_repair.mend(now)
    # Given a clock for which that access has ended long ago
    clock_repair.mend(now + 40 * DAY)
    reminders.write(now + 40 * DAY)
    assert User.get_by_id(user).access_look_at is None
    # When it is right again
    clock_repair.mend(now + MINUTE)
    reminders.write(now + MINUTE)
    # Then the first reminder is still to come
    assert User.get_by_id(user).access_look_at == until - 3 * DAY


def test_the_poller_is_not_blind_after_a_clock_that_was_ahead(database_file: Path) -> None:
    now = 1_800_000_000
    made = order(customer(now), provider="paypal", now=now)
    orders.attach_remote(made.id, "O-1", now)
    orders.polled(made.id, True, now + DAY)
    assert not orders.to_poll("paypal", now + HOUR)

    assert clock_repair.mend(now + HOUR) == 1

    assert [each.id for each in orders.to_poll("paypal", now + HOUR)] == [made.id]


def test_a_wrong_clock_ends_no_order(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(time.time())
    made = order(customer(now), now=now)
    upkeep = Upkeep(configured, None, environment.catalogue(configured))
    upkeep.run_once(now)
    upkeep.run_once(now + 2 * DAY)
    assert Order.get_by_id(made.id).state == "open"
    # One that goes on evenly was right
    later = time.monotonic() + SETTLE_S
    monkeypatch.setattr("time.monotonic", lambda: later)
    upkeep.run_once(now + 2 * DAY + SETTLE_S)
    assert Order.get_by_id(made.id).state == "expired"


def test_a_restart_does_not_end_a_failing_tasks_incident(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(time.time())

    def fail() -> None:
        raise ValueError("a fault of ours")

    with monkeypatch.context() as broken:
        broken.setattr("web.upkeep.runner.checkpoint", fail)
        first = Upkeep(configured, None, environment.catalogue(configured))
        for moment in (0, 300, 600):
            assert told("incident_opened") == []
            first.run_once(now + moment)
        assert [(each.key, each.text) for each in health.incidents()] == [("chore_failing", "checkpoint")]
        second = Upkeep(configured, None, environment.catalogue(configured))
        second.run_once(now + 610)
        assert told("incident_closed") == []

    second.run_once(now + 620)
    assert (told("incident_opened"), told("incident_closed")) == (["chore_failing"], ["chore_failing"])


def test_turns_that_stand_still_are_seen(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    upkeep = Upkeep(configured, None, environment.catalogue(configured))
    upkeep.run_once(int(time.time()))
    assert upkeep.is_moving

    later = time.monotonic() + STANDSTILL_S
    monkeypatch.setattr("time.monotonic", lambda: later)
    assert not upkeep.is_moving
    upkeep.run_once(int(time.time()) + HOUR)
    assert upkeep.is_moving


def test_without_paypal_nothing_of_it_stays_wrong(configured: Settings) -> None:
    now = int(time.time())
    health.open_incident("paypal_denied", "401", now)
    health.open_incident("webhook_missing", "", now)

    Upkeep(configured, None, environment.catalogue(configured)).run_once(now)

    assert health.incidents() == []


def test_what_goes_on_at_paypal_without_us_is_told(configured: Settings, shop: Shop) -> None:
    now = int(time.time())
    begun = order(customer(now), MONTHLY, "paypal", now)
    subscriptions.begin(begun.id, "I-LEFT", now)
    subscriptions.update(News("paypal", "I-LEFT", SubscriptionState.ACTIVE, now + 30 * DAY, now), now)
    paid = order(customer(now), provider="paypal", now=now)
    (settled,) = payments.apply([fact(paid)], now)
    payments.ask_refund(settled.payment_id or 0, None, 1, now)

    Upkeep(configured, None, environment.catalogue(configured)).run_once(now)

    (incident,) = health.incidents()
    assert (incident.key, incident.text) == ("paypal_left", f"I-LEFT, {payments.history_of(paid.user_id)[0].remote_id}")
    Upkeep(configured, shop, environment.catalogue(configured)).run_once(now)
    assert "paypal_left" in told("incident_closed")
