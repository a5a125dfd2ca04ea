"""Whether each part of the shop is well: what ``/health`` and ``/metrics`` tell, and what a ping waits for.

Each check is about what customers meet: a daemon without a heartbeat, or whose bot is not logged in, is unhealthy even
though its process lives.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import peewee

from config.units import MIB
from models import database, outbox
from models.jobs import queue
from models.maintenance import health
from web.paypal.client import PayPal, PayPalError

JOB_WAIT_S = 900
EVENT_WAIT_S = 300
DISK_FREE = 64 * MIB
"""Bytes that must be free; on a disk smaller than twenty times this, a twentieth of it."""
PAYPAL_EVERY_S = 30
PAYPAL_PATIENCE_S = 3
NEVER = float("-inf")


class Status(StrEnum):
    OK = "ok"
    FAILING = "failing"
    OFF = "off"


@dataclass(frozen=True)
class Check:
    """How one part is; ``age_s`` is the age of that knowledge in seconds."""

    status: Status
    age_s: int
    detail: str


class Health:
    """The checks, with what they remember between requests."""

    def __init__(self, db_path: Path, paypal: PayPal | None) -> None:
        self._db_path = db_path
        self._paypal = _PayPalCheck(paypal) if paypal else None

    def checks(self, now: int) -> dict[str, Check]:
        """The check of every part, by its name."""
        found = _of_database(now)
        found["paypal"] = self._paypal.check() if self._paypal else Check(Status.OFF, 0, "not set up")
        found["disk"] = self._disk()
        return found

    def _disk(self) -> Check:
        usage = shutil.disk_usage(self._db_path)
        enough = usage.free >= min(DISK_FREE, usage.total // 20)
        return Check(_status(enough), 0, f"{usage.free // MIB} MiB free")


class _PayPalCheck:
    """Asks PayPal for a token, at most every 30 seconds and in one thread; the others get the last answer.

    Until there is a first answer, they wait for it.
    """

    def __init__(self, paypal: PayPal) -> None:
        self._paypal = paypal
        self._asking = threading.Lock()
        self._last = (Status.FAILING, "not asked yet", NEVER)

    def check(self) -> Check:
        if self._asking.acquire(blocking=self._last[2] == NEVER):
            try:
                if time.monotonic() - self._last[2] >= PAYPAL_EVERY_S:
                    self._last = (*self._ask(), time.monotonic())
            finally:
                self._asking.release()
        status, detail, asked = self._last
        return Check(status, int(time.monotonic() - asked), detail)

    def _ask(self) -> tuple[Status, str]:
        try:
            with self._paypal.within(PAYPAL_PATIENCE_S):
                self._paypal.check()
        except PayPalError as error:
            return Status.FAILING, type(error).__name__
        return Status.OK, "accepts our credentials"


def _of_database(now: int) -> dict[str, Check]:
    parts: dict[str, Callable[[int], Check]] = {"bot": _bot, "account": _account, "jobs": _jobs, "events": _events}
    try:
        database.connect()
        return {"database": Check(Status.OK, 0, "readable"), **{name: check(now) for name, check in parts.items()}}
    except peewee.DatabaseError as error:
        unknown = Check(Status.FAILING, 0, "unknown: the database cannot be read")
        return {"database": Check(Status.FAILING, 0, str(error)), **dict.fromkeys(parts, unknown)}


def _bot(now: int) -> Check:
    return _client("bot", now)


def _account(now: int) -> Check:
    return _client("account", now)


def _client(name: str, now: int) -> Check:
    beat = health.all().get("daemon")
    if beat is None:
        return Check(Status.FAILING, 0, "the daemon has not started yet")
    age = beat.age(now)
    if not beat.is_fresh(now):
        return Check(Status.FAILING, age, "the daemon gives no sign of life")
    state = str(beat.detail.get(name, "unknown"))
    return Check(Status.OFF if state == "paused" else _status(state == "ok"), age, state)


def _jobs(now: int) -> Check:
    line = queue.overview(now)
    waiting = line.oldest_wait_s or 0
    return Check(_status(waiting <= JOB_WAIT_S), waiting, f"{line.queued} waiting, {line.running} running")


def _events(now: int) -> Check:
    oldest_ms = outbox.oldest_unheard_ms()
    waiting = 0 if oldest_ms is None else max(0, now - oldest_ms // 1000)
    return Check(_status(waiting <= EVENT_WAIT_S), waiting, "nothing to tell" if oldest_ms is None else "waiting")


def _status(good: bool) -> Status:
    return Status.OK if good else Status.FAILING
