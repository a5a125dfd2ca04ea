"""Webhook events: written with the change that they tell of, then queued for every webhook that wants them."""

from collections.abc import Callable
from typing import Any

from . import identifiers
from .calls import Body, link
from .clock import Clock, rfc3339
from .guard import Guard
from .store import Document, Store

EVENT, WEBHOOK = "event", "webhook"
OUTBOX, DELIVERY = "outbox", "delivery"  # transmissions to be sent, and finished ones

RESOURCE_VERSIONS = {"checkout-order": "2.0", "capture": "2.0", "refund": "2.0", "subscription": "2.0"}


class Events:
    """Publishes inside the caller's transaction; a delivery is a row until it was taken or given up."""

    def __init__(self, store: Store, clock: Clock, guard: Guard, base_url: str) -> None:
        self._store = store
        self._clock = clock
        self._guard = guard
        self._base_url = base_url
        self._listeners: list[Callable[[], None]] = []

    def on_publish(self, listener: Callable[[], None]) -> None:
        """Called after each publication, perhaps before its transaction ends."""
        self._listeners.append(listener)

    def publish(self, event_type: str, resource_type: str, resource: Body, summary: str) -> Document:
        """An event about a resource, as it is now."""
        event = self.compose(event_type, resource_type, resource, summary)
        self._guard.check_event(event)
        self.send(event)
        return event

    def send(self, event: Document) -> None:
        """Queues an event, whatever it says, for every webhook that is subscribed to its type."""
        self._store.put(EVENT, event["id"], event)
        for webhook in self._store.all(WEBHOOK):
            names = {entry["name"] for entry in webhook["event_types"]}
            if names & {"*", event["event_type"]}:
                self.enqueue(event, webhook["id"], webhook["url"])

    def compose(self, event_type: str, resource_type: str, resource: Body, summary: str) -> Document:
        event_id = identifiers.event_id()
        url = f"{self._base_url}/v1/notifications/webhooks-events/{event_id}"
        event: dict[str, Any] = {
            "id": event_id,
            "event_version": "1.0",
            "create_time": rfc3339(self._clock.now()),
            "resource_type": resource_type,
            "event_type": event_type,
            "summary": summary,
            "resource": resource,
            "links": [link(url, "self"), link(f"{url}/resend", "resend", "POST")],
        }
        if resource_type in RESOURCE_VERSIONS:
            event["resource_version"] = RESOURCE_VERSIONS[resource_type]
        return event

    def enqueue(self, event: Document, webhook_id: str, url: str, *, prepared: bool = False) -> None:
        """One more transmission of an event to a webhook; a prepared one is not touched by switches."""
        transmission_id = identifiers.transmission_id()
        delivery = {
            "transmission_id": transmission_id,
            "transmission_time": rfc3339(self._clock.now()),
            "event_id": event["id"],
            "event_type": event["event_type"],
            "webhook_id": webhook_id,
            "url": url,
            "prepared": prepared,
            "due": 0.0,  # Unix seconds of the machine, not of this server's clock
            "attempts": 0,
            "answers": [],  # statuses; null for no answer
            "status": "PENDING",
        }
        self._store.put(OUTBOX, transmission_id, delivery)
        self._announce()

    def forget(self, webhook_id: str) -> None:
        """Gives up what was still to be sent to a webhook."""
        for delivery in self._store.all(OUTBOX):
            if delivery["webhook_id"] == webhook_id:
                self._store.delete(OUTBOX, delivery["transmission_id"])

    def _announce(self) -> None:
        for listener in self._listeners:
            listener()
