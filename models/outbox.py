"""The transactional outbox: events that a customer, or all admins, must hear.

An event is written in the transaction that makes it true, and sent later, at least once. Its ``random_id`` lets
Telegram refuse a second copy, for as long as it remembers the id. An event without ``user_id`` is for all admins.
``models.event_kinds`` holds what each kind tells.
"""

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from config.units import DAY_S
from models import event_kinds, notes
from models.database import execute, in_transaction, transaction
from models.event_kinds import AdminAlert, AlertReason, Payload
from models.tables import Event, Note

_APPEND = """
INSERT INTO event (kind, user_id, payload, "key", random_id, not_before, attempts, created_ms)
VALUES (?, ?, ?, ?, ?, ?, 0, ?)
RETURNING id
"""

LEASE_S = 60
"""Seconds for which a claimed event belongs to its claimer."""
MONEY = ("payment_", "dispute_", "subscription_", "access_", "gift_", "request_done")
"""Prefixes of the kinds about money. Admins hear of each lost event of these; of the others once a day and kind."""


MISSED_KEPT = 50
"""How many events an admin who could not be reached is told afterwards."""
_ANY_DUE = "SELECT 1 FROM event WHERE heard_at IS NULL AND not_before <= ? LIMIT 1"
"""Asked after every commit of any program: to claim, where nothing is due, would cost ten times that."""
_MISSED = "missed_by:{}"
"""The key of the note that lists the events which an admin could not be told."""

AnyPayload = TypeVar("AnyPayload", bound=Payload)


@dataclass(frozen=True, slots=True)
class EventInfo:
    """An event. ``created_ms`` is the system clock in milliseconds, to measure how long the event waited.

    Events with the same ``together`` are one message.
    """

    id: int
    kind: str
    user_id: int | None
    stored: Mapping[str, Any]
    random_id: int
    attempts: int
    created_ms: int
    together: int | None = None

    @property
    def payload(self) -> Payload | None:
        """What the event tells; None when this version does not know its kind.

        :raises TypeError: the row does not hold what its kind needs.
        """
        return event_kinds.read(self.kind, self.stored)

    def read(self, wanted: type[AnyPayload]) -> AnyPayload:
        """What the event tells, for a caller who knows its kind.

        :raises TypeError: the event has another kind, or its row does not hold what its kind needs.
        """
        if self.kind != wanted.event_kind:
            raise TypeError(f"event {self.id} is {self.kind}, not {wanted.event_kind}")
        return wanted.read(self.stored)


