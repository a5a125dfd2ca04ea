"""The daemon's life: what starts in which order, what watches over what, and how it all stops.

Start: database, bot, commands; then the account, the transfers and everything else beside each other, so that the bot
answers even while the account is away. Stop (SIGTERM): nothing new is taken in; transfers may finish until the
deadline; what has happened is told; clients stop; the database closes. A second SIGTERM ends the process at once.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time

from config.settings import EXIT_AWAY, EXIT_GAVE_UP, EXIT_OK, Settings
from daemon import commands
from daemon.canary import Canary
from daemon.chats import Chats
from daemon.database import Database
from daemon.disk_monitor import DiskMonitor
from daemon.dispatcher import Dispatcher
from daemon.outbox_worker import OutboxWorker
from daemon.stars import Stars
from daemon.tasks import Tasks
from daemon.telegram import clients, endpoint
from daemon.telegram.clients import Connection, ConnectionState
from daemon.telegram.errors import ClockSetBack, GaveUp, LoginLost
from daemon.telegram.sender import Sender
from daemon.transfer.reader import Reader
from daemon.transfer.worker import Transfers
from daemon.wakeup import Wakeup
from models import notes
from models.database import Watcher
from models.jobs import queue
from models.maintenance import health

logger = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
SAVE_S = 0.5
SAVE_PAUSES = 50
SAVE_PATIENCE_S = 5.0
HANDLERS_DRAIN_S = 3.0
TRANSFERS_DRAIN_S = 15.0
EVENTS_DRAIN_S = 2.0
ACCOUNT_AGAIN_S = 300.0
CLOCK_LOOK_S = 1.0
SET_BACK_S = 10.0

INCIDENTS = {ConnectionState.REVOKED: "account_revoked", ConnectionState.BANNED: "account_banned"}


class Service:
    """Everything that a handler, the announcer or a transfer needs, and the order in which it lives."""

    def __init__(self, settings: Settings) -> None:
        if settings.telegram_public_key:
            endpoint.trust(settings.telegram_public_key)
        self.settings = settings
        self.plans = plans = settings.plans
        self.calls = Database()
        self.bot = clients.build_bot(settings)
        self.account = clients.build_account(settings)
        self.bot_link = Connection(self.bot, self._bot_changed)
        self.account_link = Connection(self.account, self._account_changed)
        self.outgoing = Sender(self.bot, self.calls)
        self.bell = Wakeup(Watcher())
        self.stars = Stars(self.bot, self.calls, self.bell, plans)
        self.chats = Chats(Reader(self.account), self.calls)
        self.announcer = OutboxWorker(settings, plans, self.calls, self.outgoing, self.bell)
        self.transfers = Transfers(
            self.bot, self.account, self.calls, self.bell, self.outgoing, settings, plans, self.account_link.up.is_set
        )
        self.announcer.tellers.update(self.transfers.tellers)
        self.alarm = DiskMonitor(settings, self.calls, self.outgoing)
        self.canary = Canary(settings, self.calls, self.bell)
        self.intake = Dispatcher(self)
        self.tasks = Tasks()
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()

    async def run(self) -> int:
        """Live until stopped; return the exit code."""
        self._obey_signals()
        self.intake.register(self.bot)
        self._start()
        stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
        failure = asyncio.create_task(self.tasks.failure(), name="failure")
        await asyncio.wait((stopping, failure), return_when=asyncio.FIRST_COMPLETED)
        error = None if stopping.done() else _first(failure.result())
        code = EXIT_OK if stopping.done() else _exit_code(error)
        stopping.cancel()
        failure.cancel()
        if isinstance(error, ClockSetBack) or self.calls.met_damage:
            # Telegram answers nothing now, or a damaged database must not be written to: an orderly end would wait in
            # vain, or make it worse. A sudden one loses nothing.
            os._exit(code)
        await self._stop()
        return code

    def _start(self) -> None:
        up = self.bot_link.up
        self.tasks.start("heartbeat", self._heartbeats())
        self.tasks.start("clock", _watch_clock())
        self.tasks.start("database", self.calls.watch())
        self.tasks.start("bot", self._tend_bot())
        self.tasks.start("account", self._tend_account())
        self.tasks.start("bell", self.bell.run())
        self.tasks.start("announcer", self.announcer.run(up))
        self.tasks.start("statement of stars", self.stars.reconcile(up))
        self.tasks.start("requests", self.stars.carry_out(up))
        self.tasks.start("transfers", self._transfer())
        self.tasks.start("alarm", self.alarm.run(up))
        self.tasks.start("canary", self.canary.run(up))

    async def _tend_bot(self) -> None:
        await self.bot_link.start()
        await commands.register(self.bot, self.settings.admin_ids)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.bot_link.watch())
            group.create_task(self.bot_link.mend_gaps())
            group.create_task(self._save_session())

    async def _transfer(self) -> None:
        await self.bot_link.up.wait()
        await self.transfers.run()

    async def _tend_account(self) -> None:
        while True:
            try:
                await self.account_link.start()
                await self.account_link.watch()
            except (GaveUp, LoginLost):
                if not self.account_link.state.is_ended:
                    raise
            await self.account_link.stop()
            await asyncio.sleep(ACCOUNT_AGAIN_S)

    async def _bot_changed(self, state: ConnectionState, reason: str) -> None:
        """Nobody can be told in chat; the heartbeat says it. The pages learn the way back into the chat."""
        self._changed.set()
        me = self.bot.me
        if state is ConnectionState.OK and me is not None:
            noted = {"id": me.id, "username": me.username, "name": me.first_name}
            await self.calls(notes.put, "bot", noted, int(time.time()))

    async def _account_changed(self, state: ConnectionState, reason: str) -> None:
        self._changed.set()
        now = int(time.time())
        if state is ConnectionState.OK:
            for key in INCIDENTS.values():
                await self.calls(health.close_incident, key, now)
        elif state.is_ended:
            await self.calls(health.open_incident, INCIDENTS[state], reason, now)
        self.bell.ring()

    async def _heartbeats(self) -> None:
        """A sign of life that a blocked loop or a stuck database thread would not give."""
        while True:
            now = int(time.time())
            line = await self.calls(queue.overview, now)
            detail = {"bot": self.bot_link.state, "account": self.account_link.state, "jobs": line.running}
            await self.calls(health.beat, "daemon", detail, now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._changed.wait()
            self._changed.clear()

    async def _save_session(self) -> None:
        """Write the update state down, but only when everything up to it has been handled.

        A crash then brings back what was not saved (handlers are idempotent), and loses nothing. A session that has
        grown large is saved less often: it takes no more than a fiftieth of the time.
        """
        pause = SAVE_S
        while True:
            await asyncio.sleep(pause)
            if await self._quiet():
                began = time.monotonic()
                await self.bot.session_file.save()
                pause = max(SAVE_S, SAVE_PAUSES * (time.monotonic() - began))

    async def _quiet(self) -> bool:
        deadline = time.monotonic() + SAVE_PATIENCE_S
        while not (self.intake.is_quiet and self.bot.dispatcher.updates_queue.empty()):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def _stop(self) -> None:
        logger.info("stopping")
        self.bot.is_open = False
        if not (await self.intake.drain(HANDLERS_DRAIN_S) and self.bot.dispatcher.updates_queue.empty()):
            self.bot.session_file.freeze()  # the next start answers what was cut off
        await self.transfers.drain(TRANSFERS_DRAIN_S)
        await self._flush_events()
        await self.tasks.stop()
        await asyncio.gather(self.bot_link.stop(), self.account_link.stop())
        self.bell.close()
        await self.calls.close()
        logger.info("stopped")

    async def _flush_events(self) -> None:
        """What has happened is told before the clients stop; what is not told in time waits for the next start."""
        if not self.bot_link.up.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVENTS_DRAIN_S):
                await self.announcer.flush()

    def _obey_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop)

    def _asked_to_stop(self) -> None:
        if self._stopping.is_set():
            os._exit(EXIT_GAVE_UP)
        self._stopping.set()


async def _watch_clock() -> None:
    """See that the clock is not set back.

    The library numbers its calls by the clock, and always upwards: after a clock that was ahead it would go on with
    numbers of the future, which Telegram refuses, until that time has come.

    :raises ClockSetBack: it was; a new process begins with the right numbers.
    """
    lead = time.time() - time.monotonic()
    while True:
        await asyncio.sleep(CLOCK_LOOK_S)
        now = time.time() - time.monotonic()
        if lead - now > SET_BACK_S:
            raise ClockSetBack(lead - now)
        lead = now


def _first(error: BaseException | None) -> BaseException | None:
    return error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error


def _exit_code(error: BaseException | None) -> int:
    return EXIT_AWAY if isinstance(error, GaveUp | LoginLost | ClockSetBack) else EXIT_GAVE_UP
