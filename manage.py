"""The operator's commands, in the container and on a desk. ``make`` only calls them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import json
import logging
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import asdict, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from config import advice, log_reader
from config.findings import Finding, Grade, ok, title, warn
from config.logging import Redactor
from config.settings import (
    EXIT_CONFIG,
    MISSING_SESSION,
    Application,
    ConfigurationError,
    LogPlace,
    Settings,
    load,
    load_application,
    load_language,
    load_log_place,
    secret_values,
)
from config.texts import Message, Texts, said, translator
from config.version import VERSION

if TYPE_CHECKING:
    from daemon.live_check import TourOptions
    from daemon.telegram.login import Login
    from models.maintenance.legacy_import import Person
    from models.maintenance.restoring import Prepared

SECRETS = {each.name.upper() for each in fields(Settings) if not each.repr}
"""The settings that no representation shows."""
LEVEL_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}
MARKS = {Grade.OK: Message("ok  "), Grade.WARN: Message("WARN"), Grade.FAIL: Message("FAIL")}


class Commands(click.Group):
    """The commands, with their help in the operator's language."""

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        command = super().get_command(context, name)
        if command is not None:
            t = load_language()
            command.help = t.gettext(inspect.cleandoc(str(command.help)))
            for parameter in command.params:
                if isinstance(parameter, click.Option) and parameter.help:
                    parameter.help = t.gettext(parameter.help)
        return command

    def invoke(self, context: click.Context) -> Any:
        """Run the command. Where disk or database refuse what no command expects of them, it ends in a sentence too."""
        try:
            return super().invoke(context)
        except BrokenPipeError:  # whoever reads has had enough
            raise
        except Exception as error:
            from models import database

            if not isinstance(error, (OSError, *database.ERRORS)):
                raise
            raise click.ClickException(said(error, load_language())) from None

    def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        formatter.write_text(load_language().gettext(str(self.help)))


@click.group(cls=Commands, help=__doc__)
@click.version_option(VERSION, prog_name="Peaje")
def cli() -> None:
    # What libraries log is not for this terminal: commands say themselves what went wrong.
    logging.getLogger().addHandler(logging.NullHandler())


@cli.command()
def session() -> None:
    """Log in to Telegram with a phone number and print the session string for .env."""
    logged_in, t = _log_in(), load_language()
    instruction = t.gettext("Logged in as {name}. Put this line into .env, and show it to nobody:", name=logged_in.name)
    click.echo(f"\n{instruction}\n")
    click.echo(f"TELEGRAM_SESSION_STRING={logged_in.session_string}")


@cli.command()
def setup() -> None:
    """Print a new address of the set-up pages. The one before works no more; whoever begins at the new one goes on."""
    from daemon.supervision import first_start

    try:
        settings = load(unfinished=True)
    except ConfigurationError as error:
        _refuse(error)
    address = first_start.again(settings)
    if address is None:
        t = translator(settings.language)
        raise click.ClickException(t.gettext("set-up is not open: set SETUP_CODE, and start the launcher anew"))
    click.echo(address)


def _log_in() -> Login:
    """A session of an account that the operator logs in to now."""
    # Each command imports what it needs itself, so that no other command waits for it.
    from daemon.telegram import login
    from daemon.telegram.errors import LoginFailed

    application, t = _application(), load_language()
    try:
        return asyncio.run(login.log_in(application, login.Dialogue(ask=_ask, tell=click.echo, texts=t)))
    except click.Abort:
        click.echo()
        raise click.ClickException(t.gettext("not logged in: nothing was changed")) from None
    except LoginFailed as error:
        raise click.ClickException(str(error)) from None


