"""Gifts, discounts and the trial where all programs run: PayPal's pages beside the chat."""

import html

import pytest

from models.money import orders
from models.money.vouchers import gifts
from tests.daemon_process import Chat, button, chat, labels
from tests.integration.daemon.test_codes import link_of, make_code
from tests.integration.daemon.test_packs import use_up
from tests.paypal_shop import Buyer, heading
from tests.town import Town

TRIAL = '# [trial]\n# plan = "premium"\n# days = 3'


def buyer_of(town: Town, customer: Chat, link: str) -> Buyer:
    """The customer's browser, at the address of a button."""
    return Buyer(town.shop, customer.id, link)


async def gift_page(town: Town, giver: Chat) -> Buyer:
    """The page behind the PayPal button of a gift."""
    await giver.say("/gift")
    return buyer_of(town, giver, button(await giver.until_text("You pay, and get a link"), "PayPal · $5.00").url)


async def test_a_gift_bought_with_paypal(town: Town) -> None:
    async with chat(town.sandbox) as giver, chat(town.sandbox) as friend:
        buyer = await gift_page(town, giver)
        page = html.unescape(buyer.page().text)
        assert 'id="gift"' in page and "Premium" in page and "$5.00" in page
        buyer.pay()
        card = await giver.until_text("your gift is ready")
        await friend.press(await friend.ask(f"/start {link_of(card)}"), "Take it")
        await friend.until_text("You have been given Premium")
        assert (town.shop.access(friend.id).level, town.shop.access(giver.id).level) == (1, 0)
        # A new buyer has one gift that is not settled
        again = await gift_page(town, giver)
        assert heading(again.click()) == "One gift at a time, at first"
        # A dispute takes it from who has it, and stops what they might give
        (payment,) = town.shop.payments(giver.id)
        town.shop.paypal.open_dispute(payment.remote_id)
        await friend.until_text("is disputed. What is left of it waits")
        assert town.shop.access(friend.id).level == 0
        await giver.say("/gift")
        await giver.until_text("I sell you no gifts")
        assert heading(again.click()) == "You cannot buy gifts here now"


async def test_two_gifts_that_are_approved_at_once_are_charged_once(town: Town) -> None:
    async with chat(town.sandbox) as giver:
        first, second = await gift_page(town, giver), await gift_page(town, giver)
        second.link = button(await giver.ask("/gift"), "PayPal · $10.00").url
        started = [(each, each.start()) for each in (first, second)]
        back = [(each, each.choose(remote_id, "approve")) for each, remote_id in started]
        # Whichever of them the webhooks or the pages settle first
        assert {heading(each.go(url)) for each, url in back} == {"Paid, thank you!", "One gift at a time, at first"}
        await giver.until_text("your gift is ready")
        assert len(town.shop.payments(giver.id)) == 1
        assert not gifts.is_stopped(giver.id)


async def test_a_discount_on_paypals_page_is_charged_as_shown(town: Town) -> None:
    async with chat(town.sandbox) as customer, chat(town.sandbox, admin=True) as admin:
        await admin.ask("/language en")
        code = link_of(await make_code(admin, "Discount"))
        await customer.say(f"/start {code}")
        shown = await customer.until_text("$5.00 $4.00")
        buyer = buyer_of(town, customer, button(shown, "PayPal · $4.00").url)
        page = html.unescape(buyer.page().text)
        assert '<s id="was">$5.00</s> $4.00' in page
        buyer.pay()
        await customer.until_text("Premium is yours")
        (payment,) = town.shop.payments(customer.id)
        order = orders.get(payment.order_id or 0)
        assert order is not None and (order.amount, order.list_amount, order.code) == (400, 500, code[2:])
        assert buyer.page().status_code == 410


@pytest.mark.parametrize(
    ("language", "limit", "button_label", "begun"),
    [
        ("en", "You have reached your limit", "Try Premium · 3 days", "Your trial of Premium has begun"),
        ("es", "Has llegado a tu límite", "Probar Premium · 3 días", "Tu prueba de Premium ha empezado"),
    ],
)
async def test_the_trial_at_the_first_limit_brings_the_post(
    town: Town, language: str, limit: str, button_label: str, begun: str
) -> None:
    with town.edited_plans(TRIAL, TRIAL.replace("# ", "")):
        async with chat(town.sandbox, language) as customer:
            await use_up(customer)
            await customer.say(customer.link("video4"))
            refused = await customer.until_text(limit)
            await customer.tap(refused, button_label)
            answers = [await customer.next() for _ in range(3)]
            assert any(begun in (each.text or "") for each in answers)
            assert any(each.video for each in answers) or (await customer.until(lambda each: bool(each.video))).video
            # Once
            await customer.tap(refused, button_label)
            await customer.until_text("/premium")
            await customer.say("/prueba")
            await customer.until_text("/premium")
            assert town.shop.access(customer.id).level == 1


async def test_without_a_trial_in_the_plans_there_is_none(town: Town) -> None:
    async with chat(town.sandbox) as customer:
        assert "There is no trial here" in (await customer.ask("/trial")).text
        assert not [each for each in labels(await customer.ask("/premium")) if "Try" in each]
