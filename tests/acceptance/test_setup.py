"""The first start on a telephone: from an empty volume to a delivery, with every mistake on the way, and every kill."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from config.texts import DEFAULT_LANGUAGE, LANGUAGES, translator
from models import database, notes
from models.maintenance import restoring
from models.setup import opening
from tests import sandbox_process
from tests.browser import PATIENCE_S, chromium, complaints, heading, inspect, photograph, press, show
from tests.daemon_process import chat
from tests.first_start import NOBODY, START_S, Installation, installation, secrets_in
from tests.paypal_shop import until
from tests.sandbox_process import Sandbox
from web.setup.steps import TITLES, Step

PROGRAMS = ("web.setup", "daemon.setup", "daemon.supervision.watchdog")
WRONG_TOKENS = (
    "x",
    "123456789",
    "123456789:short",
    ":AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0",
    "https://t.me/my_bot",
    "@my_bot",
    "123456789:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0",
    "<b>123456789:</b>AAHfiqks",
    "' OR 1=1 --",
    "١٢٣٤٥٦٧٨٩:AAHfiqksKZ8WmR2zSjiQ7",
)
WRONG_APPLICATIONS = (
    *((each, "0" * 32) for each in ("x", "0", "-1", "1.5", "1e6", "9" * 30, "+34 600", "١٢٣", "12345678")),
    *(("12345", each) for each in ("x", "0" * 31, "0" * 33, "g" * 32, "my.telegram.org", "0" * 32)),
)
PASSPHRASE = "correct horse battery staple"
BREAKING = """
let calls = 0, [before, behind] = arguments;
const real = window.real || (window.real = window.fetch);
window.fetch = async (...asked) => {
  calls += 1;
  if (calls % before === 0) throw new TypeError("the network broke");
  const answer = await real(...asked);
  if (calls % behind === 0) throw new TypeError("the answer was lost");
  return answer;
};
"""
"""Each so many-th call does not arrive; of each so many-th, the answer does not."""
WRONG_PAYPALS = (
    *(("x", "y"), ("a" * 80, "b" * 80), ("a b" * 20, "c" * 80), ("é" * 80, "c" * 80), ("c" * 80, "\u00a0" * 20)),
    *(("me@shop.example", "a password"), ("c" * 300, "c" * 80), ("c" * 80, "c" * 300), ("<script>" * 9, "c" * 80)),
    ("https://paypal.com/x", "c" * 9),
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A Telegram and a PayPal of this test's own."""
    running = sandbox_process.start(tmp_path_factory.mktemp("town"))
    yield running
    assert running.stop() == 0


@pytest.fixture
def empty(town: Sandbox, tmp_path: Path) -> Iterator[Installation]:
    """An empty volume beside them."""
    with installation(town, tmp_path) as built:
        yield built


