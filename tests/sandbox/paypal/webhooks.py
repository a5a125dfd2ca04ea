"""Notifications v1: the webhooks that are registered, their events, and the check of a signature by PayPal."""

import json
from urllib.parse import urlsplit

from . import identifiers
from .calls import Answer, Body, Call, Refusal, Routes, link, not_found
from .certificates import Certificates
from .events import EVENT, WEBHOOK, Events
from .signatures import ALGORITHM, signed_text, verify
from .store import Document, Store

LIMIT = 10  # webhooks of one application
SIMULATED_ID = "WEBHOOK_ID"  # what simulated events are signed for

EVENT_TYPES = {
    "CHECKOUT.ORDER.APPROVED": "An order has been approved by buyer",
    "CHECKOUT.ORDER.COMPLETED": "An order has been completed",
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED": "A problem occurred after the buyer approved the order",
    "PAYMENT.CAPTURE.COMPLETED": "A payment capture completes",
    "PAYMENT.CAPTURE.PENDING": "The state of a payment capture changes to pending",
    "PAYMENT.CAPTURE.DENIED": "A payment capture is denied",
    "PAYMENT.CAPTURE.DECLINED": "A payment capture is declined",
    "PAYMENT.CAPTURE.REFUNDED": "A merchant refunds a payment capture",
    "PAYMENT.CAPTURE.REVERSED": "PayPal reverses a payment capture",
    "PAYMENT.SALE.COMPLETED": "A sale completes",
    "PAYMENT.SALE.PENDING": "The state of a sale changes to pending",
    "PAYMENT.SALE.DENIED": "The state of a sale changes to denied",
    "PAYMENT.SALE.REFUNDED": "A merchant refunds a sale",
    "PAYMENT.SALE.REVERSED": "PayPal reverses a sale",
    "CUSTOMER.DISPUTE.CREATED": "A dispute is created",
    "CUSTOMER.DISPUTE.UPDATED": "A dispute is updated",
    "CUSTOMER.DISPUTE.RESOLVED": "A dispute is resolved",
    "BILLING.SUBSCRIPTION.CREATED": "A billing subscription is created",
    "BILLING.SUBSCRIPTION.ACTIVATED": "A billing subscription is activated",
    "BILLING.SUBSCRIPTION.UPDATED": "A billing subscription is updated",
    "BILLING.SUBSCRIPTION.RE-ACTIVATED": "A billing subscription is re-activated",
    "BILLING.SUBSCRIPTION.EXPIRED": "A billing subscription expires",
    "BILLING.SUBSCRIPTION.CANCELLED": "A billing subscription is cancelled",
    "BILLING.SUBSCRIPTION.SUSPENDED": "A billing subscription is suspended",
    "BILLING.SUBSCRIPTION.PAYMENT.FAILED": "Payment failed for a billing subscription",
}


