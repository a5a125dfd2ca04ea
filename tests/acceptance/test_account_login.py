"""An account's log-in in a real browser, at each of its steps; a daemon is played by the rows that it would write."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from config import settings
from config.settings import Settings
from config.texts import LANGUAGES
from models import console_sessions, users
from models.accounts import logins, pool, sealing
from models.accounts.logins import LoginInfo, Step
from models.accounts.pool import AccountState, Person
from models.database import transaction
from tests import environment
from tests.browser import faults, heading, inspect, photograph, press
from tests.integration.web.test_web_process import Web, beat, web

__all__ = ["web"]

ADMIN = 4242
NUMBER, CODE = "+34 600 00 00 01", "70-914"

pytestmark = pytest.mark.parametrize("web", [{"ADMIN_IDS": str(ADMIN)}], indirect=True)


@pytest.fixture
def recipient(web: Web, tmp_path: Path) -> Iterator[sealing.Recipient]:
    """What a daemon knows, in a shop with an account in each state."""
    now, loaded = int(time.time()), settings.load(environment.minimal(tmp_path), None)
    beat()
    users.seen(ADMIN, "Alba", "alba", "en", now)
    pool.begin(loaded, now)
    for number, state in enumerate(AccountState):
        known = add(Person(20 + number, f"Account of {state}", f"name{number}"), loaded, now)
        if state not in (AccountState.STANDBY, AccountState.ACTIVE):
            pool.lost(known, state, "AUTH_KEY_UNREGISTERED", now)
    given = next(each for each in pool.all() if each.is_given)
    pool.flooded(given.id, {"contacts.resolveUsername": now + 5000}, now)
    played = sealing.Recipient()
    logins.serve(played.public, now)
    yield played


def add(person: Person, loaded: Settings, now: int) -> int:
    with transaction():
        return pool.add(person, "a session", replace(loaded), now, reads=False, by=None)


def enter(driver: webdriver.Chrome, web: Web) -> None:
    """As the admin, to the accounts."""
    driver.get(f"{web.url}/console/login/{console_sessions.make_link(ADMIN, int(time.time()))}?next=/console/accounts")
    press(driver, "log-in")
    assert heading(driver) in ("Accounts", "Cuentas", "Contas")


def type_in(driver: webdriver.Chrome, text: str) -> None:
    driver.find_element(By.ID, "login-answer").send_keys(text)
    press(driver, "login-next")


def taken(recipient: sealing.Recipient) -> tuple[LoginInfo, str]:
    """The present log-in, and what was typed, as the daemon reads it."""
    login = logins.current()
    assert login is not None
    sealed = logins.take(login.id)
    assert sealed is not None
    return login, recipient.opened(sealed, login.about)


def test_each_step_is_clean_and_fits(web: Web, browser: webdriver.Chrome, recipient: sealing.Recipient) -> None:
    enter(browser, web)
    inspect(browser, "accounts")
    type_in(browser, NUMBER)
    login, typed = taken(recipient)
    assert typed == NUMBER
    logins.ask(login.id, Step.CODE, where="app")
    browser.get(f"{web.url}/console/accounts/login")
    inspect(browser, "account-code")
    type_in(browser, CODE)
    assert taken(recipient)[1] == CODE
    logins.ask_again(login.id, "PHONE_CODE_INVALID")
    browser.get(f"{web.url}/console/accounts/login")
    inspect(browser, "account-code-wrong")
    logins.ask(login.id, Step.PASSWORD)
    browser.get(f"{web.url}/console/accounts/login")
    inspect(browser, "account-password")
    logins.fail(login.id, "FLOOD_WAIT", seconds=5000)
    browser.get(f"{web.url}/console/accounts/login")
    inspect(browser, "account-ended")
    press(browser, "back")
    assert heading(browser) == "Accounts"


def test_a_qr_code_is_clean_and_fits(
    web: Web, browser: webdriver.Chrome, recipient: sealing.Recipient, tmp_path: Path
) -> None:
    enter(browser, web)
    press(browser, "login-qr")
    login = logins.current()
    assert login is not None and login.step is Step.SCAN
    key = settings.load(environment.minimal(tmp_path), None).secret_key
    token = "tg://login?token=" + "A" * 43
    logins.ask(login.id, Step.SCAN, qr=sealing.keep(key, token, login.about))
    browser.get(f"{web.url}/console/accounts/login")
    assert browser.find_element(By.CSS_SELECTOR, "svg.qr").is_displayed()
    assert faults(browser) == []
    browser.get(f"{web.url}/console/accounts/login")
    photograph(browser, "account-qr")
    press(browser, "login-cancel")
    assert "You have ended it" in browser.find_element(By.ID, "fault").text


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_fits(web: Web, browser: webdriver.Chrome, recipient: sealing.Recipient, language: str) -> None:
    users.set_language(ADMIN, language, int(time.time()))
    enter(browser, web)
    photograph(browser, f"accounts-{language}")
    type_in(browser, NUMBER)
    logins.ask(taken(recipient)[0].id, Step.CODE, where="app")
    browser.get(f"{web.url}/console/accounts/login")
    photograph(browser, f"account-code-{language}")
