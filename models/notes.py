"""Small named values: the webhook's id, the newest Stars transaction that was read."""

import json
from typing import Any

from models.database import execute, joined_transaction, transaction
from models.tables import Note

BACKUP_COPIED = "backup_copied"
"""The name of the newest backup in the bucket. Without this note, the backups there may be another database's."""
HANDLED = "admin_commands"
"""The newest commands of admins that were begun: Telegram, or a crash, may deliver one twice."""
_REMEMBERED = 200


def get(key: str) -> Any:
    """Return the value of a note, or None when there is none."""
    # In SQL, because every page and every webhook reads one.
    row = execute("SELECT value FROM note WHERE key = ?", (key,)).fetchone()
    return None if row is None or row[0] is None else json.loads(row[0])


def put(key: str, value: Any, now: int) -> None:
    """Store *value* (anything that JSON can hold) under *key*."""
    with joined_transaction():
        write(key, value, now)


def write(key: str, value: Any, now: int) -> None:
    """Do as :func:`put` inside the caller's transaction."""
    Note.insert(key=key, value=value, at=now).on_conflict(
        conflict_target=[Note.key], preserve=[Note.value, Note.at]
    ).execute()


def drop(key: str) -> None:
    """Delete a note; one that does not exist is no error."""
    with transaction():
        Note.delete().where(Note.key == key).execute()


def is_first(key: str, value: str, now: int) -> bool:
    """Add *value* to the newest ones of a note that is a list; False when it is among them already."""
    with transaction():
        known = get(key) or []
        if value in known:
            return False
        write(key, [*known, value][-_REMEMBERED:], now)
        return True
