"""The programs under supervisord, seen from beside: where they are steered from, and how to have them stand still."""

import contextlib
import fcntl
import hashlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

LOCK = "launcher.lock"
"""In ``DB_PATH``: held by the launcher for as long as it lives."""


class NotSteered(Exception):
    """A launcher runs, but its supervisord does not do what we ask."""


def runtime_directory(db_path: Path) -> Path:
    """Where supervisord of this installation has its socket: short, because a socket's path must be, and always the
    same for the same ``DB_PATH``. Whoever sets ``PEAJE_RUN`` knows where it is."""
    chosen = os.environ.get("PEAJE_RUN")
    return Path(chosen) if chosen else _base() / f"peaje-{_digest(db_path)}"


@contextlib.contextmanager
def standing_still(db_path: Path) -> Iterator[bool]:
    """Stop all programs, the watchdog too, and start them again afterwards, whatever happens meanwhile.

    The value tells whether there were any: where no launcher runs, none can start in the meantime either. Meanwhile
    this process does not hear the signals that would end it, that of a closed terminal for instance.

    :raises NotSteered: they run, but cannot be stopped from here.
    """
    with (db_path / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            yield False
            return
    with _stopped(runtime_directory(db_path) / "supervisor.sock"):
        yield True


@contextlib.contextmanager
def _stopped(socket: Path) -> Iterator[None]:
    with ServerProxy("http://127.0.0.1", SupervisorTransport(None, None, f"unix://{socket}")) as server, _deaf():
        try:
            server.supervisor.stopAllProcesses()
        except (OSError, Fault) as error:
            with contextlib.suppress(NotSteered):
                _start(server)
            raise NotSteered(f"the programs run, but cannot be stopped through {socket}: {error}") from error
        try:
            yield
        finally:
            _start(server)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Ended in between, we would leave everything stopped, with nobody to start it or to tell of it."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _start(server: ServerProxy) -> None:
    try:
        server.supervisor.startAllProcesses(False)
    except (OSError, Fault) as error:
        raise NotSteered(f"the programs were stopped, and could not be started again: {error}") from error


def _base() -> Path:
    if os.access("/run", os.W_OK):
        return Path("/run")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
