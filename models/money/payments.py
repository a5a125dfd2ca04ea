"""Payments: the operations and the queries. ``ledger`` turns reports into rows."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

import peewee

from models.database import snapshot, transaction
from models.errors import NotFound, RefundRefused
from models.money import ledger, provider_requests, subscriptions
from models.money.access import part_of
from models.money.facts import DisputeFact as DisputeFact
from models.money.facts import Fact as Fact
from models.money.facts import PaymentState as PaymentState
from models.money.facts import RefundFact as RefundFact
from models.money.facts import Settled as Settled
from models.money.facts import state_of, verdict_of
from models.money.ledger import Change as Change
from models.money.ledger import apply as apply
from models.money.orders import OrderState
from models.money.provider_requests import RequestKind
from models.money.providers import TRAITS, Provider
from models.tables import Dispute, Order, Payment, PaymentHistory, Refund

_THEIRS = Payment.provider.concat(" ").concat(Payment.remote_id)
"""The number under which a payment is found at its provider."""


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
    completed_at: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Turnover:
    """Income and refunds of one currency in minor units."""

    currency: str
    payments: int
    amount: int
    refunded: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What the operator has earned since a moment, and from how many customers."""

    customers: int
    turnover: tuple[Turnover, ...]


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


def ask_refund(payment_id: int, amount: int | None, by: int | None, now: int) -> int:
    """Request a refund (*amount* None: all that is left) and return the request's id. An open request is reused.

    A refund of all that is left also ends the payment's renewal: otherwise the customer would be charged again.

    :raises NotFound: no such payment.
    :raises RefundRefused: the payment cannot be refunded, or not by this amount, or another refund is under way.
    """
    with transaction():
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
    """Add up the payments completed from *since* on. It reads each of them: for an admin's question.

    A reversed payment, after a lost dispute for instance, went back whole, whatever had been refunded before. Of a
    dispute about a part only that part went back, unless a refund tells of the same money.
    """
    completed = Payment.completed_at.is_null(False) & (Payment.completed_at >= since)
    reversed_ = peewee.fn.SUM(peewee.Case(None, ((Payment.state == PaymentState.REVERSED, Payment.amount),), 0))
    amounts = Payment.select(
        Payment.currency, peewee.fn.COUNT(Payment.id), peewee.fn.SUM(Payment.amount), reversed_
    ).where(completed)
    partly = completed & (Payment.state != PaymentState.REVERSED)
    refunds = Refund.select(Payment.currency, peewee.fn.SUM(Refund.amount)).join(Payment).where(partly)
    lost_parts = _lost_parts(partly)
    with snapshot():
        refunded = Counter(dict(_tuples(refunds.group_by(Payment.currency))))
        refunded.update(dict(_tuples(lost_parts.group_by(Payment.currency))))
        turnover = tuple(
            Turnover(currency, count, amount, lost + refunded[currency])
            for currency, count, amount, lost in _tuples(amounts.group_by(Payment.currency).order_by(Payment.currency))
        )
        customers = Payment.select(Payment.user).where(completed & Payment.user.is_null(False)).distinct().count()
    return Totals(customers, turnover)


def _lost_parts(condition: Any) -> Any:
    """The lost disputes about a part of a payment, where no refund tells of the same money, with their sum."""
    told = (Refund.payment == Payment.id) & (Refund.amount == Dispute.amount) & (Refund.at >= Dispute.opened_at)
    is_part = (Dispute.won == False) & (Dispute.currency == Payment.currency) & (Dispute.amount < Payment.amount)  # noqa: E712
    query = Dispute.select(Payment.currency, peewee.fn.SUM(Dispute.amount)).join(Payment)
    return query.where(condition & is_part & ~peewee.fn.EXISTS(Refund.select().where(told)))


def milestones() -> Milestones:
    """How far the operator has come."""
    completed = Payment.select().join(Order, peewee.JOIN.LEFT_OUTER).where(Payment.completed_at.is_null(False))
    return Milestones(
        sold=completed.where(Order.purpose.is_null() | (Order.purpose != "test")).exists(),
        tested=completed.where(Order.purpose == "test").exists(),
    )


def audit(most: int | None = None) -> list[str]:
    """Return the contradictions in the ledger in words, up to *most* of them: there should be none.

    It holds one payment in memory at a time.
    """
    audits = (_audit_states, _audit_histories, _audit_grants, _audit_orders, _audit_refunds)
    with snapshot():
        return list(islice(chain.from_iterable(each() for each in audits), most))


