"""What is done in the console is seen in the chat at once: a refund, a setting, a blocked chat, an undone cut, news."""

import asyncio
import html
import io
import re
import time

import pytest
import requests

from models import catalogue, users
from models.promotion import broadcasts
from tests.daemon_process import Chat, chat, labels
from tests.operator_browser import Operator, form_to, said
from tests.paypal_shop import Buyer
from tests.sandbox.telegram import picture
from tests.town import Town


@pytest.fixture
def admin(town: Town) -> Operator:
    """The admin of the town, in the console."""
    admin_id = town.sandbox.scenario["admin"]["id"]
    users.seen(admin_id, "Alba", None, "en", int(time.time()))
    browser = Operator(town.shop.web.url, "10.250.0.2")
    browser.log_in(admin_id)
    return browser


def change(admin: Operator, name: str, value: str) -> str:
    """Change a setting; the page that tells."""
    return admin.send(form_to(admin.page("/console/settings"), f"/console/settings/{name}"), value=value)


async def again_until(customer: Chat, link: str, words: str) -> None:
    """Send a link again until the answer says *words*, or (empty) brings it: a setting holds within a second."""
    async with asyncio.timeout(20):
        while True:
            await customer.say(link)
            answer = await customer.until(lambda it: it.media is not None or "closed this chat" in (it.text or ""))
            if bool(words) is (answer.media is None) and words in (answer.text or ""):
                return
            await asyncio.sleep(0.5)


async def test_a_refund_is_heard_by_the_customer(town: Town, admin: Operator) -> None:
    async with chat(town.sandbox) as customer:
        plans = await customer.ask("/premium")
        link = next(it.url for row in plans.reply_markup.inline_keyboard for it in row if it.url and "/pay/" in it.url)
        Buyer(town.shop, customer.id, link).pay()
        await customer.until_text("Receipt")
        (payment,) = town.shop.payments(customer.id)
        path = f"/console/money/{payment.id}/refund"
        admin.send(form_to(admin.page(f"{path}?amount=1.00"), path))
        await customer.until_text("$1.00 of your payment")


async def test_a_setting_holds_in_the_chat_within_a_second(town: Town, admin: Operator) -> None:
    async with chat(town.sandbox) as customer:
        change(admin, "TERMS_URL", "https://example.org/our-terms")
        deadline = time.monotonic() + 5
        while "https://example.org/our-terms" not in str(await customer.ask("/terms")):
            assert time.monotonic() < deadline
        form = form_to(admin.page("/console/settings"), "/console/settings/TERMS_URL")
        admin.send(form, default="1")


async def listed(customer: Chat, town: Town, language: str, described: str) -> None:
    """Wait until Telegram lists ``/language`` as *described* to who speaks *language*."""
    async with asyncio.timeout(20):
        while True:
            known = town.sandbox.control("GET", f"/commands?bot={customer.bot}")
            if dict(known.get(f"users/{language}", [])).get("language") == described:
                return
            await asyncio.sleep(0.2)


async def test_customers_read_the_offered_languages_alone(town: Town, admin: Operator) -> None:
    async with chat(town.sandbox, "en") as customer:
        await customer.ask("/language en")
        change(admin, "LANGUAGES", "es")
        await listed(customer, town, "en", "elegir el idioma")
        choice = await customer.ask("/language English")
        assert "¿En qué idioma" in choice.text and labels(choice)[0] == "✓ Español" and "English" not in labels(choice)
        front = requests.get(town.shop.web.url, headers={"Accept-Language": "en"}, timeout=20)
        assert '<html lang="es">' in front.text

        admin.send(form_to(admin.page("/console/settings"), "/console/settings/LANGUAGES"), default="1")
        await listed(customer, town, "en", "choose the language")
        assert "Your plan" in (await customer.ask("/start")).text


async def test_the_preview_is_what_the_chat_says(town: Town, admin: Operator) -> None:
    async with chat(town.sandbox) as customer:
        shown = await customer.ask("/premium")
        page = admin.page("/console/shop/preview?language=en")
        bubble = page.partition('class="said">')[2].partition("</p>")[0]
        previewed = html.unescape(re.sub("<[^>]+>", "", bubble)).strip()
        assert previewed.partition("\n\n")[0] in shown.text and previewed in shown.text
        keys = [label for label in labels(shown) if "·" in label]
        assert all(f'<p class="key">{label}</p>' in page for label in keys)


async def test_a_chat_blocked_in_the_console_is_read_for_nobody(town: Town, admin: Operator) -> None:
    async with chat(town.sandbox) as customer:
        link = customer.link("photo1")
        await customer.say(link)
        await customer.until(lambda it: it.media is not None)
        name = "@" + link.split("/")[3]
        change(admin, "BLOCKED_CHATS", name)
        await again_until(customer, link, "closed this chat")
        form = form_to(admin.page("/console/settings"), "/console/settings/BLOCKED_CHATS")
        admin.send(form, default="1")
        await again_until(customer, link, "")


async def test_a_deep_cut_is_undone_by_a_button_in_the_chat(town: Town, admin: Operator) -> None:
    async with chat(town.sandbox, admin=True) as boss:
        await boss.ask("/language en")
        form = form_to(admin.page("/console/shop/plans/vip"), "/console/shop/check")
        admin.send(form_to(admin.send(form, 200, v__prices__XTR="1"), "/console/shop/keep"))
        notice = await boss.until_text("cut by more than half")
        assert "1000 ⭐ → 1 ⭐" in notice.text
        await boss.tap(notice, "Undo")
        await boss.until_text("hold again")
        held = catalogue.current()
        vip = held.plans.by_code("vip") if held else None
        assert vip is not None and vip.prices["XTR"] == 1000
        assert "Alba" in said(admin.page("/console/shop/versions"), "versions")


DRAFT = "/console/messages/draft"


async def test_news_is_seen_in_ones_own_chat_with_its_picture(town: Town, admin: Operator) -> None:
    sent = broadcasts.newest_sent(9)
    async with chat(town.sandbox, admin=True) as boss:
        await boss.ask("/language en")
        page = admin.send(form_to(admin.page(DRAFT), DRAFT), text="Look at this", article="premium")
        page = admin.send(form_to(page, f"{DRAFT}/picture"))
        await boss.until_text("Send me the picture or video")
        admin.send(form_to(page, DRAFT), text="Look at that")
        await boss.say("no picture")
        await boss.until_text("I can send a text, one picture, or one video")
        photo = io.BytesIO(picture.jpeg(9, 64, 64))
        photo.name = "p.jpg"
        await boss.client.send_photo(boss.bot, photo)
        shown = await boss.until(lambda it: it.photo is not None and it.caption == "Look at that")
        assert labels(shown) == ["⭐ Premium", "🔕 No more news"]
        await boss.until_text("That is how it looks")

        page = admin.page(DRAFT)
        assert "[picture or video]" in said(page, "preview")
        town.sandbox.control("POST", "/faults", {"fault": "expire_references"})
        page = admin.send(form_to(page, f"{DRAFT}/preview"))
        again = await boss.until(lambda it: it.photo is not None)
        assert again.caption == "Look at that" and labels(again) == labels(shown)
        page = admin.send(form_to(page, f"{DRAFT}/picture/drop"))
        assert "[picture or video]" not in said(page, "preview")
        admin.send(form_to(page, f"{DRAFT}/preview"))
        await boss.until_text("Look at that")
        assert broadcasts.newest_sent(9) == sent, "nobody else has got it"
        admin.send(form_to(page, f"{DRAFT}/discard"))
