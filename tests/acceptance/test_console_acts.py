"""An operator with a browser runs the shop from the console, and customers see it in their chats."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from models import console_sessions, users
from tests.browser import PATIENCE_S, heading, inspect, press
from tests.daemon_process import Chat, chat, labels
from tests.paypal_shop import Buyer
from tests.town import Town


class Desk:
    """The admin at their browser. The chats go on while a page loads."""

    def __init__(self, driver: webdriver.Chrome, town: Town) -> None:
        self._driver, self._url = driver, town.shop.web.url
        self.admin_id = int(town.sandbox.scenario["admin"]["id"])

    async def enter(self) -> None:
        """By a one-time link."""
        users.seen(self.admin_id, "Alba", None, "en", int(time.time()))
        link = f"{self._url}/console/login/{console_sessions.make_link(self.admin_id, int(time.time()))}"
        await asyncio.to_thread(self._driver.get, link)
        await self.press("log-in")

    async def open(self, path: str, photo: str = "") -> None:
        """Open a page, and look at it."""
        await asyncio.to_thread(self._driver.get, f"{self._url}/console/{path}")
        if photo:
            await asyncio.to_thread(inspect, self._driver, f"console-{photo}")

    async def fill(self, id: str, text: str) -> None:
        """Type into a field."""
        field = self._driver.find_element(By.ID, id)
        await asyncio.to_thread(field.clear)
        await asyncio.to_thread(field.send_keys, text)

    async def choose(self, id: str, value: str) -> None:
        """Choose from a list."""
        await asyncio.to_thread(Select(self._driver.find_element(By.ID, id)).select_by_value, value)

    async def press(self, button: str, photo: str = "") -> None:
        """Press a button or link by its id and come to another page."""
        await asyncio.to_thread(press, self._driver, button)
        if photo:
            await asyncio.to_thread(inspect, self._driver, f"console-{photo}")

    async def press_in(self, form: str, photo: str = "") -> None:
        """Press the button of a form by the form's id."""

        def send() -> None:
            before = self._driver.find_element(By.TAG_NAME, "html").id
            self._driver.find_element(By.CSS_SELECTOR, f"#{form} button").click()
            WebDriverWait(self._driver, PATIENCE_S).until(lambda it: it.find_element(By.TAG_NAME, "html").id != before)

        await asyncio.to_thread(send)
        if photo:
            await asyncio.to_thread(inspect, self._driver, f"console-{photo}")

    async def unfold(self, id: str) -> None:
        """Open what is folded away."""
        await asyncio.to_thread(self._driver.find_element(By.CSS_SELECTOR, f"#{id} summary").click)

    def text(self) -> str:
        """All that the page says."""
        return str(self._driver.find_element(By.ID, "page").text)

    def notice(self) -> str:
        """What was just done."""
        return str(self._driver.find_element(By.ID, "notice").text)

    def heading(self) -> str:
        """The page's heading."""
        return heading(self._driver)


async def bought(town: Town, customer: Chat) -> None:
    """Somebody buys premium with PayPal."""
    plans = await customer.ask("/premium")
    links = [it.url for row in plans.reply_markup.inline_keyboard for it in row if it.url and "/pay/" in it.url]
    Buyer(town.shop, customer.id, links[0]).pay()
    await customer.until_text("Receipt")


async def offered(customer: Chat, price: str) -> None:
    """Ask what is sold until it has this price: an edit holds within a second."""
    async with asyncio.timeout(60):
        while True:
            await customer.say("/premium")
            with contextlib.suppress(TimeoutError):
                await customer.until(holds(price), 3)
                return


def holds(part: str) -> Callable[[Any], bool]:
    """Whether a message holds a text, in its buttons too."""
    return lambda message: part in str(message)


async def test_the_shop_is_run_from_the_console(town: Town, browser: webdriver.Chrome) -> None:
    desk = Desk(browser, town)
    async with chat(town.sandbox) as customer:
        await bought(town, customer)
        (payment,) = town.shop.payments(customer.id)
        await desk.enter()

        await desk.open("money", "money")
        await desk.open(f"money/{payment.id}", "payment")
        await desk.fill("f-amount", "2.00")
        await desk.press_in("refund-ask", "refund")
        await desk.press_in("refund")
        assert "$2.00" in desk.notice()
        await customer.until_text("$2.00 of your payment")

        await desk.open("shop", "shop")
        await desk.press("edit-premium", "shop-form")
        await desk.fill("f-v.prices.XTR", "600")
        await desk.press("check", "shop-check")
        await desk.press("keep")
        await offered(customer, "600")
        await desk.open("shop/versions", "shop-versions")
        await desk.press_in("undo")
        await offered(customer, "500")

        for path in ("shop/text", "shop/preview", "money/unexplained", "settings"):
            await desk.open(path, path.replace("/", "-"))


async def test_a_customer_is_helped_and_everybody_told(town: Town, browser: webdriver.Chrome) -> None:
    desk = Desk(browser, town)
    async with chat(town.sandbox) as customer, chat(town.sandbox, admin=True) as boss:
        await boss.ask("/language en")
        await customer.ask("/start")
        await desk.enter()

        await desk.open(f"customers/{customer.id}", "customer")
        await desk.unfold("give")
        await desk.fill("f-days", "5")
        await desk.press_in("give-form")
        assert "Given to" in desk.notice()
        assert "5 days" in (await customer.until_text("You have been given Premium")).text
        await desk.fill("f-text", "Is it better now?")
        await desk.press_in("message-form")
        await customer.until_text("Is it better now?")

        await desk.open("shop/codes", "codes")
        await desk.choose("f-article", "vip")
        await desk.fill("f-days", "7")
        await desk.press_in("make", "codes-made")
        shown = await customer.ask(f"/code {desk.notice().rpartition(' ')[2]}")
        assert "VIP" in shown.text
        await customer.tap(shown, "Take it")
        await customer.until_text("You have been given VIP")

        await customer.press(await customer.ask("/quiet"), "News again")
        await desk.open("messages", "messages")
        await desk.press("write", "draft")
        await desk.fill("f-text", "We have something new")
        await desk.choose("f-article", "premium")
        await desk.press_in("write", "draft-written")
        await desk.press_in("show-me")
        await boss.until_text("We have something new")
        await desk.press_in("send", "broadcast")
        assert "It goes out" in desk.notice()
        assert labels(await customer.until_text("We have something new", 20))[0] == "⭐ Premium"
        await boss.until_text("has gone out", 20)
        await desk.open("messages", "messages-sent")

        await desk.open("health")
        await desk.press_in("back-up", "health-backing-up")
        await desk.open("audit", "audit")
        said = desk.text()
        for act in ("gave days", "wrote to a customer", "edited codes", "wrote to everybody", "asked for a backup"):
            assert act in said
