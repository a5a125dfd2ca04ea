"""The transfer worker: claims jobs from the queue under leases, runs them concurrently, and records how each ended.

Start: the leases of dead predecessors end, then jobs are claimed as there is room. Drain: no job is claimed any more;
running jobs may finish until the deadline and otherwise go back in the queue, where a resumed upload keeps its
acknowledged parts. Stop: media sessions are closed.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from pyrogram import Client
from pyrogram.errors import RPCError

from config import memory
from config.settings import Settings
from daemon.database import Database
from daemon.telegram.clients import state_after
from daemon.telegram.sender import Sender
from daemon.transfer import waits
from daemon.transfer.datacentres.cipher import cipher
from daemon.transfer.datacentres.pool import DataCentrePools, PoolLimits
from daemon.transfer.delivery import Delivery
from daemon.transfer.errors import (
    ACCOUNT_AWAY,
    AccountAway,
    AccountRestricted,
    PermanentFailure,
    RecipientUnreachable,
    RetryLater,
    TransferError,
)
from daemon.transfer.fetch import Fetcher
from daemon.transfer.pipeline import LimitReached, Pipeline
from daemon.transfer.progress import ProgressMessages
from daemon.transfer.reader import Reader
from daemon.transfer.resolver import Resolver
from daemon.transfer.run import Run
from daemon.transfer.streaming import Budget, Stream
from daemon.transfer.waits import Waits
from daemon.wakeup import Wakeup
from models import users
from models.catalogue import Catalogue
from models.errors import LeaseLost
from models.jobs import queue
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobInfo

logger = logging.getLogger(__name__)

NAME = "transfers"
LEASE_S = 60
HEARTBEAT_S = 15.0
CHECK_S = 0.5
POLL_S = 1.0
CLOSE_IDLE_S = 20.0
CANCEL_S = 5.0
CLAIM_S = 2.0
FIRST_RETRY_S = 2
COPIES = 1.2  # a piece is in memory a little more than once, while it is decrypted and encrypted


@dataclass(frozen=True)
class TransferClients:
    """The bot, which delivers, what it says beside that, and the account, which reads what the bot cannot see."""

    bot: Client
    account: Client
    account_is_up: Callable[[], bool]
    sender: Sender
    account_refused: Callable[[str], None] = lambda _error: None
    """Is told when Telegram restricts the account, with its error."""

    account_up_since: Callable[[], float] = lambda: float("-inf")
    """Since when it is up, in monotonic seconds."""
    account_flooded: Callable[[str, int], None] = lambda _method, _seconds: None
    """Is told when Telegram wants no call of a method by the account for so many seconds."""

    def account_up_for(self) -> float:
        """For how many seconds the account has been up; 0 while it is away."""
        return time.monotonic() - self.account_up_since() if self.account_is_up() else 0.0

    @cached_property
    def reader(self) -> Reader:
        """What reads with the account."""
        return Reader(self.account, self.account_flooded)


class Transfers:
    """Takes jobs from the queue to their end."""

    def __init__(
        self,
        clients: TransferClients,
        *,
        database: Database,
        wakeup: Wakeup,
        settings: Settings,
        catalogue: Catalogue,
    ) -> None:
        self._clients, self._database, self._settings, self._catalogue = clients, database, settings, catalogue
        self._owner = f"{NAME}/{secrets.token_hex(4)}"
        self._runs: dict[int, Run] = {}
        self._waits = Waits()
        self._subscription = wakeup.subscribe()
        self._wakeup = wakeup
        self._draining = False
        self._claiming = asyncio.Lock()
        most = settings.transfer_requests_max
        reads = PoolLimits(min(12, most), most, calls_per_session=6)
        writes = PoolLimits(min(24, 2 * most), 2 * most, calls_per_session=12)
        chosen = cipher(settings.transfer_cipher)
        self._reading = DataCentrePools(clients.account, reads, chosen)
        self._writing = DataCentrePools(clients.bot, writes, chosen, sends=True)
        self._progress = ProgressMessages(clients.sender, database, self._running, self._why_waiting)

    async def run(self) -> None:
        """Work until cancelled."""
        resolver, pipeline = await self._build_pipeline()
        await self._database(queue.take_over, NAME, _now())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._claim(pipeline), name="claim jobs")
            group.create_task(resolver.keep_lists(self._wakeup.subscribe()), name="keep the lists of chats")
            group.create_task(self._keep_leases(), name="keep leases")
            group.create_task(self._check_leases(), name="check leases and the account")
            group.create_task(self._close_idle(), name="close idle media sessions")
            group.create_task(self._progress.run(self._wakeup.subscribe()), name="progress")

    async def let_go(self) -> None:
        """Put the running jobs back in the queue, and forget what the account knew: another one is to read."""
        tasks = [run.task for run in self._runs.values() if run.task]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CANCEL_S)
        self._clients.reader.forget_all()
        await self._reading.renew()

    async def drain(self, seconds: float) -> None:
        """Claim no more jobs, give running ones *seconds* to finish, requeue the rest, close the media sessions."""
        self._draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLAIM_S), self._claiming:
                pass  # a job that was being claimed when the drain began is running now
        tasks = [run.task for run in self._runs.values() if run.task]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CANCEL_S)
        await self._progress.drain()
        await asyncio.gather(self._reading.stop(), self._writing.stop())

    async def _build_pipeline(self) -> tuple[Resolver, Pipeline]:
        home = await self._clients.bot.storage.dc_id()
        resolver = Resolver(
            Reader(self._clients.bot),
            self._clients.reader,
            database=self._database,
            settings=self._settings,
            account_is_up=self._clients.account_is_up,
        )
        delivery = Delivery(self._clients.bot, self._clients.sender)
        stream = Stream(
            self._reading, self._writing, home, Budget(int((self._settings.transfer_memory_mib << 20) / COPIES))
        )
        fetcher = Fetcher(resolver, stream, delivery, self._database)
        pipeline = Pipeline(
            resolver,
            fetcher,
            delivery,
            database=self._database,
            settings=self._settings,
            catalogue=self._catalogue,
        )
        return resolver, pipeline

    def _running(self) -> list[Run]:
        return list(self._runs.values())

    # ---- claiming

    async def _claim(self, pipeline: Pipeline) -> None:
        while True:
            async with self._claiming:
                job = await self._next()
                if job is not None:
                    self._begin(pipeline, job)
            if job is None:
                await self._subscription.wait(POLL_S)

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

    def _begin(self, pipeline: Pipeline, job: JobInfo) -> None:
        if (before := self._runs.get(job.id)) is not None:
            self._withdraw(before)  # its lease expired while it ran: the clock has jumped
        run = Run(job, lambda: self._room()[1])
        self._runs[job.id] = run
        run.task = asyncio.create_task(self._work(pipeline, run), name=f"job {job.id}")

    # ---- working

    async def _work(self, pipeline: Pipeline, run: Run) -> None:
        try:
            await self._deliver(pipeline, run)
        except LeaseLost:
            logger.info("lease.lost", extra={"job": run.job.id, "user": run.job.user_id})
        except Exception:
            logger.exception("job.unrecorded", extra={"job": run.job.id, "user": run.job.user_id})
        finally:
            if self._runs.get(run.job.id) is run:
                del self._runs[run.job.id]
            self._wakeup.wake()

    async def _deliver(self, pipeline: Pipeline, run: Run) -> None:
        """Deliver, and record how the job ended."""
        job, owner = run.job, self._owner
        try:
            await pipeline.deliver(run)
        except LimitReached:
            pass
        except LeaseLost:
            raise
        except PermanentFailure as refusal:
            fields = {"job": job.id, "user": job.user_id, "link": job.link, "reason": refusal.reason}
            logger.info("job.refused", extra=fields)
            await self._database(queue.refuse, job.id, owner, refusal.reason, _now(), detail=refusal.detail)
        except RecipientUnreachable as error:
            logger.info("customer.unreachable", extra={"job": job.id, "user": job.user_id, "reason": str(error)})
            await self._database(users.mark_blocked_bot, job.user_id, True, _now())
            await self._database(queue.unreachable, job.id, owner, _now())
        except asyncio.CancelledError:
            if not run.withdrawn:
                await asyncio.shield(
                    self._database(queue.put_back, job.id, owner, _now(), count_attempt=False, now=_now())
                )
        except (RPCError, OSError, TransferError) as error:
            await self._requeue(job, self._retry_after(job, error))
        except Exception as error:
            logger.exception("job.broken", extra={"job": job.id, "user": job.user_id})
            await self._requeue(job, self._retry_after(job, error))

    def _retry_after(self, job: JobInfo, error: Exception) -> RetryLater:
        """When to try again after *error*, and whether that counts as an attempt."""
        if isinstance(error, RetryLater) and not error.counts:
            return error
        login = state_after(error)
        if (login is not None and login.is_ended) or not self._clients.account_is_up():
            return AccountAway()
        if isinstance(error, RetryLater):
            return error
        return RetryLater(FIRST_RETRY_S * 2**job.attempts, repr(error), counts=True)

    async def _requeue(self, job: JobInfo, why: RetryLater) -> None:
        waited, seconds = self._waits.requeued(job.id, why.reason, time.monotonic()), why.seconds
        if isinstance(why, AccountRestricted):
            self._clients.account_refused(why.error)
        if why.reason == ACCOUNT_AWAY:
            if waits.is_too_long(waited, up := self._clients.account_up_for()):
                await self._database(queue.fail, job.id, self._owner, RefusalReason.WAITED_TOO_LONG, _now())
                return
            seconds = waits.pause(seconds, waited, up)
        fields = {"job": job.id, "user": job.user_id, "seconds": seconds, "reason": why.reason}
        logger.info("job.requeued", extra=fields)
        not_before = _now() + round(seconds)
        await self._database(queue.put_back, job.id, self._owner, not_before, count_attempt=why.counts, now=_now())

    def _why_waiting(self, job_id: int) -> str | None:
        return self._waits.why(job_id, account_is_up=self._clients.account_is_up())

    # ---- side tasks

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            for run in self._running():
                await self._database(queue.heartbeat, run.job.id, self._owner, LEASE_S, _now())

    async def _check_leases(self) -> None:
        """Stop jobs that were cancelled, or that another worker has; let those go on that waited for the account."""
        while True:
            await asyncio.sleep(CHECK_S)
            if self._clients.account_is_up():
                if waited := self._waits.account_is_up(time.monotonic(), self._clients.account_up_since()):
                    await self._database(queue.hurry, waited, _now())
            if runs := self._running():
                leased = await self._database(queue.held_by, self._owner)
                for run in runs:
                    if run.job.id not in leased:
                        self._withdraw(run)

    def _withdraw(self, run: Run) -> None:
        run.withdrawn = True
        if run.task is not None and not run.task.done():
            run.task.cancel()

    async def _close_idle(self) -> None:
        while True:
            await asyncio.sleep(CLOSE_IDLE_S)
            await self._reading.close_idle(time.monotonic())
            await self._writing.close_idle(time.monotonic())
            if not self._runs:
                memory.give_back()


def _now() -> int:
    return int(time.time())
