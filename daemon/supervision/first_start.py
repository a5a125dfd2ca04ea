"""Set-up under the launcher: whether it is to run, the address under which it is reached, and what follows it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator

import click

from config import settings as reading
from config.settings import ConfigurationError, Settings
from config.texts import translator
from daemon.supervision import programs
from models import database
from models.maintenance import restoring
from models.setup import opening

CONFIG = "supervisord-setup.conf"
"""Beside ``supervisord.conf``: what runs meanwhile."""


def is_wanted() -> bool:
    """Whether set-up is to run in place of the shop. A backup that it has left is put in place before.

    Settings that cannot be used say so when they are read, and so does a database.

    :raises OSError: the backup cannot be put in place (also BackupError, and the database's errors). It stays there for
        the next start: nobody is to find an empty shop instead.
    """
    try:
        settings = reading.load(unfinished=True)
    except ConfigurationError:
        return False
    is_other = _take_staged(settings)
    try:
        return opening.is_wanted(reading.load(unfinished=True) if is_other else settings)
    except (ConfigurationError, *database.ERRORS):
        return False


def _take_staged(settings: Settings) -> bool:
    """Put a backup in place that set-up has left, unless another launcher runs."""
    if not (settings.db_path / restoring.STAGED).is_dir():
        return False
    with (settings.db_path / programs.LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return restoring.take_staged(settings, int(time.time()))


def announce(settings: Settings) -> None:
    """Make a new address and show it on the console. It is in no log: whoever reads it may set the shop up."""
    shown = {"level": "info", "process": "launcher", "message": said(settings, settings.setup_code)}
    click.echo(json.dumps(shown, ensure_ascii=False))


def again(settings: Settings) -> str | None:
    """A new address while set-up runs, in a sentence; None where it does not run.

    It is not made of ``SETUP_CODE``, at which somebody may have begun.
    """
    if not settings.database_file.exists():
        return None
    with _opened(settings):
        is_open = opening.is_under_way()
    return said(settings, None) if is_open else None


def close(settings: Settings) -> None:
    """Let a set-up that was not finished be over, because the shop starts: nothing of it stays, and nobody goes on."""
    with _opened(settings):
        opening.close(int(time.time()))
    restoring.forget_brought(settings)


def said(settings: Settings, code: str | None) -> str:
    """A new address, in a sentence; a secret that the operator has chosen, *code*, is not repeated."""
    t = translator(settings.language)
    with _opened(settings):
        secret = opening.open_address(code, int(time.time()))
    place = f"{settings.backend_url or f'http://127.0.0.1:{settings.port}'}/setup/"
    if code is not None:
        return t.gettext("Set the shop up within 24 hours: open {place} followed by your SETUP_CODE.", place=place)
    return t.gettext("Set the shop up within 24 hours: open {address}", address=f"{place}{secret}")


@contextlib.contextmanager
def _opened(settings: Settings) -> Iterator[None]:
    database.open_database(settings.database_file)
    try:
        yield
    finally:
        database.close_database()


def is_to_begin_anew(settings: Settings) -> bool:
    """Whether set-up is over, and everything is to start with what was set."""
    return (programs.runtime_directory(settings.db_path) / programs.ANEW).exists()
