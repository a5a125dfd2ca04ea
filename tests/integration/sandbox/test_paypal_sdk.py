"""The local PayPal is honest: PayPal's official SDK, which knows nothing of it, runs a shop's whole life against it.

The SDK (paypal-server-sdk 2.4.0) has no option for a base URL: its two environments are constants. But it takes any
requests.Session as ``http_client_instance``, and a session sends each URL through the adapter that is mounted for it.
So the adapter below, mounted on the sandbox's host, sends the very same bytes to the local server; not a line of the
SDK is replaced. It has no calls for catalogue products, so that one call is made by hand.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from paypalserversdk.api_helper import APIHelper
from paypalserversdk.configuration import Environment
from paypalserversdk.exceptions.api_exception import ApiException
from paypalserversdk.http.auth.o_auth_2 import ClientCredentialsAuthCredentials
from paypalserversdk.models.amount_with_breakdown import AmountWithBreakdown
from paypalserversdk.models.cancel_subscription_request import CancelSubscriptionRequest
from paypalserversdk.models.create_subscription_request import CreateSubscriptionRequest
from paypalserversdk.models.frequency import Frequency
from paypalserversdk.models.money import Money
from paypalserversdk.models.order_request import OrderRequest
from paypalserversdk.models.payment_preferences import PaymentPreferences
from paypalserversdk.models.payment_source import PaymentSource
from paypalserversdk.models.paypal_wallet import PaypalWallet
from paypalserversdk.models.paypal_wallet_experience_context import PaypalWalletExperienceContext
from paypalserversdk.models.plan_request import PlanRequest
from paypalserversdk.models.purchase_unit_request import PurchaseUnitRequest
from paypalserversdk.models.refund_request import RefundRequest
from paypalserversdk.models.subscription_application_context import SubscriptionApplicationContext
from paypalserversdk.models.subscription_billing_cycle import SubscriptionBillingCycle
from paypalserversdk.models.subscription_pricing_scheme import SubscriptionPricingScheme
from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient
from requests.adapters import HTTPAdapter

from tests.sandbox.paypal import LocalPayPal, start

SANDBOX = "https://api-m.sandbox.paypal.com"
RETURN_URL, CANCEL_URL = "https://shop.example.com/paypal/success", "https://shop.example.com/paypal/cancel"


class Rerouted(HTTPAdapter):
    """Sends what is meant for PayPal's sandbox to a local one."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self._endpoint = endpoint

    def send(self, request: requests.PreparedRequest, **options: object) -> requests.Response:
        assert request.url and request.url.startswith(SANDBOX)
        request.url = self._endpoint + request.url.removeprefix(SANDBOX)
        return super().send(request, **options)


@pytest.fixture
def paypal(tmp_path: Path) -> Iterator[LocalPayPal]:
    server = start(tmp_path)
    yield server
    deviations = server.deviations()
    server.stop()
    assert deviations == []


@pytest.fixture
def sdk(paypal: LocalPayPal) -> Iterator[PaypalServersdkClient]:
    with requests.Session() as session:
        session.mount(SANDBOX, Rerouted(paypal.endpoint))
        environment = paypal.env()
        yield PaypalServersdkClient(
            http_client_instance=session,
            environment=Environment.SANDBOX,
            client_credentials_auth_credentials=ClientCredentialsAuthCredentials(
                environment["PAYPAL_CLIENT_ID"], environment["PAYPAL_CLIENT_SECRET"]
            ),
        )


def order_request() -> OrderRequest:
    return OrderRequest(
        intent="CAPTURE",
        purchase_units=[
            PurchaseUnitRequest(
                amount=AmountWithBreakdown(currency_code="USD", value="5.00"),
                custom_id="order-1",
                invoice_id="invoice-1",
                description="Premium, 30 days",
            )
        ],
        payment_source=PaymentSource(
            paypal=PaypalWallet(
                experience_context=PaypalWalletExperienceContext(
                    brand_name="Peaje",
                    contact_preference=APIHelper.SKIP,  # sent by default, but PayPal's published files do not know it
                    shipping_preference="NO_SHIPPING",
                    user_action="PAY_NOW",
                    payment_method_preference="IMMEDIATE_PAYMENT_REQUIRED",
                    return_url=RETURN_URL,
                    cancel_url=CANCEL_URL,
                )
            )
        ),
    )


