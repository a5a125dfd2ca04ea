"""The first screen, the guide and the language."""

from collections.abc import Mapping
from dataclasses import replace

from config.plans import Plans
from config.texts import language_of, translator
from daemon import commands
from daemon.context import Context
from daemon.screens import home, vocabulary
from daemon.screens.operator import admin
from models import users
from models.jobs import sources, usage
from models.jobs.usage import Left
from models.maintenance import health
from models.money import access, credits, payments
from models.money.access import Access


async def start(context: Context) -> None:
    """``/start`` without a known deep link (``t.me/bot?start=plans``), which has a handler of its own."""
    await show_home(context)


async def welcome_back(context: Context) -> None:
    """Show an admin who starts the bot their commands, and have them told what could not reach them before."""
    context.deps.commands.show_to(context.user.id)
    messages = await context.deps.database(health.catch_up, context.user.id, context.now)
    if messages:
        await context.say(admin.caught_up(context.t, messages))
        context.deps.wakeup.wake()


async def show_home(context: Context) -> None:
    """The first screen: the plan, what is left of it, and the ways on."""
    settings = context.deps.settings
    day, plans = usage.day_of(context.now, settings.timezone), context.deps.catalogue.plans
    access_now, left, credit = await context.deps.database(_standing, context.user.id, plans, day, context.now)
    status, name = context.status_of(access_now), context.user.first_name
    screen = home.start(context.t, name, status, left, credit=credit, channel_url=settings.channel_url)
    if context.is_admin and (steps := await _first_steps(context)) is not None:
        screen = replace(screen, text=f"{screen.text}\n\n{admin.first_steps(context.t, steps)}")
    await context.show(screen)


def _standing(user_id: int, plans: Plans, day: str, now: int) -> tuple[Access, Mapping[str, Left], Mapping[str, int]]:
    """What the first screen depends on, in one call: the way to the database's thread costs as much as a query."""
    access_now = access.of(user_id, now)
    return access_now, usage.left(user_id, plans.for_level(access_now.level), day), credits.left(user_id, now)


async def _first_steps(context: Context) -> admin.FirstSteps | None:
    """How far the operator has come; None once they have sold."""
    settings, database = context.deps.settings, context.deps.database
    done = await database(payments.milestones)
    if done.sold:
        return None
    daemon = (await database(health.all)).get("daemon")
    return admin.FirstSteps(
        account=daemon is not None and daemon.detail.get("account") == "ok",
        plans=bool(context.deps.catalogue.plans.on_sale()),
        tested=done.tested,
        support=bool(settings.support_contact),
        paypal=settings.paypal_enabled,
        sources=bool(settings.source_chats) or await database(sources.any_allowed),
        terms=bool(settings.terms_url),
    )


async def guide(context: Context) -> None:
    """``/help``."""
    has_trial = context.deps.catalogue.plans.trial is not None
    await context.show(home.guide(context.t, commands.listing(context.t, context.may, trial=has_trial)))


async def language(context: Context) -> None:
    """``/language``: the choice of languages, or the one just chosen."""
    chosen = vocabulary.language(context.argument)
    if chosen is None or language_of(chosen) != chosen:
        await context.show(home.language(context.t, context.user.language))
        return
    await context.deps.database(users.set_language, context.user.id, chosen, context.now)
    await context.show(home.language(translator(chosen), chosen))


COMMANDS = {"start": start, "help": guide, "language": language}
BUTTONS = {"home": show_home, "help": guide, "language": language}
