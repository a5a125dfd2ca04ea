"""A purchase through PayPal: opened once, compared before its money is taken, taken once, settled.

``reconcile`` is the one way from "something may have happened at PayPal" to our ledger. The return page, the webhook
and upkeep all call it; PayPal's own answer is the truth, whatever brought us here. Network first, then one transaction
with all that was seen, never one inside the other.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from config.plans import Plans
from config.texts import Texts
from models import notes, orders, payments
from models.orders import OrderInfo
from models.payments import Change, Fact, RefundFact, State
from web.paypal import OutcomeUnknown, PayPal, Refused, Unavailable, minor, money

logger = logging.getLogger(__name__)

PROVIDER = "paypal"
MERCHANT_NOTE = "paypal_merchant"
SUCCESS_PATH, CANCEL_PATH = "/paypal/success", "/paypal/cancel"


class Result(Enum):
    """How a purchase stands, as its buyer is to hear it."""

    PAID = "paid"
    PENDING = "pending"
    NOT_APPROVED = "not_approved"
    DECLINED = "declined"
    OVER = "over"
    REFUNDED = "refunded"
    TROUBLE = "trouble"  # something does not fit: the operator has been told
    LATER = "later"  # PayPal cannot be asked now; the poller goes on


@dataclass(frozen=True)
class Outcome:
    """How a purchase stands. ``approve_url`` is where the buyer can (still) approve, ``reference`` the charge's id."""

    result: Result
    approve_url: str | None = None
    reference: str = ""


@dataclass(frozen=True)
class Look:
    """One look at PayPal: what to tell, and what to record."""

    outcome: Outcome
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Reading:
    """PayPal's order in our terms. ``fault`` says what keeps it from being ours; then nothing else may be used."""

    status: str
    fault: str = ""
    approve_url: str | None = None
    facts: tuple[Fact, ...] = ()
    refunds: tuple[RefundFact, ...] = ()


ORDER_STATES = {
    "CREATED": "waiting",
    "SAVED": "waiting",
    "PAYER_ACTION_REQUIRED": "waiting",
    "APPROVED": "approved",
    "COMPLETED": "completed",
    "VOIDED": "over",
}
CAPTURE_STATES = {
    "COMPLETED": State.COMPLETED,
    "REFUNDED": State.COMPLETED,
    "PARTIALLY_REFUNDED": State.COMPLETED,
    "PENDING": State.PENDING,
    "DECLINED": State.DENIED,
    "FAILED": State.DENIED,
}
NOT_YET = frozenset({"ORDER_NOT_APPROVED", "PAYER_ACTION_REQUIRED"})
DECLINES = frozenset({"INSTRUMENT_DECLINED", "PAYER_CANNOT_PAY", "TRANSACTION_REFUSED", "CARD_EXPIRED", "CARD_CLOSED"})
ALREADY = frozenset({"ORDER_ALREADY_CAPTURED", "DUPLICATE_INVOICE_ID", "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED"})


