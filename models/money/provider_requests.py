"""Remote work that was asked for: refunds, cancellations, look-ups. Rows of ``paypal`` are carried out by ``upkeep``,
those of ``stars`` by the daemon.

At least once: a claim that is not finished comes back, and the row's ``request_id`` keeps the provider from doing it
twice.
"""

import uuid
from dataclasses import dataclass
from enum import StrEnum

from models import outbox
from models.database import transaction
from models.event_kinds import RequestDone
from models.tables import Request

LEASE_S = 120
"""How long one attempt may take before another one is made."""


class RequestKind(StrEnum):
    """What is asked for."""

    REFUND = "refund"
    CANCEL_SUBSCRIPTION = "cancel_subscription"
    RESUME_SUBSCRIPTION = "resume_subscription"
    LOOKUP = "lookup"  # of PayPal only: Telegram is asked at once


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A piece of remote work.

    ``amount`` of a refund is in minor units of the payment. ``user_id`` is whom it concerns, ``asked_by`` who hears of
    the result (None: the admins). ``request_id`` is the idempotency key of the outgoing call.
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
    """Ask for remote work and return the request's id."""
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
    """Do as :func:`ask` inside the caller's transaction. Work that waits already is not asked for twice.

    A look-up is a customer's own: another customer's of the same payment is other work, with another answer.
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


def claim(provider: str, now: int, lease_s: int = LEASE_S) -> RequestInfo | None:
    """Take the oldest request that is due; nobody else gets it for *lease_s* seconds. None when nothing is due."""
    due = (Request.provider == provider) & (Request.state == "open") & (Request.not_before <= now)
    with transaction():
        row = Request.select().where(due).order_by(Request.id).first()
        if row is None:
            return None
        Request.update(not_before=now + lease_s, attempts=Request.attempts + 1).where(Request.id == row.id).execute()
        return _info(Request.get_by_id(row.id))


def get(request_id: int) -> RequestInfo | None:
    """Return a request by its row id, or None."""
    row = Request.get_or_none(Request.id == request_id)
    return None if row is None else _info(row)


def refund_under_way(payment_id: int) -> int | None:
    """How much of a payment is being given back, in minor units; None when no refund of it is open."""
    refund = (Request.kind == RequestKind.REFUND) & (Request.payment == payment_id) & (Request.state == "open")
    return next((row.amount for row in Request.select(Request.amount).where(refund)), None)


def finish(request_id: int, result: str, now: int) -> bool:
    """It is done: whoever asked hears *result* (a code). False when it had ended before."""
    return _end(request_id, "done", result, now)


def fail(request_id: int, result: str, now: int) -> bool:
    """It cannot be done, and trying again would not help. False when it had ended before."""
    return _end(request_id, "failed", result, now)


def retry(request_id: int, not_before: int) -> None:
    """Try again later, with the same idempotency key."""
    with transaction():
        Request.update(not_before=not_before).where((Request.id == request_id) & (Request.state == "open")).execute()


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
        )
        outbox.append(told, row.asked_by, now, key=f"request_done:{row.id}")
        return True


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
        attempts=row.attempts,
        created_at=row.created_at,
    )
