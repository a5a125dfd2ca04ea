"""How every program begins: settings read, log set up; and how it ends when the settings are wrong."""

import ctypes
import logging
import os
import signal
from typing import TextIO

from config import logging as log
from config import settings
from config.version import VERSION

SUPERVISOR = "PEAJE_SUPERVISOR"
"""Environment: the process id under which the launcher runs supervisord. Unset for a program started by hand."""

_PR_SET_PDEATHSIG = 1

logger = logging.getLogger(__name__)


def begin(process: str, console: TextIO | None = None, *, file: bool = True) -> settings.Settings:
    """The settings, with the log of `process` set up as `config.logging.setup` says.

    Ends the process with `EXIT_CONFIG` when they are wrong; the log then ends with one line for each fault.
    Otherwise its first line names the version.
    """
    supervisor = os.environ.get(SUPERVISOR)
    if supervisor:
        end_with(int(supervisor))
    log.setup(None, process, console)
    try:
        loaded = settings.load()
    except settings.ConfigurationError as error:
        for fault in error.faults:
            logger.error("%s", fault)
        raise SystemExit(settings.EXIT_CONFIG) from None
    try:
        log.setup(loaded, process, console, file=file)
    except OSError as error:
        logger.error("DB_PATH must be a directory that can be written to: %s (%s)", loaded.logs, error.strerror)
        raise SystemExit(settings.EXIT_CONFIG) from None
    logger.info("program.started", extra={"version": VERSION})
    for warning in loaded.warnings:
        logger.warning("%s", warning)
    return loaded


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies, however it dies.

    Left alone, it would go on beside its successor: two daemons on one Telegram account, one port asked for twice.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(settings.EXIT_AWAY)
