"""What is forgotten after its time, and what must not change by it: every limit, every sum, the ledger."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.plans import Limit
from models import outbox
from models.database import close_database, execute, open_database, transaction
from models.event_kinds import BatchFinished
from models.jobs import batches, queue, sources, usage
from models.jobs.queue import Delivered
from models.jobs.reasons import RefusalReason
from models.maintenance import health, privacy, retention
from models.money import payments, provider_requests, webhooks
from models.money.provider_requests import RequestKind
from models.tables import (
    AccountLogin,
    Batch,
    Broadcast,
    ConsoleSession,
    DailyTotal,
    Event,
    Incident,
    Job,
    Join,
    Payment,
    PaymentHistory,
    Request,
    Usage,
    WebhookEvent,
)
from tests import purchases
from tests.examples import slow
from tests.paypal_shop import PayPalShop, until
from tests.store import FREE, NOW, PREMIUM, claim, customers, deliver, enqueue, new_batch

MADRID = ZoneInfo("Europe/Madrid")
DAY = 86_400
DAYS = 90
KINDS = ("photo", "video")


@dataclass(frozen=True)
class Link:
    """A link that somebody sent so many days ago, and how it ended."""

    user: int
    kind: str
    days_ago: int
    delivered: bool
    plan: int


links = st.builds(
    Link, st.integers(1, 2), st.sampled_from(KINDS), st.integers(0, 200), st.booleans(), st.sampled_from([0, 1])
)


@contextlib.contextmanager
def fresh(migrated: Path) -> Iterator[None]:
    """A database for one example."""
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(migrated, Path(place) / "peaje.db")
        open_database(Path(place) / "peaje.db")
        try:
            yield
        finally:
            close_database()


def send(link: Link, number: int) -> None:
    """Let a link run its course, under the limits of the plan that its sender had then."""
    at = NOW - link.days_ago * DAY
    enqueue(link.user, f"{number}", now=at)
    job = claim("w", at)
    limits = (FREE, PREMIUM)[link.plan].limits
    wants = {link.kind: 1}
    queue.size_known(job.id, link.kind, 100)
    held = usage.reserve(job.id, link.user, wants, limits, usage.day_of(at, MADRID), at)
    if isinstance(held, usage.Refused):
        queue.refuse(job.id, "w", RefusalReason.LIMIT, at)
    elif link.delivered:
        queue.delivering(job.id, "w", at)
        (random_id,) = queue.plan_messages(job.id, 1, at)
        queue.finish(job.id, "w", Delivered({random_id: 7}), at)
    else:
        queue.fail(job.id, "w", RefusalReason.GAVE_UP, at)


def seen_by_limits(now: int) -> list[object]:
    """Everything that a limit or a statistic asks about use."""
    today = usage.day_of(now, MADRID)
    return [(usage.left(user, plan, today), usage.total(user)) for user in (1, 2) for plan in (FREE, PREMIUM)]


def by_outcome() -> Counter[tuple[str, str, str]]:
    """Deliveries by day, kind and outcome: those still known one by one, and the sums."""
    known: Counter[tuple[str, str, str]] = Counter(
        (usage.day_of(row.moved_at, MADRID), row.kind or "", row.state) for row in Job.select()
    )
    known.update({(row.day, row.kind, row.outcome): row.jobs for row in DailyTotal.select()})
    return known


@slow(40)
@given(st.lists(links, max_size=25), st.lists(st.integers(0, 120), max_size=3))
def test_forgetting_changes_no_limit_and_loses_no_delivery(migrated: Path, sent: list[Link], later: list[int]) -> None:
    with fresh(migrated):
        customers(1, 2)
        for number, link in enumerate(sorted(sent, key=lambda link: -link.days_ago)):
            send(link, number)
        outcomes = by_outcome()
        for days in sorted(later):
            now = NOW + days * DAY
            before = seen_by_limits(now)
            retention.forget(DAYS, MADRID, now)
            assert seen_by_limits(now) == before
            assert by_outcome() == outcomes
            assert not retention.forget(DAYS, MADRID, now), "the second time there is nothing to do"
            old = now - DAYS * DAY
            assert Job.select().where(Job.moved_at < old).count() <= 1
            assert Usage.select().where(Usage.period < usage.day_of(old, MADRID), Usage.job.is_null(False)).count() == 0
        assert [row[0] for row in execute("PRAGMA foreign_key_check")] == []


def test_a_sum_is_found_by_its_customer_not_among_all_sums(database_file: Path) -> None:
    plan = execute(f"EXPLAIN QUERY PLAN {retention._SUM}", (1, "past", "photo")).fetchall()
    assert [step[3] for step in plan if "user_id=?" not in step[3]] == []


def test_the_lifetime_limit_stays_used_up(database_file: Path) -> None:
    customers(1)
    for number in range(3):
        send(Link(1, "video", 180 - number, True, 0), number)
    enqueue(1, "newest")
    assert retention.forget(DAYS, MADRID, NOW)["job"] == 3

    job = claim("w")
    refused = usage.reserve(job.id, 1, {"video": 1}, FREE.limits, usage.day_of(NOW, MADRID), NOW)

    assert refused == usage.Refused("video", Limit(3, "all"), 3)
    assert Usage.select().where(Usage.user == 1).count() == 1


def test_what_is_recent_or_under_way_stays(database_file: Path) -> None:
    customers(1)
    enqueue(1, "waits since long ago", now=NOW - 200 * DAY)
    send(Link(1, "photo", DAYS - 1, True, 0), 1)
    execute("UPDATE job SET round = round + 10 WHERE state = 'queued'")
    send(Link(1, "photo", 0, True, 0), 2)

    assert not retention.forget(DAYS, MADRID, NOW)


@pytest.mark.parametrize("days", [999_999, 10**30])
def test_who_keeps_everything_for_ever_loses_nothing(database_file: Path, days: int) -> None:
    customers(1)
    send(Link(1, "photo", 400, True, 0), 1)

    assert not retention.forget(days, MADRID, NOW)
    assert Job.select().count() == 1


def test_bytes_and_jobs_of_a_day_are_summed(database_file: Path) -> None:
    customers(1, 2)
    for number, (user, delivered) in enumerate([(1, True), (2, True), (1, False)]):
        send(Link(user, "photo", 100, delivered, 0), number)
    send(Link(1, "photo", 0, True, 0), 9)

    assert retention.forget(DAYS, MADRID, NOW)["job"] == 3

    rows = [(row.kind, row.outcome, row.jobs, row.bytes) for row in DailyTotal.select().order_by(DailyTotal.outcome)]
    assert rows == [("photo", "done", 2, 200), ("photo", "failed", 1, 100)]


def test_old_messages_go_and_news_of_money_stays_told(database_file: Path) -> None:
    user = purchases.customer(NOW)
    bought = purchases.order(user)
    payments.settle(purchases.fact(bought, NOW), NOW)
    health.open_incident("disk", "full", NOW)
    health.close_incident("disk", NOW)
    with transaction():
        outbox.append(BatchFinished(batch=1), user, NOW)
    for event in outbox.due(NOW):
        outbox.heard(event.id, NOW)
    with transaction():
        outbox.append(BatchFinished(batch=2), user, NOW)

    retention.forget(DAYS, MADRID, NOW + 200 * DAY)

    kinds = [row.kind for row in Event.select().order_by(Event.id)]
    assert kinds == ["payment_completed", "batch_finished"], "and what was not heard yet"
    assert payments.settle(purchases.fact(bought, NOW, remote_id=Payment.get().remote_id), NOW).outcome == "unchanged"
    assert (Payment.select().count(), PaymentHistory.select().count()) == (1, 2)
    assert Incident.select().count() == 1, "the newest keeps its number"


def test_notifications_requests_joins_and_batches_go(database_file: Path) -> None:
    customers(1)
    for number in range(3):
        webhooks.receive("paypal", f"WH-{number}", "X", "", "{}", NOW)
        provider_requests.ask(RequestKind.LOOKUP, "paypal", argument=f"{number}", user_id=1, asked_by=1, now=NOW)
        sources.begin_join(1, f"hash{number}", usage.day_of(NOW, MADRID), 10, NOW)
        batch = batches.enqueue(new_batch(1, f"batch{number}", ("a", "b")), 99, NOW)
        assert isinstance(batch, batches.BatchInfo)
    WebhookEvent.update(state="done", done_at=NOW).where(WebhookEvent.id != 2).execute()
    for number in (1, 3):
        provider_requests.finish(number, "found", NOW)
    queue.cancel(1, None, NOW)

    retention.forget(DAYS, MADRID, NOW + 200 * DAY)

    assert [row.id for row in WebhookEvent.select()] == [2, 3], "the unfinished, and the newest"
    assert [row.id for row in Request.select()] == [2, 3]
    assert [row.id for row in Join.select()] == [3]
    assert [row.id for row in Batch.select()] == [3]
    assert [row.id for row in Job.select()] == [6]


def test_what_is_open_is_kept_whatever_its_age(database_file: Path) -> None:
    for key in ("a", "b", "c"):
        health.open_incident(key, "x", NOW)  # type: ignore[arg-type]
    health.close_incident("a", NOW)  # type: ignore[arg-type]
    for state in ("discarded", "done", "draft", "discarded"):
        Broadcast.insert(by=1, state=state, touched_at=NOW, segment="all").execute()
    Broadcast.insert(by=1, state="discarded", touched_at=NOW + 199 * DAY, segment="all").execute()
    for after in (0, 150, 199):
        moment = NOW + after * DAY
        AccountLogin.insert(how="qr", key="k", step="scan", at=moment, expires_at=moment).execute()
        ConsoleSession.insert(digest=f"{after}", user_id=1, kind="browser", began_at=moment, seen_at=moment).execute()

    gone = retention.forget(DAYS, MADRID, NOW + 200 * DAY)

    assert gone == {"incident": 1, "broadcast": 2, "account_login": 1, "console_session": 1}
    assert [row.key for row in Incident.select()] == ["b", "c"]
    assert [row.state for row in Broadcast.select()] == ["done", "draft", "discarded"]
    assert AccountLogin.select().count() == ConsoleSession.select().count() == 2


def test_upkeep_forgets_by_itself(shop: PayPalShop) -> None:
    # Given a delivery of last year, and one that ended after its person had been erased, while upkeep is away
    assert shop.upkeep.stop() == 0
    now = int(time.time())
    old, erased, present = 9001, 9002, 9003
    customers(old, erased, present)
    deliver(old, "old", now=now - 200 * DAY)
    enqueue(erased, "erased", now=now)
    job = claim("w", now)
    queue.delivering(job.id, "w", now)
    (random_id,) = queue.plan_messages(job.id, 1, now)
    privacy.erase(erased, MADRID, now, secret_key="key")
    queue.finish(job.id, "w", Delivered({random_id: 1}), now)
    deliver(present, "present", now=now)
    # When upkeep does its work
    shop.upkeep.start()
    # Then both are gone, what is young stays, and the sums know of it
    until(lambda: not Job.select().where(Job.user.in_([old, erased])).count(), "both are forgotten")
    assert Job.select().where(Job.user == present).count() == 1
    assert DailyTotal.select().count()


def test_what_was_refunded_stays_known(database_file: Path) -> None:
    customers(1)
    paid = purchases.fact(purchases.order(1, now=NOW), NOW)
    payments.settle(paid, NOW)
    kept = payments.ask_refund(payments.history_of(1)[0].id, None, None, NOW)
    provider_requests.finish(kept, "refunded", NOW)
    provider_requests.ask(RequestKind.LOOKUP, "paypal", argument="newest", user_id=1, asked_by=1, now=NOW)

    retention.forget(DAYS, MADRID, NOW + 200 * DAY)

    assert Request.get_by_id(kept).state == "done"
