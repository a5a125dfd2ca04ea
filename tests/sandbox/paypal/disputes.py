"""Customer disputes v1: opened by a payer or a bank, decided for one side."""

from decimal import Decimal

from . import identifiers, money
from .calls import Answer, Body, Call, Refusal, Routes, link, not_found
from .clock import Clock, rfc3339, unix
from .events import Events
from .merchant import EMAIL, MERCHANT_ID
from .orders import PAYER
from .payments import CAPTURE, Payments
from .sales import Sales
from .store import Document, Store

KIND = "dispute"
OUTCOMES = {"seller": "RESOLVED_SELLER_FAVOUR", "buyer": "RESOLVED_BUYER_FAVOUR", "cancelled": "CANCELED_BY_BUYER"}
LISTED = ("dispute_id", "create_time", "update_time", "status", "reason", "dispute_amount", "dispute_life_cycle_stage")
STATES = {
    "OPEN": "OPEN_INQUIRIES",
    "WAITING_FOR_SELLER_RESPONSE": "REQUIRED_ACTION",
    "UNDER_REVIEW": "UNDER_PAYPAL_REVIEW",
}


class Disputes:
    def __init__(
        self, store: Store, clock: Clock, payments: Payments, sales: Sales, events: Events, base_url: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._payments = payments
        self._sales = sales
        self._events = events
        self._base_url = base_url

    def routes(self) -> Routes:
        return {
            ("GET", "/v1/customer/disputes"): self.search,
            ("GET", "/v1/customer/disputes/{id}"): self.show,
        }

    def search(self, call: Call) -> Answer:
        disputes = list(reversed(self._store.all(KIND)))
        lag = call.effect("list_lag")
        if lag is not None:
            shown = self._clock.now() - lag.get("seconds", 3600)
            disputes = [dispute for dispute in disputes if unix(dispute["create_time"]) <= shown]
        wanted = call.query.get("disputed_transaction_id")
        if wanted:
            disputes = [dispute for dispute in disputes if _transaction_id(dispute) == wanted]
        if "dispute_state" in call.query:
            states = call.query["dispute_state"].split(",")
            disputes = [dispute for dispute in disputes if _state(dispute) in states]
        size, start = int(call.query.get("page_size", 10)), int(call.query.get("next_page_token", 0))
        links = [link(f"{self._base_url}{call.path}", "self")]
        if len(disputes) > start + size:
            links.append(link(f"{self._base_url}{call.path}?page_size={size}&next_page_token={start + size}", "next"))
        items = [self._listed(dispute) for dispute in disputes[start : start + size]]
        return Answer(200, {"items": items, "links": links})

    def show(self, call: Call) -> Answer:
        return Answer(200, self._dispute(call.parameters["id"]))

    def open(
        self,
        transaction_id: str,
        *,
        reason: str = "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
        stage: str = "CHARGEBACK",
        value: str | None = None,
    ) -> Body:
        """A payer disputes a capture or a sale, the whole amount by default."""
        transaction, amount = self._transaction(transaction_id)
        disputed = money.money(amount["currency_code"], Decimal(value)) if value else amount
        dispute_id = identifiers.dispute_id()
        now = rfc3339(self._clock.now())
        url = f"{self._base_url}/v1/customer/disputes/{dispute_id}"
        dispute: Body = {
            "dispute_id": dispute_id,
            "create_time": now,
            "update_time": now,
            "disputed_transactions": [transaction],
            "reason": reason,
            "status": "WAITING_FOR_SELLER_RESPONSE",
            "dispute_amount": disputed,
            "dispute_life_cycle_stage": stage,
            "dispute_channel": "INTERNAL",
            "links": [link(url, "self"), link(f"{url}/accept-claim", "accept_claim", "POST")],
        }
        self._mark(transaction_id, True)
        self._save(dispute, "CUSTOMER.DISPUTE.CREATED", "A new dispute opened")
        return dispute

    def update(self, dispute_id: str, status: str = "UNDER_REVIEW") -> Body:
        """The dispute moves on without being decided."""
        dispute = self._undecided(dispute_id)
        dispute["status"] = status
        self._save(dispute, "CUSTOMER.DISPUTE.UPDATED", "A dispute was updated")
        return dispute

    def resolve(self, dispute_id: str, favour: str, *, reverse: bool = True) -> Body:
        """Decided for ``seller`` or ``buyer``, or ``cancelled``; for the buyer the money goes back unless told
        otherwise."""
        dispute = self._undecided(dispute_id)
        transaction_id = _transaction_id(dispute)
        amount = dispute["dispute_amount"]
        lost = favour == "buyer"
        refunded = amount if lost else money.money(amount["currency_code"], Decimal(0))
        dispute["status"] = "RESOLVED"
        dispute["dispute_outcome"] = {"outcome_code": OUTCOMES[favour], "amount_refunded": refunded}
        self._mark(transaction_id, False)
        self._save(dispute, "CUSTOMER.DISPUTE.RESOLVED", "A dispute was resolved")
        if lost and reverse:
            if self._payments.find(transaction_id):
                self._payments.reverse(transaction_id, amount["value"])
            else:
                self._sales.take_back(transaction_id, "PAYMENT.SALE.REVERSED", amount["value"])
        return dispute

    def all(self) -> list[Body]:
        return self._store.all(KIND)

    def _dispute(self, dispute_id: str) -> Document:
        dispute = self._store.get(KIND, dispute_id)
        if dispute is None:
            raise not_found()
        return dispute

    def _undecided(self, dispute_id: str) -> Document:
        dispute = self._dispute(dispute_id)
        if dispute["status"] == "RESOLVED":
            raise Refusal(422, "DISPUTE_ALREADY_RESOLVED")
        dispute["update_time"] = rfc3339(self._clock.now())
        return dispute

    def _save(self, dispute: Document, event_type: str, summary: str) -> None:
        self._store.put(KIND, dispute["dispute_id"], dispute)
        self._events.publish(event_type, "dispute", dispute, summary)

    def _transaction(self, transaction_id: str) -> tuple[Body, money.Money]:
        capture, sale = self._payments.find(transaction_id), self._sales.find(transaction_id)
        if capture is not None:
            body, amount = capture["body"], capture["body"]["amount"]
            names = {"invoice_id": "invoice_number", "custom_id": "custom"}
            extra = {told: body[name] for name, told in names.items() if name in body}
        elif sale is not None:
            body, amount, extra = sale["body"], sale["money"], {}
        else:
            raise not_found()
        return {
            "buyer_transaction_id": identifiers.transaction_id(),
            "seller_transaction_id": transaction_id,
            "create_time": body["create_time"],
            "transaction_status": "COMPLETED",
            "gross_amount": amount,
            "buyer": {"name": f"{PAYER['name']['given_name']} {PAYER['name']['surname']}"},
            "seller": {"email": EMAIL, "merchant_id": MERCHANT_ID, "name": "Peaje"},
            **extra,
        }, amount

    def _mark(self, transaction_id: str, disputed: bool) -> None:
        """A disputed capture is not refunded by the merchant."""
        capture = self._payments.find(transaction_id)
        if capture is not None:
            self._store.put(CAPTURE, transaction_id, {**capture, "disputed": disputed})

    def _listed(self, dispute: Document) -> Body:
        item = {name: dispute[name] for name in LISTED}
        item["dispute_state"] = _state(dispute)
        item["links"] = dispute["links"][:1]
        return item


def _transaction_id(dispute: Document) -> str:
    return str(dispute["disputed_transactions"][0]["seller_transaction_id"])


def _state(dispute: Document) -> str:
    status = str(dispute["status"])
    return STATES.get(status, status)
