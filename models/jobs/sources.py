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

from config.settings import Settings
from models.database import execute, joined_transaction, transaction
from models.jobs import lookups
from models.jobs.reasons import RefusalReason
from models.tables import Join, Source


class JoinOutcome(StrEnum):
    """What became of an invitation that the account followed, as it is stored."""

    PENDING = "pending"
    JOINED = "joined"
    REQUESTED = "requested"
    REFUSED = "refused"


BLOCKED, ALLOWED = "blocked", "allowed"
"""The operator's lists, as they are stored."""

_CHAT = re.compile(
    r"(?:(?:https?://)?(?:www\.)?(?:t|telegram)\.(?:me|dog)/(?:s/|c/)?)?@?(?P<name>-?[a-z0-9_]+)(?:/.*)?", re.IGNORECASE
)

_COLUMNS = "id, username, title, protected, administered, allowed_at, blocked_at, access_hash, bot_access_hash"
_NAMED = f"""
SELECT {_COLUMNS} FROM source WHERE id = (SELECT source_id FROM lookup WHERE key = :key)
UNION ALL SELECT {_COLUMNS} FROM source WHERE username = :name LIMIT 1
"""
_LISTED = "SELECT listed, name FROM listed_chat WHERE source_id = ?"
_KEEP_LISTED = """
INSERT INTO listed_chat (listed, name, source_id, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_IS_LISTED = "SELECT 1 FROM listed_chat WHERE listed = ? AND name = ?"
_OPENING = "SELECT invite_hash, at, looked_at, ended_at FROM source_opening WHERE user_id = ? AND source_id = ?"
_OPEN = """
INSERT INTO source_opening (user_id, source_id, invite_hash, at, looked_at, ended_at) VALUES (?, ?, ?, ?, ?, NULL)
ON CONFLICT (user_id, source_id)
DO UPDATE SET invite_hash = excluded.invite_hash, looked_at = excluded.looked_at, ended_at = NULL
"""
_LOOKED = "UPDATE source_opening SET looked_at = ?, ended_at = ? WHERE user_id = ? AND source_id = ?"
_REQUESTED = """SELECT id FROM "join" WHERE day = ? AND outcome = 'requested' AND invite_hash = ?"""
_TAKEN = """
SELECT COUNT(*), COALESCE(SUM(CASE WHEN user_id = :user THEN 1 ELSE 0 END), 0) FROM "join"
WHERE day = :day AND (outcome = 'requested') = :asks AND outcome <> 'refused'
"""
_BEGIN_JOIN = """
INSERT INTO "join" (user_id, invite_hash, day, outcome, at) VALUES (:user, :hash, :day, :outcome, :now) RETURNING id
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
    bot_access_hash: int | None = None
    blocked_as: frozenset[str] = frozenset()
    """Names of ``BLOCKED_CHATS`` that the chat has, or once had."""
    allowed_as: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OpeningInfo:
    """A private chat that a customer's invitation has opened for them."""

    invite_hash: str
    looked_at: int
    """When it was last seen to hold."""
    ended: bool
    """The customer was seen to be no member."""


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


def policy_of(settings: Settings) -> ReadingPolicy:
    """The settings about sources as they are now: an admin may change them at any moment."""
    return ReadingPolicy.of(settings.source_chats, settings.blocked_chats, settings.protected_content)


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
    allowed = source.allowed or bool((names | source.allowed_as) & policy.allowed)
    if source.username is None and not (opened or allowed):
        return Verdict(RefusalReason.PRIVATE)  # first: not even that it is blocked is told of a private chat
    if source.blocked or (names | source.blocked_as) & policy.blocked:
        return Verdict(RefusalReason.BLOCKED)
    protected = source.protected or post_protected
    if protected and not (source.administered or policy.deliver_protected):
        return Verdict(RefusalReason.PROTECTED)
    return Verdict()


