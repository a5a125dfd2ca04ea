"""Gifts: what a customer buys for somebody else. The payment opens a code, which is taken once.

Whether a gift can be taken is not stored but follows from its payment, and from those of its giver: while one of these
is disputed, or was lost, nothing of theirs is given away. What was taken belongs to who took it; a refund or a dispute
acts on what is left of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import peewee

from config.units import DAY_S
from models import outbox
from models.database import execute, transaction
from models.event_kinds import EventKind, GiftChanged, GiftWaiting
from models.money import access
from models.money.facts import PaymentState
from models.money.vouchers import contents, texts
from models.money.vouchers.contents import Content
from models.tables import Adjustment, Code, Dispute, Order, Payment, Redemption, Refund, Request

REMIND_DAYS = (5, 30, 90)
"""When a giver hears that nobody has taken their gift, in days after the purchase."""

_FELT = (
    EventKind.PAYMENT_REFUNDED,
    EventKind.PAYMENT_REVERSED,
    EventKind.DISPUTE_OPENED,
    EventKind.DISPUTE_CLOSED,
)
"""News of a payment that change what is left of a gift."""

YOUNG_S = 30 * DAY_S
"""For so long after their first payment by a provider that can take money back a buyer has one unsettled gift."""

_FIRST = "SELECT MIN(completed_at) FROM payment WHERE user_id = ? AND provider = ?"
_UNSETTLED = """
SELECT COUNT(*) FROM "order" AS orders LEFT JOIN payment ON payment.order_id = orders.id
WHERE orders.user_id = ? AND orders.provider = ? AND orders.purpose = 'gift' AND orders.id <> ?
AND ((payment.state IN ('pending', 'completed', 'frozen')
      AND payment.amount > (SELECT COALESCE(SUM(amount), 0) FROM refund WHERE refund.payment_id = payment.id))
     OR (payment.id IS NULL AND orders.state = 'open' AND orders.checkout_started_at IS NOT NULL
         AND orders.refused_at IS NULL))
"""
"""Paid and not all refunded, or about to be paid."""


def opened(payment: Payment, order: Order, now: int) -> None:
    """Make the code of a gift whose money has arrived, once, inside the caller's transaction."""
    if Code.select().where(Code.payment == payment).exists():
        return
    text = order.code
    if text is None or Code.select().where(Code.text == text).exists():
        text = texts.new()  # a second payment of one order is a second gift
    row = contents.of_order(order).columns()
    remind_at = (payment.completed_at or now) + REMIND_DAYS[0] * DAY_S
    Code.insert(text=text, kind="gift", uses=1, payment=payment, created_at=now, remind_at=remind_at, **row).execute()


def text_of(payment: Payment) -> str | None:
    """The code that opens the gift which a payment has bought; None before its money has arrived."""
    row = Code.get_or_none(Code.payment == payment)
    return None if row is None else str(row.text)


def follow(payment: Payment, now: int) -> None:
    """Have what somebody took of a gift follow its payment, inside the caller's transaction."""
    taken = _taken(payment)
    if taken is not None:
        access.changed(taken.user_id, now)


def tell(payment: Payment, about: EventKind, now: int, *, won: bool = False, part: bool = False) -> None:
    """Tell who took a gift what its giver hears about the payment, inside the caller's transaction."""
    taken = _taken(payment)
    if taken is not None and about in _FELT:
        changed = GiftChanged(plan=taken.article or "", about=about, won=won, part=part)
        outbox.append(changed, taken.user_id, now)
        access.changed(taken.user_id, now)


@dataclass(frozen=True, slots=True)
class Given:
    """The row of the ledger by which somebody has what a gift gave."""

    id: int
    user_id: int


def given(payment_id: int) -> Given | None:
    """Who has taken the gift of a payment; None while nobody has."""
    row: Any = Adjustment.get_or_none(Adjustment.payment == payment_id)
    return None if row is None else Given(row.id, row.user_id)


def content(payment_id: int) -> Content | None:
    """What the code of a gift gives or gave; None before its money has arrived."""
    row = Code.get_or_none(Code.payment == payment_id)
    return None if row is None else contents.of_code(row)


def _taken(payment: Payment) -> Adjustment | None:
    row: Adjustment | None = Adjustment.get_or_none(Adjustment.payment == payment)
    return row


def fault(payment: Any) -> str:
    """Why a gift cannot be taken: ``gone`` when its money went back, ``stopped`` while its giver disputes; or empty.

    Where only a part went back, the rest of the gift is good.
    """
    going = (Request.payment == payment) & (Request.kind == "refund") & (Request.state == "open")
    if payment.state not in (PaymentState.COMPLETED, PaymentState.FROZEN):
        return "gone"
    if not kept(payment) or Request.select().where(going).exists():
        return "gone"
    giver = payment.user
    return "stopped" if giver is None or giver.banned_at is not None or is_stopped(payment.user_id) else ""


def kept(payment: Any) -> int:
    """What of a payment's money was not refunded, in minor units."""
    returned = Refund.select(peewee.fn.SUM(Refund.amount)).where(Refund.payment == payment.id).scalar() or 0
    return max(0, int(payment.amount) - int(returned))


def is_stopped(giver_id: int) -> bool:
    """Whether a dispute stops the gifts of a customer: one that is open, or that they have won."""
    against = Dispute.won.is_null() | ~Dispute.won
    return bool(Dispute.select().join(Payment).where((Payment.user == giver_id) & against).exists())


