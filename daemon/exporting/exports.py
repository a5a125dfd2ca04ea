"""Sends people what is stored about them, one after the other, beside everything else."""

import asyncio
import logging
import time
from pathlib import Path

from pyrogram.errors import FloodPremiumWait, FloodWait, RPCError

from config.units import HOUR_S
from daemon.database import Database
from daemon.exporting.document import Document
from daemon.limiter import Limiter
from daemon.notifier import texts_of
from daemon.screens import data, notices
from daemon.telegram.errors import Unreachable
from daemon.telegram.rpc import FLOOD_MARGIN_S, flood_seconds
from daemon.telegram.sender import Sender
from models.maintenance import personal_data

logger = logging.getLogger(__name__)

AN_HOUR = 6
"""How many exports one person may have in an hour."""

CHECK_S, RETRY_S = 60.0, 60
SHARE = 1.0
"""The pause after each page, as a share of the time that the page took: others have the processor meanwhile."""


class Exports:
    """Exports that people have asked for. They are rows, so a restart goes on with those that were not sent.

    :param directory: where a long export grows.
    """

    def __init__(self, database: Database, sender: Sender, directory: Path) -> None:
        self._database = database
        self._sender = sender
        self._directory = directory
        self._asked = asyncio.Event()
        self._limiter = Limiter(AN_HOUR, AN_HOUR / HOUR_S)

    def wait(self, user_id: int) -> float:
        """Count one export, and return 0; or the seconds after which the person may have the next one."""
        return self._limiter.wait(user_id, time.monotonic())

    async def ask(self, user_id: int, now: int) -> bool:
        """Have an export made; return whether it will take a while."""
        is_long = await self._database(personal_data.ask, user_id, now)
        self._asked.set()
        return is_long

    async def run(self, up: asyncio.Event) -> None:
        """Send what was asked for while the bot is *up*, until cancelled."""
        while True:
            await up.wait()
            self._asked.clear()
            user_id = await self._database(personal_data.next_asked, int(time.time()))
            if user_id is not None:
                await self._attempt(user_id)
                continue
            try:
                await asyncio.wait_for(self._asked.wait(), CHECK_S)
            except TimeoutError:
                continue

    async def _attempt(self, user_id: int) -> None:
        try:
            await self._send(user_id)
        except Unreachable as error:
            logger.info("export.unreachable", extra={"user": user_id, "reason": error.reason})
        except (RPCError, OSError) as error:
            logger.warning("export.failed", extra={"user": user_id, "reason": repr(error)})
            is_flood = isinstance(error, FloodWait | FloodPremiumWait)
            await self._later(user_id, flood_seconds(error) + FLOOD_MARGIN_S if is_flood else RETRY_S)
            return
        except Exception:
            # One export that cannot be made must not hold up the others.
            logger.exception("export.failed", extra={"user": user_id})
            await self._later(user_id, RETRY_S)
            return
        await self._database(personal_data.done, user_id)

    async def _later(self, user_id: int, seconds: int) -> None:
        """Try again after so many seconds, or tell the person that it was tried often enough."""
        if not await self._database(personal_data.failed, user_id, int(time.time()) + seconds):
            await self._apologise(user_id)

    async def _send(self, user_id: int) -> None:
        with Document(f"mydata-{user_id}", self._directory) as document:
            for section in personal_data.SECTIONS:
                await self._collect(user_id, section, document)
            finished = document.finish()
            t = await texts_of(self._database, user_id)
            await self._sender.send_file(
                user_id,
                finished.content,
                name=finished.name,
                mime_type=finished.mime_type,
                caption=data.exported(t),
            )

    async def _collect(self, user_id: int, section: str, document: Document) -> None:
        document.begin(section)
        after, is_last = None, False
        while not is_last:
            began = time.monotonic()
            page = await self._database.aside(personal_data.page, user_id, section, after)
            await asyncio.to_thread(document.add, page.rows)
            after, is_last = page.following, page.following is None
            if not is_last:
                await asyncio.sleep(SHARE * (time.monotonic() - began))
        document.end()

    async def _apologise(self, user_id: int) -> None:
        t = await texts_of(self._database, user_id)
        try:
            await self._sender.send_screen(user_id, notices.failed(t))
        except (Unreachable, RPCError, OSError) as error:
            logger.info("apology.failed", extra={"user": user_id, "reason": str(error)})
