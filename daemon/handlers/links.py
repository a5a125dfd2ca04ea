"""Links in a message: put in the queue as jobs, or refused with a reason."""

from pyrogram.types import Message

from daemon.context import Context
from daemon.screens import links as screens
from daemon.telegram import links
from daemon.telegram.links import Link, Refused
from models.jobs import batches, queue
from models.jobs.batches import BatchInfo, NewBatch
from models.jobs.queue import NewJob, TooMany
from models.jobs.states import JobInfo

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
        await context.say(screens.refused(context.t, refused))


async def _enqueue(context: Context, wanted: list[str], key: str) -> None:
    priority = (await context.plan()).level
    user_id, to = context.user.id, context.message_id
    put: JobInfo | BatchInfo | TooMany
    if len(wanted) == 1:
        job = NewJob(user_id=user_id, chat_id=user_id, link=wanted[0], dedupe=key, priority=priority, reply_to=to)
        put = await context.deps.database(queue.enqueue, job, WAITING_CAP, context.now)
    else:
        batch = NewBatch(
            user_id=user_id, chat_id=user_id, links=tuple(wanted), dedupe=key, priority=priority, reply_to=to
        )
        put = await context.deps.database(batches.enqueue, batch, WAITING_CAP, context.now)
    if isinstance(put, TooMany):
        await context.say(screens.too_many_waiting(context.t, put.waiting, put.cap))
        return
    context.deps.wakeup.wake()


def read(sent: Message) -> list[Link]:
    """Every link of a message, typed or hidden behind words."""
    if sent.text is not None:
        return links.parse(str(sent.text), sent.entities or ())
    return links.parse(str(sent.caption or ""), sent.caption_entities or ())
