"""Remote work asked for in chat, carried out at PayPal: refunds, cancellations, look-ups."""

import logging

from models import orders, payments, requests, subscriptions
from models.payments import PaymentInfo, RefundFact
from models.requests import Kind, RequestInfo
from web.checkout import Result, read_refund, timestamp
from web.paypal import OutcomeUnknown, PayPalError, Refused, Unavailable, minor
from web.shop import Shop

logger = logging.getLogger(__name__)

RETRY_S = 15
DONE_ALREADY = frozenset({"CAPTURE_FULLY_REFUNDED", "SUBSCRIPTION_STATUS_INVALID"})


class Errands:
    """Carries out requests of one shop, each with the idempotency key of its row."""

    def __init__(self, till: Shop) -> None:
        self._till = till

    def run_all(self, now: int) -> None:
        """Carry out every request that is due."""
        while errand := requests.claim("paypal", now):
            self._run(errand, now)

    def _run(self, errand: RequestInfo, now: int) -> None:
        logger.info("request", extra={"request": errand.id, "kind": str(errand.kind), "attempt": errand.attempts})
        try:
            self._carry_out(errand, now)
        except Refused as refusal:
            self._refused(errand, refusal, now)
        except PayPalError as error:
            logger.warning("request put off", extra={"request": errand.id, "cause": str(error)})
            requests.retry(errand.id, now + RETRY_S * 2 ** min(errand.attempts, 8))

    def _carry_out(self, errand: RequestInfo, now: int) -> None:
        match errand.kind:
            case Kind.REFUND:
                self._refund(errand, now)
            case Kind.CANCEL_SUBSCRIPTION:
                self._end_renewals(errand, now)
            case Kind.RESUME_SUBSCRIPTION:
                self._resume(errand, now)
            case Kind.LOOKUP:
                self._look_up(errand, now)

    def _refund(self, errand: RequestInfo, now: int) -> None:
        payment = _payment(errand)
        made = self._till.paypal.refund_capture(payment.remote_id, errand.amount, payment.currency, errand.request_id)
        fact = read_refund(made)
        if fact is None:
            fact = self._pending_refund(str(made["id"]), payment)
        payments.apply([fact], now)
        requests.finish(errand.id, "refunded", now)

    def _pending_refund(self, refund_id: str, payment: PaymentInfo) -> RefundFact:
        """Read a refund that was accepted but not completed, or whose answer named no capture.

        :raises Unavailable: it is still on its way.
        """
        refund = self._till.paypal.refund(refund_id)
        if refund.get("status") != "COMPLETED":
            raise Unavailable(f"refund {refund_id} is {refund.get('status')}")
        amount, _currency = minor(refund["amount"])
        return RefundFact("paypal", payment.remote_id, refund_id, amount, timestamp(refund.get("create_time"), 0))

    def _end_renewals(self, errand: RequestInfo, now: int) -> None:
        known = subscriptions.get(errand.subscription_id or 0)
        if known is None:
            requests.fail(errand.id, "unknown", now)
            return
        self._till.paypal.cancel_subscription(known.remote_id, "Asked for by the customer", errand.request_id)
        self._till.look_at_subscription(known, now)
        requests.finish(errand.id, "cancelled", now)

    def _resume(self, errand: RequestInfo, now: int) -> None:
        known = subscriptions.get(errand.subscription_id or 0)
        if known is None:
            requests.fail(errand.id, "unknown", now)
            return
        self._till.paypal.activate_subscription(known.remote_id, "Asked for by the customer", errand.request_id)
        self._till.look_at_subscription(known, now)
        requests.finish(errand.id, "resumed", now)

    def _look_up(self, errand: RequestInfo, now: int) -> None:
        """A customer says that he paid: find the charge, the order or the subscription by its id, and settle it."""
        identifier = errand.argument.strip()
        order = orders.by_remote("paypal", identifier) or orders.by_public(identifier) or self._order_of(identifier)
        if order is None or (errand.user_id is not None and order.user_id != errand.user_id):
            requests.fail(errand.id, "not_found", now)
            return
        result = self._till.reconcile(order, now).result
        if result is Result.LATER:
            raise Unavailable("PayPal could not tell how the order stands")
        requests.finish(errand.id, result.value, now)

    def _order_of(self, capture_id: str) -> orders.OrderInfo | None:
        known = payments.find("paypal", capture_id)
        if known and known.order_id is not None:
            return orders.get(known.order_id)
        try:
            capture = self._till.paypal.capture(capture_id)
        except Refused as refusal:
            if refusal.status in (400, 404, 422):
                return None
            raise
        return orders.by_public(str(capture.get("custom_id", "")))

    def _refused(self, errand: RequestInfo, refusal: Refused, now: int) -> None:
        logger.warning(
            "request refused",
            extra={"request": errand.id, "issues": sorted(refusal.issues), "debug_id": refusal.debug_id},
        )
        if errand.kind is Kind.REFUND and "CAPTURE_FULLY_REFUNDED" in refusal.issues:
            self._settle_again(errand, now)
            requests.finish(errand.id, "refunded", now)
        elif refusal.issues & DONE_ALREADY:
            known = subscriptions.get(errand.subscription_id or 0)
            if known:
                self._till.look_at_subscription(known, now)
            requests.finish(errand.id, "cancelled", now)
        else:
            requests.fail(errand.id, ",".join(sorted(refusal.issues)) or refusal.name or "refused", now)

    def _settle_again(self, errand: RequestInfo, now: int) -> None:
        payment = _payment(errand)
        order = orders.get(payment.order_id) if payment.order_id is not None else None
        if order:
            self._till.reconcile(order, now)


def _payment(errand: RequestInfo) -> PaymentInfo:
    payment = payments.get(errand.payment_id or 0)
    if payment is None:
        raise OutcomeUnknown(f"request {errand.id} names no payment")
    return payment
