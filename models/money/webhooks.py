"""Verified notifications of a provider: hints to look, each acted on once.

A notification is stored before anything is done about it, so that an unfinished one is found again. Its effects are
applied by ``payments.apply``, whose transaction also marks it done.
"""

from dataclasses import dataclass
from enum import Enum

from models.database import in_transaction, transaction
from models.tables import WebhookEvent

LEASE_S = 60
"""How long whoever received or claimed it may take before another one tries."""


class Received(Enum):
    """What a notification is to us: ``NEW`` and ``UNFINISHED`` are to be worked on, ``DONE`` was dealt with."""

    NEW = "new"
    UNFINISHED = "unfinished"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class WebhookInfo:
    """A stored notification. ``body`` is what its sender was proved to say, as far as it is kept."""

    id: int
    provider: str
    event_id: str
    event_type: str
    resource_id: str
    body: str
    attempts: int


def receive(
    provider: str, event_id: str, event_type: str, resource_id: str, body: str, now: int
) -> tuple[Received, WebhookInfo]:
    """Store a verified notification, claimed for the caller, and say whether it is new.

    The disk is not waited for: what a power cut takes has not been answered yet, and the provider repeats it.
    """
    with transaction(durable=False):
        row = WebhookEvent.get_or_none((WebhookEvent.provider == provider) & (WebhookEvent.event_id == event_id))
        if row is not None:
            return (Received.DONE if row.state == "done" else Received.UNFINISHED), _info(row)
        row = WebhookEvent.create(
            provider=provider,
            event_id=event_id,
            event_type=event_type,
            resource_id=resource_id,
            body=body,
            attempts=1,
            not_before=now + LEASE_S,
            received_at=now,
        )
        return Received.NEW, _info(row)


def claim(now: int, lease_s: int = LEASE_S) -> WebhookInfo | None:
    """Take the oldest unfinished notification that is due, or None."""
    due = (WebhookEvent.state == "received") & (WebhookEvent.not_before <= now)
    with transaction(durable=False):
        row = WebhookEvent.select().where(due).order_by(WebhookEvent.id).first()
        if row is None:
            return None
        taken = {"not_before": now + lease_s, "attempts": WebhookEvent.attempts + 1}
        WebhookEvent.update(**taken).where(WebhookEvent.id == row.id).execute()
        return _info(WebhookEvent.get_by_id(row.id))


def conclude(webhook_id: int, now: int) -> bool:
    """Mark it done inside the transaction of its effects; False when somebody else has done it meanwhile."""
    if not in_transaction():
        raise RuntimeError("a notification is done in the transaction of its effects")
    unfinished = (WebhookEvent.id == webhook_id) & (WebhookEvent.state == "received")
    return bool(WebhookEvent.update(state="done", done_at=now).where(unfinished).execute())


def retry(webhook_id: int, not_before: int) -> None:
    """Look at it again later."""
    with transaction(durable=False):
        unfinished = (WebhookEvent.id == webhook_id) & (WebhookEvent.state == "received")
        WebhookEvent.update(not_before=not_before).where(unfinished).execute()


def newest(provider: str) -> int | None:
    """When the newest notification came, or None."""
    row = WebhookEvent.select().where(WebhookEvent.provider == provider).order_by(WebhookEvent.id.desc()).first()
    return None if row is None else int(row.received_at)


def stuck(provider: str, attempts: int) -> int:
    """How many are unfinished after so many attempts."""
    unfinished = (WebhookEvent.state == "received") & (WebhookEvent.attempts >= attempts)
    return int(WebhookEvent.select().where((WebhookEvent.provider == provider) & unfinished).count())


def _info(row: WebhookEvent) -> WebhookInfo:
    return WebhookInfo(row.id, row.provider, row.event_id, row.event_type, row.resource_id, row.body, row.attempts)
