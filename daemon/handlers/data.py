"""A customer's stored data, exported and deleted; the operator's backups."""

from daemon.context import Context
from daemon.screens import data
from daemon.telegram.screen import Screen
from models import acts
from models.maintenance import backups, privacy


async def mydata(context: Context) -> None:
    """``/mydata``: all that is stored about the customer, as a file, which is made beside everything else."""
    exports = context.deps.exports
    if wait := exports.wait(context.user.id):
        await context.show(data.exported_often(context.t, wait))
    elif await exports.ask(context.user.id, context.now):
        await context.show(data.collecting(context.t))


async def ask_erasure(context: Context) -> None:
    """``/deletemydata``: ask for confirmation."""
    await context.show(data.confirm_erasure(context.t))


async def erase(context: Context) -> None:
    """The button that confirms ``/deletemydata``."""
    if context.argument != "yes":
        await ask_erasure(context)
        return
    settings = context.deps.settings
    is_gone = await context.deps.database(
        privacy.erase, context.user.id, settings.timezone, context.now, secret_key=settings.secret_key
    )
    context.deps.wakeup.wake()
    await context.show(data.erased(context.t) if is_gone else data.erasing(context.t))


async def backup(context: Context, words: list[str]) -> Screen | None:
    """``/backup``: the newest backup, as a file, if it is encrypted: whoever finds a plain one has the whole shop."""
    directory = context.deps.settings.backups
    newest = backups.newest(backups.in_directory(directory), context.now)
    if newest is None:
        return data.no_backup(context.t)
    if not await context.deps.database(acts.fetch_backup, context.actor, newest, context.now):
        return data.unsealed(context.t)
    path = directory / newest.name
    caption = data.backup(context.t, newest, path.stat().st_size, context.now)
    with path.open("rb") as file:
        await context.deps.sender.send_file(
            context.user.id, file, name=newest.name, mime_type="application/gzip", caption=caption
        )
    return None


COMMANDS = {"mydata": mydata, "deletemydata": ask_erasure}
BUTTONS = {"erase": erase}
