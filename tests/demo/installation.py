"""Sandbox and programs, started as an operator would start them, and stopped in order."""

import contextlib
import fcntl
import itertools
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from tests import preloaded, sandbox_process
from tests.sandbox_process import REPOSITORY, Sandbox

HEALTHY_WITHIN_S = 30
ALONE_WITHIN_S = 90
"""Where nothing was read or compiled before, on a machine that may have other things to do."""
STOPPED_WITHIN_S = 40


class NotHealthy(Exception):
    """The programs did not come up. Carries the end of their log."""


@dataclass
class Installation:
    """A sandbox and one installation of the programs beside it."""

    sandbox: Sandbox
    place: Path
    data: Path
    port: int
    settings: Mapping[str, str]
    alone: bool = False
    launcher: preloaded.Process | None = None

    @property
    def base_url(self) -> str:
        """Where the web program answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def console(self) -> Path:
        """What the programs have written, over all launches."""
        return self.place / "console.log"

    @property
    def environ(self) -> dict[str, str]:
        """What the programs, and the operator's commands, are started with."""
        return {
            **os.environ,
            **self.sandbox.env,
            "PYTHONPATH": str(REPOSITORY),
            "DB_PATH": str(self.data),
            "PORT": str(self.port),
            "WEB_ADDRESS": "127.0.0.1",
            "BACKEND_URL": self.base_url,
            **self.settings,
        }

    def launch(self) -> "Installation":
        """Start the programs."""
        with self.console.open("ab") as output:
            self.launcher = preloaded.launch(cwd=self.place, env=self.environ, console=output, alone=self.alone)
        return self

    def quit(self) -> int:
        """Stop the programs; returns the launcher's exit code."""
        assert self.launcher is not None
        if self.launcher.poll() is None:
            self.launcher.send_signal(signal.SIGTERM)
        return self.launcher.wait(STOPPED_WITHIN_S)

    def stop(self) -> int:
        """Stop the programs, then the sandbox; returns the launcher's exit code."""
        code = self.quit()
        self.sandbox.stop()
        return code


@contextlib.contextmanager
def claimed(place: Path) -> Iterator[Path]:
    """A directory that no other demo has: *place*, or else the first of ``place-2``, ``place-3`` that is free."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        own = place if number == 1 else place.with_name(f"{place.name}-{number}")
        with own.with_name(f"{own.name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield own
            return


def start(place: Path, data: Path | None = None, alone: bool = False, **settings: str) -> Installation:
    """Start everything with its state in *place*, which is emptied first, and wait until it is healthy.

    *data* may be a directory elsewhere; *settings* are for the programs; *alone* as in ``sandbox_process.start``, so
    that what the programs weigh is theirs.

    :raises NotHealthy: it did not come up.
    """
    shutil.rmtree(place, ignore_errors=True)
    data = data or place / "data"
    data.mkdir(parents=True, exist_ok=True)
    place.mkdir(parents=True, exist_ok=True)
    sandbox = sandbox_process.start(place / "sandbox", alone=alone)
    installation = Installation(sandbox, place, data, free_port(), settings, alone).launch()
    try:
        wait_healthy(installation, ALONE_WITHIN_S if alone else HEALTHY_WITHIN_S)
    except BaseException:
        installation.stop()
        raise
    return installation


def wait_healthy(installation: Installation, seconds: float = HEALTHY_WITHIN_S) -> None:
    """Wait until ``/health`` answers 200.

    :raises NotHealthy: it does not in time, or the launcher ended.
    """
    answer = "no answer"
    deadline = time.monotonic() + seconds
    launcher = installation.launcher
    while time.monotonic() < deadline and launcher is not None and launcher.poll() is None:
        try:
            response = requests.get(f"{installation.base_url}/health", timeout=2)
            if response.ok:
                return
            answer = response.text
        except requests.RequestException as error:
            answer = type(error).__name__
        time.sleep(0.1)
    lines = installation.console.read_text(errors="replace").splitlines()
    told = [line for line in lines if '"path": "/health"' not in line]  # our own questions
    raise NotHealthy("\n".join([answer, *told[-20:]]))


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
