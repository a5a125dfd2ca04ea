"""PayPal's webhook events: which we are subscribed to, and where each one points.

An event is a hint. What it points to is read from the API, and that answer is what is recorded.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from models.money import orders, payments, subscriptions
from models.money.orders import OrderInfo
from models.money.payments import Change
from models.money.seller import Result
from models.money.webhooks import WebhookInfo
from web.paypal import disputes
from web.paypal.client import FORBIDDEN, NOT_FOUND, Refused
from web.paypal.parsing import PROVIDER, failed_at, linked_capture, parse_refund, parse_sale_refund
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

Changes = Sequence[Change]
Resource = Mapping[str, Any]


class Unfinished(Exception):
    """The event is genuine, but could not be followed to its end now."""


class NotOurs(Exception):
    """The event is genuine, and about a sale that is not ours."""


def follow(shop: Shop, event: WebhookInfo, now: int) -> None:
    """Read what an event points to, and record it in one transaction with the event's end.

    :raises Unfinished: PayPal could not tell yet.
    :raises PayPalError: PayPal could not be asked.
    """
    payments.apply(_changes(shop, event, now), now, event.id)


def _changes(shop: Shop, event: WebhookInfo, now: int) -> Changes:
    look = POLLS.get(event.event_type)
    if look is None:
        return ()
    try:
        return look(shop, json.loads(event.body)["resource"], now)
    except NotOurs as reason:
        logger.info("webhook.ignored", extra={"event": event.event_id, "cause": str(reason)})
    except Refused as refusal:
        if refusal.status not in (FORBIDDEN, NOT_FOUND):
            raise
        logger.info("webhook.hidden", extra={"event": event.event_id, "cause": str(refusal)})
    return ()


def _order(shop: Shop, resource: Resource, now: int) -> Changes:
    order = orders.by_remote(PROVIDER, str(resource.get("id") or resource.get("order_id")))
    if order is None:
        raise NotOurs("an order that is not known here")
    return _of_order(shop, order, now)


def _capture(shop: Shop, resource: Resource, now: int) -> Changes:
    return _of_payment(shop, str(resource.get("id")), now)


def _given_back(shop: Shop, resource: Resource, now: int) -> Changes:
    """A refund or reversal: the resource is the refund, and its ``up`` link leads to the capture."""
    capture_id = linked_capture(resource)
    if capture_id is None:
        raise Unfinished("a refund that names no capture")
    changes = _of_payment(shop, capture_id, now)
    try:
        refund = parse_refund(shop.paypal.refund(str(resource.get("id"))), now)
    except Refused as refusal:
        if refusal.status != NOT_FOUND:
            raise
        # A reversal by a bank may not be shown as a refund. The order and the transaction list tell of it.
        refund = None
    return [*changes, *([refund] if refund else [])]


def _of_payment(shop: Shop, remote_id: str, now: int) -> Changes:
    """Poll the purchase that a capture or sale belongs to."""
    order = shop.order_of_payment(remote_id)
    if order is None:
        raise NotOurs("a payment of no order that is known here")
    return _of_order(shop, order, now)


def _of_order(shop: Shop, order: OrderInfo, now: int) -> Changes:
    return shop.poll(order, now).changes


def _dispute(shop: Shop, resource: Resource, now: int) -> Changes:
    return disputes.poll(shop, str(resource.get("dispute_id")), now)


def _sale(shop: Shop, resource: Resource, now: int) -> Changes:
    return _of_subscription(shop, str(resource.get("billing_agreement_id")), now)


def _sale_given_back(shop: Shop, resource: Resource, now: int) -> Changes:
    """A refunded or reversed sale: the v1 resource names the sale; the refund is read by its own id."""
    sale_id = str(resource.get("sale_id"))
    changes: Changes = () if payments.find(PROVIDER, sale_id) else _of_payment(shop, sale_id, now)
    refund = parse_sale_refund(shop.paypal.sale_refund(str(resource.get("id"))), sale_id, now)
    return [*changes, *([refund] if refund else [])]


def _subscription(shop: Shop, resource: Resource, now: int) -> Changes:
    return _of_subscription(shop, str(resource.get("id")), now)


def _payment_failed(shop: Shop, resource: Resource, now: int) -> Changes:
    remote_id = str(resource.get("id"))
    changes = _of_subscription(shop, remote_id, now)
    at = failed_at(shop.paypal.subscription(remote_id), now)
    if at is not None:
        subscriptions.payment_failed(PROVIDER, remote_id, at, now)
    return changes


def _of_subscription(shop: Shop, remote_id: str, now: int) -> Changes:
    known = subscriptions.by_remote(PROVIDER, remote_id)
    if known is None:
        raise NotOurs("a subscription that is not known here")
    poll = shop.renewals.poll_subscription(known, now)
    if poll.outcome.result is Result.OVER and known.state is subscriptions.SubscriptionState.PENDING:
        orders.expire(known.order_id, now)
    return poll.changes


POLLS: Mapping[str, Callable[[Shop, Resource, int], Changes]] = {
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
