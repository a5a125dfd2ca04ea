"""Tells the admins when the disk fills up, even when it is so full that no event can be written.

While the database can be written to, a nearly full disk is an incident like any other. When it cannot, the monitor
alerts the admins from memory, without a row: once when that begins and once when it is over.
"""

import asyncio
import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from pyrogram.errors import RPCError

from config.settings import Settings
from daemon.database import Database
from daemon.notifier import Notifier
from daemon.telegram.errors import Unreachable
from models.event_kinds import IncidentClosed, IncidentKey, IncidentOpened
from models.maintenance import health

logger = logging.getLogger(__name__)

CHECK_S = 2.0
TIMEOUT_S = 4.0
HYSTERESIS = 2
"""The incident closes when twice as much is free, so that a disk at the border does not open and close it all day."""


@dataclass(frozen=True)
class DiskSpace:
    """Free and total bytes of the disk that holds ``DB_PATH``."""

    free: int
    total: int

    @property
    def is_short(self) -> bool:
        """Is the disk nearly full?"""
        return self.free < health.room(self.total)

    @property
    def is_ample(self) -> bool:
        """Is there enough room again to close the incident?"""
        return self.free >= min(HYSTERESIS * health.room(self.total), self.total // 2)


class DiskMonitor:
    """Checks the free space, and whether calls to the database come through."""

    def __init__(self, settings: Settings, database: Database, notifier: Notifier) -> None:
        self._settings = settings
        self._database = database
        self._notifier = notifier
        self._stuck_since: float | None = None
        self._was_short: bool | None = None

    async def run(self, up: asyncio.Event) -> None:
        """Check every two seconds while the bot is *up*, until cancelled."""
        while True:
            await up.wait()
            await self.check()
            await asyncio.sleep(CHECK_S)

    async def check(self) -> None:
        """Check once."""
        if self._database.is_stuck:
            await self._begin_outage()
        elif self._stuck_since is not None:
            await self._end_outage(self._stuck_since)
        else:
            await self._check_space(disk_space(self._settings.db_path))

    async def _begin_outage(self) -> None:
        if self._stuck_since is None:
            self._stuck_since = time.monotonic()
            await self._alert(IncidentOpened(key=IncidentKey.DISK_FULL, text=""))

    async def _end_outage(self, since: float) -> None:
        self._stuck_since = None
        await self._alert(IncidentClosed(key=IncidentKey.DISK_FULL, seconds=round(time.monotonic() - since)))

    async def _check_space(self, space: DiskSpace) -> None:
        if space.is_short is self._was_short or not (space.is_short or space.is_ample):
            return
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._record(space, int(time.time()))
        except TimeoutError:
            logger.warning("disk.unchecked", extra={"reason": "the database does not answer"})
        else:
            self._was_short = space.is_short

    async def _record(self, space: DiskSpace, now: int) -> None:
        if space.is_short:
            left = f"{space.free >> 20} MiB of {space.total >> 20}"
            await self._database(health.open_incident, IncidentKey.DISK_NEARLY_FULL, left, now)
        else:
            await self._database(health.close_incident, IncidentKey.DISK_NEARLY_FULL, now)

    async def _alert(self, payload: IncidentOpened | IncidentClosed) -> None:
        for admin_id in self._settings.admin_ids:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await self._notifier.announce(admin_id, payload)
            except (RPCError, OSError, Unreachable) as error:
                logger.warning(
                    "alert.unsent", extra={"user": admin_id, "incident": IncidentKey.DISK_FULL, "reason": str(error)}
                )


def disk_space(path: Path) -> DiskSpace:
    """The space of the disk that holds *path*."""
    usage = shutil.disk_usage(path)
    return DiskSpace(usage.free, usage.total)
