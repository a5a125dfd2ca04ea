"""``make demo`` as a process of its own, as somebody starts it at a desk."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox_process import REPOSITORY

UP_WITHIN_S = 120.0
ENDED_WITHIN_S = 60.0


@dataclass(frozen=True)
class Demo:
    """A running demo."""

    process: "subprocess.Popen[bytes]"
    place: Path
    url: str

    def said(self) -> str:
        """What stands in its terminal."""
        return said(self.place)

    def end(self) -> int:
        """Ctrl-C, and the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(ENDED_WITHIN_S)


def said(place: Path) -> str:
    """What the demo with its state in *place* has said."""
    return (place / "terminal").read_text("utf-8")


@contextlib.contextmanager
def demo(place: Path, **settings: str) -> Iterator[Demo]:
    """Run it until its page is up; at the end it must stop well, unless the test has seen to that."""
    process = begun(place, **settings)
    running = Demo(process, place, _address(process, place))
    try:
        yield running
    finally:
        if process.poll() is None:
            assert running.end() == 0, running.said()


def begun(place: Path, **settings: str) -> "subprocess.Popen[bytes]":
    """The demo as it begins to start."""
    place.mkdir(parents=True, exist_ok=True)
    own = {"DEMO_PORT": "0", "DEMO_PLACE": str(place / "state"), **settings}
    around = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "ONCE")}
    with (place / "terminal").open("wb") as terminal:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.demo"],
            cwd=REPOSITORY,
            env=around | own,
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _address(process: "subprocess.Popen[bytes]", place: Path) -> str:
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"the page +(http://\S+)", said(place)):
            return found[1]
        time.sleep(0.1)
    process.kill()
    raise AssertionError(f"the demo does not come up:\n{said(place)}")