@cli.command()
@click.option("--offline", is_flag=True, help="Ask neither Telegram nor PayPal.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(offline: bool, as_json: bool) -> None:
    """Check what the programs need, and say what to do. Exits with 1 when something is wrong."""
    settings = _settings()
    _need_account(settings)
    redactor = Redactor(secret_values(settings))
    findings = [replace(finding, text=redactor.text(finding.text)) for finding in _examine(settings, offline)]
    if as_json:
        click.echo(_as_json(findings))
    else:
        for finding in findings:
            _show(finding)
    _end_with(findings)


@cli.command("logs")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("--customer", metavar="WHO", help="Only of this customer: an id, or an @name.")
@click.option("--job", type=int, help="Only of the job with this number.")
@click.option("--program", help="Only of this program: daemon, web, upkeep, launcher, watchdog, supervisord.")
@click.option(
    "--level", type=click.Choice(log_reader.LEVELS), default="info", show_default=True, help="This grave or graver."
)
@click.option("--since", metavar="WHEN", help="Not older than 90m, 2h or 3d, or since 14:00 or 2026-11-30 14:00.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="How many, the newest; 0: all.",
)
def logs(follow: bool, customer: str | None, lines: int, **options: Any) -> None:
    """Read the log: all programs, by time, in local time."""
    place, t = load_log_place(), load_language()
    if not place.logs.is_dir():
        raise click.ClickException(
            t.gettext("there is no log in {path}: have the programs run on this DB_PATH?", path=place.logs)
        )
    with log_reader.Log(place.logs) as log, contextlib.suppress(KeyboardInterrupt):
        wanted = log_reader.Wanted(
            customer=_customer_id(customer, place, t) if customer else None,
            job=options["job"],
            level=options["level"],
            program=_program(options["program"], log, t),
            since=_since(options["since"], place, t),
        )
        found = log.newest(wanted, lines)
        if not found:
            _warn(t.gettext("Nothing in the log fits."))
        for entry in itertools.chain(found, log.follow(wanted) if follow else ()):
            _print_entry(log_reader.say(entry, place.timezone, t))


def _print_entry(shown: log_reader.Said) -> None:
    """Print an entry of the log, in colours where a terminal shows it."""
    colour = LEVEL_COLOURS.get(shown.level)
    mark = click.style(f"{shown.mark:5}", fg=colour, bold=True)
    line = f"{click.style(shown.time, dim=True)}  {click.style(f'{shown.program:11}', fg='cyan')}  {mark}"
    click.echo(f"{line}  {click.style(shown.message, fg=colour, bold=True)}  {shown.fields}".rstrip())
    if shown.trace:
        click.echo(click.style(shown.trace, dim=True), nl=False)


def _program(name: str | None, log: log_reader.Log, t: Texts) -> str | None:
    known = ", ".join(log.programs())
    if name is not None and name not in log.programs():
        raise click.ClickException(t.gettext("{program} has no log; {known} have", program=name, known=known))
    return name


def _since(text: str | None, place: LogPlace, t: Texts) -> datetime | None:
    if text is None:
        return None
    try:
        return log_reader.moment(text, datetime.now(place.timezone).astimezone(place.timezone))
    except ValueError:
        raise click.ClickException(
            t.gettext("{text} is neither a span, such as 2h, nor a time, such as 14:00 or 2026-11-30 14:00", text=text)
        ) from None


def _customer_id(who: str, place: LogPlace, t: Texts) -> int:
    """The customer's id, looked up where *who* is a name."""
    from models import database, users

    if who.isdecimal():
        return int(who)
    found = None
    if place.database_file.exists():
        database.open_database(place.database_file)
        try:
            found = users.find(who)
        finally:
            database.close_database()
    if found is None:
        raise click.ClickException(t.gettext("nobody called {who} has written to the bot: take the id", who=who))
    return found.id


@cli.command("live-check")
@click.option("--link", "links", multiple=True, help="A post to have delivered and compared; as often as you like.")
@click.option("--bot", help="The bot's @name, where it is not to be read from the database.")
@click.option("--plan", default="premium", show_default=True, help="The plan to buy.")
@click.option("--pay-stars", is_flag=True, help="Pay the invoice, with real Stars where Telegram is the real one.")
@click.option("--pay-paypal", is_flag=True, help="Wait until you have approved the payment in a browser.")
@click.option("--patience", default=120.0, show_default=True, help="Seconds for a delivery.")
@click.option("--approval", default=300.0, show_default=True, help="Seconds for your approval at PayPal.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write what was found there, as JSON.")
@click.option("--session-string", envvar="LIVE_CHECK_SESSION_STRING", help="Of the account that plays the customer.")
def live_check(bot: str | None, report: Path | None, session_string: str | None, **options: Any) -> None:
    """Go through the running bot as a customer, on the Telegram and PayPal that the settings lead to.

    Takes an account of yours that is not the reading one: its session in LIVE_CHECK_SESSION_STRING, else you are asked
    to log in. For Telegram's test data centre set TELEGRAM_ENDPOINT, for these programs and for the bot's.
    """
    from daemon.live_check import TourOptions

    settings = _settings()
    session_string = _log_in().session_string if session_string is None else session_string
    redactor = Redactor([*secret_values(settings), session_string])
    tour = TourOptions(
        links=options["links"],
        plan=options["plan"],
        pay_stars=options["pay_stars"],
        pay_paypal=options["pay_paypal"],
        patience_s=options["patience"],
        approval_s=options["approval"],
    )
    name = bot or _bot_name(settings)

    async def check() -> list[Finding]:
        found = []
        async for finding in _live_check(settings, session_string, name, tour):
            found.append(replace(finding, text=redactor.text(finding.text)))
            _show(found[-1])
        return found

    findings = asyncio.run(check())
    if report is not None:
        report.write_text(_as_json(findings) + "\n")
    _end_with(findings)


async def _live_check(settings: Settings, session_string: str, bot: str, tour: TourOptions) -> AsyncIterator[Finding]:
    """What the health page says, then each step of the tour through the bot."""
    import daemon.live_check
    import web.live_check

    async def open_page(address: str) -> tuple[Finding, bool]:
        finding, approval = await asyncio.to_thread(web.live_check.open_page, address)
        if approval and tour.pay_paypal:
            click.echo(f"      approve within {tour.approval_s:.0f} s: {approval}")
        return finding, approval is not None

    yield web.live_check.health(settings)
    async for finding in daemon.live_check.tour(settings, session_string, bot, tour, open_page):
        yield finding


def _bot_name(settings: Settings) -> str:
    """The bot's name, as the daemon has noted it."""
    from models import database, notes

    noted = None
    if settings.database_file.exists():
        database.open_database(settings.database_file)
        try:
            noted = notes.get("bot")
        finally:
            database.close_database()
    if not noted:
        raise click.ClickException(
            load_language().gettext("the bot has not run on this DB_PATH yet: start it, or name it with --bot")
        )
    return str(noted["username"])


def _show(finding: Finding) -> None:
    t = load_language()
    click.echo(f"{MARKS[finding.grade].said_in(t)}  {title(finding.part, t)}: {finding.text}")


def _as_json(findings: list[Finding]) -> str:
    return json.dumps({"ok": _is_well(findings), "findings": [asdict(one) for one in findings]}, indent=2)


def _is_well(findings: list[Finding]) -> bool:
    return all(finding.grade is not Grade.FAIL for finding in findings)


def _end_with(findings: list[Finding]) -> None:
    """Exit with 1 when something is wrong."""
    if not _is_well(findings):
        raise click.exceptions.Exit(1)


def _examine(settings: Settings, offline: bool) -> Iterator[Finding]:
    """What every part's doctor finds."""
    import daemon.doctor
    import models.maintenance.doctor
    import web.doctor
    from models import catalogue

    t, running = translator(settings.language), models.maintenance.doctor.is_running(settings)
    yield ok("settings", t.gettext("can be read"))
    for warning in settings.warnings:
        yield warn("settings", warning)
    yield from advice.about_settings(settings, t)
    plans, said = catalogue.examine(settings, t)
    yield said
    yield from models.maintenance.doctor.examine(settings, t)
    yield from daemon.doctor.examine(settings, plans, t, running, offline=offline)
    yield from web.doctor.examine(settings, catalogue.Catalogue(plans), t, running, offline=offline)


@cli.command()
def backup() -> None:
    """Make a backup now, while the programs run, and print its file."""
    from models import database
    from models.errors import BackupError
    from models.maintenance import backups

    settings, t = _settings(), load_language()
    with _failing_with(BackupError, OSError, *database.ERRORS, subprocess.TimeoutExpired):
        made = backups.make(settings, int(time.time()))
    click.echo(made.file)
    _warn(_carried_by_hand(settings))
    for contradiction in made.contradictions:
        _warn(t.gettext("The ledger does not add up, `doctor` says more: {contradiction}", contradiction=contradiction))


def _carried_by_hand(settings: Settings) -> str:
    """What a new server needs besides the backup."""
    from models.maintenance import bundles

    t = load_language()
    held, given = bundles.held(settings.db_path), ", ".join(sorted(SECRETS & settings.given))
    if not settings.backup_passphrase:
        given = ", ".join(filter(None, (*held, given)))
        return t.gettext("It is not sealed, so it holds no secret. Carry by hand: {names}", names=given)
    taken = ", ".join(("peaje.db", *held))
    return t.gettext("It holds {files}. Carry by hand: {names}", files=taken, names=given or "BACKUP_PASSPHRASE")


@cli.command()
@click.argument("source", metavar="FROM")
@click.option("--unsealed", is_flag=True, help="Take an unencrypted backup although BACKUP_PASSPHRASE is set.")
def restore(source: str, unsealed: bool) -> None:
    """Put a backup in the place of the database: FROM is a file, the name of a backup, or "latest".

    The programs are stopped for it and started again. Payments made since come back from PayPal and Telegram.

    While BACKUP_PASSPHRASE is set, only backups that are sealed with it are restored: whoever can write into the bucket
    could otherwise hand you a database of their own. --unsealed takes one that you made before you set it.
    """
    # What set-up asks for may be missing: a sealed backup brings it.
    from models.errors import SchemaTooNew
    from models.maintenance import encryption, restoring
    from web.upkeep import backup_job

    settings, now, t = _settings(unfinished=True), int(time.time()), load_language()
    with contextlib.ExitStack() as stack:
        with _failing_with(*backup_job.FAILURES, SchemaTooNew, before=t.gettext("nothing was changed")):
            workshop = stack.enter_context(restoring.workshop(settings))
            packed, prepared = backup_job.prepare(
                settings, source, workshop, now, tell=lambda note: _warn(note.said_in(t)), unsealed=unsealed
            )
            is_sealed = encryption.is_sealed(packed)
        click.echo(
            t.gettext(
                "The backup is good. The programs, where they run, are stopped for a moment: up to half a minute."
            )
        )
        aside, running = _exchange(settings, prepared, now)
    made = f"{datetime.fromtimestamp(prepared.made_at, settings.timezone):%Y-%m-%d %H:%M %Z}"
    click.echo(t.gettext("Restored {backup}, the state of {time}.", backup=packed.name, time=made))
    if not is_sealed:
        click.echo(t.gettext("It was not sealed: it brought no secret, and accounts may have to be logged in anew."))
    if aside:
        click.echo(
            t.gettext("The database that was there is now {file}. Delete it when nothing is missing.", file=aside)
        )
    click.echo(
        t.gettext(
            "The programs run again, what was paid since then comes back: Stars within a minute, PayPal as its list "
            "shows it."
        )
        if running
        else t.gettext(
            "As soon as the programs run, what was paid since then comes back: Stars within a minute, PayPal as its "
            "list shows it."
        )
    )


def _exchange(settings: Settings, prepared: Prepared, now: int) -> tuple[Path | None, bool]:
    """Put the prepared database in place; returns where the old one is now, and whether the programs run again."""
    from daemon.supervision import programs
    from models.errors import BackupError
    from models.maintenance import restoring

    try:
        with _failing_with(BackupError, programs.ControlFailed, OSError):
            with programs.stopped_programs(settings.db_path) as running:
                aside = restoring.exchange(settings, prepared, now)
            return aside, running
    finally:
        restoring.discard(prepared.file)


@cli.command("import")
@click.argument("source", metavar="FROM", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--apply", is_flag=True, help="Do it. Without this, only show what would be done.")
@click.option("--timezone", default="UTC", help="Of times in it that name none. Default: UTC, as in a container.")
def import_(source: Path, apply: bool, timezone: str) -> None:
    """Take over the customers of the former bot: FROM is its users.db. Doing it again doubles nothing."""
    from models import database
    from models.errors import BackupError, SchemaTooNew
    from models.maintenance import backups, legacy_import

    settings, now = _settings(), int(time.time())
    is_new = not settings.database_file.exists()
    if is_new and backups.in_directory(settings.backups):
        raise click.ClickException(
            load_language().gettext("the database is gone, but it has backups: first `python manage.py restore latest`")
        )
    with tempfile.TemporaryDirectory(prefix="peaje-import-") as nowhere:
        file = Path(nowhere) / "peaje.db" if is_new and not apply else settings.database_file
        ours = (legacy_import.NotTheSeeds, BackupError, SchemaTooNew, *database.ERRORS)
        with _failing_with(*ours, ZoneInfoNotFoundError, ValueError, OSError, subprocess.TimeoutExpired):
            former = legacy_import.read(source, ZoneInfo(timezone), settings.timezone, now)
            _prepare_import(settings, file, now, may_migrate=apply or is_new)
        done = _take_over(former.persons, apply, now)
    for line in legacy_import.report(done, former.faults, apply, timezone, load_language()):
        click.echo(line)


def _prepare_import(settings: Settings, file: Path, now: int, *, may_migrate: bool) -> None:
    """Open the database that the import goes into, after a backup and the migrations that it lacks."""
    from models import database
    from models.maintenance import backups

    file.parent.mkdir(parents=True, exist_ok=True)
    if not may_migrate and database.pending(file):
        raise click.ClickException(
            load_language().gettext("the database is of an older version: start the programs of this one first")
        )
    database.migrate(file, lambda name: backups.make(settings, now, before=name))
    database.open_database(file)


def _take_over(persons: Iterable[Person], apply: bool, now: int) -> Counter[str]:
    """Import the customers, or only say what that would do; closes the database."""
    import peewee

    from models import database
    from models.maintenance import legacy_import

    t = load_language()
    unfinished = (
        t.gettext("not all were taken over; doing it again doubles nothing")
        if apply
        else t.gettext("nothing was changed")
    )
    try:
        with _failing_with(peewee.DatabaseError, before=unfinished):
            work = legacy_import.take_over if apply else legacy_import.changes
            return legacy_import.summary(work(persons, now))
    finally:
        database.close_database()


@contextlib.contextmanager
def _failing_with(*errors: type[Exception], before: str = "") -> Iterator[None]:
    """Turn *errors* into the command's own message, with the text *before* it, and exit code 1."""
    try:
        yield
    except errors as error:
        text = said(error, load_language())
        raise click.ClickException(f"{before}: {text}" if before else text) from None


def _ask(question: str, hidden: bool) -> str:
    answer: str = click.prompt(question, hide_input=hidden)
    return answer


def _warn(text: str) -> None:
    click.echo(text, err=True)


def _settings(*, unfinished: bool = False) -> Settings:
    try:
        return load(unfinished=unfinished)
    except ConfigurationError as error:
        _refuse(error)


def _need_account(settings: Settings) -> None:
    """End where there is no account to read with: neither in the settings nor in the database."""
    from models.accounts import pool

    if pool.is_missing(settings):
        missing = MISSING_SESSION.said_in(translator(settings.language))
        _refuse(ConfigurationError([missing], settings.warnings))


def _application() -> Application:
    try:
        return load_application()
    except ConfigurationError as error:
        _refuse(error)


def _refuse(error: ConfigurationError) -> NoReturn:
    t = load_language()
    for grade, lines in ((Grade.WARN, error.warnings), (Grade.FAIL, error.faults)):
        for line in lines:
            click.echo(f"{MARKS[grade].said_in(t)}  {line}", err=True)
    if _is_not_set_up():
        said = t.gettext(
            "Nothing is set up yet. Start the programs: they show an address that asks for all of it in a browser."
        )
        click.echo(said, err=True)
    raise click.exceptions.Exit(EXIT_CONFIG)


def _is_not_set_up() -> bool:
    """Whether a start would open set-up, which asks for what is missing."""
    from models import database
    from models.setup import opening

    try:
        return opening.is_wanted(load(unfinished=True))
    except (ConfigurationError, *database.ERRORS):
        return False


if __name__ == "__main__":
    cli()
