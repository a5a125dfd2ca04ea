"""The chats that the reading account was led into, and those that the operator has decided about."""

from dataclasses import dataclass, fields

from models.database import execute
from models.jobs import sources
from models.jobs.sources import JoinOutcome, ReadingPolicy

MOST = 50
_CLOSING, _OPENING = "BLOCKED_CHATS", "SOURCE_CHATS"

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
    operator has decided, for all; ``listed`` is the setting that holds for it besides, empty for none.
    """

    id: int
    username: str | None
    title: str
    administered: bool
    allowed: bool
    blocked: bool
    joined_at: int | None
    customers: int
    listed: str

    @property
    def closed(self) -> bool:
        """Whether nobody may have its posts: ``BLOCKED_CHATS`` wins over what was decided here."""
        return bool(self.blocked) or self.listed == _CLOSING

    @property
    def open_to_all(self) -> bool:
        """Whether all customers may have its posts, where it is not closed."""
        return bool(self.allowed or self.username or self.listed)

    @property
    def can_be_opened(self) -> bool:
        """Whether a decision would open it that is not."""
        return not self.allowed and self.listed != _CLOSING and bool(self.blocked or not self.listed)


_NAMES = tuple(each.name for each in fields(ChatInfo))


def joined(policy: ReadingPolicy, limit: int = MOST) -> tuple[ChatInfo, ...]:
    """The chats that the account has joined by invitations, the last one first."""
    return _chats(_JOINED, policy, limit)


def decided(policy: ReadingPolicy, limit: int = MOST) -> tuple[ChatInfo, ...]:
    """The chats that are open to all customers, or closed to everybody, the last decision first."""
    return _chats(_DECIDED, policy, limit)


def _chats(statement: str, policy: ReadingPolicy, limit: int) -> tuple[ChatInfo, ...]:
    rows = execute(statement, {"limit": limit}).fetchall()
    return tuple(ChatInfo(**dict(zip(_NAMES, (*row, _listed(row[0], policy)), strict=True))) for row in rows)


def _listed(chat_id: int, policy: ReadingPolicy) -> str:
    """The setting that names a chat by its id, or by a name that it has or had."""
    known = sources.get(chat_id)
    if known is None:
        return ""
    names = {str(known.id), known.username or ""}
    if (names | known.blocked_as) & policy.blocked:
        return _CLOSING
    return _OPENING if (names | known.allowed_as) & policy.allowed else ""
