"""Looks at the accounts that stand by once a day: one that Telegram has logged out is of no help when it is needed.

It also keeps them: Telegram ends sessions that nobody uses for months.
"""

from __future__ import annotations

import asyncio
import logging
import time

from pyrogram import Client, raw
from pyrogram.errors import RPCError
from pyrogram.session.session import AuthKeyNotFound

from config.settings import Settings
from config.units import DAY_S, HOUR_S
from daemon.accounts.seat import SEALED, Seat
from daemon.database import Database
from daemon.telegram import clients
from daemon.telegram.account_guard import Guard
from daemon.telegram.clients import Connection, ConnectionState
from daemon.telegram.errors import AccountInUse, in_short
from models.accounts import pool
from models.accounts.pool import AccountInfo, AccountState, Person
from models.errors import Unopenable

logger = logging.getLogger(__name__)

LOOK_S, EVERY_S = float(HOUR_S), DAY_S
START_S = 30.0


class Standbys:
    """Looks at each account that stands by, one after the other."""

    def __init__(self, seat: Seat, settings: Settings, database: Database) -> None:
        self._seat, self._settings, self._database = seat, settings, database

    async def run(self, up: asyncio.Event) -> None:
        """Look at those that were not seen for a day, while the reading account is *up*, until cancelled."""
        while True:
            await up.wait()
            now = int(time.time())
            for account in await self._database(pool.standbys):
                if now - (account.seen_at or 0) >= EVERY_S:
                    await self._try(account)
            await asyncio.sleep(LOOK_S)

    async def _try(self, account: AccountInfo) -> None:
        """Look at one; whatever the library makes of its session, the others and the daemon go on."""
        try:
            await self._look(account)
        except Exception:
            logger.exception("standby.broken", extra={"account": account.id})

    async def _look(self, account: AccountInfo) -> None:
        guard = Guard()
        try:
            session = await self._database(pool.session_of, account, self._settings)
            if session is None:
                return
            guard.take(session, self._settings.telegram_endpoint)
            await self._borrow(account, session)
        except Unopenable:
            await self._lost(account, AccountState.UNOPENABLE, SEALED)
        except AccountInUse:
            logger.info("standby.in_use", extra={"account": account.id})
        finally:
            guard.release()

    async def _borrow(self, account: AccountInfo, session: str) -> None:
        """Use an account under a lease, given back while the guard is still held: its next user takes a new one."""
        if not await self._seat.borrow(account):
            return
        try:
            await self._examine(account, clients.build_account(self._settings, session))
        finally:
            await self._seat.give_back(account)

    async def _examine(self, account: AccountInfo, client: Client) -> None:
        """Log in and ask who it is; what says nothing about the login is left for the next time."""
        connection = Connection(client, _unheard)
        try:
            async with asyncio.timeout(START_S):
                await client.start()
                await client.invoke(raw.functions.users.GetUsers(id=[raw.types.InputUserSelf()]))
        except (RPCError, OSError, AuthKeyNotFound) as error:
            state = clients.state_after(clients.auth_key_error(client.session) or error)
            logger.warning("standby.failed", extra={"account": account.id, "reason": str(error)})
            if state is not None and state.is_ended:
                await self._lost(account, AccountState(state.value), in_short(error))
        else:
            me = client.me
            if me is not None:
                await self._database(pool.seen, account.id, Person(me.id, me.full_name, me.username), int(time.time()))
        finally:
            await connection.stop()

    async def _lost(self, account: AccountInfo, state: AccountState, reason: str) -> None:
        await self._database(pool.lost, account.id, state, reason, int(time.time()))


async def _unheard(_state: ConnectionState, _reason: str) -> None:
    """Nobody hears of this connection."""
