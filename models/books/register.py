"""The payments as the operator looks through them: page by page, and one with everything that belongs to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.database import BEYOND, execute, snapshot
from models.money import orders, payments
from models.money.orders import OrderInfo
from models.money.payments import PaymentInfo, PaymentState
from models.money.providers import Provider
from models.tables import Dispute, PaymentHistory, Refund, Request

PAGE = 50
LOOKED_THROUGH = 20_000
"""Payments that one page looks through at most: where few of millions fit, the next page goes on looking."""
REFUNDED = "refunded"
STATES = (*PaymentState, REFUNDED)
"""What a filter may ask for: a state, or that something went back."""
PROVIDERS = tuple(Provider)

_COLUMNS = "SELECT id, completed_at, provider, state FROM payment"
_BY_STATE = f"{_COLUMNS} WHERE state = :state AND id < :before ORDER BY id DESC"
_OF_CUSTOMER = f"{_COLUMNS} WHERE user_id = :user AND id < :before ORDER BY id DESC"
_BETWEEN = f"""
{_COLUMNS} WHERE completed_at >= :since AND completed_at < :until
  AND (completed_at < :at OR (completed_at = :at AND id < :before)) ORDER BY completed_at DESC, id DESC
"""
_ALL = f"{_COLUMNS} WHERE id < :before ORDER BY id DESC"
_FITTING = """
SELECT id, completed_at FROM ({looked} LIMIT :most) AS looked WHERE :provider IN ('', provider)
  AND (:state IN ('', state) OR (:state = 'refunded' AND EXISTS (SELECT 1 FROM refund WHERE payment_id = looked.id)))
  AND (NOT :dated OR (completed_at >= :since AND completed_at < :until)) LIMIT :wanted
"""
_LAST = "{looked} LIMIT 1 OFFSET :most - 1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which payments: in a state or ``refunded``, of a provider, of a customer, completed in ``[since, until)``."""

    state: str = ""
    provider: str = ""
    user_id: int | None = None
    since: int = 0
    until: int = BEYOND

    @property
    def is_dated(self) -> bool:
        """Whether only a span of time is asked for: of payments that were completed, then."""
        return self.since > 0 or self.until < BEYOND


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last payment that a page has looked at: its id, and when it was completed."""

    id: int = BEYOND
    at: int = BEYOND

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """What :meth:`__str__` wrote; the beginning for anything else."""
        at, _, number = (text or "").partition("-")
        known = at.isdecimal() and number.isdecimal() and max(len(at), len(number)) <= len(str(BEYOND))
        return cls(int(number), int(at)) if known else cls()

    def __str__(self) -> str:
        return f"{self.at}-{self.id}"


@dataclass(frozen=True, slots=True)
class Page:
    """Payments, newest first. ``following`` is where the next page begins; None at the end."""

    payments: tuple[PaymentInfo, ...]
    following: Cursor | None


@dataclass(frozen=True, slots=True)
class RefundRow:
    """Money that went back, in minor units of the payment."""

    at: int
    amount: int
    remote_id: str


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A dispute of a payment; ``amount`` None: all of it. ``won`` None: not decided."""

    opened_at: int
    closed_at: int | None
    won: bool | None
    amount: int | None
    currency: str | None
    remote_id: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """Something that happened to a payment, in the words of the ledger."""

    at: int
    change: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RequestRow:
    """Work that was asked of the provider: a refund or the end of a renewal. ``state`` is open, done or failed."""

    kind: str
    amount: int | None
    state: str
    result: str
    asked_by: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A payment with everything that belongs to it, each list oldest first."""

    payment: PaymentInfo
    order: OrderInfo | None
    refunds: tuple[RefundRow, ...]
    disputes: tuple[DisputeRow, ...]
    history: tuple[ChangeRow, ...]
    requests: tuple[RequestRow, ...]


def page(wanted: Wanted, after: Cursor = Cursor()) -> Page:
    """The next payments behind *after*, the newest first."""
    looked = _looked_at(wanted)
    values = {
        **{"state": wanted.state, "provider": wanted.provider, "user": wanted.user_id, "dated": wanted.is_dated},
        **{"since": wanted.since, "until": wanted.until, "before": after.id, "at": after.at},
        **{"most": LOOKED_THROUGH, "wanted": PAGE + 1},
    }
    with snapshot():
        rows = execute(_FITTING.format(looked=looked), values).fetchall()
        last = rows[PAGE - 1] if len(rows) > PAGE else execute(_LAST.format(looked=looked), values).fetchone()
        found = payments.several([row[0] for row in rows[:PAGE]])
    return Page(tuple(found), None if last is None else Cursor(last[0], last[1] or 0))


def each(after_id: int = 0) -> Iterator[PaymentInfo]:
    """All payments, oldest first, read page by page so that nobody waits for the reader."""
    while True:
        ids = [row[0] for row in execute("SELECT id FROM payment WHERE id > ? ORDER BY id LIMIT ?", (after_id, 500))]
        if not ids:
            return
        yield from payments.several(ids)
        after_id = ids[-1]


def entry(payment_id: int) -> Entry | None:
    """A payment by its row id, with everything that belongs to it; None when there is none."""
    with snapshot():
        payment = payments.get(payment_id)
        if payment is None:
            return None
        of = payment.id
        return Entry(
            payment=payment,
            order=orders.get(payment.order_id) if payment.order_id else None,
            refunds=tuple(
                RefundRow(row.at, row.amount, row.remote_id)
                for row in Refund.select().where(Refund.payment == of).order_by(Refund.at, Refund.id)
            ),
            disputes=tuple(
                map(_dispute, Dispute.select().where(Dispute.payment == of).order_by(Dispute.opened_at, Dispute.id))
            ),
            history=tuple(
                ChangeRow(row.at, row.change, row.detail)
                for row in PaymentHistory.select().where(PaymentHistory.payment == of).order_by(PaymentHistory.id)
            ),
            requests=tuple(
                RequestRow(**{name: getattr(row, name) for name in RequestRow.__slots__})
                for row in Request.select().where(Request.payment == of).order_by(Request.id)
            ),
        )


def _looked_at(wanted: Wanted) -> str:
    """The statement for what a page looks through, by the index that narrows it most."""
    if wanted.user_id is not None:
        return _OF_CUSTOMER
    if wanted.is_dated:
        return _BETWEEN
    return _BY_STATE if wanted.state and wanted.state != REFUNDED else _ALL


def _dispute(row: Dispute) -> DisputeRow:
    return DisputeRow(**{name: getattr(row, name) for name in DisputeRow.__slots__})