def test_checkout_and_refund(paypal: LocalPayPal, sdk: PaypalServersdkClient) -> None:
    order = sdk.orders.create_order({"body": order_request(), "paypal_request_id": "create-1"}).body
    assert order.status == "PAYER_ACTION_REQUIRED"
    page = next(link.href for link in order.links if link.rel == "payer-action")

    assert sdk.orders.get_order({"id": order.id}).body.purchase_units[0].custom_id == "order-1"
    with pytest.raises(ApiException) as refused:
        sdk.orders.capture_order({"id": order.id, "paypal_request_id": "capture-0"})
    assert refused.value.response_code == 422
    assert refused.value.details[0].issue == "ORDER_NOT_APPROVED"

    returned = requests.post(page, data={"choice": "approve"}, allow_redirects=False, timeout=5)
    assert returned.headers["Location"].startswith(f"{RETURN_URL}?token={order.id}&PayerID=")

    paid = sdk.orders.capture_order({"id": order.id, "paypal_request_id": "capture-1"}).body
    capture = paid.purchase_units[0].payments.captures[0]
    assert (paid.status, capture.status, capture.amount.value) == ("COMPLETED", "COMPLETED", "5.00")
    assert sdk.payments.get_captured_payment({"capture_id": capture.id}).body.custom_id == "order-1"

    part = RefundRequest(amount=Money(currency_code="USD", value="2.00"))
    refund = sdk.payments.refund_captured_payment({"capture_id": capture.id, "body": part}).body
    assert sdk.payments.get_refund({"refund_id": refund.id}).body.amount.value == "2.00"
    assert sdk.payments.get_captured_payment({"capture_id": capture.id}).body.status == "PARTIALLY_REFUNDED"
    sdk.payments.refund_captured_payment({"capture_id": capture.id, "body": RefundRequest()})
    assert sdk.payments.get_captured_payment({"capture_id": capture.id}).body.status == "REFUNDED"


def test_transaction_search(paypal: LocalPayPal, sdk: PaypalServersdkClient) -> None:
    order = sdk.orders.create_order({"body": order_request(), "paypal_request_id": "create-1"}).body
    paypal.approve_order(order.id)
    sdk.orders.capture_order({"id": order.id, "paypal_request_id": "capture-1"})
    now = datetime.now(UTC)
    span = {
        "start_date": (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end_date": (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    found = sdk.transaction_search.search_transactions(span).body.transaction_details
    assert [entry.transaction_info.transaction_amount.value for entry in found] == ["5.00"]
    assert found[0].transaction_info.paypal_reference_id == order.id


def test_subscription(paypal: LocalPayPal, sdk: PaypalServersdkClient) -> None:
    plan = sdk.subscriptions.create_billing_plan({"body": plan_request(create_product(paypal))}).body
    assert sdk.subscriptions.get_billing_plan(plan.id).body.status == "ACTIVE"
    request = CreateSubscriptionRequest(
        plan_id=plan.id,
        custom_id="subscription-1",
        application_context=SubscriptionApplicationContext(return_url=RETURN_URL, cancel_url=CANCEL_URL),
    )
    subscription = sdk.subscriptions.create_subscription({"body": request, "paypal_request_id": "subscribe-1"}).body
    assert subscription.status == "APPROVAL_PENDING"
    page = next(link.href for link in subscription.links if link.rel == "approve")
    returned = requests.post(page, data={"choice": "approve"}, allow_redirects=False, timeout=5)
    assert f"subscription_id={subscription.id}" in returned.headers["Location"]

    active = sdk.subscriptions.get_subscription({"id": subscription.id}).body
    assert (active.status, active.billing_info.last_payment.amount.value) == ("ACTIVE", "5.00")
    paypal.renew_subscription(subscription.id)
    now = datetime.now(UTC)
    span = {"id": subscription.id, "start_time": now - timedelta(days=1), "end_time": now + timedelta(days=1)}
    sales = sdk.subscriptions.list_subscription_transactions(
        {**span, "start_time": iso(span["start_time"]), "end_time": iso(span["end_time"])}
    ).body.transactions
    assert [sale.status for sale in sales] == ["COMPLETED", "COMPLETED"]

    sdk.payments.refund_captured_payment({"capture_id": sales[1].id, "body": RefundRequest()})
    reason = CancelSubscriptionRequest(reason="Enough")
    sdk.subscriptions.cancel_subscription({"id": subscription.id, "body": reason})
    ended = sdk.subscriptions.get_subscription({"id": subscription.id}).body
    assert (ended.status, ended.status_change_note) == ("CANCELLED", "Enough")


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def create_product(paypal: LocalPayPal) -> str:
    environment = paypal.env()
    credentials = (environment["PAYPAL_CLIENT_ID"], environment["PAYPAL_CLIENT_SECRET"])
    token = requests.post(
        f"{paypal.endpoint}/v1/oauth2/token", auth=credentials, data={"grant_type": "client_credentials"}, timeout=5
    ).json()["access_token"]
    answer = requests.post(
        f"{paypal.endpoint}/v1/catalogs/products",
        json={"name": "Premium", "type": "SERVICE"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    )
    return str(answer.json()["id"])


def plan_request(product_id: str) -> PlanRequest:
    price = Money(currency_code="USD", value="5.00")
    cycle = SubscriptionBillingCycle(
        frequency=Frequency("MONTH"),
        tenure_type="REGULAR",
        sequence=1,
        total_cycles=0,
        pricing_scheme=SubscriptionPricingScheme(fixed_price=price),
    )
    return PlanRequest(product_id, "Premium", [cycle], PaymentPreferences(payment_failure_threshold=3))
