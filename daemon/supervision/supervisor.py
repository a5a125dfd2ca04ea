"""supervisord in process 1, which the launcher becomes: it watches the watchdog, and turns its end into an exit code.

supervisord's own code is 0 even when the watchdog gave up. The launcher executes itself anew for it (:func:`main`), so
that what only checking and preparing need is given back to the system. The lock is kept: it belongs to the open file.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions, SignalReceiver
from supervisor.poller import Poller
from supervisor.process import EventListenerPool
from supervisor.states import EventListenerStates, ProcessStates, SupervisorStates
from supervisor.supervisord import Supervisor

from config import logging as log
from config import settings as reading
from config.settings import EXIT_GAVE_UP, EXIT_OK, Settings
from config.texts import translator
from daemon.supervision import programs
from daemon.supervision.crashes import CrashLoop

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""What asks supervisord to end, and with it this process."""
VERDICT = "verdict"
"""In the runtime directory: the reason for giving up, shared with the watchdog."""

STOPPING_CHECK_S = 0.05
"""Between two looks whether the programs have stopped."""

logger = logging.getLogger("daemon.supervision.launcher")


def main(config: Path, link: Path | None) -> None:
    """Run supervisord after the launcher has prepared everything; exits as the launcher does."""
    settings = reading.load()
    log.setup(settings, "launcher")
    sys.exit(run(settings, config, link))


def run(settings: Settings, config: Path, link: Path | None) -> int:
    """Run supervisord until it ends, and return the exit code. *link* to the runtime directory is ours to remove.

    Whoever asks for a stop meanwhile, or afterwards, ends this process, whatever was to follow.
    """
    t, directory = translator(settings.language), programs.runtime_directory(settings.db_path)
    verdict, signals = directory / VERDICT, _Signals()
    try:
        _run_supervisord(config, settings, verdict, signals)
    except SystemExit as end:
        if end.code == EXIT_OK:  # asked to stop before it had begun
            raise
        file = settings.logs / "supervisord.txt"
        logger.error("%s", t.gettext("supervisord ended with {code}, see {file}", code=end.code, file=file))
        return EXIT_GAVE_UP
    finally:
        if link and _points_to(link, directory):
            link.unlink(missing_ok=True)
    if verdict.exists():
        reason = verdict.read_text("utf-8")
        _open_incident(settings, reason)
        logger.critical("%s", t.gettext("given up: {reason}", reason=reason))
        return EXIT_GAVE_UP
    logger.info("programs.stopped")
    for each in STOPS:
        signal.signal(each, stop)
    if signals.ask_to_stop:
        raise SystemExit(EXIT_OK)
    return EXIT_OK


