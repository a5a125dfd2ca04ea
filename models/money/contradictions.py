"""What does not add up in the ledger, in words for a person who must look at it.

Rows follow from each other: a payment from its order, a state from what happened, the end of access from all of them.
Whatever changes one of them past the operations, a repair by hand for instance, contradicts the others.
"""

from collections.abc import Iterator
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

import peewee

from config.units import DAY_S, HOUR_S
from models.database import snapshot
from models.event_kinds import EventKind
from models.money import credits, orders, reports
from models.money.facts import PaymentState, state_of, verdict_of
from models.money.fold import part_of
from models.money.orders import OrderState
from models.money.providers import SubscriptionState
from models.money.reports import Report
from models.money.rewards import rows as rewards
from models.money.subscriptions import RENEWING, is_being_ended
from models.money.vouchers import gifts
from models.tables import (
    Dispute,
    Event,
    Heartbeat,
    Order,
    Payment,
    PaymentHistory,
    Refund,
    Subscription,
    SubscriptionReport,
    User,
)

FORMER_EARLIEST_S = 72 * HOUR_S
"""Version 1.0 let time count from a payment's creation, but from at most so many seconds before its completion."""

PERIODS = 3
"""Periods that the reported end of a renewal may lie ahead of its newest payment: reports lag, payments are late."""

PATIENCE_S = DAY_S
"""Seconds for which news may wait to be told, and a refund for its payment."""

_THEIRS = Payment.provider.concat(" ").concat(Payment.remote_id)
"""The number under which a payment is found at its provider."""

_OF_DELIVERIES = (EventKind.JOB_FINISHED, EventKind.JOB_HELD, EventKind.BATCH_FINISHED, EventKind.BATCH_HELD)


def audit(most: int | None = None) -> list[str]:
    """Return the contradictions in the ledger in words, up to *most* of them: there should be none.

    It holds one payment, or the reports of one subscription, in memory at a time.
    """
    audits = (
        _states,
        _histories,
        _grants,
        _dates,
        _orders,
        _returned_too_much,
        _attachments,
        _subscriptions,
        _renewal_states,
        _second_subscriptions,
        _untold,
        _unheard,
        _packs,
        credits.audit,
        rewards.audit,
        gifts.audit,
    )
    with snapshot():
        return list(islice(chain.from_iterable(each() for each in audits), most))


def _states() -> Iterator[str]:
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


def _histories() -> Iterator[str]:
    """Every payment must have a history."""
    written = PaymentHistory.select().where(PaymentHistory.payment == Payment.id)
    for payment_id, theirs in _tuples(Payment.select(Payment.id, _THEIRS).where(~peewee.fn.EXISTS(written))):
        yield f"payment {payment_id} ({theirs}): has no history"


def _grants() -> Iterator[str]:
    """A payment that grants must have a customer, fit its order, and give the time that the order says."""
    granting = Payment.select(Payment.id, _THEIRS, Order.id).join(Order, peewee.JOIN.LEFT_OUTER).where(Payment.grants)
    nobodys = Order.id.is_null() | Payment.user.is_null()
    for payment_id, theirs, _ in _tuples(granting.where(nobodys)):
        yield f"payment {payment_id} ({theirs}): grants without an order or a customer"
    fits = (
        (Payment.user == Order.user)
        & (Payment.amount == Order.amount)
        & (Payment.currency == Order.currency)
        & (Payment.level == peewee.Case(None, ((Order.purpose == "gift", 0),), Order.level))
    )
    for payment_id, theirs, order_id in _tuples(granting.where(~nobodys & ~fits)):
        yield f"payment {payment_id} ({theirs}): grants, but does not fit order {order_id}"
    # A renewal that an earlier version recorded holds the end of its period instead.
    former = Payment.seconds.is_null() & Payment.subscription.is_null(False) & Payment.period_end.is_null(False)
    right = (Payment.seconds.is_null(False) & (Payment.seconds == Order.seconds)) | former
    for payment_id, theirs, order_id in _tuples(granting.where(Payment.completed_at.is_null(False) & ~right)):
        yield f"payment {payment_id} ({theirs}): gives another time than order {order_id}"


