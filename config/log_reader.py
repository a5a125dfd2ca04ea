"""The log as a person reads it: the files of all programs, rotated ones too, merged by time; then what comes next."""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, tzinfo
from io import FileIO
from pathlib import Path
from typing import Any, TextIO

from config.texts import Message, Texts
from config.units import KIB

LEVELS = ("debug", "info", "warning", "error", "critical")
"""From the least to the most grave."""
POLL_S = 0.5
LINE_BYTES = 64 * KIB
"""No line that our programs write is longer."""

_FILE = re.compile(r"(?P<program>[\w-]+)\.(log|txt)(\.(?P<age>\d+))?")
_SUPERVISORD = re.compile(r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(?P<ms>\d{3}) (?P<level>[A-Z]+) (?P<said>.*)")
_SUPERVISORD_LEVELS = {"CRIT": "critical", "ERRO": "error", "WARN": "warning", "INFO": "info"}
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d")
_BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)
_OWN = ("timestamp", "level", "logger", "message", "process", "exc_info", "stack_info")
_SPANS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MARKS = {
    "warning": Message("WARN"),
    "error": Message("ERROR"),
    "critical": Message("FATAL"),
}


@dataclass(frozen=True)
class Entry:
    """One line of the log. ``trace`` is the traceback below it, or empty."""

    at: datetime
    program: str
    level: str
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    trace: str = ""


@dataclass
class Wanted:
    """Which entries to show. A customer's are also those of their jobs, whether or not they name the customer."""

    customer: int | None = None
    job: int | None = None
    level: str = "info"
    program: str | None = None
    since: datetime | None = None
    _jobs: set[Any] = field(default_factory=set)

    def fits(self, entry: Entry) -> bool:
        if self.since is not None and entry.at < self.since:
            return False
        if self.program is not None and entry.program != self.program:
            return False
        if _gravity(entry.level) < _gravity(self.level):
            return False
        if self.job is not None and entry.fields.get("job") != self.job:
            return False
        return self.customer is None or self._is_of_customer(entry)

    def _is_of_customer(self, entry: Entry) -> bool:
        job = entry.fields.get("job")
        job = job if isinstance(job, int) else None  # a damaged line may hold anything
        if entry.fields.get("user") == self.customer:
            self._jobs.add(job)
            return True
        return job is not None and "user" not in entry.fields and job in self._jobs


class Log:
    """The log files of one directory; to be closed in the end, as a context manager.

    :param most_bytes: how much of the end of each program's present file is read at first, and nothing of older ones;
        None: everything.
    """

    def __init__(self, directory: Path, most_bytes: int | None = None) -> None:
        self._directory = directory
        self._most_bytes = most_bytes
        self._tails: dict[str, _Tail] = {}

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        for tail in self._tails.values():
            tail.close()

    def programs(self) -> list[str]:
        """The programs that have written something, in the order of the alphabet."""
        return sorted(self._files())

    def newest(self, wanted: Wanted, number: int) -> list[Entry]:
        """The newest *number* entries that fit, or all with 0, in the order of time.

        :meth:`follow` goes on behind them.
        """
        with contextlib.ExitStack() as stack:
            streams = []
            for program, files in self._files().items():
                self._tails[program] = _Tail(program, files[-1], self._most_bytes)
                read = files[:-1] if self._most_bytes is None else ()
                older = [stack.enter_context(_opened(file)) for file in read]
                streams.append(_entries(program, _lines(older, self._tails[program])))
            merged = heapq.merge(*streams, key=lambda entry: entry.at)
            return list(deque(filter(wanted.fits, merged), maxlen=number or None))

    def follow(self, wanted: Wanted) -> Iterator[Entry]:
        """What is written from now on, without an end."""
        while True:
            time.sleep(POLL_S)
            for program, files in self._files().items():
                self._tails.setdefault(program, _Tail(program, files[-1]))
            new = [entry for tail in self._tails.values() for entry in tail.entries()]
            yield from filter(wanted.fits, sorted(new, key=lambda entry: entry.at))

    def _files(self) -> dict[str, list[Path]]:
        """The files of each program, the oldest first."""
        found: dict[str, dict[int, Path]] = {}
        for file in self._directory.iterdir() if self._directory.is_dir() else ():
            if match := _FILE.fullmatch(file.name):
                found.setdefault(match["program"], {})[int(match["age"] or 0)] = file
        return {program: [files[age] for age in sorted(files, reverse=True)] for program, files in found.items()}


