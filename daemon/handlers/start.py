"""The first screen, the guide and the language."""

from config.texts import translator
from daemon import commands
from daemon.context import Context
from daemon.screens import home, vocabulary
from models import users
from models.jobs import usage


async def start(context: Context) -> None:
    """``/start`` without a known deep link (``t.me/bot?start=plans``), which has a handler of its own."""
    await show_home(context)
    if context.is_admin:
        context.deps.commands.show_to(context.user.id)


async def show_home(context: Context) -> None:
    """The first screen: the plan, what is left of it, and the ways on."""
    settings = context.deps.settings
    status = await context.plan_status()
    day = usage.day_of(context.now, settings.timezone)
    left = await context.deps.database(usage.left, context.user.id, status.plan, day)
    await context.show(home.start(context.t, context.user.first_name, status, left, channel_url=settings.channel_url))


async def guide(context: Context) -> None:
    """``/help``."""
    await context.show(home.guide(context.t, commands.listing(context.t)))


async def language(context: Context) -> None:
    """``/language``: the choice of languages, or the one just chosen."""
    chosen = vocabulary.language(context.argument)
    if chosen is None:
        await context.show(home.language(context.t, context.user.language))
        return
    await context.deps.database(users.set_language, context.user.id, chosen, context.now)
    await context.show(home.language(translator(chosen), chosen))


COMMANDS = {"start": start, "help": guide, "language": language}
BUTTONS = {"home": show_home, "help": guide, "language": language}