def may_join(who: str, paying: bool) -> RefusalReason | None:
    """Why the account should not follow a customer's invitation, or None. :func:`begin_join` holds the day's cap.

    :param who: ``JOIN_BY_INVITATION``: nobody, paying or everyone.
    """
    if who == "nobody":
        return RefusalReason.JOIN_NOBODY
    if who == "paying" and not paying:
        return RefusalReason.JOIN_ONLY_PAYING
    return None


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
    bot_access_hash: int | None = None,
) -> SourceInfo:
    """Store what Telegram has just said about a chat. Call it for each answer: names move, and chats turn private.

    An *access_hash* or *bot_access_hash* of None keeps the known one.
    """
    name = username.lower() if username else None
    told: dict[str, Any] = {
        "username": name,
        "title": title,
        "protected": protected,
        "administered": administered,
        "seen_at": now,
    }
    hashes = {"access_hash": access_hash, "bot_access_hash": bot_access_hash}
    told |= {column: value for column, value in hashes.items() if value is not None}
    with transaction():
        if name is not None:
            Source.update(username=None).where(Source.username == name, Source.id != chat_id).execute()
        Source.insert(id=chat_id, **told).on_conflict(conflict_target=[Source.id], update=told).execute()
        known = get(chat_id)
    assert known is not None
    return known


def forget_hashes() -> None:
    """Forget what only the account that has read until now knows of chats. Inside the caller's transaction."""
    execute("UPDATE source SET access_hash = NULL, administered = 0 WHERE access_hash IS NOT NULL OR administered")


def get(chat_id: int) -> SourceInfo | None:
    """Return the chat with this bare id, or None when it is not known."""
    row = execute(f"SELECT {_COLUMNS} FROM source WHERE id = ?", (chat_id,)).fetchone()
    return None if row is None else _info(row)


def any_allowed() -> bool:
    """Whether the operator has opened any chat to all customers."""
    return bool(Source.select().where(Source.allowed_at.is_null(False)).exists())


def named(name: str) -> SourceInfo | None:
    """Return the chat that had this public name when Telegram last told, or None."""
    row = execute(_NAMED, {"key": lookups.of_name(name), "name": name.lower()}).fetchone()
    return None if row is None else _info(row)


def keep_listed(chat_id: int, names: Iterable[str], policy: ReadingPolicy, now: int) -> SourceInfo:
    """Keep that a chat has names of the operator's lists, so that the lists hold for it whatever its names become.

    A name of ``BLOCKED_CHATS`` blocks every chat that has had it, one of ``SOURCE_CHATS`` allows only the first.
    """
    names = set(names)
    with transaction():
        for name in names & policy.blocked:
            execute(_KEEP_LISTED, (BLOCKED, name, chat_id, now))
        for name in names & policy.allowed:
            if not is_listed(ALLOWED, name):
                execute(_KEEP_LISTED, (ALLOWED, name, chat_id, now))
        known = get(chat_id)
    assert known is not None
    return known


def is_listed(listed: str, name: str) -> bool:
    """Whether a chat is known that has, or had, this name of a list (:data:`BLOCKED` or :data:`ALLOWED`)."""
    return execute(_IS_LISTED, (listed, name)).fetchone() is not None


def open_for(user_id: int, chat_id: int, now: int, *, invite_hash: str = "") -> None:
    """Open a chat for a customer, because their own invitation leads into it, also once it had ended."""
    with transaction():
        execute(_OPEN, (user_id, chat_id, invite_hash, now, now))


def opening(user_id: int, chat_id: int) -> OpeningInfo | None:
    """What the customer's own invitation has opened of this chat; None when they have sent none."""
    row = execute(_OPENING, (user_id, chat_id)).fetchone()
    if row is None:
        return None
    invite_hash, at, looked_at, ended_at = row
    return OpeningInfo(invite_hash, looked_at or at, ended=ended_at is not None)


def is_open_for(user_id: int, chat_id: int) -> bool:
    """Whether the customer's own invitation has opened this chat for them."""
    known = opening(user_id, chat_id)
    return known is not None and not known.ended


def looked(user_id: int, chat_id: int, holds: bool, now: int) -> None:
    """Record that an opening was looked at again, and whether it holds."""
    with transaction():
        execute(_LOOKED, (now, None if holds else now, user_id, chat_id))


def allow(chat_id: int, by: int, now: int) -> None:
    """Open the chat for all customers. This undoes :func:`block`, but not ``BLOCKED_CHATS``."""
    with joined_transaction():
        _decide(chat_id, now, allowed_at=now, blocked_at=None, decided_by=by)


