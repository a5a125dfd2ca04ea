"""What a payment has given, what is left of it, and what a refund would take back, computed before anything is done."""

from collections import Counter
from dataclasses import dataclass, replace

from models.money import access, credits
from models.money.access import Access, Interval
from models.money.credits import Purchase
from models.money.fold import Refunded
from models.money.payments import PaymentInfo

PACK = "pack"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a refund takes back now, or what is left of a payment, which is what a whole refund takes.

    ``seconds`` of access of ``level``, which then holds until ``until`` (None: it does not hold); or ``count``
    deliveries of ``kind``. Nothing of either: the payment gives nothing any more.
    """

    level: int = 0
    seconds: int = 0
    until: int | None = None
    kind: str | None = None
    count: int = 0


def of_refund(payment: PaymentInfo, amount: int, now: int) -> Taken:
    """What a refund of *amount*, in minor units, takes back. A whole one ends the renewal too."""
    if payment.user_id is None or not payment.grants:
        return Taken()
    if payment.purpose == PACK:
        return _of_pack(payment, payment.user_id, amount, now)
    whole = amount >= payment.amount - payment.refunded
    before = access.of(payment.user_id, now)
    after = access.of(
        payment.user_id,
        now,
        ended=payment.subscription_id if whole else None,
        refunded={f"{payment.provider}:{payment.remote_id}": Refunded(now, amount)},
    )
    lost = _ahead(before, now) - _ahead(after, now)
    return Taken(level=payment.level, seconds=sum(lost.values()), until=after.end_of(payment.level))


def left(payment: PaymentInfo, now: int) -> Taken:
    """What is left of a payment."""
    return of_refund(payment, payment.amount - payment.refunded, now)


def _of_pack(payment: PaymentInfo, user_id: int, amount: int, now: int) -> Taken:
    pack = next((each for each in credits.of(user_id) if each.payment_id == payment.id), None)
    if pack is None:
        return Taken()
    refunded = replace(pack, refunds=(*pack.refunds, Refunded(now, amount)))
    return Taken(kind=pack.kind, count=_usable(pack, now) - _usable(refunded, now))


def _usable(pack: Purchase, now: int) -> int:
    return replace(pack, refunding=False).left(now)


def _ahead(has: Access, now: int) -> Counter[int]:
    """The seconds of each level that are still to come. Time without an end is nobody's purchase."""
    seconds: Counter[int] = Counter()
    for each in has.paid:
        seconds[each.level] += _length(each, now)
    return seconds


def _length(of: Interval, now: int) -> int:
    return 0 if of.end is None else max(0, of.end - max(of.start, now))