class Webhooks:
    def __init__(self, store: Store, events: Events, certificates: Certificates, base_url: str) -> None:
        self._store = store
        self._events = events
        self._certificates = certificates
        self._base_url = base_url

    def routes(self) -> Routes:
        prefix = "/v1/notifications"
        return {
            ("POST", f"{prefix}/webhooks"): self.create,
            ("GET", f"{prefix}/webhooks"): self.list_webhooks,
            ("GET", f"{prefix}/webhooks/{{webhook_id}}"): self.show,
            ("PATCH", f"{prefix}/webhooks/{{webhook_id}}"): self.patch,
            ("DELETE", f"{prefix}/webhooks/{{webhook_id}}"): self.delete,
            ("GET", f"{prefix}/webhooks-event-types"): self.list_event_types,
            ("POST", f"{prefix}/verify-webhook-signature"): self.verify,
            ("GET", f"{prefix}/webhooks-events"): self.list_events,
            ("GET", f"{prefix}/webhooks-events/{{event_id}}"): self.show_event,
            ("POST", f"{prefix}/webhooks-events/{{event_id}}/resend"): self.resend,
            ("POST", f"{prefix}/simulate-event"): self.simulate,
        }

    def create(self, call: Call) -> Answer:
        existing = self._store.all(WEBHOOK)
        if any(webhook["url"] == call.body["url"] for webhook in existing):
            raise Refusal(400, "WEBHOOK_URL_ALREADY_EXISTS", message="Webhook URL already exists")
        if len(existing) >= LIMIT:
            raise Refusal(400, "WEBHOOK_NUMBER_LIMIT_EXCEEDED", message="Webhook number limit exceeded")
        webhook_id = identifiers.transaction_id()
        webhook = {
            "id": webhook_id,
            "url": _checked_url(call.body["url"]),
            "event_types": _checked_types(call.body["event_types"]),
        }
        self._store.put(WEBHOOK, webhook_id, webhook)
        return Answer(201, self._public(webhook))

    def list_webhooks(self, call: Call) -> Answer:
        return Answer(200, {"webhooks": [self._public(webhook) for webhook in self._store.all(WEBHOOK)]})

    def show(self, call: Call) -> Answer:
        return Answer(200, self._public(self._webhook(call)))

    def patch(self, call: Call) -> Answer:
        webhook = self._webhook(call)
        for index, operation in enumerate(call.patch):
            match operation:
                case {"op": "replace", "path": "/url", "value": url}:
                    webhook["url"] = _checked_url(url)
                case {"op": "replace", "path": "/event_types", "value": event_types}:
                    webhook["event_types"] = _checked_types(event_types)
                case _:
                    raise Refusal(400, "INVALID_PATCH_OPERATION", f"/{index}")
        self._store.put(WEBHOOK, webhook["id"], webhook)
        return Answer(200, self._public(webhook))

    def delete(self, call: Call) -> Answer:
        webhook_id = self._webhook(call)["id"]
        self._store.delete(WEBHOOK, webhook_id)
        self._events.forget(webhook_id)
        return Answer(204)

    def list_event_types(self, call: Call) -> Answer:
        return Answer(200, {"event_types": [_event_type(name) for name in EVENT_TYPES]})

    def verify(self, call: Call) -> Answer:
        """Checks the event byte for byte as it stands in the request, as PayPal does."""
        name = urlsplit(call.body["cert_url"]).path.rpartition("/")[2]
        text = signed_text(
            call.body["transmission_id"],
            call.body["transmission_time"],
            call.body["webhook_id"],
            _member(call.text, "webhook_event").encode(),
        )
        genuine = (
            name == self._certificates.GENUINE
            and call.body["auth_algo"] == ALGORITHM
            and verify(self._certificates.pair(name), call.body["transmission_sig"], text)
        )
        return Answer(200, {"verification_status": "SUCCESS" if genuine else "FAILURE"})

    def list_events(self, call: Call) -> Answer:
        events = list(reversed(self._store.all(EVENT)))
        if "event_type" in call.query:
            events = [event for event in events if event["event_type"] == call.query["event_type"]]
        if "transaction_id" in call.query:
            events = [event for event in events if event["resource"].get("id") == call.query["transaction_id"]]
        page = events[: int(call.query.get("page_size", 10))]
        url = f"{self._base_url}/v1/notifications/webhooks-events"
        return Answer(200, {"events": page, "count": len(page), "links": [link(url, "self")]})

    def show_event(self, call: Call) -> Answer:
        return Answer(200, self._event(call))

    def resend(self, call: Call) -> Answer:
        event = self._event(call)
        wanted = call.body.get("webhook_ids")
        for webhook in self._store.all(WEBHOOK):
            if wanted is None or webhook["id"] in wanted:
                self._events.enqueue(event, webhook["id"], webhook["url"])
        return Answer(202, event)

    def simulate(self, call: Call) -> Answer:
        """A mock event, signed for no webhook of anybody's."""
        if "webhook_id" in call.body:
            webhook = self._store.get(WEBHOOK, call.body["webhook_id"])
            if webhook is None:
                raise not_found()
            url = webhook["url"]
        else:
            url = _checked_url(call.body["url"])
        event = self._events.compose(
            call.body["event_type"],
            "capture",
            {"id": "42311647XV020574X", "amount": {"currency_code": "USD", "value": "2.51"}, "status": "COMPLETED"},
            "A simulated event",
        )
        self._store.put(EVENT, event["id"], event)
        self._events.enqueue(event, SIMULATED_ID, url)
        return Answer(202, event)

    def _webhook(self, call: Call) -> Document:
        webhook = self._store.get(WEBHOOK, call.parameters["webhook_id"])
        if webhook is None:
            raise not_found()
        return webhook

    def _event(self, call: Call) -> Document:
        event = self._store.get(EVENT, call.parameters["event_id"])
        if event is None:
            raise not_found()
        return event

    def _public(self, webhook: Document) -> Body:
        url = f"{self._base_url}/v1/notifications/webhooks/{webhook['id']}"
        return {
            **webhook,
            "event_types": [_event_type(entry["name"]) for entry in webhook["event_types"]],
            "links": [link(url, "self"), link(url, "update", "PATCH"), link(url, "delete", "DELETE")],
        }


def _event_type(name: str) -> Body:
    return {"name": name, "description": EVENT_TYPES.get(name, "ALL"), "status": "ENABLED"}


def _checked_types(event_types: list[Body]) -> list[Body]:
    for index, entry in enumerate(event_types):
        if entry["name"] not in EVENT_TYPES and entry["name"] != "*":
            raise Refusal(400, "INVALID_EVENT_TYPE", f"/event_types/{index}/name")
    return [{"name": entry["name"]} for entry in event_types]


def _checked_url(url: str) -> str:
    """PayPal wants https; here a loopback address may do without."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise Refusal(400, "INVALID_WEBHOOK_URL", "/url")
    return url


def _member(text: str, name: str) -> str:
    """The text of one member of a JSON object, exactly as it was written. Raises KeyError where there is none."""
    decoder = json.JSONDecoder()
    position = text.index("{") + 1
    while True:
        position = _skip(text, position, ",")
        key, position = decoder.raw_decode(text, position)
        position = _skip(text, position, ":")
        _, end = decoder.raw_decode(text, position)
        if key == name:
            return text[position:end]
        position = _skip(text, end, "")
        if text[position] == "}":
            raise KeyError(name)


def _skip(text: str, position: int, separators: str) -> int:
    while text[position].isspace() or text[position] in separators:
        position += 1
    return position
