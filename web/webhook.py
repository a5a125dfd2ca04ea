"""PayPal's notifications: proved, remembered once, and then only a hint to look at the API.

400: forged, nothing stored. 200: done, known, of no interest, or about somebody else's order. 500: stored, unfinished;
PayPal repeats, and upkeep goes on by itself. 503: it cannot be proved right now.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request

from models import orders, payments, subscriptions, webhooks
from models.payments import Change, DisputeFact, RefundFact
from models.webhooks import Received, WebhookInfo
from web.checkout import Result, linked_capture, read_refund, timestamp
from web.paypal import PayPalError, minor
from web.shop import Shop, shop
from web.signature import CertificateUnavailable, Forged

logger = logging.getLogger(__name__)

blueprint = Blueprint("webhook", __name__)

LARGEST_BODY = 256 << 10


class Unfinished(Exception):
    """The event is true but could not be followed to its end now."""


@blueprint.post("/paypal/webhook")
@blueprint.post("/webhook/paypal")
def receive() -> Response:
    """Take one notification."""
    now = int(time.time())
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
    return _take(event, body.decode(), now)


def _parse(body: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(body)
    except ValueError as error:
        raise Forged("signed, but no JSON") from error
    if (
        not isinstance(event, dict)
        or not isinstance(event.get("id"), str)
        or not isinstance(event.get("resource"), dict)
    ):
        raise Forged("signed, but no event")
    found: Mapping[str, Any] = event
    return found


def _take(event: Mapping[str, Any], body: str, now: int) -> Response:
    resource_id = str(event["resource"].get("id", ""))
    received, stored = webhooks.receive("paypal", event["id"], str(event.get("event_type")), resource_id, body, now)
    if received is Received.DONE:
        return _answer(200, "known")
    try:
        with shop().paypal.within(shop().patience_s):
            follow(shop(), stored, now)
    except (Unfinished, PayPalError) as error:
        logger.warning("webhook unfinished", extra={"event": stored.event_id, "cause": str(error)})
        return _answer(500, "stored, to be finished")
    return _answer(200, "done")


def follow(till: Shop, event: WebhookInfo, now: int) -> None:
    """Look where an event points, record what is there, and with it that the event is done.

    :raises Unfinished: PayPal could not tell yet.
    :raises PayPalError: PayPal could not be asked.
    """
    look = LOOKS.get(event.event_type)
    resource = json.loads(event.body)["resource"]
    payments.apply(look(till, resource, now) if look else (), now, event.id)


Changes = Sequence[Change]


def _order(till: Shop, resource: Mapping[str, Any], now: int) -> Changes:
    return _of_order(till, str(resource.get("id", "")), now)


def _capture(till: Shop, resource: Mapping[str, Any], now: int) -> Changes:
    return _of_capture(till, str(resource.get("id", "")), now)


def _given_back(till: Shop, resource: Mapping[str, Any], now: int) -> Changes:
    """A refund or reversal: the resource is the refund, the capture is where its link leads."""
    refund = till.paypal.refund(str(resource.get("id", "")))
    capture_id = linked_capture(refund)
    if capture_id is None:
        raise Unfinished("a refund that names no capture")
    fact = read_refund(refund)
    return [*_of_capture(till, capture_id, now), *([fact] if fact else [])]


def _of_capture(till: Shop, capture_id: str, now: int) -> Changes:
    """Look at the order that a capture belongs to."""
    known = payments.find("paypal", capture_id)
    order = orders.get(known.order_id) if known and known.order_id is not None else None
    if order and order.remote_id:
        return _of_order(till, order.remote_id, now)
    capture = till.paypal.capture(capture_id)
    related = (capture.get("supplementary_data") or {}).get("related_ids") or {}
    return _of_order(till, str(related.get("order_id", "")), now)


def _of_order(till: Shop, remote_id: str, now: int) -> Changes:
    order = orders.by_remote("paypal", remote_id)
    if order is None:
        logger.info("webhook about an order that is not ours", extra={"remote_id": remote_id})
        return ()
    look = till.checkout.look(order, now)
    if look.outcome.result is Result.LATER:
        raise Unfinished("PayPal could not tell how the order stands")
    return look.changes


def _dispute(till: Shop, resource: Mapping[str, Any], now: int) -> Changes:
    return read_dispute(till.paypal.dispute(str(resource.get("dispute_id", ""))), now)


def read_dispute(dispute: Mapping[str, Any], now: int) -> list[DisputeFact]:
    """How a dispute stands for each payment of ours that it names."""
    closed, won = None, None
    if dispute.get("status") == "RESOLVED":
        closed = timestamp(dispute.get("update_time"), now)
        won = (dispute.get("dispute_outcome") or {}).get("outcome_code") in WON
    opened = timestamp(dispute.get("create_time"), now)
    return [
        DisputeFact("paypal", str(contested["seller_transaction_id"]), str(dispute["dispute_id"]), opened, closed, won)
        for contested in dispute.get("disputed_transactions") or ()
        if payments.find("paypal", str(contested.get("seller_transaction_id", "")))
    ]


WON = frozenset({"RESOLVED_SELLER_FAVOUR", "CANCELED_BY_BUYER", "DENIED", "RESOLVED_WITH_PAYOUT"})


def _sale(till: Shop, resource: Mapping[str, Any], now: int) -> Changes:
    return _of_subscription(till, str(resource.get("billing_agreement_id", "")), now)


def _sale_given_back(till: Shop, resource: Mapping[str, Any], now: int) -> Changes:
    """A refunded or reversed sale: the v1 resource names the sale, the refund is read by its own id."""
    sale_id = str(resource.get("sale_id", ""))
    if payments.find("paypal", sale_id) is None:
        return ()
    refund = till.paypal.refund(str(resource.get("id", "")))
    amount, _currency = minor(refund["amount"])
    return [RefundFact("paypal", sale_id, str(refund["id"]), amount, timestamp(refund.get("create_time"), now))]


def _subscription(till: Shop, resource: Mapping[str, Any], now: int) -> Changes:
    return _of_subscription(till, str(resource.get("id", "")), now)


def _payment_failed(till: Shop, resource: Mapping[str, Any], now: int) -> Changes:
    remote_id = str(resource.get("id", ""))
    failed = till.paypal.subscription(remote_id).get("billing_info", {}).get("last_failed_payment")
    if failed:
        subscriptions.payment_failed("paypal", remote_id, timestamp(failed.get("time"), now), now)
    return _of_subscription(till, remote_id, now)


def _of_subscription(till: Shop, remote_id: str, now: int) -> Changes:
    known = subscriptions.by_remote("paypal", remote_id)
    if known is None:
        logger.info("webhook about a subscription that is not ours", extra={"remote_id": remote_id})
        return ()
    look = till.renewals.look(known, now)
    if look.outcome.result is Result.LATER:
        raise Unfinished("PayPal could not tell how the subscription stands")
    return look.changes


LOOKS: Mapping[str, Callable[[Shop, Mapping[str, Any], int], Changes]] = {
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
