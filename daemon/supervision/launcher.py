"""Starts everything (``python -m daemon.supervision``): checks the settings, prepares ``DB_PATH``, then is supervisord.

In the container it is process 1. It checks first because supervisord would try a program that ends at once again and
again; it runs supervisord in this very process so that signals and orphans arrive where they are handled, and so that
the watchdog is watched as well; and it turns supervisord's end, which is 0 even when the watchdog gave up, into the
exit code that a platform acts on.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import pwd
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
import peewee
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions
from supervisor.process import EventListenerPool
from supervisor.states import EventListenerStates, ProcessStates, SupervisorStates
from supervisor.supervisord import Supervisor

from config import program
from config.settings import EXIT_AWAY, EXIT_CONFIG, EXIT_GAVE_UP, EXIT_OK, PROJECT, Settings
from daemon.supervision import programs
from daemon.supervision.watchdog import CRASH_LOOP, CrashLoop
from models import database
from models.errors import BackupError, SchemaTooNew
from models.maintenance import backups, health, integrity, restoring

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
    """Exits with 0 after SIGTERM, 70 when given up, 75 when DB_PATH is in use, 78 for faults of configuration."""
    signal.signal(signal.SIGTERM, _stop)
    os.umask(0o077)
    # supervisord opens our output again for the programs, to append: with `> file` we must not write over their lines.
    fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND)
    settings = program.begin("launcher")
    if check:
        logger.info("the settings and the plans are good")
        sys.exit(EXIT_OK)
    sys.exit(launch(settings, config))


def launch(settings: Settings, config: Path) -> int:
    """Prepare, run supervisord until it ends, and return the exit code."""
    user = _user()
    if user is None:
        logger.error("user id %d has no name on this system: run as root or as a user that exists", os.getuid())
        return EXIT_CONFIG
    try:
        settings.db_path.mkdir(parents=True, exist_ok=True)
        with (settings.db_path / programs.LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _prepare(settings, user)
            return _supervise(settings, user, config)
    except BlockingIOError:
        logger.error("another launcher already runs on %s", settings.db_path)
        return EXIT_AWAY
    except (SchemaTooNew, Unusable) as error:
        logger.error("%s", error)
        return EXIT_CONFIG
    except (OSError, *database.ERRORS, BackupError) as error:
        logger.error("cannot start on %s: %s", settings.db_path, error)
        return EXIT_GAVE_UP


@dataclass(frozen=True)
class _User:
    """Whom the programs run as. `changes` when that is not who we are: what they write must become theirs."""

    name: str
    uid: int
    gid: int
    home: str
    changes: bool


def _user() -> _User | None:
    """The container's own user where it exists and we are root, else whoever we are; None when that has no name."""
    for known in (CONTAINER_USER, os.getuid()) if os.getuid() == 0 else (os.getuid(),):
        try:
            entry = pwd.getpwnam(known) if isinstance(known, str) else pwd.getpwuid(known)
        except KeyError:
            continue
        return _User(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_uid != os.getuid())
    return None


def _prepare(settings: Settings, user: _User) -> None:
    """Bring ``DB_PATH`` into the state that the programs expect."""
    settings.logs.mkdir(exist_ok=True)
    settings.backups.mkdir(exist_ok=True)
    restoring.sweep(settings)
    _examine(settings)
    for migration in database.migrate(settings.database_file, lambda name: _back_up(settings, name)):
        logger.info("migrated the database", extra={"migration": migration})
    if user.changes:
        _give(settings.db_path, user)


class Unusable(Exception):
    """The database cannot be worked with, and starting again does not help."""


def _examine(settings: Settings) -> None:
    """Refuse to go on with a damaged database, or to begin anew beside the backups of one that is gone."""
    file = settings.database_file
    advice = "`python manage.py restore latest` brings back the newest backup"
    if integrity.is_damaged(file):
        raise Unusable(f"the database {file} is damaged: {advice}; the damaged file stays beside it")
    lost = not file.exists() or not file.stat().st_size
    if lost and backups.in_directory(settings.backups):
        raise Unusable(f"the database {file} is gone, but it has backups: {advice}; move them away to begin anew")


def _back_up(settings: Settings, migration: str) -> None:
    made = backups.make(settings, int(time.time()), before=migration)
    logger.info("backup made before a migration", extra={"file": made.file.name, "migration": migration})


def _give(directory: Path, user: _User) -> None:
    """Make `directory` and all that is in it the user's; a volume belongs to root when it is new."""
    for path in (directory, *directory.rglob("*")):
        os.chown(path, user.uid, user.gid, follow_symlinks=False)


def _supervise(settings: Settings, user: _User, config: Path) -> int:
    """Be supervisord until it ends. Returns the exit code."""
    run, pointer = _runtime(settings, user)
    verdict = run / "verdict"
    verdict.unlink(missing_ok=True)
    # A killed predecessor leaves its socket; supervisord would say so, in plain text, among our lines.
    (run / "supervisor.sock").unlink(missing_ok=True)
    os.environ |= {
        program.SUPERVISOR: str(os.getpid()),
        "PEAJE_RUN": str(run),
        "PEAJE_LOGS": str(settings.logs),
        "PEAJE_USER": user.name,
        "PEAJE_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH")))),
        "HOME": user.home,
    }
    logger.info("starting the programs", extra={"user": user.name, "run": str(run)})
    try:
        _be_supervisord(config, settings, verdict)
    except SystemExit as end:
        if end.code == EXIT_OK:  # asked to stop before it had begun
            raise
        logger.error("supervisord ended with %s, see %s", end.code, settings.logs / "supervisord.txt")
        return EXIT_GAVE_UP
    finally:
        if pointer and _leads_to(pointer, run):
            pointer.unlink(missing_ok=True)
    if verdict.exists():
        reason = verdict.read_text("utf-8")
        _note(settings, reason)
        logger.critical("given up: %s", reason)
        return EXIT_GAVE_UP
    logger.info("all programs have stopped")
    return EXIT_OK


