"""Payments v2: captures, and the refunds and reversals that take them back."""

from decimal import Decimal
from typing import Any

from . import identifiers, money
from .calls import Answer, Body, Call, Refusal, Routes, link, not_found
from .clock import Clock, rfc3339, unix
from .events import Events
from .sales import Sales
from .store import Document, Store

CAPTURE, REFUND, INVOICE = "capture", "refund", "invoice"
REFUND_OF_SALE = "refund_of_sale"  # the v2 face of a refund that `sales` counts
REFUND_LIFE = 180 * 86_400  # seconds in which PayPal takes a capture back

PENDING_EVENTS = {
    "COMPLETED": "PAYMENT.CAPTURE.COMPLETED",
    "PENDING": "PAYMENT.CAPTURE.PENDING",
    "DECLINED": "PAYMENT.CAPTURE.DECLINED",
    "FAILED": "PAYMENT.CAPTURE.DECLINED",
}


class Payments:
    """A stored capture: the public ``body``, its ``order`` and the ids of its ``refunds``; a refund names its
    ``capture``."""

    def __init__(self, store: Store, clock: Clock, sales: Sales, events: Events, base_url: str) -> None:
        self._store = store
        self._clock = clock
        self._sales = sales
        self._events = events
        self._base_url = base_url

    def routes(self) -> Routes:
        return {
            ("GET", "/v2/payments/captures/{capture_id}"): self.show_capture,
            ("POST", "/v2/payments/captures/{capture_id}/refund"): self.refund,
            ("GET", "/v2/payments/refunds/{refund_id}"): self.show_refund,
        }

    def show_capture(self, call: Call) -> Answer:
        capture_id = call.parameters["capture_id"]
        if self._sales.find(capture_id):
            return Answer(200, self._sales.as_capture(capture_id))
        return Answer(200, self._capture(capture_id)["body"])

    def show_refund(self, call: Call) -> Answer:
        refund_id = call.parameters["refund_id"]
        refund = self._store.get(REFUND, refund_id) or self._store.get(REFUND_OF_SALE, refund_id)
        if refund is None:
            raise not_found()
        return Answer(200, refund["body"])

    def refund(self, call: Call) -> Answer:
        capture_id = call.parameters["capture_id"]
        sale = self._sales.find(capture_id)
        if sale is not None:
            return self._refund_sale(sale, call)
        capture = self._capture(capture_id)
        self._check_refundable(capture)
        amount = call.body.get("amount") or money.money(self._currency(capture), self._rest(capture))
        self._check_refund_amount(capture, amount)
        self._check_refund_invoice(call.body.get("invoice_id"))
        status = (call.effect("refund_status") or {}).get("status", "COMPLETED")
        kept: Body = {
            name: call.body[name] for name in ("custom_id", "invoice_id", "note_to_payer") if name in call.body
        }
        refund = self._take_back(capture, amount, status, kept)
        self._publish_refund("PAYMENT.CAPTURE.REFUNDED", refund)
        minimal = {name: refund["body"][name] for name in ("id", "status", "links")}
        return Answer(201, refund["body"] if call.representation else minimal)

    def _refund_sale(self, sale: Document, call: Call) -> Answer:
        sale_id, rest = sale["body"]["id"], self._sales.rest(sale)
        currency = sale["money"]["currency_code"]
        amount = call.body.get("amount") or money.money(currency, rest)
        if not rest:
            raise Refusal(422, "CAPTURE_FULLY_REFUNDED")
        _check_amount(amount, currency, rest)
        refunded = self._sales.take_back(sale_id, "PAYMENT.SALE.REFUNDED", amount["value"])["body"]
        body: Body = {
            "id": refunded["id"],
            "status": "COMPLETED",
            "links": [
                link(f"{self._base_url}/v2/payments/refunds/{refunded['id']}", "self"),
                link(f"{self._base_url}/v2/payments/captures/{sale_id}", "up"),
            ],
        }
        total = refunded["amount"]
        whole = {
            **body,
            "amount": {"currency_code": total["currency"], "value": total["total"]},
            "create_time": refunded["create_time"],
            "update_time": refunded["update_time"],
        }
        self._store.put(REFUND_OF_SALE, refunded["id"], {"body": whole})
        return Answer(201, whole if call.representation else body)

    def check_invoice(self, unit: Body) -> None:
        """An invoice is paid once. Raises Refusal for the second time."""
        if "invoice_id" in unit and self._store.get(INVOICE, unit["invoice_id"]):
            raise Refusal(422, "DUPLICATE_INVOICE_ID")

    def capture(self, unit: Body, order_id: str, status: str = "COMPLETED", reason: str = "PENDING_REVIEW") -> str:
        """Moves the money of a purchase unit, or does what the status says instead; returns the capture's id."""
        capture_id = identifiers.transaction_id()
        now = rfc3339(self._clock.now())
        url = f"{self._base_url}/v2/payments/captures/{capture_id}"
        body: Body = {
            "id": capture_id,
            "status": status,
            "amount": {name: unit["amount"][name] for name in ("currency_code", "value")},
            "final_capture": True,
            "disbursement_mode": "INSTANT",
            "seller_protection": {
                "status": "ELIGIBLE",
                "dispute_categories": ["ITEM_NOT_RECEIVED", "UNAUTHORIZED_TRANSACTION"],
            },
            "create_time": now,
            "update_time": now,
            "links": [
                link(url, "self"),
                link(f"{url}/refund", "refund", "POST"),
                link(f"{self._base_url}/v2/checkout/orders/{order_id}", "up"),
            ],
            **{name: unit[name] for name in ("invoice_id", "custom_id") if name in unit},
        }
        if status == "COMPLETED":
            body["seller_receivable_breakdown"] = _receivable(body["amount"])
        elif status == "PENDING":
            body["status_details"] = {"reason": reason}
        if "invoice_id" in unit and status in ("COMPLETED", "PENDING"):
            self._store.put(INVOICE, unit["invoice_id"], {"capture": capture_id})
        capture = {"body": body, "order": order_id, "refunds": []}
        self._store.put(CAPTURE, capture_id, capture)
        self._publish_capture(PENDING_EVENTS[status], capture)
        return capture_id

    def settle_pending(self, capture_id: str, status: str, event_type: str | None = None) -> Body:
        """A pending capture becomes COMPLETED or DECLINED."""
        capture = self._capture(capture_id)
        body = capture["body"]
        if body["status"] != "PENDING":
            raise Refusal(422, "CAPTURE_NOT_PENDING")
        body["status"] = status
        body["update_time"] = rfc3339(self._clock.now())
        del body["status_details"]
        if status == "COMPLETED":
            body["seller_receivable_breakdown"] = _receivable(body["amount"])
        self._store.put(CAPTURE, capture_id, capture)
        self._publish_capture(event_type or PENDING_EVENTS[status], capture)
        return dict(body)

    def refund_from_dashboard(self, capture_id: str, value: str | None = None) -> Body:
        """The merchant clicks Refund at PayPal: the shop hears of it by webhook only."""
        capture = self._capture(capture_id)
        self._check_refundable(capture)
        amount = money.money(self._currency(capture), Decimal(value) if value else self._rest(capture))
        self._check_refund_amount(capture, amount)
        refund = self._take_back(capture, amount, "COMPLETED", {})
        self._publish_refund("PAYMENT.CAPTURE.REFUNDED", refund)
        return dict(refund["body"])

    def reverse(self, capture_id: str, value: str | None = None) -> Body:
        """PayPal or a bank takes the money back: a chargeback, a lost dispute."""
        capture = self._capture(capture_id)
        amount = money.money(self._currency(capture), Decimal(value) if value else self._rest(capture))
        self._check_refund_amount(capture, amount)
        refund = self._take_back(capture, amount, "COMPLETED", {"note_to_payer": "Payment reversed"})
        self._publish_refund("PAYMENT.CAPTURE.REVERSED", refund)
        return dict(refund["body"])

    def find(self, capture_id: str) -> Document | None:
        return self._store.get(CAPTURE, capture_id)

    def all_captures(self) -> list[Document]:
        return self._store.all(CAPTURE)

    def all_refunds(self) -> list[Document]:
        return self._store.all(REFUND)

    def of_capture(self, capture_id: str) -> Body:
        """The ``payments`` of a purchase unit."""
        capture = self._capture(capture_id)
        payments: Body = {"captures": [capture["body"]]}
        refunds = [self._store.get(REFUND, refund_id) for refund_id in capture["refunds"]]
        if refunds:
            payments["refunds"] = [refund["body"] for refund in refunds if refund]
        return payments

    def _capture(self, capture_id: str) -> Document:
        capture = self.find(capture_id)
        if capture is None:
            raise not_found()
        return capture

    def _currency(self, capture: Document) -> str:
        return str(capture["body"]["amount"]["currency_code"])

    def _refunded(self, capture: Document) -> Decimal:
        refunds = [self._store.get(REFUND, refund_id) for refund_id in capture["refunds"]]
        return sum(
            (
                money.value(refund["body"]["amount"])
                for refund in refunds
                if refund and refund["body"]["status"] != "FAILED"
            ),
            Decimal(0),
        )

    def _rest(self, capture: Document) -> Decimal:
        return money.value(capture["body"]["amount"]) - self._refunded(capture)

    def _check_refundable(self, capture: Document) -> None:
        status = capture["body"]["status"]
        if status == "PENDING":
            raise Refusal(422, "PENDING_CAPTURE")
        if status == "REFUNDED":
            raise Refusal(422, "CAPTURE_FULLY_REFUNDED")
        if status not in ("COMPLETED", "PARTIALLY_REFUNDED"):
            raise Refusal(422, "REFUND_NOT_ALLOWED")
        if capture.get("disputed"):
            raise Refusal(422, "TRANSACTION_DISPUTED")
        if self._clock.now() >= unix(capture["body"]["create_time"]) + REFUND_LIFE:
            raise Refusal(422, "REFUND_TIME_LIMIT_EXCEEDED")

    def _check_refund_amount(self, capture: Document, amount: money.Money) -> None:
        _check_amount(amount, self._currency(capture), self._rest(capture))

    def _check_refund_invoice(self, invoice_id: str | None) -> None:
        """An invoice number refunds once."""
        if any(invoice_id and refund["body"].get("invoice_id") == invoice_id for refund in self._store.all(REFUND)):
            raise Refusal(422, "DUPLICATE_INVOICE_ID", "/invoice_id")

    def _take_back(self, capture: Document, amount: money.Money, status: str, kept: dict[str, Any]) -> Document:
        refund_id = identifiers.transaction_id()
        capture_id = capture["body"]["id"]
        now = rfc3339(self._clock.now())
        total = self._refunded(capture) + (money.value(amount) if status != "FAILED" else 0)
        body: Body = {
            "id": refund_id,
            "status": status,
            "amount": amount,
            "seller_payable_breakdown": _payable(amount, total),
            "create_time": now,
            "update_time": now,
            "links": [
                link(f"{self._base_url}/v2/payments/refunds/{refund_id}", "self"),
                link(f"{self._base_url}/v2/payments/captures/{capture_id}", "up"),
            ],
            **{name: capture["body"][name] for name in ("custom_id", "invoice_id") if name in capture["body"]},
            **kept,
        }
        refund = {"body": body, "capture": capture_id}
        capture["refunds"].append(refund_id)
        self._store.put(REFUND, refund_id, refund)
        if status == "COMPLETED":
            whole = total >= money.value(capture["body"]["amount"])
            capture["body"]["status"] = "REFUNDED" if whole else "PARTIALLY_REFUNDED"
            capture["body"]["update_time"] = now
        self._store.put(CAPTURE, capture_id, capture)
        return refund

    def _publish_capture(self, event_type: str, capture: Document) -> None:
        resource = {**capture["body"], "supplementary_data": {"related_ids": {"order_id": capture["order"]}}}
        amount = resource["amount"]
        summary = f"Payment {resource['status'].lower()} for {amount['value']} {amount['currency_code']}"
        self._events.publish(event_type, "capture", resource, summary)

    def _publish_refund(self, event_type: str, refund: Document) -> None:
        amount = refund["body"]["amount"]
        verb = event_type.rpartition(".")[2].lower()
        summary = f"A {amount['value']} {amount['currency_code']} capture payment was {verb}"
        self._events.publish(event_type, "refund", refund["body"], summary)


def _check_amount(amount: money.Money, currency: str, rest: Decimal) -> None:
    money.check(amount, "/amount")
    if amount["currency_code"] != currency:
        raise Refusal(422, "REFUND_CAPTURE_CURRENCY_MISMATCH", "/amount/currency_code")
    if money.value(amount) > rest:
        raise Refusal(422, "REFUND_AMOUNT_EXCEEDED", "/amount/value")


def _receivable(amount: money.Money) -> Body:
    currency, fee = amount["currency_code"], money.fee(amount)
    return {
        "gross_amount": amount,
        "paypal_fee": money.money(currency, fee),
        "net_amount": money.money(currency, money.value(amount) - fee),
    }


def _payable(amount: money.Money, total: Decimal) -> Body:
    currency = amount["currency_code"]
    return {
        "gross_amount": amount,
        "paypal_fee": money.money(currency, Decimal(0)),
        "net_amount": amount,
        "total_refunded_amount": money.money(currency, total),
    }
