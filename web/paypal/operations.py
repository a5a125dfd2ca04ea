"""Carries out at PayPal what was asked for in chat: refunds, cancellations, resumed renewals, lookups."""

import logging
from collections.abc import Callable, Mapping

from config.units import DAY_S
from models.money import orders, payments, provider_requests, subscriptions
from models.money.orders import OrderInfo
from models.money.payments import PaymentInfo, RefundFact
from models.money.provider_requests import RequestInfo, RequestKind
from models.money.seller import Result
from models.money.subscriptions import SubscriptionInfo
from web.paypal.client import FORBIDDEN, NOT_FOUND, PayPalError, Refused, Unavailable
from web.paypal.parsing import PROVIDER, identifier, parse_refund, parse_sale_refund
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 15
DOUBLINGS = 8
REASON = "Asked for in the chat"
LIFE_S: Mapping[RequestKind, int] = {
    RequestKind.REFUND: 44 * DAY_S,
    RequestKind.CANCEL_SUBSCRIPTION: 3 * DAY_S,
    RequestKind.RESUME_SUBSCRIPTION: 3 * DAY_S,
    RequestKind.LOOKUP: DAY_S,
}
"""Seconds of retries: PayPal forgets the request id of a refund after 45 days, of a subscription after 3."""

REFUNDED = frozenset({"CAPTURE_FULLY_REFUNDED", "TRANSACTION_ALREADY_REFUNDED"})
STATUS_INVALID = "SUBSCRIPTION_STATUS_INVALID"
ENDED_REFUNDS = frozenset({"FAILED", "CANCELLED"})
NO_PAYMENT = frozenset({400, FORBIDDEN, NOT_FOUND, 422})


class NotPossible(Exception):
    """The request cannot be carried out, now or later. The text is the reason's code, which the chat words."""


class Operations:
    """Carries out the requests of one shop, each with the idempotency key of its row."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._handlers: Mapping[RequestKind, Callable[[RequestInfo, int], str]] = {
            RequestKind.REFUND: self._refund,
            RequestKind.CANCEL_SUBSCRIPTION: self._cancel,
            RequestKind.RESUME_SUBSCRIPTION: self._resume,
            RequestKind.LOOKUP: self._look_up,
        }

    def run(self, request: RequestInfo, now: int) -> None:
        """Carry out a claimed request; its row then says that it is done, has failed, or is retried later."""
        logger.info(
            "request.started", extra={"request": request.id, "kind": str(request.kind), "attempt": request.attempts}
        )
        try:
            if now - request.created_at >= LIFE_S[request.kind]:
                raise NotPossible("gave_up")
            provider_requests.finish(request.id, self._handlers[request.kind](request, now), now)
        except NotPossible as reason:
            provider_requests.fail(request.id, str(reason), now)
        except Refused as refusal:
            _log_refusal(request, refusal)
            provider_requests.fail(request.id, ",".join(sorted(refusal.issues)) or refusal.name or "refused", now)
        except PayPalError as error:
            logger.warning("request.postponed", extra={"request": request.id, "cause": str(error)})
            provider_requests.retry(request.id, now + FIRST_RETRY_S * 2 ** min(request.attempts, DOUBLINGS))

    # Refunds

    def _refund(self, request: RequestInfo, now: int) -> str:
        payment = payments.get(request.payment_id or 0)
        if payment is None:
            raise NotPossible("unknown")
        try:
            fact = self._refunded(payment, request, now)
        except Refused as refusal:
            if not REFUNDED & {refusal.name, *refusal.issues}:
                raise
            self._settle_again(payment, now)
            return "refunded"
        payments.apply([fact], now)
        return "refunded"

    def _refunded(self, payment: PaymentInfo, request: RequestInfo, now: int) -> RefundFact:
        """Refund the amount of the request. PayPal answers a repeat of the request with the same refund.

        :raises Unavailable: the refund is accepted, and still pending.
        """
        paypal, wanted = self._shop.paypal, (payment.remote_id, request.amount, payment.currency, request.request_id)
        if payment.subscription_id is not None:
            made = paypal.sale_refund(identifier(paypal.refund_sale(*wanted)))
            fact = parse_sale_refund(made, payment.remote_id, now)
        else:
            made = paypal.refund(identifier(paypal.refund_capture(*wanted)))
            fact = parse_refund(made, now)
        state = str(made.get("status") or made.get("state")).upper()  # of a sale it is ``state``, in lower case
        if state in ENDED_REFUNDS:
            raise NotPossible("refund_failed")
        if fact is None:
            raise Unavailable(f"refund {identifier(made)} is {state}")
        return fact

    def _settle_again(self, payment: PaymentInfo, now: int) -> None:
        order = orders.get(payment.order_id) if payment.order_id is not None else None
        if order is not None:
            self._shop.settle(order, now)

    # Subscriptions

    def _cancel(self, request: RequestInfo, now: int) -> str:
        known = _subscription(request)
        try:
            self._shop.paypal.cancel_subscription(known.remote_id, REASON, request.request_id)
        except Refused as refusal:
            if STATUS_INVALID not in refusal.issues:
                raise
        self._shop.settle_subscription(known, now)
        if _subscription(request).state in subscriptions.RENEWING:
            raise Unavailable("PayPal still renews it")
        return "cancelled"

    def _resume(self, request: RequestInfo, now: int) -> str:
        known = _subscription(request)
        try:
            self._shop.paypal.activate_subscription(known.remote_id, REASON, request.request_id)
        except Refused as refusal:
            if STATUS_INVALID not in refusal.issues:
                raise
        self._shop.settle_subscription(known, now)
        if _subscription(request).state is not subscriptions.SubscriptionState.ACTIVE:
            raise NotPossible(STATUS_INVALID)
        return "resumed"

    # Lookups

    def _look_up(self, request: RequestInfo, now: int) -> str:
        """A customer says that they paid: find the charge, order or subscription by the id they gave, and settle it."""
        told = request.argument.strip()
        order = orders.by_remote(PROVIDER, told) or orders.by_public(told) or self._order_of(told)
        if order is None or (request.user_id is not None and order.user_id != request.user_id):
            raise NotPossible("not_found")
        result = self._shop.settle(order, now).result
        if result is Result.LATER:
            raise Unavailable("PayPal could not tell how the order stands")
        return str(result.value)

    def _order_of(self, remote_id: str) -> OrderInfo | None:
        try:
            return self._shop.order_of_payment(remote_id)
        except Refused as refusal:
            if refusal.status in NO_PAYMENT:
                return None
            raise


def _subscription(request: RequestInfo) -> SubscriptionInfo:
    known = subscriptions.get(request.subscription_id or 0)
    if known is None:
        raise NotPossible("unknown")
    return known


def _log_refusal(request: RequestInfo, refusal: Refused) -> None:
    logger.warning(
        "request.refused",
        extra={"request": request.id, "issues": sorted(refusal.issues), "debug_id": refusal.debug_id},
    )
