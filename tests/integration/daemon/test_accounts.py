"""A daemon whose account is in the database alone, and what it says where that account cannot be used."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyrogram import Client

from config import settings
from config.settings import Settings
from daemon.accounts.logins import Logins
from daemon.database import Database
from daemon.telegram import account_guard, clients, standing
from daemon.wakeup import Wakeup, Watcher
from models import database, notes
from models.accounts import logins, pool
from models.accounts.logins import How, Step
from models.accounts.pool import AccountState, Person
from models.database import transaction
from models.event_kinds import IncidentKey
from models.maintenance import health
from models.tables import Account
from tests import environment
from tests.daemon_process import Daemon, chat, labels
from tests.sandbox_process import Sandbox

KEY = "a-secret-key-of-tests"


@pytest.fixture
def alone(daemon_sandbox: Sandbox, lonely_daemon: Daemon, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon whose settings hold no session, not started; no other one runs."""
    own = Daemon(daemon_sandbox, tmp_path / "alone", {"TELEGRAM_SESSION_STRING": "", "SECRET_KEY": KEY})
    own.db_path.mkdir()
    database.migrate(own.db_path / "peaje.db")
    yield own
    if own.is_alive:
        assert own.stop() == 0


def add(own: Daemon, session: str, person: Person) -> int:
    """Keep an account as a log-in does."""
    with own.opened() as now, transaction():
        return pool.add(person, session, settings_of(own), now, reads=False, by=None)


def settings_of(own: Daemon) -> Settings:
    environ = {**own.sandbox.env, "DB_PATH": str(own.db_path), **own.settings}
    return replace(settings.load(environ, None), secret_key=KEY)


def operators_session(sandbox: Sandbox) -> tuple[str, Person]:
    """One more session of the account that is in the chats."""
    made: dict[str, Any] = sandbox.control("POST", "/sessions", {"user": "peaje_operator"})
    return made["session_string"], Person(made["id"], "Operator", "peaje_operator")


async def test_an_account_in_the_database_is_enough(daemon_sandbox: Sandbox, alone: Daemon) -> None:
    add(alone, *operators_session(daemon_sandbox))
    alone.start()
    alone.until_logged("account.connected")
    async with chat(daemon_sandbox) as customer:
        await customer.say(customer.link("video1"))
        await customer.until(lambda message: message.video is not None, timeout=20)


def test_without_any_account_it_ends_with_78(alone: Daemon) -> None:
    with pytest.raises(AssertionError):
        alone.start()
    assert alone.process is not None and alone.process.wait(10) == 78
    assert "TELEGRAM_SESSION_STRING is missing" in alone.log()[-1]["message"]


async def test_another_secret_key_is_told_and_the_bot_answers(daemon_sandbox: Sandbox, alone: Daemon) -> None:
    account = add(alone, *operators_session(daemon_sandbox))
    alone.settings["SECRET_KEY"] = "another-secret-key"
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.say("/language en")
        alone.start(wait_for="account.unopenable")
        await admin.until_text("SECRET_KEY", timeout=20)
        await admin.say("/language en")
        await admin.say("/status")
        status = (await admin.until_text("Accounts", timeout=20)).text or ""
        assert "Operator: its session does not open" in status and "account does not open" in status
    with alone.opened():
        known = pool.get(account)
        assert known is not None and known.state is AccountState.UNOPENABLE
    # When the former key is back, then the account reads on
    alone.settings["SECRET_KEY"] = KEY
    alone.stop()
    alone.start(wait_for="account.connected")
    with alone.opened():
        known = pool.get(account)
        assert known is not None and known.state is AccountState.ACTIVE


def test_a_killed_daemon_leaves_its_account_to_the_next(daemon_sandbox: Sandbox, alone: Daemon) -> None:
    session, person = operators_session(daemon_sandbox)
    account = add(alone, session, person)
    endpoint = settings.load({**daemon_sandbox.env, "DB_PATH": str(alone.db_path)}, None).telegram_endpoint
    assert not account_guard.is_held(session, endpoint)
    alone.start(wait_for="account.connected")
    assert account_guard.is_held(session, endpoint), "no other daemon of this machine may read with it"
    alone.kill()
    with alone.opened() as now:
        known = pool.get(account)
        assert known is not None and known.is_leased(now)
        assert not pool.lease(account, "another machine/1", int(time.time()), machine="another machine")
    alone.start(wait_for="account.connected")
    assert alone.stop() == 0
    with alone.opened() as now:
        known = pool.get(account)
        assert known is not None and not known.is_leased(now)


