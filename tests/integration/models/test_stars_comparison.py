"""Stars that are in the ledger and not in Telegram's statement: somebody has to look."""

from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram.errors import FloodWait, InternalServerError, ServiceUnavailable

from config.plans import Plans
from daemon import stars
from daemon.stars import Stars, StarsTransaction
from models.catalogue import Catalogue
from models.money import payments, provider_requests
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


async def test_what_telegram_lists_late_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading begins a day before the last one: a payment may show up behind newer ones."""
    asked: list[int] = []

    async def listed(_self: Stars, oldest: int) -> AsyncIterator[StarsTransaction]:
        asked.append(oldest)
        for each in late:
            if each.at >= oldest:
                yield each

    late: list[StarsTransaction] = []
    monkeypatch.setattr(Stars, "_transactions", listed)
    reader = Stars(None, in_this_thread, SimpleNamespace(wake=lambda: None), Catalogue(Plans(())), secret="")  # type: ignore[arg-type]
    await reader.read_transactions(NOW - 3 * DAY)
    await reader.read_transactions(NOW)
    order = purchases.order(purchases.customer())
    late.append(StarsTransaction("stx-late", order.user_id, order.amount, NOW - 3600, False, order.public_id, None))

    await reader.read_transactions(NOW + 600)

    assert payments.find("stars", "stx-late") is not None
    assert asked[2] == NOW - DAY


@pytest.mark.parametrize("refusal", [FloodWait(7200), InternalServerError(), ServiceUnavailable(), TimeoutError()])
async def test_a_refund_outlives_whatever_passes(monkeypatch: pytest.MonkeyPatch, refusal: Exception) -> None:
    charge, answers = paid(NOW - 3600), [refusal, None]

    async def invoke(_bot: object, _query: object) -> None:
        if answer := answers.pop(0):
            raise answer

    async def resolve_peer(_: int) -> None:
        """Nobody is asked."""

    monkeypatch.setattr(stars, "invoke", invoke)
    bot, wakeup = SimpleNamespace(resolve_peer=resolve_peer), SimpleNamespace(wake=lambda: None)
    seller = Stars(bot, in_this_thread, wakeup, Catalogue(Plans(())), secret="")  # type: ignore[arg-type]
    payment = payments.find("stars", charge)
    assert payment is not None
    payments.ask_refund(payment.id, None, None, NOW)
    for moment in (NOW, NOW + 900):
        request = provider_requests.claim("stars", moment)
        assert request is not None, "it is tried again"
        await seller._carry_out(request, moment)

    assert provider_requests.claim("stars", NOW + 9000) is None
    done = payments.find("stars", charge)
    assert done is not None and done.refunded == done.amount
