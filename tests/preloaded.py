"""Our programs as processes that need not read libraries and code again: four thousand modules, two seconds each time.

A server imports the libraries and our code once. Each program is a fork of it that then goes on as ``python -m`` would.
A program of another directory than this repository reads its own code anew, in a fork of a server that has imported the
libraries alone. A launcher goes on as supervisord in its fork, and supervisord's programs are forks of that one; a
launcher that was started the ordinary way starts them the ordinary way, so both are tried. ``python -m tests.preloaded
FD MODULE...`` is that server.
"""

import atexit
import contextlib
import ctypes
import functools
import gc
import importlib
import importlib.util
import json
import logging
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, NoReturn

from flask import Flask
from jinja2 import FileSystemBytecodeCache

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
    "daemon.live_check",
    "daemon.supervision.launcher",
    "daemon.supervision.watchdog",
    "daemon.setup.service",
    "web.__main__",
    "web.app",
    "web.doctor",
    "web.serving",
    "web.setup.app",
    "web.upkeep.__main__",
    "manage",
    "tests.sandbox.__main__",
    "tests.sandbox.paypal.specifications",
)
REPOSITORY = Path(__file__).resolve().parent.parent
TEMPLATES = REPOSITORY / "build" / "templates"
"""Where the programs keep their compiled templates: each would compile every page again that it shows."""
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
    typed: IO[bytes] | None = None,
    code: Path | None = None,
) -> Running:
    """Start ``python -m`` with these arguments, in a session of its own. What is None is empty, or thrown away.

    :param typed: its input.
    :param code: where the module is, if not in the working directory.
    """
    end, told = os.pipe()
    code = code or cwd
    request = json.dumps({"args": args, "cwd": str(cwd), "env": env, "code": str(code)}).encode()
    with open(os.devnull, "r+b") as nothing:
        streams = (typed or nothing, output or nothing, errors or nothing)
        server, _ = _server(code.resolve() == REPOSITORY)
        socket.send_fds(server, [request], [*(each.fileno() for each in streams), told])
        pid = int(server.recv(16))
    os.close(told)
    return Running(args, pid, end)


Process = Running | subprocess.Popen[bytes]


def launch(*words: str, cwd: Path, env: dict[str, str], console: IO[bytes], alone: bool = False) -> Process:
    """Start the launcher; *alone*: as an ordinary process, whose programs are ordinary ones too."""
    if not alone:
        return run("daemon.supervision", *words, cwd=cwd, env=env, output=console, errors=console, code=REPOSITORY)
    return subprocess.Popen(
        [sys.executable, "-m", "daemon.supervision", *words],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=console,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for us: we stop the programs in order
    )


def outcome(*args: str, cwd: Path, env: dict[str, str], timeout: float = 60) -> tuple[int, str]:
    """Run a program of this repository to its end: its exit code, and all that it said."""
    with tempfile.TemporaryFile() as said:
        process = run(*args, cwd=cwd, env=env, output=said, errors=said, code=REPOSITORY)
        code = process.wait(timeout)
        said.seek(0)
        return code, said.read().decode()


@dataclass
class Dialogue:
    """A program at whose keyboard somebody sits, who reads what it says."""

    process: Running
    keyboard: IO[str]
    screen: IO[str]

    def type(self, text: str) -> None:
        """Type a text."""
        self.keyboard.write(text)
        self.keyboard.flush()

    def end(self, text: str = "", timeout: float = 60) -> tuple[int, str]:
        """Type a text and nothing more: the exit code, and all that was said and has not been read."""
        with self.keyboard:
            self.keyboard.write(text)
        said = self.screen.read()
        return self.process.wait(timeout), said


@contextlib.contextmanager
def dialogue(*args: str, cwd: Path, env: dict[str, str]) -> Iterator[Dialogue]:
    """A program of this repository with pipes for keyboard and screen, and no terminal to ask a password from."""
    (read, typed), (screen, said) = os.pipe(), os.pipe()
    with open(read, "rb") as its_input, open(said, "wb") as its_output:
        process = run(*args, cwd=cwd, env=env, typed=its_input, output=its_output, errors=its_output, code=REPOSITORY)
    with open(typed, "w") as keyboard, open(screen) as shown:
        try:
            yield Dialogue(process, keyboard, shown)
        finally:
            process.kill()


