"""What the shop tells its admins of money: a sale, a refund, a decided dispute, a renewal that ends."""

from models import outbox
from models.event_kinds import EventKind, Payload, ShopNotice

TOLD = frozenset(
    {
        EventKind.PAYMENT_COMPLETED,
        EventKind.PAYMENT_REFUNDED,
        EventKind.PAYMENT_REVERSED,
        EventKind.DISPUTE_CLOSED,
        EventKind.SUBSCRIPTION_CANCELLED,
        EventKind.SUBSCRIPTION_EXPIRED,
        EventKind.SUBSCRIPTION_SUSPENDED,
    }
)
"""Of which events the admins hear too. A dispute that is opened is an alert of its own."""


def add(told: Payload, customer: int, now: int, key: str) -> None:
    """Tell the admins, once for each *key*, what *customer* is told. Inside the caller's transaction."""
    if told.event_kind in TOLD:
        notice = ShopNotice(about=told.event_kind, customer=customer, told=told.stored())
        outbox.append(notice, None, now, key=f"notice:{key}")
