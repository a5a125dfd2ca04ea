"""What admins note about a customer, who may read it: it is in the export of their data."""

from dataclasses import dataclass

from models.database import joined_transaction
from models.errors import NotFound
from models.tables import CustomerNote, User

LONGEST = 500
"""Characters of a note; the rest is cut off."""


@dataclass(frozen=True, slots=True)
class NoteInfo:
    """A note about a customer. ``by`` is the admin."""

    text: str
    by: int
    at: int


def add(user_id: int, text: str, by: int, now: int) -> None:
    """Write a note about a customer; what the newest one says already, by the same admin, is not written again.

    :raises NotFound: nobody has this id.
    """
    with joined_transaction():
        if not User.select(User.id).where(User.id == user_id).exists():
            raise NotFound("user", user_id)
        newest = CustomerNote.select().where(CustomerNote.user == user_id).order_by(CustomerNote.id.desc()).first()
        if newest is None or (newest.text, newest.by) != (text[:LONGEST], by):
            CustomerNote.insert(user=user_id, by=by, text=text[:LONGEST], at=now).execute()


def of(user_id: int, limit: int) -> tuple[NoteInfo, ...]:
    """The newest notes about a customer, newest first."""
    rows = CustomerNote.select().where(CustomerNote.user == user_id).order_by(CustomerNote.id.desc()).limit(limit)
    return tuple(NoteInfo(row.text, row.by, row.at) for row in rows)
