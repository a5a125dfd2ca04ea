"""Parses PayPal's answers into our terms: pure functions of JSON.

Statuses are translated by table; an unknown one is tolerated and grants nothing. Instants are capped at now: where
PayPal's clock is ahead of ours, a payment counts from now.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from models.money import subscriptions
from models.money.orders import OrderInfo
from models.money.payments import DisputeFact, Fact, PaymentInfo, PaymentState, RefundFact
from models.money.providers import Provider
from models.money.seller import Outcome, Result
from models.money.subscriptions import PaymentFailure, SubscriptionInfo
from web.paypal.client import Unavailable, Unreadable, minor, readable, text

logger = logging.getLogger(__name__)

PROVIDER = Provider.PAYPAL


class Stage(Enum):
    """The stage of PayPal's order. Completed does not mean paid: the captures tell that."""

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
ENDED_REFUNDS = frozenset({"FAILED", "CANCELLED"})
"""States of a refund that did not come about."""

VERDICTS = {
    "RESOLVED_SELLER_FAVOUR": True,
    "RESOLVED_WITH_PAYOUT": True,
    "CANCELED_BY_BUYER": True,
    "DENIED": True,
    "RESOLVED_BUYER_FAVOUR": False,
    "ACCEPTED": False,
}
"""Outcome codes of a dispute: True where the seller, us, has won. Others, such as ``NONE``, decide nothing."""


@dataclass(frozen=True)
class ParsedOrder:
    """PayPal's order in our terms.

    ``fault`` says in what the order differs from ours. Money that was captured nevertheless is among the ``facts``.
    """

    stage: Stage
    fault: str = ""
    approve_url: str | None = None
    facts: tuple[Fact, ...] = ()
    refunds: tuple[RefundFact, ...] = ()


def parse_order(remote: Mapping[str, Any], order: OrderInfo, merchant: str | None, now: int) -> ParsedOrder:
    """PayPal's order in our terms, compared with ours.

    :raises Unreadable: the order cannot be parsed.
    """
    with readable("the order"):
        stage = STAGES.get(str(remote.get("status")), Stage.UNKNOWN)
        units = remote.get("purchase_units") or []
        if len(units) != 1:
            return ParsedOrder(stage, f"{len(units)} purchase units instead of one")
        fault = _foreign(units[0], order, merchant)
        if fault:
            return ParsedOrder(stage, fault)
        moved = units[0].get("payments") or {}
        captures: Sequence[Mapping[str, Any]] = moved.get("captures") or ()
        facts = [parse_capture(capture, order, now) for capture in captures]
        only = text(captures[0]["id"]) if len(captures) == 1 else None
        refunds = [_refund_of(order, refund, only, now) for refund in moved.get("refunds") or ()]
        return ParsedOrder(
            stage,
            _difference(units[0], order),
            approve_url=approve_url(remote.get("links")),
            facts=tuple(fact for fact in facts if fact),
            refunds=tuple(refund for refund in refunds if refund),
        )


def _refund_of(order: OrderInfo, refund: Mapping[str, Any], capture_id: str | None, now: int) -> RefundFact | None:
    """A refund of *order*; None where it cannot be read: it must not keep the captures beside it away."""
    try:
        return parse_refund(refund, now, order.currency, capture_id)
    except Unreadable as error:
        logger.error("refund.unread", extra={"order": order.id, "cause": str(error)})
        return None


def _foreign(unit: Mapping[str, Any], order: OrderInfo, merchant: str | None) -> str:
    """Why a purchase unit is not this purchase, or not paid to us; "" where it is.

    PayPal may leave the id out: the order was found by PayPal's own id, which we noted when we created it.
    """
    if not names(unit, order):
        return "another purchase's custom_id"
    payee = (unit.get("payee") or {}).get("merchant_id")
    if merchant and payee and payee != merchant:
        return f"paid to another merchant, {payee}"
    return ""


def names(told: Mapping[str, Any], order: OrderInfo) -> bool:
    """Whether what PayPal shows is of *order*, as far as it says of which it is."""
    return told.get("custom_id") in (None, order.public_id)