def is_one_too_many(user_id: int, provider: str, order_id: int, now: int) -> bool:
    """Whether a buyer in their first days has another gift than this order's whose money may still be taken back."""
    ((first,),) = execute(_FIRST, (user_id, provider)).fetchall()
    is_young = first is None or now - first < YOUNG_S
    return is_young and bool(execute(_UNSETTLED, (user_id, provider, order_id)).fetchone()[0])


def is_unopened(payment_id: int) -> bool:
    """Whether nobody has taken the gift of a payment."""
    taken = Redemption.select().join(Code).where(Code.payment == payment_id)
    is_gift = Code.select().where(Code.payment == payment_id).exists()
    return bool(is_gift) and not taken.exists()


def unopened(giver_id: int, limit: int) -> list[Any]:
    """The codes of the gifts that a customer bought and nobody has taken, the newest first."""
    rows = Code.select(Code, Payment).join(Payment).where((Payment.user == giver_id) & (Code.kind == "gift"))
    waiting = (row for row in rows.order_by(Code.id.desc()) if is_unopened(row.payment_id) and not fault(row.payment))
    return list(islice(waiting, limit))


def remind(refund_days: int, now: int) -> int:
    """Remind the givers of unopened gifts that are due; return how many were looked at."""
    due = [row.id for row in Code.select(Code.id).where(Code.remind_at <= now).order_by(Code.remind_at).limit(100)]
    for code_id in due:
        with transaction():
            _remind(Code.get_by_id(code_id), refund_days, now)
    return len(due)


def _remind(row: Any, refund_days: int, now: int) -> None:
    payment, paid_at = row.payment, row.payment.completed_at or row.created_at
    coming = [paid_at + days * DAY_S for days in REMIND_DAYS if paid_at + days * DAY_S > now]
    Code.update(remind_at=min(coming, default=None)).where(Code.id == row.id).execute()
    if payment.user_id is None or not is_unopened(payment.id) or fault(payment) or row.ended_at is not None:
        return
    until = paid_at + refund_days * DAY_S
    waiting = GiftWaiting(
        plan=row.article,
        code=row.text,
        payment=payment.id,
        amount=kept(payment),
        currency=payment.currency,
        days=max(1, (now - paid_at) // DAY_S),
        refundable_until=until if until > now else None,
    )
    outbox.append(waiting, payment.user_id, now, key=f"gift_waiting:{row.id}:{waiting.days}")


# ---- what must be true


_CODELESS = """
SELECT payment.id FROM payment JOIN "order" AS orders ON orders.id = payment.order_id
WHERE orders.purpose = 'gift' AND payment."grants" AND payment.completed_at IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM code WHERE code.payment_id = payment.id)
"""
_OTHERS = """
SELECT code.id, code.payment_id FROM code JOIN payment ON payment.id = code.payment_id
LEFT JOIN "order" AS orders ON orders.id = payment.order_id
WHERE COALESCE(orders.purpose, '') <> 'gift' OR NOT payment."grants" OR orders.plan_code <> code.article
OR orders.level <> code.level OR orders.seconds <> code.seconds OR COALESCE(orders.count, 0) <> COALESCE(code.count, 0)
"""
_UNPAID = """
SELECT adjustment.id, adjustment.payment_id FROM adjustment
LEFT JOIN redemption ON redemption.adjustment_id = adjustment.id LEFT JOIN code ON code.id = redemption.code_id
WHERE adjustment.payment_id IS NOT NULL
AND (code.payment_id IS NULL OR code.payment_id <> adjustment.payment_id OR code.level <> adjustment.level
     OR code.seconds <> adjustment.seconds OR COALESCE(code.count, 0) <> COALESCE(adjustment.count, 0))
"""
_TOO_OFTEN = """
SELECT code.id, COUNT(*), code.uses FROM code JOIN redemption ON redemption.code_id = code.id
WHERE code.uses IS NOT NULL AND code.kind <> 'discount' GROUP BY code.id HAVING COUNT(*) > code.uses
"""
_EMPTY = """
SELECT redemption.id, code.id FROM redemption JOIN code ON code.id = redemption.code_id
WHERE (code.kind = 'discount' AND redemption.order_id IS NULL)
OR (code.kind <> 'discount' AND redemption.adjustment_id IS NULL)
"""
_MISPRICED = """
SELECT orders.id, orders.amount, orders.list_amount, code.percent FROM "order" AS orders
JOIN code ON code.text = orders.code AND code.kind = 'discount'
WHERE orders.list_amount IS NOT NULL
AND (orders.amount < 1 OR orders.amount * 100 < orders.list_amount * (100 - code.percent)
     OR (orders.amount - 1) * 100 >= orders.list_amount * (100 - code.percent))
"""


def audit() -> Iterator[str]:
    """What contradicts itself, in words: a gift without a code, or what was given or sold beside its code."""
    for (payment_id,) in execute(_CODELESS).fetchall():
        yield f"payment {payment_id}: bought a gift that no code opens"
    for code_id, payment_id in execute(_OTHERS).fetchall():
        yield f"code {code_id}: opens another gift than payment {payment_id} has bought"
    for given_id, payment_id in execute(_UNPAID).fetchall():
        yield f"adjustment {given_id}: gave another gift than payment {payment_id} has bought"
    for code_id, used, uses in execute(_TOO_OFTEN).fetchall():
        yield f"code {code_id}: {used} customers redeemed it, for {uses}"
    for row_id, code_id in execute(_EMPTY).fetchall():
        yield f"redemption {row_id}: of code {code_id}, gave nothing"
    for order_id, amount, full, percent in execute(_MISPRICED).fetchall():
        yield f"order {order_id}: costs {amount}, and not {percent} % less than {full}"