@pytest.mark.timeout(600)
async def test_a_telephone_brings_an_empty_volume_up(
    town: Sandbox, empty: Installation, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    env, account = town.env, town.scenario["operator"]
    empty.start().until("setup")
    walk = Walk(browser, empty)

    browser.get(empty.url + empty.address())
    photograph(browser, "setup-begin")
    press(browser, "begin")
    assert browser.current_url == f"{empty.url}/setup/"
    _a_second_changes_nothing(empty, tmp_path)
    walk.step("start", lambda: press(browser, "new"))
    walk.step("language", lambda: press(browser, "go"))
    for api_id, api_hash in WRONG_APPLICATIONS:
        walk.mistake(api_id=api_id, api_hash=api_hash)
    right = {"api_id": env["TELEGRAM_API_ID"], "api_hash": env["TELEGRAM_API_HASH"]}
    walk.step("application", lambda: walk.fill(**right))
    for token in WRONG_TOKENS:
        walk.mistake(bot_token=token)
    walk.step("bot", lambda: walk.fill(bot_token=f"Use this token: {env['TELEGRAM_BOT_TOKEN']}"))
    walk.step("account", lambda: walk.answer(account["phone"]))
    walk.wait("step code", lambda: walk.holds('value="code"'))
    code = town.control("GET", f"/login-code?phone={account['phone']}")["code"]
    photograph(browser, "setup-account-code")
    walk.answer(f"{code[:2]}-{code[2:]}")
    walk.wait("the account", lambda: walk.holds('id="account"'))
    walk.step("account-there", lambda: press(browser, "go"))
    link = browser.find_element(By.ID, "link").get_attribute("href") or ""
    parameter = link.partition("start=")[2]
    photograph(browser, "setup-admin")
    async with chat(town, admin=True) as admin, chat(town) as stranger:
        await stranger.ask("/start setup-" + "0" * 32)
        await admin.ask(f"/start {parameter}")
        assert "works no more" in ((await stranger.ask(f"/start {parameter}")).text or "")
        walk.wait("the press", lambda: walk.holds('id="candidate"'))
        assert str(admin.id) in browser.find_element(By.ID, "candidate").text
        walk.step("admin-confirm", lambda: press(browser, "go"))
        walk.step("address", lambda: press(browser, "go"))
        for client_id, secret in WRONG_PAYPALS:
            walk.mistake(client_id=client_id, secret=secret)
        credentials = {"client_id": env["PAYPAL_CLIENT_ID"], "secret": env["PAYPAL_CLIENT_SECRET"]}
        walk.step("paypal", lambda: walk.fill(**credentials))
        walk.step("prices", lambda: press(browser, "go"))
        photograph(browser, "setup-last")
        press(browser, "open")
        photograph(browser, "setup-opening")
        empty.until("ok")
        walk.wait("the open shop", lambda: heading(browser) == "The shop is open", START_S)
        photograph(browser, "setup-open")
        await admin.say(admin.link("photo1"))
        walk.wait("the delivery", lambda: walk.holds('id="delivered"'), START_S)
        photograph(browser, "setup-delivered")
    typed = [*right.values(), *credentials.values(), env["TELEGRAM_BOT_TOKEN"], parameter, code][1:]
    places = [empty.volume / "logs", empty.volume / "peaje.db", empty.volume / "peaje.db-wal"]
    assert not secrets_in(places, [*typed, empty.address().rpartition("/")[2]])
    assert not [secret for secret in typed if secret in empty.console()]
    assert not [secret for secret in typed if secret in _command_lines()]
    browser.get(empty.url + empty.address())
    assert heading(browser) == "The shop is open" or walk.holds('id="delivered"'), "its owner is led on"
    await _the_way_back(town, empty, browser, tmp_path / "new")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_fits_in_every_language(browser: webdriver.Chrome, tmp_path: Path, language: str) -> None:
    with installation(NOBODY, tmp_path, LANGUAGE=language) as empty:
        empty.start().until("setup")
        texts = translator(language)
        look = inspect if language == DEFAULT_LANGUAGE else photograph
        browser.get(empty.url + empty.address())
        assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == language
        press(browser, "begin")
        press(browser, "backup")
        look(browser, f"setup-{language}-backup")
        press(browser, "back")
        database.open_database(empty.volume / "peaje.db")
        for step in Step:
            opening.pass_step(step, int(time.time()))
        notes.put(
            "bot", {"id": 1, "username": "a_bot_with_a_long_name_of_thirty_2_bot", "name": "Bot"}, int(time.time())
        )
        database.close_database()
        press(browser, "new")
        for step in (step for step in Step if step is not Step.LANGUAGE):
            browser.get(f"{empty.url}/setup/step/{step}")
            assert heading(browser) == TITLES[step](texts)
            asked = browser.find_element(By.ID, "page").get_attribute("data-ask")
            assert asked is None or asked.startswith("/"), "the page asks an address of its own, or none"
            look(browser, f"setup-{language}-{step}")
        browser.get("about:blank")
        complaints(browser)


def test_a_backup_is_sent_over_a_network_that_breaks(browser: webdriver.Chrome, tmp_path: Path) -> None:
    file, empty_file = tmp_path / "a.sealed", tmp_path / "empty.sealed"
    file.write_bytes(random.Random(7).randbytes(1_000_000))
    empty_file.touch()
    with installation(NOBODY, tmp_path) as empty:
        empty.start().until("setup")
        browser.get(empty.url + empty.address())
        press(browser, "begin")
        press(browser, "backup")
        walk, uploaded = Walk(browser, empty), empty.volume / restoring.UPLOADED / "backup"

        def choose(chosen: Path, said: str) -> str:
            browser.find_element(By.ID, "f-file").send_keys(str(chosen))
            walk.wait(said, lambda: said in browser.find_element(By.ID, "sent").text, 3 * PATIENCE_S)
            return str(browser.find_element(By.ID, "f-file").get_attribute("value"))

        assert choose(empty_file, "could not be sent") == ""
        browser.execute_script(BREAKING, 1, 1)
        assert choose(file, "could not be sent") == "", "so that the same file can be chosen again"
        browser.execute_script(BREAKING, 2, 3)
        choose(file, "Sent.")
        assert uploaded.read_bytes() == file.read_bytes()
        assert all("409" in each for each in complaints(browser)), "of a piece that is here already, and nothing else"


async def _the_way_back(town: Sandbox, lost: Installation, browser: webdriver.Chrome, home: Path) -> None:
    """The server is lost, and there is nothing but a sealed backup, its passphrase and a telephone."""
    lost.environ["BACKUP_PASSPHRASE"] = PASSPHRASE
    packed = lost.command("backup").splitlines()[0]
    assert packed.endswith(".sealed")
    assert lost.stop() == 0
    home.mkdir()
    with installation(town, home) as new:
        new.start().until("setup")
        walk = Walk(browser, new)
        browser.get(new.url + new.address())
        press(browser, "begin")
        press(browser, "backup")
        photograph(browser, "setup-backup")
        walk.mistake(passphrase=PASSPHRASE)
        browser.find_element(By.ID, "f-file").send_keys(packed)
        walk.wait("the file", lambda: browser.find_element(By.ID, "sent").text == "Sent.")
        walk.mistake(passphrase="another")
        walk.fill(passphrase=PASSPHRASE)
        photograph(browser, "setup-restoring")
        walk.wait("the restored shop", lambda: heading(browser) in ("The shop is open", "It works"), START_S)
        new.until("ok")
        async with chat(town, admin=True) as admin:
            await admin.say(admin.link("album1"))
            await admin.until(lambda message: message.media is not None, START_S)
        assert town.env["TELEGRAM_BOT_TOKEN"] in (new.volume / "settings.env").read_text()
        assert not secrets_in([new.volume / "logs"], [PASSPHRASE, town.env["TELEGRAM_BOT_TOKEN"]])
        browser.get("about:blank")
        complaints(browser)  # a server that starts anew does not answer for a moment


class Walk:
    """A walk through the pages, on which everything is photographed and each program is killed in its turn."""

    def __init__(self, browser: webdriver.Chrome, empty: Installation) -> None:
        self._browser, self._empty = browser, empty
        self._steps = 0

    def step(self, name: str, go: Callable[[], None]) -> None:
        """Photograph a page, kill a program, and go on from the page that is shown then."""
        photograph(self._browser, f"setup-{name}")
        self._steps += 1
        if self._steps % 4:
            self._kill(PROGRAMS[self._steps % 4 - 1])
        else:
            self._restart()
        before = heading(self._browser)
        self._browser.get(f"{self._empty.url}/setup/")
        assert heading(self._browser) == before, "it goes on where it was interrupted"
        complaints(self._browser)
        page = self._page()
        go()
        self.wait("another page, without a fault", lambda: self._page() != page and not self.holds('id="fault"'))

    def mistake(self, **fields: str) -> None:
        """Type something wrong: it is refused in words, and no secret is shown again."""
        before = heading(self._browser)
        self.fill(**fields)
        self.wait("what is wrong", lambda: self.holds('id="fault"'))
        assert heading(self._browser) == before
        fault = self._browser.find_element(By.ID, "fault").text
        assert len(fault) > 20
        shown = [
            each.get_attribute("value") for each in self._browser.find_elements(By.CSS_SELECTOR, "[type=password]")
        ]
        assert not any(shown)

    def fill(self, **fields: str) -> None:
        """Fill a form in, and send it."""
        for name, value in fields.items():
            field = self._browser.find_element(By.ID, f"f-{name}")
            self._browser.execute_script("arguments[0].closest('details')?.setAttribute('open', '')", field)
            self._browser.execute_script("arguments[0].value = arguments[1]", field, value)
        press(self._browser, "go")

    def answer(self, text: str) -> None:
        """Answer what the account's log-in asks for."""
        self._browser.find_element(By.ID, "login-answer").send_keys(text)
        self._browser.find_element(By.CSS_SELECTOR, "#login button[type=submit]").click()

    def _page(self) -> str:
        """What tells one loading of a page from the next."""
        return str(self._browser.find_element(By.TAG_NAME, "html").id)

    def holds(self, part: str) -> bool:
        """Whether the page holds this."""
        return part in self._browser.page_source

    def wait(self, what: str, seen: Callable[[], bool], patience: float = PATIENCE_S) -> None:
        """Wait until the page has changed by itself."""
        WebDriverWait(self._browser, patience, 0.2).until(lambda _: _quietly(seen), what)

    def _kill(self, module: str) -> None:
        before = set(self._empty.pids(module))
        self._empty.kill(module)
        until(lambda: (now := set(self._empty.pids(module))) and not now & before, f"another {module}", START_S, 0.1)
        self._empty.until("setup")

    def _restart(self) -> None:
        """Kill the launcher, and with it everything; the platform starts it anew."""
        assert self._empty.process is not None
        self._empty.process.kill()
        self._empty.process.wait()
        until(lambda: not any(map(self._empty.pids, PROGRAMS)), "the end of all programs", START_S, 0.1)
        self._empty.start().until("setup")


def _quietly(seen: Callable[[], bool]) -> bool:
    """False while the page is being loaded anew."""
    try:
        return seen()
    except (StaleElementReferenceException, NoSuchElementException):
        return False


def _a_second_changes_nothing(empty: Installation, place: Path) -> None:
    with chromium(place / "second") as other:
        show(other, 390, "light")
        other.get(empty.url + empty.address())
        assert heading(other) == "Somebody has begun"
        photograph(other, "setup-second")
        other.get(f"{empty.url}/setup/")
        assert heading(other) == "Open your set-up address first"


def _command_lines() -> str:
    files = (file for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists())
    return " ".join(_read(file) for file in files)


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
