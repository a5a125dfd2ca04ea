"""The time as this server sees it."""

import time
from datetime import UTC, datetime

from .store import Store

KIND, KEY = "settings", "clock"


class Clock:
    """Wall time plus an offset that tests move and that survives a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def offset(self) -> int:
        """Seconds by which this clock is ahead of the machine's."""
        document = self._store.get(KIND, KEY)
        return document["offset"] if document else 0

    def set_offset(self, seconds: int) -> None:
        self._store.put(KIND, KEY, {"offset": seconds})

    def now(self) -> int:
        """Unix seconds, UTC."""
        return int(time.time()) + self.offset


def rfc3339(seconds: int) -> str:
    """``2026-11-24T07:03:00Z``, the form that PayPal writes."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix(text: str) -> int:
    """Unix seconds of an RFC 3339 time. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return int(moment.timestamp())
