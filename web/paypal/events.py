"""PayPal's webhook events: which we are subscribed to, and where each one points.

An event is a hint. What it points to is read from the API, and that answer is what is recorded.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from config.units import DAY_S
from models.money import orders, payments, subscriptions, webhooks
from models.money.orders import OrderInfo
from models.money.payments import Change, Fact, RefundFact
from models.money.seller import Result
from models.money.webhooks import WebhookInfo
from web.paypal import disputes
from web.paypal.client import FORBIDDEN, NOT_FOUND, PayPalError, Refused, Unreadable, loads, readable, text
from web.paypal.parsing import (
    ENDED_REFUNDS,
    PROVIDER,
    SUBSCRIPTION_STATES,
    failure_of,
    linked_capture,
    orders_named,
    parse_refund,
    parse_sale_refund,
    purchase_of,
    unix,
)
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

GIVEN_UP_S = 3 * DAY_S
"""Seconds after which PayPal's lists have shown everything: what an event names and they lack is left to the admins."""

APPROVED = "CHECKOUT.ORDER.APPROVED"

Resource = Mapping[str, Any]


class Unfinished(Exception):
    """The event is genuine, but could not be followed to its end now."""


class NotOurs(Exception):
    """The event is genuine, and about a sale that is not ours."""


@dataclass(frozen=True)
class Look:
    """What following an event has shown. ``missing`` says what PayPal does not show yet of what the event names."""

    changes: Sequence[Change] = ()
    missing: str = ""


@dataclass(frozen=True)
class Event:
    """A stored event: its type, when PayPal wrote it (Unix seconds; None: it does not say) and what it is about."""

    type: str
    created_at: int | None
    resource: Resource


def follow(shop: Shop, event: WebhookInfo, now: int) -> None:
    """Read what an event points to, and record it in one transaction with the event's end.

    The event ends when what it names is recorded, or is proved not to be ours.

    :raises Unfinished: PayPal could not tell yet; what it has told is recorded.
    :raises PayPalError: PayPal could not be asked.
    """
    look = _look(shop, event, now)
    if look.missing:
        payments.apply(look.changes, now)
        raise Unfinished(look.missing)
    payments.apply(look.changes, now, event.id)


def finish(shop: Shop, event: WebhookInfo, now: int) -> str:
    """Do as :func:`follow`, and say why it could not be followed to its end; "" when it was.

    After :data:`GIVEN_UP_S` seconds the admins are told of what PayPal does not show, and the event ends.
    """
    try:
        follow(shop, event, now)
    except (Unfinished, Refused, Unreadable) as error:
        if now - event.received_at < GIVEN_UP_S:
            return str(error)
        logger.error("webhook.given_up", extra={"event": event.event_id, "cause": str(error)})
        webhooks.give_up(event, str(error), now)
    except PayPalError as error:
        return str(error)
    return ""


def _look(shop: Shop, stored: WebhookInfo, now: int) -> Look:
    look = POLLS.get(stored.event_type)
    try:
        return look(shop, _read(stored), now) if look else Look()
    except NotOurs as reason:
        logger.info("webhook.ignored", extra={"event": stored.event_id, "cause": str(reason)})
    except Refused as refusal:
        if refusal.status not in (FORBIDDEN, NOT_FOUND):
            raise
        logger.info("webhook.hidden", extra={"event": stored.event_id, "cause": str(refusal)})
    return Look()


@readable("the event")
def _read(stored: WebhookInfo) -> Event:
    body = loads(stored.body)
    created = body.get("create_time")
    return Event(stored.event_type, unix(created) if isinstance(created, str) else None, body["resource"])


# Orders and captures


def _order(shop: Shop, event: Event, now: int) -> Look:
    remote_id = _named(event, "id", "order_id")
    order = orders.by_remote(PROVIDER, remote_id)
    if order is None:
        order = _owner(shop, purchase_of(shop.paypal.order(remote_id)), "an order")
        if order.remote_id is None:
            order = orders.attach_remote(order.id, remote_id, now)
    by_payer = event.type == APPROVED and (event.created_at or 0) > (order.refused_at or now)
    poll = shop.poll(replace(order, remote_id=remote_id), now, by_payer=by_payer)
    return Look(poll.changes, "" if poll.is_settled else "the capture of an order")


def _capture(shop: Shop, event: Event, now: int) -> Look:
    capture_id = _named(event, "id")
    changes, is_over = _of_payment(shop, capture_id, event, now)
    return Look(changes, "" if is_over or _is_booked(capture_id, changes) else f"capture {capture_id}")


