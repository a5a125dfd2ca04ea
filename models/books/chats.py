"""The chats that the reading account was led into, and those that the operator has decided about."""

from dataclasses import dataclass, fields

from models.database import execute
from models.jobs.sources import JoinOutcome

MOST = 50

_COLUMNS = """
source.id, source.username, source.title, source.administered, source.allowed_at IS NOT NULL,
source.blocked_at IS NOT NULL, joined.at,
(SELECT COUNT(*) FROM source_opening WHERE source_opening.source_id = source.id AND source_opening.ended_at IS NULL)
"""
_JOINS = f"""
(SELECT source_id, MAX(at) AS at FROM "join" WHERE outcome = '{JoinOutcome.JOINED}' AND source_id IS NOT NULL
    GROUP BY source_id) AS joined
"""
_JOINED = f"""
SELECT {_COLUMNS} FROM {_JOINS} JOIN source ON source.id = joined.source_id ORDER BY joined.at DESC LIMIT :limit
"""
_DECIDED = f"""
SELECT {_COLUMNS} FROM source LEFT JOIN {_JOINS} ON joined.source_id = source.id
WHERE source.blocked_at IS NOT NULL OR source.allowed_at IS NOT NULL
ORDER BY COALESCE(source.blocked_at, source.allowed_at) DESC LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class ChatInfo:
    """A chat. ``joined_at`` is when the account last followed an invitation into it; None: it never did.

    ``customers`` is for how many it is open by an invitation of their own. ``allowed`` and ``blocked`` are what the
    operator has decided, for all.
    """

    id: int
    username: str | None
    title: str
    administered: bool
    allowed: bool
    blocked: bool
    joined_at: int | None
    customers: int


_NAMES = tuple(each.name for each in fields(ChatInfo))


def joined(limit: int = MOST) -> tuple[ChatInfo, ...]:
    """The chats that the account has joined by invitations, the last one first."""
    return _chats(_JOINED, limit)


def decided(limit: int = MOST) -> tuple[ChatInfo, ...]:
    """The chats that are open to all customers, or closed to everybody, the last decision first."""
    return _chats(_DECIDED, limit)


def _chats(statement: str, limit: int) -> tuple[ChatInfo, ...]:
    rows = execute(statement, {"limit": limit}).fetchall()
    return tuple(ChatInfo(**dict(zip(_NAMES, row, strict=True))) for row in rows)
