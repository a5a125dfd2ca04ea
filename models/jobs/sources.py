"""Sources: the channels and supergroups that are known, and who may read them through the operator's account.

The account can read more than a customer may see. A public chat is open to all customers. A private chat is open to
customers whose own invitation opened it, or to all when the operator has allowed it. A chat that the operator has
blocked is closed to all. Content that its owner protects from saving is refused, unless the operator administers the
chat or the settings allow protected content.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models.database import execute, transaction
from models.jobs.reasons import RefusalReason
from models.tables import Join, Source, SourceOpening


class JoinOutcome(StrEnum):
    """What became of an invitation that the account followed, as it is stored."""

    PENDING = "pending"
    JOINED = "joined"
    REQUESTED = "requested"
    REFUSED = "refused"


_CHAT = re.compile(
    r"(?:(?:https?://)?(?:www\.)?(?:t|telegram)\.(?:me|dog)/(?:s/|c/)?)?@?(?P<name>-?[a-z0-9_]+)(?:/.*)?", re.IGNORECASE
)

_COLUMNS = "id, username, title, protected, administered, allowed_at, blocked_at, access_hash"
_OPENED = "SELECT 1 FROM source_opening WHERE user_id = ? AND source_id = ?"
_REQUESTED = """SELECT id FROM "join" WHERE day = ? AND outcome = 'requested' AND invite_hash = ?"""
_BEGIN_JOIN = """
INSERT INTO "join" (user_id, invite_hash, day, outcome, at)
SELECT :user, :hash, :day, 'pending', :now
WHERE (SELECT COUNT(*) FROM "join" WHERE day = :day AND outcome <> 'refused') < :cap
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A chat as Telegram last described it. ``id`` is the bare channel id, without the prefix -100."""

    id: int
    username: str | None
    """None for a private chat."""
    title: str
    protected: bool
    administered: bool
    """The operator's account is an admin of the chat."""
    allowed: bool
    blocked: bool
    access_hash: int | None
    """The operator's account's own."""


