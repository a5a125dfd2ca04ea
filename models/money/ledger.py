"""How reports about money become rows.

Reports of one payment arrive by many ways, in any order, more than once. A row keeps *what happened when* by the
provider's clock, and its state follows from that; so the order of arrival does not matter. Every report is recorded: a
payment that does not fit its order buys nothing, and the admins are told.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import peewee

from models import outbox, sale_notices, users
from models.database import transaction
from models.event_kinds import (
    AdminAlert,
    AlertReason,
    DisputeClosed,
    DisputeOpened,
    PaymentCompleted,
    PaymentDenied,
    PaymentPayload,
    PaymentPending,
    PaymentRefunded,
    PaymentReversed,
)
from models.money import access, orders, provider_requests, subscriptions, webhooks
from models.money.access import Disputed, part_of
from models.money.facts import (
    MOVES,
    DisputeFact,
    Fact,
    PaymentState,
    RefundFact,
    Settled,
    SettlementOutcome,
    fault_of,
    merge,
    state_of,
    verdict_of,
)
from models.money.provider_requests import RequestKind
from models.money.vouchers import admission, gifts
from models.promotion import consent
from models.tables import Dispute, Order, Payment, PaymentHistory, Refund, Subscription, User

_OUTCOMES: Mapping[AlertReason | None, SettlementOutcome] = {
    None: SettlementOutcome.RECORDED,
    AlertReason.UNKNOWN_ORDER: SettlementOutcome.UNKNOWN_ORDER,
}
"""What became of a new payment, by what is wrong with it; anything else is a mismatch."""

_ENDS_UNPAID: Mapping[PaymentState, type[PaymentPayload]] = {
    PaymentState.DENIED: PaymentDenied,
    PaymentState.REVERSED: PaymentReversed,
}

Change = Fact | RefundFact | DisputeFact | subscriptions.News | subscriptions.PaymentFailure


def apply(changes: Sequence[Change], now: int, webhook_id: int | None = None) -> list[Settled]:
    """Record what one poll of a provider has shown, in one transaction.

    With *webhook_id* the same transaction marks the notification done that led to the poll. If another process was
    faster, nothing is applied and the result is empty.
    """
    with transaction():
        if webhook_id is not None and not webhooks.conclude(webhook_id, now):
            return []
        return [_apply(change, now) for change in changes]


def _apply(change: Change, now: int) -> Settled:
    match change:
        case Fact():
            return _settle(change, now)
        case RefundFact():
            return _refund(change, now)
        case DisputeFact():
            return _dispute(change, now)
        case subscriptions.News():
            return Settled(None, _outcome(subscriptions.record(change, now)))
        case subscriptions.PaymentFailure():
            return Settled(None, _outcome(subscriptions.record_failure(change, now)))


# A payment


def _settle(fact: Fact, now: int) -> Settled:
    if fact.state is PaymentState.FROZEN:
        raise ValueError("a payment is frozen by its dispute")
    payment = _row(fact.provider, fact.remote_id)
    if payment is None:
        return _record(fact, now)
    if (fact.amount, fact.currency) != (payment.amount, payment.currency):
        _alert(payment, AlertReason.AMOUNT_CHANGED, now, said_amount=fact.amount, said_currency=fact.currency)
        return Settled(payment.id, SettlementOutcome.MISMATCH)
    adopted = payment.order_id is None and _adopt(payment, fact, now)
    moved = _happened(payment, fact, now)
    return Settled(payment.id, _outcome(adopted or moved))


def _record(fact: Fact, now: int) -> Settled:
    if fact.user_id is not None:
        # A payer becomes a user, known before or not: their money can be refunded.
        User.insert(id=fact.user_id, created_at=fact.created_at, seen_at=fact.created_at).on_conflict_ignore().execute()
    payment = Payment.create(
        provider=fact.provider,
        remote_id=fact.remote_id,
        user=fact.user_id,
        amount=fact.amount,
        currency=fact.currency,
        state=PaymentState.PENDING,
        grants=False,
        effective_at=fact.created_at,
        created_at=fact.created_at,
        recorded_at=now,
    )
    _note(payment, "recorded", now, state=fact.state, at=fact.at, ref=fact.raw_ref)
    for table in (Refund, Dispute):
        orphans = (table.provider == fact.provider) & (table.payment_remote_id == fact.remote_id)
        table.update(payment=payment).where(orphans).execute()
    fault = _identify(payment, fact, now)
    if not _happened(payment, fact, now):
        _tell(payment, PaymentPending, now)
    _tell_past(payment, now)
    return Settled(payment.id, _OUTCOMES.get(fault, SettlementOutcome.MISMATCH))


def _adopt(payment: Payment, fact: Fact, now: int) -> bool:
    """Find the order of a payment that arrived without one, now that the provider names it."""
    _identify(payment, fact, now)
    if payment.order_id is None:
        return False
    _note(payment, "identified", now, ref=fact.raw_ref)
    if payment.completed_at is not None:
        _set_period(payment, fact)
        payment.save()
        _take_effect(payment, now)
        _tell_completed(payment, now)
    _tell_past(payment, now)
    return True


def _identify(payment: Payment, fact: Fact, now: int) -> AlertReason | None:
    """Find the order of a payment and what the payment buys. Returns what does not fit, or None."""
    order, subscription = _purchase(fact, now)
    fault = AlertReason.UNKNOWN_ORDER if order is None else fault_of(fact, orders.info(order))
    if order is not None:
        if payment.user_id is None and fault is not AlertReason.WRONG_USER:
            payment.user = order.user
        payment.order = order
        payment.subscription = subscription
        payment.grants = fault is None and order.purpose != "test"
        payment.level = 0 if order.purpose == "gift" else order.level
        payment.seconds = order.seconds
        payment.save()
    if fault is not None:
        _alert(payment, fault, now)
    return fault


def _purchase(fact: Fact, now: int) -> tuple[Order | None, Subscription | None]:
    """Return the order that a payment names, or its subscription's, and the subscription that it belongs to."""
    order: Order | None = Order.get_or_none(Order.public_id == fact.order_public_id)
    subscription = _subscription(fact, order)
    if order is None and subscription is not None:
        order = subscription.order
    if subscription is None and order is not None and order.renews and fault_of(fact, orders.info(order)) is None:
        subscription = subscriptions.open_for(order, fact.subscription_remote_id or fact.remote_id, now)
    return order, subscription


