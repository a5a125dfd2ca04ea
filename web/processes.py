"""The running programs of this installation, with the memory and the open files of each, from ``/proc``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.units import KIB

LAUNCHER = "daemon.supervision"
PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process: the module it runs, its share of memory in bytes, its open files (None: not readable for us)."""

    program: str
    memory: int
    files: int | None


def family() -> list[Process]:
    """The launcher and all that runs under it; without a launcher, only this process."""
    parents = dict(_parents())
    ancestors = [os.getpid()]
    while (parent := parents.get(ancestors[-1])) is not None:
        ancestors.append(parent)
    root = next((pid for pid in ancestors if _program(pid) == LAUNCHER), os.getpid())
    members = (pid for pid in parents if pid == root or root in _ancestors(pid, parents))
    return [process for pid in sorted(members) if (process := _process(pid)) is not None]


def _parents() -> Iterator[tuple[int, int]]:
    for directory in PROC.glob("[0-9]*"):
        try:
            # The name between the brackets may hold brackets and blanks itself.
            fields = (directory / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        yield int(directory.name), int(fields[1])


def _ancestors(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while (pid := parents.get(pid, 0)) > 0:
        yield pid


def _process(pid: int) -> Process | None:
    """None for a process that has just ended, and for one that is none of our programs."""
    program = _program(pid)
    try:
        return Process(program, _memory(PROC / str(pid)), _files(PROC / str(pid))) if program else None
    except (FileNotFoundError, ProcessLookupError):
        return None


def _program(pid: int) -> str | None:
    """The module that a process runs, ``python -m MODULE``."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return None
    return words[words.index("-m") + 1] if "-m" in words[:-1] else None


def _memory(directory: Path) -> int:
    """Bytes: the proportional share where we may read it, else all that is resident, shared pages in full."""
    try:
        for line in (directory / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * KIB
    except PermissionError:
        pass
    return int((directory / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _files(directory: Path) -> int | None:
    try:
        return len(os.listdir(directory / "fd"))
    except PermissionError:
        return None
