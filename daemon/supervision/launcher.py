"""The launcher (``python -m daemon.supervision``): checks settings, prepares ``DB_PATH``, then becomes supervisord.

Where nothing is set up yet, supervisord runs set-up (:mod:`daemon.supervision.first_start`); when that is over, the
launcher executes itself anew.

In the container it is process 1. It checks first, because supervisord would restart a program that ends at once over
and over. supervisord runs in the same process (:mod:`daemon.supervision.supervisor`), so that signals and orphans reach
their handlers and the watchdog is watched too.
"""

from __future__ import annotations

import fcntl
import logging
import os
import pwd
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from config import advice, plans, port, program
from config import logging as log
from config.kept import draft
from config.settings import (
    EXIT_AWAY,
    EXIT_CONFIG,
    EXIT_GAVE_UP,
    EXIT_OK,
    MISSING_SESSION,
    PROJECT,
    Settings,
    load_language,
    load_log_place,
)
from config.texts import Message, said, translator
from daemon.supervision import first_start, programs, supervisor
from models import catalogue, database
from models.accounts import pool
from models.errors import BackupError, SchemaTooNew
from models.maintenance import backups, integrity, restoring

CONTAINER_USER = "peaje"

logger = logging.getLogger("daemon.supervision.launcher")


@click.command(help="Start all programs under supervisord and stay until they are stopped.")
@click.option("--check", is_flag=True, help="Only check the settings and the plans.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=PROJECT / "supervisord.conf",
    help="supervisord's configuration.",
)
def main(check: bool, config: Path) -> None:
    """Exits with 0 after SIGTERM, 70 after giving up, 75 when ``DB_PATH`` is in use, 78 for configuration faults."""
    signal.signal(signal.SIGTERM, supervisor.stop)
    os.umask(0o077)
    given = dict(os.environ)
    # supervisord opens our output again for the programs, to append: with `> file` we must not overwrite their lines.
    fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND)
    is_setup = not check and _is_setup_wanted()
    if is_setup:
        os.environ[program.SETUP] = "1"
        config = config.with_name(first_start.CONFIG)
    settings = program.begin("launcher")
    if check:
        if faults := plans.faults_of(settings.plans_file, translator(settings.language)):
            program.refuse(faults)
        _need_account(settings)
        logger.info("settings.accepted")
        sys.exit(EXIT_OK)
    if not is_setup:
        _need_account(settings)
    code = launch(settings, config, is_setup=is_setup)
    if is_setup and first_start.is_to_begin_anew(settings):
        logger.info("launcher.restarting")
        program.execute_anew(given)
    sys.exit(code)


def _is_setup_wanted() -> bool:
    """Whether set-up runs. Ends the process where a backup that it has left cannot be put in place."""
    try:
        return first_start.is_wanted()
    except (OSError, *database.ERRORS, BackupError) as error:
        log.setup(None, "launcher")
        t, path = load_language(), load_log_place().db_path
        logger.error("%s", t.gettext("cannot start on {path}: {error}", path=path, error=said(error, t)))
        sys.exit(EXIT_GAVE_UP)


def _need_account(settings: Settings) -> None:
    """End the process with ``EXIT_CONFIG`` where there is no account to read with, nor ever was one."""
    if pool.is_missing(settings):
        program.refuse([MISSING_SESSION.said_in(translator(settings.language))])


