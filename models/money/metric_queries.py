"""Numbers for monitoring. Each comes from an index, or from a table that stays small."""

from dataclasses import dataclass

import peewee

from models.database import fetch, snapshot
from models.money.orders import OrderState
from models.money.payments import is_sale
from models.tables import Dispute, Event, Order, Payment, Refund, Request, Subscription, WebhookEvent


@dataclass(frozen=True, slots=True)
class Money:
    """The number of payments of one provider, currency and state, and their sum in minor units."""

    provider: str
    currency: str
    state: str
    number: int
    amount: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Counts of what waits: open orders, requests, unfinished webhooks, undelivered events, open disputes."""

    orders: int
    requests: int
    webhooks: int
    events: int
    disputes: int


def money() -> list[Money]:
    """All payments ever recorded, added up. Test purchases are no sales."""
    rows = (
        Payment.select(
            Payment.provider,
            Payment.currency,
            Payment.state,
            peewee.fn.COUNT(Payment.id),
            peewee.fn.SUM(Payment.amount),
        )
        .where(is_sale())
        .group_by(Payment.provider, Payment.currency, Payment.state)
        .order_by(Payment.provider, Payment.currency, Payment.state)
    )
    return [Money(*row) for row in fetch(rows)]


def refunded() -> dict[tuple[str, str], int]:
    """Refunds in minor units by provider and currency. Those of an unknown payment have no currency: left out."""
    rows = (
        Refund.select(Refund.provider, Payment.currency, peewee.fn.SUM(Refund.amount))
        .join(Payment)
        .where(is_sale())
        .group_by(Refund.provider, Payment.currency)
    )
    return {(provider, currency): amount for provider, currency, amount in fetch(rows)}


def subscriptions() -> dict[tuple[str, str], int]:
    """The number of subscriptions by provider and state."""
    rows = Subscription.select(Subscription.provider, Subscription.state, peewee.fn.COUNT(Subscription.id)).group_by(
        Subscription.provider, Subscription.state
    )
    return {(provider, state): number for provider, state, number in fetch(rows)}


def waiting() -> Waiting:
    """Count what waits now."""
    with snapshot():
        return Waiting(
            orders=Order.select().where(Order.state == OrderState.OPEN).count(),
            requests=Request.select().where(Request.state == "open").count(),
            webhooks=WebhookEvent.select().where(WebhookEvent.state == "received").count(),
            events=Event.select().where(Event.heard_at.is_null()).count(),
            disputes=Dispute.select().where(Dispute.closed_at.is_null()).count(),
        )
