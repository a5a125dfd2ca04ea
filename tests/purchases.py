"""Customers and what they buy, for tests of the models."""

import itertools
from dataclasses import replace
from typing import Any

from config.plans import Plan
from models import users
from models.money import ledger, orders, payments
from models.money.facts import DisputeFact, Fact, PaymentState, RefundFact, Settled
from models.money.orders import OrderInfo
from models.money.payments import PaymentInfo
from models.money.providers import TRAITS, Provider

DAY = 86_400
MONTH = 30 * DAY
NOW = 1_800_000_000
BOT = 7_000_000_001
SECRET = "7000000001:secret"

_numbers = itertools.count(1_000_001)
"""Of customers too: above those that tests give themselves, however many came before."""


def plan(code: str = "premium", level: int = 1, renews: bool = False, days: int = 30, **prices: int) -> Plan:
    """Return a plan as ``plans.toml`` could hold it."""
    words = {"en": code.title(), "es": code.title()}
    prices = prices or {"XTR": 500 * level, "USD": 500 * level}
    return Plan(code, level, words, words, {}, 1, days, prices, renews, True)


PREMIUM, VIP = plan("premium", 1), plan("vip", 2)
MONTHLY = plan("monthly", 1, renews=True)


def customer(now: int = NOW, **more: Any) -> int:
    """Return the id of a customer whom nobody knew before."""
    user_id = next(_numbers)
    users.seen(user_id, more.get("first_name", "Ana"), more.get("username"), more.get("language_code", "es"), now)
    return user_id


def order(user_id: int, bought: Plan = PREMIUM, provider: str = "stars", now: int = NOW, **more: Any) -> OrderInfo:
    """Return a customer's open order."""
    currency = TRAITS[provider].currency or "USD"
    return orders.create(user_id, bought, Provider(provider), currency, now=now, seller=BOT, secret=SECRET, **more)


def fact(of: OrderInfo, at: int = NOW, remote_id: str | None = None, **changes: Any) -> Fact:
    """Return the provider's word that this order was paid at that time."""
    made = Fact(
        provider=of.provider,
        remote_id=remote_id or f"charge-{next(_numbers)}",
        order_public_id=of.public_id,
        subscription_remote_id=None,
        user_id=of.user_id,
        amount=of.amount,
        currency=of.currency,
        state=PaymentState.COMPLETED,
        created_at=at,
        at=at,
    )
    return replace(made, **changes)


def payments_of(order_id: int) -> list[PaymentInfo]:
    """Return the payments of an order, newest first."""
    found = (payment for provider in Provider for payment in payments.since(provider, 0))
    return [payment for payment in found if payment.order_id == order_id]


def refund(provider: str, payment_remote_id: str, remote_id: str, amount: int, at: int, now: int) -> Settled:
    """Let a provider say that money went back."""
    return ledger.apply([RefundFact(provider, payment_remote_id, remote_id, amount, at)], now)[0]


def dispute_opened(provider: str, payment_remote_id: str, remote_id: str, at: int, now: int) -> Settled:
    """Let a provider say that a payer contests a payment."""
    return ledger.apply([DisputeFact(provider, payment_remote_id, remote_id, at)], now)[0]


def dispute_closed(provider: str, payment_remote_id: str, remote_id: str, won: bool, at: int, now: int) -> Settled:
    """Let a provider say how a dispute ended."""
    return ledger.apply([DisputeFact(provider, payment_remote_id, remote_id, at, at, won)], now)[0]