def _difference(unit: Mapping[str, Any], order: OrderInfo) -> str:
    try:
        amount, currency = minor(unit.get("amount") or {})
    except ValueError as error:
        return str(error)
    if (amount, currency) != (order.amount, order.currency):
        return f"{amount} {currency} instead of {order.amount} {order.currency}"
    return ""


def is_price(fact: Fact, order: OrderInfo) -> bool:
    """Whether a payment is of its order's price: any other buys nothing."""
    return (fact.amount, fact.currency) == (order.amount, order.currency)


def outcome_of(order: OrderInfo, parsed: ParsedOrder) -> Outcome:
    """What the buyer hears of an order without a fault."""
    states = {fact.state: fact for fact in sorted(parsed.facts, key=lambda fact: is_price(fact, order))}
    if PaymentState.COMPLETED in states:
        if not is_price(states[PaymentState.COMPLETED], order):
            return Outcome(Result.TROUBLE)
        reference = states[PaymentState.COMPLETED].remote_id
        given_back = sum(refund.amount for refund in parsed.refunds if refund.payment_remote_id == reference)
        return Outcome(Result.REFUNDED if given_back >= order.amount else Result.PAID, reference=reference)
    if PaymentState.PENDING in states:
        return Outcome(Result.PENDING, reference=states[PaymentState.PENDING].remote_id)
    if PaymentState.DENIED in states:
        return Outcome(Result.DECLINED)  # PayPal captures an order once: the next try needs a new one
    if parsed.stage is Stage.OVER:
        return Outcome(Result.OVER)
    if parsed.stage is Stage.WAITING:
        return Outcome(Result.NOT_APPROVED, parsed.approve_url or order.approve_url)
    return Outcome(Result.LATER)  # an approved one too: it is captured, and PayPal does not show that yet


def parse_capture(capture: Mapping[str, Any], order: OrderInfo, now: int) -> Fact | None:
    """A capture in our terms; None for an unknown status."""
    state = CAPTURE_STATES.get(str(capture.get("status")))
    if state is None:
        logger.warning("capture.unknown", extra={"order": order.id, "status": capture.get("status")})
        return None
    amount, currency = minor(capture["amount"])
    created = instant(capture.get("create_time"), now, now)
    return Fact(
        provider=PROVIDER,
        remote_id=text(capture["id"]),
        order_public_id=order.public_id,
        subscription_remote_id=None,
        user_id=order.user_id,
        amount=amount,
        currency=currency,
        state=state,
        created_at=created,
        at=instant(capture.get("update_time"), now, created),
    )


def parse_refund_of(payment: PaymentInfo, refund: Mapping[str, Any], now: int) -> RefundFact | None:
    """A refund of *payment*, which may be a sale, in our terms; None while it is not completed."""
    if payment.subscription_id is not None:
        return parse_sale_refund(refund, now, payment.currency, payment.remote_id)
    return parse_refund(refund, now, payment.currency, payment.remote_id)


@readable("the refund")
def parse_refund(
    refund: Mapping[str, Any], now: int, currency: str | None, known: str | None = None
) -> RefundFact | None:
    """A refund of a capture in our terms; None while it is not completed, or where it names no capture.

    *currency* is the capture's, and *known* its id, where the caller knows them.

    :raises Unreadable: it cannot be parsed, or is of another currency.
    """
    capture_id = known or linked_capture(refund)
    if refund.get("status") != "COMPLETED" or capture_id is None:
        return None
    amount = given_back(refund["amount"], currency)
    at = instant(refund.get("create_time"), now, now)
    return RefundFact(PROVIDER, capture_id, text(refund["id"]), amount, at=at)


@readable("the refund")
def parse_sale_refund(refund: Mapping[str, Any], now: int, currency: str | None, sale_id: str) -> RefundFact | None:
    """A refund of a sale (v1) in our terms; None while it is not completed. *currency* is the sale's, where known.

    :raises Unreadable: it cannot be parsed, or is of another currency.
    """
    if str(refund.get("state", "")).lower() != "completed":
        return None
    amount = given_back(refund["amount"], currency)
    at = instant(refund.get("create_time"), now, now)
    return RefundFact(PROVIDER, sale_id, text(refund["id"]), amount, at=at)