async def test_standbys_are_looked_at_once_a_day(daemon_sandbox: Sandbox, alone: Daemon) -> None:
    add(alone, *operators_session(daemon_sandbox))
    good, lost = daemon_sandbox.control("POST", "/users", {"count": 2})["users"]
    nonsense = {"session_string": "no session", "id": 77}  # the others are looked at all the same
    ids = [add(alone, each["session_string"], Person(each["id"], "Standby", None)) for each in (nonsense, good, lost)]
    with alone.opened() as now, transaction():
        Account.update(seen_at=now - 86_400).where(Account.id.in_(ids)).execute()
    daemon_sandbox.control("POST", "/faults", {"fault": "revoke", "account": lost["id"]})
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.say("/language en")
        alone.start(wait_for="standby.failed")
        told = await admin.until(lambda it: (it.text or "").startswith("⚠️") and "Standby" in it.text, timeout=20)
        assert len(labels(told)) == 1
    with alone.opened() as now:
        found = [known for each in ids if (known := pool.get(each)) is not None]
    assert [each.state for each in found] == [AccountState.STANDBY, AccountState.STANDBY, AccountState.REVOKED]
    assert found[1].seen_at is not None and now - found[1].seen_at < 60
    assert not any(each.is_leased(now) for each in found)


@pytest.fixture(params=["sign_in", "export_session_string"])
async def log_ins(
    request: pytest.FixtureRequest, daemon_sandbox: Sandbox, database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Wakeup]:
    """The log-ins of accounts, in a process that has made this step only when nobody wants the account any more."""
    step = getattr(Client, request.param)

    async def ended_meanwhile(client: Client, *answer: str) -> Any:
        made = await step(client, *answer)
        await running(logins.end_all, "cancelled")
        return made

    monkeypatch.setattr(Client, request.param, ended_meanwhile)
    running, wakeup = Database(), Wakeup(Watcher())
    loaded = settings.load({**daemon_sandbox.env, "DB_PATH": str(database_file.parent)}, None)
    work = asyncio.create_task(Logins(lambda: loaded, running, wakeup).run())
    yield wakeup
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    wakeup.close()
    await running.close()


async def once(look: Callable[[], bool]) -> None:
    """Wait until *look* says so."""
    async with asyncio.timeout(20):
        while not look():
            await asyncio.sleep(0.05)


async def test_a_log_in_ended_while_telegram_is_asked_adds_none(daemon_sandbox: Sandbox, log_ins: Wakeup) -> None:
    (person,) = daemon_sandbox.control("POST", "/users", {})["users"]
    phone, now = f"34699{str(person['id'])[-6:]}", int(time.time())
    await once(lambda: notes.get(logins.RECIPIENT) is not None)

    def answer(text: str) -> None:
        login = logins.newest(None)
        assert login is not None
        logins.answer(login, text, now)
        log_ins.wake()

    logins.begin(How.NUMBER, None, now)
    answer(phone)
    await once(lambda: logins.newest(None).step is Step.CODE)  # type: ignore[union-attr]
    before = logged_out(daemon_sandbox)
    answer(daemon_sandbox.control("GET", f"/login-code?phone={phone}")["code"])
    await once(lambda: logged_out(daemon_sandbox) == before + 1)
    ended = logins.newest(None)
    assert ended is not None and ended.said == {"fault": "cancelled"}
    assert pool.all() == []


async def test_a_bots_token_is_no_number_to_ask_telegram_about(daemon_sandbox: Sandbox, log_ins: Wakeup) -> None:
    await once(lambda: notes.get(logins.RECIPIENT) is not None)
    asked = daemon_sandbox.control("GET", "/stats")["calls"].get("auth.sendCode", 0)
    now = int(time.time())
    login = logins.get(logins.begin(How.NUMBER, None, now))
    assert login is not None
    logins.answer(login, "34600000001:AAHfiqksKZ8WmR2zSjiQ7", now)
    log_ins.wake()

    await once(lambda: logins.newest(None).said.get("fault") == "bot_token")  # type: ignore[union-attr]

    assert daemon_sandbox.control("GET", "/stats")["calls"].get("auth.sendCode", 0) == asked


def logged_out(sandbox: Sandbox) -> int:
    """How often somebody was logged out."""
    return int(sandbox.control("GET", "/stats")["calls"].get("auth.logOut", 0))


async def test_a_telegram_that_does_not_answer_thaws_nobody(
    database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = [{IncidentKey.ACCOUNT_FROZEN: "2027-01-01"}, ConnectionError("away"), {}]
    heard: list[str | None] = []

    async def read(_account: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def frozen(why: str | None) -> None:
        heard.append(why)

    monkeypatch.setattr(standing, "_read", read)
    running, loaded = Database(), settings.load(environment.minimal(database_file.parent), None)
    watched = standing.Standing(clients.build_account(loaded), running, frozen=frozen)
    for lasts in (True, True, False):
        await watched._check()
        assert bool(health.incidents()) is lasts
    assert heard == ["2027-01-01", None]
    await running.close()
