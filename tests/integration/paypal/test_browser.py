"""The pages in a real browser: from the chat's button to PayPal, back, and into the chat. Headless Chromium.

Screenshots go to ``build/screenshots``, to be looked at.
"""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests import machine
from tests.daemon_process import chat
from tests.paypal_shop import REPOSITORY, Buyer, PayPalShop, until
from tests.town import Town

SCREENSHOTS = REPOSITORY / "build" / "screenshots"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
SIZES = {390: 844, 1280: 800}
SMALLEST_TARGET = 44
PATIENCE_S = 10


@pytest.fixture(scope="module")
def open_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One Chromium with a profile of its own."""
    yield from chromium(tmp_path_factory.mktemp("profile"))


def chromium(profile: Path, *, scripts: bool = True) -> Iterator[webdriver.Chrome]:
    machine.need_command("chromium", "chromedriver", packages="chromium chromium-driver")
    options = Options()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def browser(open_browser: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The browser without cookies; at the end nothing may have been complained about in its console.

    What breaks the Content-Security-Policy is complained about there.
    """
    open_browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    show(open_browser, 390, "light")
    complaints(open_browser)
    yield open_browser
    assert complaints(open_browser) == []


def complaints(driver: webdriver.Chrome) -> list[str]:
    """What the console has said since the last time; that the local PayPal has no icon is none of our business."""
    said = [str(entry["message"]) for entry in driver.get_log("browser")]
    return [message for message in said if "/favicon.ico" not in message]


def show(driver: webdriver.Chrome, width: int, scheme: str) -> None:
    """A telephone or a desk, by day or by night."""
    size = {"width": width, "height": SIZES[width], "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    preference = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", preference)


def photograph(driver: webdriver.Chrome, name: str) -> None:
    """The page at both sizes, light and dark; it must fit, and what can be pressed must be large enough."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for width, scheme in itertools.product(SIZES, ("light", "dark")):
        show(driver, width, scheme)
        driver.save_screenshot(str(SCREENSHOTS / f"{name}-{width}-{scheme}.png"))
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        for target in driver.find_elements(By.CSS_SELECTOR, ".button"):
            assert target.size["height"] >= SMALLEST_TARGET
    show(driver, 390, "light")


def heading(driver: webdriver.Chrome) -> str:
    return str(driver.find_element(By.TAG_NAME, "h1").text)


def press(driver: webdriver.Chrome, button: str) -> None:
    """Press a button by its id, and wait until another page has come."""
    before = driver.find_element(By.TAG_NAME, "html").id
    driver.find_element(By.ID, button).click()
    WebDriverWait(driver, PATIENCE_S).until(lambda it: it.find_element(By.TAG_NAME, "html").id != before)


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
    for browser in chromium(tmp_path / "profile", scripts=False):
        browser.get(buyer.link)
        press(browser, "pay")
        press(browser, "approve")

        assert heading(browser) == "Paid, thank you!"
    assert shop.access(buyer.id).level == 1
