"""Tells customers how jobs and batches ended. The outbox worker hands over the events, so each is told once."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from config.settings import Settings
from config.texts import Texts
from daemon.database import Database
from daemon.notifier import Notifier, texts_of
from daemon.screens import consent as news
from daemon.screens import deliveries
from daemon.screens.deliveries import Standing
from daemon.telegram.screen import Screen
from models import returns
from models.catalogue import Catalogue
from models.event_kinds import BatchFinished, BatchHeld, BatchRestHeld, EventKind, JobFinished, JobHeld
from models.jobs import batches, holding, queue, states, usage
from models.jobs.holding import Offers
from models.jobs.states import JobState
from models.jobs.usage import Left
from models.money import access, credits, orders
from models.money.payments import PaymentInfo
from models.outbox import EventInfo
from models.promotion import codes, consent

LONGEST_FLOOD_S = 0  # the outbox worker tries again


class DeliveryNotifier:
    """Looks up what the message about the end of a delivery depends on, and has it sent."""

    def __init__(
        self,
        notifier: Notifier,
        *,
        database: Database,
        catalogue: Catalogue,
        settings: Settings,
        account_name: Callable[[], str | None],
    ) -> None:
        self._notifier, self._database = notifier, database
        self._catalogue, self._settings, self._account_name = catalogue, settings, account_name

    def handlers(self) -> Mapping[str, Callable[[EventInfo], Awaitable[None]]]:
        """By kind of event. Each raises what :meth:`Notifier.send` raises."""
        return {
            EventKind.JOB_FINISHED: self._job,
            EventKind.JOB_HELD: self._job_held,
            EventKind.BATCH_FINISHED: self._batch,
            EventKind.BATCH_HELD: self._batch_held,
            EventKind.BATCH_REST_HELD: self._batch_rest_held,
            EventKind.NEWS_OFFERED: self._news_offered,
        }

    def promote(self, user_id: int, now: int) -> None:
        """Give the customer's links what they have bought: the priority of their plan, and what held them, room."""
        room = usage.room_of(user_id, self._catalogue.plans, self._settings.timezone, now)
        queue.promote(user_id, room.level, now)
        holding.release(user_id, room, room.level, now)

    async def _job(self, event: EventInfo) -> None:
        finished, left = event.read(JobFinished), await self._left(event.user_id or 0)
        credit = await self._credit(event)
        days = self._settings.refund_days
        unused = None if finished.state == JobState.DONE else await self._database(_unused, finished.job, days)
        await self._send(event, lambda t: deliveries.job(finished, self._standing(t, left, credit), unused))
        if finished.state == JobState.DONE and finished.used:
            await self._offer_news(event)

    async def _job_held(self, event: EventInfo) -> None:
        held, left = event.read(JobHeld), await self._left(event.user_id or 0)
        offers = await self._for(event, holding.offers(self._catalogue.plans, held))
        pay_links = self._pay_links(event.user_id or 0, offers, held.job)
        await self._send(event, lambda t: deliveries.held(held, self._standing(t, left), offers, pay_links))

    async def _for(self, event: EventInfo, offers: Offers) -> Offers:
        """The offers to the customer of the event."""
        return await self._database(codes.offers_to, event.user_id or 0, offers, self._settings.secret_key)

    async def _batch(self, event: EventInfo) -> None:
        batch_id = event.read(BatchFinished).batch
        counts = await self._database(batches.counts, batch_id)
        used = await self._database(usage.of_batch, batch_id)
        left, credit = await self._left(event.user_id or 0), await self._credit(event)
        unused = await self._database(returns.behind_batch, batch_id, self._settings.refund_days, int(time.time()))
        await self._send(event, lambda t: deliveries.batch(counts, used, self._standing(t, left, credit), unused))
        if used:
            await self._offer_news(event)

    async def _batch_held(self, event: EventInfo) -> None:
        held = event.read(BatchHeld)
        waiting = await self._database(batches.waiting, held.batch)
        batch = await self._database(batches.get, held.batch)
        offers = await self._for(event, holding.offers_of_rest(self._catalogue.plans, held, waiting))
        pay_links = self._pay_links(batch.user_id, offers, held.job or None)
        counts = {"waiting": waiting, "total": batch.total}
        await self._send(
            event, lambda t: deliveries.batch_held(held, self._standing(t, {}), offers, pay_links, **counts)
        )

    async def _batch_rest_held(self, event: EventInfo) -> None:
        batch = await self._database(batches.get, event.read(BatchRestHeld).batch)
        waits = await self._database(batches.waits_for, batch.id)
        if not waits:
            return  # it was cancelled, or goes on already
        needs = [each for _, _, each in waits]
        offers = await self._for(event, holding.offers_of_items(self._catalogue.plans, needs))
        first, reasons = waits[0][0], Counter(reason for _, reason, _ in waits)
        pay_links = self._pay_links(batch.user_id, offers, first)
        await self._send(
            event,
            lambda t: deliveries.rest_held(
                self._standing(t, {}), batch, reasons, offers=offers, pay_links=pay_links, job_id=first
            ),
        )

    def _pay_links(self, user_id: int, offers: Offers, job_id: int | None) -> dict[str, str]:
        """Where PayPal sells what is offered, for that very job."""
        return orders.pay_addresses(self._settings, user_id, offers.articles, int(time.time()), job=job_id)

    async def _news_offered(self, event: EventInfo) -> None:
        await self._send(event, news.offer)

    def _standing(self, t: Texts, left: Mapping[str, Left], credit: Mapping[str, int] | None = None) -> Standing:
        account, days = self._account_name(), self._settings.refund_days
        return Standing(t, self._catalogue.plans, left, account, credit=credit or {}, refund_days=days)

    async def _credit(self, event: EventInfo) -> Mapping[str, int]:
        left: Mapping[str, int] = await self._database(credits.left, event.user_id or 0, int(time.time()))
        return left

    async def _left(self, user_id: int) -> Mapping[str, Left]:
        now = int(time.time())
        level = (await self._database(access.of, user_id, now)).level
        day = usage.day_of(now, self._settings.timezone)
        return await self._database(usage.left, user_id, self._catalogue.plans.for_level(level), day)

    async def _offer_news(self, event: EventInfo) -> None:
        """Have the customer asked, once, whether they want news: an event of its own, which is told next."""
        if event.user_id is not None and self._settings.broadcasts_per_week:
            words = news.offer(await texts_of(self._database, event.user_id)).text
            await self._database(consent.offer, event.user_id, words, int(time.time()))

    async def _send(self, event: EventInfo, render: Callable[[Texts], Screen | None]) -> None:
        if event.user_id is not None:
            await self._notifier.send(event.user_id, render, random_id=event.random_id, longest_flood=LONGEST_FLOOD_S)


def _unused(job_id: int, refund_days: int) -> PaymentInfo | None:
    """What was paid to bring the job, was not used for anything, and can go back."""
    job = states.find(job_id)
    return None if job is None else returns.behind(job, refund_days, int(time.time()))
