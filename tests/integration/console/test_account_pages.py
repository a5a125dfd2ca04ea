"""An account is logged in on the console's page, step by step, mistakes included; one that is lost is replaced."""

import asyncio
import contextlib
import html
import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pyrogram import raw
from pyrogram.types import Message

from config import settings
from models import users
from models.accounts import logins, pool
from models.jobs import sources
from models.tables import AccountLogin
from tests import clients
from tests.daemon_process import Chat, Daemon, chat, labels
from tests.integration.sandbox.accounts import running
from tests.operator_browser import Form, Operator, form_to, forms
from tests.paypal_shop import until
from tests.sandbox_process import Sandbox
from tests.town import Town

_places = itertools.count()
OPERATOR = "peaje_operator"
ACCOUNTS, LOGIN = "/console/accounts", "/console/accounts/login"
ANSWER = f"{LOGIN}/answer"
WAITING = 20
LOOK_S = 0.25
"""The console answers a visitor 240 times a minute."""
ASKED = "Telegram is being asked"
FAULT = re.compile(r'id="fault" role="alert">(.*?)</p>')


@pytest.fixture
def admin(town: Town) -> Operator:
    """The admin of the town, in the console."""
    admin_id = town.sandbox.scenario["admin"]["id"]
    users.seen(admin_id, "Alba", None, "en", int(time.time()))
    browser = Operator(town.shop.web.url, f"10.251.0.{next(_places)}")
    browser.log_in(admin_id)
    return browser


@pytest.fixture
def reserve(town: Town) -> Iterator[dict[str, Any]]:
    """Another account of the operator's; afterwards the first one reads again, alone."""
    (person,) = town.sandbox.control("POST", "/users", {"language_code": "en"})["users"]
    yield person | {"phone": f"34699{str(person['id'])[-6:]}"}
    given = next(each for each in pool.all() if each.is_given)
    town.sandbox.control("POST", "/faults", {"fault": "restore_keys", "account": OPERATOR})
    logins.end_all("cancelled")
    AccountLogin.update(codes=0).execute()  # of tomorrow
    pool.use(given.id, None, int(time.time()))
    until(lambda: state_of(town) == "ok", "the first account reads again")
    for other in pool.all():
        if not other.is_given:
            pool.forget(other.id, None, int(time.time()))


def check_of(town: Town) -> dict[str, str]:
    """How the account is, as ``/health`` says."""
    said = requests.get(f"{town.shop.web.url}/health", timeout=10).json()["checks"]["account"]
    return {name: said[name] for name in ("status", "detail")}


def state_of(town: Town) -> str:
    """How the account's connection is."""
    return check_of(town)["detail"]


def code_of(sandbox: Sandbox, phone: str) -> str:
    """The code that Telegram has sent last, as it is typed: with a dash."""
    code = str(sandbox.control("GET", f"/login-code?phone={phone}")["code"])
    return f"{code[:2]}-{code[2:]}"


def settled(admin: Operator, page: str) -> str:
    """The page of the log-in once Telegram has answered: it is shown again until then."""
    return shown_in_time(admin, lambda text: ASKED not in text) if ASKED in page else page


def shown_in_time(admin: Operator, fits: Callable[[str], bool]) -> str:
    """The page of the log-in once it *fits*; as the page itself is shown again, but sooner."""

    def look() -> str:
        page = admin.follow(admin.get(LOGIN))
        assert page.ok, page.text
        return page.text if fits(page.text) else ""

    return until(look, "the next page of the log-in", WAITING, LOOK_S)


def begin(admin: Operator, number: str) -> str:
    """Begin a log-in by a number, for an account that is to stand by; the page that answers."""
    return settled(admin, admin.send(form_to(admin.page(ACCOUNTS), LOGIN), answer=number, reads=""))


def answer(admin: Operator, page: str, text: str, **more: str) -> str:
    """Answer what a page asks for; the next page."""
    return settled(admin, admin.send(form_to(page, ANSWER), answer=text, **more))