def append(payload: Payload, user_id: int | None, now: int, key: str | None = None) -> int | None:
    """Write an event and return its id; None when an event with this *key* was written before, ever.

    Call it inside the transaction that makes the event true: otherwise an event could announce what is rolled back.

    :raises RuntimeError: no transaction is open.
    """
    if not in_transaction():
        raise RuntimeError("an event belongs to the transaction that makes it true")
    if key is not None and is_written(key):
        return None
    stored = Event.payload.db_value(payload.stored())
    values = (payload.event_kind, user_id, stored, key, secrets.randbits(63) or 1, now)
    ((event_id,),) = execute(_APPEND, (*values, time.time_ns() // 1_000_000)).fetchall()
    return int(event_id)


def is_written(key: str) -> bool:
    """Whether an event with this *key* was written before."""
    return bool(Event.select(Event.id).where(Event.key == key).exists())


def alert(reason: AlertReason, detail: Mapping[str, Any], now: int, key: str) -> bool:
    """Write an event for the admins, once for each *key*; False when it was written before."""
    with transaction():
        return append(AdminAlert(reason=reason, detail=detail), None, now, key) is not None


def due(now: int, limit: int = 100) -> list[EventInfo]:
    """Return the events that are due, oldest first, without claiming them."""
    rows = Event.select().where(_waiting(now)).order_by(Event.id).limit(limit)
    return [_info(row) for row in rows]


def claim(now: int, limit: int = 20, lease_s: int = LEASE_S) -> list[EventInfo]:
    """Claim events that are due, oldest first: no other process gets them for *lease_s* seconds.

    With an event come all that are one message with it.
    """
    if execute(_ANY_DUE, (now,)).fetchone() is None:
        return []
    with transaction():
        chosen = list(Event.select(Event.id, Event.together).where(_waiting(now)).order_by(Event.id).limit(limit))
        if not chosen:
            return []
        ids = {row.id for row in chosen}
        if messages := {row.together for row in chosen} - {None}:
            others = Event.select(Event.id).where(Event.heard_at.is_null() & Event.together.in_(messages))
            ids |= {row.id for row in others}
        Event.update(not_before=now + lease_s, attempts=Event.attempts + 1).where(Event.id.in_(ids)).execute()
        return [_info(row) for row in Event.select().where(Event.id.in_(ids)).order_by(Event.id)]


def bind(event_ids: Collection[int]) -> int:
    """Make one message of events that were never tried; return the number of the message, which is a random id.

    It is written before the message is sent: it stays the same message when it is tried again, also after a crash.
    """
    together = secrets.randbits(63) or 1
    with transaction(durable=False):
        Event.update(together=together).where(Event.id.in_(event_ids)).execute()
    return together


def take_over(now: int) -> None:
    """Make due at once what an earlier process had claimed. Only for the one process that sends, at its start."""
    with transaction():
        taken = Event.heard_at.is_null() & (Event.attempts > 0) & (Event.not_before <= now + LEASE_S)
        Event.update(not_before=now).where(taken).execute()


def heard(event_id: int, now: int) -> None:
    """Mark an event as sent: it is never claimed again.

    This does not wait for the disk: sent again, with the same random id, the event still arrives once.
    """
    with transaction(durable=False):
        Event.update(heard_at=now).where((Event.id == event_id) & Event.heard_at.is_null()).execute()


def give_up(event: EventInfo, why: str, now: int) -> None:
    """Mark an event as ended without being sent, and alert the admins to what its customer has not heard.

    An event for the admins themselves is only marked: alerts about alerts would never end.
    """
    about = event.id if event.kind.startswith(MONEY) else f"{event.kind}:{now // DAY_S}"
    detail = {"event": event.id, "kind": event.kind, "user": event.user_id, "why": why}
    with transaction():
        Event.update(heard_at=now).where((Event.id == event.id) & Event.heard_at.is_null()).execute()
        if event.user_id is not None:
            append(
                AdminAlert(reason=AlertReason.EVENT_NOT_TOLD, detail=detail), None, now, key=f"event_not_told:{about}"
            )


def miss(event_id: int, admin_id: int, now: int) -> None:
    """Note that an admin could not be told this event, for :func:`missed_by`."""
    key = _MISSED.format(admin_id)
    with transaction():
        note = Note.get_or_none(Note.key == key)
        known = note.value if note else []
        value = [*(each for each in known if each != event_id), event_id][-MISSED_KEPT:]
        notes.write(key, value, now)


def missed_by(admin_id: int) -> list[EventInfo]:
    """Return the newest events that this admin has missed, oldest first, and forget that they were.

    Call it inside a transaction that has them told.
    """
    note = Note.get_or_none(Note.key == _MISSED.format(admin_id))
    if note is None:
        return []
    note.delete_instance()
    return [_info(row) for row in Event.select().where(Event.id.in_(note.value)).order_by(Event.id)]


def retry(event_id: int, not_before: int) -> None:
    """Make an event due again at *not_before*, and so all that are one message with it."""
    with transaction():
        together = Event.select(Event.together).where(Event.id == event_id)
        with_it = (Event.id == event_id) | (Event.together == together)
        Event.update(not_before=not_before).where(with_it & Event.heard_at.is_null()).execute()


def oldest_unheard_ms() -> int | None:
    """Return when the oldest unsent event was written (system clock, milliseconds), or None."""
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
        together=row.together,
    )
