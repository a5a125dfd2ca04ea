"""The programs under supervisord, from the outside: where its socket is, how to stop the programs for a while, and how
to have the launcher begin anew.
"""

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

from config.texts import Message

LOCK = "launcher.lock"
"""In ``DB_PATH``: locked by the launcher while it runs."""

ANEW = "anew"
"""In the runtime directory: the launcher executes itself anew when supervisord has ended."""


class ControlFailed(Exception):
    """A launcher runs, but its supervisord does not do what was asked."""


def runtime_directory(db_path: Path) -> Path:
    """The directory of this installation's supervisord socket: ``PEAJE_RUN``, or always the same one for a ``DB_PATH``.

    Its path is short, because a socket's path must be.
    """
    chosen = os.environ.get("PEAJE_RUN")
    return Path(chosen) if chosen else _base() / f"peaje-{_digest(db_path)}"


def begin_anew(db_path: Path) -> None:
    """Have all programs end, and the launcher execute itself anew, with what is set then.

    :raises ControlFailed: supervisord does not answer.
    """
    run = runtime_directory(db_path)
    (run / ANEW).touch()
    socket = run / "supervisor.sock"
    with ServerProxy("http://127.0.0.1", SupervisorTransport(None, None, f"unix://{socket}")) as server:
        try:
            server.supervisor.shutdown()
        except (OSError, Fault) as error:
            text = Message("the programs cannot be stopped through {socket}: {error}", socket=socket, error=error)
            raise ControlFailed(text) from error


@contextlib.contextmanager
def stopped_programs(db_path: Path) -> Iterator[bool]:
    """Stop all programs, the watchdog too, and start them again afterwards, also after an error.

    The value tells whether a launcher runs; where none does, none can start meanwhile. Meanwhile this process ignores
    the signals that would end it, that of a closed terminal for instance.

    :raises ControlFailed: the programs run, but cannot be stopped from here.
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
    with (
        ServerProxy("http://127.0.0.1", SupervisorTransport(None, None, f"unix://{socket}")) as server,
        _signals_ignored(),
    ):
        try:
            server.supervisor.stopAllProcesses()
        except (OSError, Fault) as error:
            with contextlib.suppress(ControlFailed):
                _start(server)
            raise ControlFailed(
                Message("the programs run, but cannot be stopped through {socket}: {error}", socket=socket, error=error)
            ) from error
        try:
            yield
        finally:
            _start(server)


@contextlib.contextmanager
def _signals_ignored() -> Iterator[None]:
    """Ignore the signals that end a process: one that ended now would leave everything stopped."""
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
        raise ControlFailed(
            Message("the programs were stopped, and could not be started again: {error}", error=error)
        ) from error


def _base() -> Path:
    if os.access("/run", os.W_OK):
        return Path("/run")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
