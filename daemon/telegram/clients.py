"""The two clients: the bot that speaks with customers and the account that reads. How they are built, and watched.

A Pyrogram client heals a lost connection by itself, but does not say that it has lost one, and hangs when its session
was ended from outside. :class:`Link` starts a client, keeps asking how it is, and replaces a session that died.
"""

import asyncio
import contextlib
import enum
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from pyrogram import Client, enums, raw
from pyrogram.errors import FloodWait, RPCError, Unauthorized, UserDeactivated, UserDeactivatedBan
from pyrogram.session.session import AuthKeyNotFound, Session, SessionState
from pyrogram.storage import UpdateState

from config.settings import Settings
from daemon.telegram import endpoint
from daemon.telegram.errors import GaveUp, LoginLost
from daemon.telegram.rpc import FLOOD_MARGIN_S, flood_seconds, invoke
from daemon.telegram.session_file import SessionFile
from daemon.telegram.update_gaps import UpdateSequence

logger = logging.getLogger(__name__)

UPDATE_WORKERS = 16
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 3.0
LOOK_S = 1.0
PROBE_S = 15.0
PROBE_LOST_S = 3.0
PROBE_TIMEOUT_S = 8.0
STUCK_S = 2.0
REFUSALS = 10
LONGEST_WAIT_S = 300
AWAY_WAIT_S = 10
REMEMBERED = 200  # messages that a client keeps, parsed: each is 12 KiB, and by default it keeps a thousand


class ConnectionState(enum.StrEnum):
    """How a client stands with Telegram."""

    STARTING = "starting"
    OK = "ok"
    LOST = "lost"
    REVOKED = "revoked"
    BANNED = "banned"

    @property
    def is_ended(self) -> bool:
        """Only the operator can change it."""
        return self in (ConnectionState.REVOKED, ConnectionState.BANNED)


class Bot(Client):
    """The bot's client. Updates about money jump the queue, and an intake that is closed takes nothing in.

    An update that is not taken in does not move the stored ``pts`` either: the next start fetches it again.
    """

    is_open = True
    numbers: UpdateSequence
    session_file: SessionFile
    urgent: tuple[type, ...] = (raw.types.UpdateBotPrecheckoutQuery, raw.types.UpdateBotStarsSubscription)
    on_urgent: Callable[[Any], None] | None = None

    async def handle_updates(self, updates: raw.base.Updates) -> None:
        """Let everything through but what is urgent, and nothing once the intake is closed."""
        if not self.is_open:
            return
        if self.numbers.mark is None:
            self.numbers.begin(await self.stored_number())
        self.numbers.note(updates)
        if isinstance(updates, raw.types.Updates | raw.types.UpdatesCombined):
            updates.updates = [update for update in updates.updates if not self._divert(update)]
        elif isinstance(updates, raw.types.UpdateShort) and self._divert(updates.update):
            return
        await super().handle_updates(updates)
        if self.numbers.mark is None:  # the first update of a new session
            self.numbers.begin(await self.stored_number())
        await self.storage.set_update_state(UpdateState(0, self.numbers.mark, None, None, None))

    async def recover_gaps(self, ids: Any = None) -> tuple[int, int]:
        """Fetch what is missing, from the number on up to which nothing is."""
        recovered: tuple[int, int] = await super().recover_gaps(ids)
        self.numbers.begin(await self.stored_number())
        return recovered

    async def stored_number(self) -> int | None:
        """Up to where the stored state goes; None for a session that has none yet."""
        states = await self.storage.get_update_states(0)
        return states[0].pts if states else None

    def _divert(self, update: object) -> bool:
        if self.on_urgent is None or not isinstance(update, self.urgent):
            return False
        self.on_urgent(update)
        return True


def build_bot(settings: Settings) -> Bot:
    """The bot's client, its session kept in a file under ``DB_PATH`` so that peers and the update state outlive it."""
    session_file = SessionFile("bot", settings.db_path, settings.bot_id)
    bot = Bot(
        "bot",
        api_id=settings.telegram_api_id,
        api_hash=settings.telegram_api_hash,
        bot_token=settings.telegram_bot_token,
        storage_engine=session_file,
        workers=UPDATE_WORKERS,
        skip_updates=False,
        max_message_cache_size=REMEMBERED,
        parse_mode=enums.ParseMode.HTML,
        connection_factory=endpoint.connection_class(settings.telegram_endpoint),
        **_NO_LOOKUPS,
    )
    bot.numbers = UpdateSequence()
    bot.session_file = session_file
    return bot


