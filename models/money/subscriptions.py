"""Subscriptions: purchases that renew at the provider, and the provider's reports about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import peewee

from config.units import HOUR_S
from models import outbox, sale_notices
from models.database import joined_transaction, transaction
from models.errors import AlreadySubscribed, MoveRefused, NotFound
from models.event_kinds import (
    AdminAlert,
    AlertReason,
    SubscriptionCancelled,
    SubscriptionExpired,
    SubscriptionPayload,
    SubscriptionPaymentFailed,
    SubscriptionResumed,
    SubscriptionSuspended,
)
from models.money import access, provider_requests, reports
from models.money.provider_requests import RequestKind
from models.money.providers import TRAITS
from models.money.providers import SubscriptionState as SubscriptionState
from models.money.reports import Report
from models.tables import Order, Payment, Request, Subscription, SubscriptionReport

RENEWING = (SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED)
LIVING = (SubscriptionState.PENDING, *RENEWING)
POLL_EVERY_S = 6 * HOUR_S
"""Seconds between two polls of a live subscription."""

_EVENTS: Mapping[SubscriptionState, type[SubscriptionPayload]] = {
    SubscriptionState.SUSPENDED: SubscriptionSuspended,
    SubscriptionState.CANCELLED: SubscriptionCancelled,
    SubscriptionState.EXPIRED: SubscriptionExpired,
}


@dataclass(frozen=True, slots=True)
class News:
    """A provider's report of a subscription's state. ``at`` is since when, by the provider's clock."""

    provider: str
    remote_id: str
    state: SubscriptionState
    period_end: int | None
    at: int


@dataclass(frozen=True, slots=True)
class PaymentFailure:
    """A provider's report that a renewal could not be collected, at ``at`` by its clock."""

    provider: str
    remote_id: str
    at: int


@dataclass(frozen=True, slots=True)
class _Change:
    """What may be asked of the provider: from which states, and the one it leads to."""

    kind: RequestKind
    allowed: tuple[SubscriptionState, ...]
    wanted: SubscriptionState


_CANCELLATION = _Change(RequestKind.CANCEL_SUBSCRIPTION, allowed=RENEWING, wanted=SubscriptionState.CANCELLED)


@dataclass(frozen=True, slots=True)
class SubscriptionInfo:
    """A purchase that renews. ``period_end`` is the end of the paid period, as the provider reports."""

    id: int
    user_id: int
    order_id: int
    provider: str
    remote_id: str
    plan_code: str
    level: int
    amount: int
    currency: str
    state: SubscriptionState
    period_end: int | None
    created_at: int


def begin(order_id: int, remote_id: str, now: int) -> SubscriptionInfo:
    """Store a subscription that the provider has made for an order, before the customer approves it.

    :raises NotFound: no such order.
    :raises AlreadySubscribed: another subscription renews this plan for the customer.
    """
    with transaction():
        order = _order(order_id)
        known = _row(order.provider, remote_id)
        if known is None:
            other = active(order.user_id, order.plan_code)
            if other is not None:
                raise AlreadySubscribed(other.id, suspended=other.state is SubscriptionState.SUSPENDED)
            known = open_for(order, remote_id, now)
        return info(known)


def recall(order_id: int, remote_id: str, now: int) -> SubscriptionInfo:
    """Do as :func:`begin` for a subscription that is paid already, whatever else renews.

    :raises NotFound: no such order.
    """
    with transaction():
        order = _order(order_id)
        return info(_row(order.provider, remote_id) or open_for(order, remote_id, now))


def open_for(order: Order, remote_id: str, now: int) -> Subscription:
    """Write the row of a new subscription inside the caller's transaction, whatever else renews."""
    return Subscription.create(
        user=order.user_id,
        order=order.id,
        provider=order.provider,
        remote_id=remote_id,
        plan_code=order.plan_code,
        level=order.level,
        amount=order.amount,
        currency=order.currency,
        state_at=0,
        created_at=now,
    )


def update(news: News, now: int) -> bool:
    """Apply a provider's report. The order in which reports arrive does not matter.

    Returns whether the subscription is known.
    """
    with transaction():
        return record(news, now)


