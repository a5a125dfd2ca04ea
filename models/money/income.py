"""What the shop earned: completed payments, net of what went back of them. Test purchases are no sales."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from models.database import execute
from models.money.facts import PaymentState

Key = TypeVar("Key")
QUARTER_S = 900
"""Sums are kept by the quarter of an hour: days of every time zone are whole numbers of them."""

_REFUNDED = "SELECT SUM(refund.amount) FROM refund WHERE refund.payment_id = payment.id"
_LOST = """
SELECT SUM(dispute.amount) FROM dispute
WHERE dispute.payment_id = payment.id AND NOT dispute.won AND dispute.currency = payment.currency
  AND dispute.amount < payment.amount AND NOT EXISTS (
    SELECT 1 FROM refund WHERE refund.payment_id = payment.id AND refund.amount = dispute.amount
    AND refund.at >= dispute.opened_at)
"""
"""Of lost disputes about a part of a payment, what no refund tells of."""
_SALES = """
FROM payment LEFT JOIN "order" AS orders ON orders.id = payment.order_id
WHERE payment.completed_at >= ? AND payment.completed_at < ? AND COALESCE(orders.purpose, '') <> 'test'
"""
_BACK = f"COALESCE(({_REFUNDED}), 0) + COALESCE(({_LOST}), 0)"
_INCOME = f"""
payment.currency, COUNT(*), SUM(payment.amount),
SUM(CASE WHEN payment.state = '{PaymentState.REVERSED}' OR {_BACK} > payment.amount THEN payment.amount
    ELSE {_BACK} END)
{_SALES}
"""
_SUMS = f"""
SELECT payment.completed_at / {QUARTER_S} AS quarter, payment.provider, orders.plan_code, {_INCOME}
GROUP BY quarter, payment.provider, orders.plan_code, payment.currency
"""
_TOTAL = f"SELECT {_INCOME} GROUP BY payment.currency ORDER BY payment.currency"
_PAYERS = f"SELECT COUNT(DISTINCT payment.user_id) {_SALES}"


@dataclass(frozen=True, slots=True)
class Income:
    """What came in of one currency, in minor units. ``refunded`` is what went back of it since.

    A reversed payment, after a lost dispute for instance, went back whole, whatever had been refunded before. Of a
    dispute about a part only that part went back. No more goes back than came, however it is reported.
    """

    currency: str
    payments: int
    amount: int
    refunded: int

    @property
    def net(self) -> int:
        """What is left."""
        return self.amount - self.refunded


@dataclass(frozen=True, slots=True)
class Sum:
    """The income of a quarter of an hour from one plan through one provider. ``at`` is when the quarter began."""

    at: int
    provider: str
    plan_code: str | None
    income: Income


def sums(since: int, until: int) -> tuple[Sum, ...]:
    """What was paid in ``[since, until)``. It reads each of these payments: for an admin's question."""
    return tuple(
        Sum(quarter * QUARTER_S, provider, plan_code, Income(currency, number, amount, refunded))
        for quarter, provider, plan_code, currency, number, amount, refunded in execute(_SUMS, (since, until))
    )


def between(since: int, until: int) -> tuple[Income, ...]:
    """What was paid in ``[since, until)``, by currency. It reads each of these payments."""
    return tuple(Income(*row) for row in execute(_TOTAL, (since, until)))


def payers(since: int, until: int) -> int:
    """How many customers paid in ``[since, until)``. It reads each of these payments."""
    return int(execute(_PAYERS, (since, until)).fetchone()[0])


def total(parts: Iterable[Sum]) -> tuple[Income, ...]:
    """The income by currency, the most payments first."""
    added: dict[str, Income] = {}
    for part in parts:
        one, known = part.income, added.get(part.income.currency, Income(part.income.currency, 0, 0, 0))
        added[one.currency] = Income(
            one.currency, known.payments + one.payments, known.amount + one.amount, known.refunded + one.refunded
        )
    return tuple(sorted(added.values(), key=lambda each: (-each.payments, each.currency)))


def totals_by(parts: Iterable[Sum], key: Callable[[Sum], Key]) -> dict[Key, tuple[Income, ...]]:
    """The income by what *key* says of each sum."""
    groups: dict[Key, list[Sum]] = {}
    for part in parts:
        groups.setdefault(key(part), []).append(part)
    return {name: total(inside) for name, inside in groups.items()}


def day_starts(days: int, timezone: ZoneInfo, now: int) -> tuple[int, ...]:
    """When each of the last *days* days of the operator began, today last."""
    today = datetime.fromtimestamp(now, timezone).replace(hour=0, minute=0, second=0, microsecond=0)
    return tuple(int((today - timedelta(days=back)).timestamp()) for back in reversed(range(days)))


def month_starts(months: int, timezone: ZoneInfo, now: int) -> tuple[int, ...]:
    """When each of the last *months* months of the operator began, this one last."""
    first = datetime.fromtimestamp(now, timezone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    starts = [first]
    for _ in range(months - 1):
        starts.append((starts[-1] - timedelta(days=1)).replace(day=1))
    return tuple(int(start.timestamp()) for start in reversed(starts))


def by_span(parts: Sequence[Sum], starts: Sequence[int]) -> tuple[tuple[Sum, ...], ...]:
    """The sums of each span: from one start to the next, the last one open."""
    ends = (*starts[1:], None)
    return tuple(
        tuple(part for part in parts if start <= part.at and (end is None or part.at < end))
        for start, end in zip(starts, ends, strict=True)
    )
