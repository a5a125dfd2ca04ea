"""One mistake tried: in a copy of the repository, against the tests that run its line, in limited time."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.changes import Mutant
from tests.mutants.lines import REPOSITORY

RUN = "PEAJE_MUTANT"
"""Marks what a trial has started, so that its end ends all of it."""
START_S = 40.0
"""What the programs of a run need to start, beyond its tests, on a machine that does other things too."""
GOODBYE_S = 15.0


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: killed, survived, timed out, or that nothing runs the line; *by* what it was killed."""

    mutant: Mutant
    word: str
    by: str = ""


class Copy:
    """A copy of the repository's last commit, in which one mistake at a time is made."""

    def __init__(self, place: Path) -> None:
        self._place = place
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run(["git", "clone", "-q", "--shared", str(REPOSITORY), str(place)], check=True)
        for name in (".venv", "node_modules"):
            (place / name).symlink_to((REPOSITORY / name).resolve())
        self._changed_at = time.time()

    def attempt(self, mutant: Mutant, tests: Sequence[str], limit_s: float) -> Outcome:
        """Make the mistake, run *tests* for at most *limit_s* seconds and their start, and undo it."""
        source = (self._place / mutant.file).read_bytes()
        self._write(mutant.file, mutant.applied(source))
        try:
            return self._run(mutant, tests, limit_s)
        finally:
            self._write(mutant.file, source)

    def _write(self, file: str, source: bytes) -> None:
        """Bytecode is taken for that of a file with the same second and size: no two changes share a second."""
        self._changed_at += 2
        (self._place / file).write_bytes(source)
        os.utime(self._place / file, (self._changed_at, self._changed_at))

    def _run(self, mutant: Mutant, tests: Sequence[str], limit_s: float) -> Outcome:
        name = f"{os.getpid()}-{self._place.name}-{self._changed_at}"
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
        with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory(prefix="mutant-") as scratch:
            environ = {**os.environ, RUN: name, "TMPDIR": scratch, "PYTHONDONTWRITEBYTECODE": ""}
            process = subprocess.Popen(command, cwd=self._place, env=environ, stdout=said, stderr=said)
            try:
                code = process.wait(START_S + limit_s)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(GOODBYE_S)
                return Outcome(mutant, "timed out")
            finally:
                _end(name)
                process.wait()
            said.seek(0)
            by = _first_failure(said.read().decode())
            return Outcome(mutant, "killed", by) if code else Outcome(mutant, "survived")


def _first_failure(said: str) -> str:
    told = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return told[0].partition(" - ")[0].partition("::")[2] if told else said.strip().rpartition("\n")[2][:80]


def _end(name: str) -> None:
    """End what is left of a run, in whatever session it is."""
    mark = f"{RUN}={name}".encode()
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (each / "environ").read_bytes().split(b"\0"):
                os.kill(int(each.name), signal.SIGKILL)