def _subscription(fact: Fact, order: Order | None) -> Subscription | None:
    row: Subscription | None = Subscription.get_or_none(
        (Subscription.provider == fact.provider) & (Subscription.remote_id == fact.subscription_remote_id)
    )
    if row is None and order is not None and order.renews:
        row = Subscription.get_or_none(Subscription.order == order)
    return row


def _outcome(has_changed: bool) -> SettlementOutcome:
    return SettlementOutcome.RECORDED if has_changed else SettlementOutcome.UNCHANGED


def _happened(payment: Payment, fact: Fact, now: int) -> bool:
    """Add what the fact reports; False if that is known, or may not follow the present state."""
    if payment.state == PaymentState.DENIED:
        return False
    if fact.state is PaymentState.COMPLETED and payment.completed_at is None:
        payment.completed_at = payment.effective_at = fact.at
        _set_period(payment, fact)
    elif fact.state is PaymentState.DENIED and payment.denied_at is None:
        payment.denied_at = fact.at
    elif fact.state is PaymentState.REVERSED and (payment.reversed_at is None or fact.at < payment.reversed_at):
        payment.reversed_at = fact.at
    else:
        return False
    if not _derive(payment, fact.state, now, at=fact.at, ref=fact.raw_ref):
        return False
    if fact.state is PaymentState.COMPLETED:
        if payment.order_id is not None and payment.user_id is not None:
            users.accept_terms(payment.user_id, fact.at)
            if payment.grants:
                consent.bought(payment.user_id, fact.at)
        _return_test(payment, now)
        _tell_completed(payment, now)
    else:
        _tell(payment, _ENDS_UNPAID[fact.state], now)
    return True


def _return_test(payment: Payment, now: int) -> None:
    """Have the money of a test purchase refunded: its arrival was the test."""
    if payment.order is not None and payment.order.purpose == "test" and payment.user_id == payment.order.user_id:
        provider_requests.append(
            RequestKind.REFUND,
            payment.provider,
            payment_id=payment.id,
            amount=payment.amount,
            user_id=payment.user_id,
            asked_by=payment.user_id,
            now=now,
        )


def _set_period(payment: Payment, fact: Fact) -> None:
    """Set the end of a renewal's period: the provider's, if that makes sense, else the order's duration."""
    order = payment.order
    if order is None or payment.subscription_id is None or payment.period_end is not None:
        return
    said = fact.period_end or 0
    payment.period_end = said if said > payment.effective_at else payment.effective_at + order.seconds


def _derive(payment: Payment, change: str, now: int, **detail: Any) -> bool:
    """Save a payment with the state that follows from its times and disputes, and apply that state."""
    verdicts = [
        verdict_of(row.won, part_of(row.amount, row.currency, payment.amount, payment.currency))
        for row in Dispute.select().where(Dispute.payment == payment)
    ]
    present = PaymentState(payment.state)
    wanted = state_of(payment.completed_at, payment.denied_at, payment.reversed_at, verdicts)
    if wanted is not present and wanted not in MOVES[present]:
        return False
    payment.state = wanted
    payment.save()
    _note(payment, change, now, state=wanted, **detail)
    _take_effect(payment, now)
    return True