def _dates() -> Iterator[str]:
    """Time must count from the completion of its payment, and a period end soon after it."""
    completed = Payment.select(Payment.id, _THEIRS).where(Payment.completed_at.is_null(False))
    formerly = _later(Payment.created_at, Payment.completed_at - FORMER_EARLIEST_S)
    counts = (Payment.effective_at == Payment.completed_at) | (Payment.effective_at == formerly)
    for payment_id, theirs in _tuples(completed.where(~counts)):
        yield f"payment {payment_id} ({theirs}): counts from another time than its completion"
    limit = _later(Payment.effective_at + Order.seconds * PERIODS, _reach(Payment.subscription))
    ends = Payment.select(Payment.id, _THEIRS).join(Order).where(Payment.period_end.is_null(False))
    sane = (Payment.period_end > Payment.effective_at) & (Payment.period_end <= limit)
    for payment_id, theirs in _tuples(ends.where(Payment.completed_at.is_null(False) & ~sane)):
        yield f"payment {payment_id} ({theirs}): ends its period at a time that it does not pay"


def _orders() -> Iterator[str]:
    """An order is paid if, and only if, a payment completed for it."""
    counts = Payment.completed_at.is_null(False) & (Payment.grants | (Order.purpose == "test"))
    came = peewee.fn.EXISTS(Payment.select().where((Payment.order == Order.id) & counts))
    for order_id, _ in _tuples(Order.select(Order.id, Order.state).where((Order.state == OrderState.PAID) & ~came)):
        yield f"order {order_id}: is paid, but no payment is"
    for order_id, state in _tuples(Order.select(Order.id, Order.state).where((Order.state != OrderState.PAID) & came)):
        yield f"order {order_id}: is {state}, but a payment came for it"


def _returned_too_much() -> Iterator[str]:
    """The refunds of a payment must not exceed its amount."""
    refunded, theirs, paid = peewee.fn.SUM(Refund.amount), peewee.fn.MIN(_THEIRS), peewee.fn.MIN(Payment.amount)
    query = Refund.select(Refund.payment, theirs, paid, refunded).join(Payment).group_by(Refund.payment)
    for payment_id, number, amount, total in _tuples(query.having(refunded > paid)):
        yield f"payment {payment_id} ({number}): {total} of {amount} went back"


def _attachments() -> Iterator[str]:
    """A refund or dispute must belong to the payment that its provider names, if that is known; soon it must be."""
    for table, name in ((Refund, "refund"), (Dispute, "dispute")):
        yield from _misattached(table, name)


def _misattached(table: Any, name: str) -> Iterator[str]:
    meant = (Payment.provider == table.provider) & (Payment.remote_id == table.payment_remote_id)
    numbers = (table.id, table.remote_id, table.payment_id, Payment.id)
    query = table.select(*numbers).join(Payment, peewee.JOIN.LEFT_OUTER, on=meant)
    late = table.created_at < _newest() - PATIENCE_S
    wrong = (Payment.id.is_null(False) & (table.payment.is_null() | (table.payment != Payment.id))) | (
        Payment.id.is_null() & (table.payment.is_null(False) | late)
    )
    for row_id, remote_id, has, wanted in _tuples(query.where(wrong)):
        where = "no payment" if has is None else f"payment {has}"
        should = "a payment that nobody knows" if wanted is None else f"payment {wanted}"
        yield f"{name} {row_id} ({remote_id}): belongs to {where}, but its provider names {should}"


def _subscriptions() -> Iterator[str]:
    """A subscription must fit its order, and its reported end what was paid."""
    query = Subscription.select(Subscription.id, Subscription.remote_id).join(Order)
    fits = (
        (Subscription.user == Order.user)
        & (Subscription.provider == Order.provider)
        & (Subscription.plan_code == Order.plan_code)
        & (Subscription.level == Order.level)
        & (Subscription.amount == Order.amount)
        & (Subscription.currency == Order.currency)
    )
    for row_id, remote_id in _tuples(query.where(~fits)):
        yield f"subscription {row_id} ({remote_id}): does not fit its order"
    paid = Payment.select(peewee.fn.MAX(Payment.completed_at)).where(Payment.subscription == Subscription.id)
    newest = peewee.fn.COALESCE(paid, Subscription.state_at, 0)
    limit = _later(_later(newest, Subscription.created_at) + Order.seconds * PERIODS, _reach(Subscription.id))
    for row_id, remote_id in _tuples(query.where(Subscription.period_end > limit)):
        yield f"subscription {row_id} ({remote_id}): is paid further than its payments reach"


