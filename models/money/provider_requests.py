"""Requests for remote work: refunds, cancellations, look-ups. Upkeep carries out those of ``paypal``, the daemon those
of ``stars``.

They are carried out at least once: an unfinished claim is claimed again, and the row's ``request_id`` keeps the
provider from doing it twice.
"""

import uuid
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum

import peewee

from models import outbox
from models.database import execute, fetch, transaction
from models.event_kinds import RequestDone
from models.money import access
from models.tables import Payment, Request

LEASE_S = 120
"""Seconds for which a request belongs to the program that claimed it."""

CONSIDERED = 200
"""The oldest look-ups, among which the next one is chosen."""


_ANY_DUE = "SELECT 1 FROM request WHERE provider = ? AND state = 'open' AND not_before <= ? LIMIT 1"
_SENT = "sent"
"""The result of an open request whose call may have been carried out."""


class RequestKind(StrEnum):
    """The kind of work."""

    REFUND = "refund"
    CANCEL_SUBSCRIPTION = "cancel_subscription"
    RESUME_SUBSCRIPTION = "resume_subscription"
    LOOKUP = "lookup"  # of PayPal alone: the daemon asks Telegram at once


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A piece of remote work.

    ``amount`` of a refund is in minor units of the payment. ``user_id`` is the customer concerned, ``asked_by`` the
    person who hears the result (None: the admins). ``request_id`` is the idempotency key of the outgoing call.
    ``sent``: an earlier attempt may have carried it out without our hearing of it.
    """

    id: int
    kind: RequestKind
    provider: str
    payment_id: int | None
    subscription_id: int | None
    argument: str
    amount: int | None
    user_id: int | None
    asked_by: int | None
    request_id: str
    sent: bool
    attempts: int
    created_at: int


def ask(
    kind: RequestKind,
    provider: str,
    *,
    payment_id: int | None = None,
    subscription_id: int | None = None,
    argument: str = "",
    amount: int | None = None,
    user_id: int | None,
    asked_by: int | None,
    now: int,
) -> int:
    """Request remote work; return the request's id."""
    with transaction():
        return append(
            kind,
            provider,
            payment_id=payment_id,
            subscription_id=subscription_id,
            argument=argument,
            amount=amount,
            user_id=user_id,
            asked_by=asked_by,
            now=now,
        )


def append(
    kind: RequestKind,
    provider: str,
    *,
    payment_id: int | None = None,
    subscription_id: int | None = None,
    argument: str = "",
    amount: int | None = None,
    user_id: int | None,
    asked_by: int | None,
    now: int,
) -> int:
    """Do as :func:`ask` inside the caller's transaction. An open request for the same work is reused.

    A look-up belongs to one customer: another customer's look-up of the same payment has another answer.
    """
    same = Request.select(Request.id).where(
        (Request.state == "open")
        & (Request.provider == provider)
        & (Request.kind == kind)
        & (Request.payment.is_null() if payment_id is None else Request.payment == payment_id)
        & (Request.subscription.is_null() if subscription_id is None else Request.subscription == subscription_id)
        & (Request.argument == argument)
    )
    if kind is RequestKind.LOOKUP:
        same = same.where(Request.user_id == user_id)
    waiting = same.first()
    if waiting is not None:
        return int(waiting.id)
    return int(
        Request.insert(
            kind=kind,
            provider=provider,
            payment=payment_id,
            subscription=subscription_id,
            argument=argument,
            amount=amount,
            user_id=user_id,
            asked_by=asked_by,
            request_id=str(uuid.uuid4()),
            created_at=now,
        ).execute()
    )


def claim(provider: str, now: int, lease_s: int = LEASE_S, *, lookups: bool = True) -> RequestInfo | None:
    """Claim the next request that is due, for *lease_s* seconds. None if none is due.

    Refunds and renewals come first, the oldest of them. Then, with *lookups*, come look-ups: the oldest of a customer
    who waits for the fewest.
    """
    if execute(_ANY_DUE, (provider, now)).fetchone() is None:
        return None
    due = (Request.provider == provider) & (Request.state == "open") & (Request.not_before <= now)
    with transaction():
        chosen = _first(due & (Request.kind != RequestKind.LOOKUP))
        if chosen is None and lookups:
            chosen = _next_lookup(due & (Request.kind == RequestKind.LOOKUP))
        if chosen is None:
            return None
        Request.update(not_before=now + lease_s, attempts=Request.attempts + 1).where(Request.id == chosen).execute()
        return _info(Request.get_by_id(chosen))


