"""Checks what the daemon needs: Telegram, both logins, the clock, supervisord.

The bot logs in anew, in memory, and out again. The account's session is never opened beside a running daemon: Telegram
ends a session that is used from two places.
"""

import asyncio
import stat
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from pyrogram import Client, raw
from pyrogram.errors import FloodWait, RPCError
from pyrogram.session.session import AuthKeyNotFound
from supervisor.xmlrpc import SupervisorTransport

from config.findings import Finding, clock, fail, ok, warn
from config.money import STARS, STARS_RULE
from config.settings import Settings
from daemon.supervision import programs
from daemon.telegram import endpoint

TIMEOUT_S = 25.0
STOP_S = 5.0

_FAILURES = (RPCError, OSError, AuthKeyNotFound)


def examine(settings: Settings, running: bool, *, offline: bool) -> list[Finding]:
    """The daemon's findings. *running*: the programs run on this ``DB_PATH`` now."""
    findings = [_stars(settings), *(_supervisor(settings) if running else ())]
    return findings if offline else [*findings, *asyncio.run(_telegram(settings, running))]


def _stars(settings: Settings) -> Finding:
    if settings.paypal_enabled:
        return warn("Telegram's rule", f"PayPal is on. {STARS_RULE}. For Stars only, leave out PAYPAL_CLIENT_ID")
    if not any(STARS in plan.prices for plan in settings.plans.on_sale()):
        return warn("Telegram's rule", "no plan has a price in Stars (XTR), so nothing can be bought")
    return ok("Telegram's rule", "only Stars are taken")


def _supervisor(settings: Settings) -> Iterator[Finding]:
    socket = programs.runtime_directory(settings.db_path) / "supervisor.sock"
    if not socket.exists():
        yield warn("supervisord", f"no socket at {socket}: supervisorctl cannot steer the programs")
        return
    if stat.S_IMODE(socket.stat().st_mode) & 0o077:
        yield fail("supervisord", f"others may steer the programs: chmod 0700 {socket}")
    try:
        server = ServerProxy("http://localhost", SupervisorTransport(None, None, f"unix://{socket}"))
        processes: Any = server.supervisor.getAllProcessInfo()
        states = {str(info["name"]): str(info["statename"]) for info in processes}
    except (OSError, Fault) as error:
        yield fail("supervisord", f"does not answer at {socket}: {error}")
        return
    down = [f"{name} {state}" for name, state in states.items() if state != "RUNNING"]
    if down:
        yield fail("supervisord", f"{', '.join(down)}: see {settings.logs}, then supervisorctl start all")
    else:
        yield ok("supervisord", f"runs {', '.join(sorted(states))}")


async def _telegram(settings: Settings, running: bool) -> list[Finding]:
    if settings.telegram_public_key:
        endpoint.trust(settings.telegram_public_key)
    findings = [finding async for finding in _bot(settings)]
    if any(finding.part == "Telegram" for finding in findings):
        return findings  # not reached: the account would not reach it either
    if running:
        findings.append(ok("account", "its session is in use by the running daemon: left alone, see /health"))
    else:
        findings.append(await _account(settings))
    return findings


async def _bot(settings: Settings) -> AsyncIterator[Finding]:
    bot = _client(settings, "doctor's bot", bot_token=settings.telegram_bot_token)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await bot.start()
            yield ok("bot", f"@{bot.me.username}" if bot.me else "logged in")
            state = await bot.invoke(raw.functions.updates.GetState())
            yield clock("clock (Telegram)", state.date, time.time())
            await bot.log_out()
    except FloodWait as error:
        yield warn("bot", f"Telegram wants {error.value} s of rest before another login: ask again later")
    except RPCError as error:
        yield fail("bot", f"Telegram refuses TELEGRAM_BOT_TOKEN ({error.ID}): ask @BotFather for the present one")
    except (OSError, AuthKeyNotFound) as error:
        yield fail(
            "Telegram",
            f"cannot be reached ({type(error).__name__}): is port 443 open, is the clock right to half a minute?",
        )
    except KeyError:  # what the library raises for an answer that it cannot read
        yield fail("Telegram", "something else answers at its address: is a proxy in between that reads along?")
    finally:
        await _close(bot)


async def _account(settings: Settings) -> Finding:
    account = _client(settings, "doctor's account", session_string=settings.telegram_session_string)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await account.start()
        me = account.me
        if me is not None and me.is_bot:
            return fail("account", "TELEGRAM_SESSION_STRING belongs to a bot: it takes a person's, see `make session`")
        return ok("account", f"{me.full_name if me else 'somebody'} is logged in")
    except RPCError as error:
        return fail("account", f"Telegram has ended the session ({error.ID}): make a new one with `make session`")
    except AuthKeyNotFound:
        return fail("account", "Telegram does not know the session any more: make a new one with `make session`")
    except OSError as error:
        return fail("account", f"Telegram cannot be reached ({type(error).__name__})")
    finally:
        await _close(account)


def _client(settings: Settings, name: str, **login: str) -> Client:
    return Client(
        name,
        api_id=settings.telegram_api_id,
        api_hash=settings.telegram_api_hash,
        in_memory=True,
        no_updates=True,
        sleep_threshold=0,
        connection_factory=endpoint.connection_class(settings.telegram_endpoint),
        **login,
    )


async def _close(client: Client) -> None:
    """Close what is open, in a few seconds at most, whether or not the login succeeded."""
    try:
        async with asyncio.timeout(STOP_S):
            if client.is_initialized:
                await client.stop()
            elif client.session is not None:
                await client.session.stop()
    except (*_FAILURES, ConnectionError):
        return