def launch(settings: Settings, config: Path, *, is_setup: bool = False) -> int:
    """Prepare, run supervisord until it ends, and return the exit code."""
    t, user = translator(settings.language), _user()
    if user is None:
        unknown = t.gettext(
            "user id {uid} has no name on this system: run as root or as a user that exists", uid=os.getuid()
        )
        logger.error("%s", unknown)
        return EXIT_CONFIG
    try:
        settings.db_path.mkdir(parents=True, exist_ok=True)
        with (settings.db_path / programs.LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (fault := port.fault(settings, as_root=user.uid == 0)) is not None:
                logger.error("%s", fault.text.said_in(t))
                return EXIT_AWAY if fault.passes else EXIT_CONFIG
            _prepare(settings, user)
            if is_setup:
                first_start.announce(settings)
            else:
                first_start.close(settings)
                for warning in advice.warnings(settings, t):
                    logger.warning("settings.warned: %s", warning)
            os.set_inheritable(lock.fileno(), True)
            return _supervise(settings, user, config, is_setup=is_setup)
    except BlockingIOError:
        logger.error("%s", t.gettext("another launcher already runs on {path}", path=settings.db_path))
        return EXIT_AWAY
    except (SchemaTooNew, DatabaseUnusable) as error:
        logger.error("%s", said(error, t))
        return EXIT_CONFIG
    except (OSError, *database.ERRORS, BackupError) as error:
        logger.error("%s", t.gettext("cannot start on {path}: {error}", path=settings.db_path, error=said(error, t)))
        return EXIT_GAVE_UP


@dataclass(frozen=True)
class _User:
    """The user that the programs run as. ``changes``: not the present user, so files must be handed over."""

    name: str
    uid: int
    gid: int
    home: str
    changes: bool


def _user() -> _User | None:
    """The container's own user for root where it exists, else the present user; None when that one has no name."""
    for known in (CONTAINER_USER, os.getuid()) if os.getuid() == 0 else (os.getuid(),):
        try:
            entry = pwd.getpwnam(known) if isinstance(known, str) else pwd.getpwuid(known)
        except KeyError:
            continue
        return _User(
            name=entry.pw_name,
            uid=entry.pw_uid,
            gid=entry.pw_gid,
            home=entry.pw_dir,
            changes=entry.pw_uid != os.getuid(),
        )
    return None


def _prepare(settings: Settings, user: _User) -> None:
    """Bring ``DB_PATH`` into the state that the programs expect."""
    settings.logs.mkdir(exist_ok=True)
    log.prune(settings)
    settings.backups.mkdir(exist_ok=True)
    restoring.sweep(settings)
    draft.sweep(settings.db_path)
    _check_database(settings)
    for migration in database.migrate(settings.database_file, lambda name: _back_up(settings, name)):
        logger.info("database.migrated", extra={"migration": migration})
    _look_at_plans(settings)
    if user.changes:
        _hand_over(settings.db_path, user)


def _look_at_plans(settings: Settings) -> None:
    """Let the plans file hold, or what held before where it cannot be used. Ends the process where nothing can be."""
    database.open_database(settings.database_file)
    try:
        catalogue.begin(settings, int(time.time()))
    finally:
        database.close_database()
    for fault in plans.faults_of(settings.plans_file, translator(settings.language)):
        logger.error("plans.refused: %s", fault)


class DatabaseUnusable(Exception):
    """The database cannot be used, and starting again does not help."""


def _check_database(settings: Settings) -> None:
    """Refuse a damaged database, and an empty start beside the backups of a database that is gone."""
    file = settings.database_file
    advice = Message("`python manage.py restore latest` brings back the newest backup")
    if integrity.is_damaged(file):
        raise DatabaseUnusable(
            Message(
                "the database {file} is damaged: {advice}; the damaged file stays beside it", file=file, advice=advice
            )
        )
    lost = not file.exists() or not file.stat().st_size
    if lost and backups.in_directory(settings.backups):
        raise DatabaseUnusable(
            Message(
                "the database {file} is gone, but it has backups: {advice}; move them away to begin anew",
                file=file,
                advice=advice,
            )
        )


def _back_up(settings: Settings, migration: str) -> None:
    made = backups.make(settings, int(time.time()), before=migration)
    logger.info("backup.made", extra={"file": made.file.name, "migration": migration})


def _hand_over(directory: Path, user: _User) -> None:
    """Make *user* the owner of *directory* and all that is in it: a new volume belongs to root."""
    for path in (directory, *directory.rglob("*")):
        os.chown(path, user.uid, user.gid, follow_symlinks=False)


def _supervise(settings: Settings, user: _User, config: Path, *, is_setup: bool) -> int:
    """Have supervisord run: for set-up here, because it begins anew afterwards, else in place of this program."""
    run, link = _runtime_directory(settings, user)
    for left in (supervisor.VERDICT, programs.ANEW, "supervisor.sock"):
        # A killed predecessor leaves its socket, and supervisord would complain in plain text among the JSON lines.
        (run / left).unlink(missing_ok=True)
    os.environ |= {
        program.SUPERVISOR: str(os.getpid()),
        "PEAJE_RUN": str(run),
        "PEAJE_LOGS": str(settings.logs),
        "PEAJE_LOG_BYTES": str(log.budget(settings, log.SUPERVISORD_SHARE) // 2),
        "PEAJE_USER": user.name,
        "PEAJE_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH")))),
        "HOME": user.home,
        **_whole_paths(),
    }
    logger.info("programs.starting", extra={"user": user.name, "run": str(run)})
    if is_setup:
        return supervisor.run(settings, config, link)
    program.hand_over(config, link)


def _whole_paths() -> dict[str, str]:
    """The paths in the environment, without a ``~``: the programs' user may have another home."""
    paths = {name: value for name, value in os.environ.items() if name == "DB_PATH" or name.endswith("_FILE")}
    return {name: os.path.expanduser(value) for name, value in paths.items()}


def _runtime_directory(settings: Settings, user: _User) -> tuple[Path, Path | None]:
    """The directory of socket and pid file, and the link to it for ``supervisorctl``; None where we make no link.

    With ``PEAJE_RUN`` set there is none: the image has a link of its own.
    """
    run = programs.runtime_directory(settings.db_path)
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    if run.stat().st_uid not in (os.getuid(), user.uid):
        raise PermissionError(f"{run} belongs to somebody else")
    if user.changes:
        os.chown(run, user.uid, user.gid)
    return run, None if os.environ.get("PEAJE_RUN") else _make_link(PROJECT / "run", run)


def _make_link(link: Path, target: Path) -> Path | None:
    """Point *link* to *target*, away from an instance started earlier. None where that is not possible."""
    made = link.with_name(f".run.{os.getpid()}")
    try:
        made.symlink_to(target)
        made.replace(link)
    except OSError as error:
        logger.warning(
            "link.failed", extra={"reason": str(error), "supervisorctl": f"-s unix://{target}/supervisor.sock"}
        )
        made.unlink(missing_ok=True)
        return None
    return link
