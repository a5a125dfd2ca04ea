"""Logs in with a phone number, once, to get the session string that the account's client uses."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from pyrogram import Client
from pyrogram.errors import (
    PasswordHashInvalid,
    PhoneCodeEmpty,
    PhoneCodeInvalid,
    PhoneNumberInvalid,
    RPCError,
    SessionPasswordNeeded,
)
from pyrogram.session.session import AuthKeyNotFound
from pyrogram.types import SentCode, User

from config.settings import Application
from config.texts import Message, Texts
from daemon.telegram import endpoint, refusals
from daemon.telegram.errors import LoginFailed
from models.words import logins

ATTEMPTS = 3
CLOSE_S = 3.0

Answer = TypeVar("Answer")

_PHONE = Message("Phone number, with country code")
_CODE = Message("Login code")
_PASSWORD = Message("Two-step password")
_WRONG = (PhoneNumberInvalid, PhoneCodeInvalid, PhoneCodeEmpty, PasswordHashInvalid)


@dataclass(frozen=True)
class Dialogue:
    """How the operator is spoken to: ``ask`` returns the answer to a question (True hides it), ``tell`` only says."""

    ask: Callable[[str, bool], str]
    tell: Callable[[str], None]
    texts: Texts


@dataclass(frozen=True)
class Login:
    """A new session: the name of its person, and the session string."""

    name: str
    session_string: str


async def log_in(application: Application, dialogue: Dialogue) -> Login:
    """Log in as the person who answers.

    :raises LoginFailed: Telegram refuses, or cannot be reached. Its text is a sentence in the operator's language.
    """
    if application.public_key:
        endpoint.trust(application.public_key)
    client = Client(
        "login",
        api_id=application.api_id,
        api_hash=application.api_hash,
        in_memory=True,
        no_updates=True,
        connection_factory=endpoint.connection_class(application.endpoint),
    )
    try:
        try:
            await client.connect()
            user = await _authorize(client, dialogue)
            return Login(user.full_name, await client.export_session_string())
        finally:
            await close(client)
    except RPCError as error:
        raise LoginFailed(refusals.said(error, refusals.OF_LOGIN, dialogue.texts)) from error
    except (OSError, AuthKeyNotFound) as error:
        raise LoginFailed(f"Telegram {refusals.unreachable(error, dialogue.texts)}") from error
    except KeyError as error:
        raise LoginFailed(f"Telegram: {refusals.stranger(dialogue.texts)}") from error


async def close(client: Client) -> None:
    """Close a client that was opened to log in, however far it has come, in bounded time.

    The library leaves the session in memory open where the client is not connected, or its connection breaks, and the
    connection where its own end is cut off.
    """
    session = client.session
    try:
        with contextlib.suppress(OSError, RPCError, AuthKeyNotFound):
            async with asyncio.timeout(CLOSE_S):
                await (client.stop() if client.is_initialized else client.disconnect())
    finally:
        endpoint.hang_up(session)
        await client.storage.close()


async def _authorize(client: Client, dialogue: Dialogue) -> User:
    phone, sent = await _send_code(client, dialogue)
    where = logins.WHERE.get(way := way_of(sent))
    if where is None:
        raise LoginFailed(logins.fault(dialogue.texts, "email"))
    dialogue.tell(where.said_in(dialogue.texts))

    async def with_code(typed: str) -> object:
        code = code_in(typed, way)
        return await client.sign_in(phone, sent.phone_code_hash, code)

    try:
        user = await _answered(dialogue, _CODE, with_code)
    except SessionPasswordNeeded:
        user = await _answered(dialogue, _PASSWORD, client.check_password, hidden=True)
    if not isinstance(user, User):
        raise LoginFailed(refusals.OF_LOGIN["PHONE_NUMBER_UNOCCUPIED"].said_in(dialogue.texts))
    return user


async def _send_code(client: Client, dialogue: Dialogue) -> tuple[str, SentCode]:
    """The number that was typed, and how Telegram has sent a code to it."""

    async def with_phone(typed: str) -> tuple[str, SentCode]:
        if ":" in typed:
            raise LoginFailed(logins.fault(dialogue.texts, "bot_token"))
        phone = number_in(typed)
        return phone, await client.send_phone_number_code(phone)

    return await _answered(dialogue, _PHONE, with_phone)


async def _answered(
    dialogue: Dialogue, question: Message, attempt: Callable[[str], Awaitable[Answer]], *, hidden: bool = False
) -> Answer:
    """The result of *attempt* with the answer. A wrong answer may be given three times."""
    t = dialogue.texts
    asked = question.said_in(t)
    for _ in range(ATTEMPTS - 1):
        try:
            return await attempt(await asyncio.to_thread(dialogue.ask, asked, hidden))
        except _WRONG as error:
            reason = refusals.said(error, refusals.OF_LOGIN, t)
            asked = t.gettext("Wrong. {question}", question=question.said_in(t))
            dialogue.tell(reason)
    return await attempt(await asyncio.to_thread(dialogue.ask, asked, hidden))


def way_of(sent: SentCode) -> str:
    """What Telegram calls the way on which it has sent a code."""
    return str(sent.type.name).lower()


def number_in(typed: str) -> str:
    """The phone number in what somebody typed, with its country code and nothing else."""
    return digits(typed).removeprefix("00")


def code_in(typed: str, way: str) -> str:
    """The code in what somebody typed, which came on that way."""
    return typed.strip() if way in logins.IN_WORDS else digits(typed)


def digits(typed: str) -> str:
    """The digits of what somebody typed: ``70-914`` and ``Login code: 70914.`` are ``70914``."""
    return "".join(str(int(each)) for each in typed if each.isdecimal())
