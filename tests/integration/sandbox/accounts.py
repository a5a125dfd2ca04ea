"""Accounts on the local Telegram, held by unmodified Pyrogram clients, and what they hear."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from pyrogram import Client

from tests import clients
from tests.sandbox_process import Sandbox

BOT = "peaje_sandbox_bot"


@contextlib.asynccontextmanager
async def running(client: Client) -> AsyncIterator[Client]:
    await client.start()
    try:
        yield client
    finally:
        with contextlib.suppress(ConnectionError):
            await client.stop()


def account(sandbox: Sandbox, session: str, **options: Any) -> Client:
    return clients.client(sandbox.scenario, session_string=session, **options)


def new_user(sandbox: Sandbox, **settings: Any) -> dict[str, Any]:
    """A fresh account, so that tests do not meet each other's messages."""
    return sandbox.control("POST", "/users", settings)["users"][0]


async def control(sandbox: Sandbox, *arguments: Any) -> Any:
    """Make a control call without blocking the clients' event loop."""
    return await asyncio.to_thread(sandbox.control, *arguments)


def collect(client: Client, handler: type, *filters_: Any) -> asyncio.Queue[Any]:
    """A queue of what the client's handlers of this kind get."""
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def put(_: Client, update: Any) -> None:
        queue.put_nowait(update)

    client.add_handler(handler(put, *filters_))
    return queue


async def soon(queue: asyncio.Queue[Any]) -> Any:
    return await asyncio.wait_for(queue.get(), 5)
