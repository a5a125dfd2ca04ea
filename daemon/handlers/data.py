"""A customer's stored data, exported and deleted; the operator's backups."""

import io
import json

from daemon.context import Context
from daemon.screens import data
from daemon.telegram.screen import Screen
from models.maintenance import backups, privacy


async def mydata(context: Context) -> None:
    """``/mydata``: all that is stored about the customer, as a file."""
    stored = await context.deps.database(privacy.export, context.user.id)
    file = io.BytesIO(json.dumps(stored, indent=2, ensure_ascii=False).encode())
    await context.deps.sender.send_file(
        context.user.id,
        file,
        name=f"mydata-{context.user.id}.json",
        mime_type="application/json",
        caption=data.exported(context.t),
    )


async def ask_erasure(context: Context) -> None:
    """``/deletemydata``: ask for confirmation."""
    await context.show(data.confirm_erasure(context.t))


async def erase(context: Context) -> None:
    """The button that confirms ``/deletemydata``."""
    if context.argument != "yes":
        await ask_erasure(context)
        return
    await context.deps.database(privacy.erase, context.user.id, context.deps.settings.timezone, context.now)
    context.deps.wakeup.wake()
    await context.show(data.erased(context.t))


async def backup(context: Context, words: list[str]) -> Screen | None:
    """``/backup``: the newest backup, as a file."""
    directory = context.deps.settings.backups
    newest = backups.newest(backups.in_directory(directory), context.now)
    if newest is None:
        return data.no_backup(context.t)
    path = directory / newest.name
    caption = data.backup(context.t, newest, path.stat().st_size, context.now)
    with path.open("rb") as file:
        await context.deps.sender.send_file(
            context.user.id, file, name=newest.name, mime_type="application/gzip", caption=caption
        )
    return None


COMMANDS = {"mydata": mydata, "deletemydata": ask_erasure}
BUTTONS = {"erase": erase}
