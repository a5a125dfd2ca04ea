"""Carries out at PayPal what was asked for in chat: refunds, cancellations, resumed renewals, lookups."""

import logging
from collections.abc import Callable, Mapping

from config.units import DAY_S, HOUR_S
from models import outbox
from models.event_kinds import AlertReason
from models.money import orders, payments, provider_requests, subscriptions
from models.money.orders import OrderInfo
from models.money.payments import PaymentInfo, RefundFact
from models.money.provider_requests import RequestInfo, RequestKind
from models.money.seller import Result
from models.money.subscriptions import SubscriptionInfo
from web.paypal import refusals
from web.paypal.client import FORBIDDEN, KEY_LIVES_S, NOT_FOUND, Json, PayPalError, Refused, Unavailable
from web.paypal.parsing import ENDED_REFUNDS, PROVIDER, identifier, parse_refund_of
from web.paypal.refusals import Fate
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 15
DOUBLINGS = 8
REASON = "Asked for in the chat"
LIFE_S: Mapping[RequestKind, int] = {
    RequestKind.REFUND: KEY_LIVES_S["/v2/payments"] - DAY_S,
    RequestKind.CANCEL_SUBSCRIPTION: KEY_LIVES_S["/v1/billing"],
    RequestKind.RESUME_SUBSCRIPTION: KEY_LIVES_S["/v1/billing"],
    RequestKind.LOOKUP: DAY_S,
}
"""Seconds of retries: afterwards PayPal may have forgotten the request id, and a repeat would be another call."""

