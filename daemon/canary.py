"""The canary: once a day a real delivery to an admin, so that he hears of a trouble before his customers do.

It goes the whole way: line, account, transfer, chat. A post of a private channel is fetched anew each day, a public one
is sent by reference. It counts against the admin's own limits, like any delivery. Whether it arrived, its job says.
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
from models.jobs import cache, queue
from models.jobs.queue import NewJob, TooMany
from models.jobs.states import ENDED, JobState
from models.maintenance import health

logger = logging.getLogger(__name__)

LOOK_S = 5.0
WAIT_S = 1.0
PATIENCE_S = 600.0
INCIDENT = "canary_failed"
NOTE = "canary"
PRIORITY = 1
CAP = 1_000


class Canary:
    """Sings at ``CANARY_HOUR``, or as soon as the daemon runs after it."""

    def __init__(self, settings: Settings, database: Database, wakeup: Wakeup) -> None:
        self._settings = settings
        self._database = database
        self._wakeup = wakeup

    async def run(self, up: asyncio.Event) -> None:
        """Sing once a day while the bot is *up*, for ever."""
        if self._settings.canary_hour is None:
            # Switched off while something was wrong: left open, it would hide the next one.
            await self._database(health.close_incident, INCIDENT, _now())
        while True:
            await up.wait()
            day = self._due(time.time())
            if day is not None and await self._database(notes.get, NOTE) != day:
                await self._judge(await self._sing(day))
                await self._database(notes.put, NOTE, day, _now())
            await asyncio.sleep(LOOK_S)

    def _due(self, at: float) -> str | None:
        """The operator's day, once its hour has come."""
        hour = self._settings.canary_hour
        here = datetime.fromtimestamp(at, self._settings.timezone)
        return here.date().isoformat() if hour is not None and here.hour >= hour else None

    async def _sing(self, day: str) -> str:
        """Deliver; what went wrong, or nothing."""
        link = links.read(self._settings.canary_link or "")
        if not isinstance(link, PostLink):
            return "CANARY_LINK leads to no post"
        admin_id = await self._database(_listener, self._settings.admin_ids)
        if admin_id is None:
            return "no admin has ever written to the bot"
        key = f"canary:{admin_id}:{day}"
        job = NewJob(user_id=admin_id, chat_id=admin_id, link=str(link), dedupe=key, priority=PRIORITY)
        job_id = await self._database(_enqueue, job, link, self._settings.bot_id, _now())
        if job_id is None:
            return "the admin has too many links in line"
        self._wakeup.wake()
        return await self._ended(job_id)

    async def _ended(self, job_id: int) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                job = await self._database(queue.get, job_id)
            except NotFound:
                return "the admin had his data deleted meanwhile"
            if job.state in ENDED:
                return "" if job.state is JobState.DONE else job.reason or str(job.state)
            await asyncio.sleep(WAIT_S)
        return f"not within {PATIENCE_S:.0f} s"

    async def _judge(self, trouble: str) -> None:
        if trouble:
            logger.error("the canary did not sing", extra={"reason": trouble})
            await self._database(health.open_incident, INCIDENT, trouble, _now())
        else:
            logger.info("the canary sang")
            await self._database(health.close_incident, INCIDENT, _now())
        self._wakeup.wake()


def _listener(admin_ids: frozenset[int]) -> int | None:
    """The admin to deliver to: the first by number whom the bot can write to."""
    known = (users.get(admin_id) for admin_id in sorted(admin_ids))
    return next((user.id for user in known if user is not None and not user.blocked_bot), None)


def _enqueue(job: NewJob, link: PostLink, bot_id: int, now: int) -> int | None:
    """Put the link in line as the admin's own; a second time on one day it is the same job."""
    if isinstance(link.chat, int):
        cache.drop(bot_id, link.chat, link.message_id)
    put = queue.enqueue(job, CAP, now)
    return None if isinstance(put, TooMany) else put.id


def _now() -> int:
    return int(time.time())
