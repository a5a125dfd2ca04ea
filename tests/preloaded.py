"""Our programs as processes that need not read the libraries again: four thousand modules, over a second each time.

A server imports the libraries, and nothing of ours, once. Each program is a fork of it that reads our code anew from
its working directory, as ``python -m`` would. supervisord starts its programs the ordinary way, so both are tried.
``python -m tests.preloaded FD`` is that server.
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
    request = json.dumps({"args": args, "cwd": str(cwd), "env": env, "code": str(code or cwd)}).encode()
    with open(os.devnull, "r+b") as nothing:
        streams = (nothing, output or nothing, errors or nothing)
        server, _ = _server()
        socket.send_fds(server, [request], [*(each.fileno() for each in streams), told])
        pid = int(server.recv(16))
    os.close(told)
    return Running(args, pid, end)


@functools.cache
def _server() -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """This process's server, and the way to it. It ends when this process does."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        command = [sys.executable, "-m", "tests.preloaded", str(its.fileno())]
        return ours, subprocess.Popen(command, cwd=Path(__file__).parent.parent, pass_fds=[its.fileno()])


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
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    args = serve(socket.socket(fileno=int(sys.argv[1])))
    if args is None:
        return
    for name in [each for each in sys.modules if each == "tests" or each.startswith("tests.")]:
        del sys.modules[name]
    sys.argv = list(args)
    runpy.run_module(args[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
