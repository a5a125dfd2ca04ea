"""Whether an order may still be paid: asked in the last moment before the money moves.

A discount code is redeemed here, and not when its price is shown: so that a customer who looks and goes away has not
used it, and one who opens many pages pays its price once.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import peewee

from models.database import transaction
from models.money.providers import TRAITS
from models.money.vouchers import gifts
from models.tables import Adjustment, Code, Order, Payment, Redemption


class Refusal(StrEnum):
    """Why an order may not be paid any more."""

    CODE = "code"
    """Its discount code has ended, or was redeemed."""
    GIFTS = "gifts"
    """The buyer is new, and has another gift whose payment can still be taken back."""
    STOPPED = "stopped"
    """A dispute of the buyer stops their gifts."""


UNDER_WAY_S = 60
"""Seconds within which a provider that is answered at once completes a payment."""

LOST = ("cancelled", "expired", "failed")
"""States of an order in which its discount code is free again."""


def admit(order_id: int, now: int) -> Refusal | None:
    """Admit an order, and redeem its discount code; why not, otherwise. From then on its money may be moving."""
    with transaction():
        order = Order.get_by_id(order_id)
        if order.purpose == "gift" and gifts.is_stopped(order.user_id):
            return Refusal.STOPPED
        if order.purpose == "gift" and is_one_gift_too_many(order.user_id, order.provider, order_id, now):
            return Refusal.GIFTS
        if order.purpose != "gift" and order.code is not None and not _redeem(order, now):
            return Refusal.CODE
        Order.update(checkout_started_at=now).where(Order.id == order_id).execute()
        return None


def is_one_gift_too_many(user_id: int, provider: str, order_id: int, now: int) -> bool:
    """Whether a provider takes money back, and a buyer who is new there has another gift that is not settled."""
    return TRAITS[provider].payer_disputes and gifts.is_one_too_many(user_id, provider, order_id, now)


def used(row: Code) -> int:
    """How many customers have redeemed a code. A discount whose purchase came to nothing is free again."""
    redeemed = Redemption.select().join(Order, peewee.JOIN.LEFT_OUTER).where(Redemption.code == row)
    return int(redeemed.where(Order.id.is_null() | Order.state.not_in(LOST)).count())


def holds_use(row: Code, user_id: int) -> bool:
    """Whether a customer's own redemption takes one of a code's uses."""
    mine = Redemption.get_or_none((Redemption.code == row) & (Redemption.user == user_id))
    return mine is not None and _holds_a_use(mine)


def paid(order: Order, now: int) -> None:
    """Have the redemption of a paid order's code stand, whatever was admitted, inside the caller's transaction."""
    row = _discount(order)
    known = Redemption.select().where(Redemption.order == order).exists()
    if row is not None and not known:
        values: Mapping[str, Any] = {"code": row, "user": order.user_id, "order": order, "at": now}
        Redemption.insert(**values).on_conflict_ignore().execute()


def _redeem(order: Order, now: int) -> bool:
    row = _discount(order)
    if row is None:
        return True  # a restored database may be older than the code
    if _has_paid_with(row, order) or (row.new_only and not _is_new(row, order, now)):
        return False
    # By the order first: of a buyer who was erased meanwhile it is all that tells whose it is.
    mine = Redemption.get_or_none((Redemption.code == row) & (Redemption.order == order))
    mine = mine or Redemption.get_or_none((Redemption.code == row) & (Redemption.user == order.user_id))
    holds = mine is not None and _holds_a_use(mine)
    if mine is not None and mine.order_id == order.id and (holds or _counts(mine, now)):
        return True
    is_open = row.ended_at is None and row.held_at is None and (row.until is None or row.until > now)
    if not is_open or (mine is not None and _counts(mine, now)):
        return False
    if row.uses is not None and not holds and used(row) >= row.uses:
        return False
    if mine is None:
        Redemption.create(code=row, user=order.user_id, order=order, at=now)
    else:
        Redemption.update(order=order, at=now).where(Redemption.id == mine.id).execute()
    return True


def _holds_a_use(mine: Redemption) -> bool:
    """Whether a redemption takes one of its code's uses: that of a purchase that came to nothing is free for others."""
    return mine.order is None or mine.order.state not in LOST


def _has_paid_with(row: Code, order: Order) -> bool:
    """Whether the buyer has paid another order with the code. Of who was erased their redemption does not say so."""
    others = Order.select().where((Order.user == order.user_id) & (Order.id != order.id) & (Order.purpose != "gift"))
    return bool(others.where((Order.code == row.text) & (Order.state == "paid")).exists())


def _is_new(row: Code, order: Order, now: int) -> bool:
    """Whether the buyer has bought nothing but this order, and redeemed no other code than the trial."""
    others = Payment.select().join(Order, peewee.JOIN.LEFT_OUTER).where(Payment.user == order.user_id)
    counted = Order.id.is_null() | ((Order.id != order.id) & (Order.purpose != "test"))
    if others.where(Payment.completed_at.is_null(False) & counted).exists():
        return False
    redeemed = Redemption.select().join(Code).where((Code.kind != "trial") & (Code.id != row.id))
    given = Adjustment.select(Adjustment.id).where(Adjustment.user == order.user_id)
    if redeemed.where(Redemption.adjustment.in_(given)).exists():  # what was given outlives an erasure
        return False
    return not any(_counts(each, now) for each in redeemed.where(Redemption.user == order.user_id))


def _counts(mine: Redemption, now: int) -> bool:
    """Whether the purchase of a redemption was paid, or may be about to be."""
    order = mine.order
    if order is None or order.state == "paid" or Payment.select().where(Payment.order == order).exists():
        return True
    began, is_asked_later = order.checkout_started_at, TRAITS[order.provider].is_asked_later
    if order.state in LOST or order.refused_at is not None or began is None:
        return False
    return is_asked_later or abs(now - began) < UNDER_WAY_S  # later than now, where the clock was set back


def _discount(order: Order) -> Code | None:
    row: Code | None = Code.get_or_none((Code.text == order.code) & (Code.kind == "discount"))
    return row
