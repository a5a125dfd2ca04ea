"""Links on their way into the line: read, refused with a reason, or put in line as jobs."""

from pyrogram.types import Message

from daemon.context import Context
from daemon.screens import links as screens
from daemon.telegram import links
from daemon.telegram.links import Link, Refused
from models.jobs import batches, queue
from models.jobs.batches import BatchInfo
from models.jobs.queue import TooMany
from models.jobs.states import JobInfo

WAITING_CAP = 200
"""How many links one customer may have in line."""


async def deliver(turn: Context, sent: Message, found: list[Link]) -> None:
    """Put what *found* names in line, and answer for what cannot be: an answer that fails loses no link."""
    wanted = [str(link) for link in links.each(found)]
    if len(wanted) > WAITING_CAP:
        await turn.say(screens.too_many_at_once(turn.t, len(wanted), WAITING_CAP))
    elif wanted:
        await _enqueue(turn, wanted, f"{turn.service.settings.bot_id}:{turn.user.id}:{sent.id}")
    if refused := [link for link in found if isinstance(link, Refused)]:
        await turn.say(screens.refused(turn.t, refused))


async def _enqueue(turn: Context, wanted: list[str], key: str) -> None:
    priority = (await turn.plan()).level
    user_id, to = turn.user.id, turn.message_id
    put: JobInfo | BatchInfo | TooMany
    if len(wanted) == 1:
        put = await turn.service.calls(
            queue.enqueue, user_id, user_id, wanted[0], None, priority, to, turn.now, dedupe=key, cap=WAITING_CAP
        )
    else:
        put = await turn.service.calls(
            batches.enqueue, user_id, user_id, tuple(wanted), priority, to, turn.now, dedupe=key, cap=WAITING_CAP
        )
    if isinstance(put, TooMany):
        await turn.say(screens.too_many_waiting(turn.t, put.waiting, put.cap))
        return
    turn.service.bell.ring()


def read(sent: Message) -> list[Link]:
    """Every link of a message, typed or behind words."""
    if sent.text is not None:
        return links.parse(str(sent.text), sent.entities or ())
    return links.parse(str(sent.caption or ""), sent.caption_entities or ())
