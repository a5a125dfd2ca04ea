"""The canary: one real delivery a day to an admin, so that they hear of a fault before their customers do.

The delivery goes the whole way: queue, account, transfer, chat. A post of a private channel is fetched anew each day, a
public one is sent by reference. It counts against the admin's own limits, like any delivery. The state of its job says
whether it arrived.
"""

import asyncio
import logging
import time
from datetime import datetime

from config.settings import Settings
from daemon.database import Database
from daemon.telegram import links
from daemon.telegram.links import PostLink
from daemon.wakeup import Wakeup
from models import notes, users
from models.errors import NotFound
from models.event_kinds import IncidentKey
from models.jobs import cache, queue
from models.jobs.queue import NewJob
from models.jobs.states import ENDED, JobInfo, JobState
from models.maintenance import health

logger = logging.getLogger(__name__)

CHECK_S = 5.0
POLL_S = 1.0
TIMEOUT_S = 600.0
NOTE = "canary"
PRIORITY = 1
CAP = 1_000


class Canary:
    """Delivers at ``CANARY_HOUR``, or as soon as the daemon runs after that hour."""

    def __init__(self, settings: Settings, database: Database, wakeup: Wakeup) -> None:
        self._settings = settings
        self._database = database
        self._wakeup = wakeup

    async def run(self, up: asyncio.Event) -> None:
        """Deliver once a day while the bot is *up*, until cancelled."""
        if self._settings.canary_hour is None:
            # Switched off while its incident was open: left open, it would hide the next one.
            await self._database(health.close_incident, IncidentKey.CANARY_FAILED, _now())
        while True:
            await up.wait()
            day = self._due_day(time.time())
            if day is not None and await self._database(notes.get, NOTE) != day:
                await self._record(await self._deliver(day))
                await self._database(notes.put, NOTE, day, _now())
            await asyncio.sleep(CHECK_S)

    def _due_day(self, at: float) -> str | None:
        """Today in the operator's time zone, once the hour has come."""
        hour = self._settings.canary_hour
        here = datetime.fromtimestamp(at, self._settings.timezone)
        return here.date().isoformat() if hour is not None and here.hour >= hour else None

    async def _deliver(self, day: str) -> str:
        """Deliver, and return what went wrong, or an empty text."""
        link = links.read(self._settings.canary_link or "")
        if not isinstance(link, PostLink):
            return "CANARY_LINK leads to no post"
        admin_id = await self._database(_recipient, self._settings.admin_ids)
        if admin_id is None:
            return "no admin has ever written to the bot"
        key = f"canary:{admin_id}:{day}"
        job = NewJob(user_id=admin_id, chat_id=admin_id, link=str(link), dedupe=key, priority=PRIORITY)
        job_id = await self._database(_enqueue, job, link, self._settings.bot_id, _now())
        if job_id is None:
            return "the admin has too many links in line"
        self._wakeup.wake()
        return await self._result(job_id)

    async def _result(self, job_id: int) -> str:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                job = await self._database(queue.get, job_id)
            except NotFound:
                return "the admin had their data deleted meanwhile"
            if job.state in (*ENDED, JobState.HELD):  # held: it waits for the admin to buy something
                return "" if job.state is JobState.DONE else job.reason or str(job.state)
            await asyncio.sleep(POLL_S)
        return f"not within {TIMEOUT_S:.0f} s"

    async def _record(self, fault: str) -> None:
        if fault:
            logger.error("canary.failed", extra={"reason": fault})
            await self._database(health.open_incident, IncidentKey.CANARY_FAILED, fault, _now())
        else:
            logger.info("canary.delivered")
            await self._database(health.close_incident, IncidentKey.CANARY_FAILED, _now())
        self._wakeup.wake()


def _recipient(admin_ids: frozenset[int]) -> int | None:
    """The admin to deliver to: the one with the lowest id to whom the bot can write."""
    known = (users.get(admin_id) for admin_id in sorted(admin_ids))
    return next((user.id for user in known if user is not None and not user.blocked_bot), None)


def _enqueue(job: NewJob, link: PostLink, bot_id: int, now: int) -> int | None:
    """Queue the link as the admin's own. A second time on one day it is the same job."""
    if isinstance(link.chat, int):
        cache.drop(bot_id, link.chat, link.message_id)
    put = queue.enqueue(job, CAP, now)
    return put.id if isinstance(put, JobInfo) else None


def _now() -> int:
    return int(time.time())