def _refund_refusal(payment: PaymentInfo, wanted: int, rest: int) -> str:
    refusals = (
        (payment.state is not PaymentState.COMPLETED, "not_completed"),
        (rest <= 0, "nothing_left"),
        (not 0 < wanted <= rest, "above_rest"),
        (wanted != payment.amount and not TRAITS[payment.provider].partial_refunds, "whole_only"),
    )
    return next((reason for refused, reason in refusals if refused), "")


def _audit_states() -> Iterator[str]:
    """A payment's state must follow from its times and disputes."""
    happened = (Payment.id, _THEIRS, Payment.state, Payment.completed_at, Payment.denied_at, Payment.reversed_at)
    paid, disputed = (Payment.amount, Payment.currency), (Dispute.amount, Dispute.currency)
    query = Payment.select(*happened, *paid, Dispute.id, Dispute.won, *disputed).join(Dispute, peewee.JOIN.LEFT_OUTER)
    # A payment comes once for each of its disputes, one after the other.
    for payment, rows in groupby(_tuples(query.order_by(Payment.id)), itemgetter(slice(8))):
        payment_id, theirs, state, completed_at, denied_at, reversed_at, amount, currency = payment
        verdicts = _verdicts((row[8:] for row in rows), amount, currency)
        expected = state_of(completed_at, denied_at, reversed_at, verdicts)
        if state != expected:
            yield f"payment {payment_id} ({theirs}): is {state}, but what happened to it says {expected}"


def _verdicts(disputes: Iterator[tuple[Any, ...]], amount: int, currency: str) -> list[bool | None]:
    """What the disputes of a payment decide; a payment without any has one without an id."""
    found = [dispute for dispute in disputes if dispute[0] is not None]
    return [verdict_of(won, part_of(lost, lost_currency, amount, currency)) for _id, won, lost, lost_currency in found]


def _audit_histories() -> Iterator[str]:
    """Every payment must have a history."""
    written = PaymentHistory.select().where(PaymentHistory.payment == Payment.id)
    for payment_id, theirs in _tuples(Payment.select(Payment.id, _THEIRS).where(~peewee.fn.EXISTS(written))):
        yield f"payment {payment_id} ({theirs}): has no history"


def _audit_grants() -> Iterator[str]:
    """A payment that grants must have a customer, fit its order, and say how much it grants."""
    granting = Payment.select(Payment.id, _THEIRS, Order.id).join(Order, peewee.JOIN.LEFT_OUTER).where(Payment.grants)
    nobodys = Order.id.is_null() | Payment.user.is_null()
    for payment_id, theirs, _ in _tuples(granting.where(nobodys)):
        yield f"payment {payment_id} ({theirs}): grants without an order or a customer"
    fits = (
        (Payment.user == Order.user)
        & (Payment.amount == Order.amount)
        & (Payment.currency == Order.currency)
        & (Payment.level == Order.level)
    )
    for payment_id, theirs, order_id in _tuples(granting.where(~nobodys & ~fits)):
        yield f"payment {payment_id} ({theirs}): grants, but does not fit order {order_id}"
    unclear = Payment.seconds.is_null() == Payment.period_end.is_null()
    for payment_id, theirs, _ in _tuples(granting.where(Payment.completed_at.is_null(False) & unclear)):
        yield f"payment {payment_id} ({theirs}): must hold either seconds or the end of a period"


def _audit_orders() -> Iterator[str]:
    """An order is paid if, and only if, a payment completed for it."""
    counts = Payment.completed_at.is_null(False) & (Payment.grants | (Order.purpose == "test"))
    came = peewee.fn.EXISTS(Payment.select().where((Payment.order == Order.id) & counts))
    for order_id, _ in _tuples(Order.select(Order.id, Order.state).where((Order.state == OrderState.PAID) & ~came)):
        yield f"order {order_id}: is paid, but no payment is"
    for order_id, state in _tuples(Order.select(Order.id, Order.state).where((Order.state != OrderState.PAID) & came)):
        yield f"order {order_id}: is {state}, but a payment came for it"


def _audit_refunds() -> Iterator[str]:
    """The refunds of a payment must not exceed its amount."""
    refunded, theirs, paid = peewee.fn.SUM(Refund.amount), peewee.fn.MIN(_THEIRS), peewee.fn.MIN(Payment.amount)
    query = Refund.select(Refund.payment, theirs, paid, refunded).join(Payment).group_by(Refund.payment)
    for payment_id, number, amount, total in _tuples(query.having(refunded > paid)):
        yield f"payment {payment_id} ({number}): {total} of {amount} went back"


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
        completed_at=row.completed_at,
        created_at=row.created_at,
    )
