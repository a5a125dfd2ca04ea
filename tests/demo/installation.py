"""Sandbox and programs, started as an operator would start them, and stopped in order."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import requests

from tests import sandbox_process
from tests.sandbox_process import REPOSITORY, Sandbox

HEALTHY_WITHIN_S = 30
STOPPED_WITHIN_S = 40


class NotHealthy(Exception):
    """The programs did not come up. Carries the end of their log."""


@dataclass
class Installation:
    """A sandbox and one installation of the programs beside it."""

    sandbox: Sandbox
    launcher: subprocess.Popen[bytes]
    data: Path
    base_url: str
    console: Path

    def stop(self) -> int:
        """Stop the programs, then the sandbox; returns the launcher's exit code."""
        if self.launcher.poll() is None:
            self.launcher.send_signal(signal.SIGTERM)
        code = self.launcher.wait(STOPPED_WITHIN_S)
        self.sandbox.stop()
        return code


def start(place: Path) -> Installation:
    """Start everything with its state in *place*, which is emptied first, and wait until it is healthy.

    :raises NotHealthy: it did not come up.
    """
    shutil.rmtree(place, ignore_errors=True)
    data = place / "data"
    data.mkdir(parents=True)
    sandbox = sandbox_process.start(place / "sandbox")
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    console = place / "console.log"
    with console.open("wb") as output:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "daemon.launcher"],
            cwd=place,
            env=_environment(sandbox, data, port, base_url),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us: we stop the programs in order
        )
    installation = Installation(sandbox, launcher, data, base_url, console)
    try:
        wait_healthy(installation)
    except BaseException:
        installation.stop()
        raise
    return installation


def wait_healthy(installation: Installation) -> None:
    """Wait until ``/health`` answers 200.

    :raises NotHealthy: it does not in time, or the launcher ended.
    """
    answer = "no answer"
    deadline = time.monotonic() + HEALTHY_WITHIN_S
    while time.monotonic() < deadline and installation.launcher.poll() is None:
        try:
            response = requests.get(f"{installation.base_url}/health", timeout=2)
            if response.ok:
                return
            answer = response.text
        except requests.RequestException as error:
            answer = type(error).__name__
        time.sleep(0.1)
    raise NotHealthy(f"{answer}\n{installation.console.read_text(errors='replace')[-3000:]}")


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(sandbox: Sandbox, data: Path, port: int, base_url: str) -> dict[str, str]:
    return {
        **os.environ,
        **sandbox.env,
        "PYTHONPATH": str(REPOSITORY),
        "DB_PATH": str(data),
        "PORT": str(port),
        "WEB_ADDRESS": "127.0.0.1",
        "BACKEND_URL": base_url,
    }
