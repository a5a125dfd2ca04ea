"""Money that goes back takes its time with it: all of it, once, and nobody else's."""

import time

import pytest

from models.errors import RefundRefused
from models.money import payments
from models.money.payments import PaymentInfo, PaymentState
from models.tables import Request
from tests.paypal_shop import ADMIN, Buyer, PayPalShop, until

DAY = 86_400
MONTH = 30 * DAY


def bought(shop: PayPalShop, buyer: Buyer | None = None) -> tuple[Buyer, PaymentInfo]:
    """Somebody who has just paid for a month."""
    buyer = buyer or shop.buyer()
    buyer.pay()
    assert shop.paypal.wait_delivered()
    return buyer, shop.payments(buyer.id)[0]


def left(shop: PayPalShop, buyer: Buyer) -> float:
    """Days that are left to him."""
    until_ = shop.access(buyer.id).until
    return (until_ - time.time()) / DAY if until_ else 0


def ask(shop: PayPalShop, payment: PaymentInfo, amount: int | None = None) -> int:
    """What ``/refund`` in the chat does."""
    return payments.ask_refund(payment.id, amount, ADMIN, int(time.time()))


def done(request_id: int) -> Request | None:
    row = Request.get_by_id(request_id)
    return row if row.state != "open" else None


def due(request_id: int) -> int:
    """Time passes: a request that was put off is due."""
    Request.update(not_before=0).where((Request.id == request_id) & (Request.state == "open")).execute()
    return request_id


def test_a_full_refund_from_the_dashboard_revokes(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)

    shop.paypal.refund_capture(payment.remote_id)

    until(lambda: shop.access(buyer.id).level == 0, "the end of access")
    assert shop.heard(buyer.id) == ["payment_completed", "payment_refunded"]


def test_a_partial_refund_takes_its_part_of_the_time_once(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)

    shop.paypal.refund_capture(payment.remote_id, value="2.00")
    until(lambda: shop.payments(buyer.id)[0].refunded, "the refund")
    refunded = [event for event in shop.paypal.events() if event["event_type"] == "PAYMENT.CAPTURE.REFUNDED"][-1]
    shop.paypal.repeat_event(refunded["id"])
    shop.paypal.publish_event("PAYMENT.CAPTURE.REFUNDED", refunded["resource"], resource_type="refund")
    assert shop.paypal.wait_delivered()

    assert shop.payments(buyer.id)[0].refunded == 200
    assert 17.9 < left(shop, buyer) < 18.1  # three fifths of the month
    assert shop.heard(buyer.id).count("payment_refunded") == 1


def test_two_partial_refunds_that_make_the_whole_end_it(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)

    shop.paypal.refund_capture(payment.remote_id, value="2.00")
    shop.paypal.refund_capture(payment.remote_id, value="3.00")

    until(lambda: shop.access(buyer.id).level == 0, "the end of access")
    assert shop.payments(buyer.id)[0].refunded == 500


def test_our_own_refund_and_its_webhook_are_one_refund(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)

    request = ask(shop, payment)
    assert until(lambda: done(request), "the refund").result == "refunded"
    assert shop.paypal.wait_delivered()

    assert shop.payments(buyer.id)[0].refunded == 500
    assert shop.heard(buyer.id) == ["payment_completed", "payment_refunded"]
    assert shop.heard(ADMIN)[-1] == "request_done"
    assert shop.access(buyer.id).level == 0


def test_a_refund_whose_answer_was_lost_is_not_given_twice(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)
    shop.paypal.switch("lost_response", on="POST */refund", count=2)

    request = ask(shop, payment, 200)
    until(lambda: done(request), "the refund")

    refunds = [refund for refund in shop.paypal.refunds() if refund["capture"] == payment.remote_id]
    assert [refund["amount"]["value"] for refund in refunds] == ["2.00"]
    assert shop.payments(buyer.id)[0].refunded == 200


