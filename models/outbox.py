"""The outbox: what the customer, or the admins, must hear.

A row is written in the transaction that made it true and told later, at least once; its ``random_id`` lets Telegram
refuse a second copy. ``user_id`` None means all admins. What each kind of event tells is in ``models.event_kinds``.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from config.units import DAY_S
from models import event_kinds
from models.database import execute, in_transaction, transaction
from models.event_kinds import AdminAlert, AlertReason, Payload
from models.tables import Event

_APPEND = """
INSERT INTO event (kind, user_id, payload, "key", random_id, not_before, attempts, created_ms)
VALUES (?, ?, ?, ?, ?, ?, 0, ?)
RETURNING id
"""

LEASE_S = 60
"""How long a teller may take before another one tries."""
MONEY = ("payment_", "dispute_", "subscription_", "access_", "request_done")
"""How the kinds begin of whose loss the admins hear one by one; of the others once a day and kind."""


AnyPayload = TypeVar("AnyPayload", bound=Payload)


@dataclass(frozen=True, slots=True)
class EventInfo:
    """Something to tell. ``created_ms`` is the real clock in milliseconds, for measuring how long it took."""

    id: int
    kind: str
    user_id: int | None
    stored: Mapping[str, Any]
    random_id: int
    attempts: int
    created_ms: int

    @property
    def payload(self) -> Payload | None:
        """What the event tells; None when this version does not know its kind.

        :raises TypeError: the row does not hold what its kind needs.
        """
        return event_kinds.read(self.kind, self.stored)

    def read(self, wanted: type[AnyPayload]) -> AnyPayload:
        """What the event tells, where its kind is known to the caller.

        :raises TypeError: the event is of another kind, or its row does not hold what its kind needs.
        """
        if self.kind != wanted.event_kind:
            raise TypeError(f"event {self.id} is {self.kind}, not {wanted.event_kind}")
        return wanted.read(self.stored)


def append(payload: Payload, user_id: int | None, now: int, key: str | None = None) -> int | None:
    """Write an event and return its id; None when *key* has been used before, ever.

    Call it inside the transaction that makes the event true: on its own it would announce what may be rolled back.
    """
    if not in_transaction():
        raise RuntimeError("an event belongs to the transaction that makes it true")
    if key is not None and Event.select(Event.id).where(Event.key == key).exists():
        return None
    stored = Event.payload.db_value(payload.stored())
    values = (payload.event_kind, user_id, stored, key, secrets.randbits(63) or 1, now)
    ((event_id,),) = execute(_APPEND, (*values, time.time_ns() // 1_000_000)).fetchall()
    return int(event_id)


def alert(reason: AlertReason, detail: Mapping[str, Any], now: int, key: str) -> bool:
    """Tell the admins something of its own, once for each *key*; False when they know."""
    with transaction():
        return append(AdminAlert(reason=reason, detail=detail), None, now, key) is not None


def due(now: int, limit: int = 100) -> list[EventInfo]:
    """Return what waits to be told, oldest first, without claiming it."""
    rows = Event.select().where(_waiting(now)).order_by(Event.id).limit(limit)
    return [_info(row) for row in rows]


def claim(now: int, limit: int = 20, lease_s: int = LEASE_S) -> list[EventInfo]:
    """Take what waits, oldest first: nobody else gets it for *lease_s* seconds."""
    with transaction():
        ids = [row.id for row in Event.select(Event.id).where(_waiting(now)).order_by(Event.id).limit(limit)]
        if not ids:
            return []
        Event.update(not_before=now + lease_s, attempts=Event.attempts + 1).where(Event.id.in_(ids)).execute()
        return [_info(row) for row in Event.select().where(Event.id.in_(ids)).order_by(Event.id)]


def take_over(now: int) -> None:
    """Let what a dead predecessor had taken be due at once: only one process tells, and it begins now."""
    with transaction():
        taken = Event.heard_at.is_null() & (Event.attempts > 0) & (Event.not_before <= now + LEASE_S)
        Event.update(not_before=now).where(taken).execute()


def heard(event_id: int, now: int) -> None:
    """Mark it told: it never comes again."""
    with transaction():
        Event.update(heard_at=now).where((Event.id == event_id) & Event.heard_at.is_null()).execute()


def give_up(event: EventInfo, why: str, now: int) -> None:
    """Never tell it, and let the admins know what its customer has not heard.

    What the admins themselves could not be told is only marked: an alert about an alert would have no end.
    """
    about = event.id if event.kind.startswith(MONEY) else f"{event.kind}:{now // DAY_S}"
    detail = {"event": event.id, "kind": event.kind, "user": event.user_id, "why": why}
    with transaction():
        Event.update(heard_at=now).where((Event.id == event.id) & Event.heard_at.is_null()).execute()
        if event.user_id is not None:
            append(
                AdminAlert(reason=AlertReason.EVENT_NOT_TOLD, detail=detail), None, now, key=f"event_not_told:{about}"
            )


def retry(event_id: int, not_before: int) -> None:
    """Tell it again, not before this time."""
    with transaction():
        Event.update(not_before=not_before).where((Event.id == event_id) & Event.heard_at.is_null()).execute()


def oldest_unheard_ms() -> int | None:
    """Return when the oldest untold event was written (real clock, milliseconds), or None."""
    row = Event.select(Event.created_ms).where(Event.heard_at.is_null()).order_by(Event.id).first()
    return None if row is None else int(row.created_ms)


def _waiting(now: int) -> Any:
    return Event.heard_at.is_null() & (Event.not_before <= now)


def _info(row: Event) -> EventInfo:
    return EventInfo(
        id=row.id,
        kind=row.kind,
        user_id=row.user_id,
        stored=row.payload,
        random_id=row.random_id,
        attempts=row.attempts,
        created_ms=row.created_ms,
    )