def fault(page: str) -> str:
    """What a page says was wrong."""
    found = FAULT.search(page)
    return html.unescape(found[1]) if found else ""


def waiting_room(town: Town, *members: int) -> int:
    """A private chat that is open to all customers, and that only these accounts can read."""
    return opened(made_chat(town, *members), members[0])


def made_chat(town: Town, *members: int) -> int:
    """A private chat of these accounts."""
    made = town.sandbox.control("POST", "/chats", {"title": "waiting room", "members": members})
    return int(made["chat_id"])


def opened(chat_id: int, by: int) -> int:
    """The chat, open to all customers."""
    sources.allow(abs(chat_id) - 10**12, by, int(time.time()))
    return chat_id


@pytest.fixture(scope="module")
def known_chat(open_town: Town) -> int:
    """A private chat of the first account, for several tests: it looks for a new one every two seconds at most."""
    return made_chat(open_town, open_town.sandbox.scenario["operator"]["id"])


async def ask_for(customer: Chat, town: Town, chat_id: int, number: int) -> None:
    """Send links of so many posts of a chat."""
    for each in range(number):
        post = {"chat": chat_id, "kind": "text", "caption": f"post {each}"}
        await customer.say(town.sandbox.control("POST", "/posts", post)["url"])


async def until_arrived(customer: Chat, number: int) -> None:
    """Wait until all of them have arrived."""
    arrived = set()
    while len(arrived) < number:
        message = await customer.until(lambda it: (it.text or "").startswith("post "), timeout=60)
        arrived.add(message.text)


async def revoked(town: Town, alba: Chat) -> Message:
    """Telegram logs the reading account out; the alarm."""
    await alba.ask("/language en")
    town.sandbox.control("POST", "/faults", {"fault": "revoke", "account": OPERATOR, "reset": True})
    return await alba.until_text("is logged out", timeout=40)


async def test_a_lost_account_is_replaced_while_links_wait(
    town: Town, admin: Operator, reserve: dict[str, Any]
) -> None:
    room = waiting_room(town, town.sandbox.scenario["operator"]["id"], reserve["id"])
    async with chat(town.sandbox, admin=True) as alba, chat(town.sandbox) as customer:
        # Given an account that Telegram has logged out, and twenty links that wait for it
        alarm = await revoked(town, alba)
        assert labels(alarm) == ["🔑 Log in an account"]
        await ask_for(customer, town, room, 20)
        # When the operator logs another one in
        page = await asyncio.to_thread(begin, admin, f"+{reserve['phone']}")
        assert "look into the chat" in page
        page = await asyncio.to_thread(answer, admin, page, code_of(town.sandbox, reserve["phone"]))
        assert "is logged in." in page
        # Then all of them arrive, and the admins hear of it
        await until_arrived(customer, 20)
        await alba.until_text("reads from now on", timeout=20)
        await alba.until_text("Solved after", timeout=20)


async def test_a_standby_takes_over_by_one_tap(town: Town, admin: Operator, reserve: dict[str, Any]) -> None:
    room = waiting_room(town, town.sandbox.scenario["operator"]["id"], reserve["id"])
    page = await asyncio.to_thread(begin, admin, reserve["phone"])
    page = await asyncio.to_thread(answer, admin, page, code_of(town.sandbox, reserve["phone"]))
    assert state_on(page, reserve) == "stands by"
    async with chat(town.sandbox, admin=True) as alba, chat(town.sandbox) as customer:
        alarm = await revoked(town, alba)
        await ask_for(customer, town, room, 3)
        taken = await alba.press(alarm, f"Use Extra {str(reserve['id'])[-6:]} instead")
        assert "takes over" in (taken.text or "")
        await until_arrived(customer, 3)
    assert state_on(admin.page(ACCOUNTS), reserve) == "reads"


def state_on(page: str, person: dict[str, Any]) -> str:
    """How the accounts' page says that an account is."""
    card = page.partition(f"<h2>Extra {str(person['id'])[-6:]}</h2>")[2]
    return re.findall(r'class="mark [a-z]+">([^<]+)<', card)[0]