class _Tail:
    """The file that a program writes to at the moment, read up to its last whole line, over rotations.

    What stands behind that line is read again each time: a program that finds half a line there cuts it off, and
    writes another in its place.
    """

    def __init__(self, program: str, file: Path, most_bytes: int | None = None) -> None:
        self._program = program
        self._file = file
        self._stream: FileIO | None = None
        self._open()
        if most_bytes is not None:
            self._skip_to_the_last(most_bytes)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def entries(self) -> Iterator[Entry]:
        return _entries(self._program, self.lines())

    def lines(self) -> Iterator[str]:
        """What has been added since the last time, line by line."""
        if self._stream is None:
            self._open()
        while self._stream is not None:
            yield from _whole_lines(self._stream)
            if not self._is_rotated():
                return
            self._stream.close()
            self._open()

    def _open(self) -> None:
        try:
            self._stream = FileIO(self._file)
        except FileNotFoundError:  # between two names
            self._stream = None

    def _skip_to_the_last(self, most_bytes: int) -> None:
        """Begin at the first whole line of the last *most_bytes*."""
        if self._stream is not None and (size := self._file.stat().st_size) > most_bytes:
            begin = self._stream.seek(size - most_bytes)
            self._stream.seek(begin + self._stream.read(LINE_BYTES).find(b"\n") + 1)

    def _is_rotated(self) -> bool:
        """Whether the file has been given another name, or begun anew, since it was opened."""
        assert self._stream is not None
        opened = Path(f"/proc/self/fd/{self._stream.fileno()}").stat()
        try:
            present = self._file.stat()
        except FileNotFoundError:
            return False
        return (opened.st_dev, opened.st_ino) != (present.st_dev, present.st_ino)


def _opened(file: Path) -> TextIO:
    return file.open(encoding="utf-8", errors="replace")


def _whole_lines(stream: FileIO) -> Iterator[str]:
    """The lines of a file from where it was read to, but not what stands behind the last of them."""
    begin = stream.tell()
    if os.fstat(stream.fileno()).st_size < begin:  # somebody has emptied it
        begin = stream.seek(0)
    content = stream.read()
    end = content.rfind(b"\n") + 1
    stream.seek(begin + end)
    yield from (line.decode(errors="replace") for line in content[:end].split(b"\n")[:-1])


def _lines(older: Iterable[TextIO], tail: _Tail) -> Iterator[str]:
    for stream in older:
        yield from (line.rstrip("\n") for line in stream)
    yield from tail.lines()


def _entries(program: str, lines: Iterable[str]) -> Iterator[Entry]:
    """The lines as entries; one that is damaged is shown as it is, at the time of the one before."""
    at = datetime.fromtimestamp(0, UTC)
    for line in filter(None, lines):
        entry = _read_json(program, line) or _read_supervisord(line) or Entry(at, program, "info", line)
        at = entry.at
        yield entry


def _read_json(program: str, line: str) -> Entry | None:
    try:
        values = json.loads(line)
        return Entry(
            at=_with_zone(datetime.fromisoformat(values["timestamp"])),
            program=program,
            level=str(values["level"]),
            message=str(values["message"]),
            fields={name: value for name, value in values.items() if name not in _OWN},
            trace="\n".join(str(values[name]) for name in ("exc_info", "stack_info") if values.get(name)),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _with_zone(at: datetime) -> datetime:
    if not MINYEAR < at.year < MAXYEAR:
        raise ValueError("in some time zone it is no time")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _read_supervisord(line: str) -> Entry | None:
    """A line of supervisord's own text, whose times are the system's local ones."""
    match = _SUPERVISORD.fullmatch(line)
    if match is None:
        return None
    at = datetime.fromisoformat(f"{match['at']}.{match['ms']}").astimezone()
    return Entry(at, "supervisord", _SUPERVISORD_LEVELS.get(match["level"], "debug"), match["said"])


def _gravity(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("info")


def moment(text: str, now: datetime) -> datetime:
    """What ``--since`` means: a span (``90m``, ``2h``, ``3d``) before *now*, the last time that it was so late
    (``14:00``), or a date, with or without a time.

    :raises ValueError: none of them, or before all time.
    """
    if match := re.fullmatch(r"(\d{1,6})\s*([smhd])", text.strip().lower()):
        span = timedelta(**{_SPANS[match[2]]: int(match[1])})
        return max(now, _BEGINNING + span) - span
    if _TIME_OF_DAY.fullmatch(text.strip()):
        today = datetime.combine(now.date(), datetime.strptime(text.strip(), "%H:%M").time(), now.tzinfo)
        return today if today <= now else today - timedelta(days=1)
    at = datetime.fromisoformat(text.strip())
    return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)


@dataclass(frozen=True)
class Said:
    """An entry in pieces, to be coloured each on its own."""

    level: str
    time: str
    program: str
    mark: str
    message: str
    fields: str
    trace: str


def say(entry: Entry, timezone: tzinfo | None, t: Texts) -> Said:
    """*entry* for a terminal, its time in *timezone* (None: the system's).

    What customers typed is in the log too: characters that would steer the terminal are shown, not sent.
    """
    mark = _MARKS.get(entry.level)
    return Said(
        level=entry.level,
        time=f"{entry.at.astimezone(timezone):%Y-%m-%d %H:%M:%S}",
        program=entry.program,
        mark=mark.said_in(t) if mark else "",
        message=_harmless(entry.message),
        fields=" ".join(f"{name}={_value(value)}" for name, value in entry.fields.items()),
        trace="".join(f"    {_harmless(line)}\n" for line in entry.trace.splitlines()),
    )


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    quoted = json.dumps(text, ensure_ascii=False) if isinstance(value, str) and (" " in text or not text) else text
    return _harmless(quoted)


def _harmless(text: str) -> str:
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
