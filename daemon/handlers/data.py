"""A customer's own data, to be seen and to be deleted; the operator's backups."""

import io
import json

from daemon.context import Context
from daemon.screens import data
from daemon.telegram.screen import Screen
from models.maintenance import backups, privacy


async def mydata(turn: Context) -> None:
    """``/mydata``: all that is stored about the customer, as a file."""
    stored = await turn.service.calls(privacy.export, turn.user.id)
    file = io.BytesIO(json.dumps(stored, indent=2, ensure_ascii=False).encode())
    await turn.service.outgoing.send_file(
        turn.user.id, f"mydata-{turn.user.id}.json", "application/json", file, data.exported(turn.t)
    )


async def ask_erasure(turn: Context) -> None:
    """``/deletemydata``: asks first."""
    await turn.show(data.confirm_erasure(turn.t))


async def erase(turn: Context) -> None:
    """The button under that question."""
    if turn.argument != "yes":
        await ask_erasure(turn)
        return
    await turn.service.calls(privacy.erase, turn.user.id, turn.service.settings.timezone, turn.now)
    turn.service.bell.ring()
    await turn.show(data.erased(turn.t))


async def backup(turn: Context, words: list[str]) -> Screen | None:
    """``/backup``: the newest backup, as a file."""
    directory = turn.service.settings.backups
    newest = backups.newest(backups.in_directory(directory), turn.now)
    if newest is None:
        return data.no_backup(turn.t)
    path = directory / newest.name
    words_below = data.backup(turn.t, newest, path.stat().st_size, turn.now)
    with path.open("rb") as file:
        await turn.service.outgoing.send_file(turn.user.id, newest.name, "application/gzip", file, words_below)
    return None


COMMANDS = {"mydata": mydata, "deletemydata": ask_erasure}
BUTTONS = {"erase": erase}
