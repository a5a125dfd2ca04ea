"""The sandbox as a process of its own, seen the way an operator sees it: files, sockets and control calls."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from json import dumps, loads
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests import preloaded

REPOSITORY = Path(__file__).resolve().parent.parent
START_TIMEOUT = 30.0


class SandboxFailed(Exception):
    """The sandbox ended, or was not ready in time. Carries the end of its log."""


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox."""

    process: preloaded.Process | None
    """None when somebody else has started it, and will stop it."""
    state: Path
    scenario: dict[str, Any]
    env: dict[str, str]

    def control(self, method: str, path: str, json: Any = None) -> Any:
        """Make a control call and return the decoded answer. Raises requests.HTTPError when it is refused."""
        # Not by requests, which takes a millisecond for each: tests look many times for what they wait for.
        with closing(HTTPConnection(urlsplit(self.scenario["control_url"]).netloc, timeout=60)) as connection:
            connection.request(method, path, None if json is None else dumps(json))
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise requests.HTTPError(f"{method} {path}: {answer.status} {text}")
        return loads(text)

    def log(self) -> str:
        """Everything that the sandbox has written so far."""
        return (self.state / "sandbox.log").read_text(errors="replace")

    def stop(self) -> int:
        """Stop it as Ctrl-C does and return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)


def start(state: Path, *arguments: str, alone: bool = False) -> Sandbox:
    """Start a sandbox with its state in ``state`` and wait until it is ready.

    :param alone: as an ordinary process, which is slower, and needs nothing of Linux.
    :raises SandboxFailed: it ended, or is not ready in time.
    """
    state.mkdir(parents=True, exist_ok=True)
    ready = [state / "env", state / "scenario.json"]
    started = time.time()
    with (state / "sandbox.log").open("ab") as log:
        words = ("tests.sandbox", "--state", str(state), *arguments)
        process: preloaded.Process
        if alone:
            command = [sys.executable, "-m", *words]
            process = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True)
        else:
            process = preloaded.run(*words, cwd=REPOSITORY, env={**os.environ}, output=log, errors=log)
    try:
        _wait_ready(process, ready, started)
    except BaseException as error:
        process.kill()
        process.wait()
        if isinstance(error, TimeoutError):
            raise SandboxFailed((state / "sandbox.log").read_text(errors="replace")[-4000:] or str(error)) from None
        raise
    return Sandbox(process, state, loads(ready[1].read_text()), read_env(ready[0]))


def _wait_ready(process: preloaded.Process, ready: list[Path], started: float) -> None:
    while not all(file.exists() and file.stat().st_mtime >= started - 1 for file in ready):
        if process.poll() is not None or time.time() - started > START_TIMEOUT:
            raise TimeoutError(f"the local servers are not ready after {time.time() - started:.0f} s")
        time.sleep(0.02)


def read_env(file: Path) -> dict[str, str]:
    """The settings in the sandbox's ``env`` file."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)
