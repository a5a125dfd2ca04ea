"""What happens underneath, as it happens: rows that change, calls at the local servers, the log as people read it."""

import asyncio
import contextlib
import itertools
import re
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from http.client import HTTPException
from typing import Any

from config.log_reader import Entry, Log, Wanted, say
from config.texts import translator
from tests.demo.bubbles import Value
from tests.demo.installation import Installation
from tests.demo.switches import Switches, failing
from tests.demo.visitors import Visitor, Visitors

EVERY_S = 0.4
ROWS = 60
"""Rows of a table that are compared, the newest."""
QUIET_TABLES = ("heartbeat", "sqlite_", "console_", "migrate", "note", "telegram_login")
HIDDEN = re.compile(
    "digest|token|secret|session|hash|random_id|request_id|body|payload|^sent$|^owner$|(_at|_ms|_until|_before|_on)$|^at$"
)
"""Names of columns that are not shown: what is secret, long, or only says when."""
STANDS_EVERY = 3
"""Looks at how the programs stand: one in so many."""
QUIET_CALLS = ("ping", "updates.", "help.", "msgs", "http_", "auth.", "destroy", "get_future", "invoke")
LONGEST = 48

Row = dict[str, Any]


class Underneath:
    """Watches an installation for the visitors who want to see it; nobody is shown another's customer."""

    def __init__(self, running: Installation, visitors: Visitors, switches: Switches) -> None:
        self._running = running
        self._visitors = visitors
        self._switches = switches
        self._rows = Rows(running.data / "peaje.db")
        self._calls = Calls(running)
        self._log = LogTail(running)
        self._code = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch(), name="underneath")
        self._log.start()

    async def stop(self) -> None:
        """Watch no more."""
        self._log.stop()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        for look in itertools.count():
            await asyncio.sleep(EVERY_S)
            watching = [each for each in self._visitors.present() if each.watches]
            entries = self._log.new()
            if not watching:
                self._rows.rest()
                self._calls.rest()
                continue
            rows, calls = await read(self._rows.changes), await read(self._calls.new)
            for visitor in watching:
                self._tell(visitor, rows, calls, entries)
            if look % STANDS_EVERY == 0:
                parts = await self._stands()
                await self._tell_code()
                for visitor in watching:
                    visitor.tell({"type": "health", "parts": parts})

    async def _stands(self) -> list[Value]:
        """How each program stands, and what ``/health`` says."""
        programs = await self._switches.programs()
        parts = [
            {"name": name, "said": f"{each['for_s']} s" if each["pid"] else "away", "well": bool(each["pid"])}
            for name, each in sorted(programs.items())
        ]
        wrong = await asyncio.to_thread(failing, self._running)
        return [*parts, {"name": "health:", "said": wrong or "ok", "well": not wrong}]

    async def _tell_code(self) -> None:
        """Where somebody logs the account in anew: what Telegram sends to the account's other devices."""
        code = "" if self._switches.shown()["account"] else await self._switches.code()
        if code and code != self._code:
            under = f"{code}: sent to the account's other devices."
            self._visitors.tell({"type": "caption", "title": "Telegram's code", "under": under})
        self._code = code

    def _tell(self, visitor: Visitor, rows: list[Row], calls: list[Value], entries: list[Value]) -> None:
        hidden = self._visitors.others(visitor)
        shown = [row for row in rows if row["user"] not in hidden]
        entries = [each for each in entries if each["user"] not in hidden]
        if shown or calls or entries:
            visitor.tell({"type": "under", "rows": shown, "calls": calls, "log": entries})


async def read(look: Callable[[], list[Value]]) -> list[Value]:
    """What *look* finds that is new; nothing where it cannot be read now: what else is new is told all the same."""
    try:
        return await asyncio.to_thread(look)
    except (sqlite3.Error, OSError, HTTPException):
        return []


