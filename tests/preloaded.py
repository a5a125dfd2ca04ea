"""Our programs as processes that need not read libraries and code again: four thousand modules, two seconds each time.

A server imports the libraries and our code once. Each program is a fork of it that then goes on as ``python -m`` would.
A program of another directory than this repository reads its own code anew, in a fork of a server that has imported the
libraries alone. supervisord starts its programs the ordinary way, so both are tried. ``python -m tests.preloaded FD
MODULE...`` is that server.
"""

import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LIBRARIES = (
    "pyrogram",
    "cryptg",
    "pythonjsonlogger.json",
    "dotenv",
    "babel.numbers",
    "peewee",
    "itsdangerous",
    "gunicorn.app.base",
    "gunicorn.workers.gthread",
    "flask_limiter",
    "prometheus_client",
    "requests",
    "cryptography.x509",
)
OURS = (
    "daemon.__main__",
    "daemon.doctor",
    "web.__main__",
    "web.doctor",
    "web.upkeep.__main__",
    "manage",
    "tests.sandbox.__main__",
)
REPOSITORY = Path(__file__).resolve().parent.parent
_REQUEST_BYTES = 1 << 18
_STREAMS = 4
"""What travels with a request: input, output, errors, and the pipe that tells the end."""


@dataclass
class Running:
    """A program, with the part of ``subprocess.Popen`` that tests use."""

    args: Sequence[str]
    pid: int
    end: int
    returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, minus the signal's number when it was killed; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        code = self._ended(None if timeout is None else timeout * 1000)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, wait_ms: float | None) -> int | None:
        if self.returncode is None:
            waiting = select.poll()
            waiting.register(self.end, select.POLLIN)
            if waiting.poll(wait_ms):
                self.returncode = int(os.read(self.end, 16) or -signal.SIGKILL)
                os.close(self.end)
        return self.returncode


def run(
    *args: str,
    cwd: Path,
    env: dict[str, str],
    output: IO[bytes] | None,
    errors: IO[bytes] | None,
    code: Path | None = None,
) -> Running:
    """Start ``python -m`` with these arguments, in a session of its own. What is None is thrown away.

    :param code: where the module is, if not in the working directory.
    """
    end, told = os.pipe()
    code = code or cwd
    request = json.dumps({"args": args, "cwd": str(cwd), "env": env, "code": str(code)}).encode()
    with open(os.devnull, "r+b") as nothing:
        streams = (nothing, output or nothing, errors or nothing)
        server, _ = _server(code.resolve() == REPOSITORY)
        socket.send_fds(server, [request], [*(each.fileno() for each in streams), told])
        pid = int(server.recv(16))
    os.close(told)
    return Running(args, pid, end)


def outcome(*args: str, cwd: Path, env: dict[str, str], timeout: float = 60) -> tuple[int, str]:
    """Run a program of this repository to its end: its exit code, and all that it said."""
    with tempfile.TemporaryFile() as said:
        process = run(*args, cwd=cwd, env=env, output=said, errors=said, code=REPOSITORY)
        code = process.wait(timeout)
        said.seek(0)
        return code, said.read().decode()


@functools.cache
def _server(with_ours: bool) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """This process's server, with or without our code, and the way to it. It ends when this process does."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        modules = LIBRARIES + (OURS if with_ours else ())
        command = [sys.executable, "-m", "tests.preloaded", str(its.fileno()), *modules]
        return ours, subprocess.Popen(command, cwd=REPOSITORY, pass_fds=[its.fileno()])


def serve(asked: socket.socket) -> list[str] | None:
    """Fork a program for each request. Returns that program's arguments in it, and None here when nobody asks more."""
    children: dict[int, tuple[int, int]] = {}
    waiting = select.poll()
    waiting.register(asked, select.POLLIN)
    while True:
        for ready, _ in waiting.poll():
            if ready in children:
                waiting.unregister(ready)
                _tell_end(ready, *children.pop(ready))
                continue
            request, streams, _, _ = socket.recv_fds(asked, _REQUEST_BYTES, _STREAMS)
            if not request:
                return None
            pid = os.fork()
            if not pid:
                asked.close()
                return _become(json.loads(request), streams)
            for each in streams[:3]:
                os.close(each)
            ended = os.pidfd_open(pid)
            children[ended] = (pid, streams[3])
            waiting.register(ended, select.POLLIN)
            asked.send(str(pid).encode())


def _tell_end(ended: int, pid: int, told: int) -> None:
    """The program has ended: tell whoever started it."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        os.write(told, str(code).encode())
    os.close(ended)
    os.close(told)


def _become(request: dict[str, object], streams: list[int]) -> list[str]:
    """Make this fork what the program would find itself in."""
    os.setsid()
    for wanted, stream in enumerate(streams[:3]):
        os.dup2(stream, wanted)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload]
    time.tzset()
    sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
    os.chdir(str(request["cwd"]))
    sys.path[0] = str(request["code"])
    return list(request["args"])  # type: ignore[call-overload]


def main() -> None:
    """Import, serve, and in a fork be the program."""
    traced = os.environ.get("PEAJE_TRACED")
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    args = serve(socket.socket(fileno=int(sys.argv[1])))
    if args is None:
        return
    if traced:
        importlib.import_module("tests.mutants.traced").begin(traced)
    _forget(args[0], with_tests=not set(OURS) & set(sys.argv))
    sys.argv = list(args)
    runpy.run_module(args[0], run_name="__main__", alter_sys=True)


def _forget(program: str, *, with_tests: bool) -> None:
    """Forget the module that is to be run, and *with_tests*, which are of another directory, this package too."""
    gone = {program, f"{program}.__main__"}
    for name in list(sys.modules):
        is_run = name in gone and not hasattr(sys.modules[name], "__path__")
        if is_run or (with_tests and name.partition(".")[0] == "tests"):
            del sys.modules[name]


if __name__ == "__main__":
    main()