def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Stop where supervisord has not taken over yet, or not any more: process 1 would ignore the signal otherwise."""
    raise SystemExit(EXIT_OK)


def _open_incident(settings: Settings, reason: str) -> None:
    """Open an incident, which the daemon of the next start tells the admins."""
    # Only now: this process has no use for a database as long as the programs run.
    from models import database
    from models.event_kinds import IncidentKey
    from models.maintenance import health

    try:
        database.open_database(settings.database_file)
        health.open_incident(IncidentKey.CRASH_LOOP, reason, int(time.time()))
    except database.ERRORS as error:
        logger.warning("incident.unrecorded", extra={"reason": str(error)})
    finally:
        database.close_database()


class _Signals(SignalReceiver):
    """The signals that have come, and whether one of them asks for a stop: nobody reads those that come last."""

    ask_to_stop = False

    def receive(self, sig: int, frame: FrameType | None) -> None:
        self.ask_to_stop |= sig in STOPS
        super().receive(sig, frame)


class _Poller(Poller):
    """Waits no second where it would only make a start or a stop longer.

    While the programs run it does: that second is what paces the restarts of one that ends at once.
    """

    _has_begun = False

    def poll(self, timeout: float) -> tuple[list[int], list[int]]:
        """The files to read from and to write to, after *timeout* seconds at most."""
        if not self._has_begun:
            self._has_begun, timeout = True, 0.0
        elif self.options.mood < SupervisorStates.RUNNING:
            timeout = STOPPING_CHECK_S
        found: tuple[list[int], list[int]] = super().poll(timeout)
        return found


class _Options(ServerOptions):
    def __init__(self, signals: _Signals) -> None:
        super().__init__()
        self.signal_receiver = signals
        self.poller = _Poller(self)

    def cleanup_fds(self) -> None:
        """Close nothing: after a reload supervisord would take the lock and the log for leaks."""

    def fork(self) -> int:
        """Fork a program that a stop ends from its first moment on, before it has executed what it is.

        Our handler would take the signal and forget it there, and supervisord would wait as long as a stop may take.
        """
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            pid = int(super().fork())
            if not pid:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        return pid


class _Supervisor(Supervisor):
    """Watches the watchdog, which watches all others: it must stay alive, and be ready again after each event.

    *verdict* is the file for the reason for giving up, shared with the watchdog.
    """

    def __init__(self, options: ServerOptions, settings: Settings, verdict: Path) -> None:
        super().__init__(options)
        self._t = translator(settings.language)
        self._stale_s = settings.watchdog_stale
        self._crashes = CrashLoop(settings.watchdog_crashes, settings.watchdog_window)
        self._verdict = verdict
        self._hung_since: dict[int, float] = {}

    def tick(self, now: float | None = None) -> None:
        """Run each round, after dead processes were noted and before they are restarted."""
        super().tick(now)
        monotonic = time.monotonic()
        self._kill_hung_listeners(monotonic)
        if self.options.mood >= SupervisorStates.RUNNING:
            self._check_dead_listeners(monotonic)

    def _kill_hung_listeners(self, monotonic: float) -> None:
        """Kill a listener that has not been ready for too long. supervisord restarts it."""
        running = [each for each in self._listeners() if each.state == ProcessStates.RUNNING]
        hung = [each for each in running if each.listener_state != EventListenerStates.READY]
        self._hung_since = {each.pid: self._hung_since.get(each.pid, monotonic) for each in hung}
        for each in hung:
            if monotonic - self._hung_since[each.pid] > self._stale_s:
                found = {"program": each.config.name, "pid": each.pid}
                logger.error("listener.hung", extra=found)
                each.signal(signal.SIGKILL)
                del self._hung_since[each.pid]

    def _check_dead_listeners(self, monotonic: float) -> None:
        """Give up when a listener cannot be started or crashes over and over: nothing else counts its crashes."""
        for each in self._listeners():
            if each.state == ProcessStates.FATAL:
                self._give_up(self._t.gettext("{program} cannot be started", program=each.config.name))
            elif each.state == ProcessStates.EXITED:
                logger.error("listener.crashed", extra={"program": each.config.name, "code": each.exitstatus})
                if self._crashes.crashed(each.config.name, monotonic):
                    self._give_up(self._t.gettext("{program} keeps crashing", program=each.config.name))

    def _give_up(self, reason: str) -> None:
        self._verdict.write_text(reason, "utf-8")
        self.options.mood = SupervisorStates.SHUTDOWN

    def _listeners(self) -> list[Any]:
        pools = [group for group in self.process_groups.values() if isinstance(group, EventListenerPool)]
        return [each for pool in pools for each in pool.processes.values()]


def _run_supervisord(config: Path, settings: Settings, verdict: Path, signals: _Signals) -> None:
    """Do what ``supervisord.main`` does, with our options: run, and run again after each ``supervisorctl reload``.

    A signal that comes between the two is heard by the second.
    """
    first, mood = True, SupervisorStates.RESTARTING
    while mood >= SupervisorStates.RESTARTING:
        options = _Options(signals)
        options.realize(["-c", str(config)])
        options.first, options.test = first, False
        with contextlib.suppress(asyncore.ExitNow):
            _Supervisor(options, settings, verdict).main()
        options.close_httpservers()
        options.close_logger()
        first, mood = False, options.mood


def _points_to(link: Path, target: Path) -> bool:
    """Does the link still point to *target*? An instance started later points it to its own directory."""
    try:
        return link.readlink() == target
    except OSError:
        return False
