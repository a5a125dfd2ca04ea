"""Says how jobs and batches ended. The announcer hands it the events, so each is said once, crash or not."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from config.plans import Plans
from config.settings import Settings
from config.texts import Texts, translator
from daemon.database import Database
from daemon.screens import deliveries
from daemon.screens.deliveries import Standing
from daemon.telegram.errors import Unreachable
from daemon.telegram.screen import Screen
from daemon.telegram.sender import Sender
from models import users
from models.jobs import batches, usage
from models.money import access
from models.outbox import EventInfo

logger = logging.getLogger(__name__)

LONGEST_FLOOD_S = 0  # the announcer tries again


class DeliveryNotifier:
    """Puts the ends of deliveries into words and sends them."""

    def __init__(
        self,
        calls: Database,
        outgoing: Sender,
        settings: Settings,
        plans: Plans,
        account_name: Callable[[], str | None],
    ) -> None:
        self._calls, self._outgoing = calls, outgoing
        self._settings, self._plans, self._account_name = settings, plans, account_name

    def tellers(self) -> Mapping[str, Callable[[EventInfo], Awaitable[None]]]:
        """By kind of event."""
        return {"job_finished": self._job, "batch_finished": self._batch, "batch_held": self._batch_held}

    async def _job(self, event: EventInfo) -> None:
        await self._say(event, deliveries.job(event.payload, await self._standing(event.user_id or 0)))

    async def _batch(self, event: EventInfo) -> None:
        batch_id = event.payload["batch"]
        counts = await self._calls(batches.counts, batch_id)
        used = await self._calls(usage.of_batch, batch_id)
        await self._say(event, deliveries.batch(counts, used, await self._standing(event.user_id or 0)))

    async def _batch_held(self, event: EventInfo) -> None:
        waiting = await self._calls(batches.waiting, event.payload["batch"])
        t = await self._texts(event.user_id or 0)
        await self._say(event, deliveries.batch_held(t, event.payload, waiting))

    async def _standing(self, user_id: int) -> Standing:
        now = int(time.time())
        level = (await self._calls(access.of, user_id, now)).level
        day = usage.day_of(now, self._settings.timezone)
        left = await self._calls(usage.left, user_id, self._plans.for_level(level), day)
        return Standing(await self._texts(user_id), left, self._account_name())

    async def _texts(self, user_id: int) -> Texts:
        user = await self._calls(users.get, user_id)
        return translator(user.language if user else None)

    async def _say(self, event: EventInfo, screen: Screen | None) -> None:
        if screen is None or event.user_id is None:
            return
        try:
            await self._outgoing.send_text(
                event.user_id,
                screen.text,
                random_id=event.random_id,
                keyboard=screen.keyboard,
                longest_flood=LONGEST_FLOOD_S,
            )
        except Unreachable as error:
            logger.info("end not heard", extra={"event": event.id, "user": event.user_id, "reason": error.reason})