def _take_effect(payment: Payment, now: int) -> None:
    """Apply a payment's state to its order, its subscription and the customer's access. Idempotent."""
    if payment.user_id is not None:
        access.changed(payment.user_id, now)
    gifts.follow(payment, now)
    order = payment.order
    if order is None or not (payment.grants or order.purpose == "test"):
        return
    if payment.state == PaymentState.DENIED:
        orders.failed(order)
    elif payment.completed_at is not None:
        orders.paid(order)
        if order.purpose == "gift":
            gifts.opened(payment, order, now)
        elif order.code is not None:
            admission.paid(order, now)
    if payment.completed_at is not None and payment.subscription is not None:
        _renewed(payment.subscription, payment.period_end, payment.completed_at, now)


def _renewed(row: Subscription, period_end: int | None, at: int, now: int) -> None:
    """A payment that arrived says that its subscription was active then, whatever became of the payment since."""
    active = subscriptions.SubscriptionState.ACTIVE
    news = subscriptions.News(
        provider=row.provider, remote_id=row.remote_id, state=active, period_end=period_end, at=at
    )
    subscriptions.record(news, now)


# Refunds and disputes. Those of an unknown payment are kept until it is known.


def _refund(fact: RefundFact, now: int) -> Settled:
    payment = _row(fact.provider, fact.payment_remote_id)
    payment_id = None if payment is None else payment.id
    known = (Refund.provider == fact.provider) & (Refund.remote_id == fact.remote_id)
    if Refund.select().where(known).exists():
        return Settled(payment_id, SettlementOutcome.UNCHANGED)
    row = Refund.create(
        payment=payment,
        provider=fact.provider,
        payment_remote_id=fact.payment_remote_id,
        remote_id=fact.remote_id,
        amount=fact.amount,
        at=fact.at,
        created_at=now,
    )
    if payment is not None:
        _note(payment, "refunded", now, refund=fact.remote_id, amount=fact.amount, at=fact.at)
        if payment.user_id is not None:
            access.changed(payment.user_id, now)
        _tell_refund(payment, row, now)
    return Settled(payment_id, SettlementOutcome.RECORDED)


def _dispute(fact: DisputeFact, now: int) -> Settled:
    payment = _row(fact.provider, fact.payment_remote_id)
    payment_id = None if payment is None else payment.id
    said = Disputed(fact.opened_at, fact.closed_at, fact.won, fact.amount)
    row = _dispute_row(fact)
    merged = said if row is None else merge(_disputed(row), said)
    if row is None:
        row = Dispute(
            payment=payment,
            provider=fact.provider,
            payment_remote_id=fact.payment_remote_id,
            remote_id=fact.remote_id,
            currency=fact.currency,
            created_at=now,
        )
    elif merged == _disputed(row):
        return Settled(payment_id, SettlementOutcome.UNCHANGED)
    row.opened_at, row.closed_at, row.won, row.amount = merged.opened_at, merged.closed_at, merged.won, merged.amount
    row.currency = fact.currency or row.currency
    row.save()
    if payment is not None:
        _derive(payment, "disputed", now, dispute=fact.remote_id, closed_at=merged.closed_at, won=merged.won)
        _tell_dispute(payment, row, now)
    return Settled(payment_id, SettlementOutcome.RECORDED)


def _dispute_row(fact: DisputeFact) -> Dispute | None:
    row: Dispute | None = Dispute.get_or_none(
        (Dispute.provider == fact.provider)
        & (Dispute.payment_remote_id == fact.payment_remote_id)
        & (Dispute.remote_id == fact.remote_id)
    )
    return row


def _disputed(row: Dispute) -> Disputed:
    return Disputed(row.opened_at, row.closed_at, row.won, row.amount)


# What the customer and the admins hear


def _tell_completed(payment: Payment, now: int) -> None:
    if payment.state not in (PaymentState.COMPLETED, PaymentState.FROZEN):
        return
    _tell(payment, PaymentCompleted, now, **_end(payment, now))
    if payment.user is not None and payment.user.banned_at is not None:
        _alert(payment, AlertReason.BANNED_USER_PAID, now)


