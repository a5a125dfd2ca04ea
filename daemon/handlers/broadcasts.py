"""``/broadcast``: an admin writes news, looks at it, chooses to whom and when, and sends it; and its buttons."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

from pyrogram.errors import BadRequest
from pyrogram.types import Message

from config.plans import Article
from config.texts import Texts
from daemon.broadcasting import content
from daemon.broadcasting.content import News, NotNews
from daemon.context import ROW, Context
from daemon.deps import Deps
from daemon.handlers import admin, start
from daemon.handlers.customers import for_team
from daemon.notifier import texts_of
from daemon.screens.operator import broadcasts as screens
from daemon.telegram.bucket import NEWS_PER_S
from daemon.telegram.screen import Screen
from models import acts, conversations
from models.event_kinds import EventKind, NewsPreviewed, PictureAsked
from models.outbox import EventInfo
from models.promotion import broadcasts, buttons, codes, hours, recipients, segments
from models.promotion.broadcasts import Asks, BroadcastInfo, BroadcastState, Content, Rules
from models.promotion.segments import Segment
from models.roles import Act

REPORTS_SHOWN = 3
CODES_SHOWN = 5


# ---- written


async def broadcast(context: Context, words: list[str]) -> Screen | None:
    """``/broadcast``: ask for the news, or show the draft that is there."""
    if not context.deps.settings.broadcasts_per_week:
        return screens.switched_off(context.t)
    draft = await context.deps.database(broadcasts.begin, context.user.id, context.now)
    if draft.is_written:
        await _show(context, draft, anew=True)
        return None
    return await _ask_to_write(context, draft)


async def _ask_to_write(context: Context, draft: BroadcastInfo) -> Screen:
    await context.deps.database(broadcasts.ask, draft.id, Asks.CONTENT, context.now)
    sent = await context.deps.database(broadcasts.newest_sent, REPORTS_SHOWN)
    return screens.write(context.t, draft.id, sent)


async def taken(context: Context, sent: Message) -> bool:
    """Take an admin's message for what was asked for their draft; False when nothing was, or it is something else."""
    if str(sent.text or "").startswith("/") or await _answers_somebody(context, sent):
        return False
    draft = await context.deps.database(broadcasts.draft_of, context.user.id, context.now)
    if draft is None:
        return False
    if draft.asks is Asks.LINK:
        await _take_button(context, draft, str(sent.text or "").strip())
    else:
        await _take_content(context, draft, sent)
    return True


async def rewritten(context: Context, sent: Message) -> bool:
    """Take what an admin makes of the message that became their draft; False when it is another one."""
    draft = await context.deps.database(broadcasts.draft_from, context.user.id, sent.id)
    if draft is not None:
        await _take_content(context, draft, sent)
    return draft is not None


async def _answers_somebody(context: Context, sent: Message) -> bool:
    to = sent.reply_to_message_id
    return bool(to) and await context.deps.database(conversations.expected, context.user.id, to) is not None


async def _take_content(context: Context, draft: BroadcastInfo, sent: Message) -> None:
    try:
        written = content.read(sent)
        written = content.with_text_of(draft, written) if draft.asks is Asks.MEDIA else written
    except NotNews as error:
        await context.for_album(sent).say(screens.not_news(context.t, too_long=error.too_long))
        return
    await _set(context, draft, written=written)
    present = await context.deps.database(broadcasts.get, draft.id)
    if present is not None:
        await _show(context, present, anew=True)


async def _set(context: Context, draft: BroadcastInfo, *, written: Content | None = None) -> None:
    """Keep to whom and when *draft* goes, and what was *written* for it."""
    await context.deps.database(
        acts.write_broadcast,
        context.actor,
        draft.id,
        content=written,
        segment=draft.segment,
        at=draft.start_at,
        now=context.now,
    )


async def _add(context: Context, draft: BroadcastInfo, button: tuple[str, str, str]) -> bool:
    return await context.deps.database(acts.add_broadcast_button, context.actor, draft.id, button, context.now)


async def _take_button(context: Context, draft: BroadcastInfo, text: str) -> None:
    button = buttons.read_link(text)
    added = button is not None and await _add(context, draft, button)
    present = await context.deps.database(broadcasts.get, draft.id)
    if added and present is not None:
        await _show(context, present, anew=True)
    else:
        await context.say(screens.not_a_button(context.t, draft))


