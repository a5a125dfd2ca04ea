"""Purchases that renew themselves at PayPal: approved once, paid every period, ended without losing what is paid."""

import time
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from models import notes
from models.money import payments, subscriptions
from models.money.payments import PaymentState
from models.money.subscriptions import SubscriptionInfo
from models.tables import Note, Order, Request, Subscription, WebhookEvent
from tests.paypal_shop import ADMIN, Buyer, PayPalShop, heading, until
from web.paypal.parsing import next_billing

DAY = 86_400


def subscriber(shop: PayPalShop, user_id: int | None = None) -> tuple[Buyer, str]:
    """Somebody in front of PayPal's page for the monthly plan, and where that is."""
    buyer = shop.buyer(user_id, plan="monthly")
    answer = buyer.click()
    assert answer.status_code == 303, answer.text
    return buyer, answer.headers["Location"]


def choose(page: str, choice: str) -> str:
    answer = requests.post(page, data={"choice": choice}, timeout=20, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def remote_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["subscription_id"][0]


def subscribed(shop: PayPalShop) -> tuple[Buyer, SubscriptionInfo]:
    """Somebody whose subscription has begun."""
    buyer, page = subscriber(shop)
    buyer.go(choose(page, "approve"))
    assert shop.paypal.wait_delivered()
    (known,) = subscriptions.of(buyer.id)
    return buyer, known


def days_left(shop: PayPalShop, buyer: Buyer) -> float:
    ends = [interval.end for interval in shop.access(buyer.id).intervals]
    return (ends[-1] - time.time()) / DAY if ends and ends[-1] else 0


def state_of(known: SubscriptionInfo) -> str:
    found = subscriptions.get(known.id)
    assert found is not None
    return str(found.state)


def done(request_id: int) -> Request | None:
    row = Request.get_by_id(request_id)
    return row if row.state != "open" else None


def test_the_first_period_is_paid_with_a_day_of_grace(shop: PayPalShop) -> None:
    buyer, page = subscriber(shop)

    outcome = buyer.go(choose(page, "approve"))

    assert heading(outcome) == "Paid, thank you!"
    assert shop.access(buyer.id).level == 1
    assert 30.9 < days_left(shop, buyer) < 31.1
    assert shop.heard(buyer.id).count("payment_completed") == 1


def test_turned_back_it_can_be_begun_again(shop: PayPalShop) -> None:
    buyer, page = subscriber(shop)

    assert heading(buyer.go(choose(page, "cancel"))) == "Payment cancelled"
    assert shop.heard(buyer.id) == ["checkout_cancelled"]
    _, page = subscriber(shop, buyer.id)
    choose(page, "approve")

    until(lambda: shop.access(buyer.id).level == 1, "access")


def test_a_closed_tab_is_settled_without_any_webhook(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer, page = subscriber(shop)
    remote_id = remote_of(choose(page, "approve"))

    shop.make_due(remote_id)

    until(lambda: shop.access(buyer.id).level == 1, "access")


def test_product_and_plan_are_made_once(shop: PayPalShop) -> None:
    subscriber(shop)
    before = len(shop.paypal.calls())
    subscriber(shop)
    subscriber(shop)

    made = {call["path"] for call in shop.paypal.calls()[before:] if call["method"] == "POST"}
    assert made - {"/v1/oauth2/token"} == {"/v1/billing/subscriptions"}  # upkeep looks whether it is let in


def test_two_clicks_are_one_subscription(shop: PayPalShop) -> None:
    buyer, first = subscriber(shop)

    assert buyer.click().headers["Location"] == first
    assert Subscription.select().where(Subscription.user == buyer.id).count() == 1


def test_a_renewal_adds_its_period_and_is_told_as_such(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)

    sale = shop.paypal.renew_subscription(known.remote_id)

    until(lambda: len(shop.payments(buyer.id)) == 2, "the renewal")
    assert {payment.remote_id for payment in shop.payments(buyer.id)} >= {sale}
    assert 60.9 < days_left(shop, buyer) < 61.1
    assert shop.heard(buyer.id).count("payment_completed") == 2


def test_a_renewal_that_no_webhook_told_of_is_found(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)
    shop.silence_webhooks()
    shop.paypal.renew_subscription(known.remote_id)
    Subscription.update(next_look_at=0).where(Subscription.id == known.id).execute()

    shop.restart_upkeep()

    until(lambda: len(shop.payments(buyer.id)) == 2, "the renewal")


def test_a_failed_payment_is_told_once_and_takes_nothing(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)

    shop.paypal.renew_subscription(known.remote_id, fail=True)
    until(lambda: "subscription_payment_failed" in shop.heard(buyer.id), "the news")
    failed = [it for it in shop.paypal.events() if it["event_type"] == "BILLING.SUBSCRIPTION.PAYMENT.FAILED"][-1]
    shop.paypal.repeat_event(failed["id"])
    shop.paypal.publish_event(failed["event_type"], failed["resource"], resource_type="subscription")
    assert shop.paypal.wait_delivered()

    assert shop.heard(buyer.id).count("subscription_payment_failed") == 1
    assert shop.access(buyer.id).level == 1


def test_a_failed_payment_is_told_when_only_polling_works(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)
    shop.silence_webhooks()
    shop.paypal.renew_subscription(known.remote_id, fail=True)
    for _ in range(2):
        Subscription.update(next_look_at=0).where(Subscription.id == known.id).execute()
        shop.restart_upkeep()
        until(lambda: Subscription.get_by_id(known.id).next_look_at, "the poll")

    until(lambda: "subscription_payment_failed" in shop.heard(buyer.id), "the news")
    assert shop.heard(buyer.id).count("subscription_payment_failed") == 1


def test_a_refund_from_the_chat_ends_the_renewal(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)

    request = payments.ask_refund(shop.payments(buyer.id)[0].id, None, ADMIN, int(time.time()))

    assert until(lambda: done(request), "the refund").state == "done"
    until(lambda: state_of(known) == "cancelled", "the end of the renewal")
    assert shop.access(buyer.id).level == 0


# Events that come before what they name


def ended(shop: PayPalShop, event_type: str, resource_id: str) -> bool:
    """Whether the event about a resource has come to its end here."""
    about = (WebhookEvent.event_type == event_type) & (WebhookEvent.resource_id == resource_id)
    return [row.state for row in WebhookEvent.select().where(about)] == ["done"]


def test_an_event_ahead_of_the_list_ends_when_it_is_booked(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)
    shop.paypal.switch("webhook_without", on="PAYMENT.SALE.COMPLETED", fields=["billing_agreement_id", "custom"])
    shop.paypal.switch("list_lag", on="GET */transactions", count=3)

    sale = shop.paypal.renew_subscription(known.remote_id)

    about = WebhookEvent.resource_id == sale
    until(lambda: WebhookEvent.get_or_none(about), "the event")
    assert WebhookEvent.get(about).state == "received" or len(shop.payments(buyer.id)) == 2
    until(lambda: len(shop.payments(buyer.id)) == 2, "the renewal")
    until(lambda: ended(shop, "PAYMENT.SALE.COMPLETED", str(sale)), "the end of the event")


@pytest.mark.parametrize("event_type", ["PAYMENT.SALE.REFUNDED", "PAYMENT.SALE.REVERSED"])
def test_a_sale_that_its_refund_does_not_name_is_found(shop: PayPalShop, event_type: str) -> None:
    buyer, _ = subscribed(shop)
    (payment,) = shop.payments(buyer.id)
    unnamed = ["sale_id", "links", "billing_agreement_id", "custom", "parent_payment"]
    shop.paypal.switch("webhook_without", on=event_type, fields=unnamed)

    (shop.paypal.refund_sale if event_type.endswith("REFUNDED") else shop.paypal.reverse_sale)(payment.remote_id)

    until(lambda: shop.payments(buyer.id)[0].refunded == 400, "the refund")
    assert shop.access(buyer.id).level == 0


def test_a_refund_that_names_nothing_waits_for_the_list(shop: PayPalShop) -> None:
    buyer, _ = subscribed(shop)
    (payment,) = shop.payments(buyer.id)
    shop.paypal.switch("webhook_without", on="PAYMENT.SALE.REFUNDED", fields=["sale_id", "links", "custom"])
    for call in ("GET /v1/payments/refund/*", "GET /v2/payments/refunds/*"):
        shop.paypal.switch("error", on=call, status=404, issue="INVALID_RESOURCE_ID", count=1000)

    refund = shop.paypal.refund_sale(payment.remote_id)
    about = WebhookEvent.resource_id == refund["id"]
    until(lambda: WebhookEvent.get_or_none(about), "the event")
    assert WebhookEvent.get(about).state == "received"
    shop.restart_upkeep()  # which compares with the list at once

    until(lambda: shop.payments(buyer.id)[0].refunded == 400, "the refund")
    until(lambda: ended(shop, "PAYMENT.SALE.REFUNDED", refund["id"]), "the end of the event")


def test_an_event_that_paypal_never_explains_is_told_and_ends(shop: PayPalShop) -> None:
    event = {"id": "WH-UNEXPLAINED", "event_type": "PAYMENT.SALE.REFUNDED", "resource": {"id": "0NOBODYKNOWS00000"}}

    assert shop.send_webhook(shop.paypal.forgery.genuine(event, shop.webhook_id)) == 500
    about = WebhookEvent.event_id == "WH-UNEXPLAINED"
    assert WebhookEvent.get(about).state == "received"
    WebhookEvent.update(received_at=int(time.time()) - 4 * DAY, not_before=0).where(about).execute()

    until(lambda: shop.alerts(reason="webhook_unexplained", about="0NOBODYKNOWS00000"), "the alert")
    assert WebhookEvent.get(about).state == "done"


def test_the_payment_after_a_failed_one_pays_one_period(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)
    shop.paypal.renew_subscription(known.remote_id, fail=True)

    sale = shop.paypal.renew_subscription(known.remote_id)

    until(lambda: len(shop.payments(buyer.id)) == 2, "the payment")
    paid = next(payment for payment in shop.payments(buyer.id) if payment.remote_id == sale)
    assert (paid.amount, paid.grants) == (known.amount, True)
    assert not shop.alerts(user=buyer.id)


def test_a_plan_that_billed_several_periods_sells_no_more(shop: PayPalShop) -> None:
    account, order = shop.merchant.account, subscribed(shop)[1]
    key = f"paypal_plan:monthly:{order.amount}:{order.currency}:{30 * DAY}:{account}"
    notes.put(key, {"request_id": "before", "id": "P-BEFORE"}, int(time.time()))

    _, other = subscribed(shop)

    assert shop.merchant.subscription(other.remote_id)["plan_id"] != "P-BEFORE"


def of_another_account(shop: PayPalShop) -> None:
    """What was sold before the operator changed to another account, or from the sandbox to the real PayPal."""
    for call in ("GET /v1/billing/*", "POST /v1/billing/*", "* /v1/payments/*", "* /v2/payments/*"):
        shop.paypal.switch("error", on=call, status=404, issue="INVALID_RESOURCE_ID", count=1000)


def test_what_another_account_renews_is_not_asked_of_for_ever(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)
    (payment,) = shop.payments(buyer.id)
    of_another_account(shop)

    end = subscriptions.ask_cancel(known.id, buyer.id, int(time.time()))
    refund = payments.ask_refund(payment.id, 100, ADMIN, int(time.time()))

    answers = [until(lambda asked=asked: done(asked), "an answer") for asked in (end, refund)]
    assert [(each.state, each.result) for each in answers] == [("failed", "INVALID_RESOURCE_ID")] * 2


def test_a_change_that_paypal_has_forgotten_is_given_up(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)
    of_another_account(shop)
    long_ago = int(time.time()) - 5 * DAY

    end = subscriptions.ask_cancel(known.id, buyer.id, long_ago)

    assert until(lambda: done(end), "an answer").result == "gave_up"


PLAN, PRODUCT = f"paypal_plan_by_period:monthly:400:USD:{30 * DAY}:Monthly:", "paypal_product:"


def noted(name: str) -> dict[str, str]:
    """The ids that are noted of PayPal's plans, or products, by the keys of their notes."""
    return {note.key: note.value["id"] for note in Note.select().where(Note.key.startswith(name))}


def lose(name: str) -> None:
    """What is noted of PayPal's plans, or products, exists there no more."""
    for key, known in noted(name).items():
        notes.put(key, {"request_id": "before", "id": known[:-4] + "GONE"}, int(time.time()))


def test_a_plan_switched_off_at_paypal_is_sold_by_another(shop: PayPalShop) -> None:
    told = shop.alerts(reason="paypal_account")
    subscribed(shop)
    before = noted(PLAN)
    for known in before.values():
        shop.merchant._post(f"/v1/billing/plans/{known}/deactivate", {}, str(uuid.uuid4()))
    product = noted(PRODUCT)

    subscribed(shop)

    after = noted(PLAN)
    assert {*after.values()}.isdisjoint(before.values()) and noted(PRODUCT) == product
    subscribed(shop)
    assert noted(PLAN) == after, "one is enough"
    assert shop.alerts(reason="paypal_account") == told


@pytest.mark.parametrize("lost", [[PLAN], [PLAN, PRODUCT], [PRODUCT]])
def test_what_is_gone_at_paypal_is_made_anew(shop: PayPalShop, lost: list[str]) -> None:
    told = shop.alerts(reason="paypal_account")
    subscribed(shop)
    for name in lost:
        lose(name)
    if PLAN not in lost:
        for key in noted(PLAN):
            notes.drop(key)

    subscribed(shop)

    assert not any(known.endswith("GONE") for known in noted(PLAN).values())
    assert shop.alerts(reason="paypal_account") == told


def test_a_renamed_plan_has_its_new_name_at_paypal(shop: PayPalShop) -> None:
    assert "Monthly" in requests.get(subscriber(shop)[1], timeout=20).text

    with shop.edited_plans('en = "Monthly"', 'en = "Every month"'):
        shop.buyer(plan="monthly").until_page(lambda text: "Every month" in text, "the new name")
        assert "Every month" in requests.get(subscriber(shop)[1], timeout=20).text


@pytest.mark.parametrize(
    ("status", "failures", "paid_until"),
    [("ACTIVE", 0, 1_800_000_000), ("ACTIVE", 1, None), ("SUSPENDED", 2, None), ("CANCELLED", 1, None)],
)
def test_the_retry_of_a_failed_payment_is_no_time_that_was_paid(
    status: str, failures: int, paid_until: int | None
) -> None:
    info = {"next_billing_time": "2027-01-15T08:00:00Z", "failed_payments_count": failures}

    assert next_billing({"status": status, "billing_info": info}) == paid_until


def test_a_suspended_subscription_resumes_from_the_chat(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)
    time.sleep(1)  # PayPal tells the time of a state in whole seconds
    for _ in range(2):
        shop.paypal.renew_subscription(known.remote_id, fail=True)
    until(lambda: state_of(known) == "suspended", "the suspension")
    time.sleep(1)
    assert "subscription_suspended" in shop.heard(buyer.id)
    answer = buyer.click()
    assert (answer.status_code, heading(answer)) == (409, "The renewal of this plan is suspended")

    request = subscriptions.ask_resume(known.id, buyer.id, int(time.time()))

    assert until(lambda: done(request), "the answer").result == "resumed"
    assert state_of(known) == "active"
    assert "subscription_resumed" in shop.heard(buyer.id)


def test_cancelled_from_the_chat_the_paid_time_stays(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)

    request = subscriptions.ask_cancel(known.id, buyer.id, int(time.time()))

    assert until(lambda: done(request), "the answer").result == "cancelled"
    assert state_of(known) == "cancelled"
    assert shop.access(buyer.id).level == 1
    assert 29.9 < days_left(shop, buyer) < 30.1, "all that was paid, and no grace for a payment that does not come"
    assert shop.paypal.wait_delivered()
    assert shop.heard(buyer.id).count("subscription_cancelled") == 1


def test_a_cancellation_whose_answer_was_lost_is_done(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)
    shop.paypal.switch("lost_response", on="POST */cancel")

    request = subscriptions.ask_cancel(known.id, buyer.id, int(time.time()))

    assert until(lambda: done(request), "the answer").state == "done"


def test_a_subscription_cancelled_at_paypal_keeps_its_time(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)
    activated = [it for it in shop.paypal.events() if it["event_type"] == "BILLING.SUBSCRIPTION.ACTIVATED"][-1]
    shop.paypal.end_subscription(known.remote_id)
    until(lambda: state_of(known) == "cancelled", "the cancellation")

    shop.paypal.publish_event("BILLING.SUBSCRIPTION.ACTIVATED", activated["resource"], resource_type="subscription")
    assert shop.paypal.wait_delivered()

    assert state_of(known) == "cancelled"
    assert shop.access(buyer.id).level == 1


def test_expired_at_paypal_it_is_told(shop: PayPalShop) -> None:
    buyer, known = subscribed(shop)

    shop.paypal.end_subscription(known.remote_id, status="EXPIRED")

    until(lambda: state_of(known) == "expired", "the end")
    assert "subscription_expired" in shop.heard(buyer.id)


def test_nobody_renews_one_plan_twice(shop: PayPalShop) -> None:
    buyer, _ = subscribed(shop)

    answer = buyer.click()

    assert (answer.status_code, heading(answer)) == (409, "You already have this plan")


def test_a_second_subscription_is_ended_and_credited(shop: PayPalShop) -> None:
    buyer, first = subscriber(shop)
    buyer.go(f"{shop.web.url}/paypal/cancel?subscription_id={pending(buyer)}")
    _, second = subscriber(shop, buyer.id)
    assert first != second

    choose(first, "approve")
    until(lambda: shop.access(buyer.id).level == 1, "the first")
    choose(second, "approve")

    until(lambda: sorted(str(it.state) for it in subscriptions.of(buyer.id)) == ["active", "cancelled"], "one end")
    assert shop.alerts(reason="second_subscription", user=buyer.id)
    assert len(shop.payments(buyer.id)) == 2


def pending(buyer: Buyer) -> str:
    row = Subscription.get((Subscription.user == buyer.id) & (Subscription.state == "pending"))
    return str(row.remote_id)


@pytest.mark.parametrize("value", [None, "1.00"])
def test_a_sale_refunded_at_paypal_takes_its_time_back(shop: PayPalShop, value: str | None) -> None:
    buyer, _ = subscribed(shop)
    (payment,) = shop.payments(buyer.id)

    shop.paypal.refund_sale(payment.remote_id, value=value)

    until(lambda: shop.payments(buyer.id)[0].refunded == (100 if value else 400), "the refund")
    assert shop.access(buyer.id).level == (1 if value else 0)


def test_a_sale_reversed_at_paypal_takes_its_time_back(shop: PayPalShop) -> None:
    buyer, _ = subscribed(shop)

    shop.paypal.reverse_sale(shop.payments(buyer.id)[0].remote_id)

    until(lambda: shop.access(buyer.id).level == 0, "the reversal")


def test_a_sale_is_refunded_from_the_chat(shop: PayPalShop) -> None:
    buyer, _ = subscribed(shop)
    (payment,) = shop.payments(buyer.id)
    shop.paypal.switch("lost_response", on="POST */refund")

    request = payments.ask_refund(payment.id, None, ADMIN, int(time.time()))

    assert until(lambda: done(request), "the refund").state == "done"
    assert shop.paypal.wait_delivered()
    assert shop.payments(buyer.id)[0].refunded == 400
    assert shop.heard(buyer.id).count("payment_refunded") == 1


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_sale_refund_that_paypal_did_not_make_is_told(shop: PayPalShop, state: str) -> None:
    buyer, _ = subscribed(shop)
    (payment,) = shop.payments(buyer.id)
    shop.silence_webhooks()
    shop.paypal.switch("alter", on="GET /v1/payments/refund/*", set={"/state": state})

    request = payments.ask_refund(payment.id, None, ADMIN, int(time.time()))

    row = until(lambda: done(request), "the answer")
    assert (row.state, row.result) == ("failed", "refund_failed")


def test_a_sale_refund_heard_of_before_its_sale_is_not_lost(shop: PayPalShop) -> None:
    for name in ("PAYMENT.SALE.COMPLETED", "BILLING.SUBSCRIPTION.ACTIVATED"):
        shop.paypal.switch("webhook_drop", on=name)
    buyer, page = subscriber(shop)
    remote_id = remote_of(choose(page, "approve"))
    (sale,) = [it for it in shop.paypal.sales() if it["billing_agreement_id"] == remote_id]
    # Upkeep may look by itself at any moment: the sale is heard of first, or the refund. Neither may lose the other.

    shop.paypal.refund_sale(sale["id"])

    until(lambda: [it.refunded for it in shop.payments(buyer.id)] == [400], "both")
    assert shop.access(buyer.id).level == 0


def test_a_disputed_sale_freezes(shop: PayPalShop) -> None:
    buyer, _ = subscribed(shop)
    (payment,) = shop.payments(buyer.id)

    dispute = shop.paypal.open_dispute(payment.remote_id)
    until(lambda: shop.payments(buyer.id)[0].state is PaymentState.FROZEN, "the freeze")
    shop.paypal.resolve_dispute(dispute["dispute_id"], favour="buyer")

    until(lambda: shop.payments(buyer.id)[0].state is PaymentState.REVERSED, "the decision")
    assert shop.access(buyer.id).level == 0


def test_a_subscription_that_nobody_approves_is_forgotten(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer, page = subscriber(shop)
    remote_id = pending(buyer)
    shop.paypal.advance(80 * 3600)
    try:
        shop.make_due(remote_id)
        until(lambda: shop.order(remote_id).state == "expired", "the end")
        _, again = subscriber(shop, buyer.id)
    finally:
        shop.paypal.set_clock_offset(0)

    assert again != page
    assert Order.get(Order.remote_id == remote_id).state == "expired"


def test_a_subscription_of_another_status_grants_nothing(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer, page = subscriber(shop)
    untrue: dict[str, Any] = {"/status": "TELEPORTED"}
    url = choose(page, "approve")
    shop.paypal.switch("alter", on="GET /v1/billing/subscriptions/*", set={**untrue, "/custom_id": "somebody-elses"})

    assert heading(buyer.go(url)) == "This payment needs a look"
    assert not shop.payments(buyer.id)
