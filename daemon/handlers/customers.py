"""What an admin does with one customer: the card and its buttons, and the conversation through the bot."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps

from pyrogram.types import Message

from config.plain_text import plain, utf16_length
from config.units import DAY_S
from daemon.context import Context
from daemon.handlers import admin, start
from daemon.handlers.typed import BadArguments
from daemon.screens.operator import admin as answers
from daemon.screens.operator import customers, income
from daemon.telegram.screen import Screen
from models import acts, conversations, customer_notes, users
from models.audit import Entry
from models.books import grounds
from models.conversations import Purpose, RelayInfo
from models.errors import ActRefused
from models.jobs import queue
from models.money import access, credits, payments, providers
from models.money import income as earned
from models.promotion import referrals
from models.roles import Act
from models.users import UserInfo

PAYMENTS_SHOWN = 5
LINKS_SHOWN = 10
NOTES_SHOWN = 5
MONTHS = 12


def for_team(act: Act, press: Callable[[Context], Awaitable[None]]) -> Callable[[Context], Awaitable[None]]:
    """A button of those who may do *act*: for anybody else, who must have forged its data, one that is not known."""

    @wraps(press)
    async def handle(context: Context) -> None:
        if not context.may(act):
            if context.user.id in context.team:
                await context.deps.database(acts.record, context.actor, Entry(act, refused="role"), context.now)
            await start.show_home(context)
            return
        try:
            await press(context)
        except ActRefused as error:
            await context.show(answers.act_refused(context.t, error))

    return handle


# The card


async def user(context: Context, words: list[str]) -> Screen:
    """``/user WHO``: by id, name, link, or the number of a payment."""
    if not words:
        raise BadArguments
    found = await _named(context, " ".join(words))
    return answers.unknown_user(context.t, words[0]) if found is None else await card(context, found)


async def find(context: Context, text: str) -> UserInfo | None:
    """The customer whom an admin means by an id, an @name or a payment's number."""
    if " " in text:
        return None
    if text.startswith("@") or text.isdecimal():
        return await context.find_user(text)
    is_number = context.may(Act.SEE_MONEY) and providers.of_number(text)
    payment = await context.deps.database(payments.find, None, text) if is_number else None
    return await context.deps.database(users.get, payment.user_id) if payment and payment.user_id else None


async def _named(context: Context, text: str) -> UserInfo | None:
    """The customer whom an admin's command names, as the other commands read it too, or by a payment's number."""
    return await find(context, text) or await context.find_user(text)


async def sender_of(context: Context, sent: Message) -> Screen | None:
    """The card of whoever wrote a message that an admin forwards; None where it is no person's message."""
    origin = sent.forward_origin
    person, name = getattr(origin, "sender_user", None), getattr(origin, "sender_user_name", None)
    if person is None and name is None:
        return None
    known = await context.deps.database(users.get, person.id) if person is not None else None
    return customers.unknown(context.t) if known is None else await card(context, known)


async def card(context: Context, shown: UserInfo) -> Screen:
    """The card of a customer."""
    database, sees_money = context.deps.database, context.may(Act.SEE_MONEY)
    referrer = await database(referrals.brought_by, shown.id)
    return customers.card(
        context.t,
        customers.Card(
            user=shown,
            access=await database(access.of, shown.id, context.now),
            reasons=await database(grounds.of, shown.id, context.now) if sees_money else (),
            credit=await database(credits.left, shown.id, context.now),
            payments=await database(payments.history_of, shown.id, PAYMENTS_SHOWN) if sees_money else None,
            links=await database(queue.newest, shown.id, LINKS_SHOWN) if context.may(Act.SEE_LINKS) else None,
            notes=await database(customer_notes.of, shown.id, NOTES_SHOWN),
            came=await database(referrals.came, shown.id),
            brought_by=await database(users.get, referrer) if referrer is not None else None,
            plans=context.deps.catalogue.plans,
            timezone=context.deps.settings.timezone,
            now=context.now,
        ),
    )


async def show_card(context: Context) -> None:
    """A button with a customer's id: their card."""
    await _with_customer(context, card)