def _end(payment: Payment, now: int) -> dict[str, Any]:
    """How long the customer's time of the payment's level lasts; while the plan renews, when the next charge comes.

    Of a pack: what it holds, and how long.
    """
    if payment.user_id is None:
        return {"until": None, "forever": False, "renews": False}
    order = payment.order
    if order is not None and order.purpose == "gift":
        given = {"kind": order.kind, "count": order.count, "code": gifts.text_of(payment)}
        return {"until": None, "forever": False, "renews": False, **given}
    if order is not None and order.purpose == "pack":
        until = payment.effective_at + order.seconds if order.seconds else None
        return {"until": until, "forever": False, "renews": False, "kind": order.kind, "count": order.count}
    has = access.of(payment.user_id, now)
    holds = any(interval.level == payment.level for interval in has.paid)
    if holds and payment.subscription_id is not None:
        subscription = Subscription.get_by_id(payment.subscription_id)
        if subscription.state == subscriptions.SubscriptionState.ACTIVE:
            return {"until": payment.period_end, "forever": False, "renews": True}
    until = has.end_of(payment.level)
    return {"until": until, "forever": holds and until is None, "renews": False}


def _tell_past(payment: Payment, now: int) -> None:
    """Announce the refunds and disputes that were recorded before the payment, or before its customer was known."""
    for refund in Refund.select().where(Refund.payment == payment).order_by(Refund.at, Refund.id):
        _tell_refund(payment, refund, now)
    for dispute in Dispute.select().where(Dispute.payment == payment).order_by(Dispute.opened_at, Dispute.id):
        _tell_dispute(payment, dispute, now)


def _tell_refund(payment: Payment, refund: Refund, now: int) -> None:
    returned = Refund.select(peewee.fn.SUM(Refund.amount)).where(Refund.payment == payment).scalar()
    told = {"refund": refund.remote_id, "refunded": refund.amount, "returned": returned}
    _tell(payment, PaymentRefunded, now, key=f"refund:{refund.id}", **told)


def _tell_dispute(payment: Payment, dispute: Dispute, now: int) -> None:
    told: dict[str, Any] = {"dispute": dispute.remote_id}
    _tell(payment, DisputeOpened, now, key=f"dispute:{dispute.id}:opened", **told)
    plan = None if payment.order is None else payment.order.plan_code
    _alert(payment, AlertReason.DISPUTE_OPENED, now, key=f"dispute:{dispute.id}:alert", plan=plan, **told)
    if dispute.won is not None:
        key = f"dispute:{dispute.id}:{'won' if dispute.won else 'lost'}"
        part = None if dispute.won else part_of(dispute.amount, dispute.currency, payment.amount, payment.currency)
        _tell(payment, DisputeClosed, now, key=key, won=dispute.won, part=part, **told)


def _tell(payment: Payment, payload: type[PaymentPayload], now: int, key: str | None = None, **more: Any) -> None:
    """Announce a payment to its customer, once. A payment that buys nothing would only confuse them."""
    order = payment.order
    if payment.user_id is None or order is None or not (payment.grants or order.purpose == "test"):
        return
    told = payload(
        **_payload(payment),
        order=order.public_id,
        plan=order.plan_code,
        purpose=order.purpose,
        level=payment.level,
        renewal=payment.subscription_id is not None and _is_second(payment),
        again=payment.subscription_id is None and _is_second(payment),
        **more,
    )
    key = key or f"{payload.event_kind}:{payment.id}"
    is_new = outbox.append(told, payment.user_id, now, key=key) is not None
    if is_new and order.purpose == "gift":
        part = more.get("part") is not None or more.get("returned", payment.amount) < payment.amount
        gifts.tell(payment, payload.event_kind, now, won=bool(more.get("won")), part=part)
    if order.purpose != "test":
        sale_notices.add(told, payment.user_id, now, key)


def _alert(payment: Payment, reason: AlertReason, now: int, key: str | None = None, **more: Any) -> None:
    alert = AdminAlert(reason=reason, detail={"user": payment.user_id, **_payload(payment), **more})
    outbox.append(alert, None, now, key=key or f"{reason}:{payment.id}")


def _payload(payment: Payment) -> dict[str, Any]:
    return {
        "payment": payment.id,
        "provider": payment.provider,
        "remote_id": payment.remote_id,
        "amount": payment.amount,
        "currency": payment.currency,
    }


def _is_second(payment: Payment) -> bool:
    """Whether another payment has completed the same order, or an earlier period of the same subscription."""
    other = (Payment.order == payment.order) & (Payment.id != payment.id) & Payment.completed_at.is_null(False)
    return Payment.select().where(other).exists()


def _note(payment: Payment, change: str, now: int, **detail: Any) -> None:
    PaymentHistory.insert(payment=payment, change=change, detail=detail, at=now).execute()


def _row(provider: str, remote_id: str) -> Payment | None:
    row: Payment | None = Payment.get_or_none((Payment.provider == provider) & (Payment.remote_id == remote_id))
    return row
