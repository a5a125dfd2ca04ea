"""The log: one JSON object a line, on the console and in ``DB_PATH/logs/<process>.log``, with no secret in it.

``LOG_TOTAL_MB`` bounds all files together: each process has a share, and rotates its file within it.

Fields: ``timestamp`` (RFC 3339, UTC, milliseconds), ``level`` (lower case), ``logger``, ``message``, ``process``, and
what a call adds. The message is an event, ``noun.verb``, and its rows are fields:
``logger.info("job.delivered", extra={"job": 12, "user": 7})``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import math
import os
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import quote

from pythonjsonlogger import json as json_lines

from config.settings import Settings, secret_values
from config.units import KIB, MIB

FILE_BACKUPS = 5
SHARES = {"daemon": 40, "web": 24, "upkeep": 18, "launcher": 4, "watchdog": 4}
"""Percent of the budget that the files of a process may take."""
OTHER_SHARE = 4
"""Of any other process."""
SUPERVISORD_SHARE = 2
"""Of supervisord's own text, in one file and one backup."""
LEFTOVER_SHARE = 4
"""Of all that is left there: by programs that are no more, and by libraries."""
LINE_BYTES = 64 * KIB
CONSOLE_BYTES = 4095
"""Several programs share one console pipe, and Linux writes at most 4096 bytes to a pipe in one piece."""

_QUIET_LIBRARIES = ("pyrogram", "urllib3", "werkzeug", "asyncio", "peewee", "limits", "flask-limiter")
_REDACTED = "[REDACTED]"
_SHORTEST_SECRET = 6
_WORTH_KEEPING = 20
_PATTERNS = (
    (re.compile(r"(?<![0-9])[0-9]{6,}:[A-Za-z0-9_-]{30,}"), _REDACTED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {_REDACTED}"),
    (re.compile(r"\bA21AA[A-Za-z0-9_-]{20,}"), _REDACTED),
    (re.compile(r"(/pay/|/console/login/|/setup/(?=[\w-]{20}))[A-Za-z0-9._~%=-]+"), rf"\1{_REDACTED}"),
    (re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{340,}=*"), _REDACTED),
)
"""Bot tokens, authorization headers, PayPal access tokens, signed payment links, links into the console and the
set-up, session strings, in this order."""


def setup(settings: Settings | None, process: str, console: TextIO | None = None, *, file: bool = True) -> None:
    """Send all records, warnings and uncaught exceptions of this process to *console* (stdout) and ``<process>.log``.

    A file belongs to one process at a time, because a rotation loses the lines of a second one; ``file=False`` leaves
    it to another process. Without settings, when they are the fault, there is only the console, at INFO.
    """
    redactor = Redactor(secret_values(settings) if settings else ())
    handlers: list[logging.Handler] = [_console(console or sys.stdout, process, redactor)]
    if settings and file:
        handlers.append(_file(settings, process, redactor))
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(settings.log_level if settings else "INFO")
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # A record that cannot be written, on a full disk, must not become a plain-text traceback on the console.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


class Redactor:
    """Replaces secrets in text and in nested values. It knows them by their value or their shape."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST_SECRET for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def text(self, text: str) -> str:
        if self._values:
            text = self._values.sub(_REDACTED, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def value(self, value: Any) -> Any:
        """*value* as JSON can hold it, without secrets. What JSON does not know becomes its text."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        text = self.text(str(value))
        is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
        return value if is_number and text == str(value) else text


def budget(settings: Settings, share: int) -> int:
    """The bytes of *share* percent of ``LOG_TOTAL_MB``."""
    return settings.log_total_mb * MIB * share // 100


def prune(settings: Settings) -> None:
    """Delete leftovers, the oldest first, until the rest is within its share."""
    ours = {*SHARES, "supervisord"}
    leftovers = [file for file in settings.logs.iterdir() if file.is_file() and file.name.split(".")[0] not in ours]
    _delete_oldest(leftovers, budget(settings, LEFTOVER_SHARE))


class BoundedHandler(logging.handlers.RotatingFileHandler):
    """A rotating file of whole lines that, with its backups, never holds more than *limit* bytes.

    Files that are larger, since the limit was, are deleted. A line of which a killed process or a full disk has left
    a part is cut off.
    """

    def __init__(self, file: Path, limit: int) -> None:
        self._file = file
        self._limit = limit
        super().__init__(file, maxBytes=limit // (FILE_BACKUPS + 1), backupCount=FILE_BACKUPS, encoding="utf-8")
        self._prune()

    def _open(self) -> TextIOWrapper:
        _cut_torn_line(self._file)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:
        super().handleError(record)
        stream, self.stream = self.stream, None  # the next record opens the file anew
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()

    def doRollover(self) -> None:
        super().doRollover()
        self._prune()

    def _prune(self) -> None:
        backups = list(self._file.parent.glob(f"{self._file.name}.*"))
        _delete_oldest(backups, self._limit - self._file.stat().st_size)


def _cut_torn_line(file: Path) -> None:
    """Cut off the last line of *file* if it has no end."""
    if not file.is_file():
        return
    with file.open("r+b") as content:
        size = content.seek(0, os.SEEK_END)
        start = content.seek(max(0, size - LINE_BYTES))
        tail = content.read()
        if not tail.endswith(b"\n"):
            content.truncate(start + tail.rfind(b"\n") + 1)


def _delete_oldest(files: Iterable[Path], limit: int) -> None:
    """Delete the oldest of *files* until the others hold at most *limit* bytes."""
    newest_first = sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True)
    total = 0
    for file in newest_first:
        total += file.stat().st_size
        if total > limit:
            file.unlink(missing_ok=True)


class JsonFormatter(json_lines.JsonFormatter):
    """One record as one line of JSON, of at most *limit* bytes if there is a limit.

    Values are redacted before they are shortened or escaped, so that no part and no escaped form of a secret remains.
    """

    def __init__(self, process: str, redactor: Redactor, limit: int | None = None) -> None:
        super().__init__(["message"])
        self._process = process
        self._redactor = redactor
        self._limit = limit

    def format(self, record: logging.LogRecord) -> str:
        try:
            return super().format(record)
        except (TypeError, ValueError):
            # The arguments do not fit the message: that is the caller's fault, but the record is worth keeping.
            record.msg, record.args = f"{record.msg} {record.args}", None
            return super().format(record)

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        own = {
            "timestamp": _timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.message,
            "process": self._process,
        }
        log_data.update(own)
        super().add_fields(log_data, record, message_dict)
        log_data.update(own)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        clean: dict[str, Any] = self._redactor.value(log_data)
        return clean

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        if self._limit is not None:
            _shorten(log_data, self._limit)
        return json.dumps(log_data)


def _console(stream: TextIO, process: str, redactor: Redactor) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(process, redactor, CONSOLE_BYTES - len("\n")))
    return handler


def _file(settings: Settings, process: str, redactor: Redactor) -> logging.Handler:
    settings.logs.mkdir(parents=True, exist_ok=True)
    handler = BoundedHandler(settings.logs / f"{process}.log", budget(settings, SHARES.get(process, OTHER_SHARE)))
    handler.setFormatter(JsonFormatter(process, redactor, min(LINE_BYTES, handler.maxBytes) - len("\n")))
    return handler


def _forms(secret: str) -> set[str]:
    """The ways in which a secret can be written: plain, inside JSON, inside an address."""
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe="")}


