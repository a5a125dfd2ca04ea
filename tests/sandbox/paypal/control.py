"""What tests do with this PayPal: as plain methods, and the same by HTTP under ``/_control/``."""

import base64
from collections.abc import Callable
from typing import Any

from .calls import Body, Refusal
from .clock import Clock
from .deliveries import Deliveries
from .disputes import Disputes
from .events import EVENT, Events
from .forgery import Forgery
from .gateway import Gateway
from .guard import Guard
from .merchant import Merchant
from .names import Names
from .orders import Orders
from .payments import Payments
from .sales import Sales
from .store import Document, Store
from .subscriptions import Subscriptions
from .switches import Switches


class Control:
    """The hands of the payer, of the merchant at PayPal's own pages, of a bank, and of fate."""

    forgery: Forgery
    names: Names
    _store: Store
    _clock: Clock
    _guard: Guard
    _switches: Switches
    _merchant: Merchant
    _events: Events
    _orders: Orders
    _payments: Payments
    _sales: Sales
    _subscriptions: Subscriptions
    _disputes: Disputes
    _deliveries: Deliveries
    _gateway: Gateway

    def deviations(self) -> list[Body]:
        """Every departure from PayPal's files so far: ``{what, where, field, rule, description}``."""
        return self._guard.deviations()

    def clear_deviations(self) -> None:
        self._guard.clear()

    def switch(self, fault: str, **options: Any) -> int:
        """Arms a fault: see ``Switches.set``. Raises ValueError for an unknown one."""
        return self._switches.set(fault, **options)

    def switches(self) -> list[Body]:
        return self._switches.describe()

    def clear_switches(self, switch_id: int | None = None) -> None:
        self._switches.clear(switch_id)

    def leave_out_optional(self, left_out: bool = True) -> None:
        """From now on, leave out of every answer and event what PayPal's files do not require."""
        self._gateway.leaves_out_optional = self._deliveries.leaves_out_optional = left_out

    def calls(self) -> list[Body]:
        """The last calls of the API: ``{method, path, request_id, status, debug_id, fault}``; status null: hung up."""
        return list(self._gateway.calls)

    def revoke_tokens(self) -> int:
        return self._merchant.revoke_tokens()

    def now(self) -> int:
        """Unix seconds on PayPal's clock."""
        return self._clock.now()

    def advance(self, seconds: int) -> int:
        """Moves PayPal's clock on, and bills the subscriptions that fall due; returns its new time."""
        return self.set_clock_offset(self._clock.offset + seconds)

    def set_clock_offset(self, seconds: int) -> int:
        """Puts PayPal's clock so many seconds ahead of the machine's (behind: negative)."""
        with self._store.transaction():
            self._clock.set_offset(seconds)
            self._subscriptions.bill_what_is_due()
        return self._clock.now()

    def orders(self) -> list[Body]:
        return self._orders.all()

    def approve_order(self, order_id: str, *, instrument: str = "good") -> str:
        """The payer approves without a browser; returns where it would have been sent. ``instrument``: good,
        declined."""
        with self._store.transaction():
            return self._orders.approve(order_id, instrument=instrument)

    def reverse_approval(self, order_id: str) -> None:
        with self._store.transaction():
            self._orders.reverse_approval(order_id)

    def captures(self) -> list[Body]:
        return [capture["body"] for capture in self._payments.all_captures()]

    def refunds(self) -> list[Body]:
        """Refunds and reversals of captures, each with the ``capture`` it takes back."""
        return [{**refund["body"], "capture": refund["capture"]} for refund in self._payments.all_refunds()]

    def sale_refunds(self) -> list[Body]:
        """Refunds and reversals of sales, each with its ``sale_id``."""
        return [refund["body"] for refund in self._sales.all_refunds()]

    def complete_capture(self, capture_id: str) -> Body:
        with self._store.transaction():
            return self._payments.settle_pending(capture_id, "COMPLETED")

    def deny_capture(self, capture_id: str, *, event_type: str = "PAYMENT.CAPTURE.DENIED") -> Body:
        """PayPal has two names for this event; the other one is ``PAYMENT.CAPTURE.DECLINED``."""
        with self._store.transaction():
            return self._payments.settle_pending(capture_id, "DECLINED", event_type)

    def refund_capture(self, capture_id: str, *, value: str | None = None) -> Body:
        """The merchant refunds at PayPal's own pages, everything that is left by default."""
        with self._store.transaction():
            return self._payments.refund_from_dashboard(capture_id, value)

    def reverse_capture(self, capture_id: str, *, value: str | None = None) -> Body:
        with self._store.transaction():
            return self._payments.reverse(capture_id, value)

    def subscriptions(self) -> list[Body]:
        return self._subscriptions.all()

    def sales(self) -> list[Body]:
        return [sale["body"] for sale in self._sales.all()]

    def approve_subscription(self, subscription_id: str, *, instrument: str = "good") -> str:
        """The payer approves without a browser; returns where it would have been sent."""
        with self._store.transaction():
            return self._subscriptions.approve(subscription_id, instrument=instrument)

    def renew_subscription(self, subscription_id: str, *, fail: bool = False) -> str | None:
        """Bills the next period now; returns the sale's id, None when the payment failed."""
        with self._store.transaction():
            return self._subscriptions.bill(subscription_id, fail=fail)

    def end_subscription(self, subscription_id: str, *, status: str = "CANCELLED") -> Body:
        """CANCELLED, SUSPENDED or EXPIRED, from the payer's or PayPal's side."""
        with self._store.transaction():
            self._subscriptions.end(subscription_id, status)
            return self._subscriptions.public(subscription_id)

    def refund_sale(self, sale_id: str, *, value: str | None = None) -> Body:
        with self._store.transaction():
            return dict(self._sales.take_back(sale_id, "PAYMENT.SALE.REFUNDED", value)["body"])

    def reverse_sale(self, sale_id: str, *, value: str | None = None) -> Body:
        with self._store.transaction():
            return dict(self._sales.take_back(sale_id, "PAYMENT.SALE.REVERSED", value)["body"])

    def disputes(self) -> list[Body]:
        return self._disputes.all()

    def open_dispute(self, transaction_id: str, **options: Any) -> Body:
        """Of a capture or a sale; options ``reason``, ``stage``, ``value``."""
        with self._store.transaction():
            return self._disputes.open(transaction_id, **options)

    def update_dispute(self, dispute_id: str, **options: Any) -> Body:
        with self._store.transaction():
            return self._disputes.update(dispute_id, **options)

    def resolve_dispute(self, dispute_id: str, *, favour: str, reverse: bool = True) -> Body:
        """For the ``seller``, the ``buyer``, or ``cancelled`` by the buyer."""
        with self._store.transaction():
            return self._disputes.resolve(dispute_id, favour, reverse=reverse)

    def events(self) -> list[Document]:
        return self._store.all(EVENT)

    def publish_event(self, event_type: str, resource: Body, *, resource_type: str = "capture") -> Document:
        """A genuine event about anything: late news, or another shop's order."""
        with self._store.transaction():
            event = self._events.compose(event_type, resource_type, resource, event_type)
            self._events.send(event)
            return event

    def repeat_event(self, event_id: str) -> None:
        """Sends an event once more to every webhook that it went to."""
        with self._store.transaction():
            event = self._store.get(EVENT, event_id)
            if event is None:
                raise Refusal(404, "INVALID_RESOURCE_ID")
            went_to = {(it["webhook_id"], it["url"]) for it in self.deliveries() if it["event_id"] == event_id}
            for webhook_id, url in went_to:
                self._events.enqueue(event, webhook_id, url, prepared=True)

    def deliveries(self) -> list[Document]:
        """Every transmission: ``{event_id, event_type, webhook_id, url, attempts, answers, status, …}``."""
        return self._deliveries.all()

    def wait_delivered(self, timeout: float = 10) -> bool:
        """True once every transmission was taken, dropped or given up."""
        return self._deliveries.wait(timeout)

    def forge(self, event: Body, webhook_id: str) -> dict[str, Body]:
        """``Forgery.all`` and the ``genuine`` one as JSON: headers, and the body in base64."""
        transmissions = {"genuine": self.forgery.genuine(event, webhook_id), **self.forgery.all(event, webhook_id)}
        return {
            name: {"headers": it.headers, "body_base64": base64.b64encode(it.body).decode()}
            for name, it in transmissions.items()
        }

    def control(self, method: str, path: str, body: Body) -> tuple[int, Any]:
        """One control call by HTTP: status and JSON answer."""
        try:
            action = self._action(method, path.strip("/").split("/"))
            if action is None:
                return 404, {"error": f"no such control call: {method} {path}"}
            return 200, action(body)
        except Refusal as refusal:
            return refusal.status, {"error": refusal.issue}
        except (KeyError, TypeError, ValueError) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}

    def _action(self, method: str, parts: list[str]) -> Callable[[Body], Any] | None:
        match [method, *parts]:
            case ["GET", name] if name in READABLE:
                return lambda body: getattr(self, name)()
            case [_, name, key, verb] if (name, verb) in VERBS and method == "POST":
                return lambda body: getattr(self, VERBS[name, verb])(key, **body)
            case ["DELETE", "switches", switch_id]:
                return lambda body: self.clear_switches(int(switch_id))
        return self._plain_actions().get((method, "/".join(parts)))

    def _plain_actions(self) -> dict[tuple[str, str], Callable[[Body], Any]]:
        return {
            ("GET", "clock"): lambda body: self._time(),
            ("POST", "clock"): self._move_clock,
            ("DELETE", "deviations"): lambda body: self.clear_deviations(),
            ("POST", "switches"): lambda body: {"id": self.switch(**body)},
            ("DELETE", "switches"): lambda body: self.clear_switches(),
            ("POST", "names"): self.names.lead,
            ("POST", "optional"): lambda body: self.leave_out_optional(**body),
            ("POST", "tokens/revoke"): lambda body: {"revoked": self.revoke_tokens()},
            ("POST", "deliveries/wait"): lambda body: {"delivered": self.wait_delivered(**body)},
            ("POST", "events"): lambda body: self.publish_event(**body),
            ("POST", "forge"): lambda body: self.forge(**body),
            ("POST", "disputes"): lambda body: self.open_dispute(**body),
        }

    def _time(self) -> Body:
        return {"now": self.now(), "offset": self._clock.offset}

    def _move_clock(self, body: Body) -> Body:
        if "offset" in body:
            self.set_clock_offset(int(body["offset"]))
        else:
            self.advance(int(body["advance"]))
        return self._time()


READABLE = frozenset(
    {
        "deviations",
        "switches",
        "calls",
        "orders",
        "captures",
        "refunds",
        "sale_refunds",
        "subscriptions",
        "sales",
        "disputes",
        "events",
        "deliveries",
    }
)
VERBS = {
    ("orders", "approve"): "approve_order",
    ("orders", "reverse-approval"): "reverse_approval",
    ("captures", "complete"): "complete_capture",
    ("captures", "deny"): "deny_capture",
    ("captures", "refund"): "refund_capture",
    ("captures", "reverse"): "reverse_capture",
    ("subscriptions", "approve"): "approve_subscription",
    ("subscriptions", "renew"): "renew_subscription",
    ("subscriptions", "end"): "end_subscription",
    ("sales", "refund"): "refund_sale",
    ("sales", "reverse"): "reverse_sale",
    ("disputes", "update"): "update_dispute",
    ("disputes", "resolve"): "resolve_dispute",
    ("events", "repeat"): "repeat_event",
}
