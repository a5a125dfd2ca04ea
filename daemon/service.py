"""The daemon's life: what starts in which order, what watches over what, and how it all stops.

Start: database, bot, commands; the account, the transfers and everything else start at the same time, so that the bot
answers even while the account is away. Stop (SIGTERM): no update is taken any more; transfers may finish until the
deadline; due events are told; clients stop; the database closes. A second SIGTERM ends the process at once.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from functools import partial

from pyrogram import Client

from config.settings import EXIT_AWAY, EXIT_GAVE_UP, EXIT_OK, Settings
from config.texts import offered
from daemon import deps
from daemon.accounts.logins import Logins
from daemon.accounts.seat import Seat
from daemon.accounts.standbys import Standbys
from daemon.broadcasting.worker import Broadcaster
from daemon.canary import Canary
from daemon.connections import Connections
from daemon.deps import Deps
from daemon.disk_monitor import DiskMonitor
from daemon.dispatcher import Dispatcher
from daemon.handlers import broadcasts, console
from daemon.outbox_worker import OutboxWorker
from daemon.tasks import Tasks
from daemon.telegram import clients, endpoint
from daemon.telegram.account_guard import Guard
from daemon.telegram.errors import ClockSetBack, LoginLost, LoginRefused
from daemon.transfer.delivery_notifier import DeliveryNotifier
from daemon.transfer.worker import TransferClients, Transfers
from models.catalogue import Catalogue
from models.event_kinds import EventKind
from models.overrides import Overrides

logger = logging.getLogger(__name__)

SAVE_S = 0.5
SAVE_SHARE = 50
QUIET_TIMEOUT_S = 5.0
HANDLERS_DRAIN_S = 3.0
TRANSFERS_DRAIN_S = 15.0
EVENTS_DRAIN_S = 2.0
CATALOGUE_S, CATALOGUE_PACE_S = 60.0, 0.2
"""Seconds after which the catalogue is asked anyway, and between two times while there are many commits."""
CLOCK_CHECK_S = 1.0
SET_BACK_S = 10.0


class Service:
    """All parts of the daemon, and the order in which they start and stop."""

    def __init__(self, settings: Settings, catalogue: Catalogue, guard: Guard) -> None:
        if settings.telegram_public_key:
            endpoint.trust(settings.telegram_public_key)
        bot, account = clients.build_bot(settings), clients.build_account(settings)
        self.deps = parts = deps.assemble(settings, catalogue, bot, account)
        database, wakeup = parts.database, parts.wakeup
        seat = Seat(account, settings, guard, database=database, wakeup=wakeup)
        self.connections = Connections(bot, seat, database, wakeup)
        self.standbys = Standbys(seat, settings, database)
        self.logins = Logins(lambda: settings, database, wakeup)
        self.dispatcher = Dispatcher(parts)
        self.transfers = _transfers(parts, self.connections)
        seat.on_change += [self.transfers.let_go, parts.chats.forget, self.connections.standing.renew]
        self.outbox_worker = _outbox_worker(parts, account)
        self.broadcaster = Broadcaster(
            bot, parts.sender, database, wakeup, catalogue=catalogue, timezone=settings.timezone
        )
        self.disk_monitor = DiskMonitor(settings, database, parts.notifier)
        self.canary = Canary(settings, database, wakeup)
        self.overrides = Overrides(settings)
        self.tasks = Tasks()
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Run until stopped; return the exit code."""
        self._handle_signals()
        self.dispatcher.register(self.deps.bot)
        self._start()
        stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
        failure = asyncio.create_task(self.tasks.failure(), name="failure")
        await asyncio.wait((stopping, failure), return_when=asyncio.FIRST_COMPLETED)
        error = None if stopping.done() else _first(failure.result())
        code = EXIT_OK if stopping.done() else _exit_code(error)
        stopping.cancel()
        failure.cancel()
        if isinstance(error, ClockSetBack) or self.deps.database.met_damage:
            # Telegram answers nothing now, or the damaged database must not be written to: an orderly stop would wait
            # in vain, or make the damage worse. A sudden one loses nothing.
            os._exit(code)
        await self._stop()
        return code

    def _start(self) -> None:
        bot_is_up = self.connections.bot.up
        self.tasks.start("heartbeat", self.connections.beat())
        self.tasks.start("clock", _watch_clock())
        self.tasks.start("database", self.deps.database.watch())
        self.tasks.start("catalogue", self._follow_catalogue())
        self.tasks.start("bot", self._keep_bot())
        self.tasks.start("commands", self.deps.commands.run(bot_is_up))
        self.tasks.start("account", self.connections.keep_account())
        self.tasks.start("account standing", self.connections.standing.watch(self.connections.account.up))
        self.tasks.start("standbys", self.standbys.run(self.connections.account.up))
        self.tasks.start("account log-ins", self.logins.run())
        self.tasks.start("wakeup", self.deps.wakeup.run())
        self.tasks.start("outbox worker", self.outbox_worker.run(bot_is_up))
        self.tasks.start("Stars transactions", self.deps.stars.reconcile(bot_is_up))
        self.tasks.start("exports", self.deps.exports.run(bot_is_up))
        self.tasks.start("provider requests", self.deps.stars.carry_out(bot_is_up))
        self.tasks.start("transfers", self._transfer())
        self.tasks.start("broadcaster", self.broadcaster.run(bot_is_up))
        self.tasks.start("disk monitor", self.disk_monitor.run(bot_is_up))
        self.tasks.start("canary", self.canary.run(bot_is_up))

    async def _keep_bot(self) -> None:
        connection = self.connections.bot
        await connection.start()
        # Not a TaskGroup: it cancels its tasks once, and the library may lose that one cancellation.
        self.tasks.start("update gaps", connection.recover_gaps(self.deps.bot))
        self.tasks.start("session file", self._save_session())
        await connection.watch()

    async def _transfer(self) -> None:
        await self.connections.bot.up.wait()
        await self.transfers.run()

    async def _follow_catalogue(self) -> None:
        """Take over plans and settings that another program has made hold, within a moment of its commit."""
        subscription = self.deps.wakeup.subscribe()
        while True:
            before = offered()
            if await self.deps.database(self.overrides.refresh):
                logger.info("settings.changed")
            if offered() != before:
                self.deps.commands.show_all()
            await subscription.wait(CATALOGUE_S)
            if await self.deps.database(self.deps.catalogue.refresh):
                logger.info("catalogue.changed")
            await asyncio.sleep(CATALOGUE_PACE_S)

    async def _save_session(self) -> None:
        """Save the update state, but only when every update before it has been handled.

        A crash then brings back what was not saved (handlers are idempotent), and loses nothing. A session that has
        grown large is saved less often: it takes no more than a fiftieth of the time.
        """
        pause = SAVE_S
        while True:
            await asyncio.sleep(pause)
            if await self._is_quiet():
                began = time.monotonic()
                await self.deps.bot.session_file.save()
                pause = max(SAVE_S, SAVE_SHARE * (time.monotonic() - began))

    async def _is_quiet(self) -> bool:
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        while not (self.dispatcher.is_quiet and self.deps.bot.dispatcher.updates_queue.empty()):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def _stop(self) -> None:
        logger.info("daemon.stopping")
        bot = self.deps.bot
        bot.is_open = False
        if not (await self.dispatcher.drain(HANDLERS_DRAIN_S) and bot.dispatcher.updates_queue.empty()):
            bot.session_file.freeze()  # the next start answers the updates that were cut off
        await self.transfers.drain(TRANSFERS_DRAIN_S)
        await self._flush_events()
        await self.tasks.stop()
        await self.connections.stop()
        self.deps.wakeup.close()
        await self.deps.database.close()
        logger.info("daemon.stopped")

    async def _flush_events(self) -> None:
        """Tell due events before the clients stop. What is not told in time waits for the next start."""
        if not self.connections.bot.up.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVENTS_DRAIN_S):
                await self.outbox_worker.flush()

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_requested)

    def _stop_requested(self) -> None:
        if self._stopping.is_set():
            os._exit(EXIT_GAVE_UP)
        self._stopping.set()