def get(request_id: int) -> RequestInfo | None:
    """Return a request by its row id, or None."""
    row = Request.get_or_none(Request.id == request_id)
    return None if row is None else _info(row)


def refund_under_way(payment_id: int) -> int | None:
    """The amount of a payment's open refund in minor units, or None."""
    refund = (Request.kind == RequestKind.REFUND) & (Request.payment == payment_id) & (Request.state == "open")
    return next((row.amount for row in Request.select(Request.amount).where(refund)), None)


def refunding(provider: str) -> list[str]:
    """The provider's ids of the payments whose refund is asked for and not done."""
    wanted = (Request.provider == provider) & (Request.kind == RequestKind.REFUND) & (Request.state == "open")
    asked = Request.select(Request.payment).where(wanted)
    return [row.remote_id for row in Payment.select().where(Payment.id.in_(asked)).order_by(Payment.id)]


def finish(request_id: int, result: str, now: int) -> bool:
    """End a request as done. The person who asked hears *result*, a code. False if it had ended before."""
    return _end(request_id, "done", result, now)


def fail(request_id: int, result: str, now: int) -> bool:
    """End a request as impossible, now and later. False if it had ended before."""
    return _end(request_id, "failed", result, now)


def retry(request_id: int, not_before: int) -> None:
    """Make a request due again at *not_before*, with the same idempotency key."""
    with transaction():
        Request.update(not_before=not_before).where((Request.id == request_id) & (Request.state == "open")).execute()


def sending(request_id: int) -> None:
    """Note, before the call, that a request may be carried out without our hearing of it."""
    _note(request_id, _SENT)


def not_sent(request_id: int) -> None:
    """Take back :func:`sending`: the provider said that it did nothing."""
    _note(request_id, "")


def _note(request_id: int, result: str) -> None:
    with transaction():
        Request.update(result=result).where((Request.id == request_id) & (Request.state == "open")).execute()


def _first(wanted: peewee.Expression) -> int | None:
    row = Request.select(Request.id).where(wanted).order_by(Request.id).first()
    return None if row is None else int(row.id)


def _next_lookup(due: peewee.Expression) -> int | None:
    oldest = Request.select(Request.id, Request.user_id).where(due).order_by(Request.id).limit(CONSIDERED)
    waiting: list[tuple[int, int | None]] = fetch(oldest).fetchall()
    of_each = Counter(user_id for _, user_id in waiting)
    return min(waiting, key=lambda each: (of_each[each[1]], each[0]), default=(None,))[0]


def _end(request_id: int, state: str, result: str, now: int) -> bool:
    with transaction():
        values = {"state": state, "result": result, "done_at": now}
        if not Request.update(**values).where((Request.id == request_id) & (Request.state == "open")).execute():
            return False
        row = Request.get_by_id(request_id)
        told = RequestDone(
            request=row.id,
            kind=row.kind,
            ok=state == "done",
            result=result,
            payment=row.payment_id,
            remote_id=row.payment.remote_id if row.payment else None,
            currency=row.payment.currency if row.payment else None,
            subscription=row.subscription_id,
            argument=row.argument,
            amount=row.amount,
            about=row.user_id,
            returned=_is_return(row),
        )
        if not (told.returned and told.ok):  # the refund itself is told
            outbox.append(told, row.asked_by, now, key=f"request_done:{row.id}")
        if told.returned and row.user_id is not None:
            access.changed(row.user_id, now)
            _tell_admins(told, now)
        return True


def _is_return(row: Request) -> bool:
    """Whether it is the refund of what its own customer gives back."""
    payment: Payment | None = row.payment
    is_own = row.asked_by is not None and row.asked_by == row.user_id
    return row.kind == RequestKind.REFUND and is_own and payment is not None and payment.grants


def _tell_admins(told: RequestDone, now: int) -> None:
    """Money that a customer could not get back by themselves needs the operator."""
    if not told.ok:
        outbox.append(replace(told, returned=False), None, now, key=f"request_done:{told.request}:admins")


def _info(row: Request) -> RequestInfo:
    return RequestInfo(
        id=row.id,
        kind=RequestKind(row.kind),
        provider=row.provider,
        payment_id=row.payment_id,
        subscription_id=row.subscription_id,
        argument=row.argument,
        amount=row.amount,
        user_id=row.user_id,
        asked_by=row.asked_by,
        request_id=row.request_id,
        sent=row.result == _SENT,
        attempts=row.attempts,
        created_at=row.created_at,
    )
