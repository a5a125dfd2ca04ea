"""What the programs use: their processes, memory and open files, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = {
    "daemon": "-m daemon",
    "web": "-m web",
    "upkeep": "-m web.upkeep",
    "watchdog": "-m daemon.supervision.watchdog",
}


@dataclass(frozen=True)
class Reading:
    """Of one program with its children: resident memory in KiB and open file descriptors."""

    memory_kib: int
    files: int


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    return [pid, *(one for child in children(pid) for one in family(child))]


def programs(launcher: int) -> dict[str, int]:
    """The process id of each program that runs under *launcher*."""
    lines = {_command(pid): pid for pid in children(launcher)}
    return {
        name: pid for name, words in PROGRAMS.items() for line, pid in lines.items() if line.strip().endswith(words)
    }


def read(launcher: int) -> dict[str, Reading]:
    """A reading of each program."""
    found = {}
    for name, pid in programs(launcher).items():
        members = family(pid)
        found[name] = Reading(sum(map(_memory_kib, members)), sum(map(_files, members)))
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _memory_kib(pid: int) -> int:
    """Private and shared memory in proportion, which is what a container is charged."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0
