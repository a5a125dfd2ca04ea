"""Small remembered values: the webhook's id, the newest Stars transaction seen."""

import json
from typing import Any

from models.database import execute, transaction
from models.tables import Note

BACKUP_COPIED = "backup_copied"
"""The newest backup that is in the bucket. Without it, those that are there may be another database's."""


def get(key: str) -> Any:
    """Return the value, or None when nothing is remembered."""
    # In SQL, because every page and every webhook reads one.
    row = execute("SELECT value FROM note WHERE key = ?", (key,)).fetchone()
    return None if row is None or row[0] is None else json.loads(row[0])


def put(key: str, value: Any, now: int) -> None:
    """Remember *value* (anything that JSON can hold)."""
    with transaction():
        Note.insert(key=key, value=value, at=now).on_conflict(
            conflict_target=[Note.key], preserve=[Note.value, Note.at]
        ).execute()


def drop(key: str) -> None:
    """Forget it; harmless when nothing is remembered."""
    with transaction():
        Note.delete().where(Note.key == key).execute()
