"""Commands of the admins. To everybody else they are unknown commands."""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from pyrogram.errors import BadRequest, RPCError

from config.money import STARS
from config.plans import Plan
from daemon.context import Context
from daemon.handlers import data, shop, typed
from daemon.handlers.typed import BadArguments, Span
from daemon.screens import vocabulary
from daemon.screens.operator import admin
from daemon.telegram.screen import Screen
from daemon.transfer.errors import PermanentFailure, RetryLater
from models import acts, notes, outbox
from models.accounts import pool
from models.errors import ActRefused, MoveRefused, RefundRefused
from models.jobs import queue, sources
from models.jobs.reasons import RefusalReason
from models.maintenance import health
from models.money import payments, subscriptions
from models.users import UserInfo

TEST_PRICE = 1
ONCE = frozenset({"revoke", "refund", "ban", "unban", "allow", "block", "testpay", "broadcast"})
"""Commands that would act again if Telegram, or a crash, delivered one twice: on what was paid or decided since."""


def command(
    name: str, act: Callable[[Context, list[str]], Awaitable[Screen | None]]
) -> Callable[[Context], Awaitable[None]]:
    """Make a handler that gives *act* the command's words and shows its answer, or how the command is used."""

    async def handle(context: Context) -> None:
        try:
            is_repeated = name in ONCE and not await _is_first(context)
            screen = admin.repeated(context.t) if is_repeated else await act(context, context.argument.split())
        except ActRefused as error:
            screen = admin.act_refused(context.t, error)
        except BadArguments as error:
            wrong = error.reason(context.t) if error.reason else ""
            screen = admin.usage(context.t, name, [plan.code for plan in _given(context)], wrong)
        if screen is not None:
            await context.show(screen)
        context.deps.wakeup.wake()

    return handle


async def _is_first(context: Context) -> bool:
    return await context.deps.database(notes.is_first, notes.HANDLED, context.key, context.now)


async def grant(context: Context, words: list[str]) -> Screen:
    """``/grant USER PLAN DAYS|forever [REASON]``"""
    if not words:
        raise BadArguments
    user = await context.find_user(words[0])
    plan, span, reason = _what_to_give(context, words[1:])
    if user is None:
        return admin.unknown_user(context.t, words[0])
    new = await context.deps.database(
        acts.give_days,
        context.actor,
        user.id,
        plan.level,
        span.seconds,
        reason=" ".join(reason),
        now=context.now,
        source=f"message:{context.deps.settings.bot_id}:{context.user.id}:{context.message_id}",
    )
    return admin.granted(context.t, user, await context.plan_status(user.id), new=new)


async def revoke(context: Context, words: list[str]) -> Screen:
    """``/revoke USER [PLAN]``: take all that is left of one plan or of all, and end their renewals."""
    if not words:
        raise BadArguments
    user = await context.find_user(words[0])
    named = "" if vocabulary.says(vocabulary.everything, " ".join(words[1:])) else words[1:]
    plan = _plan(context, named)[0] if named else None
    if user is None:
        return admin.unknown_user(context.t, words[0])
    level = plan.level if plan else None
    taken, ended = await context.deps.database(acts.take_access, context.actor, user.id, level, context.now)
    return admin.revoked(context.t, user, await context.plan_status(user.id), taken=taken, ended=ended)


async def refund(context: Context, words: list[str]) -> Screen:
    """``/refund PAYMENT [AMOUNT]``, by the provider's id. A full refund also ends the payment's renewal."""
    if not words:
        raise BadArguments
    deps = context.deps
    found = await deps.database(payments.find, None, words[0])
    if found is None and words[0].startswith("@"):
        raise BadArguments(partial(admin.a_customer_is_no_payment, text=words[0]))
    if found is None:
        return admin.unknown_payment(context.t, words[0])
    rest = found.amount - found.refunded
    named = typed.amount(" ".join(words[1:]), found.currency) if words[1:] else None
    amount = rest if named is None else named
    renewal = await deps.database(subscriptions.get, found.subscription_id or 0)
    try:
        await deps.database(acts.refund, context.actor, found.id, amount, context.now)
    except RefundRefused as error:
        if not rest:
            await _end_renewal(context, found.subscription_id)  # it was refunded elsewhere
        return admin.refund_refused(context.t, error, found.currency)
    ended = amount == rest and renewal is not None and renewal.state in subscriptions.RENEWING
    return admin.refund_asked(context.t, amount, found.currency, ended)


async def ban(context: Context, words: list[str]) -> Screen:
    """``/ban USER``: the customer's waiting jobs and renewals end."""
    user = await _one_user(context, words)
    if user is None:
        return admin.unknown_user(context.t, words[0])
    ended = await context.deps.database(acts.ban, context.actor, user.id, context.now)
    return admin.banned(context.t, user, ended)


