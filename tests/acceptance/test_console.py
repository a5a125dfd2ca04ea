"""The console in a real browser: by the link, by keyboard alone, in a frame, for who cannot see it well."""

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import init_data_py
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from config.texts import DEFAULT_LANGUAGE, LANGUAGES
from models import catalogue, console_sessions, customer_notes, users
from models.event_kinds import IncidentKey
from models.jobs import queue, sources
from models.jobs.sources import JoinOutcome
from models.maintenance import health
from models.money import access, payments
from models.promotion import codes
from models.promotion.broadcasts import BroadcastState
from models.promotion.codes import Draft
from models.tables import Broadcast
from tests import environment, purchases
from tests.browser import PATIENCE_S, chromium, complaints, faults, heading, inspect, photograph, press
from tests.integration.web.test_web_process import Web, beat, web
from tests.machine import REPOSITORY

__all__ = ["web"]

ADMIN, CUSTOMER = 4242, 99
LONG = "stx79NPi0wZ86ksWZgMfEqPu2eIFPdSObajXjQGxIYK7sJ0" * 2
"""The number of a payment with Stars, as long as Telegram makes them, without a place to break."""
TEAM = {"ADMIN_IDS": str(ADMIN), "BACKUP_PASSPHRASE": "a passphrase of tests"}
TOKEN = environment.minimal(Path())["TELEGRAM_BOT_TOKEN"]
PAGES = {
    "today": "today",
    "customers": "customers",
    f"customers/{CUSTOMER}": "customer",
    "money": "money",
    "money/1": "payment",
    "money/1/refund": "refund",
    "money/unexplained": "unexplained",
    "shop": "shop",
    "shop/plans/premium": "shop_form",
    "shop/text": "shop_text",
    "shop/versions": "shop_versions",
    "shop/preview": "shop_preview",
    "shop/codes": "codes",
    "messages": "messages",
    "messages/draft": "draft",
    "messages/1": "broadcast",
    "health": "health",
    "health/log": "log",
    "health/chats": "chats",
    "accounts": "accounts",
    "audit": "audit",
    "settings": "settings",
    "sessions": "sessions",
    "confirm": "confirm",
}
"""The pages of the console, each with its template."""
ELSEWHERE = {"account_login", "app", "login", "refused", "shop_check"}
"""Templates of pages that are come to otherwise: tests below look at them."""
PARTS = {"base", "macros", "shop_tabs"}

pytestmark = pytest.mark.parametrize("web", [TEAM], indirect=True)


@pytest.fixture
def shop(web: Web) -> Iterator[Web]:
    """A shop where something has happened."""
    now = int(time.time())
    beat()
    for user_id, name in ((ADMIN, "Alba"), (CUSTOMER, "Ana"), *((200 + n, f"Customer {n}") for n in range(60))):
        users.seen(user_id, name, f"name{user_id}", "en", now - user_id)
    access.give(CUSTOMER, 1, seconds=86_400 * 9, reason="sorry", by=ADMIN, now=now)
    customer_notes.add(CUSTOMER, "kind", ADMIN, now)
    _sells(now)
    for number in range(3):
        link, key = f"https://t.me/channel/{number}", str(number)
        queue.enqueue(queue.NewJob(user_id=CUSTOMER, chat_id=CUSTOMER, link=link, dedupe=key), 10, now)
    yield web


def _sells(now: int) -> None:
    """Somebody has paid, a code is open, news has gone out, a chat was joined, something went wrong."""
    sold = purchases.order(CUSTOMER, now=now)
    for paid in (purchases.fact(sold, now, LONG), purchases.fact(sold, now, "of-nobody", order_public_id=None)):
        payments.settle(paid, now)
    codes.make(Draft(None, 20, None, None, False), ADMIN, "message:1", now)
    for state in (BroadcastState.DONE, BroadcastState.DRAFT):
        news = Broadcast.create(by=ADMIN, text="We have something new", touched_at=now, began_at=now, start_at=now)
        Broadcast.update(state=state).where(Broadcast.id == news.id).execute()
    sources.remember(77, None, "Films", protected=False, now=now)
    joined = sources.begin_join(CUSTOMER, "hash", "2026-11-30", 9, now)
    assert isinstance(joined, int)
    sources.record_join(joined, 77, JoinOutcome.JOINED)
    health.open_incident(IncidentKey.BACKUP_FAILED, "no room", now)


