"""A container of the image, run as a platform does: host network, one volume at /data, SIGTERM to stop."""

from __future__ import annotations

import itertools
import json
import math
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

IMAGE = "peaje:test"
# runc and cgroupfs, because neither crun nor systemd can be counted on inside a container or a virtual machine.
PODMAN = ("podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs")
START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 40
KIB = 1024

_numbers = itertools.count(1)


def podman(*words: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run podman and return what came of it."""
    done = subprocess.run([*PODMAN, *words], capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0 or not check, f"{words}: {done.stderr}"
    return done


@dataclass
class Container:
    """A container that was started."""

    name: str
    port: int
    started: float
    healthy_after: float = math.inf
    """Seconds from its start until `/health` was 200."""

    def get(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def wait_healthy(self) -> None:
        """Wait until ``/health`` answers 200."""
        answer = "nothing"
        while time.monotonic() - self.started < START_TIMEOUT_S and self.is_running():
            try:
                response = self.get("/health")
                if response.ok:
                    self.healthy_after = time.monotonic() - self.started
                    return
                answer = response.text
            except requests.ConnectionError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not healthy: {answer}\n{self.console()[-4000:]}")

    def execute(self, *command: str, check: bool = True) -> str:
        """Run a command inside and return its output."""
        return podman("exec", self.name, *command, check=check).stdout

    def programs(self) -> dict[str, list[str]]:
        """What ``supervisorctl status`` says inside: state and the rest, by program."""
        lines = self.execute("supervisorctl", "status", check=False).splitlines()
        return {line.split()[0]: line.split()[1:] for line in lines}

    def is_running(self) -> bool:
        return bool(self._inspect("{{.State.Running}}") == "true")

    def stop(self) -> int:
        """Stop it as a platform does, and return the exit code."""
        podman("stop", "-t", str(STOP_TIMEOUT_S), self.name, timeout=STOP_TIMEOUT_S + 20)
        return self.exit_code()

    def restart(self) -> None:
        """Start it again on what it left behind."""
        podman("start", self.name)

    def wait(self, timeout: float = 60) -> int:
        """Wait until it ends by itself, and return the exit code."""
        podman("wait", self.name, timeout=timeout)
        return self.exit_code()

    def exit_code(self) -> int:
        return int(self._inspect("{{.State.ExitCode}}"))

    def console(self) -> str:
        """All that the programs wrote."""
        return podman("logs", self.name).stdout

    def log(self) -> list[dict[str, Any]]:
        """The same; each line must be JSON."""
        return [json.loads(line) for line in self.console().splitlines()]

    def pid(self, module: str) -> int | None:
        """The process, by its id outside, that runs this module."""
        return next((pid for pid in self._processes() if _arguments(pid)[-2:] == ["-m", module]), None)

    def memory(self) -> int:
        """Bytes of all processes together, what they share counted once (PSS)."""
        return sum(_pss(pid) for pid in self._processes())

    def _processes(self) -> Iterator[int]:
        return _family(int(self._inspect("{{.State.Pid}}")))

    def remove(self) -> None:
        podman("rm", "--force", "--time", "1", self.name, check=False)

    def _inspect(self, template: str) -> str:
        return podman("inspect", "--format", template, self.name).stdout.strip()


def run(*options: str) -> Container:
    """Start a container of the image, on a port of its own, with these options of ``podman run``."""
    port = _free_port()
    name = f"peaje-test-{next(_numbers)}"
    podman("rm", "--force", name, check=False)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    started = time.monotonic()
    podman(
        "run", "--detach", "--name", name, "--network", "host",
        # Named here because podman's own wish may be above what it is allowed.
        "--ulimit", f"nofile={files}:{files}", "--ulimit", "nproc=4096:4096",
        "--env", f"PORT={port}", "--env", f"BACKEND_URL=http://127.0.0.1:{port}", *options, IMAGE,
    )  # fmt: skip
    return Container(name, port, started)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _family(first: int) -> Iterator[int]:
    yield first
    try:
        children = (Path("/proc") / str(first) / "task" / str(first) / "children").read_text().split()
    except FileNotFoundError:
        return
    for child in children:
        yield from _family(int(child))


def _arguments(pid: int) -> list[str]:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text().rstrip("\0").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _pss(pid: int) -> int:
    try:
        lines = (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * KIB for line in lines if line.startswith("Pss:")), 0)
