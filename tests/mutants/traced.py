"""Which lines does which test run, in its process and in programs that are forks of ``tests.preloaded``? A plugin.

Each worker keeps a place of its own: the file ``test`` there says which test runs now, and each process writes beside
it the lines that it has run, under the name of that test. What runs at the change of tests may count for either.
"""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PLACE = "PEAJE_TRACED"
"""The place, for a worker and all that it starts."""
SOURCES = [str(REPOSITORY / package) for package in ("config", "models", "daemon", "web")]
_LOOK_S = 0.01
_WRITE_S = 0.5
"""So much of what a process ran is not known when it is killed."""


class Tracing:
    """The lines of this process, by test."""

    def __init__(self, place: Path) -> None:
        self._now = place / "test"
        self._coverage = coverage.Coverage(
            data_file=str(place / "lines"), data_suffix=True, source=SOURCES, config_file=False, messages=False
        )
        self._coverage.set_option("run:core", "ctrace")
        self._coverage.set_option("run:disable_warnings", ["no-data-collected"])
        self._coverage.start()
        self._test, self._written = "", 0.0

    def look(self) -> None:
        """Go on under the name of the test that runs now."""
        test = self._now.read_text() if self._now.exists() else ""
        if test != self._test or time.monotonic() - self._written > _WRITE_S:
            self._test, self._written = test, time.monotonic()
            self._coverage.switch_context(test)

    def follow(self) -> None:
        """Look all the time, in a thread of its own; a fork of this process does too."""
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while True:
            time.sleep(_LOOK_S)
            self.look()


def begin(place: str) -> None:
    """Trace this process, in the place of the worker that has started it."""
    tracing = Tracing(Path(place))
    tracing.follow()
    os.register_at_fork(after_in_child=tracing.follow)


def pytest_configure(config: pytest.Config) -> None:
    """Trace a worker."""
    if hasattr(config, "workerinput"):
        place = Path(os.environ[PLACE]) / config.workerinput["workerid"]
        place.mkdir(parents=True)
        os.environ[PLACE] = str(place)
        config.pluginmanager.register(_Worker(place))


class _Worker:
    def __init__(self, place: Path) -> None:
        self._place, self._tracing = place, Tracing(place)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        began = time.monotonic()
        (self._place / "draft").write_text(item.nodeid)
        (self._place / "draft").replace(self._place / "test")
        self._tracing.look()
        result = yield
        with (self._place / "seconds").open("a") as file:
            file.write(f"{item.nodeid}\t{time.monotonic() - began:.2f}\n")
        return result
