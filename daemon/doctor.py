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

import requests
from pyrogram import Client, raw
from pyrogram.errors import FloodWait, RPCError
from pyrogram.session.session import AuthKeyNotFound
from supervisor.xmlrpc import SupervisorTransport

from config.advice import STARS_RULE
from config.findings import Finding, clock, fail, ok, warn
from config.money import STARS
from config.plans import Plans
from config.settings import Settings
from config.texts import Texts
from daemon.supervision import programs
from daemon.telegram import account_guard, endpoint, refusals
from daemon.telegram.clients import auth_key_error
from daemon.telegram.login import close
from models.accounts import pool
from models.accounts.pool import AtHand

TIMEOUT_S = 25.0
HEALTH_TIMEOUT_S = 3.0
CHECK_S = 0.2


def examine(settings: Settings, plans: Plans, t: Texts, running: bool, *, offline: bool) -> list[Finding]:
    """The daemon's findings. *running*: the programs run on this ``DB_PATH`` now."""
    findings = [_stars(settings, plans, t), *(_supervisor(settings, t) if running else ())]
    if offline:
        return findings
    at_hand = pool.at_hand(settings, int(time.time()))
    in_use = _in_use(settings, at_hand, t, running)
    return [*findings, *asyncio.run(_telegram(settings, at_hand, t, in_use))]


def _stars(settings: Settings, plans: Plans, t: Texts) -> Finding:
    if settings.paypal_enabled:
        rule = STARS_RULE.said_in(t)
        return warn(
            "Telegram's rule",
            t.gettext("PayPal is on. {rule}. For Stars only, leave out PAYPAL_CLIENT_ID", rule=rule),
        )
    on_sale = plans.articles_on_sale()
    if plans.plans and not any(STARS in each.prices for each in on_sale):
        return warn("Telegram's rule", t.gettext("no plan has a price in Stars (XTR), so nothing can be bought"))
    return ok("Telegram's rule", t.gettext("only Stars are taken"))


def _in_use(settings: Settings, at_hand: AtHand, t: Texts, running: bool) -> str | None:
    """Who uses the account's session now, under this ``DB_PATH`` or another; None where nobody is seen to."""
    if running or at_hand.is_leased:
        return t.gettext("its session is in use by the running daemon: left alone, see /health")
    if at_hand.session and account_guard.is_held(at_hand.session, settings.telegram_endpoint):
        return t.gettext("its session is in use by a daemon with another DB_PATH: left alone")
    for address in (f"http://127.0.0.1:{settings.port}", settings.backend_url):
        if address and _answers(address):
            return t.gettext("a bot answers at {address} and may be using its session: left alone", address=address)
    return None


def _answers(address: str) -> bool:
    """Whether a Peaje answers there: in a container on this machine, or on another machine."""
    try:
        said = requests.get(f"{address}/health", timeout=HEALTH_TIMEOUT_S, allow_redirects=False).json()
    except (requests.RequestException, ValueError):
        return False
    return isinstance(said, dict) and "checks" in said


def _supervisor(settings: Settings, t: Texts) -> Iterator[Finding]:
    socket = programs.runtime_directory(settings.db_path) / "supervisor.sock"
    if not socket.exists():
        yield warn(
            "supervisord", t.gettext("no socket at {socket}: supervisorctl cannot steer the programs", socket=socket)
        )
        return
    if stat.S_IMODE(socket.stat().st_mode) & 0o077:
        yield fail("supervisord", t.gettext("others may steer the programs: chmod 0700 {socket}", socket=socket))
    try:
        server = ServerProxy("http://localhost", SupervisorTransport(None, None, f"unix://{socket}"))
        processes: Any = server.supervisor.getAllProcessInfo()
        states = {str(info["name"]): str(info["statename"]) for info in processes}
    except (OSError, Fault) as error:
        yield fail("supervisord", t.gettext("does not answer at {socket}: {error}", socket=socket, error=error))
        return
    down = [f"{name} {state}" for name, state in states.items() if state != "RUNNING"]
    if down:
        programs_down = ", ".join(down)
        yield fail(
            "supervisord",
            t.gettext("{programs}: see `python manage.py logs`, then supervisorctl start all", programs=programs_down),
        )
    else:
        yield ok("supervisord", t.gettext("runs {programs}", programs=", ".join(sorted(states))))


async def _telegram(settings: Settings, at_hand: AtHand, t: Texts, in_use: str | None) -> list[Finding]:
    """What Telegram says of both logins; the account's is left alone where it is *in_use*."""
    if settings.telegram_public_key:
        endpoint.trust(settings.telegram_public_key)
    findings = [finding async for finding in _bot(settings, t)]
    if any(finding.part == "Telegram" for finding in findings):
        return findings  # not reached: the account would not reach it either
    findings.append(ok("account", in_use) if in_use else await _account(settings, at_hand, t))
    return findings


async def _bot(settings: Settings, t: Texts) -> AsyncIterator[Finding]:
    bot = _client(settings, "doctor's bot", bot_token=settings.telegram_bot_token)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await bot.start()
            yield ok("bot", f"@{bot.me.username}" if bot.me else t.gettext("logged in"))
            state = await bot.invoke(raw.functions.updates.GetState())
            yield clock("clock (Telegram)", state.date, time.time(), t)
            await bot.log_out()
    except FloodWait as error:
        yield warn("bot", refusals.said(error, refusals.OF_BOT, t))
    except RPCError as error:
        yield fail("bot", refusals.said(error, refusals.OF_BOT, t))
    except (OSError, AuthKeyNotFound) as error:
        yield fail("Telegram", refusals.unreachable(error, t))
    except KeyError:
        yield fail("Telegram", refusals.stranger(t))
    finally:
        await close(bot)


async def _account(settings: Settings, at_hand: AtHand, t: Texts) -> Finding:
    if at_hand.session is None:
        return _without_session(at_hand, t)
    account = _client(settings, "doctor's account", session_string=at_hand.session)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await _start(account)
        me = account.me
        if me is not None and me.is_bot:
            return fail(
                "account",
                t.gettext("TELEGRAM_SESSION_STRING belongs to a bot: it takes a person's, see `make session`"),
            )
        return ok("account", t.gettext("{name} is logged in", name=me.full_name if me else "?"))
    except FloodWait as error:
        return warn("account", refusals.said(error, refusals.OF_SESSION, t))
    except RPCError as error:
        return fail("account", refusals.said(error, refusals.OF_SESSION, t))
    except AuthKeyNotFound:
        return fail("account", refusals.OF_SESSION[""].said_in(t))
    except OSError as error:
        return fail("account", refusals.unreachable(error, t))
    except KeyError:
        return fail("account", refusals.stranger(t))
    finally:
        await close(account)


def _without_session(at_hand: AtHand, t: Texts) -> Finding:
    if at_hand.is_sealed:
        return fail(
            "account",
            t.gettext(
                "its session does not open: put the former SECRET_KEY back, or log in again, on the console's page"
            ),
        )
    return warn("account", t.gettext("none reads: choose one on the console's page"))


async def _start(client: Client) -> None:
    """Start *client*.

    :raises AuthKeyNotFound: Telegram does not know its session. The library would hide that, and wait.
    """
    start = asyncio.create_task(client.start())
    try:
        while not start.done():
            await asyncio.wait((start,), timeout=CHECK_S)
            if (error := auth_key_error(client.session)) is not None:
                raise error
        start.result()
    finally:
        start.cancel()


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
