"""Sales v1: the payments of subscriptions, and what takes them back.

A sale may also be read and refunded under its id as a v2 capture, as at PayPal.
"""

from decimal import Decimal

from . import identifiers, money
from .calls import Answer, Body, Call, Refusal, Routes, link, not_found
from .clock import Clock, rfc3339
from .events import Events
from .store import Document, Store

SALE, REFUND = "sale", "sale_refund"
STATUSES = {"completed": "COMPLETED", "refunded": "REFUNDED", "partially_refunded": "PARTIALLY_REFUNDED"}


class Sales:
    """A stored sale: the public ``body``, its ``subscription`` and what was ``refunded`` of it."""

    def __init__(self, store: Store, clock: Clock, events: Events, base_url: str) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._base_url = base_url

    def routes(self) -> Routes:
        return {
            ("GET", "/v1/payments/sale/{sale_id}"): self.show,
            ("POST", "/v1/payments/sale/{sale_id}/refund"): self.refund,
            ("GET", "/v1/payments/refund/{refund_id}"): self.show_refund,
        }

    def show(self, call: Call) -> Answer:
        return Answer(200, self._sale(call.parameters["sale_id"])["body"])

    def show_refund(self, call: Call) -> Answer:
        refund = self._store.get(REFUND, call.parameters["refund_id"])
        if refund is None:
            raise not_found()
        return Answer(200, _undetailed(refund["body"]))

    def refund(self, call: Call) -> Answer:
        sale = self._sale(call.parameters["sale_id"])
        wanted = call.body.get("amount")
        if wanted and wanted["currency"] != sale["body"]["amount"]["currency"]:
            raise Refusal(400, "CURRENCY_MISMATCH", message="The refund is not in the transaction's currency")
        refund = self.take_back(sale["body"]["id"], "PAYMENT.SALE.REFUNDED", wanted and wanted["total"])
        return Answer(201, refund["body"])

    def sell(self, subscription: Document, amount: money.Money) -> Document:
        """A period of a subscription is paid."""
        sale_id = identifiers.transaction_id()
        now = rfc3339(self._clock.now())
        url = f"{self._base_url}/v1/payments/sale/{sale_id}"
        body: Body = {
            "id": sale_id,
            "state": "completed",
            "amount": _v1(amount),
            "payment_mode": "INSTANT_TRANSFER",
            "protection_eligibility": "ELIGIBLE",
            "protection_eligibility_type": "ITEM_NOT_RECEIVED_ELIGIBLE,UNAUTHORIZED_PAYMENT_ELIGIBLE",
            "transaction_fee": {
                "currency": amount["currency_code"],
                "value": money.money(amount["currency_code"], money.fee(amount))["value"],
            },
            "parent_payment": identifiers.payment_id(),
            "billing_agreement_id": subscription["body"]["id"],
            "create_time": now,
            "update_time": now,
            "links": [link(url, "self"), link(f"{url}/refund", "refund", "POST")],
        }
        sale: Document = {"body": body, "money": amount, "subscription": subscription["body"]["id"], "refunded": "0"}
        if "custom_id" in subscription["body"]:
            sale["custom"] = subscription["body"]["custom_id"]
        self._store.put(SALE, sale_id, sale)
        self._publish("PAYMENT.SALE.COMPLETED", "sale", self._told(sale))
        return sale

    def take_back(self, sale_id: str, event_type: str, value: str | None = None) -> Document:
        """Refunds (``PAYMENT.SALE.REFUNDED``) or reverses (``….REVERSED``) a sale, all that is left of it by
        default."""
        sale = self._sale(sale_id)
        amount = sale["money"]
        rest = self.rest(sale)
        taken = money.money(amount["currency_code"], Decimal(value) if value else rest)
        if not rest:
            raise Refusal(
                400, "TRANSACTION_ALREADY_REFUNDED", message="This transaction has already been fully refunded"
            )
        money.check(taken, "/amount")
        if money.value(taken) > rest:
            raise Refusal(
                400, "REFUND_EXCEEDED_TRANSACTION_AMOUNT", message="The refund amount exceeds the transaction's"
            )
        sale["refunded"] = str(Decimal(sale["refunded"]) + money.value(taken))
        whole = Decimal(sale["refunded"]) == money.value(amount)
        sale["body"]["state"] = "refunded" if whole else "partially_refunded"
        sale["body"]["update_time"] = rfc3339(self._clock.now())
        self._store.put(SALE, sale_id, sale)
        refund: Document = {"body": self._refund_body(sale, taken), "sale": sale_id}
        self._store.put(REFUND, refund["body"]["id"], refund)
        told = {**refund["body"], "billing_agreement_id": sale["subscription"]}
        if event_type == "PAYMENT.SALE.REVERSED":
            told["amount"] = _v1(money.money(amount["currency_code"], -money.value(taken)))
        self._publish(event_type, "refund" if event_type == "PAYMENT.SALE.REFUNDED" else "sale", told)
        return refund

    def rest(self, sale: Document) -> Decimal:
        """What was not taken back yet."""
        return money.value(sale["money"]) - Decimal(sale["refunded"])

    def find(self, sale_id: str) -> Document | None:
        return self._store.get(SALE, sale_id)

    def as_capture(self, sale_id: str) -> Body:
        """The sale as ``GET /v2/payments/captures/{id}`` shows it."""
        sale = self._sale(sale_id)
        body = sale["body"]
        custom = {"custom_id": sale["custom"]} if "custom" in sale else {}
        return {
            "id": sale_id,
            "status": STATUSES[body["state"]],
            "amount": sale["money"],
            "final_capture": True,
            "create_time": body["create_time"],
            "update_time": body["update_time"],
            "links": [link(f"{self._base_url}/v2/payments/captures/{sale_id}", "self")],
            **custom,
        }

    def of_subscription(self, subscription_id: str) -> list[Document]:
        return [sale for sale in self._store.all(SALE) if sale["subscription"] == subscription_id]

    def all(self) -> list[Document]:
        return self._store.all(SALE)

    def all_refunds(self) -> list[Document]:
        return self._store.all(REFUND)

    def _sale(self, sale_id: str) -> Document:
        sale = self.find(sale_id)
        if sale is None:
            raise not_found()
        return sale

    def _refund_body(self, sale: Document, amount: money.Money) -> Body:
        refund_id = identifiers.transaction_id()
        now = rfc3339(self._clock.now())
        currency = amount["currency_code"]
        return {
            "id": refund_id,
            "state": "completed",
            "amount": _v1(amount),
            "refund_from_received_amount": {"currency": currency, "value": amount["value"]},
            "total_refunded_amount": {
                "currency": currency,
                "value": money.money(currency, Decimal(sale["refunded"]))["value"],
            },
            "sale_id": sale["body"]["id"],
            "parent_payment": sale["body"]["parent_payment"],
            "create_time": now,
            "update_time": now,
            "links": [
                link(f"{self._base_url}/v1/payments/refund/{refund_id}", "self"),
                link(f"{self._base_url}/v1/payments/sale/{sale['body']['id']}", "sale"),
            ],
        }

    def _told(self, sale: Document) -> Body:
        """The sale as events tell it, with the subscription's ``custom``."""
        return {**sale["body"], "custom": sale["custom"]} if "custom" in sale else sale["body"]

    def _publish(self, event_type: str, resource_type: str, resource: Body) -> None:
        amount = resource["amount"]
        verb = event_type.rpartition(".")[2].lower()
        summary = f"A {amount['total']} {amount['currency']} sale payment was {verb}"
        self._events.publish(event_type, resource_type, resource, summary)


def _v1(amount: money.Money) -> Body:
    return {"total": amount["value"], "currency": amount["currency_code"], "details": {"subtotal": amount["value"]}}


def _undetailed(refund: Body) -> Body:
    detail = ("refund_from_received_amount", "total_refunded_amount", "refund_from_transaction_fee")
    return {name: value for name, value in refund.items() if name not in detail}
