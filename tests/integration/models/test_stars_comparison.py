"""Stars that are in the ledger and not in Telegram's statement: somebody has to look."""

from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from config.plans import Plans
from daemon import stars
from daemon.stars import Stars, StarsTransaction
from models.catalogue import Catalogue
from models.money import payments
from models.money.payments import Fact, Settled
from models.tables import Event
from tests import purchases
from tests.purchases import DAY, NOW

pytestmark = pytest.mark.usefixtures("database_file")


def paid(at: int) -> str:
    """The charge of a payment that was completed at this time."""
    fact = purchases.fact(purchases.order(purchases.customer()), at)
    payments.settle(fact, NOW)
    return fact.remote_id


def told() -> list[str]:
    return [row.payload["remote_id"] for row in Event.select() if row.payload.get("reason") == "money_not_at_provider"]


def test_a_payment_that_telegram_does_not_list_is_told_once() -> None:
    listed, missing = paid(NOW - 3600), paid(NOW - 3600)

    stars.report_missing({listed}, NOW - DAY, NOW)
    stars.report_missing({listed}, NOW - DAY, NOW + 600)

    assert told() == [missing]


def test_a_doubtful_comparison_accuses_nobody() -> None:
    paid(NOW - 60)
    paid(NOW - 2 * DAY)

    stars.report_missing({"another"}, NOW - DAY, NOW)
    stars.report_missing(set(), NOW - 3 * DAY, NOW)

    assert told() == []


async def test_a_transaction_that_cannot_be_recorded_is_set_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    user = purchases.customer()
    ordered = [purchases.order(user), purchases.order(purchases.customer())]
    listed = [
        StarsTransaction(f"stx{number}", each.user_id, each.amount, NOW, False, each.public_id, None)
        for number, each in enumerate(ordered)
    ]
    settle = payments.settle
    monkeypatch.setattr(
        payments, "settle", lambda fact, now: refuse(fact) if fact.user_id == user else settle(fact, now)
    )
    monkeypatch.setattr(Stars, "_transactions", lambda _self, _oldest: aiter_of(listed))
    reader = Stars(None, in_this_thread, SimpleNamespace(wake=lambda: None), Catalogue(Plans(())), secret="")  # type: ignore[arg-type]

    for _ in range(2):
        await reader.read_transactions(NOW)

    assert payments.find("stars", "stx1") and not payments.find("stars", "stx0")
    alerts = [row.payload for row in Event.select() if row.payload.get("reason") == "transaction_unreadable"]
    assert [alert["transaction"] for alert in alerts] == ["stx0"]


def refuse(fact: Fact) -> Settled:
    raise ValueError(f"{fact.remote_id} makes no sense")


async def aiter_of(listed: list[StarsTransaction]) -> AsyncIterator[StarsTransaction]:
    for each in listed:
        yield each


async def in_this_thread(operation: Callable[..., Any], *values: Any, **named: Any) -> Any:
    return operation(*values, **named)
