"""Orders v2: created, approved by a payer in a browser, captured once."""

from decimal import Decimal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from . import identifiers, money
from .calls import Answer, Body, Call, Refusal, Routes, link, not_found
from .clock import Clock, rfc3339
from .events import Events
from .merchant import EMAIL, MERCHANT_ID
from .payments import Payments
from .store import Document, Store

KIND = "order"
PAYER_ACTION_LIFE = 3 * 3600  # seconds that a payer has; then the order is gone
ATTEMPTS = 10  # declined captures before PayPal refuses to try again

PAYER: Body = {
    "name": {"given_name": "John", "surname": "Doe"},
    "email_address": "buyer@personal.example.com",
    "payer_id": "QYR5Z8XDVJNXQ",
    "address": {"country_code": "ES"},
}
DEFAULT_RETURN_URL = "about:blank"


class Orders:
    """A stored order: the public ``body``, and what PayPal keeps to itself beside it."""

    def __init__(self, store: Store, clock: Clock, payments: Payments, events: Events, base_url: str) -> None:
        self._store = store
        self._clock = clock
        self._payments = payments
        self._events = events
        self._base_url = base_url

    def routes(self) -> Routes:
        return {
            ("POST", "/v2/checkout/orders"): self.create,
            ("GET", "/v2/checkout/orders/{id}"): self.show,
            ("PATCH", "/v2/checkout/orders/{id}"): self.patch,
            ("POST", "/v2/checkout/orders/{id}/capture"): self.capture,
        }

    def create(self, call: Call) -> Answer:
        source = call.body.get("payment_source")
        if source is not None and call.request_id is None:
            raise Refusal(400, "PAYPAL_REQUEST_ID_REQUIRED", "/payment_source")
        if call.body["intent"] != "CAPTURE":
            raise Refusal(422, "UNSUPPORTED_INTENT", "/intent")
        units = [self._unit(index, unit) for index, unit in enumerate(call.body["purchase_units"])]
        self._check_units(units)
        now = self._clock.now()
        wallet = (source or {}).get("paypal") or {}
        body = {
            "id": identifiers.transaction_id(),
            "intent": call.body["intent"],
            "status": "CREATED" if source is None else "PAYER_ACTION_REQUIRED",
            "purchase_units": units,
            "create_time": rfc3339(now),
        }
        if source is not None:
            body["payment_source"] = {"paypal": {}}
        order: Document = {
            "body": body,
            "experience": wallet.get("experience_context") or call.body.get("application_context") or {},
            "action_rel": "approve" if source is None else "payer-action",
            "expires": now + PAYER_ACTION_LIFE,
            "captures": [],
            "attempts": 0,
            "instrument": "good",
        }
        self._store.put(KIND, body["id"], order)
        return Answer(
            201 if source is None else 200, self._answer(call, order, "id", "status", "payment_source", "links")
        )

    def show(self, call: Call) -> Answer:
        order = self._order(call.parameters["id"])
        if order["captures"] and call.effect("order_lag") is not None:
            order = {**order, "body": {**order["body"], "status": "APPROVED"}, "captures": []}
        return Answer(200, self.public(order))

    def patch(self, call: Call) -> Answer:
        """Replaces what may still change of the first unit while nothing was captured."""
        order = self._order(call.parameters["id"])
        if order["captures"]:
            raise Refusal(422, "ORDER_ALREADY_COMPLETED")
        unit = order["body"]["purchase_units"][0]
        for index, operation in enumerate(call.patch):
            name = operation.get("path", "").removeprefix("/purchase_units/@reference_id=='default'/")
            if name not in ("amount", "custom_id", "invoice_id", "description", "soft_descriptor"):
                raise Refusal(400, "FIELD_NOT_PATCHABLE", f"/{index}/path")
            if operation["op"] not in ("replace", "add"):
                raise Refusal(400, "INVALID_PATCH_OPERATION", f"/{index}/op")
            if name == "amount":
                money.check(operation["value"], f"/{index}/value")
            unit[name] = operation["value"]
        self._store.put(KIND, order["body"]["id"], order)
        return Answer(204)

    def capture(self, call: Call) -> Answer:
        order = self._order(call.parameters["id"])
        body = order["body"]
        if body["status"] == "COMPLETED":
            raise Refusal(422, "ORDER_ALREADY_CAPTURED")
        if body["status"] != "APPROVED":
            raise Refusal(422, "ORDER_NOT_APPROVED")
        if order["instrument"] == "declined" or call.effect("declined_instrument") is not None:
            raise self._refuse_instrument(order)
        for unit in body["purchase_units"]:
            self._payments.check_invoice(unit)
        outcome = call.effect("capture_status") or {}
        order["captures"] = [self._payments.capture(unit, body["id"], **outcome) for unit in body["purchase_units"]]
        body["status"] = "COMPLETED"
        body["update_time"] = rfc3339(self._clock.now())
        self._store.put(KIND, body["id"], order)
        answer = self._answer(call, order, "id", "status", "payment_source", "purchase_units", "payer", "links")
        if not call.representation:
            answer["purchase_units"] = [_minimal_unit(unit) for unit in answer["purchase_units"]]
        return Answer(201, answer)

    def approve(self, order_id: str, *, instrument: str = "good") -> str:
        """The payer agrees, with an instrument that is ``good`` or ``declined``; says where the browser goes next."""
        order = self._order(order_id)
        body = order["body"]
        if body["status"] == "COMPLETED":
            raise Refusal(422, "ORDER_ALREADY_CAPTURED")
        now = self._clock.now()
        order["instrument"] = instrument
        order["expires"] = now + PAYER_ACTION_LIFE
        body["status"] = "APPROVED"
        body["payer"] = PAYER
        body["payment_source"] = {
            "paypal": {
                "email_address": PAYER["email_address"],
                "account_id": PAYER["payer_id"],
                "name": PAYER["name"],
                "address": PAYER["address"],
            }
        }
        body["update_time"] = rfc3339(now)
        self._store.put(KIND, order_id, order)
        self._events.publish(
            "CHECKOUT.ORDER.APPROVED", "checkout-order", self.public(order), "An order has been approved by buyer"
        )
        return with_query(self._url(order, "return_url"), token=order_id, PayerID=PAYER["payer_id"])

    def cancel(self, order_id: str) -> str:
        """The payer turns back, and may come again by the same link; says where the browser goes next."""
        return with_query(self._url(self._order(order_id), "cancel_url"), token=order_id)

    def reverse_approval(self, order_id: str) -> None:
        """PayPal takes the payer's approval back before anything was captured."""
        order = self._order(order_id)
        body = order["body"]
        if body["status"] != "APPROVED":
            raise Refusal(422, "ORDER_NOT_APPROVED")
        body["status"] = "VOIDED"
        body["update_time"] = rfc3339(self._clock.now())
        self._store.put(KIND, order_id, order)
        resource = {
            "order_id": order_id,
            "purchase_units": body["purchase_units"],
            "payment_source": body["payment_source"],
        }
        self._events.publish(
            "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
            "checkout-order",
            resource,
            "A payment has been reversed after approval",
        )

    def public(self, order: Document) -> Body:
        """The order as PayPal shows it, with its captures and refunds as they are now."""
        body = dict(order["body"])
        if order["captures"]:
            body["purchase_units"] = [
                {**unit, "payments": self._payments.of_capture(capture)}
                for unit, capture in zip(body["purchase_units"], order["captures"], strict=True)
            ]
        body["links"] = self._links(order)
        return body

    def all(self) -> list[Body]:
        return [self.public(order) for order in self._store.all(KIND)]

    def payable(self, order_id: str) -> money.Money:
        """What the approve page asks for. Raises Refusal for an order that is unknown, over or paid."""
        order = self._order(order_id)
        if order["body"]["status"] == "COMPLETED":
            raise Refusal(422, "ORDER_ALREADY_CAPTURED")
        amounts = [unit["amount"] for unit in order["body"]["purchase_units"]]
        return money.money(amounts[0]["currency_code"], sum((money.value(amount) for amount in amounts), Decimal(0)))

    def title(self, order_id: str) -> str:
        order = self._order(order_id)
        unit = order["body"]["purchase_units"][0]
        return str(unit.get("description") or order["experience"].get("brand_name") or order_id)

    def locale(self, order_id: str) -> str:
        """The language of the approve page, as the merchant asked for it."""
        return str(self._order(order_id)["experience"].get("locale", "en-US"))

    def _unit(self, index: int, unit: Body) -> Body:
        money.check(unit["amount"], f"/purchase_units/{index}/amount")
        payee = {"email_address": EMAIL, "merchant_id": MERCHANT_ID}
        wanted = unit.get("payee", payee)
        if wanted.get("merchant_id", MERCHANT_ID) != MERCHANT_ID or wanted.get("email_address", EMAIL) != EMAIL:
            raise Refusal(422, "PAYEE_ACCOUNT_INVALID", f"/purchase_units/{index}/payee")
        return {"reference_id": "default", **unit, "payee": payee}

    def _check_units(self, units: list[Body]) -> None:
        if len({unit["reference_id"] for unit in units}) < len(units):
            raise Refusal(422, "DUPLICATE_REFERENCE_ID", "/purchase_units")
        if len({unit["amount"]["currency_code"] for unit in units}) > 1:
            raise Refusal(422, "MULTI_CURRENCY_ORDER", "/purchase_units")

    def _order(self, order_id: str) -> Document:
        order = self._store.get(KIND, order_id)
        if order is None or (not order["captures"] and self._clock.now() >= order["expires"]):
            raise not_found()
        return order

    def _refuse_instrument(self, order: Document) -> Refusal:
        """A declined instrument: the payer is sent back to choose another one, a limited number of times."""
        order["attempts"] += 1
        self._store.put(KIND, order["body"]["id"], order)
        if order["attempts"] > ATTEMPTS:
            return Refusal(422, "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED")
        return Refusal(422, "INSTRUMENT_DECLINED", links=[link(self._approve_url(order), "redirect")])

    def _answer(self, call: Call, order: Document, *minimal: str) -> Body:
        body = self.public(order)
        return body if call.representation else {name: body[name] for name in minimal if name in body}

    def _links(self, order: Document) -> list[Body]:
        self_url = f"{self._base_url}/v2/checkout/orders/{order['body']['id']}"
        links = [link(self_url, "self")]
        if order["body"]["status"] in ("CREATED", "PAYER_ACTION_REQUIRED"):
            links.append(link(self._approve_url(order), order["action_rel"]))
        if order["body"]["status"] in ("CREATED", "APPROVED"):
            links += [link(self_url, "update", "PATCH"), link(f"{self_url}/capture", "capture", "POST")]
        return links

    def _approve_url(self, order: Document) -> str:
        return f"{self._base_url}/checkoutnow?token={order['body']['id']}"

    def _url(self, order: Document, name: str) -> str:
        return str(order["experience"].get(name, DEFAULT_RETURN_URL))


def with_query(url: str, **values: str) -> str:
    """The URL with more query parameters, those that it has kept."""
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *values.items()])
    return urlunsplit(parts._replace(query=query))


def _minimal_unit(unit: Body) -> Body:
    return {name: unit[name] for name in ("reference_id", "payments") if name in unit}