def update_untimed(provider: str, remote_id: str, state: SubscriptionState, now: int) -> bool:
    """Apply a report without a time: it counts as newer than all known ones, whatever our clock says."""
    with transaction():
        row = _row(provider, remote_id)
        if row is None:
            return False
        at = max(now, row.state_at + 1)
        return record(News(provider=provider, remote_id=remote_id, state=state, period_end=None, at=at), now)


def take_back_guesses(provider: str, paid_after: int, now: int) -> None:
    """Have subscriptions go on that were taken for ended, and are paid beyond *paid_after*: a clock was ahead.

    Left so, a customer could buy the same plan twice, and end neither renewal.
    """
    ended = (Subscription.provider == provider) & (Subscription.state == SubscriptionState.EXPIRED)
    with transaction():
        for row in Subscription.select().where(ended & (Subscription.period_end > paid_after)):
            said = reports.state_after(provider, _reports(row))
            if said is not SubscriptionState.EXPIRED:
                Subscription.update(state=said).where(Subscription.id == row.id).execute()
                if said is SubscriptionState.ACTIVE:
                    _announce(row, SubscriptionState.EXPIRED, said, now)


def record(news: News, now: int) -> bool:
    """Do as :func:`update` inside the caller's transaction."""
    row = _row(news.provider, news.remote_id)
    if row is None:
        return False
    present = SubscriptionState(row.state)
    wanted = _state_after(row, news)
    _keep(row, news, wanted)
    follow(row, now)
    if wanted is not present:
        _announce(row, present, wanted, now)
    return True


def follow(row: Subscription, now: int) -> None:
    """Note in a subscription's payments when it ended for them, inside the caller's transaction."""
    said = _reports(row)
    for payment in Payment.select().where((Payment.subscription == row) & Payment.completed_at.is_null(False)):
        ended_at = reports.ended_at(row.provider, payment.effective_at, said)
        if ended_at != payment.renewal_ended_at:
            Payment.update(renewal_ended_at=ended_at).where(Payment.id == payment.id).execute()
            access.changed(row.user_id, now)


def payment_failed(provider: str, remote_id: str, at: int, now: int) -> bool:
    """Tell the customer, once per failure, that a renewal could not be collected. False if it is unknown."""
    with transaction():
        return record_failure(PaymentFailure(provider, remote_id, at), now)


def record_failure(failure: PaymentFailure, now: int) -> bool:
    """Do as :func:`payment_failed` inside the caller's transaction."""
    row = _row(failure.provider, failure.remote_id)
    if row is None:
        return False
    key = f"subscription_payment_failed:{row.id}:{failure.at}"
    outbox.append(SubscriptionPaymentFailed(**_payload(row), until=_until(row, now)), row.user_id, now, key=key)
    return True


def of(user_id: int) -> list[SubscriptionInfo]:
    """Return a customer's subscriptions that the provider has confirmed, newest first."""
    confirmed = (Subscription.user == user_id) & (Subscription.state != SubscriptionState.PENDING)
    return [info(row) for row in Subscription.select().where(confirmed).order_by(Subscription.id.desc())]


def active(user_id: int, plan_code: str) -> SubscriptionInfo | None:
    """Return the subscription that renews this plan for the customer, or None. A suspended one counts."""
    renewing = (Subscription.user == user_id) & (Subscription.plan_code == plan_code) & Subscription.state.in_(RENEWING)
    row = Subscription.select().where(renewing).order_by(Subscription.id).first()
    return None if row is None else info(row)


def is_being_ended() -> Any:
    """Match subscriptions whose cancellation has been asked for and is not done."""
    asked = Request.select().where(
        (Request.subscription == Subscription.id)
        & (Request.kind == RequestKind.CANCEL_SUBSCRIPTION)
        & (Request.state == "open")
    )
    return peewee.fn.EXISTS(asked)


def run_below(user_id: int, level: int) -> list[SubscriptionInfo]:
    """Return the subscriptions whose paid time runs out unused while the customer has a plan of *level*.

    Those whose cancellation has been asked for are left out.
    """
    active = (Subscription.user == user_id) & (Subscription.state == SubscriptionState.ACTIVE)
    running = active & (Subscription.level < level) & ~is_being_ended()
    return [info(row) for row in Subscription.select().where(running).order_by(Subscription.id)]