def block(chat_id: int, by: int, now: int) -> None:
    """Close the chat for all customers. This undoes :func:`allow`."""
    with joined_transaction():
        close(chat_id, by, now)


def close(chat_id: int, by: int, now: int) -> bool:
    """Do as :func:`block` inside the caller's transaction; False when the chat was closed before."""
    known = get(chat_id)
    _decide(chat_id, now, allowed_at=None, blocked_at=now, decided_by=by)
    return known is None or not known.blocked


def reopen(chat_id: int, by: int, now: int) -> None:
    """Undo :func:`close`; whom a private chat was open for, it is open for again. Inside the caller's transaction."""
    _decide(chat_id, now, blocked_at=None, decided_by=by)


def _decide(chat_id: int, now: int, **decision: int | None) -> None:
    Source.insert(id=chat_id, seen_at=now, **decision).on_conflict(
        conflict_target=[Source.id], update=decision
    ).execute()


# ---- joins


def share_of(cap: int) -> int:
    """How many of the day's joins one customer may have: a third, so that nobody uses up all."""
    return -(-cap // 3)


def begin_join(
    user_id: int, invite_hash: str, day: str, cap: int, now: int, *, share: int | None = None
) -> int | RefusalReason:
    """Take one of the day's *cap* joins before calling Telegram; return its id, or why there is none.

    A join whose outcome is never recorded, because of a crash, stays counted: it may have happened.

    :param share: how many of them this customer may have; None for all.
    """
    return _begin(user_id, invite_hash, day, (False, cap, share), now=now)


def begin_request(
    user_id: int, invite_hash: str, day: str, cap: int, now: int, *, share: int | None = None
) -> int | RefusalReason:
    """Do as :func:`begin_join` for an invitation that only asks an admin of the chat.

    Requests are counted apart, up to the same numbers, and each invitation once a day, however often it is sent.
    """
    return _begin(user_id, invite_hash, day, (True, cap, share), now=now)


def _begin(
    user_id: int, invite_hash: str, day: str, limits: tuple[bool, int, int | None], *, now: int
) -> int | RefusalReason:
    asks, cap, share = limits
    with transaction():
        waiting = execute(_REQUESTED, (day, invite_hash)).fetchone()
        if waiting is not None:
            return int(waiting[0])
        total, own = execute(_TAKEN, {"user": user_id, "day": day, "asks": asks}).fetchone()
        if total >= cap or (share is not None and own >= share):
            return RefusalReason.JOIN_CAP if total >= cap else RefusalReason.JOIN_SHARE
        outcome = JoinOutcome.REQUESTED if asks else JoinOutcome.PENDING
        values = {"user": user_id, "hash": invite_hash, "day": day, "outcome": outcome, "now": now}
        ((join_id,),) = execute(_BEGIN_JOIN, values).fetchall()
    return int(join_id)


def record_join(join_id: int, source_id: int | None, outcome: JoinOutcome) -> None:
    """Record the outcome of a join. ``REFUSED`` gives the join of the day back."""
    with transaction():
        Join.update(source=source_id, outcome=outcome).where(Join.id == join_id).execute()


def joined_on(day: str) -> int:
    """How many invitations the account followed on a day."""
    followed = (JoinOutcome.PENDING, JoinOutcome.JOINED)
    return int(Join.select().where((Join.day == day) & Join.outcome.in_(followed)).count())


def _info(row: tuple[Any, ...]) -> SourceInfo:
    chat_id, username, title, protected, administered, allowed_at, blocked_at, access_hash, bot_access_hash = row
    listed = execute(_LISTED, (chat_id,)).fetchall()
    return SourceInfo(
        id=chat_id,
        username=username,
        title=title,
        protected=bool(protected),
        administered=bool(administered),
        allowed=allowed_at is not None,
        blocked=blocked_at is not None,
        access_hash=access_hash,
        bot_access_hash=bot_access_hash,
        blocked_as=frozenset(name for list_, name in listed if list_ == BLOCKED),
        allowed_as=frozenset(name for list_, name in listed if list_ == ALLOWED),
    )
