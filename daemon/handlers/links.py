"""Links in a message: put in the queue as jobs, or refused with a reason."""

import logging

from pyrogram.types import Message

from daemon.context import Context
from daemon.screens import links as screens
from daemon.telegram import links
from daemon.telegram.links import Link, Refused
from models.jobs import batches, budgets, queue
from models.jobs.batches import BatchInfo, NewBatch
from models.jobs.budgets import Budget
from models.jobs.queue import NewJob, TooMany
from models.jobs.states import JobInfo

logger = logging.getLogger(__name__)

WAITING_CAP = 200
"""How many links one customer may have in the queue."""


async def deliver(context: Context, sent: Message, found: list[Link]) -> None:
    """Queue the posts that *found* names, then answer the links that cannot be read: a failed answer loses no link."""
    wanted = [str(link) for link in links.each(found)]
    if len(wanted) > WAITING_CAP:
        await context.say(screens.too_many_at_once(context.t, len(wanted), WAITING_CAP))
    elif wanted:
        await _enqueue(context, wanted, f"{context.deps.settings.bot_id}:{context.user.id}:{sent.id}")
    if refused := [link for link in found if isinstance(link, Refused)]:
        budget = _budget(context, (await context.plan()).level)
        if await context.deps.database(budgets.spend, context.user.id, budget, len(refused), context.now):
            for link in refused:
                logger.info("link.refused", extra={"user": context.user.id, "link": str(link), "reason": link.reason})
            await context.say(screens.refused(context.t, refused))


async def _enqueue(context: Context, wanted: list[str], key: str) -> None:
    priority = (await context.plan()).level
    budget = _budget(context, priority)
    user_id, to = context.user.id, context.message_id
    put: JobInfo | BatchInfo | TooMany | None
    if len(wanted) == 1:
        job = NewJob(user_id=user_id, chat_id=user_id, link=wanted[0], dedupe=key, priority=priority, reply_to=to)
        put = await context.deps.database(queue.enqueue, job, WAITING_CAP, context.now, budget)
    else:
        batch = NewBatch(
            user_id=user_id, chat_id=user_id, links=tuple(wanted), dedupe=key, priority=priority, reply_to=to
        )
        put = await context.deps.database(batches.enqueue, batch, WAITING_CAP, context.now, budget)
    if isinstance(put, TooMany):
        await context.say(screens.too_many_waiting(context.t, put.waiting, put.cap))
        return
    context.deps.wakeup.wake()


def _budget(context: Context, level: int) -> Budget:
    """How many links this customer may send."""
    settings = context.deps.settings
    budget = budgets.of_links(settings.links_per_hour, settings.links_per_day)
    return budget.for_paying() if level or context.is_admin else budget


def read(sent: Message) -> list[Link]:
    """Every link of a message, typed or hidden behind words."""
    if sent.text is not None:
        return links.parse(str(sent.text), sent.entities or ())
    return links.parse(str(sent.caption or ""), sent.caption_entities or ())