def _renewal_states() -> Iterator[str]:
    """A subscription's state must follow from the reports about it, and so must when it ended for each payment."""
    of_it = (Subscription.id, Subscription.provider, Subscription.remote_id, Subscription.state)
    query = Subscription.select(*of_it, SubscriptionReport.state, SubscriptionReport.at)
    joined = query.join(SubscriptionReport, peewee.JOIN.LEFT_OUTER).order_by(Subscription.id)
    for subscription, rows in groupby(_tuples(joined), itemgetter(slice(4))):
        row_id, provider, remote_id, state = subscription
        said = [Report(SubscriptionState(reported), at) for *_, reported, at in rows if reported is not None]
        expected = reports.state_after(provider, said)
        if state != expected and not reports.is_guess(provider, SubscriptionState(state)):
            yield f"subscription {row_id} ({remote_id}): is {state}, but the reports about it say {expected}"
        completed = (Payment.subscription == row_id) & Payment.completed_at.is_null(False)
        times = Payment.select(Payment.id, _THEIRS, Payment.effective_at, Payment.renewal_ended_at).where(completed)
        for payment_id, theirs, paid_at, ended_at in _tuples(times):
            if ended_at != reports.ended_at(provider, paid_at, said):
                yield f"payment {payment_id} ({theirs}): its renewal ended at another time"


def _second_subscriptions() -> Iterator[str]:
    """A customer renews a plan once, or the second renewal is being cancelled."""
    going_on = Subscription.state.in_(RENEWING) & ~is_being_ended()
    count = peewee.fn.COUNT(Subscription.id)
    query = Subscription.select(Subscription.user, Subscription.plan_code, count).where(going_on)
    for user_id, plan, number in _tuples(query.group_by(Subscription.user, Subscription.plan_code).having(count > 1)):
        yield f"customer {user_id}: renews {plan} {number} times"


def _packs() -> Iterator[str]:
    """A pack is what its id says, and neither gives access nor renews. A plan holds no deliveries."""
    holds = Order.kind.is_null(False) | Order.count.is_null(False) | Order.max_bytes.is_null(False)
    concerned = (Order.purpose == "pack") | (Order.purpose.in_(("plan", "test")) & holds)
    for row in Order.select().where(concerned).order_by(Order.id).iterator():
        sold = orders.info(row)
        if sold.level or sold.renews or not orders.is_as_its_id_says(sold):
            yield f"order {sold.id} ({sold.public_id}): is not the pack that was sold"


def _untold() -> Iterator[str]:
    """Whoever paid must be told. Of a person who was erased, and perhaps came back, nothing is known from before."""
    known = User.erased_at.is_null() & (User.created_at <= Payment.recorded_at)
    holds = Payment.state.in_((PaymentState.COMPLETED, PaymentState.FROZEN)) & Payment.grants
    key = peewee.Value(f"{EventKind.PAYMENT_COMPLETED}:").concat(Payment.id.cast("TEXT"))
    told = peewee.fn.EXISTS(Event.select().where(Event.key == key))
    query = Payment.select(Payment.id, _THEIRS).join(User).where(holds & known & ~told)
    for payment_id, theirs in _tuples(query):
        yield f"payment {payment_id} ({theirs}): has no receipt"


def _unheard() -> Iterator[str]:
    """News that are no deliveries must reach their customer soon."""
    # How long news wait is measured by the system's clock, when they are due by that of their operation.
    late = (Event.created_ms < (_newest_news() - PATIENCE_S) * 1000) | (Event.not_before > _newest() + PATIENCE_S)
    waiting = Event.heard_at.is_null() & Event.user_id.is_null(False) & Event.kind.not_in(_OF_DELIVERIES)
    for event_id, kind, user_id in _tuples(Event.select(Event.id, Event.kind, Event.user_id).where(waiting & late)):
        yield f"event {event_id} ({kind}): has not been told to {user_id}"


def _newest() -> int:
    """The newest time in the database: a backup is as old as that, whenever it is audited."""
    changed = PaymentHistory.select(peewee.fn.MAX(PaymentHistory.at)).scalar()
    return max(changed or 0, _newest_news())


def _newest_news() -> int:
    alive = Heartbeat.select(peewee.fn.MAX(Heartbeat.at)).scalar()
    created_ms = Event.select(peewee.fn.MAX(Event.created_ms)).scalar()
    return max(alive or 0, (created_ms or 0) // 1000)


def _reach(subscription: Any) -> Any:
    """How far the payments of a subscription reach, one after the other from the first, with the same room as one."""
    sibling = Payment.alias()
    of_same = (sibling.subscription == subscription) & sibling.completed_at.is_null(False)
    first = peewee.fn.COALESCE(sibling.select(peewee.fn.MIN(sibling.effective_at)).where(of_same), 0)
    number = peewee.fn.COALESCE(sibling.select(peewee.fn.COUNT(sibling.id)).where(of_same), 0)
    return first + Order.seconds * (number + PERIODS - 1)


def _later(first: Any, second: Any) -> Any:
    return peewee.Case(None, ((first > second, first),), second)


def _tuples(query: Any) -> Iterator[tuple[Any, ...]]:
    """The rows one by one. Read them before the snapshot ends."""
    rows: Iterator[tuple[Any, ...]] = query.tuples().iterator()
    return rows
