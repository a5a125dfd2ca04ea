"""The first screen, the guide and the language."""

from config.texts import LANGUAGES, translator
from daemon import commands
from daemon.context import Context
from daemon.screens import home
from models import users
from models.jobs import usage


async def start(turn: Context) -> None:
    """``/start``; the router has followed a deep link (``t.me/bot?start=plans``) where it knows one."""
    await show_home(turn)
    if turn.is_admin:
        await commands.register_admin(turn.service.bot, turn.user.id)


async def show_home(turn: Context) -> None:
    """Plan, what is left, how to go on."""
    settings = turn.service.settings
    access = await turn.access()
    plan = turn.service.plans.for_level(access.level)
    left = await turn.service.calls(usage.left, turn.user.id, plan, usage.day_of(turn.now, settings.timezone))
    await turn.show(
        home.start(
            turn.t,
            turn.user.first_name,
            plan,
            access,
            left,
            now=turn.now,
            timezone=settings.timezone,
            channel_url=settings.channel_url,
        )
    )


async def guide(turn: Context) -> None:
    """``/help``."""
    await turn.show(home.guide(turn.t, commands.listing(turn.t)))


async def language(turn: Context) -> None:
    """``/language``: the choice, or what was chosen."""
    chosen = turn.argument.strip().lower()
    if chosen not in LANGUAGES:
        await turn.show(home.language(turn.t, turn.user.language))
        return
    await turn.service.calls(users.set_language, turn.user.id, chosen, turn.now)
    await turn.show(home.language(translator(chosen), chosen))


COMMANDS = {"start": start, "help": guide, "language": language}
BUTTONS = {"home": show_home, "help": guide, "language": language}
