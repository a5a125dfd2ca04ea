"""Payments: the operations and the queries. ``ledger`` turns reports into rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import peewee

from models.database import BEYOND, joined_transaction, snapshot
from models.errors import NotFound, RefundRefused
from models.money import income, ledger, provider_requests, subscriptions
from models.money.contradictions import audit as audit
from models.money.facts import DisputeFact as DisputeFact
from models.money.facts import Fact as Fact
from models.money.facts import PaymentState as PaymentState
from models.money.facts import RefundFact as RefundFact
from models.money.facts import Settled as Settled
from models.money.income import Income
from models.money.ledger import Change as Change
from models.money.ledger import apply as apply
from models.money.provider_requests import RequestKind
from models.money.providers import TRAITS, Provider
from models.tables import Order, Payment, Refund


@dataclass(frozen=True, slots=True)
class PaymentInfo:
    """A payment. ``grants`` False: it buys nothing. ``refunded`` is the sum of its refunds in minor units."""

    id: int
    provider: str
    remote_id: str
    user_id: int | None
    order_id: int | None
    order_public_id: str | None
    plan_code: str | None
    purpose: str | None
    subscription_id: int | None
    amount: int
    currency: str
    refunded: int
    state: PaymentState
    grants: bool
    level: int
    seconds: int | None
    period_end: int | None
    effective_at: int
    renewal_ended_at: int | None
    completed_at: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What the operator has earned since a moment, and from how many customers."""

    customers: int
    turnover: tuple[Income, ...]


@dataclass(frozen=True, slots=True)
class Milestones:
    """Whether a customer has ever paid, and whether a test payment has."""

    sold: bool
    tested: bool


def settle(fact: Fact, now: int) -> Settled:
    """Record what a provider reports about a payment, compare it with its order, credit it, and announce it.

    The same fact twice changes nothing. A payment whose user, amount or currency differs, or whose order is unknown,
    is recorded and grants nothing, and the admins are told. A second payment of one order is credited like the first.
    """
    return ledger.apply([fact], now)[0]


def get(payment_id: int) -> PaymentInfo | None:
    """Return a payment by its row id, or None."""
    return next(_infos(Payment.id == payment_id), None)


def several(payment_ids: Sequence[int]) -> list[PaymentInfo]:
    """Payments by their row ids, in that order; those that do not exist are left out."""
    known = {each.id: each for each in _infos(Payment.id.in_(payment_ids))}
    return [known[each] for each in payment_ids if each in known]


def find(provider: str | None, remote_id: str) -> PaymentInfo | None:
    """Return a payment by the provider's id, or None. *provider* None searches all providers."""
    providers = tuple(Provider) if provider is None else (provider,)
    return next(_infos(Payment.provider.in_(providers) & (Payment.remote_id == remote_id)), None)


def knows_refund(provider: str, refund_remote_id: str) -> bool:
    """Whether a refund has been recorded."""
    known = (Refund.provider == provider) & (Refund.remote_id == refund_remote_id)
    return Refund.select().where(known).exists()


def refunded_since(payment_id: int, amount: int | None, since: int) -> bool:
    """Whether this amount of a payment went back at *since* or later, by our clock of recording it."""
    made = (Refund.payment == payment_id) & (Refund.created_at >= since)
    return Refund.select().where(made if amount is None else made & (Refund.amount == amount)).exists()


def history_of(user_id: int, limit: int = 50) -> list[PaymentInfo]:
    """Return a customer's payments, newest first."""
    return list(_infos(Payment.user == user_id, limit))


def since(provider: str, created_at: int) -> list[PaymentInfo]:
    """Return the payments created at a provider at this time or later (its clock), newest first."""
    return list(_infos((Payment.provider == provider) & (Payment.created_at >= created_at)))


def ask_refund(payment_id: int, amount: int | None, by: int | None, now: int, *, seen: int | None = None) -> int:
    """Request a refund (*amount* None: all that is left) and return the request's id. An open request is reused.

    *seen* is how much had gone back when it was decided: where more has by now, it is decided anew.

    A refund of all that is left also ends the payment's renewal: otherwise the customer would be charged again.

    :raises NotFound: no such payment.
    :raises RefundRefused: the payment cannot be refunded, or not by this amount, or another refund is under way,
        or other money has gone back than was *seen*.
    """
    with joined_transaction():
        payment = get(payment_id)
        if payment is not None and seen is not None and payment.refunded != seen:
            raise RefundRefused(payment_id, "meanwhile", payment.amount - payment.refunded)
        return append_refund(payment_id, amount, by, now)


