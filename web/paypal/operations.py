"""Remote work asked for in chat, carried out at PayPal: refunds, cancellations, look-ups."""

import logging
from collections.abc import Callable, Mapping

from models.money import orders, payments, provider_requests, subscriptions
from models.money.orders import OrderInfo
from models.money.payments import PaymentInfo, RefundFact
from models.money.provider_requests import RequestInfo, RequestKind
from models.money.subscriptions import SubscriptionInfo
from web.paypal.client import FORBIDDEN, NOT_FOUND, PayPalError, Refused, Unavailable
from web.paypal.outcome import Result
from web.paypal.parsing import PROVIDER, identifier, read_refund, read_sale_refund
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 15
DOUBLINGS = 8
REASON = "Asked for in the chat"
DAY_S = 86_400
LIFE_S: Mapping[RequestKind, int] = {
    RequestKind.REFUND: 44 * DAY_S,
    RequestKind.CANCEL_SUBSCRIPTION: 3 * DAY_S,
    RequestKind.RESUME_SUBSCRIPTION: 3 * DAY_S,
    RequestKind.LOOKUP: DAY_S,
}
"""How long a request is tried: PayPal forgets the request id of a refund after 45 days, of a subscription after 3."""

REFUNDED = frozenset({"CAPTURE_FULLY_REFUNDED", "TRANSACTION_ALREADY_REFUNDED"})
STATUS_INVALID = "SUBSCRIPTION_STATUS_INVALID"
ENDED_REFUNDS = frozenset({"FAILED", "CANCELLED"})
NO_PAYMENT = frozenset({400, FORBIDDEN, NOT_FOUND, 422})


class NotPossible(Exception):
    """It cannot be done, and trying again would not help. The text is the code that is told in chat."""


class Operations:
    """Carries out requests of one shop, each with the idempotency key of its row."""

    def __init__(self, till: Shop) -> None:
        self._till = till
        self._acts: Mapping[RequestKind, Callable[[RequestInfo, int], str]] = {
            RequestKind.REFUND: self._refund,
            RequestKind.CANCEL_SUBSCRIPTION: self._end_renewals,
            RequestKind.RESUME_SUBSCRIPTION: self._resume,
            RequestKind.LOOKUP: self._look_up,
        }

    def run(self, errand: RequestInfo, now: int) -> None:
        """Carry out a request that was claimed: it is done, has failed, or is tried again later."""
        logger.info("request", extra={"request": errand.id, "kind": str(errand.kind), "attempt": errand.attempts})
        try:
            if now - errand.created_at >= LIFE_S[errand.kind]:
                raise NotPossible("gave_up")
            provider_requests.finish(errand.id, self._acts[errand.kind](errand, now), now)
        except NotPossible as reason:
            provider_requests.fail(errand.id, str(reason), now)
        except Refused as refusal:
            _log_refusal(errand, refusal)
            provider_requests.fail(errand.id, ",".join(sorted(refusal.issues)) or refusal.name or "refused", now)
        except PayPalError as error:
            logger.warning("request put off", extra={"request": errand.id, "cause": str(error)})
            provider_requests.retry(errand.id, now + FIRST_RETRY_S * 2 ** min(errand.attempts, DOUBLINGS))

    # Refunds

    def _refund(self, errand: RequestInfo, now: int) -> str:
        payment = payments.get(errand.payment_id or 0)
        if payment is None:
            raise NotPossible("unknown")
        try:
            fact = self._give_back(payment, errand, now)
        except Refused as refusal:
            if not REFUNDED & {refusal.name, *refusal.issues}:
                raise
            self._settle_again(payment, now)
            return "refunded"
        payments.apply([fact], now)
        return "refunded"

    def _give_back(self, payment: PaymentInfo, errand: RequestInfo, now: int) -> RefundFact:
        """Refund what was asked for; a repeat of the same request is answered with the same refund.

        :raises Unavailable: it is accepted, and still on its way.
        """
        paypal, wanted = self._till.paypal, (payment.remote_id, errand.amount, payment.currency, errand.request_id)
        if payment.subscription_id is not None:
            made = paypal.sale_refund(identifier(paypal.refund_sale(*wanted)))
            fact = read_sale_refund(made, payment.remote_id, now)
        else:
            made = paypal.refund(identifier(paypal.refund_capture(*wanted)))
            fact = read_refund(made, now)
        state = str(made.get("status") or made.get("state")).upper()  # of a sale it is ``state``, in lower case
        if state in ENDED_REFUNDS:
            raise NotPossible("refund_failed")
        if fact is None:
            raise Unavailable(f"refund {identifier(made)} is {state}")
        return fact

    def _settle_again(self, payment: PaymentInfo, now: int) -> None:
        order = orders.get(payment.order_id) if payment.order_id is not None else None
        if order is not None:
            self._till.settle(order, now)

    # Subscriptions

    def _end_renewals(self, errand: RequestInfo, now: int) -> str:
        known = _subscription(errand)
        try:
            self._till.paypal.cancel_subscription(known.remote_id, REASON, errand.request_id)
        except Refused as refusal:
            if STATUS_INVALID not in refusal.issues:
                raise
        self._till.settle_subscription(known, now)
        if _subscription(errand).state in subscriptions.RENEWING:
            raise Unavailable("PayPal still renews it")
        return "cancelled"

    def _resume(self, errand: RequestInfo, now: int) -> str:
        known = _subscription(errand)
        try:
            self._till.paypal.activate_subscription(known.remote_id, REASON, errand.request_id)
        except Refused as refusal:
            if STATUS_INVALID not in refusal.issues:
                raise
        self._till.settle_subscription(known, now)
        if _subscription(errand).state is not subscriptions.SubscriptionState.ACTIVE:
            raise NotPossible(STATUS_INVALID)
        return "resumed"

    # Look-ups

    def _look_up(self, errand: RequestInfo, now: int) -> str:
        """A customer says that he paid: find the charge, the order or the subscription by its id, and settle it."""
        told = errand.argument.strip()
        order = orders.by_remote(PROVIDER, told) or orders.by_public(told) or self._order_of(told)
        if order is None or (errand.user_id is not None and order.user_id != errand.user_id):
            raise NotPossible("not_found")
        result = self._till.settle(order, now).result
        if result is Result.LATER:
            raise Unavailable("PayPal could not tell how the order stands")
        return str(result.value)

    def _order_of(self, remote_id: str) -> OrderInfo | None:
        try:
            return self._till.order_of_payment(remote_id)
        except Refused as refusal:
            if refusal.status in NO_PAYMENT:
                return None
            raise


def _subscription(errand: RequestInfo) -> SubscriptionInfo:
    known = subscriptions.get(errand.subscription_id or 0)
    if known is None:
        raise NotPossible("unknown")
    return known


def _log_refusal(errand: RequestInfo, refusal: Refused) -> None:
    logger.warning(
        "request refused",
        extra={"request": errand.id, "issues": sorted(refusal.issues), "debug_id": refusal.debug_id},
    )