async def test_an_account_rests_while_it_is_paused(
    town: Town, admin: Operator, reserve: dict[str, Any], known_chat: int
) -> None:
    room = opened(known_chat, town.sandbox.scenario["operator"]["id"])
    given = next(each.id for each in pool.all() if each.is_given)
    async with chat(town.sandbox) as customer:
        await customer.ask("/start")
        press(admin, f"{ACCOUNTS}/{given}/pause")
        await asyncio.to_thread(until, lambda: check_of(town) == {"status": "off", "detail": "paused"}, "it rests")
        await ask_for(customer, town, room, 1)
        press(admin, f"{ACCOUNTS}/{given}/use")
        await until_arrived(customer, 1)


async def test_a_flood_wait_is_shown(town: Town, admin: Operator, reserve: dict[str, Any], known_chat: int) -> None:
    room = opened(known_chat, town.sandbox.scenario["operator"]["id"])
    flood = {"fault": "flood_wait", "method": "channels.getMessages", "account": OPERATOR, "seconds": 600}
    town.sandbox.control("POST", "/faults", flood)
    async with chat(town.sandbox) as customer:
        await ask_for(customer, town, room, 1)
        until(lambda: any(each.floods for each in pool.all()), "the flood wait")
        for path in (ACCOUNTS, "/console/health"):
            assert "channels.getMessages" in admin.page(path)
        await customer.say("/cancel")


def press(admin: Operator, path: str) -> str:
    """Press the button of the accounts' page that leads there."""
    return admin.send(form_to(admin.page(ACCOUNTS), path))


def thoroughly(typed: tuple[str, ...]) -> object:
    """Only in the long run: each costs three answers of Telegram."""
    return pytest.param(typed, marks=pytest.mark.acceptance)


WRONG_NUMBERS = ("nobody", "+", "00", "12", "+34 600 99 99 99", "123456789:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0", "💥",
                 "' OR 1=1 --", "9" * 256, "+34\u202e600")  # fmt: skip
WRONG_CODES = ("0", "00000", "wrong", "7-0-9-1-4-9", "💥", "12 34 56 78", "<b>", "' --", "9" * 256, "\u0661\u0662")
WRONG_PASSWORDS = (
    "x",
    "open barley",
    "Open sesame",
    "open sesame ",
    "💥",
    "<script>",
    "' --",
    "9" * 256,
    "ñ",
    "open\tsesame",
)


def test_ten_mistakes_at_each_question(town: Town, admin: Operator, reserve: dict[str, Any]) -> None:
    for at in range(0, 10, 3):
        page = begin(admin, WRONG_NUMBERS[at])
        for typed in WRONG_NUMBERS[at + 1 : at + 3]:
            assert "country code" in fault(page) or "bot" in fault(page), fault(page)
            page = answer(admin, page, typed)
        if at < 9:
            assert form_of(page) is None
            assert "country code" in fault(page) or "bot" in fault(page), fault(page)
    page = begin(admin, reserve["phone"])
    for typed in WRONG_CODES[:2]:
        page = answer(admin, page, typed)
        assert fault(page).startswith("The code is wrong")
    town.sandbox.control("POST", "/faults", {"fault": "password", "account": reserve["id"], "password": "open sesame"})
    page = answer(admin, page, code_of(town.sandbox, reserve["phone"]))
    assert "Two-step password" in page
    for typed in WRONG_PASSWORDS[:2]:
        page = answer(admin, page, typed)
        assert fault(page).startswith("The password is wrong")
    assert "is logged in." in answer(admin, page, "open sesame")


@pytest.mark.parametrize("typed", [WRONG_CODES[2:5], *map(thoroughly, (WRONG_CODES[5:8], WRONG_CODES[7:10]))])
def test_three_wrong_codes_end_it(town: Town, admin: Operator, reserve: dict[str, Any], typed: tuple[str, ...]) -> None:
    page = begin(admin, reserve["phone"])
    for each in typed:
        page = answer(admin, page, each)
        assert fault(page).startswith("The code is wrong")
    assert form_of(page) is None and "Back to the accounts" in page