def enter(driver: webdriver.Chrome, web: Web) -> None:
    """As the admin, by a one-time link."""
    driver.get(f"{web.url}/console/login/{console_sessions.make_link(ADMIN, int(time.time()))}")
    press(driver, "log-in")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_clean_and_fits(shop: Web, browser: webdriver.Chrome, language: str) -> None:
    there = {file.stem for file in (REPOSITORY / "web" / "templates" / "console").glob("*.html")}
    assert there == {*PAGES.values(), *ELSEWHERE, *PARTS}
    users.set_language(ADMIN, language, int(time.time()))
    enter(browser, shop)
    look = inspect if language == DEFAULT_LANGUAGE else photograph
    for path, template in PAGES.items():
        browser.get(f"{shop.url}/console/{path}")
        assert browser.find_elements(By.CSS_SELECTOR, "nav [aria-current]") or template == "confirm", path
        look(browser, f"console-{language}-{template}")


def test_what_is_refused_or_broken_is_clean_too(shop: Web, browser: webdriver.Chrome) -> None:
    for path, name in (("today", "signed-out"), ("app", "app"), ("login/used-up", "used-up"), ("nothing", "not-found")):
        browser.get(f"{shop.url}/console/{path}")
        inspect(browser, f"console-{name}")
    enter(browser, shop)
    for path in ("customers/5", "money/999", "shop/plans"):
        browser.get(f"{shop.url}/console/{path}")
        inspect(browser, "console-nothing-here")
    browser.get(f"{shop.url}/console/shop/plans/premium")
    for value, name in (("soon", "shop-fault"), ("31", "shop-check")):
        field = browser.find_element(By.ID, "f-v.days")
        field.clear()
        field.send_keys(value)
        press(browser, "check")
        inspect(browser, f"console-{name}")
    assert all("the server responded with a status of 4" in said for said in complaints(browser))


def test_the_way_in_is_clean_too(shop: Web, browser: webdriver.Chrome) -> None:
    browser.get(f"{shop.url}/console/login/{console_sessions.make_link(ADMIN, int(time.time()))}")
    assert heading(browser) == "Log in to the console"
    photograph(browser, "console-login")
    assert faults(browser) == []
    press(browser, "log-in")
    press(browser, "leave")
    assert heading(browser) == "You are logged out"
    photograph(browser, "console-left")
    assert faults(browser) == []


def test_a_note_is_written_by_keyboard_alone(shop: Web, browser: webdriver.Chrome) -> None:
    enter(browser, shop)
    browser.get(f"{shop.url}/console/customers")
    keys_to(browser, lambda it: it.get_attribute("id") == "f-q")
    browser.switch_to.active_element.send_keys("Ana", Keys.ENTER)
    until(browser, lambda it: heading(it) == "Ana")
    keys_to(browser, lambda it: it.text.startswith("Write a note"))
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    keys_to(browser, lambda it: it.get_attribute("id") == "f-note")
    browser.switch_to.active_element.send_keys("by keyboard")
    keys_to(browser, lambda it: it.text == "Keep the note")
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    until(browser, lambda it: "Noted for Ana." in it.find_element(By.ID, "notice").text)
    assert customer_notes.of(CUSTOMER, 1)[0].text == "by keyboard"


def test_a_price_is_changed_by_keyboard_alone(shop: Web, browser: webdriver.Chrome) -> None:
    enter(browser, shop)
    for link in ("Shop", "Edit Premium"):
        keys_to(browser, lambda it, link=link: " ".join(it.text.split()) == link)
        browser.switch_to.active_element.send_keys(Keys.ENTER)
    until(browser, lambda it: heading(it) == "Premium")
    keys_to(browser, lambda it: it.get_attribute("id") == "f-v.prices.XTR")
    browser.switch_to.active_element.send_keys("7", Keys.ENTER)
    until(browser, lambda it: heading(it) == "What it changes")
    keys_to(browser, lambda it: it.text == "Let it hold")
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    until(browser, lambda it: "It holds now" in it.find_element(By.ID, "notice").text)
    held = catalogue.current()
    assert held is not None and held.plans.by_code("premium").prices["XTR"] == 7  # type: ignore[union-attr]


def keys_to(driver: webdriver.Chrome, fits: Any) -> None:
    """Press the tabulator until it is there."""
    for _ in range(80):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        if fits(driver.switch_to.active_element):
            return
    raise AssertionError("the keyboard does not lead there")


def until(driver: webdriver.Chrome, condition: Any) -> None:
    WebDriverWait(driver, PATIENCE_S, ignored_exceptions=[Exception]).until(condition)


# ---- the Mini App


