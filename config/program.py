"""The start of every program: read the settings, set up the log, and end if the settings are wrong."""

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn, TextIO

from config import logging as log
from config import settings
from config.texts import translator
from config.version import VERSION

SUPERVISOR = "PEAJE_SUPERVISOR"
"""Environment variable with supervisord's process id. It is unset for a program that was started by hand."""

SETUP = "PEAJE_SETUP"
"""Environment variable that the launcher sets for programs that run set-up: what it asks for may be missing yet."""

_PREPARED, _LINK = "PEAJE_PREPARED", "PEAJE_LINK"
"""What the launcher tells itself when it executes itself anew: supervisord's configuration, and a link to remove."""

_PR_SET_PDEATHSIG = 1

logger = logging.getLogger(__name__)


def begin(process: str, console: TextIO | None = None, *, file: bool = True) -> settings.Settings:
    """Return the settings, with the log of *process* set up by :func:`config.logging.setup`.

    The first line of the log names the version. Wrong settings end the process with ``EXIT_CONFIG`` instead; then the
    last lines of the log name every fault.
    """
    supervisor = os.environ.get(SUPERVISOR)
    if supervisor:
        end_with(int(supervisor))
    log.setup(None, process, console)
    try:
        loaded = settings.load(unfinished=SETUP in os.environ)
    except settings.ConfigurationError as error:
        for warning in error.warnings:
            logger.warning("settings.warned: %s", warning)
        refuse(error.faults)
    t = translator(loaded.language)
    try:
        log.setup(loaded, process, console, file=file)
    except OSError as error:
        refuse([f"DB_PATH {settings.unwritable(loaded.logs, error).said_in(t)}"])
    logger.info("program.started", extra={"version": VERSION})
    if not supervisor:  # else the launcher has said it
        for warning in loaded.warnings:
            logger.warning("settings.warned: %s", warning)
    return loaded


def hand_over(config: Path, link: Path | None) -> NoReturn:
    """Execute this program anew, with nothing of what it has loaded, for :func:`prepared`."""
    execute_anew({**os.environ, _PREPARED: str(config), _LINK: str(link or "")})


def execute_anew(environ: Mapping[str, str]) -> NoReturn:
    """Execute this program anew, in another environment. SIGTERM waits meanwhile: process 1 would ignore it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    os.execve(sys.executable, sys.orig_argv, dict(environ))


def prepared() -> tuple[Path, Path | None] | None:
    """The arguments of :func:`hand_over`, once; None where the launcher has not called it."""
    config, link = os.environ.pop(_PREPARED, None), os.environ.pop(_LINK, None)
    return (Path(config), Path(link) if link else None) if config else None


def refuse(faults: Iterable[str]) -> NoReturn:
    """End the process with ``EXIT_CONFIG``; the last lines of its log name every fault."""
    for fault in faults:
        logger.error("settings.refused: %s", fault)
    raise SystemExit(settings.EXIT_CONFIG)


def end_with(parent: int) -> None:
    """Let the kernel kill this process when *parent* dies, however it dies.

    Otherwise this process would run on beside its successor: two daemons on one Telegram account, two listeners on one
    port.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(settings.EXIT_AWAY)