async def _show(context: Context, draft: BroadcastInfo, *, anew: bool = False) -> None:
    """Show the draft's settings; *anew* under how it looks."""
    if anew:
        await _preview(context, draft)
    timezone = context.deps.settings.timezone
    number = await context.deps.database.aside(segments.count, draft.segment, context.now)
    sending = screens.Sending(
        number=number,
        starts_at=broadcasts.starts_at(draft.start_at, timezone, context.now),
        seconds=max(1, math.ceil(number / NEWS_PER_S)),
        now=context.now,
        timezone=timezone,
    )
    screen = screens.composer(context.t, draft, sending, context.deps.catalogue.plans)
    await (context.say(screen) if anew else context.show(screen))


async def _preview(context: Context, draft: BroadcastInfo) -> None:
    await _look(context.deps, draft, context.user.id, context.t)


async def _look(deps: Deps, draft: BroadcastInfo, admin_id: int, t: Texts, *, random_id: int | None = None) -> None:
    """Send an admin their draft as customers will get it."""
    keys = screens.buttons(t, draft, deps.catalogue.plans, deps.sender.bot_name)
    await deps.sender.send_now(admin_id, News.of(draft, keys).query, random_id=random_id)


async def show_preview(deps: Deps, event: EventInfo) -> None:
    """Show an admin in their chat the draft that they wrote in the console, if it is one still."""
    draft = await deps.database(broadcasts.get, event.read(NewsPreviewed).broadcast)
    if event.user_id is None or draft is None or draft.state is not BroadcastState.DRAFT or not draft.is_written:
        return
    t = await texts_of(deps.database, event.user_id)
    try:
        await _look(deps, draft, event.user_id, t, random_id=event.random_id)
    except BadRequest as error:
        media = await content.renewed(deps.bot, draft) if str(error.ID).startswith("FILE_REFERENCE") else None
        if media is None:
            raise
        await deps.database(broadcasts.renew_media, draft.id, media)
        await _look(deps, replace(draft, media=media), event.user_id, t, random_id=event.random_id)


async def ask_picture(deps: Deps, event: EventInfo) -> None:
    """Ask an admin in their chat for the picture of the draft that they write in the console."""
    if event.user_id is not None:
        await deps.notifier.send(
            event.user_id,
            lambda t: screens.ask_picture(t, event.read(PictureAsked).broadcast),
            random_id=event.random_id,
            longest_flood=0,
        )


# ---- its buttons


Press = Callable[[Context, BroadcastInfo, str], Awaitable[None]]


def _button(act: Press, *, draft: bool) -> Callable[[Context], Awaitable[None]]:
    """A button of a broadcast, ``id`` or ``id:value``. A *draft* is its author's alone, and none once it is sent."""

    async def handle(context: Context) -> None:
        row, _, value = context.argument.partition(":")
        known = await context.deps.database(broadcasts.get, int(row)) if ROW.fullmatch(row) else None
        if known is None:
            await start.show_home(context)
        elif draft and known.by != context.user.id:
            await context.show(screens.only_theirs(context.t))
        elif draft and known.state is BroadcastState.DISCARDED:
            await context.show(screens.discarded(context.t))
        elif draft and known.state is not BroadcastState.DRAFT:
            await _show_report(context, known)
        else:
            await act(context, known, value)
            context.deps.wakeup.wake()

    return for_team(Act.BROADCAST, handle)


async def _back_to_draft(context: Context, draft: BroadcastInfo, _value: str = "") -> None:
    await context.deps.database(broadcasts.ask, draft.id, None, context.now)
    await _shown_again(context, draft)


async def _shown_again(context: Context, draft: BroadcastInfo) -> None:
    present = await context.deps.database(broadcasts.get, draft.id)
    await _show(context, present or draft)


async def _preview_again(context: Context, draft: BroadcastInfo, _value: str) -> None:
    await _show(context, draft, anew=True)


async def _write_anew(context: Context, draft: BroadcastInfo, _value: str) -> None:
    await context.show(await _ask_to_write(context, draft))


async def _choose_segment(context: Context, draft: BroadcastInfo, value: str) -> None:
    if not value:
        await context.show(screens.choose_segment(context.t, draft))
        return
    try:
        segment = Segment.read(value)
    except ValueError:
        await start.show_home(context)
        return
    await _set(context, replace(draft, segment=segment))
    await _shown_again(context, draft)


async def _choose_hour(context: Context, draft: BroadcastInfo, value: str) -> None:
    timezone = context.deps.settings.timezone
    choice = hours.to_choose(timezone, context.now)
    if not value:
        await context.show(screens.choose_hour(context.t, draft, choice, timezone))
        return
    at = int(value) if ROW.fullmatch(value) else None
    await _set(context, replace(draft, start_at=at if at in choice else None))
    await _shown_again(context, draft)


