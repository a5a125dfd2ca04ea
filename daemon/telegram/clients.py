"""The two clients: the bot that chats with customers and the account that reads posts. Built, and kept connected.

A Pyrogram client reconnects by itself, but does not report that it has lost its connection, and hangs when its session
was ended from outside. :class:`Connection` starts a client, probes it, and replaces a session that does not come back.
"""

import asyncio
import contextlib
import enum
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from pyrogram import Client, enums, raw
from pyrogram.errors import FloodWait, RPCError, Unauthorized, UserDeactivated, UserDeactivatedBan
from pyrogram.session.session import AuthKeyNotFound, Session, SessionState

from config.settings import Settings
from daemon.telegram import endpoint
from daemon.telegram.bot import Bot
from daemon.telegram.errors import LoginLost, LoginRefused, in_short
from daemon.telegram.rpc import FLOOD_MARGIN_S, flood_seconds, invoke
from daemon.telegram.session_file import SessionFile
from daemon.telegram.update_gaps import UpdateSequence

logger = logging.getLogger(__name__)

UPDATE_WORKERS = 16
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 3.0
CHECK_S = 1.0
PROBE_S = 15.0
PROBE_LOST_S = 3.0
PROBE_TIMEOUT_S = 8.0
STUCK_S = 2.0
MAX_REFUSALS = 10
MAX_REFUSAL_WAIT_S = 300
MAX_RECONNECT_WAIT_S = 10
MAX_RECOVERY_WAIT_S = 60
CACHED_MESSAGES = 200  # messages that a client keeps, parsed: each is 12 KiB, and by default it keeps a thousand


class ConnectionState(enum.StrEnum):
    """The state of a client's connection. The values are stored in the daemon's heartbeat."""

    STARTING = "starting"
    OK = "ok"
    LOST = "lost"
    REVOKED = "revoked"
    BANNED = "banned"
    UNOPENABLE = "unopenable"
    PAUSED = "paused"

    @property
    def is_ended(self) -> bool:
        """Has the login ended, so that only the operator can go on?"""
        return self in (ConnectionState.REVOKED, ConnectionState.BANNED, ConnectionState.UNOPENABLE)


_VERBS = {
    ConnectionState.STARTING: "starting",
    ConnectionState.OK: "connected",
    ConnectionState.LOST: "lost",
    ConnectionState.REVOKED: "revoked",
    ConnectionState.BANNED: "banned",
    ConnectionState.UNOPENABLE: "unopenable",
    ConnectionState.PAUSED: "paused",
}
"""What the log says of a client in that state."""


def build_bot(settings: Settings) -> Bot:
    """The bot's client. Its session is kept in a file under ``DB_PATH``, with its peers and its update state."""
    session_file = SessionFile("bot", settings.db_path, settings.bot_id)
    bot = Bot(
        "bot",
        api_id=settings.telegram_api_id,
        api_hash=settings.telegram_api_hash,
        bot_token=settings.telegram_bot_token,
        storage_engine=session_file,
        workers=UPDATE_WORKERS,
        skip_updates=False,
        max_message_cache_size=CACHED_MESSAGES,
        parse_mode=enums.ParseMode.HTML,
        connection_factory=endpoint.connection_class(settings.telegram_endpoint),
        **_NO_LOOKUPS,
    )
    bot.sequence = UpdateSequence()
    bot.session_file = session_file
    return bot


def build_account(settings: Settings, session: str | None = None) -> Client:
    """The account's client, into which :class:`daemon.accounts.seat.Seat` puts an account, or the one of *session*.

    It takes no updates, so that none pile up.
    """
    return Client(
        "account",
        api_id=settings.telegram_api_id,
        api_hash=settings.telegram_api_hash,
        session_string=session,
        in_memory=True,
        no_updates=True,
        max_message_cache_size=CACHED_MESSAGES,
        parse_mode=enums.ParseMode.DISABLED,
        connection_factory=endpoint.connection_class(settings.telegram_endpoint),
        **_NO_LOOKUPS,
    )


# Parsing a message must not cost calls of its own.
_NO_LOOKUPS = {"fetch_replies": False, "fetch_topics": False, "fetch_stories": False, "fetch_stickers": False}


def refusal_wait(refusals: int) -> int:
    """Seconds to wait after that many refusals in a row: 2^n, at most 300."""
    return int(min(2**refusals, MAX_REFUSAL_WAIT_S))


