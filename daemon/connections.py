"""The connections to Telegram: kept up, and their state reported."""

import asyncio
import contextlib
import time

from daemon.accounts.seat import Seat
from daemon.database import Database
from daemon.telegram.bot import Bot
from daemon.telegram.clients import Connection, ConnectionState
from daemon.telegram.errors import LoginLost, LoginRefused
from daemon.telegram.standing import Standing
from daemon.wakeup import Wakeup
from models import notes
from models.accounts.pool import AccountState
from models.event_kinds import IncidentKey
from models.jobs import queue
from models.maintenance import health

ACCOUNT_AGAIN_S = 300.0
CANCEL_AGAIN_S = 0.2

INCIDENTS = {
    ConnectionState.REVOKED: IncidentKey.ACCOUNT_REVOKED,
    ConnectionState.BANNED: IncidentKey.ACCOUNT_BANNED,
    ConnectionState.UNOPENABLE: IncidentKey.ACCOUNT_UNOPENABLE,
}


class Connections:
    """The bot's connection, which everything needs, and the account's, which only reading needs."""

    def __init__(self, bot: Bot, seat: Seat, database: Database, wakeup: Wakeup) -> None:
        self.bot = Connection(bot, self._bot_changed)
        self.account = Connection(seat.client, self._account_changed, seat.arrived)
        self.standing = Standing(seat.client, database, frozen=self._frozen)
        self.seat = seat
        self._database = database
        self._wakeup = wakeup
        self._changed = asyncio.Event()

    async def keep_account(self) -> None:
        """Keep the account that is to read connected, whichever that is.

        One that was revoked or banned is tried again every five minutes, until another is chosen.
        """
        while True:
            await self.seat.take(self.account.rest)
            is_lost = await self._read()
            if not is_lost:
                await self.account.rest(ConnectionState.STARTING)
            await self.account.stop()
            if is_lost:
                await self.seat.wait(ACCOUNT_AGAIN_S)
            await self.seat.leave()

    async def _read(self) -> bool:
        """Have the account read until another one is chosen, or (True) until Telegram has ended its login.

        :raises LoginLost: the session was ended, but not from outside; and so :class:`LoginRefused`.
        """
        reading = asyncio.create_task(self._stay_connected(), name="account")
        changed = asyncio.create_task(self.seat.changed(), name="choice of the account")
        try:
            await asyncio.wait((reading, changed), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                changed.result()
                return False
            reading.result()
        except (LoginLost, LoginRefused):
            if not self.account.state.is_ended:
                raise
        finally:
            await _end(reading, changed)
        return True

    async def _stay_connected(self) -> None:
        await self.account.start()
        await self.account.watch()

    async def beat(self) -> None:
        """Write the daemon's heartbeat, which a blocked loop or a stuck database thread would not give."""
        while True:
            now = int(time.time())
            overview = await self._database(queue.overview, now)
            detail = {"bot": self.bot.state, "account": self.account.state, "jobs": overview.running}
            await self._database(health.beat, "daemon", detail, now)
            await self.seat.tell()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(health.until_beat()):
                    await self._changed.wait()
            self._changed.clear()

    async def stop(self) -> None:
        """Close both, in bounded time."""
        await asyncio.gather(self.bot.stop(), self.account.stop())
        await self.seat.leave()

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
            await self.seat.lost(AccountState(state.value), reason)
            await self._database(health.open_incident, INCIDENTS[state], reason, now)
        self._wakeup.wake()

    async def _frozen(self, why: str | None) -> None:
        if why is not None:
            await self.seat.lost(AccountState.FROZEN, why)
        elif await self.seat.thawed():
            self.account.renew()


async def _end(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks until they end: the library may lose a cancellation."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
