"""PayPal as the customer and the admin meet it in the chat: the real daemon, web and upkeep, and foreign clients."""

import time
from typing import Any

import pytest
import requests

from models import users
from models.jobs import queue
from models.jobs.states import JobState
from models.money import orders, payments, subscriptions
from models.money.subscriptions import SubscriptionInfo
from models.tables import Request
from tests.daemon_process import Chat, button, chat, labels
from tests.paypal_shop import SECRET_KEY, Buyer, heading, until
from tests.town import Town


def buyer_of(town: Town, link: str, user_id: int) -> Buyer:
    """A browser that opens what a button of the chat leads to."""
    return Buyer(town.shop, user_id, link)


async def offered(town: Town, customer: Chat, plan: int = 0) -> Buyer:
    """Ask for the plans, and take the PayPal button of one of them."""
    plans = await customer.ask("/premium")
    links = [it.url for row in plans.reply_markup.inline_keyboard for it in row if it.url and "/pay/" in it.url]
    return buyer_of(town, links[plan], customer.id)


async def test_from_the_button_to_the_receipt_within_a_second(town: Town) -> None:
    async with chat(town.sandbox, "es") as customer:
        buyer = await offered(town, customer)
        remote_id = buyer.start()
        url = buyer.choose(remote_id, "approve")
        came = time.monotonic()

        page = buyer.go(url)
        receipt = await customer.until_text("Recibo")
        took = time.monotonic() - came

    assert heading(page) == "Pagado, ¡gracias!"
    bot = town.sandbox.scenario["bot"]["username"]
    assert f"https://t.me/{bot}?start=paid" in page.text
    assert town.shop.payments(customer.id)[0].remote_id in receipt.text
    assert took < 1


async def test_a_customer_who_turns_back_was_charged_nothing(town: Town) -> None:
    async with chat(town.sandbox) as customer:
        buyer = await offered(town, customer)
        buyer.go(buyer.choose(buyer.start(), "cancel"))

        message = await customer.until_text("Nothing was charged")

    assert button(message, "Plans")


async def test_an_admin_refunds_in_the_chat_and_both_hear_of_it(town: Town) -> None:
    async with chat(town.sandbox) as customer, chat(town.sandbox, admin=True) as admin:
        await admin.ask("/language en")
        buyer = await offered(town, customer)
        buyer.pay()
        await customer.until_text("Receipt")
        (payment,) = town.shop.payments(customer.id)

        await admin.say(f"/refund {payment.remote_id} 2.00")
        await admin.until_text("The refund of $2.00 is under way")
        await customer.until_text("$2.00 of your payment")
        assert payment.remote_id in (await admin.until_text("is done")).text
        await admin.say(f"/refund {payment.remote_id}")
        await admin.until_text("The refund of $3.00 is under way")
        await customer.until_text("$3.00 of your payment")

    assert town.shop.payments(customer.id)[0].refunded == 500
    assert town.shop.access(customer.id).level == 0
    refunds = [it["amount"]["value"] for it in town.shop.paypal.refunds() if it["capture"] == payment.remote_id]
    assert sorted(refunds) == ["2.00", "3.00"]


async def test_a_refund_refused_by_paypal_is_told_with_its_reason(town: Town) -> None:
    async with chat(town.sandbox) as customer, chat(town.sandbox, admin=True) as admin:
        await admin.ask("/start")
        (await offered(town, customer)).pay()
        await customer.until_text("Receipt")
        town.shop.paypal.switch("error", on="POST */refund", issue="TRANSACTION_DISPUTED")

        await admin.say(f"/refund {town.shop.payments(customer.id)[0].remote_id}")

        await admin.until_text("TRANSACTION_DISPUTED")
    assert town.shop.access(customer.id).level == 1


async def test_a_payments_number_helps_who_got_nothing(town: Town) -> None:
    town.shop.silence_webhooks()
    async with chat(town.sandbox) as customer:
        buyer = await offered(town, customer)
        remote_id = buyer.start()
        buyer.choose(remote_id, "approve")
        charge = captured_by_hand(town, remote_id)
        assert town.shop.access(customer.id).level == 0

        await customer.say(f"/paysupport {charge}")
        await customer.until_text("I found your payment, and your access is active")

        assert town.shop.access(customer.id).level == 1
        await customer.say(f"/paysupport {charge}")
        await customer.until_text("I found your payment: ")


def captured_by_hand(town: Town, remote_id: str) -> str:
    """The money moved, and nobody told us."""
    captured: Any = town.shop.merchant.capture_order(remote_id, f"by-hand-{remote_id}")
    return str(captured["purchase_units"][0]["payments"]["captures"][0]["id"])


async def test_who_asks_by_the_number_of_the_order_is_helped_too(town: Town) -> None:
    town.shop.silence_webhooks()
    async with chat(town.sandbox) as customer:
        buyer = await offered(town, customer)
        remote_id = buyer.start()
        buyer.choose(remote_id, "approve")

        await customer.say(f"/paysupport {remote_id}")

        await customer.until_text("your access is active")
    assert town.shop.access(customer.id).level == 1


