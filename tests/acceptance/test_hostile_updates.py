"""Whatever Telegram sends: every update and every error of the layer. The bot answers afterwards all the same."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.daemon_process import Chat, Daemon, chat
from tests.sandbox_process import Sandbox

BOT = "peaje_sandbox_bot"
CUSTOMERS = 10
ROUNDS = 110
"""Below what the bot's limiter lets one customer say at once."""


@pytest.fixture
async def customer(daemon_sandbox: Sandbox, own_daemon: Daemon) -> AsyncIterator[Chat]:
    async with chat(daemon_sandbox) as client:
        await client.ask("/start")
        yield client


async def control(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Any:
    return await asyncio.to_thread(sandbox.control, method, path, body)


async def fault(sandbox: Sandbox, name: str, **settings: object) -> None:
    await control(sandbox, "POST", "/faults", {"fault": name, **settings})


def reset(sandbox: Sandbox) -> None:
    sandbox.control("POST", "/faults", {"fault": "reset", "account": BOT})


async def answers_after_all(sandbox: Sandbox, daemon: Daemon, customer: Chat) -> None:
    """Now, after a reconnection, and after a restart."""
    await customer.ask("/start")
    reset(sandbox)
    await customer.ask("/start", timeout=30)
    assert daemon.stop() == 0
    daemon.start()
    await customer.ask("/start", timeout=30)


async def stranger_adds_the_bot(sandbox: Sandbox) -> None:
    made = await control(sandbox, "POST", "/chats", {"title": "A stranger's"})
    await control(sandbox, "POST", "/members", {"chat": made["chat_id"], "user": BOT, "role": "admin"})


async def test_a_stranger_may_add_the_bot_to_their_channel(
    daemon_sandbox: Sandbox, own_daemon: Daemon, customer: Chat
) -> None:
    await stranger_adds_the_bot(daemon_sandbox)

    await answers_after_all(daemon_sandbox, own_daemon, customer)
    assert not [line for line in own_daemon.log() if line["level"] in ("error", "critical")]


@pytest.mark.parametrize("name", ["CHANNEL_PUBLIC_GROUP_NA", "PERSISTENT_TIMESTAMP_INVALID", "CHANNEL_PRIVATE"])
async def test_channels_that_answer_with_errors_are_not_even_asked(
    daemon_sandbox: Sandbox, own_daemon: Daemon, customer: Chat, name: str
) -> None:
    body = {"method": "updates.getChannelDifference", "name": name, "account": BOT, "count": None}
    await control(daemon_sandbox, "POST", "/control/error", body)
    await stranger_adds_the_bot(daemon_sandbox)

    reset(daemon_sandbox)
    await customer.ask("/start", timeout=30)
    assert [rule["hits"] for rule in await control(daemon_sandbox, "GET", "/faults")] == [0]


async def test_a_state_ahead_of_telegrams_is_given_up_once(
    daemon_sandbox: Sandbox, own_daemon: Daemon, customer: Chat
) -> None:
    for _ in range(3):
        await customer.ask("/terms")
    seen = len(own_daemon.log())
    await fault(daemon_sandbox, "rewind", account=BOT, points=3)
    await control(daemon_sandbox, "DELETE", "/stats")
    reset(daemon_sandbox)
    own_daemon.until_logged("gap.dropped", after=seen)

    await customer.ask("/start", timeout=30)
    calls = (await control(daemon_sandbox, "GET", "/stats"))["calls"]
    assert calls["updates.getDifference"] < 10


async def test_points_that_no_difference_explains_are_asked_for_once(
    daemon_sandbox: Sandbox, own_daemon: Daemon, customer: Chat
) -> None:
    await fault(daemon_sandbox, "state_ahead", account=BOT, points=5)
    reset(daemon_sandbox)
    await customer.ask("/start", timeout=30)
    await asyncio.sleep(2.5)
    await control(daemon_sandbox, "DELETE", "/stats")
    await asyncio.sleep(4)

    calls = (await control(daemon_sandbox, "GET", "/stats"))["calls"]
    assert calls.get("updates.getDifference", 0) <= 1


@pytest.mark.parametrize("difference", ["fails", "is empty", "brings it"])
async def test_a_short_message_is_answered_whatever_its_difference(
    daemon_sandbox: Sandbox, own_daemon: Daemon, customer: Chat, difference: str
) -> None:
    await control(daemon_sandbox, "POST", "/control/manners", {"account": BOT, "packing": "short"})
    query = {"method": "updates.getDifference", "account": BOT, "count": 1}
    if difference == "fails":
        await control(daemon_sandbox, "POST", "/control/error", {**query, "name": "INPUT_REQUEST_TOO_LONG"})
    elif difference == "is empty":
        answer = {"_": "updates.differenceEmpty", "date": int(time.time()), "seq": 1}
        await control(daemon_sandbox, "POST", "/control/answer", {**query, "answer": answer})

    assert await customer.ask("/terms", timeout=30)


async def test_too_many_updates_to_tell_are_fetched(
    daemon_sandbox: Sandbox, own_daemon: Daemon, customer: Chat
) -> None:
    await control(daemon_sandbox, "POST", "/control/manners", {"account": BOT, "packing": "too_long"})

    assert await customer.ask("/terms", timeout=30)


async def test_a_flood_wait_for_commands_silences_nothing(
    daemon_sandbox: Sandbox, own_daemon: Daemon, customer: Chat
) -> None:
    assert own_daemon.stop() == 0
    await fault(daemon_sandbox, "flood_wait", method="bots.setBotCommands", seconds=120, account=BOT, count=None)
    seen = len(own_daemon.log())
    own_daemon.start()
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/start", timeout=30)
        await admin.ask("/status", timeout=30)
    await customer.ask("/start", timeout=30)
    own_daemon.until_logged("commands.unregistered", after=seen)
    reset(daemon_sandbox)
    await customer.ask("/start", timeout=30)


@pytest.mark.timeout(240)
async def test_every_update_and_every_error_is_survived(
    daemon_sandbox: Sandbox, own_daemon: Daemon, customer: Chat
) -> None:
    kinds = await control(daemon_sandbox, "GET", "/control/constructors?type=Update")
    wrappers = ["updatesTooLong", "updateShortSentMessage", "updatesCombined", "updates", "updateShort"]
    for kind in [*kinds, *wrappers]:
        for everything in (False, True):
            body = {"account": BOT, "update": {"_": kind}, "everything": everything}
            await control(daemon_sandbox, "POST", "/control/update", body)
    await answers_after_all(daemon_sandbox, own_daemon, customer)

    names = sorted({each["name"] for each in await control(daemon_sandbox, "GET", "/control/errors")})
    sent = await errors_meet_answers(daemon_sandbox, names)
    print(f"sent {2 * (len(kinds) + len(wrappers))} updates and {sent} errors")  # noqa: T201 - asked for with -s
    assert sent == len(names) > 600
    await control(daemon_sandbox, "DELETE", "/faults")
    await answers_after_all(daemon_sandbox, own_daemon, customer)


async def errors_meet_answers(sandbox: Sandbox, names: list[str]) -> int:
    """Let an answer of the bot fail with each error; with how many of the *names* one has failed."""
    for name in names:
        body = {"method": "messages.sendMessage", "name": name, "account": BOT}
        await control(sandbox, "POST", "/control/error", body)
    async with contextlib.AsyncExitStack() as stack:
        customers = [await stack.enter_async_context(chat(sandbox)) for _ in range(CUSTOMERS)]
        for _ in range(ROUNDS):
            for each in customers:
                await each.say("/terms")
            rules = await control(sandbox, "GET", "/faults")
            if all(rule["hits"] for rule in rules):
                break
    return sum(bool(rule["hits"]) for rule in rules)
