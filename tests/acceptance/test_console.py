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

from models import console_sessions, customer_notes, users
from models.jobs import queue
from models.money import access
from tests import environment
from tests.browser import PATIENCE_S, SIZES, chromium, complaints, heading, photograph, press, show
from tests.integration.web.test_web_process import Web, beat, web
from tests.machine import REPOSITORY

__all__ = ["web"]

ADMIN, CUSTOMER = 4242, 99
TEAM = {"ADMIN_IDS": str(ADMIN), "BACKUP_PASSPHRASE": "a passphrase of tests"}
AXE = REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"
TOKEN = environment.minimal(Path())["TELEGRAM_BOT_TOKEN"]
PAGES = ("today", "customers", f"customers/{CUSTOMER}", "money", "shop", "messages", "health", "health/log", "audit",
         "settings", "sessions", "confirm")  # fmt: skip

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
    for number in range(3):
        link, key = f"https://t.me/channel/{number}", str(number)
        queue.enqueue(queue.NewJob(user_id=CUSTOMER, chat_id=CUSTOMER, link=link, dedupe=key), 10, now)
    yield web


def enter(driver: webdriver.Chrome, web: Web) -> None:
    """As the admin, by a one-time link."""
    driver.get(f"{web.url}/console/login/{console_sessions.make_link(ADMIN, int(time.time()))}")
    assert heading(driver) == "Log in to the console"
    press(driver, "log-in")


def complaints_of_axe(driver: webdriver.Chrome) -> list[str]:
    """What axe-core says about the page. The page's own policy lets no script in: the browser's protocol does."""
    driver.execute_script(AXE.read_text("utf-8") + "; window.axe = axe;")
    found: dict[str, Any] = driver.execute_async_script(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done);"
    )
    return [
        f"{each['id']}: {each['help']} {[node['html'][:120] for node in each['nodes']]}" for each in found["violations"]
    ]


def test_every_page_is_clean_and_fits(shop: Web, browser: webdriver.Chrome) -> None:
    enter(browser, shop)
    for path in PAGES:
        browser.get(f"{shop.url}/console/{path}")
        assert not browser.title.startswith("Nothing here"), path
        photograph(browser, f"console-{path.replace('/', '-')}")
        for scheme in ("light", "dark"):
            for width in SIZES:
                show(browser, width, scheme)
                assert complaints_of_axe(browser) == [], (path, scheme, width)
        show(browser, 390, "light")


def test_the_way_in_is_clean_too(shop: Web, browser: webdriver.Chrome) -> None:
    browser.get(f"{shop.url}/console/login/{console_sessions.make_link(ADMIN, int(time.time()))}")
    photograph(browser, "console-login")
    assert complaints_of_axe(browser) == []
    press(browser, "log-in")
    press(browser, "leave")
    assert heading(browser) == "You are logged out"
    photograph(browser, "console-left")
    assert complaints_of_axe(browser) == []


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
