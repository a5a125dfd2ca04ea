"""The transfers alone, on real sockets: both clients, a database, no chat around them."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyrogram import Client, raw

from config import settings as settings_module
from config.settings import Settings
from daemon.database import Database
from daemon.telegram import clients
from daemon.telegram.clients import Connection, ConnectionState
from daemon.telegram.endpoint import trust
from daemon.telegram.sender import Sender
from daemon.transfer.worker import TransferClients, Transfers
from daemon.wakeup import Subscription, Wakeup, Watcher
from models import users
from models.jobs import queue
from models.jobs.states import ENDED, JobInfo, JobState
from models.money import access
from models.tables import Job
from tests import environment
from tests.clients import client
from tests.sandbox_process import Sandbox

DEADLINE_S = 40.0


@dataclass
class Rig:
    """What a test drives and looks at."""

    sandbox: Sandbox
    database: Database
    bot: Client
    account: Client
    wakeup: Wakeup
    settings: Settings
    transfers: Transfers
    keys: int = 0

    def link(self, name: str) -> dict[str, Any]:
        """A link of the scenario: url, kind, size, sha256, file_name, caption."""
        found: dict[str, Any] = self.sandbox.scenario["links"][name]
        return found

    async def ask(self, customer: "Customer", url: str, *, priority: int = 0) -> JobInfo:
        """Put a link in line, as the handler does."""
        self.keys += 1
        key = f"{time.time_ns()}/{self.keys}"
        new = queue.NewJob(user_id=customer.id, chat_id=customer.id, link=url, dedupe=key, priority=priority)
        job = await self.database(queue.enqueue, new, 10_000, now())
        assert isinstance(job, JobInfo)
        self.wakeup.wake()
        return job

    async def ended(self, job: JobInfo, deadline_s: float = DEADLINE_S, moved: Subscription | None = None) -> JobInfo:
        """The job once it has ended, or waits for its customer to buy something; looked at whenever *moved* wakes."""

        async def look() -> JobInfo | None:
            present = await self.database(queue.get, job.id)
            return present if present.state in (*ENDED, JobState.HELD) else None

        return await until(look, deadline_s, moved)

    async def deliver(self, customer: "Customer", url: str, deadline_s: float = DEADLINE_S) -> JobInfo:
        """Ask and wait for the end."""
        return await self.ended(await self.ask(customer, url), deadline_s)

    async def job(self, job: JobInfo) -> JobInfo:
        """The job as it is now."""
        return await self.database(queue.get, job.id)

    async def cancel(self, job: JobInfo) -> None:
        """Cancel it, as the customer's button does."""
        await self.database(queue.cancel, job.user_id, job.id, now())
        self.wakeup.wake()

    async def upgrade(self, customer: "Customer", level: int) -> None:
        """Give a plan, as a payment does."""
        await self.database(access.give, customer.id, level, forever=True, reason="test", by=None, now=now())

    async def hurry(self, job: JobInfo) -> None:
        """Let the time come for which a job was put back."""

        def forward() -> None:
            Job.update(not_before=0).where(Job.id == job.id).execute()

        await self.database(forward)
        self.wakeup.wake()

    async def is_idle(self) -> bool:
        """Is nothing being worked on?"""
        return not self.transfers._runs

    def control(self, method: str, path: str, json: Any = None) -> Any:
        """A control call to the sandbox."""
        return self.sandbox.control(method, path, json)


@dataclass
class Customer:
    """A foreign client: somebody who waits for his file."""

    id: int
    client: Client
    bot_id: int
    after: int = 0

    async def messages(self) -> list[Any]:
        """What the bot has sent since the last :meth:`forget`, oldest first, progress included."""
        query = raw.functions.messages.GetHistory(
            peer=await self.client.resolve_peer(self.bot_id), offset_id=0, offset_date=0, add_offset=0, limit=50,
            max_id=0, min_id=self.after, hash=0,
        )  # fmt: skip
        found = await self.client.invoke(query)
        return sorted((m for m in found.messages if isinstance(m, raw.types.Message) and not m.out), key=lambda m: m.id)

    async def media(self) -> list[Any]:
        """Those that carry a file."""
        carrying = (raw.types.MessageMediaDocument, raw.types.MessageMediaPhoto)
        return [message for message in await self.messages() if isinstance(message.media, carrying)]

    async def forget(self) -> None:
        """Begin to look from here."""
        messages = await self.messages()
        self.after = messages[-1].id if messages else self.after

    async def sha256(self, message: Any) -> str:
        """The digest of a message's file, read through the customer's own connection."""
        digest = hashlib.sha256()
        parsed = await self.client.get_messages(self.bot_id, message.id)
        async for chunk in self.client.stream_media(parsed):
            digest.update(chunk)
        return digest.hexdigest()


@contextlib.asynccontextmanager
async def rig(sandbox: Sandbox, database_file: Path, **changes: Any) -> AsyncIterator[Rig]:
    """Run the transfers against the sandbox; *changes* replace settings."""
    variables = {**sandbox.env, "DB_PATH": str(database_file.parent)}
    settings = replace(settings_module.load(variables, None), **changes)
    trust(settings.telegram_public_key or "")
    database = Database()
    bot, account = clients.build_bot(settings), clients.build_account(settings, settings.telegram_session_string)
    bot_connection, account_connection = Connection(bot, _unheard), Connection(account, _unheard)
    await bot_connection.start()
    await account_connection.start()
    wakeup = Wakeup(Watcher())
    transfers = Transfers(
        TransferClients(bot, account, account_connection.up.is_set, Sender(bot, database)),
        database=database,
        wakeup=wakeup,
        settings=settings,
        catalogue=environment.catalogue(settings),
    )
    tasks = [asyncio.create_task(work) for work in (account_connection.watch(), transfers.run())]
    try:
        yield Rig(sandbox, database, bot, account, wakeup, settings, transfers)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await transfers.drain(0)
        await account_connection.stop()
        await bot_connection.stop()
        await database.close()


@contextlib.asynccontextmanager
async def customer(rig: Rig, number: int, *, level: int = 2) -> AsyncIterator[Customer]:
    """The scenario's customer *number*, with a plan of that level, who has spoken to the bot."""
    row = rig.sandbox.scenario["customers"][number]
    who = client(rig.sandbox.scenario, f"customer{number}", session_string=row["session_string"], no_updates=True)
    await who.start()
    try:
        await who.send_message(rig.sandbox.scenario["bot"]["username"], "hello")
        await rig.database(users.seen, row["id"], row["first_name"], None, row["language_code"], now())
        someone = Customer(row["id"], who, rig.sandbox.scenario["bot"]["id"])
        if level:
            await rig.upgrade(someone, level)
        await someone.forget()
        yield someone
    finally:
        elsewhere = [*who.sessions.values(), *who.media_sessions.values()]  # which the library leaves open
        await who.stop()
        for session in elsewhere:
            await session.stop()


async def _unheard(state: ConnectionState, reason: str) -> None:
    """Nobody here needs to hear how a client stands."""


async def until(
    look: Callable[[], Awaitable[Any]], deadline_s: float = DEADLINE_S, moved: Subscription | None = None
) -> Any:
    """Wait until *look* returns something, and return that."""
    deadline = time.monotonic() + deadline_s
    while not (found := await look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_s} s")
        await (moved.wait(1) if moved else asyncio.sleep(0.01))
    return found


def now() -> int:
    return int(time.time())
