"""What this server remembers: JSON documents by kind and id, in one SQLite file."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    position INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, id)
)
"""


class Store:
    """Documents in insertion order. A transaction is also the lock: one writer at a time, all or nothing.

    A killed process loses nothing that was committed; only a power failure could, and nobody tests that here.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, roll back on an exception. An inner one joins the outer."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def get(self, kind: str, key: str) -> Document | None:
        with self._lock:
            row = self._connection.execute(
                "SELECT body FROM documents WHERE kind = ? AND id = ?", (kind, key)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str) -> list[Document]:
        with self._lock:
            rows = self._connection.execute(
                "SELECT body FROM documents WHERE kind = ? ORDER BY position", (kind,)
            ).fetchall()
        return [json.loads(body) for (body,) in rows]

    def put(self, kind: str, key: str, document: Document) -> None:
        """Insert, or replace in place."""
        with self._lock:
            self._connection.execute(
                "INSERT INTO documents (kind, id, body) VALUES (?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, key, json.dumps(document, separators=(",", ":"))),
            )

    def delete(self, kind: str, key: str) -> bool:
        """True when there was such a document."""
        with self._lock:
            return self._connection.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, key)).rowcount > 0

    def close(self) -> None:
        with self._lock:
            self._connection.close()
