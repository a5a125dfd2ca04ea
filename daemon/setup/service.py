"""The life of the daemon while the shop is being set up: it checks, logs an account in, and ends with set-up."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from config.kept import settings_file
from config.settings import EXIT_GAVE_UP, EXIT_OK, Application, ConfigurationError, Settings, load
from config.texts import Texts, translator
from daemon.accounts.logins import Logins
from daemon.database import Database
from daemon.setup import checks
from daemon.setup.bot import SetupBot
from daemon.setup.checks import Found
from daemon.supervision import programs
from daemon.tasks import Tasks
from daemon.wakeup import Wakeup, Watcher
from models import notes
from models.maintenance import health
from models.setup import checks as asked
from models.setup import opening

logger = logging.getLogger(__name__)

HEARTBEAT_S, LOOK_S = 5.0, 30.0
FAREWELL_S = 2.0
"""After the end of set-up: the page that says so has been fetched, with its script, before the web program stops."""

_CHECKS: Mapping[str, Callable[[Application, str, Texts], Awaitable[Found]]] = {
    "application": checks.of_application,
    "bot": checks.of_bot,
}
"""How each step of set-up is checked that Telegram has to say something about."""


class SetUp:
    """What runs in place of the shop's daemon."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database, self._wakeup = Database(), Wakeup(Watcher())
        self._bot = SetupBot(self.present, self._database, self._wakeup)
        self._tasks = Tasks()
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Run until stopped; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_requested)
        for name, work in self._parts().items():
            self._tasks.start(name, work)
        stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
        failure = asyncio.create_task(self._tasks.failure(), name="failure")
        await asyncio.wait((stopping, failure), return_when=asyncio.FIRST_COMPLETED)
        code = EXIT_OK if stopping.done() else EXIT_GAVE_UP
        stopping.cancel()
        failure.cancel()
        await self._tasks.stop()
        self._wakeup.close()
        await self._database.close()
        return code

    def present(self) -> Settings:
        """The settings of this moment: set-up is still asking for them. Those that cannot be read leave the last."""
        try:
            self._settings = load(unfinished=True)
        except ConfigurationError as error:
            logger.warning("settings.unread", extra={"faults": error.faults})
        return self._settings

    def _parts(self) -> dict[str, Coroutine[Any, Any, None]]:
        return {
            "heartbeat": self._beat(),
            "wakeup": self._wakeup.run(),
            "checks": self._check(),
            "bot": self._bot.run(),
            "logins": Logins(self.present, self._database, self._wakeup).run(),
            "end": self._end(),
        }

    async def _beat(self) -> None:
        while True:
            await self._database(health.beat, "daemon", {}, _now())
            await asyncio.sleep(HEARTBEAT_S)

    async def _check(self) -> None:
        """Answer what the pages ask."""
        subscription = self._wakeup.subscribe()
        while True:
            step = await self._database(asked.asked)
            if step is not None and step in _CHECKS:
                await self._answer(step)
            await subscription.wait(LOOK_S)

    async def _answer(self, step: str) -> None:
        settings = self.present()
        typed = settings_file.read(settings.db_path, settings_file.TYPED)
        application = Application(
            api_id=int(typed.get("TELEGRAM_API_ID") or settings.telegram_api_id),
            api_hash=typed.get("TELEGRAM_API_HASH") or settings.telegram_api_hash,
            endpoint=settings.telegram_endpoint,
            public_key=settings.telegram_public_key,
        )
        token = typed.get("TELEGRAM_BOT_TOKEN") or settings.telegram_bot_token
        found = await _CHECKS[step](application, token, translator(settings.language))
        if not settings_file.settle(settings.db_path, typed, is_good=found.is_good):
            return  # something else was typed meanwhile, and is asked about next
        await self._database(_record, step, found, _now())
        logger.info("setup.checked", extra={"step": step, "good": found.is_good})
        self._wakeup.wake()

    async def _end(self) -> None:
        """Have everything start anew when set-up is over."""
        subscription = self._wakeup.subscribe()
        while not await self._database(opening.is_left):
            await subscription.wait(LOOK_S)
        await asyncio.sleep(FAREWELL_S)
        await asyncio.to_thread(programs.begin_anew, self._settings.db_path)
        await asyncio.Event().wait()  # for SIGTERM

    def _stop_requested(self) -> None:
        if self._stopping.is_set():
            os._exit(EXIT_GAVE_UP)
        self._stopping.set()


def _record(step: str, found: Found, now: int) -> None:
    """Keep what was found; a step that Telegram accepts is passed."""
    if found.bot is not None:
        notes.put("bot", dict(found.bot), now)
    if found.is_good:
        opening.pass_step(step, now)
    asked.answer(step, is_good=found.is_good, text=found.text, now=now)


def _now() -> int:
    return int(time.time())
