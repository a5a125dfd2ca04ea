"""Logs in with a phone number, once, to get the session string that the account's client uses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pyrogram import Client
from pyrogram.errors import PasswordHashInvalid, PhoneCodeInvalid, SessionPasswordNeeded
from pyrogram.types import User

from config.settings import Application
from daemon.telegram import endpoint
from daemon.telegram.errors import DaemonError

ATTEMPTS = 3

Ask = Callable[[str, bool], str]
"""Asks the operator a question and returns the answer; True hides what is typed."""


class PhoneNumberUnoccupied(DaemonError):
    """Nobody on Telegram has the phone number."""


@dataclass(frozen=True)
class Login:
    """A new session: the name of its person, and the session string."""

    name: str
    session_string: str


async def log_in(application: Application, ask: Ask) -> Login:
    """Log in as the person who answers.

    :raises PhoneNumberUnoccupied: nobody has the phone number.
    :raises pyrogram.errors.RPCError: Telegram refuses.
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
    await client.connect()
    try:
        user = await _authorize(client, ask)
        return Login(user.full_name, await client.export_session_string())
    finally:
        await client.disconnect()


async def _authorize(client: Client, ask: Ask) -> User:
    phone = await asyncio.to_thread(ask, "Phone number, with country code", False)
    sent = await client.send_phone_number_code(phone)

    async def with_code(code: str) -> object:
        return await client.sign_in(phone, sent.phone_code_hash, code)

    try:
        user = await _answered(
            ask, "Login code that Telegram has just sent", with_code, hidden=False, wrong=PhoneCodeInvalid
        )
    except SessionPasswordNeeded:
        user = await _answered(ask, "Two-step password", client.check_password, hidden=True, wrong=PasswordHashInvalid)
    if not isinstance(user, User):
        raise PhoneNumberUnoccupied(
            "nobody on Telegram has this number: sign up with one of Telegram's own applications first"
        )
    return user


async def _answered(
    ask: Ask, question: str, attempt: Callable[[str], Awaitable[object]], *, hidden: bool, wrong: type[Exception]
) -> object:
    """The result of *attempt* with the answer. A wrong answer may be given three times."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await attempt(await asyncio.to_thread(ask, question, hidden))
        except wrong:
            question = f"Wrong. {question.removeprefix('Wrong. ')}"
    return await attempt(await asyncio.to_thread(ask, question, hidden))