async def test_a_purchase_without_money_is_told_as_such(town: Town) -> None:
    async with chat(town.sandbox) as customer:
        remote_id = (await offered(town, customer)).start()

        await customer.say(f"/paysupport {remote_id}")

        await customer.until_text("PayPal has not taken any money")


async def test_nobody_gets_anothers_payment_by_its_number(town: Town) -> None:
    town.shop.silence_webhooks()
    async with chat(town.sandbox) as owner, chat(town.sandbox) as thief:
        buyer = await offered(town, owner)
        remote_id = buyer.start()
        buyer.choose(remote_id, "approve")
        charge = captured_by_hand(town, remote_id)

        for number in (charge, remote_id, "42311647XV020574X"):
            await thief.say(f"/paysupport {number}")
            await thief.until_text("I found no payment of yours")

    assert not town.shop.payments(thief.id)


async def test_payments_asked_for_at_random_delay_nobody(town: Town) -> None:
    town.shop.silence_webhooks()
    # Given a PayPal that takes its time, and one customer who asks for payments that do not exist
    town.shop.paypal.switch("slow", on="GET /v2/payments/captures/*", count=1000, seconds=1)
    async with chat(town.sandbox) as stranger, chat(town.sandbox) as other, chat(town.sandbox, admin=True) as admin:
        await admin.ask("/language en")
        paid = await offered(town, other)
        paid.go(paid.choose(paid.start(), "approve"))
        await other.until_text("Receipt")
        for number in range(110):
            await stranger.say(f"/paysupport {number:017}")
        await stranger.until_text("You have asked me for many payments")
        # When an admin refunds, and another customer has approved without coming back
        approved = (await offered(town, other)).start()
        Buyer(town.shop, other.id, "").choose(approved, "approve")
        town.shop.make_due(approved)
        await admin.say(f"/refund {town.shop.payments(other.id)[0].remote_id}")
        # Then both are served before the stranger, whose look-ups are few
        await admin.until_text("is done")
        until(lambda: len(town.shop.payments(other.id)) == 2, "the approved order")
        asked = Request.select().where(Request.user_id == stranger.id)
        assert asked.count() == 10
        assert asked.where(Request.state == "open").count() > 0


async def subscribed(town: Town, customer: Chat) -> SubscriptionInfo:
    """Somebody whose monthly plan renews at PayPal."""
    buyer = await offered(town, customer, plan=2)
    page = buyer.click().headers["Location"]
    back = requests.post(page, data={"choice": "approve"}, timeout=10, allow_redirects=False).headers["Location"]
    assert heading(buyer.go(back)) == "Paid, thank you!"
    await customer.until_text("Receipt")
    (known,) = subscriptions.of(customer.id)
    return known


@pytest.mark.parametrize("command", ["/ban {user}", "/revoke {user}", "/revoke {user} monthly", "/refund {payment}"])
async def test_whom_the_operator_takes_a_plan_from_is_charged_no_more(town: Town, command: str) -> None:
    async with chat(town.sandbox) as customer, chat(town.sandbox, admin=True) as admin:
        await admin.ask("/language en")
        known = await subscribed(town, customer)
        (payment,) = town.shop.payments(customer.id)

        await admin.say(command.format(user=customer.id, payment=payment.remote_id))

        await admin.until_text("cancelling the renewal")
        until(lambda: town.shop.merchant.subscription(known.remote_id)["status"] == "CANCELLED", "the end")


@pytest.mark.parametrize("command", ["/revoke {user} vip", "/refund {payment} 1.00"])
async def test_who_keeps_a_plan_keeps_its_renewal(town: Town, command: str) -> None:
    async with chat(town.sandbox) as customer, chat(town.sandbox, admin=True) as admin:
        await admin.ask("/language en")
        known = await subscribed(town, customer)
        (payment,) = town.shop.payments(customer.id)

        await admin.say(command.format(user=customer.id, payment=payment.remote_id))

        answer = await admin.until_text(
            "is under way" if "refund" in command else "has no access that you could take back"
        )
        assert "renewal" not in answer.text
        assert Request.select().where(Request.subscription == known.id).count() == 0


async def test_a_subscription_cancelled_in_chat_keeps_its_time(town: Town) -> None:
    async with chat(town.sandbox) as customer:
        await subscribed(town, customer)

        plans = await customer.ask("/premium")
        sure = await customer.press(plans, "Cancel the renewal")
        await customer.client.request_callback_answer(customer.bot, sure.id, button(sure, "Yes, cancel").callback_data)
        await customer.until_text("is cancelled")

    (known,) = subscriptions.of(customer.id)
    assert known.state == "cancelled"
    assert town.shop.merchant.subscription(known.remote_id)["status"] == "CANCELLED"
    assert town.shop.access(customer.id).level == 1


