"""Commands of the operator's people. For anybody else they do not exist."""

import dataclasses
import re
from collections.abc import Awaitable, Callable

from pyrogram.errors import RPCError

from config.money import STARS, decimals
from config.plans import DAY
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
from models.users import UserInfo

TEST_PRICE = 1
USER_ID = re.compile(r"[0-9]{1,15}")
AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,2})?")


class CommandError(Exception):
    """The arguments make no sense: the command's usage is the answer."""


def command(
    name: str, act: Callable[[Context, list[str]], Awaitable[Screen | None]]
) -> Callable[[Context], Awaitable[None]]:
    """Give *act* the words behind the command, and show what it answers, or how the command is used."""

    async def handle(turn: Context) -> None:
        try:
            screen = await act(turn, turn.argument.split())
        except CommandError:
            screen = admin.usage(turn.t, name, [plan.code for plan in turn.service.plans.plans if plan.level])
        if screen is not None:
            await turn.show(screen)
        turn.service.bell.ring()

    return handle


async def grant(turn: Context, words: list[str]) -> Screen:
    """``/grant USER PLAN DAYS|forever [REASON]``"""
    if len(words) < 3:
        raise CommandError
    user = await _user(turn, words[0])
    plan = turn.service.plans.by_code(words[1])
    if plan is None or not plan.level:
        raise CommandError
    forever = words[2] == "forever"
    if not forever and not (words[2].isdecimal() and 0 < int(words[2]) <= 36_500):
        raise CommandError
    if user is None:
        return admin.unknown_user(turn.t, words[0])
    new = await turn.service.calls(
        access.give,
        user.id,
        plan.level,
        seconds=None if forever else int(words[2]) * DAY,
        forever=forever,
        reason=" ".join(words[3:]),
        by=turn.user.id,
        now=turn.now,
        source=f"message:{turn.service.settings.bot_id}:{turn.user.id}:{turn.message_id}",
    )
    now_has = await turn.service.calls(access.of, user.id, turn.now)
    held = turn.service.plans.for_level(now_has.level)
    return admin.granted(turn.t, user, held, now_has, new, turn.service.settings.timezone)


async def revoke(turn: Context, words: list[str]) -> Screen:
    """``/revoke USER [PLAN]``: all that is left, of one plan or of all, and what would renew it."""
    if not 1 <= len(words) <= 2:
        raise CommandError
    user = await _user(turn, words[0])
    plan = turn.service.plans.by_code(words[1]) if len(words) == 2 else None
    if len(words) == 2 and (plan is None or not plan.level):
        raise CommandError
    if user is None:
        return admin.unknown_user(turn.t, words[0])
    level = plan.level if plan else None
    ended = await turn.service.calls(subscriptions.ask_end, user.id, level, turn.user.id, turn.now)
    taken = await turn.service.calls(access.take, user.id, level, None, "revoked by an admin", turn.user.id, turn.now)
    now_has = await turn.service.calls(access.of, user.id, turn.now)
    held = turn.service.plans.for_level(now_has.level)
    return admin.revoked(turn.t, user, held, now_has, taken, ended, turn.service.settings.timezone)


async def refund(turn: Context, words: list[str]) -> Screen:
    """``/refund PAYMENT [AMOUNT]``: by the provider's number of it. What is given back whole renews no more."""
    if not 1 <= len(words) <= 2 or (len(words) == 2 and not AMOUNT.fullmatch(words[1])):
        raise CommandError
    service = turn.service
    found = await service.calls(payments.find, None, words[0])
    if found is None:
        return admin.unknown_payment(turn.t, words[0])
    rest = found.amount - found.refunded
    amount = _minor(words[1], found.currency) if len(words) == 2 else rest
    try:
        await service.calls(payments.ask_refund, found.id, amount, turn.user.id, turn.now)
    except RefundRefused as error:
        if not rest:
            await _end_renewal(turn, found.subscription_id)  # a crash may have come in between, the first time
        return admin.refund_refused(turn.t, error, found.currency)
    ended = amount == rest and await _end_renewal(turn, found.subscription_id)
    return admin.refund_asked(turn.t, amount, found.currency, ended)