def get(subscription_id: int) -> SubscriptionInfo | None:
    """Return a subscription by its row id, or None."""
    row = Subscription.get_or_none(Subscription.id == subscription_id)
    return None if row is None else info(row)


def by_remote(provider: str, remote_id: str) -> SubscriptionInfo | None:
    """Return a subscription by the provider's id, or None."""
    row = _row(provider, remote_id)
    return None if row is None else info(row)


def to_poll(provider: str, now: int, limit: int = 50) -> list[SubscriptionInfo]:
    """The subscriptions that have not ended and whose next poll is due."""
    due = (
        (Subscription.provider == provider)
        & Subscription.state.in_(LIVING)
        & (Subscription.next_look_at.is_null() | (Subscription.next_look_at <= now))
    )
    return [info(row) for row in Subscription.select().where(due).order_by(Subscription.id).limit(limit)]


def going_on(provider: str) -> list[str]:
    """The provider's ids of what renews there."""
    renewing = (Subscription.provider == provider) & Subscription.state.in_(RENEWING)
    return [row.remote_id for row in Subscription.select().where(renewing).order_by(Subscription.id)]


def polled(subscription_id: int, next_look_at: int) -> None:
    """Note when the next poll of a subscription is due."""
    with transaction():
        Subscription.update(next_look_at=next_look_at).where(Subscription.id == subscription_id).execute()


def ask_cancel(subscription_id: int, by: int | None, now: int) -> int:
    """Request the cancellation at the provider; return the request's id. The paid time stays.

    :raises NotFound: no such subscription.
    :raises MoveRefused: the subscription does not renew.
    """
    with joined_transaction():
        return _ask(subscription_id, _CANCELLATION, by, now)


def append_cancel(subscription_id: int, by: int | None, now: int) -> bool:
    """Do as :func:`ask_cancel` inside the caller's transaction; False where the subscription does not renew."""
    if Subscription.get_by_id(subscription_id).state not in RENEWING:
        return False
    _ask(subscription_id, _CANCELLATION, by, now)
    return True


def ask_end(user_id: int, level: int | None, by: int | None, now: int) -> int:
    """Request the cancellation of a customer's subscriptions, of one level or (None) of all; return how many."""
    wanted = (Subscription.user == user_id) & Subscription.state.in_(RENEWING)
    if level is not None:
        wanted &= Subscription.level == level
    with joined_transaction():
        ids = [row.id for row in Subscription.select(Subscription.id).where(wanted).order_by(Subscription.id)]
        for subscription_id in ids:
            _ask(subscription_id, _CANCELLATION, by, now)
        return len(ids)


def ask_resume(subscription_id: int, by: int | None, now: int) -> int:
    """Request that a subscription renews again; return the request's id.

    Where the payer resumes it (:class:`~models.money.providers.ProviderTraits`), it stays cancelled until they do.

    :raises NotFound: no such subscription.
    :raises MoveRefused: the provider does not resume a subscription in this state.
    :raises AlreadySubscribed: another subscription renews this plan.
    """
    with transaction():
        row = _required(subscription_id)
        other = active(row.user_id, row.plan_code)
        if other is not None and other.id != row.id:
            raise AlreadySubscribed(other.id, suspended=other.state is SubscriptionState.SUSPENDED)
        resumable = (TRAITS[row.provider].resumable,)
        resumption = _Change(RequestKind.RESUME_SUBSCRIPTION, allowed=resumable, wanted=SubscriptionState.ACTIVE)
        return _ask(subscription_id, resumption, by, now)


def _ask(subscription_id: int, change: _Change, by: int | None, now: int) -> int:
    row = _required(subscription_id)
    if row.state not in change.allowed:
        raise MoveRefused("subscription", row.id, row.state, change.wanted)
    return provider_requests.append(
        change.kind, row.provider, subscription_id=row.id, user_id=row.user_id, asked_by=by, now=now
    )