async def _choose_button(context: Context, draft: BroadcastInfo, _value: str) -> None:
    plans = context.deps.catalogue.plans
    articles: list[tuple[str, Article]] = [(buttons.PLAN, each) for each in plans.on_sale()]
    articles += [(buttons.PACK, each) for each in plans.packs_on_sale()]
    await context.show(screens.choose_button(context.t, draft, articles, await _open_codes(context)))


async def _open_codes(context: Context) -> list[str]:
    """The operator's newest codes that somebody can redeem now."""
    known = await context.deps.database(codes.newest)
    return [each.text for each in known if each.is_open(context.now)][:CODES_SHOWN]


async def _add_button(context: Context, draft: BroadcastInfo, value: str) -> None:
    kind, _, code = value.partition(":")
    article = context.deps.catalogue.plans.article(code)
    is_sold = kind in (buttons.PLAN, buttons.PACK) and article is not None and article.on_sale
    if not (is_sold or (kind == buttons.CODE and code in await _open_codes(context))):
        await start.show_home(context)
        return
    if await _add(context, draft, (kind, code, "")):
        await _shown_again(context, draft)
    else:
        await context.show(screens.not_a_button(context.t, draft))


async def _ask_for_link(context: Context, draft: BroadcastInfo, _value: str) -> None:
    await context.deps.database(broadcasts.ask, draft.id, Asks.LINK, context.now)
    await context.show(screens.ask_link(context.t, draft))


async def _without_buttons(context: Context, draft: BroadcastInfo, _value: str) -> None:
    await context.deps.database(acts.strip_broadcast, context.actor, draft.id, context.now)
    await _shown_again(context, draft)


async def _discard(context: Context, draft: BroadcastInfo, _value: str) -> None:
    await context.deps.database(acts.discard_broadcast, context.actor, draft.id, context.now)
    await context.show(screens.discarded(context.t))


async def _send(context: Context, draft: BroadcastInfo, _value: str) -> None:
    """Have it go out. Pressed twice, it goes out once."""
    settings = context.deps.settings
    number = await context.deps.database.aside(segments.count, draft.segment, context.now)
    wrong = await context.deps.database(
        acts.send_broadcast,
        context.actor,
        draft.id,
        Rules(settings.broadcasts_per_week, settings.timezone),
        number=number,
        now=context.now,
        status_message_id=context.message_id,
    )
    if wrong is not None:
        await context.say(screens.wrong(context.t, wrong, settings.broadcasts_per_week))
        return
    present = await context.deps.database(broadcasts.get, draft.id)
    await context.show(screens.progress(context.t, present or draft, {}, settings.timezone))


# ---- on its way


async def _show_report(context: Context, known: BroadcastInfo, _value: str = "") -> None:
    told = await context.deps.database.aside(recipients.counts, known.id)
    sales = await context.deps.database.aside(recipients.sales, known.id)
    timezone = context.deps.settings.timezone
    await context.show(screens.report(context.t, known, told, sales=sales, timezone=timezone))


async def _show_present(context: Context, known: BroadcastInfo) -> None:
    present = await context.deps.database(broadcasts.get, known.id)
    await _show_report(context, present or known)


async def _stop(context: Context, known: BroadcastInfo, _value: str) -> None:
    told = await context.deps.database.aside(recipients.counts, known.id)
    await context.deps.database(acts.stop_broadcast, context.actor, known.id, context.now, told)
    await _show_present(context, known)


async def _ask_delete(context: Context, known: BroadcastInfo, _value: str) -> None:
    await context.show(screens.ask_delete(context.t, known.id))


async def _delete(context: Context, known: BroadcastInfo, _value: str) -> None:
    told = await context.deps.database.aside(recipients.counts, known.id)
    await context.deps.database(acts.delete_broadcast, context.actor, known.id, context.now, told)
    await _show_present(context, known)


EVENTS = {EventKind.NEWS_PREVIEWED: show_preview, EventKind.PICTURE_ASKED: ask_picture}
"""What the console asks for, and what does it in the chat."""
COMMANDS = {"broadcast": admin.command("broadcast", broadcast)}
BUTTONS = {
    **{
        name: _button(act, draft=True)
        for name, act in {
            "bc_show": _back_to_draft,
            "bc_preview": _preview_again,
            "bc_write": _write_anew,
            "bc_to": _choose_segment,
            "bc_when": _choose_hour,
            "bc_add": _choose_button,
            "bc_button": _add_button,
            "bc_ask": _ask_for_link,
            "bc_plain": _without_buttons,
            "bc_discard": _discard,
            "bc_send": _send,
        }.items()
    },
    **{
        name: _button(act, draft=False)
        for name, act in {
            "bc_report": _show_report,
            "bc_stop": _stop,
            "bc_delete": _ask_delete,
            "bc_delete_now": _delete,
        }.items()
    },
}