def state_after(error: BaseException | None) -> ConnectionState | None:
    """The connection's state after *error*; None when the error says nothing about the login or the connection."""
    if isinstance(error, UserDeactivated | UserDeactivatedBan):
        return ConnectionState.BANNED
    if isinstance(error, Unauthorized | AuthKeyNotFound) or getattr(error, "ID", "") == "AUTH_KEY_DUPLICATED":
        return ConnectionState.REVOKED
    if isinstance(error, OSError):
        return ConnectionState.LOST
    return None


class Connection:
    """One client's connection: started with retries, watched, repaired, stopped in bounded time.

    *on_change* is awaited with each new state and the reason for it, *on_start* after each log-in, before anybody
    may use the client.
    """

    def __init__(
        self,
        client: Client,
        on_change: Callable[[ConnectionState, str], Awaitable[None]],
        on_start: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.client = client
        self.state = ConnectionState.STARTING
        self.reason = ""
        self.up, self.up_since = asyncio.Event(), float("-inf")
        self._on_change, self._on_start = on_change, on_start
        self._gap = asyncio.Event()
        self._probed_at = 0.0
        self._stuck_since: float | None = None
        self._strange = ""
        client.connect_handler = self._connected

    @property
    def name(self) -> str:
        """``bot`` or ``account``."""
        return str(self.client.name)

    async def start(self) -> None:
        """Log in, and retry for as long as the network is away.

        :raises LoginRefused: Telegram refused ten times in a row.
        """
        refusals = away = 0
        while True:
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await self.client.start()
                break
            except (RPCError, OSError, AuthKeyNotFound) as raised:
                error = auth_key_error(self.client.session) or raised
            except Exception as raised:
                logger.error("login.failed", extra=self._about(raised), exc_info=self._is_new(raised))
                error = ConnectionError(repr(raised))
            await self._abandon()
            found = state_after(error)
            if found is ConnectionState.LOST:
                away += 1
                await self._set_state(ConnectionState.LOST, repr(error))
                await asyncio.sleep(min(2**away, MAX_RECONNECT_WAIT_S))
                continue
            refusals += 1
            await self._refused(error, found, refusals)
        self._gap.set()
        if self._on_start is not None:
            await self._on_start()
        await self._set_state(ConnectionState.OK)

    def renew(self) -> None:
        """Count as up since now: it can do again what Telegram had taken from it."""
        self.up_since = time.monotonic()

    async def rest(self, state: ConnectionState, reason: str = "") -> None:
        """Say that nobody uses the client for now, and why."""
        await self._set_state(state, reason)

    async def watch(self) -> None:
        """Check the session every second and probe Telegram every 15 seconds, until cancelled.

        :raises LoginLost: the session was ended from outside.
        """
        loop = asyncio.get_running_loop()
        self._probed_at = loop.time()
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                await self._check()
                if loop.time() - self._probed_at >= (PROBE_S if self.state is ConnectionState.OK else PROBE_LOST_S):
                    self._probed_at = loop.time()
                    await self._probe()
            except (RPCError, OSError, AuthKeyNotFound) as error:
                await self._failed(error)
            except Exception as error:
                logger.error("probe.failed", extra=self._about(error), exc_info=self._is_new(error))
                await self._set_state(ConnectionState.LOST, repr(error))

    async def recover_gaps(self, bot: Bot) -> None:
        """Fetch missed updates after each reconnection and each gap: the library advances ``pts`` over gaps.

        What cannot be fetched is tried again with growing pauses, and logged once.
        """
        failures = 0
        while True:
            await self._gap.wait()
            self._gap.clear()
            if await bot.recover():
                failures = 0
                continue
            failures += 1
            await asyncio.sleep(min(2 ** (failures - 1), MAX_RECOVERY_WAIT_S))
            self._gap.set()

    async def stop(self) -> None:
        """Close all connections, in a few seconds at most, whatever state the client is in."""
        client = self.client
        leftovers = [*client.media_sessions.values(), *client.sessions.values()]
        try:
            if client.is_initialized:
                await _bounded(client.stop(), f"client {self.name}")
            await self._abandon()
            await asyncio.gather(*(_end(session) for session in leftovers))
        finally:
            for session in (client.session, *leftovers):
                endpoint.hang_up(session)

    async def _refused(self, error: BaseException, found: ConnectionState | None, refusals: int) -> None:
        if found is not None:
            await self._set_state(found, in_short(error))
            await self._forget_login()
        if refusals >= MAX_REFUSALS:
            raise LoginRefused(self.name, str(error)) from error
        wait = refusal_wait(refusals)
        if isinstance(error, FloodWait):
            wait = max(wait, flood_seconds(error) + FLOOD_MARGIN_S)
        logger.warning("login.refused", extra={"client": self.name, "reason": str(error), "seconds": wait})
        await asyncio.sleep(wait)

    async def _forget_login(self) -> None:
        """Delete the bot's session file, so that it logs in anew with its token. An account cannot log in anew."""
        if self.client.bot_token and not self.client.in_memory:
            with contextlib.suppress(FileNotFoundError):
                await self.client.storage.delete()

    async def _abandon(self) -> None:
        """Undo a start or a stop that came half way, so that the client can start again, with another storage too."""
        client = self.client
        if client.session is not None:
            await _end(client.session)
        with contextlib.suppress(RuntimeError):  # never opened
            await client.storage.close()
        for worker in (*client.dispatcher.handler_worker_tasks, client.updates_watchdog_task):
            if worker is not None:
                worker.cancel()
        client.dispatcher.handler_worker_tasks.clear()
        client.dispatcher.locks_list.clear()
        client.session = None
        client.is_connected = client.is_initialized = False

    async def _connected(self, _: Client, session: Session) -> None:
        if session is self.client.session:
            self._gap.set()
            self._probed_at = 0.0  # probe at once: why was the connection lost?

    async def _check(self) -> None:
        """Replace a session that will not come back by itself.

        :raises AuthKeyNotFound: Telegram does not know the session's key any more.
        """
        session = self.client.session
        if (cause := auth_key_error(session)) is not None:
            raise cause
        if isinstance(self.client, Bot) and self.client.sequence.has_gap:
            self._gap.set()
        now = asyncio.get_running_loop().time()
        if session is not None and session.state in (SessionState.STARTED, SessionState.STARTING):
            self._stuck_since = None
            return
        self._stuck_since = self._stuck_since or now
        if now - self._stuck_since >= STUCK_S:
            await self._replace_session()

    async def _replace_session(self) -> None:
        client, storage = self.client, self.client.storage
        logger.warning("session.replaced", extra={"client": self.name})
        if client.session is not None:
            await _end(client.session)
        client.session = await client.get_session(
            server_address=await storage.server_address(),
            port=await storage.port(),
            export_authorization=False,
            temporary=True,
        )
        self._stuck_since = None
        self._gap.set()

    async def _probe(self) -> None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                state = await invoke(self.client, raw.functions.updates.GetState(), longest_flood=0, failures=1)
            if isinstance(self.client, Bot):
                self.client.sequence.expect(state.pts)
        except RPCError as error:
            if state_after(error) is not None:
                raise
        await self._set_state(ConnectionState.OK)

    async def _failed(self, error: BaseException) -> None:
        found = state_after(error) or ConnectionState.LOST
        await self._set_state(found, in_short(error))
        if found.is_ended:
            await self._forget_login()
            raise LoginLost(self.name, str(error)) from error

    def _about(self, error: Exception) -> dict[str, str]:
        return {"client": self.name, "reason": repr(error)}

    def _is_new(self, error: Exception) -> bool:
        """Is it not the exception of the last time? Only a new one is logged with its traceback."""
        is_new, self._strange = repr(error) != self._strange, repr(error)
        return is_new

    async def _set_state(self, state: ConnectionState, reason: str = "") -> None:
        if state is self.state:
            return
        self.state, self.reason = state, reason
        if state is ConnectionState.OK:
            self.up_since = time.monotonic()
            self.up.set()
        else:
            self.up.clear()
        logger.log(
            logging.INFO if state is ConnectionState.OK else logging.WARNING,
            f"{self.name}.{_VERBS[state]}", extra={"client": self.name, "reason": reason},
        )  # fmt: skip
        await self._on_change(state, reason)


def auth_key_error(session: Session | None) -> BaseException | None:
    """The error that ended the session's receiver because Telegram does not know its key: the library hides it."""
    receiver = session.recv_task if session is not None else None
    if receiver is None or not receiver.done() or receiver.cancelled():
        return None
    error = receiver.exception()
    return error if isinstance(error, AuthKeyNotFound) else None


async def _end(session: Session) -> None:
    """Stop a session, and hang up where the library does not come so far: its stop closes the connection last."""
    try:
        await _bounded(session.stop(), "session")
    finally:
        endpoint.hang_up(session)


async def _bounded(work: Coroutine[Any, Any, Any], what: str) -> None:
    """Give *work*, which stops *what*, three seconds and then go on without it: the library may wait forever."""
    task = asyncio.create_task(work)
    done, _ = await asyncio.wait({task}, timeout=STOP_TIMEOUT_S)
    if not done:
        task.cancel()
        logger.warning("stop.timed_out", extra={"what": what})
    elif (error := task.exception()) is not None:
        logger.warning("stop.failed", extra={"what": what, "reason": repr(error)})
