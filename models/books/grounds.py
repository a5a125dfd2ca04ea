"""Why a customer has what they have: what each stretch of their access is due to."""

from dataclasses import dataclass
from enum import StrEnum

from models.money import access, payments
from models.money.fold import Stretch
from models.money.payments import PaymentInfo
from models.money.rewards import rows as rewards
from models.money.rewards.rules import Side
from models.tables import Adjustment

MOST = 12
"""Stretches that are explained."""
_REWARD = "reward:"


class Ground(StrEnum):
    """What access is due to."""

    PAID = "paid"
    GIVEN = "given"
    CODE = "access"
    GIFT = "gift"
    TRIAL = "trial"
    IMPORTED = "import"
    """The former bot had given it."""
    BROUGHT = "brought"
    """A reward for who brought a customer."""
    CAME = "came"
    """One for who came by an invitation."""


@dataclass(frozen=True, slots=True)
class Reason:
    """From ``start`` to ``end`` (None: no end) a customer has ``level``, because of that.

    ``payment`` is what was paid, by them or for them; ``by`` the admin who gave it, ``said`` why.
    """

    start: int
    end: int | None
    level: int
    ground: Ground
    payment: PaymentInfo | None = None
    by: int | None = None
    said: str = ""


def of(user_id: int, now: int) -> tuple[Reason, ...]:
    """What a customer's access is due to from now on, in order of time; the first :data:`MOST`."""
    ahead = access.why(user_id, now)[:MOST]
    sides = _sides(user_id) if any(each.grant.startswith(_REWARD) for each in ahead) else {}
    return tuple(_reason(each, sides) for each in ahead)


def _sides(user_id: int) -> dict[str, Side]:
    return {each.grant.id: each.side for each in rewards.of(user_id)}


def _reason(stretch: Stretch, sides: dict[str, Side]) -> Reason:
    kind, _, number = stretch.grant.partition(":")
    if stretch.grant in sides:
        ground = Ground.BROUGHT if sides[stretch.grant] is Side.REFERRER else Ground.CAME
        return _of(stretch, ground)
    if kind != "adjustment":
        return _of(stretch, Ground.PAID, payment=payments.find(kind, number))
    row = Adjustment.get_by_id(int(number))
    is_by_itself = row.article is not None or row.by is None
    if is_by_itself and row.reason in (Ground.CODE, Ground.GIFT, Ground.TRIAL, Ground.IMPORTED):
        paid = payments.get(row.payment_id) if row.payment_id is not None else None
        return _of(stretch, Ground(row.reason), payment=paid)
    return _of(stretch, Ground.GIVEN, by=row.by, said=row.reason)


def _of(
    stretch: Stretch, ground: Ground, *, payment: PaymentInfo | None = None, by: int | None = None, said: str = ""
) -> Reason:
    return Reason(stretch.start, stretch.end, stretch.level, ground, payment=payment, by=by, said=said)
