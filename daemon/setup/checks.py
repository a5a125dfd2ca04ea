"""Asks Telegram whether it accepts what was typed during set-up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from pyrogram import Client, raw
from pyrogram.errors import RPCError
from pyrogram.session.session import AuthKeyNotFound

from config.settings import Application
from config.texts import Message, Texts
from daemon.telegram import endpoint, refusals
from daemon.telegram.login import close

TIMEOUT_S = 25.0

_APPLICATION = Message(
    "Telegram does not accept this id with this hash. Copy both again from my.telegram.org: they belong together."
)
_TOKEN = Message("Telegram does not know this token. Copy it again from @BotFather, all of it.")
_BANNED = Message("Telegram has banned this bot. Make another one with @BotFather.")
_REASONS = {
    **dict.fromkeys(("API_ID_INVALID", "API_ID_PUBLISHED_FLOOD"), _APPLICATION),
    **dict.fromkeys(("ACCESS_TOKEN_INVALID", "ACCESS_TOKEN_EXPIRED", "BOT_TOKEN_INVALID", "USER_DEACTIVATED"), _TOKEN),
    "USER_DEACTIVATED_BAN": _BANNED,
    "": Message("Telegram refuses this"),
}


@dataclass(frozen=True)
class Found:
    """What Telegram says: the bot's name where it was asked for a bot, or in words why it refuses."""

    text: str = ""
    is_good: bool = False
    bot: Mapping[str, object] | None = None


async def of_application(application: Application, _token: str, t: Texts) -> Found:
    """Whether Telegram accepts the application: anybody with one may ask for a QR code to log in by."""

    async def ask(client: Client) -> Found:
        query = raw.functions.auth.ExportLoginToken(
            api_id=application.api_id, api_hash=application.api_hash, except_ids=[]
        )
        await client.connect()
        await client.invoke(query)
        return Found(is_good=True)

    return await _asked(Client("application", in_memory=True, no_updates=True, **_of(application)), ask, t)


async def of_bot(application: Application, token: str, t: Texts) -> Found:
    """Whether Telegram knows the bot's token, and whose it is."""
    if not token:  # a kill after a wrong one was forgotten: the library would ask for a number on the console
        return Found(_TOKEN.said_in(t))

    async def ask(client: Client) -> Found:
        await client.start()
        me = client.me
        assert me is not None
        await client.log_out()
        bot = {"id": me.id, "username": me.username, "name": me.first_name}
        return Found(f"@{me.username}", is_good=True, bot=bot)

    client = Client("token", in_memory=True, no_updates=True, bot_token=token, **_of(application))
    return await _asked(client, ask, t)


def _of(application: Application) -> dict[str, object]:
    if application.public_key:
        endpoint.trust(application.public_key)
    return {
        "api_id": application.api_id,
        "api_hash": application.api_hash,
        "sleep_threshold": 0,
        "connection_factory": endpoint.connection_class(application.endpoint),
    }


async def _asked(client: Client, ask: Callable[[Client], Awaitable[Found]], t: Texts) -> Found:
    """What Telegram answers; that it refuses, or is away, is an answer too."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            try:
                return await ask(client)
            finally:
                await close(client)
    except RPCError as error:
        return Found(refusals.said(error, _REASONS, t))
    except (OSError, AuthKeyNotFound) as error:
        return Found(f"Telegram {refusals.unreachable(error, t)}")
    except KeyError:
        return Found(f"Telegram: {refusals.stranger(t)}")