def test_a_refund_that_the_dashboard_was_quicker_with_is_done(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    buyer, payment = bought(shop)
    shop.paypal.refund_capture(payment.remote_id)

    request = ask(shop, payment)

    assert until(lambda: done(request), "the refund").state == "done"
    assert shop.payments(buyer.id)[0].refunded == 500
    assert len(shop.paypal.refunds()) == len({refund["id"] for refund in shop.paypal.refunds()})


def test_a_refund_above_the_rest_is_refused_here_and_never_sent(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)
    shop.paypal.refund_capture(payment.remote_id, value="4.00")
    until(lambda: shop.payments(buyer.id)[0].refunded, "the refund")
    sent = len(shop.paypal.calls())

    with pytest.raises(RefundRefused) as refused:
        ask(shop, payment, 200)

    assert (refused.value.reason, refused.value.rest) == ("above_rest", 100)
    assert not [call for call in shop.paypal.calls()[sent:] if "refund" in call["path"]]


def test_a_refund_pending_at_paypal_counts_when_complete(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)
    shop.paypal.switch("refund_status", status="PENDING")
    request = ask(shop, payment)
    made = f"/v2/payments/captures/{payment.remote_id}/refund"
    until(lambda: [call for call in shop.paypal.calls() if call["path"] == made], "the attempt")
    assert shop.access(buyer.id).level == 1

    complete = {"/status": "COMPLETED"}
    shop.paypal.switch("alter", on="GET /v2/payments/refunds/*", set=complete, count=10)

    assert until(lambda: done(due(request)), "the refund").state == "done"
    assert shop.access(buyer.id).level == 0
    assert len([refund for refund in shop.paypal.refunds() if refund["capture"] == payment.remote_id]) == 1


def test_a_refund_failed_at_paypal_takes_nothing(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)
    shop.paypal.switch("refund_status", status="FAILED")

    request = ask(shop, payment)

    row = until(lambda: done(request), "the answer")
    assert (row.state, row.result) == ("failed", "refund_failed")
    assert shop.access(buyer.id).level == 1


def test_a_refund_that_paypal_refuses_is_told_with_its_reason(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)
    shop.paypal.switch("error", on="POST */refund", issue="REFUND_FAILED_INSUFFICIENT_FUNDS")

    request = ask(shop, payment)

    row = until(lambda: done(request), "the answer")
    assert (row.state, row.result) == ("failed", "REFUND_FAILED_INSUFFICIENT_FUNDS")
    assert shop.access(buyer.id).level == 1


@pytest.mark.parametrize("amount", [200, None])
def test_a_refund_made_without_an_answer_is_never_doubled(shop: PayPalShop, amount: int | None) -> None:
    """The first call is carried out, and its answer lost; the repeats meet the one that is still in progress."""
    buyer, payment = bought(shop)
    shop.silence_webhooks()
    shop.paypal.switch("lost_response", on="POST */refund")
    shop.paypal.switch("conflict", on="POST */refund", count=3)

    request = ask(shop, payment, amount)
    made = f"/v2/payments/captures/{payment.remote_id}/refund"
    until(lambda: len([call for call in shop.paypal.calls() if call["path"] == made]) >= 2, "the repeat")
    assert done(request) is None
    assert ask(shop, payment, amount) == request  # asked again, it is the same request
    until(lambda: done(due(request)), "the refund")

    calls = [call for call in shop.paypal.calls() if call["path"] == made]
    assert len({call["request_id"] for call in calls}) == 1
    assert [it for it in shop.paypal.refunds() if it["capture"] == payment.remote_id][1:] == []
    assert Request.get_by_id(request).state == "done"
    assert shop.payments(buyer.id)[0].refunded == (amount or 500)


def test_a_refund_refused_after_silence_is_looked_up_first(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)
    shop.silence_webhooks()
    shop.paypal.switch("lost_response", on="POST */refund", count=4)
    shop.paypal.switch("error", on="POST */refund", issue="REFUND_NOT_ALLOWED", count=1)

    request = ask(shop, payment, 200)

    row = until(lambda: done(due(request)), "the refund")
    assert (row.state, row.result) == ("done", "refunded")
    assert shop.payments(buyer.id)[0].refunded == 200


def test_a_refund_that_paypal_has_made_and_does_not_show_yet(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)
    shop.silence_webhooks()
    shop.paypal.switch("error", on="GET /v2/payments/refunds/*", status=404, issue="INVALID_RESOURCE_ID")

    request = ask(shop, payment, 200)

    assert until(lambda: done(due(request)), "the refund").state == "done"
    assert shop.payments(buyer.id)[0].refunded == 200


def test_a_refund_refused_for_an_unknown_reason_stays_open(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)
    shop.paypal.switch("error", on="POST */refund", issue="A_REASON_OF_TOMORROW")

    request = ask(shop, payment, 200)

    until(lambda: shop.alerts(reason="refund_open", remote_id=payment.remote_id), "the alert")
    assert done(request) is None
    assert until(lambda: done(due(request)), "the refund").state == "done"
    assert shop.payments(buyer.id)[0].refunded == 200


@pytest.mark.parametrize("reverse", [True, False])
def test_a_dispute_lost_in_part_takes_that_share(shop: PayPalShop, reverse: bool) -> None:
    buyer, payment = bought(shop)
    income = turnover()

    dispute = shop.paypal.open_dispute(payment.remote_id, value="1.00")
    until(lambda: shop.access(buyer.id).level == 0, "the freeze")
    shop.paypal.resolve_dispute(dispute["dispute_id"], favour="buyer", reverse=reverse)

    until(lambda: shop.access(buyer.id).level == 1, "the decision")
    assert shop.paypal.wait_delivered()
    assert shop.payments(buyer.id)[0].state is PaymentState.COMPLETED
    assert 23.9 < left(shop, buyer) < 24.1  # four fifths of the month
    assert turnover() == income - 100
    heard = shop.heard(buyer.id)
    assert heard[:2] == ["payment_completed", "dispute_opened"]
    assert heard[2:].count("dispute_closed") == 1  # PayPal tells of the reversal beside it: either may come first


def turnover() -> int:
    """What ``/stats`` says is left of all payments in dollars."""
    (usd,) = [each for each in payments.totals().turnover if each.currency == "USD"]
    return usd.amount - usd.refunded


def test_a_dispute_freezes_and_the_sellers_favour_restores(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)

    dispute = shop.paypal.open_dispute(payment.remote_id)
    until(lambda: shop.access(buyer.id).level == 0, "the freeze")
    assert shop.payments(buyer.id)[0].state is PaymentState.FROZEN
    assert shop.alerts(reason="dispute_opened", payment=payment.id)
    shop.paypal.update_dispute(dispute["dispute_id"])
    shop.paypal.resolve_dispute(dispute["dispute_id"], favour="seller")

    until(lambda: shop.access(buyer.id).level == 1, "the thaw")
    assert left(shop, buyer) > 29.9
    assert shop.heard(buyer.id) == ["payment_completed", "dispute_opened", "dispute_closed"]


def test_a_plan_code_with_an_underscore_can_be_disputed(shop: PayPalShop) -> None:
    """PayPal's files let the invoice number of a dispute hold none: the fixture looks for departures."""
    buyer, payment = bought(shop, shop.buyer(plan="week_pass"))

    shop.paypal.open_dispute(payment.remote_id)

    until(lambda: shop.access(buyer.id).level == 0, "the freeze")


@pytest.mark.parametrize("reverse", [True, False])
def test_a_dispute_decided_for_the_buyer_revokes(shop: PayPalShop, reverse: bool) -> None:
    buyer, payment = bought(shop)
    dispute = shop.paypal.open_dispute(payment.remote_id)

    shop.paypal.resolve_dispute(dispute["dispute_id"], favour="buyer", reverse=reverse)

    until(lambda: shop.payments(buyer.id)[0].state is PaymentState.REVERSED, "the decision")
    assert shop.paypal.wait_delivered()
    assert shop.access(buyer.id).level == 0
    assert "dispute_closed" in shop.heard(buyer.id)


def test_a_dispute_that_the_buyer_withdraws_restores(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)
    dispute = shop.paypal.open_dispute(payment.remote_id)
    until(lambda: shop.access(buyer.id).level == 0, "the freeze")

    shop.paypal.resolve_dispute(dispute["dispute_id"], favour="cancelled")

    until(lambda: shop.access(buyer.id).level == 1, "the thaw")


def test_a_chargeback_revokes(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)

    shop.paypal.reverse_capture(payment.remote_id)

    until(lambda: shop.access(buyer.id).level == 0, "the end of access")
    assert shop.payments(buyer.id)[0].refunded == 500


def test_after_a_refund_a_new_purchase_gives_its_own_time_only(shop: PayPalShop) -> None:
    buyer, payment = bought(shop)
    shop.paypal.refund_capture(payment.remote_id)
    until(lambda: shop.access(buyer.id).level == 0, "the end of access")

    bought(shop, buyer)

    assert 29.9 < left(shop, buyer) < 30.1


def test_a_refund_and_a_dispute_before_their_payment_are_kept(shop: PayPalShop) -> None:
    """The events of the capture are dropped, and nobody has looked yet: these are the first that we hear of it."""
    for happen in (shop.paypal.refund_capture, shop.paypal.open_dispute):
        shop.paypal.switch("webhook_drop", on="PAYMENT.CAPTURE.COMPLETED")
        shop.paypal.switch("webhook_drop", on="CHECKOUT.ORDER.APPROVED")
        buyer = shop.buyer()
        remote_id = buyer.start()
        buyer.choose(remote_id, "approve")
        capture = shop.merchant.capture_order(remote_id, f"by-hand-{remote_id}")
        capture_id = capture["purchase_units"][0]["payments"]["captures"][0]["id"]
        assert shop.paypal.wait_delivered()
        assert not shop.payments(buyer.id)

        happen(capture_id)

        until(lambda buyer=buyer: shop.payments(buyer.id), "the payment")  # type: ignore[misc]
        assert shop.access(buyer.id).level == 0
        assert shop.payments(buyer.id)[0].state in (PaymentState.COMPLETED, PaymentState.FROZEN)


def test_refunds_without_a_webhook_are_found_by_comparison(shop: PayPalShop) -> None:
    shop.silence_webhooks()
    whole, first = bought(shop)
    part, second = bought(shop)
    shop.paypal.refund_capture(first.remote_id)
    shop.paypal.reverse_capture(second.remote_id, value="2.50")
    assert shop.access(whole.id).level == 1

    shop.restart_upkeep()

    until(lambda: shop.access(whole.id).level == 0, "the refund")
    until(lambda: shop.payments(part.id)[0].refunded == 250, "the reversal")
    assert 14.9 < left(shop, part) < 15.1
