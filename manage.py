"""The operator's commands, in the container and on a desk alike. ``make`` only calls them."""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass
from typing import NoReturn

import click
import peewee

from config.money import STARS_RULE
from config.settings import EXIT_CONFIG, ConfigurationError, Settings, load, load_application
from models import database, health

DISK_FREE = 256 * 1024 * 1024
BEAT_STALE_S = 45


@click.group(help=__doc__)
def cli() -> None:
    pass


@cli.command()
def session() -> None:
    """Log in to Telegram with a phone number and print the session string for .env."""
    # Imported here, so that other commands need not wait for the library.
    from pyrogram.errors import RPCError

    from daemon import login
    from daemon.errors import DaemonError

    try:
        logged_in = asyncio.run(login.log_in(load_application(), _ask))
    except ConfigurationError as error:
        _refuse(error)
    except (RPCError, DaemonError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"\nLogged in as {logged_in.name}. Put this line into .env, and show it to nobody:\n")
    click.echo(f"TELEGRAM_SESSION_STRING={logged_in.session_string}")


@cli.command()
def doctor() -> None:
    """Check what the programs need, and say what to do. Exits with 1 when something is wrong."""
    try:
        settings = load()
    except ConfigurationError as error:
        _refuse(error)
    findings = [Finding(True, "settings and plans", "good"), *_examine(settings)]
    for finding in findings:
        click.echo(f"{'ok  ' if finding.good else 'FAIL'}  {finding.part}: {finding.text}")
    if not all(finding.good for finding in findings):
        raise click.exceptions.Exit(1)


@dataclass(frozen=True)
class Finding:
    """How one part is, and what to do where it is not good."""

    good: bool
    part: str
    text: str


def _examine(settings: Settings) -> list[Finding]:
    return [_disk(settings), _paypal(settings), *_programs(settings, int(time.time()))]


def _disk(settings: Settings) -> Finding:
    place = settings.db_path if settings.db_path.exists() else settings.db_path.parent
    free = shutil.disk_usage(place).free
    advice = "" if free >= DISK_FREE else ": make room, a full disk stops sales"
    return Finding(free >= DISK_FREE, "disk", f"{free // 1024**2} MiB free at {place}{advice}")


def _paypal(settings: Settings) -> Finding:
    if settings.paypal_client_id and not settings.backend_url:
        return Finding(False, "PayPal", "does not sell: set BACKEND_URL, where customers come back to")
    sells = f"sells ({settings.paypal_mode}). {STARS_RULE}"
    return Finding(True, "PayPal", sells if settings.paypal_enabled else "off: Stars only")


def _programs(settings: Settings, now: int) -> list[Finding]:
    """What the programs last said. Looks from beside them: nothing here logs in or opens the account's session."""
    if not settings.database_file.exists():
        return [Finding(True, "database", "not there yet: the first start makes it")]
    try:
        database.open_database(settings.database_file)
        beats = health.all()
    except peewee.DatabaseError as error:
        return [Finding(False, "database", f"{error}: stop the programs and restore a backup")]
    finally:
        database.close_database()
    silent = {name: now - beat.at for name, beat in beats.items() if now - beat.at > BEAT_STALE_S}
    missing = [
        Finding(False, name, f"no sign of life for {age} s: see `supervisorctl status` and {settings.logs}/{name}.log")
        for name, age in silent.items()
    ]
    alive = [Finding(True, name, "alive") for name in beats.keys() - silent.keys()]
    return [Finding(True, "database", f"readable at {settings.database_file}"), *sorted(alive + missing, key=_part)]


def _part(finding: Finding) -> str:
    return finding.part


def _ask(question: str, hidden: bool) -> str:
    answer: str = click.prompt(question, hide_input=hidden)
    return answer


def _refuse(error: ConfigurationError) -> NoReturn:
    for fault in error.faults:
        click.echo(f"FAIL  {fault}", err=True)
    raise click.exceptions.Exit(EXIT_CONFIG)


if __name__ == "__main__":
    cli()