class Checkout:
    """Sells through one PayPal account.

    :param backend_url: where the world reaches our pages.
    """

    def __init__(self, paypal: PayPal, plans: Plans, backend_url: str) -> None:
        self._paypal = paypal
        self._plans = plans
        self._backend_url = backend_url

    def open(self, order: OrderInfo, texts: Texts, now: int) -> str:
        """Return the page at PayPal where *order* is approved; a repeated click finds the same one.

        :raises PayPalError: it could not be opened.
        """
        if order.remote_id and order.approve_url:
            return order.approve_url
        request_id = orders.request_id(order.id, "create", now)
        remote = self._paypal.create_order(self._body(order, texts), request_id)
        url = approve_url(remote)
        if url is None:
            raise Unavailable("PayPal gave no page to approve the order on")
        _remember_merchant(remote, now)
        orders.attach_remote(order.id, str(remote["id"]), now, url)
        return url

    def reconcile(self, order: OrderInfo, now: int, webhook_id: int | None = None) -> Outcome:
        """Bring our ledger to where PayPal stands with *order*, taking the money if it is approved."""
        look = self.look(order, now)
        if look.outcome.result is not Result.LATER:
            payments.apply(look.changes, now, webhook_id)
        return look.outcome

    def look(self, order: OrderInfo, now: int) -> Look:
        """Do the network's part of :meth:`reconcile`."""
        if order.remote_id is None:
            return Look(Outcome(Result.NOT_APPROVED))
        try:
            return self._look(order, order.remote_id, now)
        except Refused as refusal:
            return Look(self._refused(order, refusal, now))
        except (Unavailable, OutcomeUnknown) as error:
            logger.warning("order not settled yet", extra={"order": order.id, "cause": str(error)})
            return Look(Outcome(Result.LATER, order.approve_url))

    def _look(self, order: OrderInfo, remote_id: str, now: int) -> Look:
        reading = self._read(order, remote_id)
        if reading.status == "approved" and not reading.fault:
            reading = self._capture(order, remote_id, now)
        if reading.fault:
            logger.error("order does not fit", extra={"order": order.id, "fault": reading.fault})
            orders.doubt(order.id, reading.fault, now)
            return Look(Outcome(Result.TROUBLE))
        return Look(outcome_of(order, reading), (*reading.facts, *reading.refunds))

    def _read(self, order: OrderInfo, remote_id: str) -> Reading:
        return read_order(self._paypal.order(remote_id), order, _merchant())

    def _capture(self, order: OrderInfo, remote_id: str, now: int) -> Reading:
        """Take the money. Whatever came of it, what is recorded is what the order then says."""
        request_id = orders.request_id(order.id, "capture", now)
        try:
            self._paypal.capture_order(remote_id, request_id)
        except OutcomeUnknown as error:
            logger.warning("capture without an answer", extra={"order": order.id, "cause": str(error)})
        except Refused as refusal:
            if not refusal.issues & ALREADY:
                raise
        return self._read(order, remote_id)

    def _refused(self, order: OrderInfo, refusal: Refused, now: int) -> Outcome:
        logger.warning(
            "paypal refused",
            extra={"order": order.id, "issues": sorted(refusal.issues), "debug_id": refusal.debug_id},
        )
        if refusal.status == 404:
            orders.expire(order.id, now)
            return Outcome(Result.OVER)
        if refusal.issues & NOT_YET:
            return Outcome(Result.NOT_APPROVED, order.approve_url)
        if refusal.issues & DECLINES:
            return Outcome(Result.DECLINED, order.approve_url)
        orders.doubt(order.id, str(refusal), now)
        return Outcome(Result.TROUBLE)

    def _body(self, order: OrderInfo, texts: Texts) -> dict[str, Any]:
        plan = self._plans.by_code(order.plan_code)
        title = plan.title_in(texts.language) if plan else order.plan_code
        description = f"{title}, {texts.duration(order.seconds)}"
        return {
            "intent": "CAPTURE",
            "purchase_units": [
                {
                    "custom_id": order.public_id,
                    "invoice_id": order.public_id,
                    "description": description[:127],
                    "amount": money(order.amount, order.currency),
                }
            ],
            "payment_source": {"paypal": {"experience_context": self._experience(texts)}},
        }

    def _experience(self, texts: Texts) -> dict[str, str]:
        return {
            "brand_name": "Peaje",
            "locale": LOCALES[texts.language],
            "shipping_preference": "NO_SHIPPING",
            "user_action": "PAY_NOW",
            "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
            "return_url": self._backend_url + SUCCESS_PATH,
            "cancel_url": self._backend_url + CANCEL_PATH,
        }


LOCALES = {"en": "en-US", "es": "es-ES"}


def approve_url(remote: Mapping[str, Any]) -> str | None:
    """Where the buyer approves: the link named ``payer-action``, formerly ``approve``."""
    links = {link.get("rel"): link.get("href") for link in remote.get("links") or ()}
    return links.get("payer-action") or links.get("approve")


def read_order(remote: Mapping[str, Any], order: OrderInfo, merchant: str | None) -> Reading:
    """Translate PayPal's order, after comparing it with ours. Unknown words are tolerated and grant nothing."""
    status = ORDER_STATES.get(str(remote.get("status")), "unknown")
    units = remote.get("purchase_units") or []
    if len(units) != 1:
        return Reading(status, f"{len(units)} purchase units instead of one")
    unit = units[0]
    fault = _difference(unit, order, merchant)
    if fault:
        return Reading(status, fault)
    moved = unit.get("payments") or {}
    facts = [_fact(capture, order) for capture in moved.get("captures") or ()]
    refunds = [read_refund(refund) for refund in moved.get("refunds") or ()]
    return Reading(
        status,
        approve_url=approve_url(remote),
        facts=tuple(fact for fact in facts if fact),
        refunds=tuple(refund for refund in refunds if refund),
    )


