"""Complaints about posts: made by anybody in chat, decided by admins with buttons."""

from pyrogram.errors import BadRequest, RPCError

from config.plain_text import plain
from daemon.context import Context
from daemon.handlers import start
from daemon.handlers.customers import for_team
from daemon.screens import complaints as screens
from daemon.screens.operator import admin
from daemon.telegram import links
from daemon.telegram.links import PostLink
from daemon.transfer.errors import PermanentFailure, RetryLater
from models import acts, users
from models.jobs.blocked_posts import Contents
from models.jobs.reasons import RefusalReason
from models.promotion import complaints
from models.promotion.complaints import ComplaintInfo, Decision
from models.roles import Act

_QUOTES = "()[]<>«»‹›„“”‚‘’\"'`.,:;!"
"""What may stand around a link."""


async def report(context: Context) -> None:
    """``/report LINK``, with or without what is wrong with the post."""
    words = context.argument.split()
    quoted = next((word for word in words if isinstance(links.read(word.strip(_QUOTES)), PostLink)), None)
    if quoted is None:
        await context.show(screens.not_a_post(context.t) if words else screens.how_to(context.t))
        return
    named, text = quoted.strip(_QUOTES), plain(" ".join(word for word in words if word != quoted))
    if len(text) > complaints.LONGEST_TEXT:
        await context.show(screens.too_long(context.t, complaints.LONGEST_TEXT))
        return
    address = complaints.link_in(str(links.read(named))) or named
    made = await context.deps.database(complaints.make, address, text, context.user.id, context.now)
    context.deps.wakeup.wake()
    if made is not None and made.decision is None:
        await context.show(screens.taken(context.t, made))


async def block_post(context: Context) -> None:
    """Block the post that a complaint is about, and its files."""
    await _decide(context, Decision.POST)


async def block_channel(context: Context) -> None:
    """Block the whole channel of a post that a complaint is about."""
    await _decide(context, Decision.CHANNEL)


async def reject(context: Context) -> None:
    """Reject a complaint: the post stays, or is delivered again."""
    await _decide(context, Decision.REJECTED)


async def _decide(context: Context, decision: Decision) -> None:
    """Decide a complaint once: the same button again, also of another admin, shows what was decided."""
    deps = context.deps
    known = await deps.database(complaints.get, context.number or 0)
    if known is None:
        await start.show_home(context)
        return
    post, channel = None, None
    if known.decision is not decision:
        try:
            post, channel = await _what_is_blocked(context, known, decision)
        except (PermanentFailure, BadRequest) as error:
            reason = getattr(error, "reason", RefusalReason.NO_ACCESS)
            await context.show(admin.unknown_chat(context.t, known.link, reason))
            return
        except (RetryLater, RPCError, OSError):
            await context.show(admin.chat_not_seen(context.t, known.link))
            return
    decided = await deps.database(
        acts.decide_complaint, context.actor, known, decision, context.now, post=post, channel=channel
    )
    if decided is not None and decided.decision is not decision:
        await _decide(context, decision)  # another admin has replaced what this one saw
        return
    deps.wakeup.wake()
    await context.show(screens.decided_by_admin(context.t, decided or known, *await _whose(context, decided or known)))


async def _whose(context: Context, decided: ComplaintInfo) -> tuple[str, str]:
    """Who has decided, and when; empty where it is who asks, or nobody."""
    if decided.decided_by in (None, context.actor.id) or decided.decided_at is None:
        return "", ""
    known = await context.deps.database(users.get, decided.decided_by)
    date = context.t.date(decided.decided_at, context.deps.settings.timezone)
    return admin.name(known) if known is not None else f"<code>{decided.decided_by}</code>", date


async def _what_is_blocked(
    context: Context, known: ComplaintInfo, decision: Decision
) -> tuple[Contents | None, int | None]:
    """The post, or the channel, that a decision blocks.

    :raises PermanentFailure: the link names none that the account can find; the others as :meth:`Chats.id_of`.
    """
    link, chats = links.read(known.link), context.deps.chats
    if decision is Decision.CHANNEL:
        return None, await chats.id_of(known.link, context.now, seen=False)
    if decision is Decision.REJECTED:
        return None, None
    if not isinstance(link, PostLink):
        raise PermanentFailure(RefusalReason.NO_POST)
    return await chats.contents(link, context.now), None


COMMANDS = {"report": report}
BUTTONS = {
    name: for_team(Act.DECIDE_COMPLAINT, act)
    for name, act in {
        "complaint_post": block_post,
        "complaint_channel": block_channel,
        "complaint_reject": reject,
    }.items()
}