def _transfers(parts: Deps, connections: Connections) -> Transfers:
    account, seat = connections.account, connections.seat
    clients_ = TransferClients(
        parts.bot,
        account.client,
        account.up.is_set,
        parts.sender,
        account_refused=connections.standing.refused,
        account_up_since=lambda: account.up_since,
        account_flooded=seat.flooded,
    )
    return Transfers(
        clients_, database=parts.database, wakeup=parts.wakeup, settings=parts.settings, catalogue=parts.catalogue
    )


def _outbox_worker(parts: Deps, account: Client) -> OutboxWorker:
    deliveries = DeliveryNotifier(
        parts.notifier,
        database=parts.database,
        catalogue=parts.catalogue,
        settings=parts.settings,
        account_name=lambda: account.me.username if account.me else None,
    )
    return OutboxWorker(
        parts.settings.admin_ids,
        parts.notifier,
        parts.database,
        parts.wakeup,
        handlers={
            **deliveries.handlers(),
            EventKind.CONSOLE_ASKED: partial(console.send_link, parts),
            **{kind: partial(tell, parts) for kind, tell in broadcasts.EVENTS.items()},
        },
        promote=deliveries.promote,
        tells_sales=lambda: parts.settings.notices == "each",
    )


async def _watch_clock() -> None:
    """Notice when the clock is set back.

    The library takes its message ids from the clock and never lets them decrease: after the clock was ahead it would
    go on with ids of the future, which Telegram refuses, until that time has come.

    :raises ClockSetBack: the clock was set back. A new process begins with the right ids.
    """
    lead = time.time() - time.monotonic()
    while True:
        await asyncio.sleep(CLOCK_CHECK_S)
        now = time.time() - time.monotonic()
        if lead - now > SET_BACK_S:
            raise ClockSetBack(lead - now)
        lead = now


def _first(error: BaseException | None) -> BaseException | None:
    return error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error


def _exit_code(error: BaseException | None) -> int:
    return EXIT_AWAY if isinstance(error, LoginRefused | LoginLost | ClockSetBack) else EXIT_GAVE_UP