SHOWN_S = 4 * HOUR_S
"""Seconds after which PayPal's lists show what was done: what they lack then has not happened."""

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
        """Carry out a claimed request; its row then says that it is done, has failed, or is retried later.

        A refusal ends it only inside its handler, by a table. Any other one leaves it open, with its key.
        """
        logger.info(
            "request.started", extra={"request": request.id, "kind": str(request.kind), "attempt": request.attempts}
        )
        try:
            result = self._handlers[request.kind](request, now)
            provider_requests.finish(request.id, result, now)
        except NotPossible as reason:
            provider_requests.fail(request.id, str(reason), now)
        except PayPalError as error:
            logger.warning("request.postponed", extra={"request": request.id, "cause": str(error)})
            provider_requests.retry(request.id, now + FIRST_RETRY_S * 2 ** min(request.attempts, DOUBLINGS))

    # Refunds

    def _refund(self, request: RequestInfo, now: int) -> str:
        payment = payments.get(request.payment_id or 0)
        if payment is None:
            raise NotPossible("unknown")
        if _is_too_old(request, now):
            if self._look_for_refund(payment, request, now):
                return "refunded"
            raise NotPossible("gave_up")
        provider_requests.sending(request.id)
        try:
            made = self._send_refund(payment, request)
        except Refused as refusal:
            return self._refund_refused(payment, request, refusal, now)
        except Unavailable:
            if not request.sent:
                provider_requests.not_sent(request.id)
            raise
        payments.apply([self._made(payment, made, now)], now)
        return "refunded"

    def _send_refund(self, payment: PaymentInfo, request: RequestInfo) -> Json:
        """Refund the amount of the request. PayPal answers a repeat of the request with the same refund."""
        wanted = (payment.remote_id, request.amount, payment.currency, request.request_id)
        if payment.subscription_id is not None:
            return self._shop.paypal.refund_sale(*wanted)
        return self._shop.paypal.refund_capture(*wanted)

    def _made(self, payment: PaymentInfo, answer: Json, now: int) -> RefundFact:
        """The refund that PayPal has made, as it stands now.

        :raises NotPossible: PayPal made none in the end.
        :raises Unavailable: it is still pending, or PayPal does not show it yet.
        """
        refund_id = identifier(answer)
        try:
            made = self._read_refund(payment, refund_id)
        except Refused as refusal:  # the refund is made, so this refusal says nothing about it
            raise Unavailable(f"refund {refund_id} is not shown: {refusal}", refusal.debug_id) from refusal
        fact = parse_refund_of(payment, made, now)
        state = str(made.get("status") or made.get("state")).upper()  # of a sale it is ``state``, in lower case
        if state in ENDED_REFUNDS:
            raise NotPossible("refund_failed")
        if fact is None:
            raise Unavailable(f"refund {refund_id} is {state}")
        return fact

    def _read_refund(self, payment: PaymentInfo, refund_id: str) -> Json:
        if payment.subscription_id is not None:
            return self._shop.paypal.sale_refund(refund_id)
        return self._shop.paypal.refund(refund_id)

    def _refund_refused(self, payment: PaymentInfo, request: RequestInfo, refusal: Refused, now: int) -> str:
        """What a refusal means, after a look at what PayPal has refunded.

        :raises NotPossible: the refund was not made, and never will be.
        :raises Refused: that is not certain, so the request stays open.
        """
        _log_refusal(request, refusal)
        fate = refusals.fate(refusal, refusals.REFUND)
        is_clear = fate is Fate.FINAL and not request.sent
        if is_clear:
            provider_requests.not_sent(request.id)
        if self._look_for_refund(payment, request, now):
            return "refunded"
        if is_clear or (fate is Fate.FINAL and now - request.created_at >= SHOWN_S):
            raise NotPossible(refusals.reason(refusal))
        if fate is Fate.UNKNOWN:
            issues = refusals.reason(refusal)
            detail = {"provider": PROVIDER, "remote_id": payment.remote_id, "issues": issues}
            outbox.alert(AlertReason.REFUND_OPEN, detail, now, key=f"refund_open:{request.id}")
        raise refusal

    def _look_for_refund(self, payment: PaymentInfo, request: RequestInfo, now: int) -> bool:
        """Record what PayPal shows of the payment; True when it shows the refund of the request."""
        order = orders.get(payment.order_id) if payment.order_id is not None else None
        if order is not None:
            self._settled(lambda: self._shop.settle(order, now))
        found = payments.get(payment.id)
        return found is not None and (
            found.refunded >= found.amount or payments.refunded_since(payment.id, request.amount, request.created_at)
        )

    def _settled(self, settle: Callable[[], object]) -> None:
        """Record what PayPal shows: nothing of what it does not have, such as the sales of another account."""
        try:
            settle()
        except Refused as refusal:
            if refusal.status != NOT_FOUND:
                raise
            logger.warning("request.hidden", extra={"cause": str(refusal)})

    # Subscriptions

    def _cancel(self, request: RequestInfo, now: int) -> str:
        if self._is_changed(request, self._shop.paypal.cancel_subscription, _is_ended, now):
            return "cancelled"
        raise Unavailable("PayPal still renews it")

    def _resume(self, request: RequestInfo, now: int) -> str:
        if self._is_changed(request, self._shop.paypal.activate_subscription, _is_active, now):
            return "resumed"
        raise NotPossible("SUBSCRIPTION_STATUS_INVALID")

    def _is_changed(
        self,
        request: RequestInfo,
        change: Callable[[str, str, str], None],
        is_reached: Callable[[SubscriptionInfo], bool],
        now: int,
    ) -> bool:
        """Ask PayPal for a change of a subscription, and read afterwards whether its state was reached.

        :raises NotPossible: PayPal refuses it for good, or has forgotten the request.
        :raises Refused: for a reason that no table holds, and the state was not reached.
        """
        known, refused = _subscription(request), None
        if not _is_too_old(request, now):
            try:
                change(known.remote_id, REASON, request.request_id)
            except Refused as refusal:
                refused = refusal
        self._settled(lambda: self._shop.settle_subscription(known, now))
        if is_reached(_subscription(request)):
            return True
        if _is_too_old(request, now):
            raise NotPossible("gave_up")
        if refused is not None:
            _judge_change(request, refused)
        return False

    # Lookups

    def _look_up(self, request: RequestInfo, now: int) -> str:
        """A customer says that they paid: find the charge, order or subscription by the id they gave, and settle it."""
        if _is_too_old(request, now):
            raise NotPossible("gave_up")
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


def _judge_change(request: RequestInfo, refusal: Refused) -> None:
    """What follows a refused change of a subscription that did not come about.

    :raises NotPossible: PayPal refuses it for good.
    :raises Refused: for a reason that no table holds, so it is tried again.
    """
    _log_refusal(request, refusal)
    fate = refusals.fate(refusal, refusals.RENEWAL)
    if fate is Fate.FINAL:
        raise NotPossible(refusals.reason(refusal))
    if fate is Fate.UNKNOWN:
        raise refusal


def _is_ended(known: SubscriptionInfo) -> bool:
    return known.state not in subscriptions.RENEWING


def _is_active(known: SubscriptionInfo) -> bool:
    return known.state is subscriptions.SubscriptionState.ACTIVE


def _is_too_old(request: RequestInfo, now: int) -> bool:
    """Whether PayPal may have forgotten the request: it would carry out a repeat as another one."""
    return now - request.created_at >= LIFE_S[request.kind]


def _log_refusal(request: RequestInfo, refusal: Refused) -> None:
    logger.warning(
        "request.refused",
        extra={"request": request.id, "issues": sorted(refusal.issues), "debug_id": refusal.debug_id},
    )
