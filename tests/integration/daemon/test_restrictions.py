"""A reading account that Telegram freezes, limits or flags: admins hear what to do, and nobody's link is lost."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.daemon_process import Daemon, chat, sooner
from tests.sandbox_process import Sandbox

OPERATOR = "peaje_operator"
PATIENCE_S = 45.0
LOOKS_S = sooner(daemon__telegram__standing__CHECK_RESTRICTED_S=1)
"""An account that is restricted is looked at again every second, instead of every twenty."""

pytestmark = pytest.mark.parametrize("lonely_daemon", [LOOKS_S], indirect=True, ids=[""])


@pytest.fixture
def fault(daemon_sandbox: Sandbox) -> Iterator[Callable[..., Any]]:
    """Switch faults of the operator's account on and off."""
    yield lambda name, **how: daemon_sandbox.control("POST", "/faults", {"fault": name, "account": OPERATOR, **how})
    for name, how in (("freeze", {"frozen": False}), ("limit", {"limited": False}), ("flag", {"reason": None})):
        daemon_sandbox.control("POST", "/faults", {"fault": name, "account": OPERATOR, **how})


def ask(daemon: Daemon, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(daemon.db_path / "peaje.db", timeout=20)) as connection:
        found = connection.execute(statement).fetchall()
        connection.commit()
        return found


async def put_back(daemon: Daemon, user_id: int) -> tuple[int, int]:
    """Attempts, and until when it waits, of a customer's link that stays in line: one is hurried as a daemon starts."""
    in_line = f"SELECT state, attempts, not_before FROM job WHERE user_id = {user_id} AND moved_at < unixepoch() - 1"
    async with asyncio.timeout(PATIENCE_S):
        while True:
            rows = ask(daemon, in_line)
            if rows and rows[0][0] == "queued" and rows[0][2]:
                return rows[0][1:]
            await asyncio.sleep(0.1)


async def hurry(daemon: Daemon) -> None:
    """Let links go on at once, also one whose last try ends only now."""
    while True:
        ask(daemon, "UPDATE job SET not_before = 0")
        await asyncio.sleep(1)


@pytest.mark.parametrize(
    ("name", "how", "over", "said"),
    [
        ("freeze", {}, {"frozen": False}, "has frozen the reading account"),
        ("limit", {"methods": ["messages.checkChatInvite"]}, {"limited": False}, "limits the reading account"),
    ],
)
async def test_links_wait_for_an_account_that_may_do_little(
    daemon_sandbox: Sandbox,
    own_daemon: Daemon,
    fault: Callable[..., Any],
    name: str,
    how: dict[str, Any],
    over: dict[str, Any],
    said: str,
) -> None:
    own_daemon.until_logged("account.connected")
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        await customer.ask("/start")
        fault(name, **how)
        # When a customer sends an invitation that nobody remembers, admins hear of it, and the link waits at no cost
        await customer.say(f"https://t.me/+nobody_knows_{name}")
        await admin.until_text(said, PATIENCE_S)
        attempts, _ = await put_back(own_daemon, customer.id)
        assert attempts == 0
        await customer.until_text("I cannot read Telegram posts", PATIENCE_S)
        assert said in (await admin.ask("/status")).text
        assert "Your plan" in (await customer.ask("/start")).text
        # And once it is over, the link goes on: at once where Telegram says so, else at its next try
        fault(name, **over)
        hurrying = None if name == "freeze" else asyncio.create_task(hurry(own_daemon))
        await customer.until_text("This invitation", PATIENCE_S)
        if hurrying is not None:
            hurrying.cancel()
        else:
            await admin.until_text("Solved after", PATIENCE_S)
            assert said not in (await admin.ask("/status")).text


async def test_an_account_that_telegram_flags_is_told_of(
    daemon_sandbox: Sandbox, own_daemon: Daemon, fault: Callable[..., Any]
) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language es")
        fault("flag", reason="Reported for spam.")
        own_daemon.stop()
        own_daemon.start()
        told = await admin.until_text("muestra la cuenta lectora como restringida", PATIENCE_S)
        assert "Reported for spam." in told.text
        fault("flag", reason=None)
        await admin.until_text("Resuelto", PATIENCE_S)


async def test_a_missing_post_without_its_chat_is_no_such_post(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    own_daemon.until_logged("account.connected")
    daemon_sandbox.control("POST", "/faults", {"fault": "empty_chats", "count": None})
    async with chat(daemon_sandbox) as customer:
        for link in ("https://t.me/sandbox_gallery/99999", "https://t.me/sandbox_gallery/99999?single"):
            await customer.say(link)
            await customer.until_text("does not exist")
