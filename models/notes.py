"""Small remembered values: the webhook's id, the newest Stars transaction seen."""

from typing import Any

from models.database import transaction
from models.tables import Note


def get(key: str) -> Any:
    """Return the value, or None when nothing is remembered."""
    row = Note.get_or_none(Note.key == key)
    return None if row is None else row.value


def put(key: str, value: Any, now: int) -> None:
    """Remember *value* (anything that JSON can hold)."""
    with transaction():
        Note.insert(key=key, value=value, at=now).on_conflict_replace().execute()


def drop(key: str) -> None:
    """Forget it; harmless when nothing is remembered."""
    with transaction():
        Note.delete().where(Note.key == key).execute()
