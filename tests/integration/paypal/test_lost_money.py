"""Whatever the network, the machine and the buyer do, money that came is credited, and only once."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from models import users
from models.money import orders
from models.tables import Order
from tests.paypal_shop import Buyer, PayPalShop, heading, order_id, until

CAPTURE = "POST */capture"


def granted_once(shop: PayPalShop, buyer: Buyer, remote_id: str) -> bool:
    """Exactly one capture at PayPal, one payment here, one month, one receipt."""
    captures = [each for each in shop.paypal.captures() if each.get("custom_id") == shop.order(remote_id).public_id]
    payments = shop.payments(buyer.id)
    return (
        [capture["id"] for capture in captures] == [payment.remote_id for payment in payments]
        and len(payments) == 1
        and shop.access(buyer.id).level == 1
        and shop.heard(buyer.id).count("payment_completed") == 1
    )


def test_two_clicks_are_one_order(shop: PayPalShop) -> None:
    buyer = shop.buyer()

    assert buyer.start() == buyer.start()

    assert Order.select().where(Order.user == buyer.id).count() == 1


def test_two_clicks_at_the_same_moment_are_one_order(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    shop.paypal.switch("slow", on="POST /v2/checkout/orders", seconds=0.3)

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: requests.post(buyer.link, allow_redirects=False, timeout=20), range(3)))

    assert len({order_id(answer.headers["Location"]) for answer in answers}) == 1
    assert Order.select().where(Order.user == buyer.id).count() == 1


def test_two_paid_orders_for_one_purchase_are_both_credited(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    first = buyer.start()
    buyer.go(buyer.choose(first, "cancel"))
    second = buyer.start()
    assert first != second

    buyer.go(buyer.choose(first, "approve"))
    buyer.go(buyer.choose(second, "approve"))

    assert len(shop.payments(buyer.id)) == 2
    until_ = shop.access(buyer.id).until
    assert until_ is not None
    assert until_ - time.time() > 59 * 86_400


@pytest.fixture
def closed_tab(shop: PayPalShop) -> Iterator[Callable[[], tuple[Buyer, str]]]:
    """Somebody who approves and never comes back."""

    def approve() -> tuple[Buyer, str]:
        buyer = shop.buyer()
        remote_id = buyer.start()
        buyer.choose(remote_id, "approve")
        return buyer, remote_id

    yield approve


def test_a_closed_tab_is_settled_by_the_webhook(shop: PayPalShop, closed_tab: Callable[[], tuple[Buyer, str]]) -> None:
    buyer, remote_id = closed_tab()

    until(lambda: granted_once(shop, buyer, remote_id), "the grant", 3)


def test_a_closed_tab_is_settled_without_any_webhook(
    shop: PayPalShop, closed_tab: Callable[[], tuple[Buyer, str]]
) -> None:
    shop.silence_webhooks()
    buyer, remote_id = closed_tab()
    assert shop.access(buyer.id).level == 0

    shop.make_due(remote_id)  # a minute later

    until(lambda: granted_once(shop, buyer, remote_id), "the grant")


def test_a_click_after_a_closed_tab_settles_and_sells_once(
    shop: PayPalShop, closed_tab: Callable[[], tuple[Buyer, str]]
) -> None:
    shop.silence_webhooks()
    buyer, remote_id = closed_tab()

    page = buyer.click()

    assert heading(page) == "Paid, thank you!"
    assert granted_once(shop, buyer, remote_id)


@pytest.mark.parametrize(
    ("fault", "parameters"),
    [
        ("bad_gateway", {"performed": True}),
        ("internal_error", {"performed": True}),
        ("lost_response", {}),
    ],
)
def test_money_that_moved_without_an_answer_is_found(
    shop: PayPalShop, fault: str, parameters: dict[str, object]
) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    shop.paypal.switch(fault, on=CAPTURE, **parameters)

    remote_id, _ = buyer.pay()
    shop.make_due(remote_id)

    until(lambda: granted_once(shop, buyer, remote_id), "the grant")


def test_money_that_moved_while_every_answer_was_lost_is_found(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    shop.paypal.switch("lost_response", on=CAPTURE, count=4)

    remote_id, page = buyer.pay()

    assert heading(page) == "Paid, thank you!"
    assert granted_once(shop, buyer, remote_id)
    assert len({call["request_id"] for call in calls(shop, remote_id, "capture")}) == 1


def test_killed_between_capture_and_commit_nothing_is_lost(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    public_id = shop.order(remote_id).public_id
    shop.paypal.switch("timeout", on=CAPTURE, seconds=30)
    visit = threading.Thread(target=lambda: pytest.raises(requests.RequestException, buyer.go, url))
    visit.start()
    until(lambda: [it for it in shop.paypal.captures() if it.get("custom_id") == public_id], "the money")

    shop.web.program.kill()
    visit.join()
    assert not shop.payments(buyer.id)
    shop.web.start()
    shop.make_due(remote_id)

    until(lambda: granted_once(shop, buyer, remote_id), "the grant")
    assert heading(buyer.go(url)) == "Paid, thank you!"


def test_a_click_after_a_kill_finds_the_order_made_before(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    known = {order["id"] for order in shop.paypal.orders()}
    shop.paypal.switch("timeout", on="POST /v2/checkout/orders", seconds=30)
    click = threading.Thread(target=lambda: pytest.raises(requests.RequestException, buyer.click))
    click.start()
    (made,) = until(lambda: {order["id"] for order in shop.paypal.orders()} - known, "the order")
    shop.web.program.kill()
    click.join()
    shop.web.start()

    assert buyer.start() == made


def test_a_retry_after_the_request_ids_life_charges_once(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    buyer.choose(remote_id, "approve")
    order = shop.order(remote_id)
    key = orders.request_id(order.id, "capture", int(time.time()))
    shop.merchant.capture_order(remote_id, key)  # as we would have done it, but for the answer
    age(remote_id, 7 * 3600)
    shop.paypal.advance(7 * 3600)  # PayPal has forgotten the key
    try:
        shop.make_due(remote_id)
        until(lambda: granted_once(shop, buyer, remote_id), "the grant")
    finally:
        shop.paypal.set_clock_offset(0)
    assert len(calls(shop, remote_id, "capture")) == 1


def test_an_old_orders_capture_has_its_own_request_id(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.paypal.switch("bad_gateway", on=CAPTURE, count=4)
    buyer.go(url)
    old = {call["request_id"] for call in calls(shop, remote_id, "capture")}
    age(remote_id, 7 * 3600)

    buyer.go(url)

    assert len(old) == 1
    assert old < {call["request_id"] for call in calls(shop, remote_id, "capture")}
    assert granted_once(shop, buyer, remote_id)


def test_an_order_captured_already_is_credited(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    shop.merchant.capture_order(remote_id, "by-hand")
    shop.paypal.switch("alter", set={"/status": "APPROVED"})  # what we read a moment before

    page = buyer.go(url)

    assert [call["status"] for call in calls(shop, remote_id, "capture")] == [201, 422]
    assert heading(page) == "Paid, thank you!"
    assert granted_once(shop, buyer, remote_id)


def test_return_and_webhook_at_the_same_moment_grant_once(shop: PayPalShop) -> None:
    with shop.second_web() as second:
        for _ in range(3):
            shop.silence_webhooks()
            buyer = shop.buyer()
            remote_id = buyer.start()
            url = buyer.choose(remote_id, "approve")
            event = next(it for it in shop.paypal.events() if it["resource"].get("id") == remote_id)
            transmissions = [shop.paypal.forgery.genuine(event, shop.webhook_id) for _ in range(2)]

            with ThreadPoolExecutor() as pool:
                page = pool.submit(buyer.go, url)
                answers = list(pool.map(shop.send_webhook, transmissions, (second, second)))

            assert answers == [200, 200]
            assert heading(page.result()) == "Paid, thank you!"
            assert granted_once(shop, buyer, remote_id)
            shop.paypal.clear_switches()


def test_cancelled_then_paid_by_the_old_link_is_credited(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    remote_id = buyer.start()
    page = buyer.go(buyer.choose(remote_id, "cancel"))
    assert heading(page) == "Payment cancelled"
    assert shop.heard(buyer.id) == ["checkout_cancelled"]

    page = buyer.go(buyer.choose(remote_id, "approve"))

    assert heading(page) == "Paid, thank you!"
    assert granted_once(shop, buyer, remote_id)


def test_a_customer_banned_before_paying_is_told_to_operators(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    remote_id = buyer.start()
    users.ban(buyer.id, int(time.time()))

    buyer.go(buyer.choose(remote_id, "approve"))

    (payment,) = shop.payments(buyer.id)
    assert shop.alerts(reason="banned_user_paid", payment=payment.id)
    assert buyer.click().status_code == 403


def test_a_customer_who_blocked_the_bot_gets_what_they_paid(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    remote_id = buyer.start()
    users.mark_blocked_bot(buyer.id, True, int(time.time()))

    buyer.go(buyer.choose(remote_id, "approve"))

    assert granted_once(shop, buyer, remote_id)


def test_the_orders_price_rules_when_the_plan_became_dearer(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    remote_id = buyer.start()
    url = buyer.choose(remote_id, "approve")
    with shop.edited_plans('USD = "5.00"', 'USD = "7.00"'):
        page = buyer.go(url)
        offer = shop.buyer().page()

    assert heading(page) == "Paid, thank you!"
    assert granted_once(shop, buyer, remote_id)
    assert "$7.00" in offer.text


def test_an_order_that_ended_at_paypal_is_begun_anew(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    first = buyer.start()
    shop.paypal.advance(4 * 3600)  # PayPal gives a payer three hours
    try:
        second = buyer.start()
    finally:
        shop.paypal.set_clock_offset(0)

    assert second != first
    assert shop.order(first).state == "expired"


def calls(shop: PayPalShop, remote_id: str, tail: str) -> list[dict[str, object]]:
    """The calls that PayPal saw of an order."""
    path = f"/v2/checkout/orders/{remote_id}/{tail}"
    return [call for call in shop.paypal.calls() if call["path"] == path]


def age(remote_id: str, seconds: int) -> None:
    """Make an order older than it is."""
    Order.update(created_at=Order.created_at - seconds).where(Order.remote_id == remote_id).execute()
