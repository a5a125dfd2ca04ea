"""Commands of the admins. To everybody else they are unknown commands."""

import dataclasses
import re
from collections.abc import Awaitable, Callable

from pyrogram.errors import RPCError

from config.money import STARS, decimals
from config.units import DAY_S
from daemon.context import Context
from daemon.handlers import data, shop
from daemon.screens import admin
from daemon.telegram.screen import Screen
from daemon.transfer.errors import PermanentFailure, RetryLater
from models import outbox, users
from models.errors import MoveRefused, RefundRefused
from models.jobs import queue, sources
from models.maintenance import health
from models.money import access, orders, payments, subscriptions
from models.money.providers import Provider
from models.users import UserInfo

TEST_PRICE = 1
USER_ID = re.compile(r"[0-9]{1,15}")
AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,2})?")


class BadArguments(Exception):
    """A command's arguments cannot be read: its usage is the answer."""


def command(
    name: str, act: Callable[[Context, list[str]], Awaitable[Screen | None]]
) -> Callable[[Context], Awaitable[None]]:
    """Make a handler that gives *act* the command's words and shows its answer, or how the command is used."""

    async def handle(context: Context) -> None:
        try:
            screen = await act(context, context.argument.split())
        except BadArguments:
            screen = admin.usage(context.t, name, [plan.code for plan in context.deps.plans.plans if plan.level])
        if screen is not None:
            await context.show(screen)
        context.deps.wakeup.wake()

    return handle


async def grant(context: Context, words: list[str]) -> Screen:
    """``/grant USER PLAN DAYS|forever [REASON]``"""
    if len(words) < 3:
        raise BadArguments
    user = await _user(context, words[0])
    plan = context.deps.plans.by_code(words[1])
    if plan is None or not plan.level:
        raise BadArguments
    forever = words[2] == "forever"
    if not forever and not (words[2].isdecimal() and 0 < int(words[2]) <= 36_500):
        raise BadArguments
    if user is None:
        return admin.unknown_user(context.t, words[0])
    new = await context.deps.database(
        access.give,
        user.id,
        plan.level,
        seconds=None if forever else int(words[2]) * DAY_S,
        forever=forever,
        reason=" ".join(words[3:]),
        by=context.user.id,
        now=context.now,
        source=f"message:{context.deps.settings.bot_id}:{context.user.id}:{context.message_id}",
    )
    return admin.granted(context.t, user, await context.plan_status(user.id), new=new)


async def revoke(context: Context, words: list[str]) -> Screen:
    """``/revoke USER [PLAN]``: take all that is left of one plan or of all, and end their renewals."""
    if not 1 <= len(words) <= 2:
        raise BadArguments
    user = await _user(context, words[0])
    plan = context.deps.plans.by_code(words[1]) if len(words) == 2 else None
    if len(words) == 2 and (plan is None or not plan.level):
        raise BadArguments
    if user is None:
        return admin.unknown_user(context.t, words[0])
    level = plan.level if plan else None
    ended = await context.deps.database(subscriptions.ask_end, user.id, level, context.user.id, context.now)
    taken = await context.deps.database(
        access.take,
        user.id,
        level,
        seconds=None,
        reason="revoked by an admin",
        by=context.user.id,
        now=context.now,
    )
    return admin.revoked(context.t, user, await context.plan_status(user.id), taken=taken, ended=ended)


async def refund(context: Context, words: list[str]) -> Screen:
    """``/refund PAYMENT [AMOUNT]``, by the provider's id. A full refund also ends the payment's renewal."""
    if not 1 <= len(words) <= 2 or (len(words) == 2 and not AMOUNT.fullmatch(words[1])):
        raise BadArguments
    deps = context.deps
    found = await deps.database(payments.find, None, words[0])
    if found is None:
        return admin.unknown_payment(context.t, words[0])
    rest = found.amount - found.refunded
    amount = _minor(words[1], found.currency) if len(words) == 2 else rest
    try:
        await deps.database(payments.ask_refund, found.id, amount, context.user.id, context.now)
    except RefundRefused as error:
        if not rest:
            await _end_renewal(context, found.subscription_id)  # a crash may have come in between the first time
        return admin.refund_refused(context.t, error, found.currency)
    ended = amount == rest and await _end_renewal(context, found.subscription_id)
    return admin.refund_asked(context.t, amount, found.currency, ended)


