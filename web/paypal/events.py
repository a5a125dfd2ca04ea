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
from models.money.webhooks import WebhookInfo
from web.paypal import disputes
from web.paypal.client import FORBIDDEN, NOT_FOUND, Refused
from web.paypal.outcome import Result
from web.paypal.parsing import PROVIDER, failed_at, linked_capture, read_refund, read_sale_refund
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

Changes = Sequence[Change]
Resource = Mapping[str, Any]


class Unfinished(Exception):
    """The event is true but could not be followed to its end now."""


class NotOurs(Exception):
    """The event is true, and about somebody else's business."""


def follow(till: Shop, event: WebhookInfo, now: int) -> None:
    """Look where an event points, record what is there, and with it that the event is done.

    :raises Unfinished: PayPal could not tell yet.
    :raises PayPalError: PayPal could not be asked.
    """
    payments.apply(_changes(till, event, now), now, event.id)


def _changes(till: Shop, event: WebhookInfo, now: int) -> Changes:
    look = LOOKS.get(event.event_type)
    if look is None:
        return ()
    try:
        return look(till, json.loads(event.body)["resource"], now)
    except NotOurs as reason:
        logger.info("webhook about somebody else's business", extra={"event": event.event_id, "cause": str(reason)})
    except Refused as refusal:
        if refusal.status not in (FORBIDDEN, NOT_FOUND):
            raise
        logger.info("webhook about what is not shown to us", extra={"event": event.event_id, "cause": str(refusal)})
    return ()


def _order(till: Shop, resource: Resource, now: int) -> Changes:
    order = orders.by_remote(PROVIDER, str(resource.get("id") or resource.get("order_id")))
    if order is None:
        raise NotOurs("an order that is not known here")
    return _of_order(till, order, now)


def _capture(till: Shop, resource: Resource, now: int) -> Changes:
    return _of_payment(till, str(resource.get("id")), now)


def _given_back(till: Shop, resource: Resource, now: int) -> Changes:
    """A refund or reversal: the resource is the refund, the capture is where its link leads."""
    capture_id = linked_capture(resource)
    if capture_id is None:
        raise Unfinished("a refund that names no capture")
    changes = _of_payment(till, capture_id, now)
    try:
        refund = read_refund(till.paypal.refund(str(resource.get("id"))), now)
    except Refused as refusal:
        if refusal.status != NOT_FOUND:
            raise
        # What a bank has reversed may not be shown as a refund. Its order and the transaction list tell of it.
        refund = None
    return [*changes, *([refund] if refund else [])]


def _of_payment(till: Shop, remote_id: str, now: int) -> Changes:
    """Look at the purchase that a capture or sale belongs to."""
    order = till.order_of_payment(remote_id)
    if order is None:
        raise NotOurs("a payment of no order that is known here")
    return _of_order(till, order, now)


def _of_order(till: Shop, order: OrderInfo, now: int) -> Changes:
    return till.look(order, now).changes


def _dispute(till: Shop, resource: Resource, now: int) -> Changes:
    return disputes.look(till, str(resource.get("dispute_id")), now)


def _sale(till: Shop, resource: Resource, now: int) -> Changes:
    return _of_subscription(till, str(resource.get("billing_agreement_id")), now)


def _sale_given_back(till: Shop, resource: Resource, now: int) -> Changes:
    """A refunded or reversed sale: the v1 resource names the sale, the refund is read by its own id."""
    sale_id = str(resource.get("sale_id"))
    changes: Changes = () if payments.find(PROVIDER, sale_id) else _of_payment(till, sale_id, now)
    refund = read_sale_refund(till.paypal.sale_refund(str(resource.get("id"))), sale_id, now)
    return [*changes, *([refund] if refund else [])]


def _subscription(till: Shop, resource: Resource, now: int) -> Changes:
    return _of_subscription(till, str(resource.get("id")), now)


def _payment_failed(till: Shop, resource: Resource, now: int) -> Changes:
    remote_id = str(resource.get("id"))
    changes = _of_subscription(till, remote_id, now)
    at = failed_at(till.paypal.subscription(remote_id), now)
    if at is not None:
        subscriptions.payment_failed(PROVIDER, remote_id, at, now)
    return changes


def _of_subscription(till: Shop, remote_id: str, now: int) -> Changes:
    known = subscriptions.by_remote(PROVIDER, remote_id)
    if known is None:
        raise NotOurs("a subscription that is not known here")
    look = till.renewals.look_at(known, now)
    if look.outcome.result is Result.OVER and known.state is subscriptions.SubscriptionState.PENDING:
        orders.expire(known.order_id, now)
    return look.changes


LOOKS: Mapping[str, Callable[[Shop, Resource, int], Changes]] = {
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
EVENT_TYPES = tuple(sorted(LOOKS))
"""What our webhook is subscribed to."""
