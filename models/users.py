"""Customers: everybody who has written to the bot or paid."""

from dataclasses import dataclass

import peewee

from config.texts import language_of
from config.units import DAY_S
from models.database import execute, joined_transaction, mappings, transaction
from models.errors import NotFound
from models.tables import User

SEEN_EVERY_S = 600
"""``seen_at`` is updated at most this often, so that not every message costs a commit."""


# In SQL, because these run for each message, and Peewee takes ten times longer to build a query than SQLite to run it.
_ONE = 'SELECT * FROM "user" WHERE id = ?'
_SEEN = """
INSERT INTO "user" AS known (id, first_name, username, language_code, reminders, created_at, seen_at)
VALUES (?, ?, ?, ?, TRUE, ?, ?)
ON CONFLICT (id) DO UPDATE SET first_name = excluded.first_name, username = excluded.username,
    language_code = excluded.language_code, seen_at = excluded.seen_at, blocked_bot_at = NULL,
    reminders = CASE WHEN known.erased_at IS NULL THEN known.reminders ELSE TRUE END,
    created_at = CASE WHEN known.erased_at IS NULL THEN known.created_at ELSE excluded.created_at END, erased_at = NULL
RETURNING *
"""
_GIVEN_UP = 'UPDATE "user" SET username = NULL WHERE LOWER(username) = ? AND id <> ?'
"""An @name has one holder. Who held it before has given it up, whether or not they have written since."""


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A customer.

    ``language`` is the one that they chose, otherwise the one of their Telegram application, if it is offered.
    """

    id: int
    first_name: str
    username: str | None
    language: str
    banned: bool
    blocked_bot: bool
    reminders: bool
    accepted_terms_at: int | None
    created_at: int
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of customers, for the operator. "Today" is the last 24 hours."""

    users: int
    new_today: int
    seen_today: int
    banned: int
    blocked_bot: int


def seen(user_id: int, first_name: str, username: str | None, language_code: str | None, now: int) -> UserInfo:
    """Record that a person wrote, and what Telegram says about them, and return the customer.

    A person who writes has not blocked the bot. One whose data was erased begins as a new customer. Everybody has a
    first name: where Telegram has told nothing but the id, what is known stays.
    """
    row = _one(_ONE, (user_id,))
    if row is not None and row.erased_at is None and not first_name:
        first_name, username, language_code = row.first_name, row.username, row.language_code
    if row is not None and _is_fresh(row, (first_name, username, language_code), now):
        return _info(row)
    with transaction(durable=False):
        if username and (row is None or row.username != username):
            execute(_GIVEN_UP, (username.lower(), user_id))
        row = _one(_SEEN, (user_id, first_name, username, language_code, now, now))
    assert row is not None
    return _info(row)


def get(user_id: int) -> UserInfo | None:
    """Return a customer, or None when nobody has this id."""
    row = _one(_ONE, (user_id,))
    return None if row is None else _info(row)


def find(username: str) -> UserInfo | None:
    """Return the customer who was last seen with this @name (with or without the @, in any case), or None."""
    same = peewee.fn.LOWER(User.username) == username.removeprefix("@").lower()
    row = User.select().where(same).order_by(User.seen_at.desc()).first()
    return None if row is None else _info(row)


def set_language(user_id: int, language: str | None, now: int) -> None:
    """Set the language; None means the one of the customer's Telegram application.

    :raises NotFound: nobody has this id.
    """
    _update(user_id, now, language=language)


def set_reminders(user_id: int, on: bool, now: int) -> None:
    """Switch the reminders that access ends on or off.

    :raises NotFound: nobody has this id.
    """
    _update(user_id, now, reminders=on)


def ban(user_id: int, now: int) -> None:
    """Ban a customer, who can then only have payments refunded.

    :raises NotFound: nobody has this id.
    """
    _update(user_id, now, banned_at=now)


def unban(user_id: int, now: int) -> None:
    """Undo :func:`ban`.

    :raises NotFound: nobody has this id.
    """
    _update(user_id, now, banned_at=None)


def mark_blocked_bot(user_id: int, blocked: bool, now: int) -> None:
    """Record that the customer has blocked the bot, or receives its messages again.

    :raises NotFound: nobody has this id.
    """
    _update(user_id, now, blocked_bot_at=now if blocked else None)


def accept_terms(user_id: int, at: int) -> None:
    """Record when the customer first accepted the terms, which paying does. Inside the caller's transaction."""
    User.update(accepted_terms_at=at).where(User.id == user_id, User.accepted_terms_at.is_null()).execute()


def totals(now: int) -> Totals:
    """Count the customers. This reads the whole table: call it for an admin's command, not for each message."""
    since = now - DAY_S
    return Totals(
        users=User.select().where(User.erased_at.is_null()).count(),
        new_today=User.select().where(User.created_at > since).count(),
        seen_today=User.select().where(User.seen_at > since).count(),
        banned=User.select().where(User.banned_at.is_null(False)).count(),
        blocked_bot=User.select().where(User.blocked_bot_at.is_null(False)).count(),
    )


def _update(user_id: int, now: int, **values: object) -> None:
    with joined_transaction():
        if not User.update(**values).where(User.id == user_id).execute():
            raise NotFound("user", user_id)


def _is_fresh(row: User, told: tuple[str | None, ...], now: int) -> bool:
    same = (row.first_name, row.username, row.language_code) == told
    return same and row.blocked_bot_at is None and row.erased_at is None and 0 <= now - row.seen_at < SEEN_EVERY_S


def _one(statement: str, values: tuple[object, ...]) -> User | None:
    rows = mappings(statement, values)
    return User(**rows[0]) if rows else None


def _info(row: User) -> UserInfo:
    return UserInfo(
        id=row.id,
        first_name=row.first_name,
        username=row.username,
        language=language_of(row.language or row.language_code),
        banned=row.banned_at is not None,
        blocked_bot=row.blocked_bot_at is not None,
        reminders=bool(row.reminders),
        accepted_terms_at=row.accepted_terms_at,
        created_at=row.created_at,
        erased=row.erased_at is not None,
    )
