"""Verified notifications of a provider: each is a reason to poll, and is processed once.

A notification is stored before it is processed, so that an unfinished one is found again. ``payments.apply`` applies
its effects and marks it done in one transaction.
"""

from dataclasses import dataclass
from enum import Enum

from models import outbox
from models.database import execute, in_transaction, transaction
from models.event_kinds import AdminAlert, AlertReason
from models.tables import WebhookEvent

LEASE_S = 60
"""Seconds for which a notification belongs to the process that received or claimed it."""

_COLUMNS = "id, provider, event_id, event_type, resource_id, body, attempts, received_at"
_ADD = f"""
INSERT INTO webhook_event (provider, event_id, event_type, resource_id, body, state, attempts, not_before, received_at)
VALUES (:provider, :event_id, :event_type, :resource_id, :body, 'received', 1, :leased, :now)
ON CONFLICT (provider, event_id) DO NOTHING RETURNING {_COLUMNS}
"""
_KNOWN = f"SELECT state, {_COLUMNS} FROM webhook_event WHERE provider = ? AND event_id = ?"
_CONCLUDE = "UPDATE webhook_event SET state = 'done', done_at = ? WHERE id = ? AND state = 'received'"
_ANY_DUE = "SELECT 1 FROM webhook_event WHERE state = 'received' AND not_before <= ? LIMIT 1"


class Received(Enum):
    """Whether a notification is to be processed (``NEW``, ``UNFINISHED``) or was (``DONE``)."""

    NEW = "new"
    UNFINISHED = "unfinished"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class WebhookInfo:
    """A stored notification. ``body`` is the part of the verified body that is kept."""

    id: int
    provider: str
    event_id: str
    event_type: str
    resource_id: str
    body: str
    attempts: int
    received_at: int


def receive(
    provider: str, event_id: str, event_type: str, resource_id: str, body: str, now: int
) -> tuple[Received, WebhookInfo]:
    """Store a verified notification, claimed for the caller, and return whether it is new.

    The commit does not wait for the disk: a power cut takes a notification that is not answered yet, and the provider
    sends it again.
    """
    values = {
        "provider": provider,
        "event_id": event_id,
        "event_type": event_type,
        "resource_id": resource_id,
        "body": body,
        "leased": now + LEASE_S,
        "now": now,
    }
    with transaction(durable=False):
        added = execute(_ADD, values).fetchone()
        if added is not None:
            return Received.NEW, WebhookInfo(*added)
        state, *known = execute(_KNOWN, (provider, event_id)).fetchone()
        return (Received.DONE if state == "done" else Received.UNFINISHED), WebhookInfo(*known)


def claim(now: int, lease_s: int = LEASE_S) -> WebhookInfo | None:
    """Take the oldest unfinished notification that is due, or None."""
    if execute(_ANY_DUE, (now,)).fetchone() is None:
        return None
    due = (WebhookEvent.state == "received") & (WebhookEvent.not_before <= now)
    with transaction(durable=False):
        row = WebhookEvent.select().where(due).order_by(WebhookEvent.id).first()
        if row is None:
            return None
        taken = {"not_before": now + lease_s, "attempts": WebhookEvent.attempts + 1}
        WebhookEvent.update(**taken).where(WebhookEvent.id == row.id).execute()
        return _info(WebhookEvent.get_by_id(row.id))


def conclude(webhook_id: int, now: int) -> bool:
    """Mark a notification done inside the transaction of its effects; False if another process has done it.

    :raises RuntimeError: no transaction is open.
    """
    if not in_transaction():
        raise RuntimeError("a notification is done in the transaction of its effects")
    return bool(execute(_CONCLUDE, (now, webhook_id)).rowcount)


def give_up(event: WebhookInfo, why: str, now: int) -> None:
    """End a notification that could not be followed, and tell the admins what it was about."""
    detail = {"provider": event.provider, "event": event.event_type, "about": event.resource_id, "why": why}
    alert = AdminAlert(reason=AlertReason.WEBHOOK_UNEXPLAINED, detail=detail)
    with transaction():
        if conclude(event.id, now):
            outbox.append(alert, None, now, key=f"webhook_unexplained:{event.id}")


def retry(webhook_id: int, not_before: int) -> None:
    """Process a notification again from *not_before* on."""
    with transaction(durable=False):
        unfinished = (WebhookEvent.id == webhook_id) & (WebhookEvent.state == "received")
        WebhookEvent.update(not_before=not_before).where(unfinished).execute()


def newest(provider: str) -> int | None:
    """When the newest notification arrived, or None."""
    row = WebhookEvent.select().where(WebhookEvent.provider == provider).order_by(WebhookEvent.id.desc()).first()
    return None if row is None else int(row.received_at)


def stuck(provider: str, attempts: int) -> int:
    """The number of notifications that are unfinished after *attempts* attempts."""
    unfinished = (WebhookEvent.state == "received") & (WebhookEvent.attempts >= attempts)
    return int(WebhookEvent.select().where((WebhookEvent.provider == provider) & unfinished).count())


def _info(row: WebhookEvent) -> WebhookInfo:
    return WebhookInfo(
        id=row.id,
        provider=row.provider,
        event_id=row.event_id,
        event_type=row.event_type,
        resource_id=row.resource_id,
        body=row.body,
        attempts=row.attempts,
        received_at=row.received_at,
    )
