"""Tells the admins of a disk that fills up, also when it is full and nothing can be written down any more.

While the database can be written to, a full disk is an incident like any other, told once. When it cannot, the alarm
speaks for itself, from memory: once when it begins, once when it is over.
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
from models.event_kinds import IncidentClosed, IncidentOpened
from models.maintenance import health

logger = logging.getLogger(__name__)

LOOK_S = 2.0
PATIENCE_S = 4.0
NEARLY_FULL = "disk_nearly_full"
STUCK = "disk_full"
FREE_BYTES = 256 * 1024 * 1024
FREE_SHARE = 10
"""Nearly full: less than this many bytes are free, and less than a tenth of the disk."""
RELIEF = 2
"""It is over when twice as much is free, so that a disk at the border is not told of again and again."""


@dataclass(frozen=True)
class Room:
    """Bytes free and in all, where the state is kept."""

    free: int
    total: int

    @property
    def is_short(self) -> bool:
        """Nearly full."""
        return self.free < self._wanted

    @property
    def is_ample(self) -> bool:
        """Enough to say that it is over."""
        return self.free >= min(RELIEF * self._wanted, self.total // 2)

    @property
    def _wanted(self) -> int:
        return min(FREE_BYTES, self.total // FREE_SHARE)


class DiskMonitor:
    """Looks at the disk, and at whether calls to the database come through."""

    def __init__(self, settings: Settings, database: Database, notifier: Notifier) -> None:
        self._settings = settings
        self._database = database
        self._notifier = notifier
        self._stuck_since: float | None = None
        self._was_short: bool | None = None

    async def run(self, up: asyncio.Event) -> None:
        """Watch for ever; speak while the bot is *up*."""
        while True:
            await up.wait()
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look once."""
        if self._database.is_stuck:
            await self._begin()
        elif self._stuck_since is not None:
            await self._end(self._stuck_since)
        else:
            await self._watch(room(self._settings.db_path))

    async def _begin(self) -> None:
        if self._stuck_since is None:
            self._stuck_since = time.monotonic()
            await self._cry(IncidentOpened(key=STUCK, text=""))

    async def _end(self, since: float) -> None:
        self._stuck_since = None
        await self._cry(IncidentClosed(key=STUCK, seconds=round(time.monotonic() - since)))

    async def _watch(self, found: Room) -> None:
        if found.is_short is self._was_short or not (found.is_short or found.is_ample):
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._note(found, int(time.time()))
        except TimeoutError:
            logger.warning("the disk is not looked after: the database does not answer")
        else:
            self._was_short = found.is_short

    async def _note(self, found: Room, now: int) -> None:
        if found.is_short:
            left = f"{found.free >> 20} MiB of {found.total >> 20}"
            await self._database(health.open_incident, NEARLY_FULL, left, now)
        else:
            await self._database(health.close_incident, NEARLY_FULL, now)

    async def _cry(self, payload: IncidentOpened | IncidentClosed) -> None:
        for admin_id in self._settings.admin_ids:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._notifier.announce(admin_id, payload)
            except (RPCError, OSError, Unreachable) as error:
                logger.warning("admin not told", extra={"user": admin_id, "incident": STUCK, "reason": str(error)})


def room(path: Path) -> Room:
    """How much room there is at *path*."""
    usage = shutil.disk_usage(path)
    return Room(usage.free, usage.total)
