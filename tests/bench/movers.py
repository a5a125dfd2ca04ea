"""The processes that :mod:`tests.bench.relay` measures: ``python -m tests.bench.movers KIND SANDBOX PLACE CHAT``.

Reads a JSON list of links a line, delivers them all at once, answers with what it took. KIND is ``ours…``,
``ours_tgcrypto`` (with the library's own AES module), ``stock`` (the usual code) or ``telethon`` (its download alone).
"""

import asyncio
import base64
import json
import os
import struct
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pyrogram.types import InputMediaPhoto, Message
from telethon import TelegramClient
from telethon.crypto import AuthKey, rsa
from telethon.sessions import StringSession

from config import memory
from models import database
from models.jobs.states import JobState
from tests import clients
from tests.sandbox_process import Sandbox, read_env
from tests.transfer_rig import customer, rig

MIB = 1 << 20
DEADLINE_S = 600.0

Move = Callable[[list[str]], Awaitable[dict[str, float]]]


@asynccontextmanager
async def ours(sandbox: Sandbox, place: Path, chat: int, module: str = "auto") -> AsyncIterator[Move]:
    """The transfers, with limits high enough for all jobs of one command to be under way."""
    memory.keep_blocks()
    path = place / "peaje.db"
    database.migrate(path)
    database.open_database(path)
    settings = {
        "source_chats": frozenset({str(chat)}),
        "jobs_per_customer": 20,
        "transfer_files_large": 8,
        "transfer_cipher": module,
    }
    async with rig(sandbox, path, **settings) as running, customer(running, 0) as someone:
        moved = running.wakeup.subscribe()

        async def move(urls: list[str]) -> dict[str, float]:
            jobs = [await running.ask(someone, url) for url in urls]
            ended = [await running.ended(job, DEADLINE_S, moved) for job in jobs]
            if any(job.state is not JobState.DONE for job in ended):
                raise RuntimeError(str(ended))
            return {}

        yield move


@asynccontextmanager
async def stock(sandbox: Sandbox, place: Path, chat: int) -> AsyncIterator[Move]:
    """What everybody writes first: download to disk, upload from disk."""
    scenario = sandbox.scenario
    account = clients.client(
        scenario, "account", session_string=sandbox.env["TELEGRAM_SESSION_STRING"], workdir=place, no_updates=True
    )
    bot = clients.client(scenario, "bot", bot_token=sandbox.env["TELEGRAM_BOT_TOKEN"], workdir=place)
    someone = scenario["customers"][0]
    who = clients.client(scenario, "customer", session_string=someone["session_string"], no_updates=True)
    await account.start()
    await bot.start()
    await who.start()
    await who.send_message(scenario["bot"]["username"], "hello")
    async for _ in account.get_dialogs():
        pass

    async def relay_album(photos: list[Message]) -> None:
        files = [await account.download_media(photo, file_name=str(place / f"{photo.id}.jpg")) for photo in photos]
        await bot.send_media_group(someone["id"], [InputMediaPhoto(file) for file in files])
        for file in files:
            os.unlink(file)

    async def relay(number: int, url: str, spent: dict[str, float]) -> None:
        began = time.perf_counter()
        message = await account.get_messages(int(f"-100{chat}"), int(url.rsplit("/", 1)[1]))
        if message.media_group_id:
            await relay_album(await message.get_media_group())
            return
        if message.text:
            await bot.send_message(someone["id"], message.text)
            return
        file = await account.download_media(message, file_name=str(place / f"{number}.bin"))
        downloaded = time.perf_counter()
        await bot.send_document(someone["id"], file)
        spent["download_s"], spent["upload_s"] = downloaded - began, time.perf_counter() - downloaded
        os.unlink(file)

    async def move(urls: list[str]) -> dict[str, float]:
        spent: dict[str, float] = {}
        await asyncio.gather(*(relay(number, url, spent) for number, url in enumerate(urls)))
        return spent

    try:
        yield move
    finally:
        for client in (account, bot, who):
            await client.stop()


@asynccontextmanager
async def telethon(sandbox: Sandbox, place: Path, chat: int) -> AsyncIterator[Move]:
    """Telethon's download to disk."""
    scenario = sandbox.scenario
    public_key = clients.read_public_key(scenario).public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    rsa.add_key(public_key.decode(), old=False)
    packed = base64.urlsafe_b64decode(sandbox.env["TELEGRAM_SESSION_STRING"] + "==")
    session = StringSession()
    session.set_dc(packed[0], *_endpoint(scenario["telegram"]["endpoint"]))
    session.auth_key = AuthKey(struct.unpack(">BI?256sQ?", packed)[3])
    client = TelegramClient(session, scenario["api_id"], scenario["api_hash"])
    await client.connect()
    await client.get_dialogs()

    async def move(urls: list[str]) -> dict[str, float]:
        for url in urls:
            message = await client.get_messages(chat, ids=int(url.rsplit("/", 1)[1]))
            os.unlink(await client.download_media(message, str(place / "file.bin")))
        return {}

    try:
        yield move
    finally:
        await client.disconnect()


KINDS = {"ours": ours, "ours_tgcrypto": partial(ours, module="tgcrypto"), "stock": stock, "telethon": telethon}


async def serve(kind: str, sandbox: Sandbox, place: Path, chat: int) -> None:
    """Answer commands until there are no more."""
    loop = asyncio.get_running_loop()
    async with KINDS[kind](sandbox, place, chat) as move:
        tell({})
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            tell(await measured(move, json.loads(line)))


async def measured(move: Move, urls: list[str]) -> dict[str, float]:
    """Deliver and say what it took: seconds, processor seconds, peak memory above what was there, MiB to the disk."""
    Path("/proc/self/clear_refs").write_text("5")  # begins a new peak
    resident, written = _status("VmRSS"), _written()
    cpu, began = time.process_time(), time.perf_counter()
    more = await move(urls)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "peak_mib": (_status("VmHWM") - resident) / 1024,
        "disk_mib": (_written() - written) / MIB,
        **more,
    }


def tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def attached(state: Path) -> Sandbox:
    """The sandbox that runs with this state, started by somebody else."""
    return Sandbox(None, state, json.loads((state / "scenario.json").read_text()), read_env(state / "env"))


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _written() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def _endpoint(text: str) -> tuple[str, int]:
    host, port = text.split(":")
    return host, int(port)


if __name__ == "__main__":
    kind, state, place, chat = sys.argv[1:]
    asyncio.run(serve(kind.rstrip("0123456789"), attached(Path(state)), Path(place), int(chat)))
