"""What a payment has given, what is left of it, and what a refund would take back, computed before anything is done."""

from collections import Counter
from dataclasses import dataclass, replace

from models.money import access, credits
from models.money.access import Access, Interval
from models.money.credits import Purchase
from models.money.fold import Refunded
from models.money.payments import PaymentInfo, PaymentState
from models.money.vouchers import gifts
from models.money.vouchers.contents import Content

PACK, GIFT = "pack", "gift"


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
    """What a refund of *amount*, in minor units, takes back. A whole one ends the renewal too.

    Of a gift it goes from who has taken it; while nobody has, from what its code gives.
    """
    back = Refunded(now, amount)
    if not payment.grants:
        return Taken()
    if payment.purpose == GIFT:
        return _of_gift(payment, back)
    if payment.user_id is None:
        return Taken()
    if payment.purpose == PACK:
        bought = (each for each in credits.of(payment.user_id) if each.payment_id == payment.id)
        return _of_pack(next(bought, None), back)
    ended = payment.subscription_id if amount >= payment.amount - payment.refunded else None
    grant = access.payment_grant_id(payment.provider, payment.remote_id)
    return _of_access(payment.user_id, payment.level, grant, back, ended=ended)


def left(payment: PaymentInfo, now: int) -> Taken:
    """What is left of a payment."""
    return of_refund(payment, payment.amount - payment.refunded, now)


def _of_gift(payment: PaymentInfo, back: Refunded) -> Taken:
    content, given = gifts.content(payment.id), gifts.given(payment.id)
    if content is None:
        return Taken()
    if given is None:
        return _of_unopened(payment, content, back)
    if content.pack_kind is not None:
        taken = (each for each in credits.of(given.user_id) if each.adjustment_id == given.id)
        return _of_pack(next(taken, None), back)
    return _of_access(given.user_id, content.level, access.adjustment_grant_id(given.id), back)


def _of_unopened(payment: PaymentInfo, content: Content, back: Refunded) -> Taken:
    """Of time that nobody has taken none passes: what goes is counted like deliveries that nobody has used."""
    refunds, disputes = credits.returned([payment.id])
    whole = Purchase(
        payment_id=payment.id,
        code=content.article,
        kind=content.pack_kind or "",
        bought=content.seconds if content.count is None else content.count,
        max_bytes=content.max_bytes or 0,
        start=back.at,
        amount=payment.amount,
        refunds=refunds.get(payment.id, ()),
        disputes=disputes.get(payment.id, ()),
        ended_at=back.at if payment.state is PaymentState.REVERSED else None,
    )
    taken = _of_pack(whole, back)
    return taken if content.pack_kind is not None else Taken(level=content.level, seconds=taken.count)


def _of_access(user_id: int, level: int, grant: str, back: Refunded, *, ended: int | None = None) -> Taken:
    before = access.of(user_id, back.at)
    after = access.of(user_id, back.at, ended=ended, refunded={grant: back})
    lost = _ahead(before, back.at) - _ahead(after, back.at)
    return Taken(level=level, seconds=sum(lost.values()), until=after.end_of(level))


def _of_pack(pack: Purchase | None, back: Refunded) -> Taken:
    if pack is None:
        return Taken()
    refunded = replace(pack, refunds=(*pack.refunds, back))
    return Taken(kind=pack.kind, count=_usable(pack, back.at) - _usable(refunded, back.at))


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
