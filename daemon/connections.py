"""The connections to Telegram: kept up, and their state reported."""

import asyncio
import contextlib
import time

from pyrogram import Client

from daemon.database import Database
from daemon.telegram.bot import Bot
from daemon.telegram.clients import Connection, ConnectionState
from daemon.telegram.errors import LoginLost, LoginRefused
from daemon.telegram.standing import Standing
from daemon.wakeup import Wakeup
from models import notes
from models.event_kinds import IncidentKey
from models.jobs import queue
from models.maintenance import health

HEARTBEAT_S = 5.0
ACCOUNT_AGAIN_S = 300.0

INCIDENTS = {
    ConnectionState.REVOKED: IncidentKey.ACCOUNT_REVOKED,
    ConnectionState.BANNED: IncidentKey.ACCOUNT_BANNED,
}


class Connections:
    """The bot's connection, which everything needs, and the account's, which only reading needs."""

    def __init__(self, bot: Bot, account: Client, database: Database, wakeup: Wakeup) -> None:
        self.bot = Connection(bot, self._bot_changed)
        self.account = Connection(account, self._account_changed)
        self.standing = Standing(account, database)
        self._database = database
        self._wakeup = wakeup
        self._changed = asyncio.Event()

    async def keep_account(self) -> None:
        """Keep the account connected; one that was revoked or banned is tried again every five minutes."""
        while True:
            try:
                await self.account.start()
                await self.account.watch()
            except (LoginLost, LoginRefused):
                if not self.account.state.is_ended:
                    raise
            await self.account.stop()
            await asyncio.sleep(ACCOUNT_AGAIN_S)

    async def beat(self) -> None:
        """Write the daemon's heartbeat, which a blocked loop or a stuck database thread would not give."""
        while True:
            now = int(time.time())
            overview = await self._database(queue.overview, now)
            detail = {"bot": self.bot.state, "account": self.account.state, "jobs": overview.running}
            await self._database(health.beat, "daemon", detail, now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._changed.wait()
            self._changed.clear()

    async def stop(self) -> None:
        """Close both, in bounded time."""
        await asyncio.gather(self.bot.stop(), self.account.stop())

    async def _bot_changed(self, state: ConnectionState, reason: str) -> None:
        """Have the next heartbeat say so, and store the bot's name, from which the pages make links into the chat."""
        self._changed.set()
        me = self.bot.client.me
        if state is ConnectionState.OK and me is not None:
            noted = {"id": me.id, "username": me.username, "name": me.first_name}
            await self._database(notes.put, "bot", noted, int(time.time()))

    async def _account_changed(self, state: ConnectionState, reason: str) -> None:
        self._changed.set()
        now = int(time.time())
        if state is ConnectionState.OK:
            for key in INCIDENTS.values():
                await self._database(health.close_incident, key, now)
        elif state.is_ended:
            await self._database(health.open_incident, INCIDENTS[state], reason, now)
        self._wakeup.wake()
