"""A daemon whose account is in the database alone, and what it says where that account cannot be used."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config import settings
from config.settings import Settings
from models import database
from models.accounts import pool
from models.accounts.pool import AccountState, Person
from models.database import transaction
from models.tables import Account
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
    alone.start(wait_for="account.connected")
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
        assert "Operator: logged out by Telegram" in status and "account revoked" in status
    with alone.opened():
        known = pool.get(account)
        assert known is not None and known.state is AccountState.REVOKED


def test_a_killed_daemon_leaves_its_account_to_the_next(daemon_sandbox: Sandbox, alone: Daemon) -> None:
    account = add(alone, *operators_session(daemon_sandbox))
    alone.start(wait_for="account.connected")
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
    ids = [add(alone, each["session_string"], Person(each["id"], "Standby", None)) for each in (good, lost)]
    with alone.opened() as now, transaction():
        Account.update(seen_at=now - 86_400).where(Account.id.in_(ids)).execute()
    daemon_sandbox.control("POST", "/faults", {"fault": "revoke", "account": lost["id"]})
    alone.start(wait_for="standby.failed")
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.say("/language en")
        told = await admin.until(lambda it: (it.text or "").startswith("⚠️ Standby"), timeout=20)
        assert len(labels(told)) == 1
    with alone.opened() as now:
        found = [known for each in ids if (known := pool.get(each)) is not None]
    assert [each.state for each in found] == [AccountState.STANDBY, AccountState.REVOKED]
    assert found[0].seen_at is not None and now - found[0].seen_at < 60
    assert not any(each.is_leased(now) for each in found)