async def ban(context: Context, words: list[str]) -> Screen:
    """``/ban USER``: the customer's waiting jobs and renewals end."""
    user = await _one_user(context, words)
    if user is None:
        return admin.unknown_user(context.t, words[0])
    if user.id in context.deps.settings.admin_ids:
        return admin.not_an_admin(context.t)
    await context.deps.database(
        users.ban, user.id, context.now
    )  # first: a renewal that begins from now on is ended by itself
    ended = await context.deps.database(subscriptions.ask_end, user.id, None, context.user.id, context.now)
    await context.deps.database(queue.cancel, user.id, None, context.now)
    return admin.banned(context.t, user, ended)


async def unban(context: Context, words: list[str]) -> Screen:
    """``/unban USER``"""
    user = await _one_user(context, words)
    if user is None:
        return admin.unknown_user(context.t, words[0])
    await context.deps.database(users.unban, user.id, context.now)
    return admin.unbanned(context.t, user)


async def allow(context: Context, words: list[str]) -> Screen:
    """``/allow LINK``: open a private chat to all customers."""
    return await _decide(context, words, sources.allow, admin.allowed)


async def block(context: Context, words: list[str]) -> Screen:
    """``/block LINK``: close a chat to everybody, also one that the account is not in yet."""
    return await _decide(context, words, sources.block, admin.blocked, seen=False)


async def testpay(context: Context, words: list[str]) -> None:
    """``/testpay``: a payment of 1 Star that gives nothing and is refunded."""
    plan = next((plan for plan in context.deps.plans.plans if plan.level), context.deps.plans.free)
    trial = dataclasses.replace(plan, prices={STARS: TEST_PRICE}, renews=False)
    order = await context.deps.database(
        orders.create,
        context.user.id,
        trial,
        Provider.STARS,
        STARS,
        now=context.now,
        purpose="test",
        seller=context.deps.settings.bot_id,
    )
    await shop.offer(context, order, trial)


async def status(context: Context, words: list[str]) -> Screen:
    """``/status``: the health of each part."""
    database = context.deps.database
    return admin.status(
        context.t,
        await database(health.all),
        await database(health.incidents),
        overview=await database(queue.overview, context.now),
        oldest_event_ms=await database(outbox.oldest_unheard_ms),
        now=context.now,
    )


async def _end_renewal(context: Context, subscription_id: int | None) -> bool:
    """Ask the provider to end a renewal; False when there is none."""
    if subscription_id is None:
        return False
    try:
        await context.deps.database(subscriptions.ask_cancel, subscription_id, context.user.id, context.now)
    except MoveRefused:
        return False
    return True


async def _one_user(context: Context, words: list[str]) -> UserInfo | None:
    if len(words) != 1:
        raise BadArguments
    return await _user(context, words[0])


async def _user(context: Context, text: str) -> UserInfo | None:
    """A customer by id or @name."""
    if USER_ID.fullmatch(text):
        return await context.deps.database(users.get, int(text))
    return await context.deps.database(users.find, text)


async def _decide(
    context: Context,
    words: list[str],
    decide: Callable[[int, int, int], None],
    answer: Callable[..., Screen],
    *,
    seen: bool = True,
) -> Screen:
    if len(words) != 1:
        raise BadArguments
    try:
        chat_id = await context.deps.chats.id_of(words[0], context.now, seen=seen)
    except (PermanentFailure, RetryLater, RPCError, OSError):
        return admin.unknown_chat(context.t, words[0])
    await context.deps.database(decide, chat_id, context.user.id, context.now)
    return answer(context.t, await context.deps.database(sources.get, chat_id), chat_id)


def _minor(text: str, currency: str) -> int:
    """A typed amount in minor units."""
    whole, _, fraction = text.partition(".")
    digits = decimals(currency)
    if len(fraction) > digits:
        raise BadArguments
    minor: int = int(whole) * 10**digits + int(fraction.ljust(digits, "0") or 0)
    return minor


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
