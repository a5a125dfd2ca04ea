"""What neither we nor a provider can explain: money without an order, news about payments that nobody knows."""

from dataclasses import dataclass

import peewee

from config.units import DAY_S, HOUR_S
from models.database import snapshot
from models.event_kinds import AdminAlert, EventKind, IncidentKey
from models.maintenance import health
from models.maintenance.health import IncidentInfo
from models.money import payments
from models.money.payments import PaymentInfo
from models.money.providers import TRAITS
from models.tables import Dispute, Event, Order, Payment, Refund, Request

SHOWN = 50
"""Rows of each sort, the newest."""
WAITING_S = HOUR_S
"""A request that is open for longer may need somebody."""
FAILED_S = 30 * DAY_S
RECENT_EVENTS = 20_000
"""Events among which alerts are looked for: those are kept for as long as any event."""

_MONEY = (
    IncidentKey.LEDGER_CONTRADICTS_ITSELF,
    IncidentKey.REPORT_REFUSED,
    IncidentKey.DISPUTES_REFUSED,
    IncidentKey.PAYPAL_AWAY,
    IncidentKey.PAYPAL_DENIED,
    IncidentKey.PAYPAL_LEFT,
    IncidentKey.WEBHOOKS_FAILING,
    IncidentKey.WEBHOOK_MISSING,
)


@dataclass(frozen=True, slots=True)
class Orphan:
    """A refund or a dispute of a payment that is not in the ledger. ``amount`` is in minor units of that payment."""

    provider: str
    payment_remote_id: str
    remote_id: str
    amount: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """A refund or the end of a renewal that was asked for and is not done: open for long, or ``failed``."""

    kind: str
    provider: str
    payment_id: int | None
    user_id: int | None
    amount: int | None
    failed: bool
    result: str
    at: int


@dataclass(frozen=True, slots=True)
class Alert:
    """Something about money that the admins were told to look into."""

    at: int
    told: AdminAlert


@dataclass(frozen=True, slots=True)
class Unexplained:
    """Everything that somebody should look at; all empty where the books and the providers agree.

    ``unknown`` are payments whose order nobody knows, ``mismatched`` those that do not fit their order: neither gives
    anything.
    """

    unknown: tuple[PaymentInfo, ...]
    mismatched: tuple[PaymentInfo, ...]
    refunds: tuple[Orphan, ...]
    disputes: tuple[Orphan, ...]
    stuck: tuple[Stuck, ...]
    alerts: tuple[Alert, ...]
    incidents: tuple[IncidentInfo, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look at. Alerts are history, and stay for a while."""
        parts = (self.unknown, self.mismatched, self.refunds, self.disputes, self.stuck, self.incidents)
        return not any(parts)


def find(now: int) -> Unexplained:
    """Look for all of it. Every look has an index of its own."""
    with snapshot():
        strange = _of_payments()
        return Unexplained(
            unknown=tuple(each for each in strange if each.order_id is None),
            mismatched=tuple(each for each in strange if each.order_id is not None),
            refunds=_orphans(Refund),
            disputes=_orphans(Dispute),
            stuck=_stuck(now),
            alerts=_alerts(),
            incidents=tuple(each for each in health.incidents() if each.key in _MONEY),
        )


def _of_payments() -> list[PaymentInfo]:
    """Payments that give nothing and are no tests: those are refunded by themselves."""
    query = Payment.select(Payment.id).join(Order, peewee.JOIN.LEFT_OUTER).where(Payment.grants == False)  # noqa: E712
    strange = query.where(Payment.order.is_null() | (Order.purpose != "test"))
    return payments.several([row.id for row in strange.order_by(Payment.id.desc()).limit(SHOWN)])


def _orphans(table: type[Refund] | type[Dispute]) -> tuple[Orphan, ...]:
    rows = table.select().where(table.payment.is_null()).order_by(table.id.desc()).limit(SHOWN)
    return tuple(Orphan(**{name: getattr(row, name) for name in Orphan.__slots__}) for row in rows)


def _stuck(now: int) -> tuple[Stuck, ...]:
    indexed = Request.provider.in_(list(TRAITS)) & Request.state.in_(("open", "failed"))
    asked = indexed & (Request.kind != "lookup")
    waits = (Request.state == "open") & (Request.created_at < now - WAITING_S)
    failed = (Request.state == "failed") & (Request.done_at > now - FAILED_S)
    rows = Request.select().where(asked & (waits | failed)).order_by(Request.id.desc()).limit(SHOWN)
    return tuple(
        Stuck(
            kind=row.kind,
            provider=row.provider,
            payment_id=row.payment_id,
            user_id=row.user_id,
            amount=row.amount,
            failed=row.state == "failed",
            result=row.result,
            at=row.created_at,
        )
        for row in rows
    )


def _alerts() -> tuple[Alert, ...]:
    newest = Event.select(Event.id).order_by(Event.id.desc()).limit(1).scalar() or 0
    about = (Event.kind == EventKind.ADMIN_ALERT) & (Event.id > newest - RECENT_EVENTS)
    rows = Event.select().where(about).order_by(Event.id.desc()).limit(SHOWN)
    return tuple(Alert(row.created_ms // 1000, AdminAlert.read(row.payload)) for row in rows)