def _difference(unit: Mapping[str, Any], order: OrderInfo, merchant: str | None) -> str:
    if unit.get("custom_id") != order.public_id:
        return "another purchase's custom_id"
    try:
        amount, currency = minor(unit.get("amount") or {})
    except (ValueError, KeyError) as error:
        return f"unreadable amount: {error}"
    if (amount, currency) != (order.amount, order.currency):
        return f"{amount} {currency} instead of {order.amount} {order.currency}"
    payee = (unit.get("payee") or {}).get("merchant_id")
    if merchant and payee and payee != merchant:
        return f"paid to another merchant, {payee}"
    return ""


def _fact(capture: Mapping[str, Any], order: OrderInfo) -> Fact | None:
    state = CAPTURE_STATES.get(str(capture.get("status")))
    if state is None:
        logger.warning("unknown capture status", extra={"order": order.id, "status": capture.get("status")})
        return None
    amount, currency = minor(capture["amount"])
    created = timestamp(capture.get("create_time"), order.created_at)
    return Fact(
        provider=PROVIDER,
        remote_id=str(capture["id"]),
        order_public_id=order.public_id,
        subscription_remote_id=None,
        user_id=order.user_id,
        amount=amount,
        currency=currency,
        state=state,
        created_at=created,
        at=timestamp(capture.get("update_time"), created),
    )


def read_refund(refund: Mapping[str, Any]) -> RefundFact | None:
    """A refund in our terms; None while it is not completed."""
    capture_id = linked_capture(refund)
    if refund.get("status") != "COMPLETED" or capture_id is None:
        return None
    amount, _currency = minor(refund["amount"])
    return RefundFact(PROVIDER, capture_id, str(refund["id"]), amount, timestamp(refund.get("create_time"), 0))


def linked_capture(refund: Mapping[str, Any]) -> str | None:
    """The id of the capture that a refund gives back: the last segment of its ``up`` link."""
    for link in refund.get("links") or ():
        if link.get("rel") == "up" and "/captures/" in str(link.get("href")):
            return str(link["href"]).rstrip("/").rsplit("/", 1)[-1]
    return None


def outcome_of(order: OrderInfo, reading: Reading) -> Outcome:
    """What the buyer is to hear of a reading that fits."""
    states = {fact.state: fact for fact in reading.facts}
    if State.COMPLETED in states:
        reference = states[State.COMPLETED].remote_id
        given_back = sum(refund.amount for refund in reading.refunds if refund.payment_remote_id == reference)
        return Outcome(Result.REFUNDED if given_back >= order.amount else Result.PAID, reference=reference)
    if State.PENDING in states:
        return Outcome(Result.PENDING, reference=states[State.PENDING].remote_id)
    if State.DENIED in states:
        return Outcome(Result.DECLINED, reading.approve_url or order.approve_url)
    if reading.status == "over":
        return Outcome(Result.OVER)
    if reading.status in ("waiting", "approved"):
        return Outcome(Result.NOT_APPROVED, reading.approve_url or order.approve_url)
    return Outcome(Result.LATER)


def timestamp(text: object, default: int) -> int:
    """PayPal's RFC 3339 instant as Unix seconds; *default* where there is none."""
    if not isinstance(text, str) or not text:
        return default
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


def _remember_merchant(remote: Mapping[str, Any], now: int) -> None:
    """Keep who the payee of our own orders is, so that another's order can be told from ours."""
    units = remote.get("purchase_units") or [{}]
    merchant = (units[0].get("payee") or {}).get("merchant_id")
    if merchant and not notes.get(MERCHANT_NOTE):
        notes.put(MERCHANT_NOTE, merchant, now)


def _merchant() -> str | None:
    known = notes.get(MERCHANT_NOTE)
    return known if isinstance(known, str) else None