def _given_back(shop: Shop, event: Event, now: int) -> Look:
    """A refund or reversal of a capture: the resource is the refund, and its ``up`` link leads to the capture."""
    refund_id = _named(event, "id")
    capture_id = linked_capture(event.resource)
    refund: Resource | None = None
    if capture_id is None:
        refund = _shown(shop.paypal.refund, refund_id)
        capture_id = linked_capture(refund or {})
    changes, is_over = _of_refunded(shop, capture_id, event, now)
    refund = refund or _shown(shop.paypal.refund, refund_id)
    fact = parse_refund(refund, now, _currency_of(capture_id, changes), capture_id) if refund else None
    return _of_refund(refund_id, refund, [*changes, *([fact] if fact else [])], is_over)


def _currency_of(payment_id: str | None, changes: Sequence[Change]) -> str | None:
    """The currency of a payment that is known, or that is among the *changes* which are recorded with its refund."""
    known = payments.find(PROVIDER, payment_id) if payment_id else None
    if known is not None:
        return known.currency
    read = (each for each in changes if isinstance(each, Fact) and each.remote_id == payment_id)
    return next((each.currency for each in read), None)


def _of_refunded(shop: Shop, payment_id: str | None, event: Event, now: int) -> tuple[Sequence[Change], bool]:
    """Do as :func:`_of_payment` for what was given back. A refund need not name its payment: the lists do, later."""
    known = payments.find(PROVIDER, payment_id) if payment_id else None
    if payment_id is None and not any(orders.by_public(name) for name in orders_named(event.resource)):
        return (), False
    if known is not None and known.subscription_id is not None:
        return (), known.refunded >= known.amount
    return _of_payment(shop, payment_id, event, now)


def _of_refund(refund_id: str, refund: Resource | None, changes: Sequence[Change], is_over: bool) -> Look:
    """A refund has been followed when it is recorded, or did not come about, or nothing was left to take.

    A reversal by a bank may not be shown as a refund. The order and the transaction list tell of it.
    """
    state = str((refund or {}).get("status") or (refund or {}).get("state")).upper()
    booked = payments.knows_refund(PROVIDER, refund_id) or any(
        isinstance(change, RefundFact) and change.remote_id == refund_id for change in changes
    )
    return Look(changes, "" if booked or is_over or state in ENDED_REFUNDS else f"refund {refund_id}")


def _of_payment(shop: Shop, remote_id: str | None, event: Event, now: int) -> tuple[Sequence[Change], bool]:
    """Poll the purchase that a capture or sale belongs to. Also returns whether nothing more is to be read of it."""
    known_here = remote_id is not None and payments.find(PROVIDER, remote_id) is not None
    if orders_named(event.resource) and not known_here:
        order: OrderInfo | None = _owner(shop, event.resource, "a payment")
    else:
        order = shop.order_of_payment(remote_id or "")
    if order is None:
        raise NotOurs("a payment of no order of ours")
    poll = shop.poll(order, now)
    known = payments.find(PROVIDER, remote_id or "")
    is_gone = known is not None and known.refunded >= known.amount
    is_anothers = poll.outcome.result is Result.TROUBLE and not poll.changes
    return poll.changes, is_gone or is_anothers


def _is_booked(remote_id: str, changes: Sequence[Change]) -> bool:
    return payments.find(PROVIDER, remote_id) is not None or any(
        isinstance(change, Fact) and change.remote_id == remote_id for change in changes
    )


# Disputes


def _dispute(shop: Shop, event: Event, now: int) -> Look:
    return Look(disputes.poll(shop, _named(event, "dispute_id"), now))


# Subscriptions and sales


def _sale(shop: Shop, event: Event, now: int) -> Look:
    sale_id = _named(event, "id")
    agreement = event.resource.get("billing_agreement_id")
    agreement = agreement or (_shown(shop.paypal.sale, sale_id) or {}).get("billing_agreement_id")
    if agreement is None:
        changes, is_over = _of_payment(shop, sale_id, event, now)
    else:
        changes, is_over = _of_subscription(shop, _id(agreement), now), False
    return Look(changes, "" if is_over or _is_booked(sale_id, changes) else f"sale {sale_id}")


def _sale_given_back(shop: Shop, event: Event, now: int) -> Look:
    """A refunded or reversed sale: the v1 resource may name the sale; the refund is read by its own id."""
    refund_id = _named(event, "id")
    refund: Resource | None = None
    sale_id = event.resource.get("sale_id")
    if sale_id is None:
        refund = _shown(shop.paypal.sale_refund, refund_id) or {}
        sale_id = refund.get("sale_id") or linked_capture(_shown(shop.paypal.refund, refund_id) or {})
    sale_id = None if sale_id is None else _id(sale_id)
    changes, is_over = _of_refunded(shop, sale_id, event, now)
    refund = refund or _shown(shop.paypal.sale_refund, refund_id)
    currency = _currency_of(sale_id, changes)
    fact = parse_sale_refund(refund, now, currency, sale_id) if refund and sale_id else None
    return _of_refund(refund_id, refund, [*changes, *([fact] if fact else [])], is_over)


