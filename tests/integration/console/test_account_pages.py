"""An account is logged in on the console's page, step by step, mistakes included; one that is lost is replaced."""

import asyncio
import html
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from models import users
from models.accounts import pool
from models.jobs import sources
from tests.daemon_process import chat, labels
from tests.operator_browser import Operator, form_to
from tests.paypal_shop import until
from tests.sandbox_process import Sandbox
from tests.town import Town

ACCOUNTS, LOGIN = "/console/accounts", "/console/accounts/login"
ANSWER = f"{LOGIN}/answer"
BEGIN = LOGIN
WAITING = 20
FAULT = re.compile(r'id="fault" role="alert">(.*?)</p>')


@pytest.fixture
def admin(town: Town) -> Operator:
    """The admin of the town, in the console."""
    admin_id = town.sandbox.scenario["admin"]["id"]
    users.seen(admin_id, "Alba", None, "en", int(time.time()))
    browser = Operator(town.shop.web.url, "10.250.0.3")
    browser.log_in(admin_id)
    return browser


@pytest.fixture
def reserve(town: Town) -> Iterator[dict[str, Any]]:
    """Another account of the operator's; afterwards the first one reads again, alone."""
    (person,) = town.sandbox.control("POST", "/users", {"language_code": "en"})["users"]
    yield person | {"phone": f"34699{str(person['id'])[-6:]}"}
    given = next(each for each in pool.all() if each.is_given)
    town.sandbox.control("POST", "/faults", {"fault": "restore_keys", "account": "peaje_operator"})
    pool.use(given.id, None, int(time.time()))
    until(lambda: state_of(town) == "ok", "the first account reads again")
    for other in pool.all():
        if not other.is_given:
            pool.forget(other.id, None, int(time.time()))


def state_of(town: Town) -> str:
    """How the account's connection is, as the daemon says."""
    said: str = requests.get(f"{town.shop.web.url}/health", timeout=10).json()["checks"]["account"]["detail"]
    return said


def code_of(sandbox: Sandbox, phone: str) -> str:
    """The code that Telegram has sent last, as it is typed: with a dash."""
    code = str(sandbox.control("GET", f"/login-code?phone={phone}")["code"])
    return f"{code[:2]}-{code[2:]}"


def settled(admin: Operator, page: str) -> str:
    """The page of the log-in once Telegram has answered: it is shown again until then."""
    deadline = time.monotonic() + WAITING
    while time.monotonic() < deadline:
        if "Telegram is being asked" not in page:
            return page
        page = admin.follow(admin.get(LOGIN)).text
    raise AssertionError(page)


def begin(admin: Operator, number: str, **more: str) -> str:
    """Begin a log-in by a number; the page that answers."""
    return settled(admin, admin.send(form_to(admin.page(ACCOUNTS), BEGIN), answer=number, **more))


def answer(admin: Operator, page: str, text: str, **more: str) -> str:
    """Answer what a page asks for; the next page."""
    return settled(admin, admin.send(form_to(page, ANSWER), answer=text, **more))


def fault(page: str) -> str:
    """What a page says was wrong."""
    found = FAULT.search(page)
    return html.unescape(found[1]) if found else ""


async def test_a_lost_account_is_replaced_while_links_wait(
    town: Town, admin: Operator, reserve: dict[str, Any]
) -> None:
    operator = town.sandbox.scenario["operator"]["id"]
    room = {"title": "waiting room", "members": [operator, reserve["id"]]}
    chat_id = town.sandbox.control("POST", "/chats", room)["chat_id"]
    sources.allow(abs(chat_id) - 10**12, operator, int(time.time()))
    async with chat(town.sandbox, admin=True) as alba, chat(town.sandbox) as customer:
        await alba.ask("/language en")
        # Given an account that Telegram has logged out, and twenty links that wait for it
        town.sandbox.control("POST", "/faults", {"fault": "revoke", "account": "peaje_operator", "reset": True})
        alarm = await alba.until_text("has logged out", timeout=40)
        assert labels(alarm) == ["🔑 Log in an account"]
        for number in range(20):
            post = {"chat": chat_id, "kind": "text", "caption": f"post {number}"}
            await customer.say(town.sandbox.control("POST", "/posts", post)["url"])
        # When the operator logs another one in
        page = await asyncio.to_thread(begin, admin, f"+{reserve['phone']}")
        assert "look into the chat" in page
        page = await asyncio.to_thread(answer, admin, page, code_of(town.sandbox, reserve["phone"]))
        assert "is logged in." in page
        # Then all of them arrive, and the admins hear of it
        arrived = set()
        while len(arrived) < 20:
            message = await customer.until(lambda it: (it.text or "").startswith("post "), timeout=60)
            arrived.add(message.text)
        await alba.until_text("reads from now on", timeout=20)
        await alba.until_text("Solved after", timeout=20)
