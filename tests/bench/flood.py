"""One customer floods the bot for ten minutes: what another waits for ``/start``, and what the flood leaves behind.

The flood is links that lead nowhere, names and invitations that nobody has, texts, pressed buttons, ``/mydata`` and
``/paysupport``, as fast as one account can send them. ``FLOOD_S=60`` makes it shorter.
"""

import asyncio
import contextlib
import itertools
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from pyrogram import Client, raw
from pyrogram.errors import RPCError

from tests import clients
from tests.bench import report
from tests.bench.chat import Asker
from tests.bench.report import Row
from tests.demo import installation
from tests.demo.installation import Installation
from tests.sandbox.scenario import OPERATOR_ID

FLOOD_S = float(os.environ.get("FLOOD_S", "600"))
EVERY_S = 0.2
ASK_S = 0.5
LINKS_A_MESSAGE = 100
LOOKUPS = (
    "contacts.resolveUsername",
    "messages.checkChatInvite",
    "messages.importChatInvite",
    "channels.getChannels",
    "messages.getDialogs",
)


def measure(place: Path) -> list[Row]:
    """Start everything in *place*, and the flood against it."""
    running = installation.start(place, alone=True)
    try:
        return asyncio.run(_beside_a_flood(running))
    finally:
        running.stop()


async def _beside_a_flood(running: Installation) -> list[Row]:
    people = await asyncio.to_thread(running.sandbox.control, "POST", "/users", {"count": 2})
    scenario = running.sandbox.scenario
    session, other = people["users"][0]["session_string"], Asker(scenario, people["users"][1])
    client = clients.client(scenario, "flooder", session_string=session, workers=1)
    await client.start()
    await other.connect()
    await other.ask()
    await client.send_message(scenario["bot"]["username"], "/start")
    await asyncio.sleep(2)
    size = _size(running.data)
    flood = asyncio.create_task(_flood(client, scenario["bot"]["username"]))
    took, a_minute = await _ask_beside(running, other)
    flood.cancel()
    sent = (await asyncio.gather(flood, return_exceptions=True))[0]
    await asyncio.gather(other.leave(), client.stop())
    conditions = {"seconds": FLOOD_S, "answers": len(took), "sent": sent if isinstance(sent, int) else 0}
    grown = (_size(running.data) - size) / (1 << 20)
    return [
        report.row("start_p99_beside_flood", 1000 * report.quantile(took, 0.99), "ms", conditions),
        report.row("start_p50_beside_flood", 1000 * report.quantile(took, 0.50), "ms", conditions),
        report.row("flood_database_growth", grown, "MiB", conditions),
        report.row("flood_lookups_a_minute", max(a_minute), "calls", conditions),
    ]


async def _ask_beside(running: Installation, other: Asker) -> tuple[list[float], list[int]]:
    """What ``/start`` takes another customer meanwhile, and the look-ups of the operator's account in each minute."""
    began, took = time.monotonic(), []
    minutes, counted = [], _lookups(running)
    while (passed := time.monotonic() - began) < FLOOD_S:
        took.append(await other.ask())
        if passed > 60 * (len(minutes) + 1):
            minutes.append(_lookups(running) - counted)
            counted += minutes[-1]
        await asyncio.sleep(ASK_S)
    return took, [*minutes, _lookups(running) - counted]


async def _flood(client: Client, bot: str) -> int:
    """Send until cancelled; how many messages and presses that were."""
    sent = 0
    with contextlib.suppress(asyncio.CancelledError):
        for act in _acts(client, bot):
            with contextlib.suppress(RPCError, OSError, TimeoutError):
                await act()
            sent += 1
            await asyncio.sleep(EVERY_S)
    return sent


def _acts(client: Client, bot: str) -> Iterator[Callable[[], Awaitable[Any]]]:
    """What the flood does, one thing after the other, without end."""
    for number in itertools.count():
        texts = (
            _links(f"t.me/+{number:08}AAAA{{0:04}}"),
            _links(f"t.me/nobody_{number}_{{0}}/1"),
            _links(f"t.me/sandbox_gallery/{1000 + 100 * (number % 1000)}{{0}}"),
            _links(f"t.me/c/{4_000_000_000 + number}/{{0}}1"),
            "t.me/addstickers/x " * 50,
            f"a text {number}",
            "/mydata",
            f"/paysupport {number:017}",
        )
        for text in texts:
            yield lambda text=text: client.send_message(bot, text[:4096])  # type: ignore[misc]
        yield lambda: _press(client, bot)


def _links(pattern: str) -> str:
    return " ".join(pattern.format(number) for number in range(LINKS_A_MESSAGE))


async def _press(client: Client, bot: str) -> None:
    """Press the first button of the newest message that has one, and wait for nothing."""
    async for message in client.get_chat_history(bot, limit=5):
        buttons = getattr(message.reply_markup, "inline_keyboard", None)
        if buttons and buttons[0][0].callback_data:
            query = raw.functions.messages.GetBotCallbackAnswer(
                peer=await client.resolve_peer(bot), msg_id=message.id, data=str(buttons[0][0].callback_data).encode()
            )
            await client.invoke(query, timeout=1, retries=1)
            return


def _lookups(running: Installation) -> int:
    """The look-ups that the operator's account has made."""
    calls = running.sandbox.control("GET", "/stats")["calls_by_account"].get(str(OPERATOR_ID), {})
    return sum(int(calls.get(method, 0)) for method in LOOKUPS)


def _size(data: Path) -> int:
    """Bytes of the database's pages, those in its log included."""
    with contextlib.closing(sqlite3.connect(data / "peaje.db")) as connection:
        (pages,), (page,) = (connection.execute(f"PRAGMA page_{each}").fetchone() for each in ("count", "size"))
    return int(pages) * int(page)