async def ban(turn: Context, words: list[str]) -> Screen:
    """``/ban USER``: shut out; his waiting jobs end, and he is charged no more for what he cannot use."""
    user = await _one_user(turn, words)
    if user is None:
        return admin.unknown_user(turn.t, words[0])
    if user.id in turn.service.settings.admin_ids:
        return admin.not_an_admin(turn.t)
    await turn.service.calls(users.ban, user.id, turn.now)  # first: what begins to renew from now on is ended by itself
    ended = await turn.service.calls(subscriptions.ask_end, user.id, None, turn.user.id, turn.now)
    await turn.service.calls(queue.cancel, user.id, None, turn.now)
    return admin.banned(turn.t, user, ended)


async def unban(turn: Context, words: list[str]) -> Screen:
    """``/unban USER``"""
    user = await _one_user(turn, words)
    if user is None:
        return admin.unknown_user(turn.t, words[0])
    await turn.service.calls(users.unban, user.id, turn.now)
    return admin.unbanned(turn.t, user)


async def allow(turn: Context, words: list[str]) -> Screen:
    """``/allow LINK``: a private chat becomes open to all customers."""
    return await _decide(turn, words, sources.allow, admin.allowed)


async def block(turn: Context, words: list[str]) -> Screen:
    """``/block LINK``: nobody gets anything from this chat."""
    return await _decide(turn, words, sources.block, admin.blocked)


async def testpay(turn: Context, words: list[str]) -> None:
    """``/testpay``: a payment of 1 Star that gives nothing and goes back."""
    plan = next((plan for plan in turn.service.plans.plans if plan.level), turn.service.plans.free)
    trial = dataclasses.replace(plan, prices={STARS: TEST_PRICE}, renews=False)
    order = await turn.service.calls(
        orders.create, turn.user.id, trial, "stars", STARS, turn.now, "test", seller=turn.service.settings.bot_id
    )
    await shop.offer(turn, order, trial)


async def status(turn: Context, words: list[str]) -> Screen:
    """``/status``: the health of each part."""
    calls = turn.service.calls
    return admin.status(
        turn.t,
        await calls(health.all),
        await calls(health.incidents),
        await calls(queue.overview, turn.now),
        await calls(outbox.oldest_unheard_ms),
        turn.now,
    )


async def _end_renewal(turn: Context, subscription_id: int | None) -> bool:
    """Ask the provider to renew no more what a payment was for; False when nothing renews it."""
    if subscription_id is None:
        return False
    try:
        await turn.service.calls(subscriptions.ask_cancel, subscription_id, turn.user.id, turn.now)
    except MoveRefused:
        return False
    return True


async def _one_user(turn: Context, words: list[str]) -> UserInfo | None:
    if len(words) != 1:
        raise CommandError
    return await _user(turn, words[0])


async def _user(turn: Context, text: str) -> UserInfo | None:
    """A customer by id or @name."""
    if USER_ID.fullmatch(text):
        return await turn.service.calls(users.get, int(text))
    return await turn.service.calls(users.find, text)


async def _decide(
    turn: Context,
    words: list[str],
    decide: Callable[[int, int, int], None],
    answer: Callable[..., Screen],
) -> Screen:
    if len(words) != 1:
        raise CommandError
    try:
        chat_id = await turn.service.chats.id_of(words[0], turn.now)
    except (PermanentFailure, RetryLater, RPCError, OSError):
        return admin.unknown_chat(turn.t, words[0])
    await turn.service.calls(decide, chat_id, turn.user.id, turn.now)
    return answer(turn.t, await turn.service.calls(sources.get, chat_id), chat_id)


def _minor(text: str, currency: str) -> int:
    """An amount as it was typed, in minor units."""
    whole, _, fraction = text.partition(".")
    digits = decimals(currency)
    if len(fraction) > digits:
        raise CommandError
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
