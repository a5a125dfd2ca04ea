"""The buttons under the alarm of a lost account: another one takes its place, or is logged in on the console's page."""

from daemon.context import Context
from daemon.handlers import customers
from daemon.screens.operator import accounts as screens
from daemon.screens.operator import console
from models import acts, console_sessions
from models.accounts import pool
from models.errors import NotFound
from models.roles import Act

PAGE = "/console/accounts"


async def use(context: Context) -> None:
    """An account that stands by reads from now on; the links that wait go on. Everybody who runs the shop is told."""
    account = await context.deps.database(pool.get, context.number or 0)
    try:
        await context.deps.database(acts.use_account, context.actor, context.number or 0, context.now)
    except NotFound:
        await context.say(screens.gone(context.t))
        return
    context.deps.wakeup.wake()
    await context.show(screens.chosen(context.t, account.name if account and account.name else f"#{context.number}"))


async def log_in(context: Context) -> None:
    """The way to the page where an account is logged in."""
    url = context.deps.settings.console_url
    if url is None:
        await context.say(console.needs_https(context.t))
        return
    token = await context.deps.database(console_sessions.make_link, context.user.id, context.now)
    await context.say(console.entrance(context.t, url, token, PAGE))


BUTTONS = {
    "account_use": customers.for_team(Act.MANAGE_ACCOUNTS, use),
    "account_login": customers.for_team(Act.MANAGE_ACCOUNTS, log_in),
}
