"""The way into the console from the chat: its button, its one-time link, and the end of all sessions."""

from daemon.context import Context, now
from daemon.deps import Deps
from daemon.handlers import admin, customers
from daemon.screens.operator import console as screens
from daemon.telegram.screen import Screen
from models import acts, console_sessions
from models.event_kinds import ConsoleAsked
from models.outbox import EventInfo
from models.roles import Act, Team


async def console(context: Context, words: list[str]) -> Screen:
    """``/console``: a button that opens it here, and a link for a browser."""
    url = context.deps.settings.console_url
    if url is None:
        return screens.needs_https(context.t)
    token = await context.deps.database(console_sessions.make_link, context.user.id, context.now)
    return screens.entrance(context.t, url, token)


async def end_sessions(context: Context) -> None:
    """The button of the log-in notice: it was not them."""
    ended = await context.deps.database(acts.end_sessions, context.actor, context.now)
    await context.show(screens.ended(context.t, ended))


async def undo_shop(context: Context) -> None:
    """The button under a deep cut of prices: what held before holds again, where nothing has replaced it since."""
    is_undone = await context.deps.database(acts.undo_shop, context.actor, context.number or 0, context.now)
    context.deps.wakeup.wake()
    await context.show(screens.undone(context.t) if is_undone else screens.over(context.t))


async def send_link(deps: Deps, event: EventInfo) -> None:
    """Send a link that somebody asked for in the console. Sent twice, it is one message, whose link is the first."""
    user_id, url = event.user_id, deps.settings.console_url
    if user_id is None or url is None or user_id not in Team.of(deps.settings):
        return
    token = await deps.database(console_sessions.make_link, user_id, now())
    path = event.read(ConsoleAsked).path
    await deps.notifier.send(
        user_id,
        lambda t: screens.entrance(t, url, token, path),
        random_id=event.random_id,
        longest_flood=0,
    )


COMMANDS = {"console": admin.command("console", console)}
BUTTONS = {
    "console_end": customers.for_team(Act.END_SESSION, end_sessions),
    "plans_undo": customers.for_team(Act.EDIT_SHOP, undo_shop),
}
