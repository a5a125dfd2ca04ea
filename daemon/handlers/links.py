"""Links in a message and forwarded posts: put in the queue as jobs, asked about, or refused with a reason."""

import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence

from pyrogram.types import InlineKeyboardMarkup, Message, MessageOriginChannel

from daemon.context import Context, derived_id
from daemon.screens import links as screens
from daemon.screens import notices
from daemon.telegram import links
from daemon.telegram.links import CHANNEL_MARK, SCHEME, Choice, InviteLink, Link, PostLink, RangeLink, Reading, Refused
from models.jobs import batches, budgets, queue
from models.jobs.batches import BatchInfo, NewBatch
from models.jobs.budgets import Budget
from models.jobs.queue import NewJob, TooMany
from models.jobs.states import JobInfo

logger = logging.getLogger(__name__)

_PAGE = re.compile(r"(?:https?://(?:www\.)?|\bwww\.)(?!t\.me\b|telegram\.|web[akz]?\.telegram\.)\w", re.IGNORECASE)

WAITING_CAP = 200
"""How many links one customer may have in the queue."""


async def deliver(context: Context, sent: Message, found: Sequence[Link]) -> None:
    """Queue the posts that *found* names, then answer what cannot be read: a failed answer loses no link."""
    await _enqueue(context, links.each(found), _key(context, sent.id))
    await _answer(context, found)


async def deliver_edited(context: Context, sent: Message) -> None:
    """Queue what an edited message names and has not named before, and answer what cannot be read of it."""
    found, key = read(sent), _key(context, sent.id)
    asked = await context.deps.database(queue.asked, key)
    wanted = [link for link in links.each(found) if str(link) not in asked]
    await _enqueue(context, wanted, f"{key}/{derived_id(' '.join(map(str, wanted)))}")
    if not sent.edit_hidden:
        await _answer(context, found)


async def deliver_forwarded(context: Context, sent: Message, post: PostLink) -> None:
    """Queue a forwarded post, as if its link had been sent; of a text that links to posts, those.

    The messages of an album, each of which is forwarded, are one wish.
    """
    found = [link for link in read(sent) if not isinstance(link, Refused) and link != post]
    if sent.text is not None and found:
        await deliver(context, sent, found)
        return
    album = sent.media_group_id
    await _enqueue(context, [post], _key(context, f"album {album}" if album else sent.id))
    if inside := [link for link in found if isinstance(link, PostLink | RangeLink)]:
        await context.say(screens.linked(context.t, inside))


async def pick(context: Context) -> None:
    """Queue what the customer says that they mean."""
    if await _take(context):
        named = [link for link in links.parse(SCHEME + context.argument) if isinstance(link, PostLink | RangeLink)]
        await context.show(screens.picked(context.t, Reading(tuple(named))))


async def also(context: Context) -> None:
    """Queue a post that a forwarded one links to."""
    await _take(context)


BUTTONS: dict[str, Callable[[Context], Awaitable[None]]] = {"pick": pick, "also": also}


def read(sent: Message) -> list[Link]:
    """Every link of a message: typed, hidden behind words, or behind a button."""
    if sent.text is not None:
        return links.parse(str(sent.text), sent.entities or (), _button_urls(sent))
    return links.parse(str(sent.caption or ""), sent.caption_entities or (), _button_urls(sent))


def names_other_sites(sent: Message) -> bool:
    """Whether a message without a link of Telegram's holds the address of a page."""
    return bool(_PAGE.search(str(sent.text or "")))


def origin(sent: Message) -> PostLink | None:
    """The channel's post that was forwarded; None for what is no forward, or whose origin Telegram does not tell."""
    told = sent.forward_origin
    if not isinstance(told, MessageOriginChannel) or told.chat is None or not told.message_id:
        return None
    name = told.chat.username
    return PostLink(name.lower() if name else -int(told.chat.id or 0) - CHANNEL_MARK, told.message_id)


async def answer_file(context: Context, sent: Message) -> None:
    """Say what to send instead of a file."""
    notice = notices.no_media if sent.forward_origin is None else notices.no_origin
    await context.for_album(sent).say(notice(context.t))


def _button_urls(sent: Message) -> Iterator[str]:
    if isinstance(sent.reply_markup, InlineKeyboardMarkup):
        yield from (button.url for row in sent.reply_markup.inline_keyboard for button in row if button.url)


def _key(context: Context, source: object) -> str:
    return f"{context.deps.settings.bot_id}:{context.user.id}:{source}"


async def _take(context: Context) -> bool:
    wanted = links.each(links.parse(SCHEME + context.argument))
    return await _enqueue(context, wanted, _key(context, f"{context.message_id}:{context.argument}"))


async def _answer(context: Context, found: Sequence[Link]) -> None:
    choices = [link for link in found if isinstance(link, Choice)]
    refused = [link for link in found if isinstance(link, Refused)]
    asked = len(choices) + len(refused)
    budget = _budget(context, (await context.plan()).level)
    if not asked or not await context.deps.database(budgets.spend, context.user.id, budget, asked, context.now):
        return
    for choice in choices[: screens.SHOWN]:
        await context.say(screens.choice(context.t, choice))
    if len(choices) > screens.SHOWN:
        await context.say(screens.more_choices(context.t, len(choices) - screens.SHOWN))
    for link in refused:
        logger.info("link.refused", extra={"user": context.user.id, "link": str(link), "reason": link.reason})
    if refused:
        await context.say(screens.refused(context.t, refused))


async def _enqueue(context: Context, wanted: Sequence[PostLink | InviteLink], key: str) -> bool:
    """Queue the links, one job or one batch; say so and return False where there is no room for them."""
    if len(wanted) > WAITING_CAP:
        await context.say(screens.too_many_at_once(context.t, len(wanted), WAITING_CAP))
        return False
    if not wanted:
        return False
    put = await _put(context, [str(link) for link in wanted], key)
    if isinstance(put, TooMany):
        await context.say(screens.too_many_waiting(context.t, put.waiting, put.cap))
        return False
    context.deps.wakeup.wake()
    return put is not None


async def _put(context: Context, wanted: Sequence[str], key: str) -> JobInfo | BatchInfo | TooMany | None:
    priority = (await context.plan()).level
    user_id, to, budget = context.user.id, context.message_id, _budget(context, priority)
    if len(wanted) == 1:
        job = NewJob(user_id=user_id, chat_id=user_id, link=wanted[0], dedupe=key, priority=priority, reply_to=to)
        return await context.deps.database(queue.enqueue, job, WAITING_CAP, context.now, budget)
    batch = NewBatch(user_id=user_id, chat_id=user_id, links=tuple(wanted), dedupe=key, priority=priority, reply_to=to)
    return await context.deps.database(batches.enqueue, batch, WAITING_CAP, context.now, budget)


def _budget(context: Context, level: int) -> Budget:
    """How many links this customer may send."""
    settings = context.deps.settings
    budget = budgets.of_links(settings.links_per_hour, settings.links_per_day)
    return budget.for_paying() if level or context.is_admin else budget
