"""Nobody gets by PayPal what he has not paid for."""

import dataclasses
import re
import secrets
from typing import Any

import pytest
import requests

from models.money.payments import PaymentState
from models.tables import Order, Payment, WebhookEvent
from tests.paypal_shop import PayPalShop, heading, until

SUCCESS = "/paypal/success"


def test_a_return_page_of_an_unapproved_order_gives_nothing(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    remote_id = buyer.start()

    page = buyer.go(f"{shop.web.url}{SUCCESS}?token={remote_id}&PayerID=QYR5Z8XDVJNXQ")

    assert heading(page) == "Not approved yet"
    assert f"/checkoutnow?token={remote_id}" in page.text
    assert not shop.payments(buyer.id)
    assert shop.access(buyer.id).level == 0


@pytest.mark.parametrize("token", ["", "5O190127TN364715T", "' OR 1=1 --", "I-BW452GLLEP1G", "٣" * 17, "A" * 2000])
def test_a_return_page_of_an_unknown_order_gives_nothing(shop: PayPalShop, token: str) -> None:
    before = Order.select().count()

    page = requests.get(f"{shop.web.url}{SUCCESS}", params={"token": token}, timeout=10)

    assert page.status_code == 404
    assert Order.select().count() == before


def test_a_return_page_with_anothers_order_gives_nothing(shop: PayPalShop) -> None:
    owner, thief = shop.buyer(), shop.buyer()
    theirs, _ = owner.pay()
    thief.start()

    page = thief.go(f"{shop.web.url}{SUCCESS}?token={theirs}")

    assert page.status_code == 403
    assert heading(page) == "This purchase belongs to somebody else"
    assert shop.access(thief.id).level == 0
    assert shop.access(owner.id).level == 1


def test_an_order_id_tells_a_stranger_nothing(shop: PayPalShop) -> None:
    buyer = shop.buyer(shop.customer(first_name="Rosalinda"))
    remote_id, own_page = buyer.pay()
    charge = shop.payments(buyer.id)[0].remote_id

    page = requests.get(f"{shop.web.url}{SUCCESS}?token={remote_id}", timeout=10)

    assert charge in own_page.text
    assert heading(page) == "Paid, thank you!"
    assert charge not in page.text and "Rosalinda" not in page.text and "/pay/" not in page.text


@pytest.mark.parametrize(
    ("lie", "fault"),
    [
        ("wrong_amount", "1 USD instead of 500 USD"),
        ("wrong_currency", "5 HUF instead of 500 USD"),
        ("two_units", "2 purchase units instead of one"),
        ("other_merchant", "paid to another merchant"),
        ("other_custom_id", "another purchase's custom_id"),
    ],
)
def test_an_order_unlike_what_was_ordered_is_not_charged(shop: PayPalShop, lie: str, fault: str) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.paypal.switch(lie)

    page = buyer.go(url)

    assert heading(page) == "This payment needs a look"
    assert not [capture for capture in shop.paypal.captures() if capture.get("custom_id") == order_of(shop, remote_id)]
    assert not shop.payments(buyer.id)
    (told,) = shop.alerts(reason="order_mismatch", order=order_of(shop, remote_id))
    assert fault in told["fault"]


def test_another_amount_is_recorded_and_grants_nothing(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.merchant.capture_order(remote_id, "by-hand")
    shop.paypal.switch("wrong_amount", value="0.01", count=2)

    assert heading(buyer.go(url)) == "This payment needs a look"

    (payment,) = shop.payments(buyer.id)
    assert (payment.amount, payment.grants) == (1, False)
    assert shop.access(buyer.id).level == 0
    assert shop.alerts(reason="wrong_amount", payment=payment.id)


def order_of(shop: PayPalShop, remote_id: str) -> str:
    return shop.order(remote_id).public_id


@pytest.mark.parametrize(
    ("status", "title", "state"),
    [
        ("PENDING", "Your payment is being checked", PaymentState.PENDING),
        ("DECLINED", "PayPal declined the payment", PaymentState.DENIED),
        ("FAILED", "PayPal declined the payment", PaymentState.DENIED),
    ],
)
def test_a_completed_order_is_not_paid_while_its_capture_is_not(
    shop: PayPalShop, status: str, title: str, state: PaymentState
) -> None:
    buyer = shop.buyer()
    shop.paypal.switch("capture_status", status=status)

    remote_id, page = buyer.pay()

    assert shop.merchant.order(remote_id)["status"] == "COMPLETED"
    assert heading(page) == title
    assert [payment.state for payment in shop.payments(buyer.id)] == [state]
    assert shop.access(buyer.id).level == 0


def test_a_declined_capture_leads_back_to_a_new_order(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    shop.paypal.switch("capture_status", status="DECLINED")
    first, page = buyer.pay()

    again = re.search(r'id="again" href="(/pay/[^"]+)"', page.text)
    assert again
    buyer.link = shop.web.url + again[1]
    second, page = buyer.pay()

    assert second != first
    assert heading(page) == "Paid, thank you!"
    assert shop.access(buyer.id).level == 1


def test_a_pending_capture_grants_when_paypal_completes_it(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    shop.paypal.switch("capture_status", status="PENDING")
    buyer.pay()
    (payment,) = shop.payments(buyer.id)

    shop.paypal.complete_capture(payment.remote_id)

    until(lambda: shop.access(buyer.id).level == 1, "access")
    assert shop.heard(buyer.id) == ["payment_pending", "payment_completed"]


@pytest.mark.parametrize(
    ("status", "title", "told"),
    [
        ("PENDING", "Your payment is being checked", ["payment_pending"]),
        ("COMPLETED", "Paid, thank you!", ["payment_completed"]),
    ],
)
@pytest.mark.parametrize("seen", [True, False])
def test_turning_back_in_another_tab_shows_the_payment(
    shop: PayPalShop, status: str, title: str, told: list[str], seen: bool
) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    turned_back = f"{shop.web.url}/paypal/cancel?token={remote_id}"
    shop.paypal.switch("capture_status", status=status)
    approved = buyer.choose(remote_id, "approve")
    if seen:
        buyer.go(approved)

    page = buyer.go(turned_back)

    assert heading(page) == title
    assert "Nothing was charged" not in page.text
    assert shop.heard(buyer.id) == told
    assert shop.order(remote_id).state == ("paid" if status == "COMPLETED" else "open")


def test_turning_back_while_paypal_is_away_promises_nothing(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    url = buyer.choose(buyer.start(), "cancel")
    shop.paypal.switch("internal_error", on="GET /v2/checkout/orders/*", count=100)

    page = buyer.go(url)

    assert (page.status_code, heading(page)) == (200, "PayPal does not answer right now")
    assert shop.heard(buyer.id) == []
    shop.paypal.clear_switches()
    assert heading(buyer.go(url)) == heading(buyer.go(url)) == "Payment cancelled"
    assert shop.heard(buyer.id) == ["checkout_cancelled"]


@pytest.mark.parametrize("event_type", ["PAYMENT.CAPTURE.DENIED", "PAYMENT.CAPTURE.DECLINED"])
def test_a_pending_capture_that_paypal_denies_grants_nothing(shop: PayPalShop, event_type: str) -> None:
    buyer = shop.buyer()
    shop.paypal.switch("capture_status", status="PENDING")
    buyer.pay()
    (payment,) = shop.payments(buyer.id)

    shop.paypal.deny_capture(payment.remote_id, event_type=event_type)

    until(lambda: shop.payments(buyer.id)[0].state is PaymentState.DENIED, "the denial")
    assert shop.access(buyer.id).level == 0
    assert shop.heard(buyer.id) == ["payment_pending", "payment_denied"]


def test_an_approval_that_paypal_takes_back_ends_the_order(shop: PayPalShop) -> None:
    shop.paypal.switch("error", on="POST */capture", issue="ORDER_NOT_APPROVED", count=2)  # nobody is quicker
    buyer = shop.buyer()
    remote_id = buyer.start()
    buyer.choose(remote_id, "approve")
    assert shop.paypal.wait_delivered()

    shop.paypal.reverse_approval(remote_id)

    until(lambda: shop.order(remote_id).state == "expired", "the order's end")
    assert buyer.start() != remote_id


def test_access_ends_with_a_refund_however_much_was_used(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    buyer.pay()
    assert shop.access(buyer.id).level == 1

    shop.paypal.refund_capture(shop.payments(buyer.id)[0].remote_id)

    until(lambda: shop.access(buyer.id).level == 0, "the refund")
    assert shop.heard(buyer.id) == ["payment_completed", "payment_refunded"]


def test_late_news_does_not_revive_what_has_ended(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    buyer.pay()
    assert shop.paypal.wait_delivered()
    completed = [event for event in shop.paypal.events() if event["event_type"] == "PAYMENT.CAPTURE.COMPLETED"][-1]
    shop.paypal.refund_capture(shop.payments(buyer.id)[0].remote_id)
    until(lambda: shop.access(buyer.id).level == 0, "the refund")

    # Another event, genuine, with the state of before.
    shop.paypal.publish_event("PAYMENT.CAPTURE.COMPLETED", completed["resource"])
    assert shop.paypal.wait_delivered()

    assert shop.access(buyer.id).level == 0
    assert [payment.refunded for payment in shop.payments(buyer.id)] == [500]


# Webhooks


def captured(shop: PayPalShop) -> dict[str, Any]:
    """A genuine event about money that came: what a forger would love to send."""
    buyer = shop.buyer()
    buyer.pay()
    assert shop.paypal.wait_delivered()
    events = [event for event in shop.paypal.events() if event["event_type"] == "PAYMENT.CAPTURE.COMPLETED"]
    return {**events[-1], "id": f"WH-{secrets.token_hex(8)}"}


def test_no_forged_webhook_is_believed_stored_or_acted_on(shop: PayPalShop) -> None:
    event = captured(shop)
    transmissions = shop.paypal.forgery.all(event, shop.webhook_id)
    before = (WebhookEvent.select().count(), Payment.select().count())

    answers = {
        name: requests.post(f"{shop.web.url}/paypal/webhook", data=it.body, headers=it.headers, timeout=10).status_code
        for name, it in transmissions.items()
    }

    assert len(answers) >= 27
    assert sum(name.startswith("cert-url-") for name in answers) >= 10
    assert {name: answer for name, answer in answers.items() if answer != 400} == {}
    assert (WebhookEvent.select().count(), Payment.select().count()) == before
    assert shop.send_webhook(shop.paypal.forgery.genuine(event, shop.webhook_id)) == 200


def test_where_nothing_is_pinned_no_forgery_is_believed_either(shop: PayPalShop) -> None:
    """As a shop runs in earnest."""
    event = captured(shop)
    forged = shop.paypal.forgery.all(event, shop.webhook_id)
    with shop.second_web(PAYPAL_AUTHORITY="") as web:
        believed = {name for name, it in forged.items() if shop.send_webhook(it, web) != 400}
        genuine = shop.send_webhook(shop.paypal.forgery.genuine(event, shop.webhook_id), web)

    assert believed == set()
    assert genuine == 200


@pytest.mark.parametrize("position", [0, 17, -1])
def test_a_webhook_with_one_byte_changed_is_refused(shop: PayPalShop, position: int) -> None:
    genuine = shop.paypal.forgery.genuine(captured(shop), shop.webhook_id)
    body = bytearray(genuine.body)
    body[position] ^= 1
    before = WebhookEvent.select().count()

    assert shop.send_webhook(dataclasses.replace(genuine, body=bytes(body))) == 400
    assert WebhookEvent.select().count() == before


def test_an_event_under_a_new_transmission_changes_nothing(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    buyer.pay()
    assert shop.paypal.wait_delivered()
    until_access = shop.access(buyer.id).until
    before = WebhookEvent.select().count()

    for event in shop.paypal.events()[-2:]:
        assert shop.send_webhook(shop.paypal.forgery.genuine(event, shop.webhook_id)) == 200

    assert WebhookEvent.select().count() == before
    assert shop.access(buyer.id).until == until_access
    assert shop.heard(buyer.id) == ["payment_completed"]


def test_live_events_are_refused_in_a_sandbox_and_reverse(shop: PayPalShop) -> None:
    event = captured(shop)
    of_live = shop.paypal.forgery.genuine(event, shop.webhook_id, certificate="CERT-live")
    of_sandbox = shop.paypal.forgery.genuine(event, shop.webhook_id)
    before = WebhookEvent.select().count()
    with shop.second_web(PAYPAL_MODE="live") as live:
        assert shop.send_webhook(of_live) == 400
        assert shop.send_webhook(of_sandbox, live) == 400
        assert WebhookEvent.select().count() == before
        assert shop.send_webhook(of_live, live) == 200


@pytest.mark.parametrize(
    ("event_type", "resource"),
    [
        ("CHECKOUT.ORDER.APPROVED", {"id": "5O190127TN364715T", "status": "APPROVED"}),
        ("PAYMENT.CAPTURE.COMPLETED", {"id": "42311647XV020574X", "status": "COMPLETED"}),
        ("CUSTOMER.DISPUTE.CREATED", {"dispute_id": "PP-D-27803"}),
        ("PAYMENT.SALE.COMPLETED", {"id": "80021663DE681814L", "billing_agreement_id": "I-BW452GLLEP1G"}),
        ("BILLING.SUBSCRIPTION.ACTIVATED", {"id": "I-BW452GLLEP1G"}),
        (
            "PAYMENT.CAPTURE.REFUNDED",
            {"id": "1JU08902781691411", "links": [{"rel": "up", "href": "https://x/captures/9"}]},
        ),
        ("CATALOG.PRODUCT.CREATED", {"id": "PROD-XY"}),
    ],
)
def test_a_genuine_event_of_another_shop_is_left_alone(
    shop: PayPalShop, event_type: str, resource: dict[str, Any]
) -> None:
    before = Payment.select().count()
    event = {"id": f"WH-{secrets.token_hex(8)}", "event_type": event_type, "resource": resource}

    assert shop.send_webhook(shop.paypal.forgery.genuine(event, shop.webhook_id)) == 200

    assert Payment.select().count() == before
    assert WebhookEvent.get(WebhookEvent.event_id == event["id"]).state == "done"


def test_nothing_of_the_payer_is_stored_or_logged(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    buyer.pay()
    shop.paypal.open_dispute(shop.payments(buyer.id)[0].remote_id)
    assert shop.paypal.wait_delivered()
    assert any("buyer@personal.example.com" in str(event) for event in shop.paypal.events())

    for written in (*(row.body for row in WebhookEvent.select()), shop.said()):
        assert "buyer@personal" not in written and "John" not in written
    for secret in (shop.paypal.env()["PAYPAL_CLIENT_SECRET"], "A21AA", buyer.link.rpartition("/")[2]):
        assert secret not in shop.said()
