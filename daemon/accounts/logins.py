"""Carries out log-ins of accounts: asks Telegram what a person on a page has answered, and keeps the session.

It runs in the daemon and in the set-up. What it holds of a log-in (the key that opens the answers, the client, the
number) is in memory alone; when the process ends, the log-in has ended.
See https://core.telegram.org/api/auth and https://core.telegram.org/api/qr-login.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pyrogram import Client, raw
from pyrogram.errors import (
    FloodWait,
    PasswordHashInvalid,
    PhoneCodeEmpty,
    PhoneCodeExpired,
    PhoneCodeInvalid,
    PhoneNumberInvalid,
    RPCError,
    SendCodeUnavailable,
    SessionPasswordNeeded,
)
from pyrogram.session.session import AuthKeyNotFound
from pyrogram.types import SentCode, User

from config.settings import Settings
from daemon.database import Database
from daemon.telegram import endpoint
from daemon.telegram.clients import build_account
from daemon.telegram.login import close, code_in, number_in, way_of
from daemon.telegram.rpc import flood_seconds
from daemon.wakeup import Wakeup
from models.accounts import logins, pool, sealing
from models.accounts.logins import LoginInfo, LoginState, Step
from models.accounts.pool import Person
from models.database import transaction
from models.errors import Unopenable
from models.words.logins import WHERE

logger = logging.getLogger(__name__)

CHECK_S, IDLE_S = 1.0, 30.0
CALL_S = 30.0
_WRONG = (PhoneNumberInvalid, PhoneCodeInvalid, PhoneCodeEmpty, PasswordHashInvalid)


@dataclass
class _Present:
    """The log-in in progress: its client, and what was found out on the way."""

    id: int
    client: Client
    phone: str = ""
    code_hash: str = ""
    way: str = ""
    shown_until: float = 0.0
    """When the QR code on the page ends, by the system's clock."""