def _note(settings: Settings, reason: str) -> None:
    """Have the daemon of the next start, if there is one, tell the admins why."""
    try:
        database.open_database(settings.database_file)
        health.open_incident(CRASH_LOOP, reason, int(time.time()))
    except peewee.DatabaseError as error:
        logger.warning("not written down: %s", error)
    finally:
        database.close_database()


class _Options(ServerOptions):
    def cleanup_fds(self) -> None:
        """Leave them open: after a reload supervisord would take our lock and our log for leaks."""


class _Supervisor(Supervisor):
    """Watches the watchdog, who watches all others: he is to stay alive, and to be ready for another event after each.

    `verdict` is the file for the reason why we gave up, the same as the watchdog's.
    """

    def __init__(self, options: ServerOptions, settings: Settings, verdict: Path) -> None:
        super().__init__(options)
        self._patience_s = settings.watchdog_stale
        self._crashes = CrashLoop(settings.watchdog_crashes, settings.watchdog_window)
        self._verdict = verdict
        self._silent_since: dict[int, float] = {}

    def tick(self, now: float | None = None) -> None:
        """At every turn, after the dead were noted and before any of them is started again."""
        super().tick(now)
        monotonic = time.monotonic()
        self._end_the_silent(monotonic)
        if self.options.mood >= SupervisorStates.RUNNING:
            self._look_for_the_dead(monotonic)

    def _end_the_silent(self, monotonic: float) -> None:
        """Kill a listener that has not been ready for too long. supervisord starts it again."""
        running = [each for each in self._listeners() if each.state == ProcessStates.RUNNING]
        silent = [each for each in running if each.listener_state != EventListenerStates.READY]
        self._silent_since = {each.pid: self._silent_since.get(each.pid, monotonic) for each in silent}
        for each in silent:
            if monotonic - self._silent_since[each.pid] > self._patience_s:
                found = {"program": each.config.name, "pid": each.pid}
                logger.error("a listener hangs: killed, to be started again", extra=found)
                each.signal(signal.SIGKILL)
                del self._silent_since[each.pid]

    def _look_for_the_dead(self, monotonic: float) -> None:
        """End everything when a listener cannot be started or crashes again and again: nobody else would count it."""
        for each in self._listeners():
            if each.state == ProcessStates.FATAL:
                self._give_up(f"{each.config.name} cannot be started")
            elif each.state == ProcessStates.EXITED:
                logger.error("a listener crashed", extra={"program": each.config.name, "code": each.exitstatus})
                if self._crashes.crashed(each.config.name, monotonic):
                    self._give_up(f"{each.config.name} crashes again and again")

    def _give_up(self, reason: str) -> None:
        self._verdict.write_text(reason, "utf-8")
        self.options.mood = SupervisorStates.SHUTDOWN

    def _listeners(self) -> list[Any]:
        pools = [group for group in self.process_groups.values() if isinstance(group, EventListenerPool)]
        return [each for pool in pools for each in pool.processes.values()]


def _be_supervisord(config: Path, settings: Settings, verdict: Path) -> None:
    """What ``supervisord.main`` does, with our options: run, and once more after each ``supervisorctl reload``."""
    first, mood = True, SupervisorStates.RESTARTING
    while mood >= SupervisorStates.RESTARTING:
        options = _Options()
        options.realize(["-c", str(config)])
        options.first, options.test = first, False
        with contextlib.suppress(asyncore.ExitNow):
            _Supervisor(options, settings, verdict).main()
        options.close_httpservers()
        options.close_logger()
        first, mood = False, options.mood


def _runtime(settings: Settings, user: _User) -> tuple[Path, Path | None]:
    """The directory of socket and pid file, and the link that leads `supervisorctl` to it, where we make one.

    Whoever sets ``PEAJE_RUN`` knows where it is: the image's own ``run`` leads there.
    """
    run = programs.runtime_directory(settings.db_path)
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    if run.stat().st_uid not in (os.getuid(), user.uid):
        raise PermissionError(f"{run} belongs to somebody else")
    if user.changes:
        os.chown(run, user.uid, user.gid)
    return run, None if os.environ.get("PEAJE_RUN") else _point(PROJECT / "run", run)


def _point(link: Path, target: Path) -> Path | None:
    """Make `link` lead to `target`, away from an instance started earlier. None where that is not possible."""
    draft = link.with_name(f".run.{os.getpid()}")
    try:
        draft.symlink_to(target)
        draft.replace(link)
    except OSError as error:
        logger.warning("supervisorctl needs -s unix://%s/supervisor.sock: %s", target, error)
        draft.unlink(missing_ok=True)
        return None
    return link


def _leads_to(link: Path, target: Path) -> bool:
    """Whether the link is still ours: an instance started later makes it its own, and takes it away at its end."""
    try:
        return link.readlink() == target
    except OSError:
        return False


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Stopped before supervisord took over: process 1 would otherwise ignore the signal."""
    raise SystemExit(EXIT_OK)