@pytest.mark.parametrize(
    "typed", [WRONG_PASSWORDS[2:5], *map(thoroughly, (WRONG_PASSWORDS[5:8], WRONG_PASSWORDS[7:10]))]
)
def test_three_wrong_passwords_end_it(
    town: Town, admin: Operator, reserve: dict[str, Any], typed: tuple[str, ...]
) -> None:
    town.sandbox.control("POST", "/faults", {"fault": "password", "account": reserve["id"], "password": "open sesame"})
    page = answer(admin, begin(admin, reserve["phone"]), code_of(town.sandbox, reserve["phone"]))
    for each in typed:
        page = answer(admin, page, each)
        assert fault(page).startswith("The password is wrong")
    assert form_of(page) is None


def test_an_answer_to_an_earlier_question_is_refused(town: Town, admin: Operator, reserve: dict[str, Any]) -> None:
    page = begin(admin, reserve["phone"])
    old = form_to(page, ANSWER)
    late = settled(admin, admin.send(old, step="number", answer="+34 600 00 00 01"))
    assert "That was answered already" in late or "that was answered already" in late
    assert "Login code" in late
    assert "is logged in." in answer(admin, late, code_of(town.sandbox, reserve["phone"]))


@pytest.mark.parametrize(
    ("fault_of", "said"),
    [
        ({"fault": "flood_wait", "seconds": 5000}, "Telegram wants a rest of"),
        ({"fault": "error", "code": 400, "error": "PHONE_NUMBER_BANNED"}, "Telegram has banned this number"),
        ({"fault": "error", "code": 406, "error": "PHONE_PASSWORD_FLOOD"}, "too many attempts"),
        ({"fault": "error", "code": 400, "error": "PHONE_NUMBER_APP_SIGNUP_FORBIDDEN"}, "Telegram refuses the login"),
    ],
)
def test_what_telegram_refuses_is_said(
    town: Town, admin: Operator, reserve: dict[str, Any], fault_of: dict[str, Any], said: str
) -> None:
    town.sandbox.control("POST", "/faults", {"method": "auth.sendCode", **fault_of})
    page = begin(admin, reserve["phone"])
    assert said in fault(page) and form_of(page) is None
    assert logins.codes_left(int(time.time())) == logins.CODES_A_DAY, "no code was sent"


def test_a_telegram_that_is_away_is_asked_again(town: Town, admin: Operator, reserve: dict[str, Any]) -> None:
    town.sandbox.control("POST", "/faults", {"fault": "error", "method": "auth.sendCode", "code": 500,
                                             "error": "AUTH_RESTART", "count": None})  # fmt: skip
    page = begin(admin, reserve["phone"])
    town.sandbox.control("DELETE", "/faults")
    assert fault(page)
    assert "Login code" in begin(admin, reserve["phone"])


def test_another_admins_log_in_takes_the_place(town: Town, admin: Operator, reserve: dict[str, Any]) -> None:
    begin(admin, reserve["phone"])
    logins.begin(logins.How.QR, 5_300_000_002, int(time.time()))
    assert "Another log-in was begun" in fault(admin.follow(admin.get(LOGIN)).text)


def form_of(page: str) -> Form | None:
    """The form that a log-in goes on with."""
    return next((each for each in forms(page) if each.action == ANSWER), None)


def test_another_code_comes_by_sms(town: Town, admin: Operator, reserve: dict[str, Any]) -> None:
    page = begin(admin, reserve["phone"])
    page = answer(admin, page, "", again="1")
    assert "Telegram has sent a code by SMS." in page
    # There is no way after that: a new code begins at the first one
    assert "look into the chat" in answer(admin, page, "", again="1")


