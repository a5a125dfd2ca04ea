"""Tells customers how jobs and batches ended. The outbox worker hands over the events, so each is told once."""

import time
from collections.abc import Awaitable, Callable, Mapping
from zoneinfo import ZoneInfo

from config.texts import Texts
from daemon.database import Database
from daemon.notifier import Notifier
from daemon.screens import deliveries
from daemon.screens.deliveries import Standing
from daemon.telegram.screen import Screen
from models.catalogue import Catalogue
from models.event_kinds import BatchFinished, BatchHeld, EventKind, JobFinished
from models.jobs import batches, usage
from models.jobs.usage import Left
from models.money import access
from models.outbox import EventInfo

LONGEST_FLOOD_S = 0  # the outbox worker tries again


class DeliveryNotifier:
    """Looks up what the message about the end of a delivery depends on, and has it sent."""

    def __init__(
        self,
        notifier: Notifier,
        *,
        database: Database,
        catalogue: Catalogue,
        timezone: ZoneInfo,
        account_name: Callable[[], str | None],
    ) -> None:
        self._notifier, self._database = notifier, database
        self._catalogue, self._timezone, self._account_name = catalogue, timezone, account_name

    def handlers(self) -> Mapping[str, Callable[[EventInfo], Awaitable[None]]]:
        """By kind of event. Each raises what :meth:`Notifier.send` raises."""
        return {
            EventKind.JOB_FINISHED: self._job,
            EventKind.BATCH_FINISHED: self._batch,
            EventKind.BATCH_HELD: self._batch_held,
        }

    async def _job(self, event: EventInfo) -> None:
        finished, left = event.read(JobFinished), await self._left(event.user_id or 0)
        await self._send(event, lambda t: deliveries.job(finished, self._standing(t, left)))

    async def _batch(self, event: EventInfo) -> None:
        batch_id = event.read(BatchFinished).batch
        counts = await self._database(batches.counts, batch_id)
        used = await self._database(usage.of_batch, batch_id)
        left = await self._left(event.user_id or 0)
        await self._send(event, lambda t: deliveries.batch(counts, used, self._standing(t, left)))

    async def _batch_held(self, event: EventInfo) -> None:
        held = event.read(BatchHeld)
        waiting = await self._database(batches.waiting, held.batch)
        await self._send(event, lambda t: deliveries.batch_held(t, held, waiting, self._catalogue.plans))

    def _standing(self, t: Texts, left: Mapping[str, Left]) -> Standing:
        return Standing(t, self._catalogue.plans, left, self._account_name())

    async def _left(self, user_id: int) -> Mapping[str, Left]:
        now = int(time.time())
        level = (await self._database(access.of, user_id, now)).level
        day = usage.day_of(now, self._timezone)
        return await self._database(usage.left, user_id, self._catalogue.plans.for_level(level), day)

    async def _send(self, event: EventInfo, render: Callable[[Texts], Screen | None]) -> None:
        if event.user_id is not None:
            await self._notifier.send(event.user_id, render, random_id=event.random_id, longest_flood=LONGEST_FLOOD_S)
