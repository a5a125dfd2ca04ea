"""PayPal's answers in our terms: pure functions of what it said.

Its words are translated by table, once; an unknown word is tolerated and grants nothing. Its instants are taken to be
past: where its clock runs ahead of ours, a payment counts from now rather than from later.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from models.money import subscriptions
from models.money.orders import OrderInfo
from models.money.payments import DisputeFact, Fact, PaymentState, RefundFact
from models.money.subscriptions import SubscriptionInfo
from web.paypal.client import Unavailable, Unreadable, minor
from web.paypal.outcome import Outcome, Result

logger = logging.getLogger(__name__)

PROVIDER = "paypal"


class Stage(Enum):
    """How far PayPal's order has come. Completed does not mean paid: its captures tell that."""

    WAITING = "waiting"
    APPROVED = "approved"
    COMPLETED = "completed"
    OVER = "over"
    UNKNOWN = "unknown"


STAGES = {
    "CREATED": Stage.WAITING,
    "SAVED": Stage.WAITING,
    "PAYER_ACTION_REQUIRED": Stage.WAITING,
    "APPROVED": Stage.APPROVED,
    "COMPLETED": Stage.COMPLETED,
    "VOIDED": Stage.OVER,
}
CAPTURE_STATES = {
    "COMPLETED": PaymentState.COMPLETED,
    "REFUNDED": PaymentState.COMPLETED,
    "PARTIALLY_REFUNDED": PaymentState.COMPLETED,
    "PENDING": PaymentState.PENDING,
    "DECLINED": PaymentState.DENIED,
    "FAILED": PaymentState.DENIED,
}
SALE_STATES = {**CAPTURE_STATES, "DENIED": PaymentState.DENIED}
SUBSCRIPTION_STATES = {
    "APPROVAL_PENDING": subscriptions.SubscriptionState.PENDING,
    "APPROVED": subscriptions.SubscriptionState.PENDING,
    "ACTIVE": subscriptions.SubscriptionState.ACTIVE,
    "SUSPENDED": subscriptions.SubscriptionState.SUSPENDED,
    "CANCELLED": subscriptions.SubscriptionState.CANCELLED,
    "EXPIRED": subscriptions.SubscriptionState.EXPIRED,
}
VERDICTS = {
    "RESOLVED_SELLER_FAVOUR": True,
    "RESOLVED_WITH_PAYOUT": True,
    "CANCELED_BY_BUYER": True,
    "DENIED": True,
    "RESOLVED_BUYER_FAVOUR": False,
    "ACCEPTED": False,
}
"""Who has won a dispute, from our side. Others, ``NONE`` for instance, decide nothing."""


@dataclass(frozen=True)
class Reading:
    """PayPal's order in our terms.

    ``fault`` says what keeps it from being ours. Money that came in spite of it is among the ``facts``, to be recorded.
    """

    stage: Stage
    fault: str = ""
    approve_url: str | None = None
    facts: tuple[Fact, ...] = ()
    refunds: tuple[RefundFact, ...] = ()