async def scanned(town: Town, admin: Operator, person: dict[str, Any]) -> None:
    """Begin a log-in by QR code, which somebody scans."""
    form = form_to(await asyncio.to_thread(admin.page, ACCOUNTS), LOGIN)
    page = settled(admin, await asyncio.to_thread(admin.send, form, how="qr"))
    assert "<svg" in page and "Link Desktop Device" in page
    token = town.sandbox.control("GET", "/login-tokens")["tokens"][-1]
    camera = clients.client(town.sandbox.scenario, session_string=person["session_string"], no_updates=True)
    async with running(camera) as phone:
        await phone.invoke(raw.functions.auth.AcceptLoginToken(token=bytes.fromhex(token)))


async def test_a_qr_code_logs_in(town: Town, admin: Operator, reserve: dict[str, Any]) -> None:
    await scanned(town, admin, reserve)
    shown_in_time(admin, lambda text: "is logged in." in text)


async def test_after_a_qr_code_the_password_is_asked(town: Town, admin: Operator, reserve: dict[str, Any]) -> None:
    town.sandbox.control("POST", "/faults", {"fault": "password", "account": reserve["id"], "password": "open sesame"})
    await scanned(town, admin, reserve)
    page = shown_in_time(admin, lambda text: "Two-step password" in text)
    assert "is logged in." in await asyncio.to_thread(answer, admin, page, "open sesame")


def test_a_daemon_killed_in_the_middle_begins_again(town: Town, admin: Operator, reserve: dict[str, Any]) -> None:
    page = begin(admin, reserve["phone"])
    code = code_of(town.sandbox, reserve["phone"])
    town.daemon.kill()
    admin.send(form_to(page, ANSWER), answer=code)
    town.daemon.start()
    shown_in_time(admin, lambda text: "restarted meanwhile" in text)
    page = answer(admin, begin(admin, reserve["phone"]), code_of(town.sandbox, reserve["phone"]))
    assert "is logged in." in page


def test_nothing_that_was_typed_is_kept(town: Town, admin: Operator, reserve: dict[str, Any]) -> None:
    password = "an open and secret sesame"
    town.sandbox.control("POST", "/faults", {"fault": "password", "account": reserve["id"], "password": password})
    before, running_before = written(town), {*running_now()}  # a code is five digits, which a number may hold by chance
    page = begin(admin, reserve["phone"])
    code = code_of(town.sandbox, reserve["phone"])
    pages = [page, answer(admin, page, code)]
    pages.append(answer(admin, pages[-1], password))
    known = next(each for each in pool.all() if each.user_id == reserve["id"])
    session = pool.session_of(known, settings.load(town.shop.settings(1), None))
    assert session is not None
    secrets = [reserve["phone"], code, code.replace("-", ""), password, session, session[20:60]]
    for file, content in written(town).items():
        had = before.get(file, b"")
        assert not [word[:6] for word in secrets if word.encode() in content and word.encode() not in had], file.name
    assert not [secret for secret in secrets for each in [*pages, admin.page(ACCOUNTS)] if secret in each]
    begun = {*running_now()} - running_before
    assert not [secret for secret in secrets for line in begun if secret.encode() in line]


def written(town: Town) -> dict[Path, bytes]:
    """What the town's programs have written: database and logs."""
    place = town.shop.database_file.parent
    files = [*place.glob("peaje.db*"), *place.glob("logs/*"), place / "stderr"]
    return {file: file.read_bytes() for file in files if file.is_file()}


def running_now() -> Iterator[bytes]:
    """The command lines of all processes; one may end while it is looked at."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield file.read_bytes()


def test_two_processes_do_not_use_one_account(town: Town, tmp_path: Path) -> None:
    second = Daemon(town.sandbox, tmp_path / "another")
    second.start(wait_for="account.in_use")
    second.kill()
    assert not [line for line in second.log() if line["message"] in ("bot.connected", "account.connected")]
    assert state_of(town) == "ok"


def test_a_stranger_sees_no_accounts(town: Town, admin: Operator) -> None:
    stranger = Operator(town.shop.web.url, "10.250.0.4")
    assert stranger.get(ACCOUNTS).status_code == 401
    foreign = admin.post(LOGIN, {"answer": "1", "token": "0" * 64})
    assert foreign.status_code == 403