def _subscription(shop: Shop, event: Event, now: int) -> Look:
    return Look(_of_subscription(shop, _named(event, "id"), now))


def _payment_failed(shop: Shop, event: Event, now: int) -> Look:
    remote_id = _named(event, "id")
    changes = _of_subscription(shop, remote_id, now)
    failure = failure_of(shop.paypal.subscription(remote_id), now)
    return Look([*changes, *([failure] if failure else [])])


def _of_subscription(shop: Shop, remote_id: str, now: int) -> Sequence[Change]:
    known = subscriptions.by_remote(PROVIDER, remote_id)
    if known is None:
        remote = shop.paypal.subscription(remote_id)
        order = _owner(shop, remote, "a subscription")
        if SUBSCRIPTION_STATES.get(str(remote.get("status"))) is subscriptions.SubscriptionState.PENDING:
            raise NotOurs("a subscription that nobody has approved")
        known = subscriptions.recall(order.id, remote_id, now)
        if order.remote_id is None:
            orders.attach_remote(order.id, remote_id, now)
    poll = shop.renewals.poll_subscription(known, now)
    if poll.outcome.result is Result.OVER and known.state is subscriptions.SubscriptionState.PENDING:
        orders.expire(known.order_id, now)
    return poll.changes


# Whose it is


def _named(event: Event, *names: str) -> str:
    """The first of these ids that the event has.

    :raises Unfinished: it has none.
    """
    found = next((event.resource[name] for name in names if event.resource.get(name)), None)
    if found is None:
        raise Unfinished(f"an event without {names[0]}")
    return _id(found)


@readable("the id of what happened")
def _id(found: object) -> str:
    return text(found)


def _owner(shop: Shop, told: Resource, what: str) -> OrderInfo:
    """Our order that a resource names.

    :raises NotOurs: it names none of ours.
    :raises Unfinished: it names one of ours that is not known here, after a restored backup for instance.
    """
    for purchase in orders_named(told):
        order = orders.by_public(purchase)
        if order is not None:
            return order
        if orders.is_sold_by(shop.settings.bot_id, purchase):
            raise Unfinished(f"{what} of an order that is not known here yet")
    raise NotOurs(f"{what} of no order of ours")


def _shown(read: Callable[[str], Resource], remote_id: str) -> Resource | None:
    """What PayPal shows under an id; None where it does not show it, or not yet."""
    try:
        return read(remote_id)
    except Refused as refusal:
        if refusal.status != NOT_FOUND:
            raise
        return None


POLLS: Mapping[str, Callable[[Shop, Event, int], Look]] = {
    "CHECKOUT.ORDER.APPROVED": _order,
    "CHECKOUT.ORDER.COMPLETED": _order,
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED": _order,
    "PAYMENT.CAPTURE.COMPLETED": _capture,
    "PAYMENT.CAPTURE.PENDING": _capture,
    "PAYMENT.CAPTURE.DENIED": _capture,
    "PAYMENT.CAPTURE.DECLINED": _capture,
    "PAYMENT.CAPTURE.REFUNDED": _given_back,
    "PAYMENT.CAPTURE.REVERSED": _given_back,
    "CUSTOMER.DISPUTE.CREATED": _dispute,
    "CUSTOMER.DISPUTE.UPDATED": _dispute,
    "CUSTOMER.DISPUTE.RESOLVED": _dispute,
    "PAYMENT.SALE.COMPLETED": _sale,
    "PAYMENT.SALE.PENDING": _sale,
    "PAYMENT.SALE.DENIED": _sale,
    "PAYMENT.SALE.REFUNDED": _sale_given_back,
    "PAYMENT.SALE.REVERSED": _sale_given_back,
    "BILLING.SUBSCRIPTION.CREATED": _subscription,
    "BILLING.SUBSCRIPTION.ACTIVATED": _subscription,
    "BILLING.SUBSCRIPTION.UPDATED": _subscription,
    "BILLING.SUBSCRIPTION.RE-ACTIVATED": _subscription,
    "BILLING.SUBSCRIPTION.SUSPENDED": _subscription,
    "BILLING.SUBSCRIPTION.CANCELLED": _subscription,
    "BILLING.SUBSCRIPTION.EXPIRED": _subscription,
    "BILLING.SUBSCRIPTION.PAYMENT.FAILED": _payment_failed,
}
EVENT_TYPES = tuple(sorted(POLLS))
"""What our webhook is subscribed to."""