class Rows:
    """The database, read as anybody may who has the file: what is new in it, and what has changed."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._seen: dict[str, dict[int, Row]] | None = None
        self._version = -1

    def rest(self) -> None:
        """Forget what was seen: what comes next is the beginning."""
        self._seen, self._version = None, -1

    def changes(self) -> list[Row]:
        """What has changed since the last time; nothing the first time."""
        with contextlib.closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=1)) as open_:
            open_.row_factory = sqlite3.Row
            now = {table: _rows(open_, table) for table in _tables(open_)}
        before, self._seen = self._seen, now
        return [] if before is None else list(_differences(before, now))


def _tables(open_: sqlite3.Connection) -> list[str]:
    found = open_.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in found if not name.startswith(QUIET_TABLES)]


def _rows(open_: sqlite3.Connection, table: str) -> dict[int, Row]:
    try:
        found = open_.execute(f'SELECT rowid AS rowid_, * FROM "{table}" ORDER BY rowid DESC LIMIT {ROWS}').fetchall()
    except sqlite3.OperationalError:  # a table without row ids
        return {}
    return {row["rowid_"]: dict(row) for row in found}


def _differences(before: dict[str, dict[int, Row]], now: dict[str, dict[int, Row]]) -> Iterator[Row]:
    for table, rows in now.items():
        known = before.get(table, {})
        for id_ in sorted(rows):
            old, new = known.get(id_), rows[id_]
            if old is None and (not known or id_ > max(known)):
                yield _told(table, new, "new", _values(new))
            elif old is not None and old != new:
                changed = {name: new[name] for name in new if old.get(name) != new[name]}
                words = [f"{name}: {_short(old.get(name))} → {_short(new[name])}" for name in _visible(changed)]
                if words:
                    yield _told(table, new, "changed", ", ".join(words))


def _told(table: str, row: Row, what: str, words: str) -> Row:
    user = row.get("user_id") or row.get("chat_id") or (row["rowid_"] if table == "user" else None)
    return {"table": table, "id": row["rowid_"], "what": what, "words": words, "user": user}


def _values(row: Row) -> str:
    skipped = ("rowid_", "id", "chat_id")
    shown = [
        f"{name}={_short(row[name])}" for name in _visible(row) if name not in skipped and row[name] not in (None, "")
    ]
    return " ".join(shown[:7])


def _visible(row: Row) -> list[str]:
    return [name for name in row if not HIDDEN.search(name)]


def _short(value: Any) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


class Calls:
    """What the shop asks the local Telegram and PayPal."""

    def __init__(self, running: Installation) -> None:
        self._sandbox = running.sandbox
        scenario = running.sandbox.scenario
        self._names = {str(scenario["bot"]["id"]): "bot", str(scenario["operator"]["id"]): "account"}
        self._counted: dict[tuple[str, str], int] | None = None
        self._paypal: int | None = None

    def rest(self) -> None:
        """Forget what was counted."""
        self._counted, self._paypal = None, None

    def counted(self) -> dict[tuple[str, str], int]:
        """How often bot and account have called each method."""
        calls = self._sandbox.control("GET", "/stats")["calls_by_account"]
        return {
            (self._names[account], method): number
            for account, methods in calls.items()
            if account in self._names
            for method, number in methods.items()
            if not method.startswith(QUIET_CALLS)
        }

    def new(self) -> list[Value]:
        """The calls since the last time; none the first time."""
        now, paypal = self.counted(), self._sandbox.control("GET", "/paypal/calls")
        before, self._counted = self._counted, now
        known, self._paypal = self._paypal, len(paypal)
        if before is None or known is None:
            return []
        found: list[Value] = [
            {"to": "Telegram", "by": by, "call": method, "times": number - before.get((by, method), 0)}
            for (by, method), number in now.items()
            if number > before.get((by, method), 0)
        ]
        news = paypal[known:] if len(paypal) > known else []
        return found + [
            {"to": "PayPal", "by": str(each["status"]), "call": f"{each['method']} {each['path']}", "times": 1}
            for each in news
        ]


class LogTail:
    """The log, followed by a thread: reading it waits."""

    def __init__(self, running: Installation) -> None:
        self._directory = running.data / "logs"
        self._lines: deque[Value] = deque(maxlen=400)
        self._jobs: dict[Any, Any] = {}
        self._stopped = threading.Event()

    def start(self) -> None:
        """Follow it from here on."""
        threading.Thread(target=self._follow, name="log", daemon=True).start()

    def stop(self) -> None:
        """Keep nothing more."""
        self._stopped.set()

    def new(self) -> list[Value]:
        """What was written since the last time."""
        found = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(self._lines.popleft())
        return found

    def _follow(self) -> None:
        with Log(self._directory) as log:
            log.newest(Wanted(), 1)
            for entry in log.follow(Wanted()):
                if self._stopped.is_set():
                    return
                if entry.fields.get("path") != "/health":
                    self._lines.append(self._line(entry))

    def _line(self, entry: Entry) -> Value:
        said, job = say(entry, None, translator("en")), entry.fields.get("job")
        user = entry.fields.get("user") or self._jobs.get(job)
        if job is not None and user is not None:
            self._jobs[job] = user
        return {
            "level": said.level,
            "time": said.time[11:],
            "program": said.program,
            "message": said.message,
            "fields": said.fields,
            "user": user,
        }
