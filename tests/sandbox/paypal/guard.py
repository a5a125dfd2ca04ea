"""Holds what goes in and out against PayPal's files, and remembers every departure."""

import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .calls import Answer, Body
from .operations import Fault, Operation
from .unchecked import Unchecked

if TYPE_CHECKING:
    from .specifications import Specifications

# Answers that PayPal is known to give although its own files forbid them: (operation, status, field).
KNOWN_DEPARTURES = frozenset(
    {
        ("POST /v1/notifications/webhooks", 400, ""),  # its own error names, WEBHOOK_URL_ALREADY_EXISTS for one
        ("POST /v1/payments/sale/{sale_id}/refund", 400, ""),  # TRANSACTION_ALREADY_REFUNDED and its like
        ("GET /v1/reporting/transactions", 200, "/transaction_details"),  # an empty list
        ("GET /v1/customer/disputes", 200, "/items"),  # likewise
    }
)

# Which schema the resource of an event follows: by the beginning of `EVENT.TYPE resource-type`.
RESOURCES = (
    ("CHECKOUT.ORDER.", "checkout_orders_v2", "order"),
    ("PAYMENT.CAPTURE.REFUNDED", "payments_payment_v2", "refund"),
    ("PAYMENT.CAPTURE.REVERSED", "payments_payment_v2", "refund"),
    ("PAYMENT.CAPTURE.COMPLETED", "payments_payment_v2", "capture"),
    ("PAYMENT.CAPTURE.PENDING", "payments_payment_v2", "capture"),
    ("PAYMENT.CAPTURE.DE", "payments_payment_v2", "capture"),  # DENIED and DECLINED
    ("PAYMENT.SALE.COMPLETED", "payments_payment_v1", "sale"),
    ("PAYMENT.SALE.RE", "payments_payment_v1", "refund"),  # REFUNDED and REVERSED
    ("CUSTOMER.DISPUTE.", "customer_disputes_v1", "dispute"),
    ("BILLING.SUBSCRIPTION.", "billing_subscriptions_v1", "subscription"),
)


class Guard:
    """The list of deviations: of requests (the shop's fault) and of responses and events (this server's)."""

    def __init__(self, specifications: "Specifications | Unchecked") -> None:
        self._specifications = specifications
        self._lock = threading.Lock()
        self._deviations: list[Body] = []

    def check_request(self, operation: Operation, body: Any) -> list[Fault]:
        faults = self._specifications.request_faults(operation, body)
        self._record("request", str(operation), faults)
        return faults

    def check_response(self, operation: Operation, answer: Answer) -> None:
        faults = self._specifications.response_faults(operation, answer.status, answer.body)
        unknown = [fault for fault in faults if (str(operation), answer.status, fault.field) not in KNOWN_DEPARTURES]
        self._record(f"response {answer.status}", str(operation), unknown)

    def check_event(self, event: Body) -> None:
        """The envelope wholly; the resource by its schema, but with whatever more events tell of it."""
        faults = self._specifications.event_faults(event)
        for prefix, file, schema in RESOURCES:
            if f"{event['event_type']} {event['resource_type']}".startswith(prefix):
                faults += self._specifications.component_faults(file, schema, event["resource"])
        self._record("event", event["event_type"], faults)

    def sparse_event(self, event: Body) -> Body:
        """The event without what is optional in its resource."""
        for prefix, file, schema in RESOURCES:
            if f"{event['event_type']} {event['resource_type']}".startswith(prefix):
                return {**event, "resource": self._specifications.sparse_component(file, schema, event["resource"])}
        return event

    def report(self, where: str, rule: str, description: str) -> None:
        """A request's departure that no schema can see."""
        self._record("request", where, [Fault("", rule, description)])

    def deviations(self) -> list[Body]:
        with self._lock:
            return list(self._deviations)

    def clear(self) -> None:
        with self._lock:
            self._deviations.clear()

    def _record(self, what: str, where: str, faults: list[Fault]) -> None:
        with self._lock:
            self._deviations += [{"what": what, "where": where, **asdict(fault)} for fault in faults]
