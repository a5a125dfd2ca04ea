"""Sums that are kept by day agree with the ledger and the queue, however far keeping has come."""

import random
import time
from zoneinfo import ZoneInfo

import pytest

from models import database
from models.books import totals
from models.books.totals import Day
from models.database import BEYOND
from models.jobs import queue
from models.jobs.reasons import RefusalReason
from models.maintenance import refusals, retention
from models.money import income, ledger, payments, reminders
from models.money.facts import DisputeFact
from models.money.income import Income
from models.tables import IncomeDay, Job
from tests import purchases, store
from tests.purchases import DAY, NOW, PREMIUM, VIP

MADRID, UTC = ZoneInfo("Europe/Madrid"), ZoneInfo("UTC")
HOUR = 3600


def sell(at: int, provider: str = "stars", plan: object = PREMIUM, **more: object) -> str:
    order = purchases.order(purchases.customer(at), plan, provider, at, **more)  # type: ignore[arg-type]
    fact = purchases.fact(order, at)
    payments.settle(fact, at)
    return fact.remote_id


def seen(number: int, timezone: ZoneInfo, now: int) -> tuple[Day, ...]:
    """The days, after a look whether their income is the ledger's: by currency, plan and provider."""
    days = totals.days(number, timezone, now)
    starts = income.day_starts(number, timezone, now)
    in_ledger = income.by_span(income.sums(starts[0], BEYOND), starts)
    for at, day, parts in zip(starts, days, in_ledger, strict=True):
        assert day.at == at
        assert by_what(day.income) == by_what(parts)
    return days


def by_what(parts: tuple[income.Sum, ...]) -> dict[tuple[str, str | None], tuple[Income, ...]]:
    return income.totals_by(parts, lambda each: (each.provider, each.plan_code))


def test_income_agrees_whatever_happens_between_two_keepings(database_file: None) -> None:
    chance, sold = random.Random(5), list[tuple[str, str]]()
    for step in range(40):
        now = NOW + step * 5 * HOUR
        provider = chance.choice(("stars", "paypal"))
        number = sell(now - chance.randrange(3 * DAY), provider, chance.choice((PREMIUM, VIP)))
        sold.append((provider, number))
        if step % 3 == 0:
            of, remote_id = chance.choice(sold)
            purchases.refund(of, remote_id, f"R{step}", 100, now, now)
        if step % 7 == 0:
            of, remote_id = chance.choice([each for each in sold if each[0] == "paypal"] or sold)
            dispute = DisputeFact(of, remote_id, f"D{step}", now, closed_at=now + 1, won=False)
            ledger.apply([dispute], now)
        if chance.random() < 0.4:
            totals.keep(MADRID, now)
        seen(12, MADRID, now)
    assert IncomeDay.select().count() > 5


def test_what_is_kept_is_not_added_up_again(database_file: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sell(NOW - 3 * DAY)
    number = sell(NOW - 2 * DAY, "paypal")
    totals.keep(UTC, NOW)
    purchases.refund("paypal", number, "R1", 100, NOW, NOW)
    asked, sums = list[int](), income.sums

    def counted(since: int, until: int) -> tuple[income.Sum, ...]:
        asked.append(since)
        return sums(since, until)

    monkeypatch.setattr(income, "sums", counted)
    days = totals.days(5, UTC, NOW)
    assert asked == [income.day_starts(3, UTC, NOW)[0]], "the one day that has changed"
    assert income.total(part for day in days for part in day.income) == (
        Income("USD", 1, 500, 100),
        Income("XTR", 1, 500, 0),
    )
    assert [day.paying for day in days] == [0, 1, 1, 0, 0]


def test_a_test_purchase_is_no_income_and_no_paying_customer(database_file: None) -> None:
    sell(NOW, purpose="test")
    for _ in range(2):
        (today,) = seen(1, UTC, NOW)
        assert (today.income, today.paying, today.new) == ((), 0, 1)
        totals.keep(UTC, NOW)


def test_another_time_zone_moves_the_days(database_file: None) -> None:
    sell(income.day_starts(1, UTC, NOW)[0] - HOUR // 2)
    totals.keep(UTC, NOW)
    assert [len(day.income) for day in seen(3, UTC, NOW)] == [0, 1, 0]
    assert [len(day.income) for day in seen(3, MADRID, NOW)] == [0, 0, 1]
    totals.keep(MADRID, NOW)
    assert [len(day.income) for day in seen(3, MADRID, NOW)] == [0, 0, 1]


def refuse(user_id: int, key: str, now: int) -> None:
    store.enqueue(user_id, key, now=now)
    job = store.claim("w", now)
    queue.refuse(job.id, "w", RefusalReason.PRIVATE, now=now)


def test_each_end_of_a_link_is_counted_once(database_file: None) -> None:
    store.customers(1)
    for number in range(30):
        now = NOW + number * 7 * HOUR
        store.deliver(1, f"done{number}", "video" if number % 2 else "photo", now)
        refuse(1, f"refused{number}", now + 1)
        if number % 4 == 1:
            totals.keep(MADRID, now + 10)
        days = totals.days(10, MADRID, now + 20)
        assert sum(sum(day.delivered.values()) for day in days) == number + 1
        assert sum(day.refused.get("private", 0) for day in days) == number + 1
    end = NOW + 220 * HOUR
    before = totals.days(12, MADRID, end)
    totals.keep(MADRID, end)
    assert totals.days(12, MADRID, end) == before
    assert sum(day.delivered["video"] for day in before if day.delivered) == 15

    retention.forget(1, MADRID, end + 3 * DAY)
    refusals.count(MADRID, end)
    assert Job.select().count() < 60, "rows have gone"
    assert totals.days(12, MADRID, end) == before


def test_customers_who_come_and_whose_access_ends(database_file: None) -> None:
    now = int(time.time())  # events are dated by the clock of the system
    sell(now - 31 * DAY)
    sell(now - 2 * DAY)
    reminders.write(now)
    for _ in range(2):
        days = totals.days(3, UTC, now)
        assert [day.new for day in days] == [1, 0, 0]
        assert [day.lost for day in days] == [0, 0, 1]
        totals.keep(UTC, now)


def test_keeping_writes_nothing_where_nothing_happened(database_file: None) -> None:
    sell(NOW - DAY)
    totals.keep(UTC, NOW)
    before = database.execute("PRAGMA data_version").fetchone(), database.execute("SELECT total_changes()").fetchone()
    totals.keep(UTC, NOW + 60)
    after = database.execute("PRAGMA data_version").fetchone(), database.execute("SELECT total_changes()").fetchone()
    assert before == after