@functools.cache
def _server(with_ours: bool) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """This process's server, with or without our code, and the way to it. It ends when this process does."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        modules = LIBRARIES + (OURS if with_ours else ())
        command = [sys.executable, "-m", "tests.preloaded", str(its.fileno()), *modules]
        server = subprocess.Popen(command, cwd=REPOSITORY, pass_fds=[its.fileno()])
    atexit.register(_dismiss, ours, server)
    return ours, server


def _dismiss(asked: socket.socket, server: "subprocess.Popen[bytes]") -> None:
    """Let a server end, which it does when nobody can ask it any more."""
    asked.close()
    server.wait(10)


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
    _take_environment(request["env"])  # type: ignore[arg-type]
    sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
    os.chdir(str(request["cwd"]))
    sys.path[0] = str(request["code"])
    _customize()
    os.execve = _execute
    return list(request["args"])  # type: ignore[call-overload]


def _customize() -> None:
    """Read ``sitecustomize`` below ``PYTHONPATH``, as a Python that begins does."""
    for place in filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        if (file := Path(place) / "sitecustomize.py").exists():
            found = importlib.util.spec_from_file_location("sitecustomize", file)
            assert found is not None and found.loader is not None
            sys.modules["sitecustomize"] = module = importlib.util.module_from_spec(found)
            found.loader.exec_module(module)
            return


def _take_environment(environment: Mapping[str, str]) -> None:
    taken = dict(environment)
    os.environ.clear()
    os.environ.update(taken)
    time.tzset()


def main() -> None:
    """Import, serve, and in a fork be the program."""
    traced = os.environ.get("PEAJE_TRACED")
    for name in sys.argv[2:]:
        importlib.import_module(name)
    _keep_templates()
    if set(OURS) & set(sys.argv):
        _read_languages()
    gc.collect()
    gc.freeze()
    args = serve(socket.socket(fileno=int(sys.argv[1])))
    if args is None:
        os._exit(0)
    if traced:
        importlib.import_module("tests.mutants.traced").begin(traced)
    if not set(OURS) & set(sys.argv):
        _forget_tests()
    _be(["-m", *args])


def _keep_templates() -> None:
    """Let Flask keep what it has compiled of a template, and compile it again when the template has changed."""
    TEMPLATES.mkdir(parents=True, exist_ok=True)
    Flask.jinja_options = {"bytecode_cache": FileSystemBytecodeCache(str(TEMPLATES))}


def _read_languages() -> None:
    """Read what a program reads of a language when somebody first speaks it."""
    texts = importlib.import_module("config.texts")
    texts.language_named("none of them")
    for language in texts.LANGUAGES:
        texts.translator(language).size(1024)


def _be(args: list[str]) -> NoReturn:
    """Be what ``python`` is with these arguments, to its end; only that its memory is left to the kernel."""
    sys.orig_argv = [sys.executable, *args]
    _show(sys.orig_argv)
    with _Ending():
        _run(args)
    raise AssertionError("it has ended")


class _Ending:
    """Ends the process as Python does when what is run below this is done."""

    def __enter__(self) -> None:
        """Nothing is to be done yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> NoReturn:
        code = error.code if isinstance(error, SystemExit) else None
        if kind and error and not isinstance(error, SystemExit):
            sys.excepthook(kind, error, trace)
            code = 1
        if not isinstance(code, int | None):
            sys.stderr.write(f"{code}\n")
            code = 1
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        gc.collect()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code or 0)


def _run(args: list[str]) -> None:
    """Run a module, ``-m`` and its name, or a file."""
    if args[0] == "-m":
        _forget(args[1])
        sys.argv = args[1:]
        runpy.run_module(args[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(args)
        runpy.run_path(args[0], run_name="__main__")


_execve = os.execve


def _execute(path: str, args: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """``os.execve``; where that would begin ``python`` anew, this process goes on as what is asked for."""
    if path != sys.executable or not (args[1] == "-m" or args[1].endswith(".py")):
        _execve(path, args, environment)
    _take_environment(environment)
    _shed()
    _be(list(args[1:]))


_shed_handlers: list[object] = []
"""Kept, because what nobody holds closes its file, whose number may be another file's by then."""


def _shed() -> None:
    """Lose what a process loses when it executes a program: handlers of signals, hooks, files of its own."""
    gc.collect()
    gc.freeze()
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.excepthook, threading.excepthook = sys.__excepthook__, threading.__excepthook__
    sys.unraisablehook = sys.__unraisablehook__
    _shed_handlers.extend(logging.root.handlers)
    logging.root.handlers.clear()
    logging._handlerList.clear()  # type: ignore[attr-defined]
    for each in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):
            if each > 2 and not os.get_inheritable(each):
                os.close(each)


def _show(words: Sequence[str]) -> None:
    """Have ``/proc`` tell what this process is now: its command line takes the place of the server's."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])
    line = "\0".join(words).encode()[: end - begin - 1]
    ctypes.memmove(begin, line.ljust(end - begin, b"\0"), end - begin)


def _forget(program: str) -> None:
    """Forget the module that is to be run."""
    gone = {program, f"{program}.__main__"}
    for name in list(sys.modules):
        if name in gone and not hasattr(sys.modules[name], "__path__"):
            del sys.modules[name]


def _forget_tests() -> None:
    """Forget this package: a program of another directory has its own."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "tests":
            del sys.modules[name]


if __name__ == "__main__":
    main()
