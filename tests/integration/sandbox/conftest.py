"""The people of the tests of the local Telegram, each with a client of their own."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pyrogram import Client

from tests import clients
from tests.integration.sandbox.accounts import account, new_user, running
from tests.sandbox_process import Sandbox


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[Client]:
    async with running(clients.client(sandbox.scenario, bot_token=sandbox.env["TELEGRAM_BOT_TOKEN"])) as client:
        yield client


@pytest.fixture
def person(sandbox: Sandbox) -> dict[str, Any]:
    return new_user(sandbox)


@pytest.fixture
async def user(sandbox: Sandbox, person: dict[str, Any]) -> AsyncIterator[Client]:
    async with running(account(sandbox, person["session_string"])) as client:
        yield client


@pytest.fixture
async def operator(sandbox: Sandbox) -> AsyncIterator[Client]:
    async with running(account(sandbox, sandbox.env["TELEGRAM_SESSION_STRING"], no_updates=True)) as client:
        yield client


@pytest.fixture
def faults(sandbox: Sandbox) -> Iterator[Callable[..., Any]]:
    yield lambda fault, **settings: sandbox.control("POST", "/faults", {"fault": fault, **settings})
    sandbox.control("DELETE", "/faults")
