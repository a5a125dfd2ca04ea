"""Answers to messages and buttons. Each module lists its commands and buttons, and the tables here join them.

Handlers are thin: they parse, check, write a row and answer. Longer work is done by the workers that claim the row.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from pyrogram.types import Message

from config.plain_text import unmarked
from daemon import commands
from daemon.context import Context
from daemon.handlers import (
    account,
    accounts,
    admin,
    broadcasts,
    code_making,
    codes,
    complaints,
    consent,
    console,
    customers,
    data,
    links,
    referrals,
    shop,
    start,
    support,
)
from daemon.screens import keyboard, notices, vocabulary
from daemon.screens.codes import PREFIX
from daemon.telegram.links import Link, Refused
from models import acts
from models.audit import Entry
from models.roles import Act

Handler = Callable[[Context], Awaitable[None]]

COMMANDS: dict[str, Handler] = {
    **start.COMMANDS,
    **shop.COMMANDS,
    **codes.COMMANDS,
    **account.COMMANDS,
    **support.COMMANDS,
    **referrals.COMMANDS,
    **complaints.COMMANDS,
    **data.COMMANDS,
    **consent.COMMANDS,
}
ANSWERS: dict[str, Handler] = {**COMMANDS, "cancel": account.show_waiting}
"""What words lead to, by topic: nothing is cancelled by a word."""
ADMIN_COMMANDS: dict[str, Handler] = {
    **admin.COMMANDS,
    **customers.COMMANDS,
    **broadcasts.COMMANDS,
    **code_making.COMMANDS,
    **console.COMMANDS,
}
"""An admin's command goes before the customers' one of the same name."""
BUTTONS: dict[str, Handler] = {
    **start.BUTTONS,
    **links.BUTTONS,
    **shop.BUTTONS,
    **codes.BUTTONS,
    **code_making.BUTTONS,
    **account.BUTTONS,
    **support.BUTTONS,
    **data.BUTTONS,
    **customers.BUTTONS,
    **referrals.BUTTONS,
    **complaints.BUTTONS,
    **consent.BUTTONS,
    **broadcasts.BUTTONS,
    **console.BUTTONS,
    **accounts.BUTTONS,
}
DEEP_LINKS: dict[str, Handler] = {
    "plans": shop.plans,
    "premium": shop.plans,
    "history": account.history,
    "help": start.guide,
    "gift": codes.gift,
    "trial": codes.trial,
    "paysupport": support.paysupport,
    "terms": support.terms,
    "privacy": support.privacy,
    "invite": referrals.invite,
}
"""``t.me/bot?start=plans`` and the like; any other argument shows the first screen."""
CODED_LINKS: dict[str, Handler] = {referrals.PREFIX: referrals.arrive, PREFIX: codes.linked}
"""Deep links that begin like this and go on with a code."""
_COMMAND = re.compile(r"/(?P<name>\S*)\s*(?P<argument>.*)", re.DOTALL)


async def message(context: Context, sent: Message) -> None:
    """Answer a message of a private chat."""
    text = unmarked(str(sent.text or ""))
    if context.may(Act.BROADCAST) and await broadcasts.taken(context, sent):
        return
    if (post := links.origin(sent)) is not None:
        await links.deliver_forwarded(context, sent, post)
    elif (typed := _COMMAND.match(text)) is not None and not _is_passed_on(context, sent):
        name = typed["name"].partition("@")[0].lower()
        await command(replace(context, argument=typed["argument"].strip()), name)
    elif await customers.answered(context, sent) or (
        context.may(Act.SEE_CUSTOMERS) and await _means_a_customer(context, sent)
    ):
        return
    elif found := links.read(sent):
        await _links(context, sent, found)
    elif await customers.goes_on(context, sent):
        return
    elif sent.media is not None and sent.text is None:  # a text may have the preview of a page
        await links.answer_file(context, sent)
    elif links.names_other_sites(sent):
        await context.say(notices.other_site(context.t))
    elif (asked := vocabulary.topic(text)) is not None:
        await ANSWERS[asked](context)
    else:
        await context.say(notices.guidance(context.t))


def _is_passed_on(context: Context, sent: Message) -> bool:
    """Whether one of the team forwards what somebody wrote, perhaps in the hope of that: it commands nothing."""
    return sent.forward_origin is not None and context.user.id in context.team


async def edited(context: Context, sent: Message) -> None:
    """Answer an edited message: by the links that it names now. A command, or an answer, counts when it is sent."""
    if context.may(Act.BROADCAST) and await broadcasts.rewritten(context, sent):
        return
    if await customers.is_answer(context, sent):
        return
    if not str(sent.text or "").startswith("/"):
        await links.deliver_edited(context, sent)


async def _links(context: Context, sent: Message, found: Sequence[Link]) -> None:
    """Answer the links of a message. One into this bot, a gift or an invitation, may be pasted instead of opened."""
    argument = context.argument_of(str(sent.text or "")) if all(isinstance(link, Refused) for link in found) else None
    if argument is None:
        await links.deliver(context, sent, found)
    else:
        await command(replace(context, argument=argument), "start")


async def _means_a_customer(context: Context, sent: Message) -> bool:
    """Show an admin the card of the customer whom they name, or whose message they forward; False for anything else."""
    screen = await customers.sender_of(context, sent)
    if screen is None:
        text = unmarked(str(sent.text or ""))
        found = await customers.find(context, text) if text and " " not in text else None
        screen = await customers.card(context, found) if found else None
    if screen is not None:
        await context.say(screen)
    return screen is not None


async def command(context: Context, name: str) -> None:
    """Answer a command, by its name or another word for it. An admin's command is unknown to everybody else."""
    if context.user.id in context.team:
        name = vocabulary.admin_command(name) or name
    handler = await _handler(context, name)
    if handler is None and name not in ADMIN_COMMANDS:
        handler = await _handler(context, vocabulary.topic(name.replace("_", " ")) or "")
    if name == "start" and context.argument in DEEP_LINKS:
        handler, context = DEEP_LINKS[context.argument], replace(context, argument="")
    elif name == "start" and (coded := _coded(context.argument)) is not None:
        handler = coded
    if handler is None:
        await context.say(notices.unknown_command(context.t))
    else:
        await handler(context)
    if name == "start" and context.user.id in context.team:
        await start.welcome_back(context)


def _coded(argument: str) -> Handler | None:
    """What answers a deep link with a code."""
    return next((handler for prefix, handler in CODED_LINKS.items() if argument.startswith(prefix)), None)


async def _handler(context: Context, name: str) -> Handler | None:
    """What a command leads to. That one of the team was refused a command of admins is written."""
    act = commands.ACTS.get(name)
    if act is None or context.may(act):
        return {**COMMANDS, **ADMIN_COMMANDS}.get(name)
    if name not in COMMANDS and context.user.id in context.team:
        await context.deps.database(acts.record, context.actor, Entry(act, refused="role"), context.now)
    return COMMANDS.get(name)


async def button(context: Context, data: str) -> None:
    """Answer a button. A button that is not known any more shows the first screen."""
    in_place = context.pressed and not data.startswith(keyboard.ANEW)
    name, _, argument = data.removeprefix(keyboard.ANEW).partition(":")
    handler = BUTTONS.get(name, start.show_home)
    await handler(replace(context, argument=argument, pressed=in_place))