def _timestamp(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shorten(fields: dict[str, Any], limit: int) -> None:
    """Cut the longest of *fields* until all fit into *limit* bytes. A traceback loses its head, other text its tail."""
    while len(json.dumps(fields)) > limit:
        key = max(fields, key=lambda name: len(json.dumps(fields[name])))
        text = fields[key] if isinstance(fields[key], str) else json.dumps(fields[key])
        half = len(text) // 2
        if half < _WORTH_KEEPING:
            del fields[key]
        else:
            fields[key] = f"…{text[-half:]}" if key in ("exc_info", "stack_info") else f"{text[:half]}…"


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    extra = {"exception": kind.__name__}
    logging.getLogger("uncaught").critical("exception.uncaught", extra=extra, exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = args.thread.name if args.thread else "?"
        info = (args.exc_type, args.exc_value, args.exc_traceback)
        extra = {"exception": args.exc_type.__name__, "thread_name": name}
        logging.getLogger("uncaught").critical("exception.uncaught", extra=extra, exc_info=info)


def _log_unraisable(args: sys.UnraisableHookArgs) -> None:
    info = (args.exc_type, args.exc_value, args.exc_traceback) if args.exc_value is not None else None
    extra = {"reason": args.err_msg or "", "object": repr(args.object)}
    logging.getLogger("uncaught").error("exception.ignored", extra=extra, exc_info=info)
