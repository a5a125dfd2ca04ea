"""Bringing others: a customer's invitation, and who comes by one."""

from daemon.context import Context
from daemon.handlers import start
from daemon.screens import referrals as screens
from models.promotion import referrals
from models.promotion.referrals import Arrival

PREFIX = "i_"
"""Of the argument of ``/start`` behind which the code of an invitation stands."""


async def invite(context: Context) -> None:
    """``/invite``: the link, what it brings to both, who came, and what was earned."""
    terms = context.deps.catalogue.plans.referral
    if terms is None:
        await context.show(screens.none_here(context.t))
        return
    standing = await context.deps.database(referrals.standing, context.user.id, context.now)
    link = f"https://t.me/{context.deps.sender.bot_name}?start={PREFIX}{standing.code}"
    await context.show(screens.invitation(context.t, standing, terms, link))


async def arrive(context: Context) -> None:
    """``/start`` by somebody's invitation, whose code is the argument; then the first screen."""
    terms, settings = context.deps.catalogue.plans.referral, context.deps.settings
    arrival = Arrival.UNKNOWN
    if terms is not None:
        code, secret = context.argument.removeprefix(PREFIX), settings.secret_key
        arrival = await context.deps.database(
            referrals.bring, code, context.user.id, terms, secret_key=secret, now=context.now
        )
    if terms is not None and (screen := screens.arrived(context.t, arrival, terms)) is not None:
        await context.say(screen)
    await start.show_home(context)


COMMANDS = {"invite": invite}
BUTTONS = {"invite": invite}
