"""A payment in a real browser: from the chat's button to PayPal, back, and into the chat."""

from collections.abc import Callable
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from config.texts import LANGUAGES
from models.promotion import complaints as shop_complaints
from tests.browser import chromium, complaints, heading, photograph, press
from tests.daemon_process import chat
from tests.paypal_shop import Buyer, PayPalShop, until
from tests.town import Town


async def test_from_the_chats_button_to_the_paid_page_and_back(town: Town, browser: webdriver.Chrome) -> None:
    async with chat(town.sandbox, "es") as customer:
        plans = await customer.ask("/premium")
        link = next(it.url for row in plans.reply_markup.inline_keyboard for it in row if it.url)

        browser.get(link)
        photograph(browser, "offer")
        assert (heading(browser), browser.title) == ("Premium", "Premium")
        press(browser, "pay")
        assert browser.current_url.startswith(f"{town.shop.paypal.endpoint}/checkoutnow")
        press(browser, "approve")

        assert heading(browser) == "Pagado, ¡gracias!"
        photograph(browser, "paid")
        back = browser.find_element(By.ID, "chat").get_attribute("href")
        assert back == f"https://t.me/{town.sandbox.scenario['bot']['username']}?start=paid"
        await customer.until_text("Recibo")

    assert town.shop.access(customer.id).level == 1


def test_declined_and_retried(shop: PayPalShop, browser: webdriver.Chrome) -> None:
    buyer = shop.buyer()
    browser.get(buyer.link)
    press(browser, "pay")
    press(browser, "decline")

    assert heading(browser) == "PayPal declined the payment"
    photograph(browser, "declined")
    press(browser, "again")
    press(browser, "approve")

    assert heading(browser) == "Paid, thank you!"
    assert shop.access(buyer.id).level == 1


def test_a_tab_that_is_closed_after_approving_loses_nothing(shop: PayPalShop, browser: webdriver.Chrome) -> None:
    buyer = shop.buyer()
    browser.get("about:blank")
    stays = browser.current_window_handle
    browser.switch_to.new_window("tab")
    browser.get(buyer.link)
    press(browser, "pay")
    # The payer's approval reaches PayPal, and the tab is gone before PayPal's answer leads anywhere.
    shop.paypal.approve_order(browser.current_url.rpartition("=")[2])
    browser.close()
    browser.switch_to.window(stays)

    until(lambda: shop.access(buyer.id).level == 1, "the webhook")
    assert len(shop.payments(buyer.id)) == 1


def test_turned_back_and_tried_again(shop: PayPalShop, browser: webdriver.Chrome) -> None:
    buyer = shop.buyer(shop.customer("es"))
    browser.get(buyer.link)
    press(browser, "pay")
    press(browser, "cancel")

    assert heading(browser) == "Pago cancelado"
    photograph(browser, "cancelled")
    press(browser, "again")
    press(browser, "pay")
    press(browser, "approve")

    assert heading(browser) == "Pagado, ¡gracias!"


def test_a_subscription(shop: PayPalShop, browser: webdriver.Chrome) -> None:
    buyer = shop.buyer(plan="monthly")
    browser.get(buyer.link)
    photograph(browser, "offer-that-renews")
    press(browser, "pay")
    press(browser, "approve")

    assert heading(browser) == "Paid, thank you!"
    assert shop.access(buyer.id).level == 1


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "You have paid for this plan"), ("es", "Ya has pagado este plan"), ("pt", "Você pagou este plano")],
)
def test_a_page_read_after_paying(shop: PayPalShop, browser: webdriver.Chrome, language: str, told: str) -> None:
    buyer = shop.buyer(shop.customer(language))
    buyer.pay()
    browser.get(buyer.link)

    assert told in browser.find_element(By.ID, "owned").text
    photograph(browser, f"offer-paid-{language}")
    press(browser, "pay")
    assert browser.current_url.startswith(shop.paypal.endpoint), "whoever wants to may pay again"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_offer_fits_in_each_language(shop: PayPalShop, browser: webdriver.Chrome, language: str) -> None:
    browser.get(shop.buyer(shop.customer(language)).link)

    assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == language
    photograph(browser, f"offer-{language}")


@pytest.mark.parametrize(
    ("language", "button"), [("en", "Open the chat"), ("es", "Abrir el chat"), ("pt-BR", "Abrir o chat")]
)
def test_the_domains_first_page(town: Town, browser: webdriver.Chrome, language: str, button: str) -> None:
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})
    try:
        browser.get(town.shop.web.url)
        photograph(browser, f"front-{language}")
        chat_button = browser.find_element(By.ID, "chat")
        assert chat_button.text == button
        assert chat_button.get_attribute("href") == f"https://t.me/{town.sandbox.scenario['bot']['username']}"
    finally:
        browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {}})


def test_a_complaint_is_made_without_javascript(shop: PayPalShop, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile", scripts=False) as browser:
        browser.get(shop.web.url)
        browser.find_element(By.ID, "link").send_keys("https://t.me/gallery/15")
        browser.find_element(By.ID, "text").send_keys("it is mine")
        press(browser, "send")

        assert heading(browser) == "Your complaint is being looked at"
        assert "/report/" in browser.current_url
        made = shop_complaints.by_number(browser.current_url.rpartition("/")[2])
        assert made is not None and (made.link, made.text) == ("t.me/gallery/15", "it is mine")


def pending(shop: PayPalShop) -> str:
    shop.paypal.switch("capture_status", status="PENDING")
    return paid_by(shop.buyer())


def away(shop: PayPalShop) -> str:
    address = approved_by(shop.buyer())
    shop.paypal.switch("internal_error", on="GET /v2/checkout/orders/*", count=4)
    return address


def paid_by(buyer: Buyer) -> str:
    remote_id, _ = buyer.pay()
    return f"{buyer.shop.web.url}/paypal/success?token={remote_id}"


def approved_by(buyer: Buyer) -> str:
    buyer.shop.silence_webhooks()
    return buyer.choose(buyer.start(), "approve")


def not_approved(shop: PayPalShop) -> str:
    return f"{shop.web.url}/paypal/success?token={shop.buyer().start()}"


def too_old(shop: PayPalShop) -> str:
    return shop.buyer(plan="nosuchplan").link


@pytest.mark.parametrize("outcome", [pending, away, not_approved, too_old], ids=lambda it: it.__name__)
def test_other_outcomes_look_right(
    shop: PayPalShop, browser: webdriver.Chrome, outcome: Callable[[PayPalShop], str]
) -> None:
    browser.get(outcome(shop))

    photograph(browser, outcome.__name__)
    if outcome is too_old:  # an error's status is a complaint of the console, and the only one
        assert len(complaints(browser)) == 1


def test_everything_works_without_javascript(shop: PayPalShop, tmp_path: Path) -> None:
    buyer = shop.buyer()
    with chromium(tmp_path / "profile", scripts=False) as browser:
        browser.get(buyer.link)
        press(browser, "pay")
        press(browser, "approve")

        assert heading(browser) == "Paid, thank you!"
    assert shop.access(buyer.id).level == 1