@contextlib.contextmanager
def readable(what: str) -> Iterator[None]:
    """Take an answer of a shape that no answer should have for none at all.

    :raises Unreadable: in place of what went wrong over its parts.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"{what} cannot be read: {error!r}") from error


def read_order(remote: Mapping[str, Any], order: OrderInfo, merchant: str | None, now: int) -> Reading:
    """Translate PayPal's order, after comparing it with ours.

    :raises Unreadable: it is none that can be read.
    """
    with readable("the order"):
        stage = STAGES.get(str(remote.get("status")), Stage.UNKNOWN)
        units = remote.get("purchase_units") or []
        if len(units) != 1:
            return Reading(stage, f"{len(units)} purchase units instead of one")
        fault = _foreign(units[0], order, merchant)
        if fault:
            return Reading(stage, fault)
        moved = units[0].get("payments") or {}
        facts = [read_capture(capture, order, now) for capture in moved.get("captures") or ()]
        refunds = [read_refund(refund, now) for refund in moved.get("refunds") or ()]
        return Reading(
            stage,
            _difference(units[0], order),
            approve_url(remote.get("links")),
            tuple(fact for fact in facts if fact),
            tuple(refund for refund in refunds if refund),
        )


def _foreign(unit: Mapping[str, Any], order: OrderInfo, merchant: str | None) -> str:
    """What tells that a purchase unit is not this purchase, or not paid to us."""
    if unit.get("custom_id") != order.public_id:
        return "another purchase's custom_id"
    payee = (unit.get("payee") or {}).get("merchant_id")
    if merchant and payee and payee != merchant:
        return f"paid to another merchant, {payee}"
    return ""


def _difference(unit: Mapping[str, Any], order: OrderInfo) -> str:
    try:
        amount, currency = minor(unit.get("amount") or {})
    except ValueError as error:
        return str(error)
    if (amount, currency) != (order.amount, order.currency):
        return f"{amount} {currency} instead of {order.amount} {order.currency}"
    return ""


def outcome_of(order: OrderInfo, reading: Reading) -> Outcome:
    """What the buyer is to hear of a reading that fits."""
    states = {fact.state: fact for fact in reading.facts}
    if PaymentState.COMPLETED in states:
        reference = states[PaymentState.COMPLETED].remote_id
        given_back = sum(refund.amount for refund in reading.refunds if refund.payment_remote_id == reference)
        return Outcome(Result.REFUNDED if given_back >= order.amount else Result.PAID, reference=reference)
    if PaymentState.PENDING in states:
        return Outcome(Result.PENDING, reference=states[PaymentState.PENDING].remote_id)
    if PaymentState.DENIED in states:
        return Outcome(Result.DECLINED)  # that order is used up: the way back is a new one
    if reading.stage is Stage.OVER:
        return Outcome(Result.OVER)
    if reading.stage in (Stage.WAITING, Stage.APPROVED):
        return Outcome(Result.NOT_APPROVED, reading.approve_url or order.approve_url)
    return Outcome(Result.LATER)


def read_capture(capture: Mapping[str, Any], order: OrderInfo, now: int) -> Fact | None:
    """A capture in our terms; None for a status that nobody has told us of."""
    state = CAPTURE_STATES.get(str(capture.get("status")))
    if state is None:
        logger.warning("unknown capture status", extra={"order": order.id, "status": capture.get("status")})
        return None
    amount, currency = minor(capture["amount"])
    created = instant(capture.get("create_time"), now, order.created_at)
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
        at=instant(capture.get("update_time"), now, created),
    )


@readable("the refund")
def read_refund(refund: Mapping[str, Any], now: int) -> RefundFact | None:
    """A refund of a capture in our terms; None while it is not completed."""
    capture_id = linked_capture(refund)
    if refund.get("status") != "COMPLETED" or capture_id is None:
        return None
    amount, _currency = minor(refund["amount"])
    return RefundFact(PROVIDER, capture_id, str(refund["id"]), amount, instant(refund.get("create_time"), now, now))


@readable("the refund")
def read_sale_refund(refund: Mapping[str, Any], sale_id: str, now: int) -> RefundFact | None:
    """A refund of a sale (v1) in our terms; None while it is not completed."""
    if str(refund.get("state", "")).lower() != "completed":
        return None
    amount, _currency = minor(refund["amount"])
    at = instant(refund.get("create_time"), now, now)
    return RefundFact(PROVIDER, sale_id, str(refund["id"]), abs(amount), at)


@readable("the links")
def linked_capture(refund: Mapping[str, Any]) -> str | None:
    """The id of the capture that a refund gives back: the last segment of its ``up`` link."""
    for link in refund.get("links") or ():
        if link.get("rel") == "up" and "/captures/" in str(link.get("href")):
            return str(link["href"]).rstrip("/").rsplit("/", 1)[-1]
    return None


def read_sale(sale: Mapping[str, Any], order: OrderInfo, known: SubscriptionInfo, now: int) -> Fact | None:
    """A subscription's payment in our terms: by itself it reaches one period past its own time."""
    state = SALE_STATES.get(str(sale.get("status")))
    if state is None:
        logger.warning("unknown sale status", extra={"subscription": known.id, "status": sale.get("status")})
        return None
    amount, currency = minor((sale.get("amount_with_breakdown") or {}).get("gross_amount") or {})
    at = instant(sale.get("time"), now, known.created_at)
    return Fact(
        provider=PROVIDER,
        remote_id=str(sale["id"]),
        order_public_id=order.public_id,
        subscription_remote_id=known.remote_id,
        user_id=order.user_id,
        amount=amount,
        currency=currency,
        state=state,
        created_at=at,
        at=at,
        period_end=at + order.seconds,
    )


