"""The payments and the customers as rows of a spreadsheet, read page by page: nobody waits for who downloads them.

The names of the columns and their order are a promise: new ones come at the end.
"""

import datetime
from collections.abc import Iterator
from decimal import Decimal

from config.money import decimals
from config.plain_text import plain
from models.books import register
from models.database import execute
from models.money.payments import PaymentInfo

MONEY = (
    "payment",
    "provider",
    "number",
    "completed",
    "created",
    "state",
    "customer",
    "what",
    "currency",
    "amount",
    "refunded",
    "net",
    "purpose",
)
CUSTOMERS = (
    "customer",
    "name",
    "username",
    "language",
    "first_seen",
    "last_seen",
    "banned",
    "blocked_bot",
    "erased",
    "payments",
    "paid",
)
AT_ONCE = 1_000
_CUSTOMERS = """
SELECT id, first_name, COALESCE(username, ''), COALESCE(language, language_code, ''), created_at, seen_at,
       banned_at IS NOT NULL, blocked_bot_at IS NOT NULL, erased_at IS NOT NULL
FROM "user" WHERE id > ? ORDER BY id LIMIT ?
"""
_PAID = """
SELECT payment.user_id, payment.currency, COUNT(*), SUM(payment.amount) FROM payment
LEFT JOIN "order" AS orders ON orders.id = payment.order_id
WHERE payment.user_id > ? AND payment.user_id <= ? AND payment.completed_at IS NOT NULL
  AND COALESCE(orders.purpose, '') <> 'test'
GROUP BY payment.user_id, payment.currency ORDER BY payment.user_id, payment.currency
"""

Row = tuple[str, ...]


def money() -> Iterator[Row]:
    """Every payment, oldest first, under the columns of :data:`MONEY`. Times are UTC, amounts in whole currency."""
    for each in register.each():
        yield _payment(each)


def customers() -> Iterator[Row]:
    """Every customer by id, under the columns of :data:`CUSTOMERS`; ``paid`` is before refunds, by currency."""
    after = -1
    while rows := execute(_CUSTOMERS, (after, AT_ONCE)).fetchall():
        paid = _paid(after, rows[-1][0])
        for user_id, name, username, language, *rest in rows:
            number, sums = paid.get(user_id, (0, ""))
            created, seen, *marks = rest
            yield (
                *(str(user_id), plain(name), username, language, _time(created), _time(seen)),
                *("yes" if mark else "no" for mark in marks),
                *(str(number), sums),
            )
        after = rows[-1][0]


def _payment(of: PaymentInfo) -> Row:
    known = of.completed_at is not None
    return (
        *(str(of.id), of.provider, of.remote_id, _time(of.completed_at), _time(of.created_at), of.state),
        *(str(of.user_id or ""), of.plan_code or "", of.currency),
        *(_amount(each, of.currency) for each in (of.amount, of.refunded, of.amount - of.refunded if known else 0)),
        of.purpose or "",
    )


def _paid(after: int, last: int) -> dict[int, tuple[int, str]]:
    """How often, and how much in each currency, the customers between two ids have paid."""
    found: dict[int, tuple[int, str]] = {}
    for user_id, currency, number, amount in execute(_PAID, (after, last)):
        before, sums = found.get(user_id, (0, ""))
        found[user_id] = before + number, f"{sums}; {_amount(amount, currency)} {currency}".removeprefix("; ")
    return found


def _amount(minor: int, currency: str) -> str:
    try:
        return str(Decimal(minor).scaleb(-decimals(currency)))
    except KeyError:
        return str(minor)


def _time(unix: int | None) -> str:
    if unix is None:
        return ""
    return datetime.datetime.fromtimestamp(unix, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