async def test_a_payer_who_blocked_the_bot_is_not_waited_for(town: Town) -> None:
    async with chat(town.sandbox) as customer:
        buyer = await offered(town, customer)
        remote_id = buyer.start()
        bot = town.sandbox.scenario["bot"]["username"]
        town.sandbox.control("POST", "/faults", {"fault": "block", "user": customer.id, "blocks": bot})

        buyer.go(buyer.choose(remote_id, "approve"))

        until(lambda: not payments.audit() and town.shop.access(customer.id).level == 1, "access")
        until(lambda: blocked(customer.id), "the note that he is not to be reached")
        town.sandbox.control(
            "POST", "/faults", {"fault": "block", "user": customer.id, "blocks": bot, "blocked": False}
        )


def blocked(user_id: int) -> bool:
    found = users.get(user_id)
    return found is not None and found.blocked_bot


async def test_a_pack_bought_with_paypal_at_the_limit_brings_the_post(town: Town) -> None:
    async with chat(town.sandbox) as customer:
        for number in (1, 2, 3):
            await customer.say(customer.link(f"video{number}"))
            await customer.until(lambda message: message.video is not None)
        await customer.say(customer.link("video4"))
        refused = await customer.until_text("You have reached your limit")
        assert "5 videos: 80 ⭐ · $2.00; 5 videos of up to 2000 MB, without an end" in refused.text
        pages = [it.url for row in refused.reply_markup.inline_keyboard for it in row if it.url and "/pay/" in it.url]
        said = orders.read_pay_token(SECRET_KEY, pages[0].rpartition("/")[2], 60, int(time.time()))
        assert queue.get(said.job or 0).state is JobState.HELD, "the page is for this very post"
        buyer = buyer_of(town, pages[0], customer.id)
        assert "5 videos of up to 2000 MB, without an end" in buyer.page().text
        page = buyer.go(buyer.choose(buyer.start(), "approve"))
        assert (await customer.until(lambda message: message.video is not None)).video
        assert heading(page) == "Paid, thank you!"
        assert "Delivered: 1 video" in (await customer.until_text("🎟 Bought in packs: 4 videos")).text


async def test_a_renewal_paid_with_paypal_goes_back_by_one_button(town: Town) -> None:
    async with chat(town.sandbox) as customer:
        known = await subscribed(town, customer)
        history = await customer.ask("/history")
        # When the button is pressed twice
        for _ in range(2):
            await customer.tap(history, "Money back · Monthly · $4.00")
        # Then money and renewal go back, each once
        await customer.until_text("$4.00 of your payment for Monthly back")
        until(lambda: town.shop.merchant.subscription(known.remote_id)["status"] == "CANCELLED", "the end")
        (payment,) = town.shop.payments(customer.id)
        assert (payment.refunded, town.shop.access(customer.id).level) == (400, 0)
        assert Request.select().where(Request.user_id == customer.id).count() == 2
        await customer.tap(history, "Money back")
        await customer.until_text("Its money went back already")


async def test_money_that_paypal_keeps_is_told_to_both(town: Town) -> None:
    async with chat(town.sandbox, "es") as customer, chat(town.sandbox, admin=True) as admin:
        await admin.ask("/language en")
        (await offered(town, customer)).pay()
        await customer.until_text("Recibo")
        town.shop.paypal.switch("error", on="POST */refund", issue="TRANSACTION_DISPUTED")

        await customer.tap(await customer.ask("/history"), "Devolución · Premium")

        await customer.until_text("No se pudo devolver el dinero, así que lo que compraste sigue siendo tuyo")
        assert "TRANSACTION_DISPUTED" in (await admin.until_text("failed")).text
    assert town.shop.access(customer.id).level == 1


async def test_a_dispute_is_told_with_the_way_to_its_customer(town: Town) -> None:
    async with chat(town.sandbox) as customer, chat(town.sandbox, admin=True) as admin:
        await admin.ask("/language es")
        (await offered(town, customer)).pay()
        await customer.until_text("Receipt")
        (payment,) = town.shop.payments(customer.id)

        town.shop.paypal.open_dispute(payment.remote_id)

        told = await admin.until_text("disputa 5,00")
        assert str(customer.id) in told.text and "Premium, PayPal" in told.text
        assert labels(told) == ["👤 Cliente", "↩️ Reembolsar"]
        assert payment.remote_id in (await admin.press(told, "Cliente")).text


async def test_a_held_batch_offers_stars_and_paypal(town: Town) -> None:
    async with chat(town.sandbox) as customer:
        await customer.say(" ".join(customer.link(f"video{number}") for number in range(1, 6)))
        told = await customer.until_text("2 of 5 links are on hold")
        assert "5 videos: 80 ⭐ · $2.00; 5 videos of up to 2000 MB, without an end" in told.text
        assert "Premium: 500 ⭐ · $5.00; for 30 days, one payment, does not renew" in told.text
        assert labels(told)[:2] == ["5 videos · 80 ⭐", "PayPal · $2.00"]
        pages = [it.url for row in told.reply_markup.inline_keyboard for it in row if it.url and "/pay/" in it.url]
        buyer = buyer_of(town, pages[0], customer.id)
        assert "your right of withdrawal ends" in buyer.page().text
        buyer.go(buyer.choose(buyer.start(), "approve"))
        await customer.until_text("All 5 links delivered")
        assert "🎟 Bought in packs: 3 videos" in (await customer.ask("/stats")).text
