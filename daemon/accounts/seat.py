"""Which account the daemon reads with: leased, put into the client, and changed when somebody chooses another.

The client object stays, so that every part that holds it reads with the account of the moment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable

from pyrogram import Client
from pyrogram.storage import SQLiteStorage

from config.settings import Settings
from daemon.database import Database
from daemon.telegram.account_guard import Guard
from daemon.telegram.clients import ConnectionState
from daemon.telegram.errors import AccountInUse
from daemon.wakeup import Wakeup
from models.accounts import pool
from models.accounts.pool import AccountInfo, AccountState, Person
from models.errors import Unopenable

logger = logging.getLogger(__name__)

RENEW_S, AGAIN_S = 10.0, 10.0
SEALED = "SECRET_KEY"
"""Why an account is lost whose session does not open."""
PACE_S = 0.2
"""Between two looks at which account is to read, while there are many commits."""


class Seat:
    """The place of the account that reads. *guard* may hold it already."""

    def __init__(self, client: Client, settings: Settings, guard: Guard, *, database: Database, wakeup: Wakeup) -> None:
        self.client = client
        self.account: AccountInfo | None = None
        self.on_change: list[Callable[[], Awaitable[None]]] = []
        """Called with nobody in the seat, before another account takes it: what was known through the last one goes."""
        self._settings, self._database = settings, database
        self._subscription, self._guard = wakeup.subscribe(), guard
        self._machine = socket.gethostname()
        self._owner = f"{self._machine}/{os.getpid()}/{secrets.token_hex(4)}"
        self._mark = ""
        self._renewed_at = 0.0
        self._floods: dict[str, int] = {}

    async def take(self, rest: Callable[[ConnectionState, str], Awaitable[None]]) -> None:
        """Put the account that is to read into the client, as soon as there is one that may be used.

        :param rest: hears why there is none: it is paused, or its session does not open.
        """
        while True:
            account = await self._database(pool.reader)
            session = await self._session_of(account) if account is not None else None
            if account is None or session is None:
                why = (ConnectionState.PAUSED, "") if account is None else (ConnectionState.UNOPENABLE, SEALED)
                await rest(*why)
                await self._subscription.wait(AGAIN_S)
            elif await self._may_use(account, session):
                await self._sit(account, session)
                return
            else:
                await asyncio.sleep(AGAIN_S)

    async def changed(self) -> None:
        """Wait until another account is to read, or this process may not use the present one any more."""
        while await self._stays():
            await asyncio.sleep(PACE_S)
            await self._subscription.wait(RENEW_S)

    async def wait(self, seconds: float) -> None:
        """Wait so long, or until another account is to read."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and await self._stays():
            await asyncio.sleep(PACE_S)
            await self._subscription.wait(min(left, RENEW_S))

    async def leave(self) -> None:
        """Let other processes use the account."""
        if self.account is not None:
            await self._database(pool.release, self.account.id, self._owner)
        self.account = None
        self._guard.release()

    async def borrow(self, account: AccountInfo) -> bool:
        """Lease an account that is not in the seat for a moment; whether nobody else uses it."""
        return await self._database(pool.lease, account.id, self._owner, int(time.time()), machine=self._machine)

    async def give_back(self, account: AccountInfo) -> None:
        """Let others use an account that was borrowed, unless it has been chosen meanwhile."""
        if self.account is None or self.account.id != account.id:
            await self._database(pool.release, account.id, self._owner)

    async def arrived(self) -> None:
        """Record who is in the seat, once the client is connected."""
        me = self.client.me
        if self.account is None or me is None:
            return
        person = Person(me.id, me.full_name, me.username)
        if await self._database(pool.connected, self.account.id, person, int(time.time())):
            logger.info("account.replaced", extra={"account": self.account.id})

    def flooded(self, method: str, seconds: int) -> None:
        """Note that Telegram wants no call of a method for so long; :meth:`tell` writes it down."""
        self._floods[method] = int(time.time()) + seconds

    async def tell(self) -> None:
        """Write down what was noted since."""
        if self._floods and self.account is not None:
            floods, self._floods = self._floods, {}
            await self._database(pool.flooded, self.account.id, floods, int(time.time()))

    async def lost(self, state: AccountState, reason: str) -> None:
        """Record what Telegram has done to the account."""
        if self.account is not None:
            await self._database(pool.lost, self.account.id, state, reason, int(time.time()))

    async def thawed(self) -> bool:
        """Record that the account is not frozen; whether it was."""
        if self.account is None:
            return False
        return await self._database(pool.thawed, self.account.id, int(time.time()))

    async def _session_of(self, account: AccountInfo) -> str | None:
        try:
            return await self._database(pool.session_of, account, self._settings)
        except Unopenable:
            if not account.state.is_lost:
                logger.error("account.unopenable", extra={"account": account.id})
                await self._database(pool.lost, account.id, AccountState.UNOPENABLE, SEALED, int(time.time()))
            return None

    async def _may_use(self, account: AccountInfo, session: str) -> bool:
        try:
            self._guard.take(session, self._settings.telegram_endpoint)
        except AccountInUse:
            logger.error("account.in_use", extra={"cause": "another daemon on this machine reads with it"})
            return False
        if await self._lease(account):
            return True
        logger.error("account.leased", extra={"account": account.id, "owner": account.lease_owner})
        return False

    async def _sit(self, account: AccountInfo, session: str) -> None:
        client = self.client
        if self._mark not in ("", account.mark):
            for forget in self.on_change:
                await forget()
            client.sessions.clear()
            client.media_sessions.clear()
        self.account, self._mark, self._floods = account, account.mark, {}
        client.me = None
        client.storage = SQLiteStorage(client.name, workdir=client.workdir, session_string=session, in_memory=True)

    async def _stays(self) -> bool:
        present = await self._database(pool.reader)
        if present is None or self.account is None:
            return False
        if (present.id, present.mark) != (self.account.id, self.account.mark):
            return False
        return time.monotonic() - self._renewed_at < RENEW_S or await self._lease(present)

    async def _lease(self, account: AccountInfo) -> bool:
        self._renewed_at = time.monotonic()
        return await self._database(pool.lease, account.id, self._owner, int(time.time()), machine=self._machine)
