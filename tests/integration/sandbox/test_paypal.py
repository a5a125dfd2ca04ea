"""The local PayPal does what PayPal does, and its guard can bite."""

import base64
import json
import os
import queue
import signal
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509.oid import NameOID

from tests import preloaded
from tests.sandbox.paypal import LocalPayPal, SpecificationsMissing, start
from tests.sandbox.paypal.specifications import UNDECLARED, Specifications

ROOT = Path(__file__).parents[3]
DAY = 86_400
ORDERS = "/v2/checkout/orders"
RETURN_URL, CANCEL_URL = "http://127.0.0.1:9/paypal/success?kept=1", "http://127.0.0.1:9/paypal/cancel"


@dataclass
class Shop:
    """A plain client: one token, no retries, every answer as it came."""

    paypal: LocalPayPal

    def __post_init__(self) -> None:
        self.session = requests.Session()
        self.log_in()

    def log_in(self) -> None:
        environment = self.paypal.env()
        answer = requests.post(
            f"{self.paypal.endpoint}/v1/oauth2/token",
            auth=(environment["PAYPAL_CLIENT_ID"], environment["PAYPAL_CLIENT_SECRET"]),
            data={"grant_type": "client_credentials"},
            timeout=5,
        )
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **query: str) -> requests.Response:
        return self.session.get(self.paypal.endpoint + path, params=query, timeout=5)

    def post(
        self, path: str, body: Any = None, request_id: str | None = None, *, whole: bool = False, timeout: float = 5
    ) -> requests.Response:
        headers = {"Content-Type": "application/json"}
        if request_id:
            headers["PayPal-Request-Id"] = request_id
        if whole:
            headers["Prefer"] = "return=representation"
        data = None if body is None else json.dumps(body)
        return self.session.post(self.paypal.endpoint + path, data=data, headers=headers, timeout=timeout)

    def order(self, request_id: str, **unit: Any) -> str:
        answer = self.post(ORDERS, order_body(**unit), request_id)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def capture(self, order_id: str, request_id: str | None = None) -> requests.Response:
        return self.post(f"{ORDERS}/{order_id}/capture", None, request_id)

    def paid(self, request_id: str, **unit: Any) -> tuple[str, str]:
        """A paid order: its id, its capture's id."""
        order_id = self.order(request_id, **unit)
        self.paypal.approve_order(order_id)
        answer = self.capture(order_id)
        assert answer.status_code == 201, answer.text
        return order_id, capture_of(answer.json())["id"]

    def refund(self, capture_id: str, value: str | None = None, request_id: str | None = None) -> requests.Response:
        body = {"amount": {"currency_code": "USD", "value": value}} if value else {}
        return self.post(f"/v2/payments/captures/{capture_id}/refund", body, request_id)

    def subscribed(self, **plan: Any) -> str:
        """The id of a subscription that waits for its payer."""
        product = self.post("/v1/catalogs/products", {"name": "Premium", "type": "SERVICE"}).json()["id"]
        plan_id = self.post("/v1/billing/plans", plan_body(product, **plan)).json()["id"]
        context = {"return_url": RETURN_URL, "cancel_url": CANCEL_URL}
        body = {"plan_id": plan_id, "custom_id": "subscription-7", "application_context": context}
        answer = self.post("/v1/billing/subscriptions", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def subscription(self, subscription_id: str) -> dict[str, Any]:
        body: dict[str, Any] = self.get(f"/v1/billing/subscriptions/{subscription_id}").json()
        return body


def order_body(value: str = "5.00", currency: str = "USD", **unit: Any) -> dict[str, Any]:
    amount = {"currency_code": currency, "value": value}
    return {
        "intent": "CAPTURE",
        "purchase_units": [{"custom_id": "order-7", "description": "Premium, 30 days", "amount": amount, **unit}],
        "payment_source": {
            "paypal": {
                "experience_context": {
                    "brand_name": "Peaje",
                    "locale": "es-ES",
                    "shipping_preference": "NO_SHIPPING",
                    "user_action": "PAY_NOW",
                    "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
                    "return_url": RETURN_URL,
                    "cancel_url": CANCEL_URL,
                }
            }
        },
    }


def plan_body(product: str, *, total_cycles: int = 0, threshold: int = 2) -> dict[str, Any]:
    cycle = {
        "frequency": {"interval_unit": "MONTH", "interval_count": 1},
        "tenure_type": "REGULAR",
        "sequence": 1,
        "total_cycles": total_cycles,
        "pricing_scheme": {"fixed_price": {"currency_code": "USD", "value": "5.00"}},
    }
    return {
        "product_id": product,
        "name": "Premium",
        "billing_cycles": [cycle],
        "payment_preferences": {"payment_failure_threshold": threshold},
    }


def capture_of(order: dict[str, Any]) -> dict[str, Any]:
    capture: dict[str, Any] = order["purchase_units"][0]["payments"]["captures"][0]
    return capture


def issue_of(answer: requests.Response) -> str:
    return str(answer.json()["details"][0]["issue"])


@dataclass
class Received:
    """One webhook as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def name(self) -> str:
        return str(self.event["event_type"])


class Receiver:
    """A web server that takes webhooks, and answers what it is told to."""

    def __init__(self) -> None:
        self.received: queue.Queue[Received] = queue.Queue()
        self.answers: queue.Queue[int] = queue.Queue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.put(Received({name.lower(): it for name, it in self.headers.items()}, body))
                self.send_response(200 if receiver.answers.empty() else receiver.answers.get())
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/paypal/webhook"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def next(self) -> Received:
        return self.received.get(timeout=5)

    def names(self) -> list[str]:
        """The events that arrived and were not looked at yet."""
        return [self.received.get().name for _ in range(self.received.qsize())]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPayPal]:
    running = start(tmp_path_factory.mktemp("paypal"))
    yield running
    running.stop()


@pytest.fixture
def paypal(server: LocalPayPal) -> Iterator[LocalPayPal]:
    """The module's server, as new as a test needs it; a deviation that a test did not expect fails it."""
    yield server
    deviations = server.deviations()
    server.clear_deviations()
    server.clear_switches()
    server.set_clock_offset(0)
    assert deviations == []


@pytest.fixture
def shop(paypal: LocalPayPal) -> Iterator[Shop]:
    client = Shop(paypal)
    yield client
    client.session.close()


@pytest.fixture
def receiver(shop: Shop) -> Iterator[Receiver]:
    """Registered for every event, as long as the test lasts."""
    running = Receiver()
    webhook = shop.post("/v1/notifications/webhooks", {"url": running.url, "event_types": [{"name": "*"}]}).json()
    yield running
    shop.log_in()
    shop.session.delete(f"{shop.paypal.endpoint}/v1/notifications/webhooks/{webhook['id']}", timeout=5)
    running.stop()


def webhook_id_of(shop: Shop) -> str:
    return str(shop.get("/v1/notifications/webhooks").json()["webhooks"][-1]["id"])


class TestGuard:
    specifications = Specifications()

    def test_the_files_own_examples_pass_but_two(self) -> None:
        """Both use ``payment_method_selected``, a name that the schema beside them does not declare."""
        examples = list(self.specifications.examples())
        failing = {f"{operation} {name}": faults for operation, name, _, faults in examples if faults}
        assert len(examples) == 45
        assert set(failing) == {
            "POST /v2/checkout/orders request 0",
            "POST /v2/checkout/orders/{id}/confirm-payment-source request 0",
        }
        assert {(fault.rule, fault.field) for faults in failing.values() for fault in faults} == {
            (UNDECLARED, "/payment_source/paypal/experience_context/payment_method_selected")
        }

    @pytest.mark.parametrize(
        ("change", "rule", "field"),
        [
            (lambda body: body.pop("intent"), "required", ""),
            (lambda body: body.update(intent="GIVE"), "enum", "/intent"),
            (lambda body: body.update(purchase_units=[]), "minItems", "/purchase_units"),
            (lambda body: body["purchase_units"][0].update(custom_id="x" * 128), "maxLength", "custom_id"),
            (lambda body: body["purchase_units"][0].update(custome_id="x"), UNDECLARED, "custome_id"),
            (lambda body: body["purchase_units"][0]["amount"].update(value="five"), "pattern", "amount/value"),
            (lambda body: body["purchase_units"][0]["amount"].pop("value"), "required", "amount"),
            (
                lambda body: body["payment_source"]["paypal"]["experience_context"].update(user_action="STEAL"),
                "enum",
                "user_action",
            ),
        ],
    )
    def test_known_bad_orders_are_seen(self, change: Callable[[Any], Any], rule: str, field: str) -> None:
        operation, _ = self.specifications.find("POST", ORDERS) or pytest.fail("no such operation")
        body = order_body()
        assert self.specifications.request_faults(operation, body) == []
        change(body)
        faults = self.specifications.request_faults(operation, body)
        assert any(fault.rule == rule and fault.field.endswith(field) for fault in faults), faults

    def test_a_read_only_field_is_refused_in_a_request(self) -> None:
        operation, _ = self.specifications.find("POST", "/v1/notifications/webhooks") or pytest.fail("none")
        body = {"id": "1", "url": "https://shop.example.com/", "event_types": [{"name": "*"}]}
        assert [fault.field for fault in self.specifications.request_faults(operation, body)] != []

    def test_a_bad_request_is_refused_and_recorded(self, paypal: LocalPayPal, shop: Shop) -> None:
        body = order_body()
        del body["intent"]
        answer = shop.post(ORDERS, body, "bad-1")
        assert (answer.status_code, issue_of(answer)) == (400, "MISSING_REQUIRED_PARAMETER")
        assert [(it["what"], it["where"]) for it in paypal.deviations()] == [("request", f"POST {ORDERS}")]
        paypal.clear_deviations()

    def test_an_unknown_name_is_recorded_and_ignored_as_by_paypal(self, paypal: LocalPayPal, shop: Shop) -> None:
        shop.order("bad-2", custome_id="x")
        assert [it["rule"] for it in paypal.deviations()] == [UNDECLARED]
        paypal.clear_deviations()

    def test_a_bad_response_is_recorded(self, paypal: LocalPayPal, shop: Shop) -> None:
        """The document behind a capture is spoilt on disk; the answer made of it is caught on its way out."""
        _, capture_id = shop.paid("bad-3")
        stored = paypal._store.get("capture", capture_id) or pytest.fail("not stored")
        spoilt = {**stored, "body": {**stored["body"], "status": "TELEPORTED", "colour": "green"}}
        paypal._store.put("capture", capture_id, spoilt)
        assert shop.get(f"/v2/payments/captures/{capture_id}").status_code == 200
        assert {(it["rule"], it["field"]) for it in paypal.deviations()} == {
            ("enum", "/status"),
            (UNDECLARED, "/colour"),
        }
        paypal.clear_deviations()
        paypal._store.put("capture", capture_id, stored)

    def test_an_unlisted_issue_in_an_error_is_seen(self) -> None:
        operation, _ = self.specifications.find("POST", f"{ORDERS}/X/capture") or pytest.fail("none")
        texts = self.specifications.error_texts(operation, 422) or pytest.fail("no texts")
        body = {"name": texts.name, "message": texts.message, "details": [{"issue": "ORDER_ALREADY_CAPTURED"}]}
        assert self.specifications.response_faults(operation, 422, body) == []
        body["details"] = [{"issue": "ORDER_ALREADY_EATEN"}]
        assert [it.rule for it in self.specifications.response_faults(operation, 422, body)] == ["issue"]
        assert [it.rule for it in self.specifications.response_faults(operation, 206, {})] == ["status"]

    def test_a_request_id_used_for_two_bodies_is_recorded(self, paypal: LocalPayPal, shop: Shop) -> None:
        shop.order("same")
        shop.order("same", custom_id="another")
        assert [it["rule"] for it in paypal.deviations()] == ["request_id"]
        paypal.clear_deviations()

    @pytest.mark.parametrize("path", ["/v2/checkout/carts", "/v2/checkout/orders/X/authorize"])
    def test_what_nobody_serves_is_recorded(self, paypal: LocalPayPal, shop: Shop, path: str) -> None:
        assert shop.post(path, {}).status_code == 404
        assert [it["rule"] for it in paypal.deviations()] == ["operation"]
        paypal.clear_deviations()

    def test_without_the_files_it_says_what_to_run(self, tmp_path: Path) -> None:
        with pytest.raises(SpecificationsMissing, match="npm ci"):
            Specifications(tmp_path / "nowhere")

    def test_one_that_could_not_start_leaves_its_port(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tests.sandbox.paypal.specifications", None)
        with pytest.raises(SpecificationsMissing) as missing:
            start(tmp_path)
        # What failed is still in somebody's hands: they are about to tell of it.
        start(tmp_path, unchecked=True).stop()
        assert missing.value

    def test_without_the_files_it_sells_all_the_same(self, tmp_path: Path) -> None:
        paypal = start(tmp_path, unchecked=True)
        shop = Shop(paypal)
        _, capture_id = shop.paid("unchecked")
        assert shop.refund(capture_id).json()["status"] == "COMPLETED"
        assert shop.subscription(shop.subscribed())["status"] == "APPROVAL_PENDING"
        assert shop.post("/v2/checkout/carts", {}).status_code == 404
        assert [it["rule"] for it in paypal.deviations()] == ["operation"]
        paypal.stop()

    def test_the_lock_file_names_no_registry(self) -> None:
        lock = json.loads((ROOT / "package-lock.json").read_text())
        assert "http" not in json.dumps(lock)
        packages = {"", "node_modules/@paypal/paypal-rest-api-specifications", "node_modules/axe-core"}
        assert set(lock["packages"]) == packages


class TestTokens:
    def test_wrong_credentials(self, paypal: LocalPayPal) -> None:
        answer = requests.post(
            f"{paypal.endpoint}/v1/oauth2/token",
            auth=("a", "b"),
            data={"grant_type": "client_credentials"},
            timeout=5,
        )
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")

    def test_no_token(self, paypal: LocalPayPal) -> None:
        answer = requests.get(f"{paypal.endpoint}{ORDERS}/X", timeout=5)
        assert (answer.status_code, answer.json()["name"]) == (401, "AUTHENTICATION_FAILURE")

    def test_expires_after_nine_hours(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id = shop.order("token-1")
        paypal.approve_order(order_id)
        shop.capture(order_id)
        paypal.advance(9 * 3600)
        assert shop.get(f"{ORDERS}/{order_id}").json()["error"] == "invalid_token"
        shop.log_in()
        assert shop.get(f"{ORDERS}/{order_id}").status_code == 200

    def test_all_revoked(self, paypal: LocalPayPal, shop: Shop) -> None:
        assert paypal.revoke_tokens() >= 1
        assert shop.get("/v1/notifications/webhooks").status_code == 401


class TestOrders:
    def test_with_a_payment_source(self, shop: Shop) -> None:
        answer = shop.post(ORDERS, order_body(), "create-1")
        assert (answer.status_code, answer.json()["status"]) == (200, "PAYER_ACTION_REQUIRED")
        assert [link["rel"] for link in answer.json()["links"]] == ["self", "payer-action"]
        assert "purchase_units" not in answer.json()
        assert "purchase_units" in shop.post(ORDERS, order_body(), "create-2", whole=True).json()

    def test_without_a_payment_source(self, shop: Shop) -> None:
        body = order_body()
        del body["payment_source"]
        answer = shop.post(ORDERS, body)
        assert (answer.status_code, answer.json()["status"]) == (201, "CREATED")
        assert "approve" in [link["rel"] for link in answer.json()["links"]]

    def test_a_payment_source_wants_a_request_id(self, shop: Shop) -> None:
        answer = shop.post(ORDERS, order_body())
        assert (answer.status_code, issue_of(answer)) == (400, "PAYPAL_REQUEST_ID_REQUIRED")

    @pytest.mark.parametrize(
        ("change", "issue"),
        [
            ({"value": "0.00"}, "CANNOT_BE_ZERO_OR_NEGATIVE"),
            ({"value": "5.001"}, "DECIMAL_PRECISION"),
            ({"value": "500.50", "currency": "JPY"}, "DECIMAL_PRECISION"),
            ({"currency": "XYZ"}, "INVALID_CURRENCY_CODE"),
            ({"payee": {"merchant_id": "SMEBDYELSEXX9"}}, "PAYEE_ACCOUNT_INVALID"),
        ],
    )
    def test_what_it_would_not_charge(self, shop: Shop, change: dict[str, Any], issue: str) -> None:
        answer = shop.post(ORDERS, order_body(**change), f"bad-{issue}")
        assert (answer.status_code, issue_of(answer)) == (422, issue)
        assert answer.json()["details"][0]["description"]

    def test_a_body_needs_its_media_type(self, paypal: LocalPayPal, shop: Shop) -> None:
        answer = shop.session.post(f"{paypal.endpoint}{ORDERS}", data="{}", timeout=5)
        assert (answer.status_code, answer.json()["name"]) == (415, "UNSUPPORTED_MEDIA_TYPE")

    def test_broken_json(self, paypal: LocalPayPal, shop: Shop) -> None:
        headers = {"Content-Type": "application/json"}
        answer = shop.session.post(f"{paypal.endpoint}{ORDERS}", data="{", headers=headers, timeout=5)
        assert (answer.status_code, issue_of(answer)) == (400, "MALFORMED_REQUEST_JSON")

    def test_created_once_per_request_id_for_six_hours(self, paypal: LocalPayPal, shop: Shop) -> None:
        first = shop.order("same-id")
        assert shop.order("same-id") == first
        paypal.advance(6 * 3600)
        assert shop.order("same-id") != first

    def test_captured_once(self, shop: Shop, paypal: LocalPayPal) -> None:
        order_id = shop.order("capture-1")
        assert issue_of(shop.capture(order_id)) == "ORDER_NOT_APPROVED"
        paypal.approve_order(order_id)
        first = shop.capture(order_id, "c-1")
        again = shop.capture(order_id, "c-1")
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert issue_of(shop.capture(order_id, "c-2")) == "ORDER_ALREADY_CAPTURED"
        order = shop.get(f"{ORDERS}/{order_id}").json()
        assert (order["status"], capture_of(order)["status"]) == ("COMPLETED", "COMPLETED")
        assert order["purchase_units"][0]["payee"]["merchant_id"]

    def test_two_captures_at_the_same_moment_move_money_once(self, shop: Shop, paypal: LocalPayPal) -> None:
        order_id = shop.order("race")
        paypal.approve_order(order_id)
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda: answers.append(shop.capture(order_id).status_code)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [201] + [422] * 7

    def test_an_invoice_is_paid_once(self, shop: Shop, paypal: LocalPayPal) -> None:
        shop.paid("invoice-a", invoice_id="I-1")
        second = shop.order("invoice-b", invoice_id="I-1")
        paypal.approve_order(second)
        assert issue_of(shop.capture(second)) == "DUPLICATE_INVOICE_ID"

    def test_gone_after_three_hours(self, shop: Shop, paypal: LocalPayPal) -> None:
        order_id = shop.order("late")
        paypal.advance(3 * 3600)
        answer = shop.get(f"{ORDERS}/{order_id}")
        assert (answer.status_code, answer.json()["name"]) == (404, "RESOURCE_NOT_FOUND")
        assert shop.capture(order_id).status_code == 404

    def test_changed_before_it_is_paid(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id = shop.order("patch")
        url = f"{paypal.endpoint}{ORDERS}/{order_id}"
        amount = {"currency_code": "USD", "value": "6.00"}

        def patch(name: str, value: Any) -> requests.Response:
            path = f"/purchase_units/@reference_id=='default'/{name}"
            return shop.session.patch(url, json=[{"op": "replace", "path": path, "value": value}], timeout=5)

        assert patch("amount", amount).status_code == 204
        assert issue_of(patch("payee", {})) == "FIELD_NOT_PATCHABLE"
        assert shop.get(f"{ORDERS}/{order_id}").json()["purchase_units"][0]["amount"] == amount
        paypal.approve_order(order_id)
        shop.capture(order_id)
        assert issue_of(patch("custom_id", "x")) == "ORDER_ALREADY_COMPLETED"

    def test_unknown(self, shop: Shop) -> None:
        answer = shop.get(f"{ORDERS}/5O190127TN364715T")
        assert (answer.status_code, issue_of(answer)) == (404, "INVALID_RESOURCE_ID")


class TestApprovePage:
    def choose(self, paypal: LocalPayPal, order_id: str, choice: str) -> str:
        answer = requests.post(
            f"{paypal.endpoint}/checkoutnow?token={order_id}",
            data={"choice": choice},
            allow_redirects=False,
            timeout=5,
        )
        assert answer.status_code == 302
        return answer.headers["Location"]

    def test_shows_price_and_three_buttons(self, paypal: LocalPayPal, shop: Shop) -> None:
        page = requests.get(f"{paypal.endpoint}/checkoutnow?token={shop.order('page')}", timeout=5).text
        assert "5.00 USD" in page
        for name in ("approve", "decline", "cancel"):
            assert f'id="{name}"' in page

    def test_approve(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id = shop.order("page-1")
        assert self.choose(paypal, order_id, "approve") == f"{RETURN_URL}&token={order_id}&PayerID=QYR5Z8XDVJNXQ"
        assert shop.get(f"{ORDERS}/{order_id}").json()["status"] == "APPROVED"

    def test_cancel_and_pay_later_by_the_same_link(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id = shop.order("page-2")
        assert self.choose(paypal, order_id, "cancel") == f"{CANCEL_URL}?token={order_id}"
        assert shop.get(f"{ORDERS}/{order_id}").json()["status"] == "PAYER_ACTION_REQUIRED"
        self.choose(paypal, order_id, "approve")
        assert shop.capture(order_id).status_code == 201

    def test_a_declined_card_leads_back(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id = shop.order("page-3")
        assert self.choose(paypal, order_id, "decline").startswith(RETURN_URL)
        declined = shop.capture(order_id, "c")
        assert issue_of(declined) == "INSTRUMENT_DECLINED"
        link = declined.json()["links"][0]
        assert (link["rel"], link["href"]) == ("redirect", f"{paypal.endpoint}/checkoutnow?token={order_id}")
        self.choose(paypal, order_id, "approve")
        assert shop.capture(order_id, "c").status_code == 201

    def test_declined_too_often(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id = shop.order("page-4")
        paypal.approve_order(order_id, instrument="declined")
        issues = [issue_of(shop.capture(order_id)) for _ in range(11)]
        assert issues == ["INSTRUMENT_DECLINED"] * 10 + ["MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED"]

    def test_a_paid_order_cannot_be_approved_again(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id, _ = shop.paid("page-5")
        answer = requests.get(f"{paypal.endpoint}/checkoutnow?token={order_id}", timeout=5)
        assert answer.status_code == 422
        assert 'id="approve"' not in answer.text

    def test_an_unknown_order(self, paypal: LocalPayPal) -> None:
        assert requests.get(f"{paypal.endpoint}/checkoutnow?token=<script>", timeout=5).status_code == 404


class TestRefunds:
    def test_in_parts_and_never_above_the_rest(self, shop: Shop) -> None:
        _, capture_id = shop.paid("refund-1")
        assert shop.refund(capture_id, "2.00").status_code == 201
        assert shop.get(f"/v2/payments/captures/{capture_id}").json()["status"] == "PARTIALLY_REFUNDED"
        assert issue_of(shop.refund(capture_id, "3.01")) == "REFUND_AMOUNT_EXCEEDED"
        rest = shop.refund(capture_id).json()
        assert shop.get(f"/v2/payments/refunds/{rest['id']}").json()["amount"]["value"] == "3.00"
        assert issue_of(shop.refund(capture_id)) == "CAPTURE_FULLY_REFUNDED"

    def test_repeated_under_its_request_id_for_45_days(self, paypal: LocalPayPal, shop: Shop) -> None:
        _, capture_id = shop.paid("refund-2")
        first = shop.refund(capture_id, "1.00", "r-1").json()["id"]
        assert shop.refund(capture_id, "1.00", "r-1").json()["id"] == first
        paypal.advance(45 * DAY)
        shop.log_in()
        assert shop.refund(capture_id, "1.00", "r-1").json()["id"] != first

    def test_in_the_captures_currency(self, shop: Shop) -> None:
        _, capture_id = shop.paid("refund-3")
        body = {"amount": {"currency_code": "EUR", "value": "1.00"}}
        answer = shop.post(f"/v2/payments/captures/{capture_id}/refund", body)
        assert issue_of(answer) == "REFUND_CAPTURE_CURRENCY_MISMATCH"

    def test_not_after_180_days(self, paypal: LocalPayPal, shop: Shop) -> None:
        _, capture_id = shop.paid("refund-4")
        paypal.advance(180 * DAY)
        shop.log_in()
        assert issue_of(shop.refund(capture_id)) == "REFUND_TIME_LIMIT_EXCEEDED"

    def test_from_the_dashboard_and_reversed(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        order_id, capture_id = shop.paid("refund-5")
        refund = paypal.refund_capture(capture_id, value="1.00")
        reversal = paypal.reverse_capture(capture_id)
        assert paypal.wait_delivered()
        told = {it.name: it.event["resource"] for it in (receiver.next() for _ in range(4))}
        assert told["PAYMENT.CAPTURE.REFUNDED"]["id"] == refund["id"]
        assert told["PAYMENT.CAPTURE.REVERSED"]["id"] == reversal["id"]
        up = next(link for link in told["PAYMENT.CAPTURE.REVERSED"]["links"] if link["rel"] == "up")
        assert up["href"].endswith(f"/v2/payments/captures/{capture_id}")
        payments = shop.get(f"{ORDERS}/{order_id}").json()["purchase_units"][0]["payments"]
        assert [it["amount"]["value"] for it in payments["refunds"]] == ["1.00", "4.00"]


class TestSubscriptions:
    def test_approved_and_paid_at_once(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        subscription_id = shop.subscribed()
        approve = next(it for it in shop.subscription(subscription_id)["links"] if it["rel"] == "approve")
        page = requests.get(approve["href"], timeout=5).text
        assert 'id="approve"' in page and "5.00 USD" in page
        answer = requests.post(approve["href"], data={"choice": "approve"}, allow_redirects=False, timeout=5)
        assert f"subscription_id={subscription_id}&ba_token=BA-" in answer.headers["Location"]
        subscription = shop.subscription(subscription_id)
        assert subscription["status"] == "ACTIVE"
        assert subscription["billing_info"]["cycle_executions"][0]["cycles_completed"] == 1
        assert paypal.wait_delivered()
        events = [receiver.next() for _ in range(3)]
        sale = next(it.event["resource"] for it in events if it.name == "PAYMENT.SALE.COMPLETED")
        assert (sale["amount"]["total"], sale["billing_agreement_id"]) == ("5.00", subscription_id)
        assert sale["custom"] == "subscription-7"
        assert {it.name for it in events} == {
            "BILLING.SUBSCRIPTION.CREATED",
            "BILLING.SUBSCRIPTION.ACTIVATED",
            "PAYMENT.SALE.COMPLETED",
        }

    def test_renewed_when_its_month_is_over(self, paypal: LocalPayPal, shop: Shop) -> None:
        subscription_id = shop.subscribed()
        paypal.approve_subscription(subscription_id)
        before = shop.subscription(subscription_id)["billing_info"]["next_billing_time"]
        paypal.advance(31 * DAY)
        shop.log_in()
        info = shop.subscription(subscription_id)["billing_info"]
        assert info["cycle_executions"][0]["cycles_completed"] == 2
        assert info["next_billing_time"] > before
        span = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z"}
        listed = shop.get(f"/v1/billing/subscriptions/{subscription_id}/transactions", **span).json()
        assert [it["status"] for it in listed["transactions"]] == ["COMPLETED", "COMPLETED"]

    def test_failed_payments_suspend_and_activation_resumes(
        self, paypal: LocalPayPal, shop: Shop, receiver: Receiver
    ) -> None:
        subscription_id = shop.subscribed(threshold=2)
        paypal.approve_subscription(subscription_id)
        assert paypal.renew_subscription(subscription_id, fail=True) is None
        assert shop.subscription(subscription_id)["status"] == "ACTIVE"
        paypal.renew_subscription(subscription_id, fail=True)
        assert shop.subscription(subscription_id)["status"] == "SUSPENDED"
        path = f"/v1/billing/subscriptions/{subscription_id}"
        assert shop.post(f"{path}/activate", {"reason": "New card"}).status_code == 204
        assert shop.subscription(subscription_id)["status"] == "ACTIVE"
        assert paypal.wait_delivered()
        names = receiver.names()
        assert names.count("BILLING.SUBSCRIPTION.PAYMENT.FAILED") == 2
        assert names.count("BILLING.SUBSCRIPTION.SUSPENDED") == 1

    def test_a_declined_first_payment(self, paypal: LocalPayPal, shop: Shop) -> None:
        subscription_id = shop.subscribed()
        paypal.approve_subscription(subscription_id, instrument="declined")
        assert shop.subscription(subscription_id)["billing_info"]["failed_payments_count"] == 1

    def test_cancelled_by_the_shop_is_final(self, paypal: LocalPayPal, shop: Shop) -> None:
        subscription_id = shop.subscribed()
        paypal.approve_subscription(subscription_id)
        path = f"/v1/billing/subscriptions/{subscription_id}"
        assert shop.post(f"{path}/cancel", {"reason": "Enough"}).status_code == 204
        assert issue_of(shop.post(f"{path}/cancel", {"reason": "Enough"})) == "SUBSCRIPTION_STATUS_INVALID"
        assert issue_of(shop.post(f"{path}/activate", {"reason": "No"})) == "SUBSCRIPTION_STATUS_INVALID"
        paypal.advance(60 * DAY)
        assert len([it for it in paypal.sales() if it["billing_agreement_id"] == subscription_id]) == 1

    def test_expires_after_its_last_cycle(self, paypal: LocalPayPal, shop: Shop) -> None:
        subscription_id = shop.subscribed(total_cycles=2)
        paypal.approve_subscription(subscription_id)
        paypal.renew_subscription(subscription_id)
        assert shop.subscription(subscription_id)["status"] == "EXPIRED"

    def test_suspended_by_the_shop(self, paypal: LocalPayPal, shop: Shop) -> None:
        subscription_id = shop.subscribed()
        paypal.approve_subscription(subscription_id)
        path = f"/v1/billing/subscriptions/{subscription_id}"
        assert shop.post(f"{path}/suspend", {"reason": "Pause"}).status_code == 204
        assert shop.subscription(subscription_id)["status"] == "SUSPENDED"

    def test_its_sale_is_refunded_by_both_ways(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        subscription_id = shop.subscribed()
        paypal.approve_subscription(subscription_id)
        sale_id = paypal.sales()[-1]["id"]
        v1 = shop.post(f"/v1/payments/sale/{sale_id}/refund", {"amount": {"total": "1.00", "currency": "USD"}})
        assert (v1.status_code, v1.json()["sale_id"]) == (201, sale_id)
        assert shop.get(f"/v2/payments/captures/{sale_id}").json()["status"] == "PARTIALLY_REFUNDED"
        assert issue_of(shop.refund(sale_id, "4.01")) == "REFUND_AMOUNT_EXCEEDED"
        v2 = shop.refund(sale_id)
        assert issue_of(shop.refund(sale_id)) == "CAPTURE_FULLY_REFUNDED"
        assert shop.post(f"/v1/payments/sale/{sale_id}/refund", {}).json()["name"] == "TRANSACTION_ALREADY_REFUNDED"
        assert shop.get(f"/v2/payments/refunds/{v2.json()['id']}").json()["amount"]["value"] == "4.00"
        assert shop.get(f"/v1/payments/sale/{sale_id}").json()["state"] == "refunded"
        assert paypal.wait_delivered()
        assert receiver.names().count("PAYMENT.SALE.REFUNDED") == 2

    def test_created_once_per_request_id_for_72_hours(self, paypal: LocalPayPal, shop: Shop) -> None:
        plan_id = shop.subscription(shop.subscribed())["plan_id"]
        ids = [shop.post("/v1/billing/subscriptions", {"plan_id": plan_id}, "s-1").json()["id"] for _ in range(2)]
        paypal.advance(72 * 3600)
        shop.log_in()
        later = shop.post("/v1/billing/subscriptions", {"plan_id": plan_id}, "s-1").json()["id"]
        assert ids[0] == ids[1] != later

    def test_plans_are_listed_and_switched_off(self, shop: Shop) -> None:
        plan_id = shop.subscription(shop.subscribed())["plan_id"]
        assert plan_id in [it["id"] for it in shop.get("/v1/billing/plans", page_size="20").json()["plans"]]
        assert shop.post(f"/v1/billing/plans/{plan_id}/deactivate").status_code == 204
        assert issue_of(shop.post("/v1/billing/subscriptions", {"plan_id": plan_id})) == "PLAN_STATUS_INVALID"


class TestDisputes:
    @pytest.mark.parametrize(("favour", "status"), [("seller", "COMPLETED"), ("buyer", "REFUNDED")])
    def test_of_a_capture(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver, favour: str, status: str) -> None:
        _, capture_id = shop.paid(f"dispute-{favour}")
        dispute_id = paypal.open_dispute(capture_id)["dispute_id"]
        assert issue_of(shop.refund(capture_id)) == "TRANSACTION_DISPUTED"
        listed = shop.get("/v1/customer/disputes", disputed_transaction_id=capture_id).json()["items"]
        assert [it["dispute_id"] for it in listed] == [dispute_id]
        paypal.update_dispute(dispute_id)
        paypal.resolve_dispute(dispute_id, favour=favour)
        dispute = shop.get(f"/v1/customer/disputes/{dispute_id}").json()
        assert dispute["dispute_outcome"]["outcome_code"] == f"RESOLVED_{favour.upper()}_FAVOUR"
        assert dispute["disputed_transactions"][0]["seller_transaction_id"] == capture_id
        assert shop.get(f"/v2/payments/captures/{capture_id}").json()["status"] == status
        assert paypal.wait_delivered()
        names = [it for it in receiver.names() if it.startswith("CUSTOMER.DISPUTE")]
        assert sorted(names) == [f"CUSTOMER.DISPUTE.{it}" for it in ("CREATED", "RESOLVED", "UPDATED")]

    def test_unknown(self, shop: Shop) -> None:
        assert shop.get("/v1/customer/disputes/PP-D-1").status_code == 404


class TestTransactionSearch:
    def test_every_movement_of_money(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id, capture_id = shop.paid("search-1")
        refund_id = shop.refund(capture_id, "2.00").json()["id"]
        span = {"start_date": iso(paypal.now() - DAY), "end_date": iso(paypal.now() + DAY), "page_size": "500"}
        found = shop.get("/v1/reporting/transactions", fields="all", **span).json()
        entries = {
            it["transaction_info"]["transaction_id"]: it["transaction_info"] for it in found["transaction_details"]
        }
        paid, taken_back = entries[capture_id], entries[refund_id]
        assert (paid["transaction_event_code"], paid["transaction_amount"]["value"]) == ("T0006", "5.00")
        assert (taken_back["transaction_event_code"], taken_back["transaction_amount"]["value"]) == ("T1107", "-2.00")
        assert (paid["paypal_reference_id"], taken_back["paypal_reference_id"]) == (order_id, capture_id)
        only = shop.get("/v1/reporting/transactions", transaction_id=capture_id, **span).json()
        assert [it["transaction_info"] for it in only["transaction_details"]] == [paid]

    def test_nothing_found_is_an_empty_list(self, shop: Shop) -> None:
        """PayPal's file wants at least one entry; PayPal itself answers with none, a known departure."""
        span = {"start_date": "2001-01-01T00:00:00Z", "end_date": "2001-01-02T00:00:00Z"}
        assert shop.get("/v1/reporting/transactions", **span).json()["transaction_details"] == []

    def test_runs_behind_when_told_to(self, paypal: LocalPayPal, shop: Shop) -> None:
        _, capture_id = shop.paid("lag")
        span = {"start_date": iso(paypal.now() - DAY), "end_date": iso(paypal.now() + DAY)}
        paypal.switch("reporting_lag", seconds=3 * 3600)
        found = [
            shop.get("/v1/reporting/transactions", transaction_id=capture_id, **span).json()["total_items"]
            for _ in range(2)
        ]
        assert found == [0, 1]

    def test_no_more_than_31_days(self, paypal: LocalPayPal, shop: Shop) -> None:
        span = {"start_date": iso(paypal.now() - 32 * DAY), "end_date": iso(paypal.now())}
        assert shop.get("/v1/reporting/transactions", **span).status_code == 400


def iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def verify(received: Received, webhook_id: str, authority: Path) -> None:
    """An independent receiver's check, from PayPal's documentation. Raises where something is wrong."""
    headers = received.headers
    pem = requests.get(headers["paypal-cert-url"], timeout=5).content
    leaf, issuer = x509.load_pem_x509_certificates(pem)
    assert issuer == x509.load_pem_x509_certificate(authority.read_bytes())
    leaf.verify_directly_issued_by(issuer)
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [it.value for it in names] == ["messageverificationcerts.sandbox.paypal.com"]
    assert leaf.not_valid_before_utc < datetime.now(UTC) < leaf.not_valid_after_utc
    assert headers["paypal-auth-algo"] == "SHA256withRSA"
    signed = "|".join(
        (
            headers["paypal-transmission-id"],
            headers["paypal-transmission-time"],
            webhook_id,
            str(zlib.crc32(received.body)),
        )
    )
    leaf.public_key().verify(  # type: ignore[union-attr, call-arg]
        base64.b64decode(headers["paypal-transmission-sig"]), signed.encode(), PKCS1v15(), SHA256()
    )


class TestWebhooks:
    def test_are_really_signed(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        paypal.approve_order(shop.order("signed"))
        received = receiver.next()
        authority = Path(paypal.env()["PAYPAL_AUTHORITY"])
        verify(received, webhook_id_of(shop), authority)
        assert received.event["resource"]["status"] == "APPROVED"
        with pytest.raises(InvalidSignature):
            verify(received, "0EH40505U7160970P", authority)
        with pytest.raises(InvalidSignature):
            verify(Received(received.headers, received.body + b" "), webhook_id_of(shop), authority)

    @pytest.mark.parametrize(("spoil", "status"), [(False, "SUCCESS"), (True, "FAILURE")])
    def test_paypal_verifies_its_own(self, shop: Shop, receiver: Receiver, spoil: bool, status: str) -> None:
        shop.paypal.approve_order(shop.order(f"verify-{spoil}"))
        received = receiver.next()
        names = ("auth_algo", "cert_url", "transmission_id", "transmission_sig", "transmission_time")
        fields = {name: received.headers["paypal-" + name.replace("_", "-")] for name in names}
        event = received.body.decode().replace("5.00", "6.00") if spoil else received.body.decode()
        text = f'{json.dumps({**fields, "webhook_id": webhook_id_of(shop)})[:-1]}, "webhook_event": {event}}}'
        answer = shop.session.post(
            f"{shop.paypal.endpoint}/v1/notifications/verify-webhook-signature",
            data=text,
            headers={"Content-Type": "application/json"},
            timeout=5,
        )
        assert answer.json() == {"verification_status": status}

    def test_are_repeated_until_taken(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        for answer in (500, 404, 302, 200):
            receiver.answers.put(answer)
        paypal.approve_order(shop.order("repeat"))
        attempts = [receiver.next() for _ in range(4)]
        assert paypal.wait_delivered()
        assert len({it.headers["paypal-transmission-id"] for it in attempts}) == 1
        assert len({it.body for it in attempts}) == 1
        assert paypal.deliveries()[-1]["answers"] == [500, 404, 302, 200]

    def test_only_what_was_subscribed_to(self, paypal: LocalPayPal, shop: Shop) -> None:
        running = Receiver()
        types = [{"name": "PAYMENT.CAPTURE.COMPLETED"}]
        webhook = shop.post("/v1/notifications/webhooks", {"url": running.url, "event_types": types})
        assert webhook.status_code == 201
        shop.paid("subscribed")
        assert running.next().name == "PAYMENT.CAPTURE.COMPLETED"
        assert running.received.empty()
        url = f"{paypal.endpoint}/v1/notifications/webhooks/{webhook.json()['id']}"
        assert shop.session.delete(url, timeout=5).status_code == 204
        assert shop.session.get(url, timeout=5).status_code == 404
        running.stop()

    def test_a_deleted_one_is_left_alone(self, paypal: LocalPayPal, shop: Shop) -> None:
        """Nobody listens at the address; without its webhook nothing is left to be sent."""
        body = {"url": "http://127.0.0.1:9/", "event_types": [{"name": "*"}]}
        webhook = shop.post("/v1/notifications/webhooks", body).json()
        shop.order("deleted")
        paypal.approve_order(shop.order("deleted"))
        assert not paypal.wait_delivered(0.05)
        shop.session.delete(f"{paypal.endpoint}/v1/notifications/webhooks/{webhook['id']}", timeout=5)
        assert paypal.wait_delivered(0)

    def test_is_changed(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        url = f"{paypal.endpoint}/v1/notifications/webhooks/{webhook_id_of(shop)}"
        types = [{"name": "PAYMENT.CAPTURE.COMPLETED"}]
        changed = shop.session.patch(
            url, json=[{"op": "replace", "path": "/event_types", "value": types}], timeout=5
        ).json()
        assert [it["name"] for it in changed["event_types"]] == ["PAYMENT.CAPTURE.COMPLETED"]
        shop.paid("changed")
        assert receiver.next().name == "PAYMENT.CAPTURE.COMPLETED"

    def test_an_address_is_registered_once(self, shop: Shop, receiver: Receiver) -> None:
        answer = shop.post("/v1/notifications/webhooks", {"url": receiver.url, "event_types": [{"name": "*"}]})
        assert (answer.status_code, answer.json()["name"]) == (400, "WEBHOOK_URL_ALREADY_EXISTS")

    def test_events_are_listed_and_resent(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        shop.paid("resend")
        first = {receiver.next().event["id"] for _ in range(2)}
        listed = shop.get("/v1/notifications/webhooks-events", event_type="PAYMENT.CAPTURE.COMPLETED").json()
        event_id = listed["events"][0]["id"]
        assert event_id in first
        assert shop.post(f"/v1/notifications/webhooks-events/{event_id}/resend", {}).status_code == 202
        assert receiver.next().event["id"] == event_id

    def test_simulated_ones_are_signed_for_nobody(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        body = {"event_type": "PAYMENT.CAPTURE.COMPLETED", "url": receiver.url}
        assert shop.post("/v1/notifications/simulate-event", body).status_code == 202
        verify(receiver.next(), "WEBHOOK_ID", Path(paypal.env()["PAYPAL_AUTHORITY"]))

    @pytest.mark.parametrize(
        ("settle", "event_type", "status"),
        [
            ("complete_capture", "PAYMENT.CAPTURE.COMPLETED", "COMPLETED"),
            ("deny_capture", "PAYMENT.CAPTURE.DENIED", "DECLINED"),
        ],
    )
    def test_of_a_pending_capture(
        self, paypal: LocalPayPal, shop: Shop, receiver: Receiver, settle: str, event_type: str, status: str
    ) -> None:
        paypal.switch("capture_status", status="PENDING", reason="ECHECK")
        order_id, capture_id = shop.paid(f"pending-{settle}")
        order = shop.get(f"{ORDERS}/{order_id}").json()
        assert (order["status"], capture_of(order)["status"]) == ("COMPLETED", "PENDING")
        assert issue_of(shop.refund(capture_id)) == "PENDING_CAPTURE"
        getattr(paypal, settle)(capture_id)
        assert paypal.wait_delivered()
        assert sorted(receiver.names()) == sorted(["CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.PENDING", event_type])
        assert shop.get(f"/v2/payments/captures/{capture_id}").json()["status"] == status

    def test_of_an_approval_taken_back(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        order_id = shop.order("taken-back")
        paypal.approve_order(order_id)
        paypal.reverse_approval(order_id)
        assert issue_of(shop.capture(order_id)) == "ORDER_NOT_APPROVED"
        assert paypal.wait_delivered()
        assert "CHECKOUT.PAYMENT-APPROVAL.REVERSED" in receiver.names()

    def test_of_anything_at_all(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        """Late news and other shops' orders are genuine too."""
        event = paypal.publish_event("BILLING.SUBSCRIPTION.ACTIVATED", {"id": "I-OTHER"}, resource_type="subscription")
        assert receiver.next().event == event


class TestForgeries:
    event = {"id": "WH-1", "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource": {"id": "C-1"}}

    def test_none_is_genuine(self, paypal: LocalPayPal) -> None:
        genuine = paypal.forgery.genuine(self.event, "HOOK")
        verify(self.as_received(genuine.headers, genuine.body), "HOOK", Path(paypal.env()["PAYPAL_AUTHORITY"]))
        forged = paypal.forgery.all(self.event, "HOOK")
        assert len(forged) == 32
        aged = {"too-old", "from-the-future"}  # signed well: only their age is wrong
        foreign = {name for name in forged if name.startswith("cert-url-")}  # signed well, but told to look elsewhere
        for name in set(forged) - aged - foreign:
            received = self.as_received(forged[name].headers, forged[name].body)
            with pytest.raises((AssertionError, InvalidSignature, KeyError, ValueError)):
                verify(received, "HOOK", Path(paypal.env()["PAYPAL_AUTHORITY"]))

    def test_sha1_is_signed_with_the_true_key(self, paypal: LocalPayPal) -> None:
        """Refusing it is a matter of the algorithm only: under SHA-1 it verifies."""
        headers = paypal.forgery.all(self.event, "HOOK")["sha1"].headers
        body = paypal.forgery.all(self.event, "HOOK")["sha1"].body
        leaf = x509.load_pem_x509_certificate(requests.get(headers["Paypal-Cert-Url"], timeout=5).content)
        signed = f"{headers['Paypal-Transmission-Id']}|{headers['Paypal-Transmission-Time']}|HOOK|{zlib.crc32(body)}"
        leaf.public_key().verify(  # type: ignore[union-attr, call-arg]
            base64.b64decode(headers["Paypal-Transmission-Sig"]),
            signed.encode(),
            PKCS1v15(),
            SHA1(),  # noqa: S303
        )
        assert headers["Paypal-Auth-Algo"] == "SHA1withRSA"

    def as_received(self, headers: dict[str, str], body: bytes) -> Received:
        return Received({name.lower(): value for name, value in headers.items()}, body)


class TestSwitches:
    def test_the_answer_is_lost_after_the_money_moved(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id = shop.order("lost")
        paypal.approve_order(order_id)
        paypal.switch("lost_response", on="POST */capture")
        with pytest.raises(requests.ConnectionError):
            shop.capture(order_id, "c-lost")
        assert shop.get(f"{ORDERS}/{order_id}").json()["status"] == "COMPLETED"
        assert shop.capture(order_id, "c-lost").status_code == 200

    def test_the_request_is_lost_before(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id = shop.order("lost-before")
        paypal.approve_order(order_id)
        paypal.switch("lost_request", on="POST */capture")
        with pytest.raises(requests.ConnectionError):
            shop.capture(order_id)
        assert shop.get(f"{ORDERS}/{order_id}").json()["status"] == "APPROVED"

    def test_a_timeout(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id = shop.order("timeout")
        paypal.approve_order(order_id)
        paypal.switch("timeout", on="POST */capture", seconds=30)
        with pytest.raises(requests.ReadTimeout):
            shop.post(f"{ORDERS}/{order_id}/capture", None, "c-time", timeout=0.3)
        assert shop.capture(order_id, "c-time").status_code == 200

    def test_slow(self, paypal: LocalPayPal, shop: Shop) -> None:
        paypal.switch("slow", seconds=0.3)
        assert shop.get("/v1/notifications/webhooks").elapsed.total_seconds() > 0.3

    @pytest.mark.parametrize("performed", [False, True])
    def test_bad_gateway(self, paypal: LocalPayPal, shop: Shop, performed: bool) -> None:
        order_id = shop.order(f"gateway-{performed}")
        paypal.approve_order(order_id)
        paypal.switch("bad_gateway", on="POST */capture", performed=performed)
        answer = shop.capture(order_id)
        assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")
        status = shop.get(f"{ORDERS}/{order_id}").json()["status"]
        assert status == ("COMPLETED" if performed else "APPROVED")

    def test_internal_error_and_too_many_requests(self, paypal: LocalPayPal, shop: Shop) -> None:
        paypal.switch("internal_error")
        paypal.switch("rate_limited", retry_after=2)
        paypal.switch("rate_limited")
        answers = [shop.get("/v1/notifications/webhooks") for _ in range(4)]
        assert [it.status_code for it in answers] == [500, 429, 429, 200]
        assert [it.headers.get("Retry-After") for it in answers[1:3]] == ["2", None]

    def test_unauthorized_mid_flow(self, paypal: LocalPayPal, shop: Shop) -> None:
        paypal.switch("unauthorized")
        assert shop.get("/v1/notifications/webhooks").status_code == 401
        assert shop.get("/v1/notifications/webhooks").status_code == 401
        shop.log_in()
        assert shop.get("/v1/notifications/webhooks").status_code == 200

    @pytest.mark.parametrize("issue", ["PAYEE_BLOCKED_TRANSACTION", "TRANSACTION_REFUSED", "COMPLIANCE_VIOLATION"])
    def test_any_refusal_of_the_catalogue(self, paypal: LocalPayPal, shop: Shop, issue: str) -> None:
        order_id = shop.order(f"refusal-{issue}")
        paypal.approve_order(order_id)
        paypal.switch("error", on="POST */capture", issue=issue)
        answer = shop.capture(order_id)
        assert (answer.status_code, issue_of(answer)) == (422, issue)
        assert answer.json()["details"][0]["description"]
        assert shop.capture(order_id).status_code == 201

    def test_declined_instrument(self, paypal: LocalPayPal, shop: Shop) -> None:
        order_id = shop.order("instrument")
        paypal.approve_order(order_id)
        paypal.switch("declined_instrument")
        assert issue_of(shop.capture(order_id)) == "INSTRUMENT_DECLINED"
        assert shop.capture(order_id).status_code == 201

    @pytest.mark.parametrize("status", ["PENDING", "DECLINED", "FAILED"])
    def test_a_completed_order_without_money(self, paypal: LocalPayPal, shop: Shop, status: str) -> None:
        paypal.switch("capture_status", status=status)
        order_id, _ = shop.paid(f"no-money-{status}")
        order = shop.get(f"{ORDERS}/{order_id}").json()
        assert (order["status"], capture_of(order)["status"]) == ("COMPLETED", status)

    def test_a_pending_refund(self, paypal: LocalPayPal, shop: Shop) -> None:
        _, capture_id = shop.paid("pending-refund")
        paypal.switch("refund_status", status="PENDING")
        assert shop.refund(capture_id, "1.00").json()["status"] == "PENDING"

    @pytest.mark.parametrize(
        ("fault", "options", "seen"),
        [
            ("wrong_amount", {"value": "0.05"}, lambda body: body["purchase_units"][0]["amount"]["value"] == "0.05"),
            ("wrong_currency", {}, lambda body: capture_of(body)["amount"]["currency_code"] == "HUF"),
            ("two_units", {}, lambda body: len(body["purchase_units"]) == 2),
            (
                "other_merchant",
                {},
                lambda body: body["purchase_units"][0]["payee"]["merchant_id"] == "SMEBDYELSEXX9",
            ),
            ("other_custom_id", {}, lambda body: body["purchase_units"][0]["custom_id"] == "somebody-elses"),
            ("unknown_status", {}, lambda body: capture_of(body)["status"] == body["status"] == "TELEPORTED"),
            ("unknown_field", {}, lambda body: "quantum_state" in body),
            ("alter", {"set": {"/purchase_units/0/custom_id": "x"}}, lambda body: "custom_id" in str(body)),
        ],
    )
    def test_an_order_that_is_not_true(
        self,
        paypal: LocalPayPal,
        shop: Shop,
        fault: str,
        options: dict[str, Any],
        seen: Callable[[dict[str, Any]], bool],
    ) -> None:
        order_id, _ = shop.paid(f"untrue-{fault}")
        true = shop.get(f"{ORDERS}/{order_id}").json()
        paypal.switch(fault, **options)
        untrue = shop.get(f"{ORDERS}/{order_id}").json()
        assert untrue != true and seen(untrue)
        assert shop.get(f"{ORDERS}/{order_id}").json() == true

    def test_by_chance_and_repeatable(self, paypal: LocalPayPal, shop: Shop) -> None:
        runs = []
        for _ in range(2):
            switch_id = paypal.switch("internal_error", probability=0.5, seed=7)
            runs.append([shop.get("/v1/notifications/webhooks").status_code for _ in range(20)])
            paypal.clear_switches(switch_id)
        assert runs[0] == runs[1]
        assert set(runs[0]) == {200, 500}

    def test_tokens_are_spared_unless_named(self, paypal: LocalPayPal, shop: Shop) -> None:
        paypal.switch("internal_error", count=2)
        shop.log_in()
        assert shop.get("/v1/notifications/webhooks").status_code == 500
        paypal.clear_switches()
        paypal.switch("internal_error", on="POST /v1/oauth2/token")
        answer = requests.post(f"{paypal.endpoint}/v1/oauth2/token", timeout=5)
        assert answer.status_code == 500

    def test_an_unknown_one(self, paypal: LocalPayPal) -> None:
        with pytest.raises(ValueError, match="unknown fault"):
            paypal.switch("earthquake")

    def test_events_dropped_doubled_and_delayed(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        paypal.switch("webhook_drop", on="CHECKOUT.*")
        paypal.switch("webhook_duplicate", on="PAYMENT.*", copies=2)
        shop.paid("doubled")
        assert paypal.wait_delivered()
        events = [receiver.next() for _ in range(3)]
        assert receiver.received.empty()
        assert {it.name for it in events} == {"PAYMENT.CAPTURE.COMPLETED"}
        assert len({it.event["id"] for it in events}) == 1
        assert len({it.headers["paypal-transmission-id"] for it in events}) == 3

    @pytest.mark.parametrize(("fault", "options"), [("webhook_reorder", {}), ("webhook_delay", {"seconds": 0.5})])
    def test_events_out_of_order(
        self, paypal: LocalPayPal, shop: Shop, receiver: Receiver, fault: str, options: dict[str, Any]
    ) -> None:
        paypal.switch(fault, on="CHECKOUT.ORDER.APPROVED", **options)
        shop.paid(f"order-{fault}")
        assert [receiver.next().name for _ in range(2)] == ["PAYMENT.CAPTURE.COMPLETED", "CHECKOUT.ORDER.APPROVED"]

    def test_a_clock_that_is_wrong(self, paypal: LocalPayPal, shop: Shop, receiver: Receiver) -> None:
        paypal.set_clock_offset(600)
        paypal.approve_order(shop.order("skew"))
        sent = datetime.fromisoformat(receiver.next().headers["paypal-transmission-time"])
        assert 590 < (sent - datetime.now(UTC)).total_seconds() <= 601


class TestControlByHttp:
    def test_the_same_by_http(self, paypal: LocalPayPal, shop: Shop) -> None:
        def control(method: str, path: str, body: Any = None) -> Any:
            answer = requests.request(method, f"{paypal.endpoint}/_control/{path}", json=body, timeout=5)
            assert answer.status_code == 200, answer.text
            return answer.json()

        order_id = shop.order("by-http")
        assert control("POST", f"orders/{order_id}/approve", {}).startswith(RETURN_URL)
        switch = control("POST", "switches", {"fault": "capture_status", "status": "PENDING"})
        assert [it["id"] for it in control("GET", "switches")] == [switch["id"]]
        capture_id = capture_of(shop.capture(order_id).json())["id"]
        control("POST", f"captures/{capture_id}/complete", {})
        dispute = control("POST", "disputes", {"transaction_id": capture_id})
        control("POST", f"disputes/{dispute['dispute_id']}/resolve", {"favour": "buyer"})
        assert capture_of(control("GET", "orders")[-1])["status"] == "REFUNDED"
        assert control("POST", "clock", {"advance": 60})["offset"] == 60
        assert control("POST", "deliveries/wait", {"timeout": 5}) == {"delivered": True}
        assert control("GET", "deviations") == []
        assert control("GET", "calls")[-1]["path"].endswith("/capture")
        forged = control("POST", "forge", {"event": {"id": "WH-1"}, "webhook_id": "HOOK"})
        assert base64.b64decode(forged["genuine"]["body_base64"]) == b'{"id":"WH-1"}'
        control("POST", "tokens/revoke")
        assert shop.get(f"{ORDERS}/{order_id}").status_code == 401

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("orders/X/approve", {}, 404),
            ("switches", {"fault": "earthquake"}, 400),
            ("switches", {}, 400),
            ("nothing", {}, 404),
        ],
    )
    def test_mistakes(self, paypal: LocalPayPal, path: str, body: Any, status: int) -> None:
        answer = requests.post(f"{paypal.endpoint}/_control/{path}", json=body, timeout=5)
        assert (answer.status_code, "error" in answer.json()) == (status, True)


class TestState:
    def test_survives_a_kill(self, tmp_path: Path) -> None:
        """Given a paid order and an event that nobody took, when it is killed, then the next one carries on."""
        receiver = Receiver()
        receiver.answers.put(500)
        process, environment = run(tmp_path)
        try:
            shop = Shop(Remote(environment))  # type: ignore[arg-type]
            shop.post("/v1/notifications/webhooks", {"url": receiver.url, "event_types": [{"name": "*"}]})
            order_id = shop.order("state")
            approve = f"{environment['PAYPAL_ENDPOINT']}/checkoutnow?token={order_id}"
            requests.post(approve, data={"choice": "approve"}, allow_redirects=False, timeout=5)
            before = receiver.next()
            process.send_signal(signal.SIGKILL)
            process.wait()
            process, again = run(tmp_path)
            assert again == environment
            assert receiver.next().body == before.body
            assert shop.capture(order_id).status_code == 201
        finally:
            process.terminate()
            process.wait()
            receiver.stop()
        assert process.returncode == 0

    def test_a_stopped_server_answers_nobody(self, tmp_path: Path) -> None:
        paypal = start(tmp_path)
        with requests.Session() as session:
            session.get(f"{paypal.endpoint}/_control/orders", timeout=5)
            paypal.stop()
            with pytest.raises(requests.ConnectionError):
                session.get(f"{paypal.endpoint}/_control/orders", timeout=5)


@dataclass
class Remote:
    """A server in another process, as much of it as a Shop needs."""

    environment: dict[str, str]

    @property
    def endpoint(self) -> str:
        return self.environment["PAYPAL_ENDPOINT"]

    def env(self) -> dict[str, str]:
        return self.environment


def run(state: Path) -> tuple[preloaded.Running, dict[str, str]]:
    """The server as its own process; waits until it has said how to reach it."""
    reading, writing = os.pipe()
    with open(reading) as said, open(writing, "wb") as output:
        program = ("tests.sandbox.paypal", "--state", str(state))
        process = preloaded.run(*program, cwd=ROOT, env={**os.environ}, output=output, errors=None)
        return process, dict(said.readline().strip().split("=", 1) for _ in range(5))


def test_a_payer_goes_back_to_where_a_name_leads(paypal: LocalPayPal, shop: Shop) -> None:
    order_id = shop.order("named")
    origin = RETURN_URL.partition("/paypal")[0]
    paypal.names.lead({origin: "http://127.0.0.1:7"})
    page = f"{paypal.endpoint}/checkoutnow?token={order_id}"
    answer = requests.post(page, data={"choice": "approve"}, timeout=5, allow_redirects=False)
    paypal.names.lead({origin: origin})
    assert answer.headers["Location"].startswith("http://127.0.0.1:7/paypal/success?kept=1&")