def given_back(amount: Mapping[str, Any], currency: str | None) -> int:
    """What went back, in minor units of the payment's *currency*, where that is known.

    :raises ValueError: it is of another one.
    """
    value, found = minor(amount)
    if currency is not None and found != currency:
        raise ValueError(f"{found} of a payment in {currency}")
    return abs(value)


@readable("the links")
def linked_capture(refund: Mapping[str, Any]) -> str | None:
    """The id of the capture that a refund belongs to: the last segment of its ``up`` link."""
    for link in refund.get("links") or ():
        if link.get("rel") == "up" and "/captures/" in str(link.get("href")):
            return text(link["href"]).rstrip("/").rsplit("/", 1)[-1]
    return None


@readable("the capture")
def linked_order(capture: Mapping[str, Any]) -> str | None:
    """The id of the order that a capture belongs to: named beside it, or the last segment of its ``up`` link."""
    named = ((capture.get("supplementary_data") or {}).get("related_ids") or {}).get("order_id")
    if named:
        return text(named)
    for link in capture.get("links") or ():
        if link.get("rel") == "up" and "/orders/" in str(link.get("href")):
            return text(link["href"]).rstrip("/").rsplit("/", 1)[-1]
    return None


def parse_sale(sale: Mapping[str, Any], order: OrderInfo, known: SubscriptionInfo, now: int) -> Fact | None:
    """A subscription's payment in our terms, which pays one period from its own time; None for an unknown status."""
    state = SALE_STATES.get(str(sale.get("status")))
    if state is None:
        logger.warning("sale.unknown", extra={"subscription": known.id, "status": sale.get("status")})
        return None
    amount, currency = minor((sale.get("amount_with_breakdown") or {}).get("gross_amount") or {})
    at = instant(sale.get("time"), now, known.created_at)
    return Fact(
        provider=PROVIDER,
        remote_id=text(sale["id"]),
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


def extend_newest(facts: Iterable[Fact], next_billing: int | None) -> list[Fact]:
    """Extend the newest completed payment to where PayPal says that the subscription is paid."""
    found = list(facts)
    paid = [fact for fact in found if fact.state is PaymentState.COMPLETED]
    if not paid or next_billing is None:
        return found
    newest = max(reversed(paid), key=lambda fact: fact.at)
    extended = replace(newest, period_end=max(newest.period_end or 0, next_billing))
    return [extended if fact is newest else fact for fact in found]


def next_billing(remote: Mapping[str, Any]) -> int | None:
    """When a subscription is paid next, which is how far it is paid. None where PayPal will retry a failed payment."""
    info = remote.get("billing_info") or {}
    said = info.get("next_billing_time")
    if not said or remote.get("status") != "ACTIVE" or info.get("failed_payments_count"):
        return None
    return unix(said)


_OF_ORDER = ("custom_id", "custom", "custom_field", "invoice_id", "invoice_number")
"""Under which names PayPal's resources bear the id of an order, any of which it may leave out."""


def invoice_of(public_id: str) -> str:
    """The id of an order as an invoice number: disputes let one hold no underscore."""
    return public_id.replace("_", ":")


@readable("the names of a purchase")
def orders_named(told: Mapping[str, Any]) -> list[str]:
    """The ids of orders that a resource bears: ours hold no colon, but their invoice numbers no underscore."""
    return [text(told[name]).replace(":", "_") for name in _OF_ORDER if told.get(name)]


@readable("the subscription")
def failure_of(remote: Mapping[str, Any], now: int) -> PaymentFailure | None:
    """The last payment of a subscription that failed; None: none has.

    Where PayPal leaves out when that was, the time of its next try tells one failure from another.
    """
    info = remote.get("billing_info") or {}
    failed = info.get("last_failed_payment")
    count = info.get("failed_payments_count")
    if failed and failed.get("time"):
        at = instant(failed["time"], now, now)
    elif failed or count:
        at = unix(info["next_billing_time"]) if info.get("next_billing_time") else min(int(count or 0), now)
    else:
        return None
    return PaymentFailure(PROVIDER, text(remote["id"]), at)


def is_failing(remote: Mapping[str, Any]) -> bool:
    """Whether the newest payment of a subscription has failed, and PayPal will try it again."""
    return bool((remote.get("billing_info") or {}).get("failed_payments_count"))


def _seller_transaction(contested: Mapping[str, Any]) -> str:
    return text(contested["seller_transaction_id"])


@readable("the dispute")
def outcome_code(dispute: Mapping[str, Any]) -> str | None:
    """PayPal's code for the outcome of a dispute, which may be empty; None while the dispute is open."""
    if dispute.get("status") != "RESOLVED":
        return None
    return str((dispute.get("dispute_outcome") or {}).get("outcome_code") or "")


@readable("the dispute")
def parse_dispute(
    dispute: Mapping[str, Any], now: int, name: Callable[[Mapping[str, Any]], str] = _seller_transaction
) -> list[DisputeFact]:
    """The state of a dispute, for each payment that it is about.

    A dispute with an unknown outcome stays open, because a lost one could not be reopened.

    :param name: finds the payment's id for a disputed transaction.
    :raises Unreadable: the dispute names no payment.
    """
    won = VERDICTS.get(outcome_code(dispute) or "")
    closed = None if won is None else instant(dispute.get("update_time"), now, now)
    opened = instant(dispute.get("create_time"), now, now)
    contested = dispute["disputed_transactions"]
    if not contested:
        raise KeyError("disputed_transactions")
    amount, currency = _disputed_amount(dispute, won) if len(contested) == 1 else (None, None)
    return [
        DisputeFact(
            PROVIDER,
            name(each),
            text(dispute["dispute_id"]),
            opened_at=opened,
            closed_at=closed,
            won=won,
            amount=amount,
            currency=currency,
        )
        for each in contested
    ]


def _disputed_amount(dispute: Mapping[str, Any], won: bool | None) -> tuple[int | None, str | None]:
    """What is disputed, or what was lost, and its currency; None where PayPal does not say: then it is all."""
    outcome = dispute.get("dispute_outcome") or {}
    said = outcome.get("amount_refunded") if won is False else None
    if said and minor(said)[0] > 0:
        return minor(said)
    return minor(dispute["dispute_amount"]) if dispute.get("dispute_amount") else (None, None)


@readable("the links")
def approve_url(links: object) -> str | None:
    """The page where the buyer approves: ``payer-action``, formerly ``approve``; ``redirect`` after a declined card."""
    found = {link.get("rel"): link.get("href") for link in (links if isinstance(links, list) else ())}
    page = found.get("payer-action") or found.get("approve") or found.get("redirect")
    return text(page) if page else None


def identifier(made: Mapping[str, Any]) -> str:
    """The id of something that PayPal has just created.

    :raises Unavailable: the answer has no id.
    """
    try:
        return text(made.get("id"))
    except ValueError as error:
        raise Unavailable("PayPal created something without an id") from error


@readable("the order")
def purchase_of(remote: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an order is for: its first purchase unit; nothing where the answer leaves it out."""
    units: Sequence[Mapping[str, Any]] = remote.get("purchase_units") or [{}]
    return units[0]


@readable("the payee")
def payee(remote: Mapping[str, Any]) -> str | None:
    """The merchant whom an order pays; None where the answer does not say."""
    merchant = (purchase_of(remote).get("payee") or {}).get("merchant_id")
    return text(merchant) if merchant else None


def instant(said: object, now: int, default: int) -> int:
    """PayPal's RFC 3339 instant as Unix seconds, but never later than *now*; *default* where there is none.

    :raises ValueError: the text is no instant.
    """
    return min(unix(said), now) if isinstance(said, str) and said else default


def unix(said: str) -> int:
    """An RFC 3339 instant as Unix seconds.

    :raises ValueError: the text is no instant.
    """
    return int(datetime.fromisoformat(said).astimezone(UTC).timestamp())


def digest(unreadable: object) -> str:
    """A short name for an item of a list that has none."""
    return hashlib.sha256(repr(unreadable).encode()).hexdigest()[:12]


def rfc3339(seconds: int) -> str:
    """Unix seconds as PayPal writes an instant."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
