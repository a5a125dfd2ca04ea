"""Returns: a purchase of which nothing was used goes back for all of its money, by its customer's own hand.

A gift is unused while nobody has taken it, a pack while all of its deliveries can be reserved. A plan is unused while
no post was delivered, or is on its way, since its time began to be consumed: time alone that has passed counts as
nothing.
"""

from collections.abc import Sequence
from enum import StrEnum

from config.units import DAY_S
from models.database import execute, snapshot, transaction
from models.jobs import usage
from models.jobs.states import JobInfo, JobState
from models.money import access, credits, payments, provider_requests
from models.money.payments import PaymentInfo, PaymentState
from models.money.vouchers import gifts

NEWEST = 20
"""Payments of a customer among which those that can go back are looked for."""

_KNOWN_SINCE = """
SELECT EXISTS (SELECT 1 FROM payment JOIN "user" AS buyer ON buyer.id = payment.user_id
               WHERE payment.id = ? AND buyer.erased_at IS NULL AND buyer.created_at <= payment.recorded_at)
"""
_KNOWN_AT = "SELECT MIN(at) FROM payment_history WHERE payment_id = ? AND change = 'completed'"
"""Since when time is given, by our clock: sooner than it begins where that is behind the provider's."""
_WANTED = "SELECT kind, chosen_at FROM job WHERE id = ?"
_MISSING = f"SELECT kind, chosen_at, user_id FROM job WHERE batch_id = ? AND state <> '{JobState.DONE}'"


class Answer(StrEnum):
    """What becomes of a wish to give a purchase back."""

    POSSIBLE = "possible"
    UNDER_WAY = "under_way"
    RETURNED = "returned"
    USED = "used"
    TOO_LATE = "too_late"
    IMPOSSIBLE = "impossible"


def ask(payment_id: int, user_id: int, days: int, now: int) -> Answer:
    """Request all of a customer's money back, and the end of the renewal with it. It was requested where POSSIBLE.

    *days*: for how long a purchase can go back after its money arrived; 0: never. Asked twice, it goes back once.
    """
    with transaction():
        payment = payments.get(payment_id)
        if payment is None or payment.user_id != user_id:
            return Answer.IMPOSSIBLE
        answer = judge(payment, days, now)
        if answer is Answer.POSSIBLE:
            payments.append_refund(payment_id, None, user_id, now)
            access.changed(user_id, now)
        return answer


def possible(user_id: int, days: int, now: int) -> list[PaymentInfo]:
    """The customer's payments that can go back now, the newest first."""
    if not days:
        return []
    with snapshot():
        return [each for each in payments.history_of(user_id, NEWEST) if judge(each, days, now) is Answer.POSSIBLE]


def returnable(payment_id: int, days: int, now: int) -> PaymentInfo | None:
    """The payment, if it can go back now."""
    with snapshot():
        payment = payments.get(payment_id)
        return payment if payment is not None and judge(payment, days, now) is Answer.POSSIBLE else None


def behind(job: JobInfo, days: int, now: int) -> PaymentInfo | None:
    """The newest unused payment that was to bring this job: of a pack of its kind, or made for it; None without one."""
    with snapshot():
        return _behind(execute(_WANTED, (job.id,)).fetchall(), job.user_id, days, now)


def behind_batch(batch_id: int, days: int, now: int) -> PaymentInfo | None:
    """Find as :func:`behind` what was to bring links of a batch that were not delivered."""
    with snapshot():
        missing = execute(_MISSING, (batch_id,)).fetchall()
        return (
            _behind([(kind, chosen_at) for kind, chosen_at, _ in missing], missing[0][2], days, now)
            if missing
            else None
        )


def _behind(wanted: Sequence[tuple[str | None, int | None]], user_id: int, days: int, now: int) -> PaymentInfo | None:
    """The newest unused payment for what was *wanted*: of which kind, and when it was chosen."""
    kinds, chosen = {kind for kind, _ in wanted}, [chosen_at for _, chosen_at in wanted if chosen_at is not None]
    packs = {each.payment_id for each in credits.of(user_id) if each.kind in kinds}
    for payment in possible(user_id, days, now):
        is_made_for_it = bool(chosen) and min(chosen) <= (payment.completed_at or 0)
        if payment.id in packs or (payment.purpose == "plan" and is_made_for_it):
            return payment
    return None


def judge(payment: PaymentInfo, days: int, now: int) -> Answer:
    """Whether a payment can go back now. Inside the caller's snapshot or transaction."""
    is_rest_whole = payment.purpose == "gift" and payment.refunded < payment.amount
    if payment.state is PaymentState.REVERSED or (payment.refunded and not is_rest_whole):
        return Answer.RETURNED
    if payment.completed_at is None or payment.state is not PaymentState.COMPLETED or not payment.grants:
        return Answer.IMPOSSIBLE
    if provider_requests.refund_under_way(payment.id) is not None:
        return Answer.UNDER_WAY
    if now >= payment.completed_at + days * DAY_S:
        return Answer.TOO_LATE
    return Answer.POSSIBLE if _is_known(payment) and _is_unused(payment, now) else Answer.USED


def _is_known(payment: PaymentInfo) -> bool:
    """Whether the customer's data reach back to the payment: of somebody who was erased nobody knows what they used."""
    return bool(execute(_KNOWN_SINCE, (payment.id,)).fetchone()[0])


def _is_unused(payment: PaymentInfo, now: int) -> bool:
    user_id = payment.user_id or 0
    if payment.purpose == "gift":
        return gifts.is_unopened(payment.id)
    if payment.purpose == "pack":
        return any(each.payment_id == payment.id and each.is_whole(now) for each in credits.of(user_id))
    if payment.purpose != "plan":
        return False
    begins_at = access.begins_at(user_id, payment.provider, payment.remote_id)
    if begins_at is not None and begins_at == payment.effective_at:
        (known_at,) = execute(_KNOWN_AT, (payment.id,)).fetchone()
        begins_at = min(begins_at, known_at or begins_at)
    return begins_at is None or begins_at > now or not usage.has_any_since(user_id, begins_at)
