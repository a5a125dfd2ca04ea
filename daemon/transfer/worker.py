"""The transfer worker: takes jobs from the line under leases, runs them side by side, and says how each ended.

Start: leases of dead predecessors end, then jobs are claimed as there is room. Drain: nothing new is claimed; what is
under way may finish until the deadline and otherwise goes back in line, where its acknowledged parts wait for it.
Stop: media sessions are closed.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from pyrogram import Client
from pyrogram.errors import RPCError

from config import memory
from config.plans import Plans
from config.settings import Settings
from daemon.database import Database
from daemon.telegram.clients import state_after
from daemon.telegram.sender import Sender
from daemon.transfer.datacentres.cipher import cipher
from daemon.transfer.datacentres.pool import Bounds, DataCentrePools
from daemon.transfer.delivery import Delivery
from daemon.transfer.errors import ACCOUNT_AWAY, AccountAway, PermanentFailure, RetryLater, TransferError, Unreachable
from daemon.transfer.fetch import Fetcher
from daemon.transfer.pipeline import LimitReached, Pipeline
from daemon.transfer.progress import Board
from daemon.transfer.reader import Reader
from daemon.transfer.resolver import Resolver
from daemon.transfer.run import Run
from daemon.transfer.streaming import Budget, Stream
from daemon.transfer.waits import Waits
from daemon.wakeup import Wakeup
from models import users
from models.errors import LeaseLost
from models.jobs import queue
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobInfo

logger = logging.getLogger(__name__)

NAME = "transfers"
LEASE_S = 60
HEARTBEAT_S = 15.0
LOOK_S = 0.5
IDLE_S = 1.0
TIDY_S = 20.0
CANCEL_S = 5.0
CLAIM_S = 2.0
FIRST_RETRY_S = 2
COPIES = 1.2  # a piece on its way is in memory a little more than once: what is being decrypted and encrypted
PATIENCE_S = 900
"""How long a job waits for the account to come back before the customer is told to send it again."""


@dataclass(frozen=True)
class TransferClients:
    """The client that delivers, and the one that reads what the other cannot see."""

    bot: Client
    account: Client
    account_is_up: Callable[[], bool]


class Transfers:
    """Everything between a job in line and a delivered file."""

    def __init__(
        self,
        clients: TransferClients,
        *,
        database: Database,
        wakeup: Wakeup,
        sender: Sender,
        settings: Settings,
        plans: Plans,
    ) -> None:
        self._clients, self._database, self._settings, self._plans = clients, database, settings, plans
        self._owner = f"{NAME}/{secrets.token_hex(4)}"
        self._runs: dict[int, Run] = {}
        self._waits = Waits()
        self._subscription = wakeup.subscribe()
        self._wakeup = wakeup
        self._draining = False
        self._claiming = asyncio.Lock()
        most = settings.transfer_requests_max
        reads = Bounds(min(12, most), most, calls_per_session=6)
        writes = Bounds(min(24, 2 * most), 2 * most, calls_per_session=12)
        chosen = cipher(settings.transfer_cipher)
        self._reading = DataCentrePools(clients.account, reads, chosen)
        self._writing = DataCentrePools(clients.bot, writes, chosen)
        self._board = Board(sender, database, self._running, self._why_waiting)

    async def run(self) -> None:
        """Work until cancelled."""
        courier = await self._courier()
        await self._database(queue.take_over, NAME, _now())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._claim(courier), name="claim jobs")
            group.create_task(self._keep_leases(), name="keep leases")
            group.create_task(self._watch(), name="watch cancellations and the account")
            group.create_task(self._tidy(), name="close idle media sessions")
            group.create_task(self._board.run(), name="progress")

    async def drain(self, seconds: float) -> None:
        """Claim nothing more, let jobs finish for *seconds*, put the rest back in line, close the media sessions."""
        self._draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLAIM_S), self._claiming:
                pass  # what was being claimed as the drain began is under way now
        tasks = [run.task for run in self._runs.values() if run.task]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CANCEL_S)
        await self._board.drain()
        await asyncio.gather(self._reading.stop(), self._writing.stop())

    async def _courier(self) -> Pipeline:
        home = await self._clients.bot.storage.dc_id()
        finder = Resolver(
            Reader(self._clients.bot),
            Reader(self._clients.account),
            self._database,
            self._settings,
            self._clients.account_is_up,
        )
        delivery = Delivery(self._clients.bot)
        pipe = Stream(
            self._reading, self._writing, home, Budget(int((self._settings.transfer_memory_mib << 20) / COPIES))
        )
        fetcher = Fetcher(finder, pipe, delivery, self._database)
        return Pipeline(self._settings.bot_id, finder, fetcher, delivery, self._database, self._settings, self._plans)

    def _running(self) -> list[Run]:
        return list(self._runs.values())

    # ---- claiming

    async def _claim(self, courier: Pipeline) -> None:
        while True:
            async with self._claiming:
                job = await self._next()
                if job is not None:
                    self._begin(courier, job)
            if job is None:
                await self._subscription.wait(IDLE_S)

    async def _next(self) -> JobInfo | None:
        small, large = self._room()
        if self._draining or not (small or large):
            return None
        return await self._database(
            queue.claim, self._owner, LEASE_S, self._settings.jobs_per_customer, _now(), small=small, large=large
        )

    def _room(self) -> tuple[bool, bool]:
        large = sum(run.is_large for run in self._runs.values())
        small = len(self._runs) - large
        return small < self._settings.transfer_files_small, large < self._settings.transfer_files_large

    def _begin(self, courier: Pipeline, job: JobInfo) -> None:
        if (before := self._runs.get(job.id)) is not None:
            self._withdraw(before)  # its lease lapsed under it: the clock has jumped
        run = Run(job, lambda: self._room()[1])
        self._runs[job.id] = run
        run.task = asyncio.create_task(self._work(courier, run), name=f"job {job.id}")

    # ---- working

    async def _work(self, courier: Pipeline, run: Run) -> None:
        try:
            await self._settle(courier, run)
        except LeaseLost:
            logger.info("not ours any more", extra={"job": run.job.id})
        except Exception:
            logger.exception("the end of a job was not recorded", extra={"job": run.job.id})
        finally:
            if self._runs.get(run.job.id) is run:
                del self._runs[run.job.id]
            self._wakeup.wake()

    async def _settle(self, courier: Pipeline, run: Run) -> None:
        """Deliver, and record whatever end it comes to."""
        job, owner = run.job, self._owner
        try:
            await courier.deliver(run)
        except LimitReached:
            pass
        except LeaseLost:
            raise
        except PermanentFailure as refusal:
            logger.info("refused", extra={"job": job.id, "reason": refusal.reason})
            await self._database(queue.refuse, job.id, owner, refusal.reason, _now(), detail=refusal.detail)
        except Unreachable as error:
            logger.info("customer unreachable", extra={"job": job.id, "reason": str(error)})
            await self._database(users.mark_blocked_bot, job.user_id, True, _now())
            await self._database(queue.unreachable, job.id, owner, _now())
        except asyncio.CancelledError:
            if not run.withdrawn:
                await asyncio.shield(self._database(queue.put_back, job.id, owner, _now(), False, _now()))
        except (RPCError, OSError, TransferError) as error:
            await self._put_back(job, self._judge(job, error))
        except Exception as error:
            logger.exception("attempt broke", extra={"job": job.id})
            await self._put_back(job, self._judge(job, error))

    def _judge(self, job: JobInfo, error: Exception) -> RetryLater:
        """When to try again, and whether it was the job's fault."""
        if isinstance(error, RetryLater) and not error.counts:
            return error
        login = state_after(error)
        if (login is not None and login.is_ended) or not self._clients.account_is_up():
            return AccountAway()
        if isinstance(error, RetryLater):
            return error
        return RetryLater(FIRST_RETRY_S * 2**job.attempts, repr(error), counts=True)

    async def _put_back(self, job: JobInfo, why: RetryLater) -> None:
        waited = self._waits.put_back(job.id, why.reason, time.monotonic())
        if why.reason == ACCOUNT_AWAY and waited > PATIENCE_S:
            await self._database(queue.fail, job.id, self._owner, RefusalReason.WAITED_TOO_LONG, _now())
            return
        logger.info("put back", extra={"job": job.id, "seconds": why.seconds, "reason": why.reason})
        not_before = _now() + round(why.seconds)
        await self._database(queue.put_back, job.id, self._owner, not_before, why.counts, _now())

    def _why_waiting(self, job_id: int) -> str | None:
        return self._waits.why(job_id, account_is_up=self._clients.account_is_up())

    # ---- side tasks

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            for run in self._running():
                if not await self._database(queue.heartbeat, run.job.id, self._owner, LEASE_S, _now()):
                    self._withdraw(run)

    async def _watch(self) -> None:
        """Stop what was cancelled within a second, and note that the account is there while it is."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._clients.account_is_up():
                self._waits.account_is_up(time.monotonic())
            if runs := self._running():
                held = await self._database(queue.held_by, self._owner)
                for run in runs:
                    if run.job.id not in held:
                        self._withdraw(run)

    def _withdraw(self, run: Run) -> None:
        run.withdrawn = True
        if run.task is not None and not run.task.done():
            run.task.cancel()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            await self._reading.close_idle(time.monotonic())
            await self._writing.close_idle(time.monotonic())
            if not self._runs:
                memory.give_back()


def _now() -> int:
    return int(time.time())