async def ask_refund(context: Context) -> None:
    """A button with a payment's row id: ask whether it shall be refunded."""
    payment = await context.deps.database(payments.get, context.number or 0)
    paid = await context.deps.database(users.get, payment.user_id or 0) if payment else None
    if payment is None or paid is None or not customers.is_refundable(payment):
        await context.show(answers.nothing_left(context.t))
        return
    title = context.deps.catalogue.plans.title_of(payment.plan_code or "?", context.t.language)
    await context.show(customers.confirm_refund(context.t, paid, payment, title))


async def refund(context: Context) -> None:
    """The button that refunds all that is left of a payment."""
    payment = await context.deps.database(payments.get, context.number or 0)
    if payment is not None:
        await context.show(await admin.refund(context, [payment.remote_id]))
        context.deps.wakeup.wake()


async def ask_ban(context: Context) -> None:
    """Ask whether a customer shall be banned."""
    await _with_customer(context, _confirm_ban)


async def ban(context: Context) -> None:
    """The button that bans a customer."""
    await context.show(await admin.ban(context, [str(context.number)]))
    context.deps.wakeup.wake()


async def unban(context: Context) -> None:
    """The button that lets a customer back in."""
    await context.show(await admin.unban(context, [str(context.number)]))
    context.deps.wakeup.wake()


async def ask_gift(context: Context) -> None:
    """Ask of which plan the days are that a customer gets."""
    await _with_customer(context, _choose_plan)


async def give(context: Context) -> None:
    """The button that gives a customer some days of a plan: ``id:level:asked``. Pressed twice, it gives once."""
    user_id, _, rest = context.argument.partition(":")
    level, _, asked = rest.partition(":")
    given = replace(context, argument=user_id)
    plans = context.deps.catalogue.plans
    plan = plans.for_level(int(level)) if level.isdecimal() else plans.free
    known = await context.deps.database(users.get, given.number or 0)
    if known is None or not plan.level:
        await start.show_home(context)
        return
    new = await context.deps.database(
        acts.give_days,
        context.actor,
        known.id,
        plan.level,
        customers.GIVEN_DAYS * DAY_S,
        now=context.now,
        source=f"button:{context.deps.settings.bot_id}:{context.user.id}:{context.message_id}:{known.id}:{asked}",
    )
    context.deps.wakeup.wake()
    await context.show(answers.granted(context.t, known, await context.plan_status(known.id), new=new))


# The conversation


async def say(context: Context, words: list[str]) -> Screen | None:
    """``/say WHO TEXT``: tell a customer something. Their answer comes back."""
    if len(words) < 2:
        raise BadArguments
    known = await _named(context, words[0])
    if known is None:
        return answers.unknown_user(context.t, words[0])
    text = " ".join(words[1:])
    if utf16_length(text) > conversations.LONGEST:
        return customers.too_long(context.t, conversations.LONGEST)
    return await _say(context, known, text)


async def ask_message(context: Context) -> None:
    """Ask for the text of a message to a customer."""
    await _ask(context, Purpose.SAY, customers.write_message)


async def ask_note(context: Context) -> None:
    """Ask for the text of a note about a customer."""
    await _ask(context, Purpose.NOTE, customers.write_note)


async def answered(context: Context, sent: Message) -> bool:
    """Take a message that answers one of the bot's which somebody else is behind; False when it does not."""
    relay = await _relay_of(context, sent)
    if relay is not None:
        await _take(context.for_album(sent), relay, str(sent.text or ""))
    return relay is not None


async def is_answer(context: Context, sent: Message) -> bool:
    """Whether a message answers one of the bot's which somebody else is behind."""
    return await _relay_of(context, sent) is not None


async def _relay_of(context: Context, sent: Message) -> RelayInfo | None:
    to = sent.reply_to_message_id
    relay = await context.deps.database(conversations.expected, context.user.id, to) if to else None
    return relay if relay is not None and _is_between(context, relay) else None


async def goes_on(context: Context, sent: Message) -> bool:
    """Take what a customer writes while a conversation with the operator is open; False when there is none."""
    relay = await context.deps.database(conversations.open_with, context.user.id, context.now)
    if relay is None or context.may(Act.MESSAGE) or not _is_between(context, relay):
        return False
    await _take(context.for_album(sent), relay, str(sent.text or ""))
    return True


def _is_between(context: Context, relay: RelayInfo) -> bool:
    """Whether one of the two is in the team today: nobody else's words are passed on."""
    return context.may(Act.MESSAGE) or relay.about in context.team