def build_account(settings: Settings) -> Client:
    """The operator's account. It needs no updates, and asking for none keeps them from piling up."""
    return Client(
        "account",
        api_id=settings.telegram_api_id,
        api_hash=settings.telegram_api_hash,
        session_string=settings.telegram_session_string,
        no_updates=True,
        max_message_cache_size=REMEMBERED,
        parse_mode=enums.ParseMode.DISABLED,
        connection_factory=endpoint.connection_class(settings.telegram_endpoint),
        **_NO_LOOKUPS,
    )


# Parsing a message must not cost calls of its own.
_NO_LOOKUPS = {"fetch_replies": False, "fetch_topics": False, "fetch_stories": False, "fetch_stickers": False}


def refusal_wait(refusals: int) -> int:
    """Seconds to wait after the n-th refusal in a row: 2^n, at most 300."""
    return int(min(2**refusals, LONGEST_WAIT_S))


def verdict(error: BaseException | None) -> ConnectionState | None:
    """What an error says about the login itself; None when it says nothing."""
    if isinstance(error, UserDeactivated | UserDeactivatedBan):
        return ConnectionState.BANNED
    if isinstance(error, Unauthorized | AuthKeyNotFound) or getattr(error, "ID", "") == "AUTH_KEY_DUPLICATED":
        return ConnectionState.REVOKED
    if isinstance(error, OSError):
        return ConnectionState.LOST
    return None


