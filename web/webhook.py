"""PayPal's notifications: proved, remembered once, and then only a hint to look at the API.

400: forged, nothing stored. 200: done, known, of no interest, or about somebody else's business. 500: stored,
unfinished; PayPal repeats, and upkeep goes on by itself. 503: it cannot be proved right now.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request

from models.money import orders, payments, subscriptions, webhooks
from models.money.orders import OrderInfo
from models.money.payments import Change
from models.money.webhooks import Received, WebhookInfo
from web.paypal import disputes
from web.paypal.client import FORBIDDEN, NOT_FOUND, PayPalError, Refused
from web.paypal.outcome import Result
from web.paypal.parsing import PROVIDER, failed_at, linked_capture, read_refund, read_sale_refund
from web.paypal.shop import Shop, shop
from web.paypal.signature import CertificateUnavailable, Forged

logger = logging.getLogger(__name__)

blueprint = Blueprint("webhook", __name__)

LARGEST_BODY = 256 << 10
ANSWER_WITHIN_S = 7.5
"""Whatever PayPal does: what takes longer is stored, and left to upkeep."""

LEFT_TO_UPKEEP_S = 2
HINTS = ("id", "order_id", "dispute_id", "sale_id", "billing_agreement_id", "links")
"""What is stored of an event's resource: where to look. Names and addresses of payers are not."""


class Unfinished(Exception):
    """The event is true but could not be followed to its end now."""


class NotOurs(Exception):
    """The event is true, and about somebody else's business."""


@blueprint.post("/paypal/webhook")
@blueprint.post("/webhook/paypal")
def receive() -> Response:
    """Take one notification."""
    started, now = time.monotonic(), int(time.time())
    webhook_id = shop().webhook_id()
    if webhook_id is None:
        logger.warning("webhook refused: no webhook is registered yet")
        return _answer(503, "no webhook is registered")
    body = request.get_data(cache=False)
    try:
        shop().verifier.verify(request.headers, body, webhook_id, now)
        event = _parse(body)
    except Forged as error:
        logger.warning("webhook refused", extra={"cause": str(error)})
        return _answer(400, "not proved to come from PayPal")
    except CertificateUnavailable as error:
        logger.warning("webhook not proved", extra={"cause": str(error)})
        return _answer(503, "the certificate cannot be fetched now")
    return _take(event, started + ANSWER_WITHIN_S, now)


def _parse(body: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(body.decode())
    except ValueError as error:
        raise Forged("signed, but no JSON") from error
    if not isinstance(event, dict) or not isinstance(event.get("id"), str):
        raise Forged("signed, but no event")
    if not isinstance(event.get("resource"), dict):
        raise Forged("signed, but about nothing")
    found: Mapping[str, Any] = event
    return found


def _take(event: Mapping[str, Any], deadline: float, now: int) -> Response:
    resource = {name: event["resource"][name] for name in HINTS if name in event["resource"]}
    received, stored = webhooks.receive(
        PROVIDER,
        event["id"],
        str(event.get("event_type")),
        str(resource.get("id", "")),
        json.dumps({"resource": resource}),
        now,
    )
    if received is Received.DONE:
        return _answer(200, "known")
    try:
        with shop().paypal.within(max(0.0, deadline - time.monotonic())):
            follow(shop(), stored, now)
    except (Unfinished, PayPalError) as error:
        logger.warning("webhook unfinished", extra={"event": stored.event_id, "cause": str(error)})
        webhooks.retry(stored.id, now + LEFT_TO_UPKEEP_S)
        return _answer(500, "stored, to be finished")
    return _answer(200, "done")


def follow(till: Shop, event: WebhookInfo, now: int) -> None:
    """Look where an event points, record what is there, and with it that the event is done.

    :raises Unfinished: PayPal could not tell yet.
    :raises PayPalError: PayPal could not be asked.
    """
    payments.apply(_changes(till, event, now), now, event.id)


def _changes(till: Shop, event: WebhookInfo, now: int) -> "Changes":
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


Changes = Sequence[Change]
Resource = Mapping[str, Any]


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


def _answer(status: int, text: str) -> Response:
    return Response(text + "\n", status, mimetype="text/plain")