def launched(web: Web, theme: str = "{}") -> str:
    """The address that Telegram opens, with the launch data behind its ``#``."""
    user = json.dumps({"id": ADMIN, "first_name": "Alba"})
    data = init_data_py.sign({"user": user, "signature": "c2ln"}, TOKEN, auth_date=int(time.time()))
    return f"{web.url}/console/app#tgWebAppData={quote(data)}&tgWebAppVersion=8.0&tgWebAppThemeParams={quote(theme)}"


def test_a_mini_app_logs_in_by_its_own_script(shop: Web, browser: webdriver.Chrome) -> None:
    theme = json.dumps({"bg_color": "#123456", "text_color": "#ffffff", "evil": "#zzz"})
    browser.get(launched(shop, theme))
    until(browser, lambda it: heading(it) == "Today")

    assert "tgWebAppData" not in browser.current_url
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(18, 52, 86)"
    photograph(browser, "console-miniapp")


@pytest.mark.parametrize(("host", "is_shown"), [("web.telegram.org", True), ("evil.example", False)])
def test_telegram_alone_may_show_it_in_a_frame(shop: Web, tmp_path: Path, host: str, is_shown: bool) -> None:
    page = f'<!doctype html><title>Around</title><iframe src="{launched(shop)}" width="390" height="600"></iframe>'
    with served(page.encode(), tmp_path) as port:
        flags = (f"--host-resolver-rules=MAP {host} 127.0.0.1:{port}", "--ignore-certificate-errors")
        with chromium(tmp_path / "profile", flags=flags) as driver:
            driver.get(f"https://{host}/")
            driver.switch_to.frame(driver.find_element(By.TAG_NAME, "iframe"))
            if is_shown:
                until(driver, lambda it: heading(it) == "Today")
                driver.find_element(By.LINK_TEXT, "Customers").click()
                until(driver, lambda it: heading(it) == "Customers")
            else:
                assert not driver.find_elements(By.ID, "launch")
                driver.switch_to.default_content()
                until(driver, lambda it: any("frame-ancestors" in said for said in complaints(it)))
    assert bool(console_sessions.of(frozenset({ADMIN}), int(time.time()))) is is_shown


@contextlib.contextmanager
def served(page: bytes, place: Path) -> Iterator[int]:
    """A server with TLS that answers everything with *page*; its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(place))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


def certificate(place: Path) -> Path:
    """A certificate that nobody vouches for, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "around")])
    made = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(made - timedelta(1)).not_valid_after(made + timedelta(1))
    file = place / "around.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + built.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return file


def test_scripts_are_needed_for_nothing_else(shop: Web, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile", scripts=False) as driver:
        enter(driver, shop)
        driver.get(f"{shop.url}/console/customers/{CUSTOMER}")
        assert heading(driver) == "Ana"
        driver.find_element(By.CSS_SELECTOR, "#shut summary").click()
        driver.find_element(By.CSS_SELECTOR, "#ban-form button").click()
        until(driver, lambda it: "Ana is banned." in it.find_element(By.ID, "notice").text)


NAME_AND_NUMBER = """
const code = arguments[0], walker = document.createTreeWalker(code.parentNode, NodeFilter.SHOW_TEXT);
const range = document.createRange();
while (walker.nextNode()) if (walker.currentNode.textContent.includes("محمد")) break;
const at = walker.currentNode.textContent.indexOf("محمد");
range.setStart(walker.currentNode, at);
range.setEnd(walker.currentNode, at + 4);
const name = range.getClientRects(), number = code.getClientRects();
return [name.length, name[name.length - 1].right <= number[0].left + 8, number.length];
"""
"""In how many pieces a name lies, whether its number stands behind it, and in how many pieces that lies."""


def test_names_and_their_numbers_keep_together(shop: Web, browser: webdriver.Chrome) -> None:
    users.seen(ADMIN, "محمد", "name4242", "pt", int(time.time()))
    users.seen(CUSTOMER, "محمد", "name99", "en", int(time.time()))
    enter(browser, shop)
    for path, rows in (("audit", "#audit td"), ("money/unexplained", "#unknown li"), ("sessions", "#sessions td")):
        browser.get(f"{shop.url}/console/{path}")
        numbers = [
            each for each in browser.find_elements(By.CSS_SELECTOR, f"{rows} code") if each.text in ("99", "4242")
        ]
        assert numbers, path
        for number in numbers:
            assert browser.execute_script(NAME_AND_NUMBER, number) == [1, True, 1], (path, number.text)