def _state_after(row: Subscription, news: News) -> SubscriptionState:
    """The state that a report leads to, together with all earlier ones.

    Where the provider does not report the end, it is guessed from the paid period. The guess holds until a payment for
    a later period proves it wrong, even one that was made before it.
    """
    guessed = SubscriptionState.EXPIRED
    is_further = news.period_end is not None and news.period_end > (row.period_end or 0)
    if reports.is_guess(row.provider, news.state):
        return guessed
    is_proof = news.state is SubscriptionState.ACTIVE and is_further
    if reports.is_guess(row.provider, SubscriptionState(row.state)) and not is_proof:
        return guessed
    return reports.state_after(row.provider, [*_reports(row), Report(news.state, news.at)])


def _keep(row: Subscription, news: News, state: SubscriptionState) -> None:
    """Store a report and the state that it leads to. A guess is no report."""
    if not reports.is_guess(row.provider, news.state):
        SubscriptionReport.insert(subscription=row, state=news.state, at=news.at).on_conflict_ignore().execute()
        row.state_at = max(row.state_at, news.at)
    row.state = state
    row.period_end = max(row.period_end or 0, news.period_end or 0) or None
    row.save()


def _reports(row: Subscription) -> list[Report]:
    kept = SubscriptionReport.select().where(SubscriptionReport.subscription == row)
    return [Report(SubscriptionState(each.state), each.at) for each in kept]


def _announce(row: Subscription, present: SubscriptionState, wanted: SubscriptionState, now: int) -> None:
    if wanted in _EVENTS and present is not SubscriptionState.PENDING:
        told = _EVENTS[wanted](**_payload(row), until=_until(row, now))
        outbox.append(told, row.user_id, now)
        sale_notices.add(told, row.user_id, now, f"{told.event_kind}:{row.id}:{now}")
    if wanted is SubscriptionState.ACTIVE:
        if present is not SubscriptionState.PENDING:
            outbox.append(SubscriptionResumed(**_payload(row)), row.user_id, now)
        _end_unwanted(row, now)


def _until(row: Subscription, now: int) -> int:
    """When the customer's time of the subscription's level ends; 0 when nothing is left."""
    until = access.of(row.user_id, now).end_of(row.level)
    return until if until is not None and until > now else 0


def _end_unwanted(row: Subscription, now: int) -> None:
    """Have the provider end a second subscription to one plan, or one of a banned or erased customer.

    The first subscription stays. Payments of this one are credited like all others.
    """
    second = Subscription.select().where(
        (Subscription.user == row.user_id)
        & (Subscription.plan_code == row.plan_code)
        & (Subscription.id != row.id)
        & Subscription.state.in_(RENEWING)
    )
    is_second = second.exists()
    if is_second:
        outbox.append(AdminAlert(reason=AlertReason.SECOND_SUBSCRIPTION, detail=_payload(row)), None, now)
    if is_second or row.user.banned_at is not None or row.user.erased_at is not None:
        provider_requests.append(
            RequestKind.CANCEL_SUBSCRIPTION,
            row.provider,
            subscription_id=row.id,
            user_id=row.user_id,
            asked_by=None,
            now=now,
        )


def _order(order_id: int) -> Order:
    row: Order | None = Order.get_or_none(Order.id == order_id)
    if row is None:
        raise NotFound("order", order_id)
    return row


def _row(provider: str, remote_id: str) -> Subscription | None:
    row: Subscription | None = Subscription.get_or_none(
        (Subscription.provider == provider) & (Subscription.remote_id == remote_id)
    )
    return row


def _required(subscription_id: int) -> Subscription:
    row = Subscription.get_or_none(Subscription.id == subscription_id)
    if row is None:
        raise NotFound("subscription", subscription_id)
    return row


def _payload(row: Subscription) -> dict[str, Any]:
    return {
        "subscription": row.id,
        "user": row.user_id,
        "provider": row.provider,
        "remote_id": row.remote_id,
        "plan": row.plan_code,
        "amount": row.amount,
        "currency": row.currency,
        "period_end": row.period_end,
    }


def info(row: Subscription) -> SubscriptionInfo:
    """Return the values of a row."""
    return SubscriptionInfo(
        id=row.id,
        user_id=row.user_id,
        order_id=row.order_id,
        provider=row.provider,
        remote_id=row.remote_id,
        plan_code=row.plan_code,
        level=row.level,
        amount=row.amount,
        currency=row.currency,
        state=SubscriptionState(row.state),
        period_end=row.period_end,
        created_at=row.created_at,
    )