async def _take(context: Context, relay: RelayInfo, text: str) -> None:
    known = await context.deps.database(users.get, relay.about)
    is_note = relay.purpose is Purpose.NOTE and context.may(Act.NOTE)
    if not plain(text) or known is None:
        await context.say(customers.nothing_to_say(context.t))
    elif is_note and len(plain(text)) > customer_notes.LONGEST:
        await context.say(customers.note_too_long(context.t, customer_notes.LONGEST))
    elif utf16_length(text) > conversations.LONGEST:
        await context.say(customers.too_long(context.t, conversations.LONGEST))
    elif is_note:
        await context.deps.database(acts.note, context.actor, known.id, plain(text), context.now)
        await context.say(customers.noted(context.t, known))
    else:
        said = await _say(context, known, text)
        if said is not None:
            await context.say(said)


async def _say(context: Context, receiver: UserInfo, text: str) -> Screen | None:
    """Pass a text on. None when it is too much: an event tells the customer."""
    said, source = plain(text), f"{context.deps.settings.bot_id}:{context.key}"
    if context.may(Act.MESSAGE):
        try:
            await context.deps.database(acts.message, context.actor, receiver.id, said, context.now, source=source)
        except ActRefused as error:
            return answers.act_refused(context.t, error)
        context.deps.wakeup.wake()
        return customers.said(context.t, receiver)
    is_taken = await context.deps.database(
        conversations.say, context.user.id, receiver.id, said, from_operator=False, now=context.now, source=source
    )
    context.deps.wakeup.wake()
    return customers.answer_sent(context.t) if is_taken else None


# Income


async def show_income(context: Context, words: list[str]) -> Screen:
    """``/income``: what the shop earned, by span, plan, way of payment and month."""
    timezone = context.deps.settings.timezone
    days = earned.day_starts(30, timezone, context.now)
    months = earned.month_starts(MONTHS, timezone, context.now)
    parts = await context.deps.database(earned.sums, months[0], context.now + DAY_S)
    by_day = earned.by_span(parts, days)
    month = [part for day in by_day for part in day]
    spans = {"today": by_day[-1:], "yesterday": by_day[-2:-1], "week": by_day[-7:], "month": by_day}
    report = income.Report(
        spans={name: earned.total(part for day in inside for part in day) for name, inside in spans.items()},
        plans=earned.totals_by(month, lambda part: part.plan_code),
        providers=earned.totals_by(month, lambda part: part.provider),
        months={
            start: earned.total(inside) for start, inside in zip(months, earned.by_span(parts, months), strict=True)
        },
    )
    return income.income(context.t, report, plans=context.deps.catalogue.plans, timezone=timezone)


async def _with_customer(context: Context, show: Callable[[Context, UserInfo], Awaitable[Screen]]) -> None:
    """Show a screen about the customer whose id the button holds."""
    known = await context.deps.database(users.get, context.number or 0)
    await (start.show_home(context) if known is None else context.show(await show(context, known)))


async def _confirm_ban(context: Context, known: UserInfo) -> Screen:
    return customers.confirm_ban(context.t, known)


async def _choose_plan(context: Context, known: UserInfo) -> Screen:
    return customers.choose_plan(context.t, known, context.deps.catalogue.plans, asked=context.now)


async def _ask(context: Context, purpose: Purpose, write: Callable[..., Screen]) -> None:
    known = await context.deps.database(users.get, context.number or 0)
    message_id = None if known is None else await context.say(write(context.t, known))
    if known is not None and message_id is not None:
        relay = RelayInfo(purpose, known.id)
        await context.deps.database(conversations.expect, context.user.id, message_id, relay, context.now)


COMMANDS = {name: admin.command(name, act) for name, act in {"user": user, "say": say, "income": show_income}.items()}
BUTTONS = {
    name: for_team(act, press)
    for name, (act, press) in {
        "card": (Act.SEE_CUSTOMERS, show_card),
        "refund_ask": (Act.REFUND, ask_refund),
        "refund_now": (Act.REFUND, refund),
        "ban_ask": (Act.BAN, ask_ban),
        "ban_now": (Act.BAN, ban),
        "unban_now": (Act.UNBAN, unban),
        "give_ask": (Act.GIVE_DAYS, ask_gift),
        "give_now": (Act.GIVE_DAYS, give),
        "say_ask": (Act.MESSAGE, ask_message),
        "note_ask": (Act.NOTE, ask_note),
    }.items()
}