def append_refund(payment_id: int, amount: int | None, by: int | None, now: int) -> int:
    """Do as :func:`ask_refund` inside the caller's transaction."""
    payment = get(payment_id)
    if payment is None:
        raise NotFound("payment", payment_id)
    rest = payment.amount - payment.refunded
    wanted = rest if amount is None else amount
    reason = _refund_refusal(payment, wanted, rest)
    if reason:
        raise RefundRefused(payment_id, reason, rest)
    under_way = provider_requests.refund_under_way(payment_id)
    if under_way not in (None, wanted):
        raise RefundRefused(payment_id, "under_way", rest, under_way)
    if wanted == rest and payment.subscription_id is not None:
        subscriptions.append_cancel(payment.subscription_id, by, now)
    return provider_requests.append(
        RequestKind.REFUND,
        payment.provider,
        payment_id=payment.id,
        amount=wanted,
        user_id=payment.user_id,
        asked_by=by,
        now=now,
    )


def totals(since: int = 0) -> Totals:
    """Add up the payments completed from *since* on. It reads each of them: for an admin's question."""
    completed = Payment.completed_at.is_null(False) & (Payment.completed_at >= since) & is_sale()
    with snapshot():
        customers = Payment.select(Payment.user).where(completed & Payment.user.is_null(False)).distinct().count()
        return Totals(customers, income.between(since, BEYOND))


def milestones() -> Milestones:
    """How far the operator has come."""
    completed = Payment.select().join(Order, peewee.JOIN.LEFT_OUTER).where(Payment.completed_at.is_null(False))
    return Milestones(
        sold=completed.where(is_sale()).exists(),
        tested=completed.where(Order.purpose == "test").exists(),
    )


def is_sale() -> Any:
    """Match payments that are no test purchases, those without an order too."""
    tests = Order.select(Order.id).where(Order.purpose == "test")
    return Payment.order.is_null() | Payment.order.not_in(tests)


def _refund_refusal(payment: PaymentInfo, wanted: int, rest: int) -> str:
    refusals = (
        (payment.state is not PaymentState.COMPLETED, "not_completed"),
        (rest <= 0, "nothing_left"),
        (not 0 < wanted <= rest, "above_rest"),
        (wanted != payment.amount and not TRAITS[payment.provider].partial_refunds, "whole_only"),
    )
    return next((reason for refused, reason in refusals if refused), "")


def _tuples(query: Any) -> Iterator[tuple[Any, ...]]:
    """The rows one by one. Read them before the snapshot ends."""
    rows: Iterator[tuple[Any, ...]] = query.tuples().iterator()
    return rows


def _infos(condition: Any, limit: int | None = None) -> Iterator[PaymentInfo]:
    refunded = Refund.select(peewee.fn.COALESCE(peewee.fn.SUM(Refund.amount), 0)).where(Refund.payment == Payment.id)
    query = Payment.select(Payment, Order, refunded.alias("refunded")).join(Order, peewee.JOIN.LEFT_OUTER)
    query = query.where(condition).order_by(Payment.effective_at.desc(), Payment.id.desc()).limit(limit)
    return map(_info, query)


def _info(row: Payment) -> PaymentInfo:
    order = row.order
    return PaymentInfo(
        id=row.id,
        provider=row.provider,
        remote_id=row.remote_id,
        user_id=row.user_id,
        order_id=row.order_id,
        order_public_id=None if order is None else order.public_id,
        plan_code=None if order is None else order.plan_code,
        purpose=None if order is None else order.purpose,
        subscription_id=row.subscription_id,
        amount=row.amount,
        currency=row.currency,
        refunded=row.refunded,
        state=PaymentState(row.state),
        grants=row.grants,
        level=row.level,
        seconds=row.seconds,
        period_end=row.period_end,
        effective_at=row.effective_at,
        renewal_ended_at=row.renewal_ended_at,
        completed_at=row.completed_at,
        created_at=row.created_at,
    )