@dataclass(frozen=True, slots=True)
class ReadingPolicy:
    """The settings about sources. Chats stand by lower-case user name or bare id."""

    allowed: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    deliver_protected: bool = False

    @classmethod
    def of(cls, source_chats: Iterable[str], blocked_chats: Iterable[str], protected_content: str) -> "ReadingPolicy":
        """Read ``SOURCE_CHATS``, ``BLOCKED_CHATS`` and ``PROTECTED_CONTENT``.

        A chat is written as ``@name``, ``name``, a link to the chat or to a post, or an id with or without -100.
        """
        return cls(
            frozenset(map(chat_key, source_chats)),
            frozenset(map(chat_key, blocked_chats)),
            protected_content == "allow",
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a customer may read a chat, and if not, why."""

    reason: RefusalReason | None = None

    @property
    def allowed(self) -> bool:
        """Whether the customer may read the chat."""
        return self.reason is None


# ---- pure decisions


def chat_key(text: str) -> str:
    """The form in which chats are compared: the lower-case user name, or the bare id in digits."""
    match = _CHAT.fullmatch(text.strip())
    name = (match["name"] if match else text.strip()).lower()
    return name.removeprefix("-100") if re.fullmatch(r"-?\d+", name) else name


def may_read(
    source: SourceInfo,
    opened: bool,
    policy: ReadingPolicy,
    *,
    post_protected: bool = False,
    names: Iterable[str] = (),
) -> Verdict:
    """Whether a customer may have posts of *source* delivered.

    :param opened: the customer's own invitation has opened this chat for them.
    :param post_protected: the post itself forbids saving, whatever its chat does.
    :param names: all user names of the chat in lower case, any of which the settings may use.
    """
    names = {str(source.id), *names} | ({source.username} if source.username else set())
    if source.blocked or names & policy.blocked:
        return Verdict(RefusalReason.BLOCKED)
    allowed = source.allowed or bool(names & policy.allowed)
    if source.username is None and not (opened or allowed):
        return Verdict(RefusalReason.PRIVATE)
    protected = source.protected or post_protected
    if protected and not (source.administered or policy.deliver_protected):
        return Verdict(RefusalReason.PROTECTED)
    return Verdict()


def may_join(who: str, paying: bool, joined: int, cap: int) -> RefusalReason | None:
    """Why the account should not follow a customer's invitation, or None.

    :param who: ``JOIN_BY_INVITATION``: nobody, paying or everyone.
    :param joined: what :func:`joined_today` says; :func:`begin_join` counts again when it takes a join.
    """
    if who == "nobody":
        return RefusalReason.JOIN_NOBODY
    if who == "paying" and not paying:
        return RefusalReason.JOIN_ONLY_PAYING
    return RefusalReason.JOIN_CAP if joined >= cap else None


# ---- known chats


def remember(
    chat_id: int,
    username: str | None,
    title: str,
    *,
    protected: bool,
    now: int,
    administered: bool = False,
    access_hash: int | None = None,
) -> SourceInfo:
    """Store what Telegram has just said about a chat. Call it for each answer: names move, and chats turn private.

    An *access_hash* of None keeps the known one.
    """
    name = username.lower() if username else None
    told: dict[str, Any] = {
        "username": name,
        "title": title,
        "protected": protected,
        "administered": administered,
        "seen_at": now,
    }
    if access_hash is not None:
        told["access_hash"] = access_hash
    with transaction():
        if name is not None:
            Source.update(username=None).where(Source.username == name, Source.id != chat_id).execute()
        Source.insert(id=chat_id, **told).on_conflict(conflict_target=[Source.id], update=told).execute()
        known = get(chat_id)
    assert known is not None
    return known


def get(chat_id: int) -> SourceInfo | None:
    """Return the chat with this bare id, or None when it is not known."""
    row = execute(f"SELECT {_COLUMNS} FROM source WHERE id = ?", (chat_id,)).fetchone()
    return None if row is None else _info(row)


def open_for(user_id: int, chat_id: int, now: int, *, invite_hash: str = "") -> None:
    """Open a chat for a customer, because their own invitation leads into it."""
    with transaction():
        SourceOpening.insert(
            user=user_id, source=chat_id, invite_hash=invite_hash, at=now
        ).on_conflict_ignore().execute()


def is_open_for(user_id: int, chat_id: int) -> bool:
    """Whether the customer's own invitation has opened this chat for them."""
    return execute(_OPENED, (user_id, chat_id)).fetchone() is not None


def allow(chat_id: int, by: int, now: int) -> None:
    """Open the chat for all customers. This undoes :func:`block`, but not ``BLOCKED_CHATS``."""
    _decide(chat_id, now, allowed_at=now, blocked_at=None, decided_by=by)


def block(chat_id: int, by: int, now: int) -> None:
    """Close the chat for all customers. This undoes :func:`allow`."""
    _decide(chat_id, now, allowed_at=None, blocked_at=now, decided_by=by)


def _decide(chat_id: int, now: int, **decision: int | None) -> None:
    with transaction():
        Source.insert(id=chat_id, seen_at=now, **decision).on_conflict(
            conflict_target=[Source.id], update=decision
        ).execute()


# ---- joins


def joined_today(day: str) -> int:
    """How many invitations count against the cap of this day (``usage.day_of``)."""
    return int(Join.select().where(Join.day == day, Join.outcome != JoinOutcome.REFUSED).count())


def begin_join(user_id: int, invite_hash: str, day: str, cap: int, now: int) -> int | None:
    """Take one of the day's *cap* joins before calling Telegram; return its id, or None when none is left.

    A join whose outcome is never recorded, because of a crash, stays counted: it may have happened. An invitation that
    waits for an admin of the chat counts once a day, however often the customer sends it.
    """
    with transaction():
        waiting = execute(_REQUESTED, (day, invite_hash)).fetchone()
        if waiting is not None:
            return int(waiting[0])
        values = {"user": user_id, "hash": invite_hash, "day": day, "cap": cap, "now": now}
        begun = execute(_BEGIN_JOIN, values).fetchall()
        return int(begun[0][0]) if begun else None


def record_join(join_id: int, source_id: int | None, outcome: JoinOutcome) -> None:
    """Record the outcome of a join. ``REFUSED`` gives the join of the day back."""
    with transaction():
        Join.update(source=source_id, outcome=outcome).where(Join.id == join_id).execute()


def _info(row: tuple[Any, ...]) -> SourceInfo:
    chat_id, username, title, protected, administered, allowed_at, blocked_at, access_hash = row
    return SourceInfo(
        id=chat_id,
        username=username,
        title=title,
        protected=bool(protected),
        administered=bool(administered),
        allowed=allowed_at is not None,
        blocked=blocked_at is not None,
        access_hash=access_hash,
    )
