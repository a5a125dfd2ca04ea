"""The watchdog: supervisord's event listener, started as ``python -m daemon.supervision.watchdog``.

supervisord restarts a program that ends. It does not notice one that hangs, and restarts forever one that starts well
and crashes later. The watchdog kills a program whose heartbeat has stopped, and stops the whole container when a
program cannot be started or crashes over and over, so that the platform notices. It writes the reason to a file, which
the launcher turns into the exit code. The launcher also kills a watchdog that hangs.

stdin and stdout belong to supervisord's listener protocol: the log goes to stderr.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn
from xmlrpc.client import Fault

import peewee
from supervisor import childutils
from supervisor.xmlrpc import Faults

from config import program
from config.settings import EXIT_OK, Settings
from config.texts import translator
from config.units import MIB
from daemon.supervision.crashes import CrashLoop
from models import database
from models.event_kinds import IncidentKey
from models.maintenance import health

logger = logging.getLogger("daemon.supervision.watchdog")

PROGRAM = "watchdog"
RUNNING = "RUNNING"
ROOM_TO_WRITE = MIB
"""With fewer bytes free on the disk, heartbeats may be missing because they cannot be written."""

Event = tuple[str, Mapping[str, str]]


class QuietPeriod:
    """Tells, once, when a crash loop is over: after twice its window without a crash."""

    def __init__(self, window_s: int, monotonic: float) -> None:
        self._wanted_s = 2 * window_s
        self._since: float | None = monotonic

    def crashed(self, monotonic: float) -> None:
        """A program crashed."""
        self._since = monotonic

    def is_over(self, monotonic: float) -> bool:
        """Is it over, for the first time since the start or the last crash?"""
        if self._since is None or monotonic - self._since < self._wanted_s:
            return False
        self._since = None
        return True


class Heartbeats:
    """Tells which programs have no heartbeat any more: the same process, and no new beat for *stale_s* seconds.

    Beats are compared only with each other, never with the system clock, which may jump.
    """

    def __init__(self, stale_s: int) -> None:
        self._stale_s = stale_s
        self._last: dict[str, tuple[int, int]] = {}
        self._since: dict[str, float] = {}

    def stopped(self, pids: Mapping[str, int], beats: Mapping[str, int], monotonic: float) -> list[str]:
        """The programs to restart, of those that run (*pids*) and have a beat (*beats*, Unix seconds)."""
        latest = {name: (pid, beats[name]) for name, pid in pids.items() if name in beats}
        self._since = {
            name: self._since[name] if self._last.get(name) == beat else monotonic for name, beat in latest.items()
        }
        self._last = latest
        return [name for name, since in self._since.items() if monotonic - since > self._stale_s]

    def forget(self) -> None:
        """Start anew, after a time in which beats could not be written."""
        self._last.clear()


class Watchdog:
    """Acts on supervisord's events. *verdict* is the file for the reason for giving up."""

    def __init__(self, settings: Settings, supervisor: Any, verdict: Path) -> None:
        self._settings = settings
        self._t = translator(settings.language)
        self._supervisor = supervisor
        self._verdict = verdict
        self._crashes = CrashLoop(settings.watchdog_crashes, settings.watchdog_window)
        self._quiet_period = QuietPeriod(settings.watchdog_window, time.monotonic())
        self._heartbeats = Heartbeats(settings.watchdog_stale)

    def on_event(self, name: str, details: Mapping[str, str]) -> None:
        """Act on the event *name*; *details* are the fields of its payload."""
        if name == "TICK_5":
            self._check()
        elif name == "PROCESS_STATE_FATAL":
            self._give_up(self._t.gettext("{program} cannot be started", program=details["processname"]))
        elif name == "PROCESS_STATE_EXITED" and details["expected"] == "0":
            self._note_crash(details["processname"], int(details["pid"]), time.monotonic())

    def _note_crash(self, program: str, pid: int, monotonic: float) -> None:
        logger.error("program.crashed", extra={"program": program, "pid": pid})
        self._quiet_period.crashed(monotonic)
        if self._crashes.crashed(program, monotonic):
            self._give_up(self._t.gettext("{program} keeps crashing", program=program))
        if self._crashes.is_likely(program):
            self._write(lambda now: health.open_incident(IncidentKey.CRASH_LOOP, program, now))

    def _write(self, change: Callable[[int], object]) -> bool:
        """Change something in the database, and return whether the database can be written to.

        A change that it refuses is skipped. A locked database counts as one that can be written to: a program that
        hangs may hold the lock.
        """
        try:
            database.open_database(self._settings.database_file)
            change(int(time.time()))
        except peewee.DatabaseError as error:
            logger.warning("database.unwritten", extra={"reason": str(error)})
            return database.is_locked(error)
        finally:
            database.close_database()
        return True

    def _check(self) -> None:
        if self._quiet_period.is_over(time.monotonic()):
            self._write(lambda now: health.close_incident(IncidentKey.CRASH_LOOP, now))
        no_room = shutil.disk_usage(self._settings.db_path).free < ROOM_TO_WRITE
        if no_room or not self._write(lambda now: health.beat(PROGRAM, {}, now)):
            self._heartbeats.forget()  # programs may be alive without being able to write it
            return
        pids = self._running()
        for name in self._heartbeats.stopped(pids, _beats(self._settings.database_file), time.monotonic()):
            logger.error("program.hung", extra={"program": name, "pid": pids[name]})
            _kill(pids[name])

    def _running(self) -> dict[str, int]:
        """The process id of each other running program; none while supervisord shuts down."""
        try:
            processes = self._supervisor.getAllProcessInfo()
        except Fault as fault:
            if fault.faultCode != Faults.SHUTDOWN_STATE:
                raise
            return {}
        return {
            info["name"]: info["pid"] for info in processes if info["statename"] == RUNNING and info["name"] != PROGRAM
        }

    def _give_up(self, reason: str) -> NoReturn:
        logger.critical("%s", self._t.gettext("given up: {reason}", reason=reason))
        self._verdict.write_text(reason, "utf-8")
        self._supervisor.shutdown()
        raise SystemExit(EXIT_OK)


def _beats(file: Path) -> dict[str, int]:
    """The newest beat of each program; none from a database that cannot be read."""
    try:
        database.open_database(file)
        return {name: beat.at for name, beat in health.all().items()}
    except peewee.DatabaseError as error:
        logger.warning("heartbeats.unread", extra={"reason": str(error)})
        return {}
    finally:
        database.close_database()


def _kill(pid: int) -> None:
    """Kill a program and what it started: supervisord makes each program the leader of a process group."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        logger.info("program.gone", extra={"pid": pid})


def events() -> Iterator[Event]:
    """supervisord's events, each acknowledged when read, until supervisord is gone."""
    while True:
        childutils.listener.ready(sys.stdout)
        line = sys.stdin.readline()
        if not line:
            return
        headers = childutils.get_headers(line)
        payload = sys.stdin.read(int(headers["len"]))
        childutils.listener.ok(sys.stdout)
        yield headers["eventname"], childutils.get_headers(payload)


def main() -> None:
    """Watch until supervisord stops this process."""
    settings = program.begin(PROGRAM, console=sys.stderr)
    supervisor = childutils.getRPCInterface(os.environ).supervisor
    watchdog = Watchdog(settings, supervisor, Path(os.environ["PEAJE_RUN"]) / "verdict")
    for name, details in events():
        watchdog.on_event(name, details)


if __name__ == "__main__":
    main()
