"""The operator edits ``plans.toml`` while everything runs: what customers see, and what the admins hear."""

import asyncio
import html
import re

import requests
from pyrogram.types import Message

from tests import preloaded
from tests.daemon_process import Chat, chat, labels
from tests.paypal_shop import PayPalShop, heading, order_id
from tests.sandbox_process import REPOSITORY
from tests.town import Town

PATIENCE_S = 10.0
ASK_S = 0.5


async def shown(customer: Chat, text: str, command: str = "/premium") -> Message:
    """The answer to *command* once it says *text*."""
    async with asyncio.timeout(PATIENCE_S):
        while text not in (answer := await customer.ask(command)).text:
            await asyncio.sleep(ASK_S)
    return answer


async def test_an_edit_holds_in_every_program_at_once(town: Town) -> None:
    async with chat(town.sandbox) as customer:
        assert "$5.00" in (await customer.ask("/premium")).text
        buyer = town.shop.buyer(customer.id)
        with town.shop.edited_plans('USD = "5.00"', 'USD = "7.00"'):
            await shown(customer, "$7.00")
            assert "$7.00" in buyer.page().text
        await shown(customer, "$5.00")
        assert "$5.00" in buyer.page().text


async def test_a_bad_edit_changes_nothing_and_is_told(town: Town) -> None:
    async with chat(town.sandbox) as customer, chat(town.sandbox, admin=True) as admin:
        await admin.ask("/language es")
        with town.shop.edited_plans("level = 2", "level = -2"):
            told = await admin.until_text("archivo de los planes")
            assert 'plans.toml: plan "vip": level: debe ser un número entero de 0 a 1000, no -2' in told.text
            assert "VIP" in (await customer.ask("/premium")).text
            assert "$10.00" in town.shop.buyer(customer.id, "vip").page().text
            # Beside the chats: with their loop held up for ten seconds they would take their connections for dead
            doctor = await asyncio.to_thread(examined, town)
        await admin.until_text("Resuelto")

    assert "FAIL  plans: version" in doctor
    assert 'plan "vip": level: must be a whole number' in doctor
    assert "ok    plans: good" in await asyncio.to_thread(examined, town)


def examined(town: Town) -> str:
    """What ``doctor`` finds on this town's state."""
    environment = {**town.shop.settings(1), **town.sandbox.env, "LANGUAGE": "en"}
    return preloaded.outcome("manage", "doctor", "--offline", cwd=REPOSITORY, env=environment)[1]


def test_an_edit_made_while_upkeep_is_down_holds_at_its_start(shop: PayPalShop) -> None:
    file = shop.place / "plans.toml"
    before = file.read_text()
    shop.upkeep.kill()
    file.write_text(before.replace('USD = "5.00"', 'USD = "7.00"'))
    shop.upkeep.start()
    shop.buyer().until_page(lambda text: "$7.00" in text, "the price of the edit")

    shop.write_plans(before)
    assert "$5.00" in shop.buyer().page().text


def test_a_price_is_asked_for_as_its_buyer_has_seen_it(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    seen = price_on(buyer.page())
    with shop.edited_plans('USD = "5.00"', 'USD = "7.00"'):
        again = buyer.browser.post(buyer.link, data={"shown": seen}, timeout=20)
        assert (seen.split(",")[0], price_on(again).split(",")[0]) == ("$5.00", "$7.00")
        assert "The price has changed" in again.text
        answer = buyer.browser.post(buyer.link, data={"shown": price_on(again)}, timeout=20, allow_redirects=False)
        assert order_id(answer.headers["Location"])


def price_on(page: requests.Response) -> str:
    """What the button of an offer sends back."""
    (found,) = re.findall(r'name="shown" value="([^"]+)"', page.text)
    return html.unescape(found)


async def test_a_plan_that_leaves_the_file_stays_with_its_buyers(town: Town) -> None:
    text = (town.shop.place / "plans.toml").read_text()
    premium = text[text.index("[plans.premium]") : text.index("[plans.vip]")]
    async with chat(town.sandbox) as customer:
        await customer.ask("/start")
        buyer, late = town.shop.buyer(customer.id), town.shop.buyer(customer.id)
        url = buyer.choose(buyer.start(), "approve")
        with town.shop.edited_plans(premium, ""):
            # Given an order that was open when its plan was taken out
            page = buyer.go(url)
            receipt = await customer.until_text("Receipt")
            assert heading(page) == "Paid, thank you!"
            assert "Premium" in receipt.text
            # Then the buyer has what was paid, with the limits of its level
            assert town.shop.access(customer.id).level == 1
            assert "50 of 50 left today" in (await shown(customer, "Your plan: Monthly", "/start")).text
            assert "Premium" in (await customer.ask("/history")).text
            # And nobody can buy it
            assert late.page().status_code == 410
            assert not [label for label in labels(await customer.ask("/premium")) if label.startswith("Premium")]
        await shown(customer, "Your plan: Premium", "/start")