async def unban(context: Context, words: list[str]) -> Screen:
    """``/unban USER``"""
    user = await _one_user(context, words)
    if user is None:
        return admin.unknown_user(context.t, words[0])
    await context.deps.database(acts.unban, context.actor, user.id, context.now)
    return admin.unbanned(context.t, user)


async def allow(context: Context, words: list[str]) -> Screen:
    """``/allow LINK``: open a private chat to all customers."""
    return await _decide(context, words, admin.allowed, allow=True)


async def block(context: Context, words: list[str]) -> Screen:
    """``/block LINK``: close a chat to everybody, also one that the account is not in yet."""
    return await _decide(context, words, admin.blocked, allow=False)


async def testpay(context: Context, words: list[str]) -> None:
    """``/testpay``: a payment of 1 Star that gives nothing and is refunded."""
    plans = context.deps.catalogue.plans
    plan = next((plan for plan in plans.plans if plan.level), plans.free)
    trial = dataclasses.replace(plan, prices={STARS: TEST_PRICE}, renews=False)
    order = await context.deps.database(
        acts.begin_test_payment,
        context.actor,
        trial,
        context.now,
        seller=context.deps.settings.bot_id,
        secret=context.deps.settings.telegram_bot_token,
    )
    await shop.offer(context, order, trial)


async def status(context: Context, words: list[str]) -> Screen:
    """``/status``: the health of each part."""
    database = context.deps.database
    return admin.status(
        context.t,
        await database(health.all),
        await database(health.incidents),
        accounts=await database(pool.all),
        overview=await database(queue.overview, context.now),
        oldest_event_ms=await database(outbox.oldest_unheard_ms),
        now=context.now,
    )


async def _end_renewal(context: Context, subscription_id: int | None) -> bool:
    """Ask the provider to end a renewal; False when there is none."""
    if subscription_id is None:
        return False
    try:
        await context.deps.database(acts.end_renewal, context.actor, subscription_id, context.now)
    except MoveRefused:
        return False
    return True


async def _one_user(context: Context, words: list[str]) -> UserInfo | None:
    return await context.find_user(_only(words))


def _only(words: list[str]) -> str:
    if len(words) != 1:
        raise BadArguments(admin.one_at_a_time if words else None)
    return words[0]


def _given(context: Context) -> list[Plan]:
    """The plans that can be given."""
    return [plan for plan in context.deps.catalogue.plans.plans if plan.level]


def _what_to_give(context: Context, words: list[str]) -> tuple[Plan, Span, list[str]]:
    """Plan and span, in either order, and the reason behind them."""
    span, took = typed.span(words)
    if span is not None:
        plan, more = _plan_behind(context, words[took:])
        return plan, span, words[took + more :]
    plan, took = _plan(context, words)
    span, more = typed.span(words[took:])
    if span is None:
        rest = " ".join(words[took : took + 2])
        raise BadArguments(partial(admin.unreadable_span, text=rest) if rest else admin.how_long)
    return plan, span, words[took + more :]


def _plan_behind(context: Context, words: Sequence[str]) -> tuple[Plan, int]:
    """The plan that *words* behind a span begin with; where there is only one, it may be left out."""
    plans = _given(context)
    plan, took = typed.plan(words, plans)
    if plan is None and len(plans) != 1:
        raise BadArguments(partial(admin.which_plan, titles=_titles(context, plans)))
    return plan or plans[0], took


def _plan(context: Context, words: Sequence[str]) -> tuple[Plan, int]:
    """The plan that *words* begin with, and how many words that takes."""
    plans = context.deps.catalogue.plans
    found, took = typed.plan(words, plans.plans)
    if found is not None and found.level:
        return found, took
    if found is not None:
        raise BadArguments(admin.free_plan)
    titles = _titles(context, _given(context))
    raise BadArguments(
        partial(admin.unknown_plan, text=words[0], titles=titles) if words else partial(admin.which_plan, titles=titles)
    )


def _titles(context: Context, plans: list[Plan]) -> list[str]:
    return [plan.title_in(context.t.language) for plan in plans]


async def _decide(
    context: Context,
    words: list[str],
    answer: Callable[..., Screen],
    *,
    allow: bool,
) -> Screen:
    text = _only(words)
    try:
        chat_id = await context.deps.chats.id_of(text, context.now, seen=allow)
    except (PermanentFailure, BadRequest) as error:
        return admin.unknown_chat(context.t, text, getattr(error, "reason", RefusalReason.NO_ACCESS))
    except (RetryLater, RPCError, OSError):
        return admin.chat_not_seen(context.t, text)
    await context.deps.database(acts.decide_chat, context.actor, chat_id, context.now, allow=allow)
    return answer(context.t, await context.deps.database(sources.get, chat_id), chat_id)


COMMANDS = {
    name: command(name, act)
    for name, act in {
        "grant": grant,
        "revoke": revoke,
        "refund": refund,
        "ban": ban,
        "unban": unban,
        "allow": allow,
        "block": block,
        "testpay": testpay,
        "status": status,
        "backup": data.backup,
    }.items()
}