class Connection:
    """One client's tie to Telegram: started with patience, watched, mended, stopped in bounded time.

    *on_change* is awaited with each new state and the reason for it.
    """

    def __init__(self, client: Client, on_change: Callable[[ConnectionState, str], Awaitable[None]]) -> None:
        self.client = client
        self.state = ConnectionState.STARTING
        self.reason = ""
        self.up = asyncio.Event()
        self._on_change = on_change
        self._gap = asyncio.Event()
        self._asked = 0.0
        self._stuck_since: float | None = None
        client.connect_handler = self._connected

    @property
    def name(self) -> str:
        """``bot`` or ``account``."""
        return str(self.client.name)

    async def start(self) -> None:
        """Log in, however long the network is away.

        :raises GaveUp: refused ten times in a row.
        """
        refusals = away = 0
        while True:
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await self.client.start()
                break
            except (RPCError, OSError, AuthKeyNotFound) as raised:
                error = _cause_of_death(self.client.session) or raised
            await self._abandon()
            found = verdict(error)
            if found is ConnectionState.LOST:
                away += 1
                await self._move(ConnectionState.LOST, repr(error))
                await asyncio.sleep(min(2**away, AWAY_WAIT_S))
                continue
            refusals += 1
            await self._refused(error, found, refusals)
        await self._move(ConnectionState.OK)

    async def watch(self) -> None:
        """Look at the session every second and ask Telegram now and then, for ever.

        :raises LoginLost: the session was ended from outside.
        """
        loop = asyncio.get_running_loop()
        self._asked = loop.time()
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look()
                if loop.time() - self._asked >= (PROBE_S if self.state is ConnectionState.OK else PROBE_LOST_S):
                    self._asked = loop.time()
                    await self._probe()
            except (RPCError, OSError, AuthKeyNotFound) as error:
                await self._fell(error)

    async def mend_gaps(self) -> None:
        """After each reconnection fetch what was missed: the library advances ``pts`` without looking for gaps."""
        while True:
            await self._gap.wait()
            self._gap.clear()
            try:
                await self.client.recover_gaps()
            except (RPCError, OSError) as error:
                logger.warning("gaps not recovered yet", extra={"client": self.name, "reason": repr(error)})
                await asyncio.sleep(1)
                self._gap.set()

    async def stop(self) -> None:
        """Close all connections; never takes longer than a few seconds, whatever state the client is in."""
        client = self.client
        leftovers = [*client.media_sessions.values(), *client.sessions.values()]
        await _bounded(client.stop() if client.is_initialized else self._abandon(), f"client {self.name}")
        for session in leftovers:
            await _bounded(session.stop(), "session")

    async def _refused(self, error: BaseException, found: ConnectionState | None, refusals: int) -> None:
        if found is not None:
            await self._move(found, str(error))
            await self._forget_login()
        if refusals >= REFUSALS:
            raise GaveUp(self.name, str(error)) from error
        wait = refusal_wait(refusals)
        if isinstance(error, FloodWait):
            wait = max(wait, flood_seconds(error) + FLOOD_MARGIN_S)
        logger.warning("login refused", extra={"client": self.name, "reason": str(error), "seconds": wait})
        await asyncio.sleep(wait)

    async def _forget_login(self) -> None:
        """A bot whose session was ended logs in anew with its token; an account's session is all that there is."""
        if self.client.bot_token and not self.client.in_memory:
            with contextlib.suppress(FileNotFoundError):
                await self.client.storage.delete()

    async def _abandon(self) -> None:
        """Undo a start that came half way, so that the client can start again."""
        client = self.client
        if client.session is not None:
            await _bounded(client.session.stop(), "session")
            await client.storage.close()
        for worker in client.dispatcher.handler_worker_tasks:
            worker.cancel()
        client.dispatcher.handler_worker_tasks.clear()
        client.dispatcher.locks_list.clear()
        client.session = None
        client.is_connected = client.is_initialized = False

    async def _connected(self, _: Client, session: Session) -> None:
        if session is self.client.session:
            self._gap.set()
            self._asked = 0.0  # why was the connection lost? Ask at once

    async def _look(self) -> None:
        """Notice a session that will not come back by itself, and put another in its place."""
        session = self.client.session
        if (cause := _cause_of_death(session)) is not None:
            raise cause
        if isinstance(self.client, Bot) and self.client.numbers.has_gap:
            self._gap.set()
        now = asyncio.get_running_loop().time()
        if session is not None and session.state in (SessionState.STARTED, SessionState.STARTING):
            self._stuck_since = None
            return
        self._stuck_since = self._stuck_since or now
        if now - self._stuck_since >= STUCK_S:
            await self._revive()

    async def _revive(self) -> None:
        client, storage = self.client, self.client.storage
        logger.warning("session replaced", extra={"client": self.name})
        if client.session is not None:
            await _bounded(client.session.stop(), "session")
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
                self.client.numbers.expect(state.pts)
        except RPCError as error:
            if verdict(error) is not None:
                raise
        await self._move(ConnectionState.OK)

    async def _fell(self, error: BaseException) -> None:
        found = verdict(error) or ConnectionState.LOST
        await self._move(found, str(error) or repr(error))
        if found.is_ended:
            await self._forget_login()
            raise LoginLost(self.name, str(error)) from error

    async def _move(self, state: ConnectionState, reason: str = "") -> None:
        if state is self.state:
            return
        self.state, self.reason = state, reason
        if state is ConnectionState.OK:
            self.up.set()
        else:
            self.up.clear()
        logger.log(
            logging.INFO if state is ConnectionState.OK else logging.WARNING,
            "%s is %s", self.name, state, extra={"client": self.name, "reason": reason},
        )  # fmt: skip
        await self._on_change(state, reason)


def _cause_of_death(session: Session | None) -> BaseException | None:
    """What ended the session's reader, where it was Telegram not knowing the key (the library does not tell)."""
    reader = session.recv_task if session is not None else None
    if reader is None or not reader.done() or reader.cancelled():
        return None
    error = reader.exception()
    return error if isinstance(error, AuthKeyNotFound) else None


async def _bounded(work: Coroutine[Any, Any, Any], what: str) -> None:
    """Give *work*, the end of something, a few seconds, then go on without it: the library may wait for ever."""
    task = asyncio.create_task(work)
    done, _ = await asyncio.wait({task}, timeout=STOP_TIMEOUT_S)
    if not done:
        task.cancel()
        logger.warning("%s does not stop", what)
    elif (error := task.exception()) is not None:
        logger.warning("%s not stopped cleanly", what, extra={"reason": repr(error)})