def reach(facts: Iterable[Fact], next_billing: int | None) -> list[Fact]:
    """Let the newest completed payment reach as far as PayPal says that the subscription is paid."""
    found = list(facts)
    paid = [fact for fact in found if fact.state is PaymentState.COMPLETED]
    if not paid or next_billing is None:
        return found
    newest = max(reversed(paid), key=lambda fact: fact.at)
    reaching = replace(newest, period_end=max(newest.period_end or 0, next_billing))
    return [reaching if fact is newest else fact for fact in found]


def next_billing(remote: Mapping[str, Any]) -> int | None:
    """When a subscription is to be paid next: how far it is paid. None where a failed payment is to be tried again."""
    info = remote.get("billing_info") or {}
    text = info.get("next_billing_time")
    if text is None or remote.get("status") != "ACTIVE" or info.get("failed_payments_count"):
        return None
    return unix(text)


@readable("the subscription")
def failed_at(remote: Mapping[str, Any], now: int) -> int | None:
    """When a subscription's payment last failed."""
    failed = (remote.get("billing_info") or {}).get("last_failed_payment")
    return instant(failed.get("time"), now, now) if failed else None


@readable("the dispute")
def outcome_code(dispute: Mapping[str, Any]) -> str | None:
    """PayPal's word for how a dispute ended, which may be empty; None while it has not."""
    if dispute.get("status") != "RESOLVED":
        return None
    return str((dispute.get("dispute_outcome") or {}).get("outcome_code") or "")


@readable("the dispute")
def read_dispute(dispute: Mapping[str, Any], now: int) -> list[DisputeFact]:
    """How a dispute stands, for each payment that it names.

    One whose outcome is not known stays open: lost could not be undone.
    """
    won = VERDICTS.get(outcome_code(dispute) or "")
    closed = None if won is None else instant(dispute.get("update_time"), now, now)
    opened = instant(dispute.get("create_time"), now, now)
    return [
        DisputeFact(PROVIDER, str(contested["seller_transaction_id"]), str(dispute["dispute_id"]), opened, closed, won)
        for contested in dispute.get("disputed_transactions") or ()
    ]


def approve_url(links: object) -> str | None:
    """Where the buyer approves: ``payer-action``, formerly ``approve``, and ``redirect`` after a declined card."""
    found = {link.get("rel"): link.get("href") for link in (links if isinstance(links, list) else ())}
    return found.get("payer-action") or found.get("approve") or found.get("redirect")


def identifier(made: Mapping[str, Any]) -> str:
    """The id of something that PayPal has just made.

    :raises Unavailable: it says none.
    """
    if not isinstance(made.get("id"), str):
        raise Unavailable("PayPal made something without an id")
    return str(made["id"])


def payee(remote: Mapping[str, Any]) -> str | None:
    """The merchant whom an order pays, where its answer says so."""
    with readable("the payee"):
        units = remote.get("purchase_units") or [{}]
        merchant = (units[0].get("payee") or {}).get("merchant_id")
        return str(merchant) if merchant else None


def instant(text: object, now: int, default: int) -> int:
    """PayPal's RFC 3339 instant as Unix seconds, but never later than *now*; *default* where there is none.

    :raises ValueError: it is no instant.
    """
    return min(unix(text), now) if isinstance(text, str) and text else default


def unix(text: str) -> int:
    """An RFC 3339 instant as Unix seconds.

    :raises ValueError: it is no instant.
    """
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


def rfc3339(seconds: int) -> str:
    """Unix seconds as PayPal writes an instant."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