class Logins:
    """Carries out one log-in at a time. *settings* gives those of this moment: the set-up is still asking for them."""

    def __init__(self, settings: Callable[[], Settings], database: Database, wakeup: Wakeup) -> None:
        self._settings, self._database, self._wakeup = settings, database, wakeup
        self._recipient = sealing.Recipient()
        self._present: _Present | None = None
        self._steps: Mapping[Step, Callable[[LoginInfo, str], Awaitable[None]]] = {
            Step.NUMBER: self._send_code,
            Step.CODE: self._sign_in,
            Step.PASSWORD: self._check_password,
            Step.SCAN: self._show_qr,
        }

    async def run(self) -> None:
        """Carry out log-ins until cancelled. Those of a process before this one have ended."""
        subscription = self._wakeup.subscribe()
        await self._database(logins.serve, self._recipient.public, _now())
        try:
            while True:
                try:
                    await self._look()
                except Exception:
                    logger.exception("account_login.failed")
                    await self._database(logins.end_all, "broken")
                await subscription.wait(CHECK_S if self._present else IDLE_S)
        finally:
            await self._drop()

    async def _look(self) -> None:
        login = await self._database(logins.current)
        if self._present is not None and (login is None or login.id != self._present.id):
            await self._drop()
        if login is None:
            return
        if login.expires_at <= _now():
            await self._fail(login, "expired")
        elif login.state is LoginState.ANSWERED:
            await self._carry_out(login)
        elif login.step is Step.SCAN and self._present is not None and self._is_scanned():
            await self._try(login, self._show_qr(login, ""))

    async def _carry_out(self, login: LoginInfo) -> None:
        sealed = await self._database(logins.take, login.id)
        try:
            text = self._recipient.opened(sealed, login.about) if sealed else ""
        except Unopenable:
            await self._fail(login, "interrupted")
            return
        await self._try(login, self._steps[login.step](login, text))

    async def _try(self, login: LoginInfo, step: Awaitable[None]) -> None:
        """Make a step, and say on the page how it failed."""
        try:
            async with asyncio.timeout(CALL_S):
                await step
        except _WRONG as error:
            await self._wrong(login, str(error.ID))
        except SessionPasswordNeeded:
            await self._database(logins.ask, login.id, Step.PASSWORD)
        except FloodWait as error:
            await self._fail(login, "FLOOD_WAIT", seconds=flood_seconds(error))
        except RPCError as error:
            await self._fail(login, str(error.ID))
        except (OSError, AuthKeyNotFound) as error:
            logger.warning("account_login.unreachable", extra={"reason": repr(error)})
            await self._wrong(login, "unreachable", counts=False)

    # ---- the steps

    async def _send_code(self, login: LoginInfo, typed: str) -> None:
        phone = number_in(typed)
        if ":" in typed or not phone:
            await self._wrong(login, "bot_token" if ":" in typed else PhoneNumberInvalid.ID)
            return
        present = await self._begin(login, updates=False)
        present.phone = phone
        await self._ask_for_code(login, present, lambda: present.client.send_phone_number_code(phone))

    async def _ask_for_code(self, login: LoginInfo, present: _Present, send: Callable[[], Awaitable[SentCode]]) -> None:
        """Have Telegram send a code, within the day's, and ask the person for it."""
        if not await self._database(logins.spend_code, login.id, _now()):
            await self._wrong(login, "codes", counts=False)
            return
        try:
            sent = await send()
        except RPCError:
            await self._database(logins.give_back_code, login.id)
            raise
        present.code_hash, present.way = sent.phone_code_hash, way_of(sent)
        if present.way not in WHERE:
            await self._fail(login, "email")
            return
        await self._database(logins.ask, login.id, Step.CODE, where=present.way)

    async def _sign_in(self, login: LoginInfo, typed: str) -> None:
        present = self._known(login)
        if typed == logins.AGAIN:
            await self._ask_for_code(login, present, lambda: self._code_again(present))
            return
        user = await present.client.sign_in(present.phone, present.code_hash, code_in(typed, present.way))
        if isinstance(user, User):
            await self._keep(login, user)
        else:
            await self._fail(login, "PHONE_NUMBER_UNOCCUPIED")

    async def _code_again(self, present: _Present) -> SentCode:
        """Another code: by the next way that Telegram has, or a new one where there is no next."""
        client = present.client
        try:
            return await client.resend_phone_number_code(present.phone, present.code_hash)
        except (PhoneCodeExpired, SendCodeUnavailable):
            return await client.send_phone_number_code(present.phone)

    async def _check_password(self, login: LoginInfo, typed: str) -> None:
        await self._keep(login, await self._known(login).client.check_password(typed))

    async def _show_qr(self, login: LoginInfo, _typed: str) -> None:
        """Put a QR code on the page, or log in by the one that was scanned."""
        present = self._present
        if present is None or not present.client.is_connected:
            present = await self._begin(login, updates=True)
        client = present.client
        query = raw.functions.auth.ExportLoginToken(api_id=client.api_id, api_hash=client.api_hash, except_ids=[])
        token = await client.invoke(query)
        if isinstance(token, raw.types.auth.LoginTokenMigrateTo):
            await _move(client, token.dc_id)
            token = await client.invoke(raw.functions.auth.ImportLoginToken(token=token.token))
        if isinstance(token, raw.types.auth.LoginTokenSuccess):
            user = await User._parse(client, token.authorization.user)
            await client.storage.user_id(user.id)
            await client.storage.is_bot(False)
            await self._keep(login, user)
            return
        present.shown_until = token.expires
        address = f"tg://login?token={base64.urlsafe_b64encode(token.token).decode().rstrip('=')}"
        sealed = sealing.keep(self._settings().secret_key, address, login.about)
        await self._database(logins.ask, login.id, Step.SCAN, qr=sealed)

    def _is_scanned(self) -> bool:
        """Whether the QR code was scanned, or ends: in both cases Telegram is asked for the next."""
        assert self._present is not None
        updates = self._present.client.dispatcher.updates_queue
        scanned = False
        while not updates.empty():
            scanned |= isinstance(updates.get_nowait()[0], raw.types.UpdateLoginToken)
        return scanned or time.time() >= self._present.shown_until - CHECK_S

    # ---- its beginning and its end

    async def _begin(self, login: LoginInfo, *, updates: bool) -> _Present:
        """A new client for a log-in: one that was refused before may be in another data centre."""
        await self._drop()
        settings = self._settings()
        if settings.telegram_public_key:
            endpoint.trust(settings.telegram_public_key)
        client = Client(
            "login",
            api_id=settings.telegram_api_id,
            api_hash=settings.telegram_api_hash,
            in_memory=True,
            no_updates=not updates,
            sleep_threshold=0,
            connection_factory=endpoint.connection_class(settings.telegram_endpoint),
        )
        self._present = _Present(login.id, client)
        await client.connect()
        return self._present

    def _known(self, login: LoginInfo) -> _Present:
        assert self._present is not None and self._present.id == login.id
        return self._present

    async def _keep(self, login: LoginInfo, user: User) -> None:
        """Keep the account. The log-in's client is closed first: whoever reads with the session is the only one.

        Where somebody has ended the log-in meanwhile, the account is logged out again.
        """
        client, settings = self._known(login).client, self._settings()
        if not await self._database(logins.goes_on, login.id):
            await _undo(login, client)
            await self._drop()
            return
        session = await client.export_session_string()
        await self._drop()
        person = Person(user.id, user.full_name, user.username)
        account_id = await self._database(_keep, login, person, session, settings)
        if account_id is None:
            again = build_account(settings, session)
            try:
                await again.connect()
                await _undo(login, again)
            finally:
                await close(again)
            return
        logger.info("account.logged_in", extra={"account": account_id, "how": login.how})
        self._wakeup.wake()

    async def _wrong(self, login: LoginInfo, fault: str, *, counts: bool = True) -> None:
        if not await self._database(logins.ask_again, login.id, fault, counts=counts):
            await self._drop()

    async def _fail(self, login: LoginInfo, fault: str, **said: Any) -> None:
        logger.info("account_login.ended", extra={"reason": fault})
        await self._database(logins.fail, login.id, fault, **said)
        await self._drop()

    async def _drop(self) -> None:
        """Forget the log-in in progress, and close its client in bounded time."""
        present, self._present = self._present, None
        if present is not None:
            await close(present.client)


async def _undo(login: LoginInfo, client: Client) -> None:
    logger.info("account_login.undone", extra={"how": login.how})
    await client.invoke(raw.functions.auth.LogOut())


async def _move(client: Client, data_centre: int) -> None:
    """Go on with a login in the data centre where its account is at home, as the library does with a number."""
    option = await client.get_dc_option(data_centre, ipv6=client.ipv6)
    await client.session.stop()
    client.session = await client.get_session(
        dc_id=data_centre,
        server_address=option.ip_address,
        port=option.port,
        export_authorization=False,
        temporary=True,
    )
    await client.storage.dc_id(data_centre)
    await client.storage.server_address(option.ip_address)
    await client.storage.port(option.port)
    await client.storage.auth_key(client.session.auth_key)


def _keep(login: LoginInfo, person: Person, session: str, settings: Settings) -> int | None:
    now = _now()
    with transaction():
        if not logins.goes_on(login.id):
            return None
        account_id = pool.add(person, session, settings, now, reads=login.reads, by=login.by)
        logins.finish(login.id, account_id, person.name)
    return account_id


def _now() -> int:
    return int(time.time())
