"""The way into the console: links that log in once, launch data of Mini Apps, and the sessions that follow.

Tokens are stored as hashes alone. A session is new at each log-in, ends after an hour without use and after twelve
hours in any case, and counts only while its owner is in the team.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from config.units import HOUR_S, MINUTE_S
from models import audit, outbox
from models.audit import Actor, Entry, Via
from models.database import joined_transaction, transaction
from models.errors import ActRefused, LinkSpent
from models.event_kinds import ConsoleAsked, ConsoleEntered
from models.roles import Act, Team
from models.tables import ConsoleLaunch, ConsoleLink, ConsoleSession

LINK_LIFE_S = 10 * MINUTE_S
LAUNCH_KEPT_S = 10 * MINUTE_S
"""Longer than launch data are good for."""
IDLE_S = HOUR_S
LONGEST_S = 12 * HOUR_S
FRESH_S = 15 * MINUTE_S
"""How long after a log-in what needs a fresh one may be done."""
SEEN_EVERY_S = MINUTE_S
"""``seen_at`` is updated at most this often."""
DEVICE_LENGTH = 60


class Kind(StrEnum):
    """How a session came about, as it is stored."""

    BROWSER = "browser"
    MINI_APP = "mini_app"

    @property
    def via(self) -> Via:
        """What the audit calls it."""
        return Via(self.value)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who logs in, from what. ``before`` is the token of the session that this browser had."""

    team: Team
    kind: Kind
    device: str = ""
    theme: Mapping[str, str] | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session. ``theme`` holds colours as ``#rrggbb`` by name."""

    id: int
    user_id: int
    kind: Kind
    device: str
    theme: Mapping[str, str]
    began_at: int
    seen_at: int

    def is_fresh(self, now: int) -> bool:
        """Whether the log-in was recent enough for what changes much."""
        return now - self.began_at < FRESH_S


def make_link(user_id: int, now: int) -> str:
    """The token of a new link that logs this person in once, within :data:`LINK_LIFE_S`."""
    token = secrets.token_urlsafe(32)
    with transaction():
        ConsoleLink.delete().where(ConsoleLink.expires_at <= now).execute()
        ConsoleLink.insert(digest=digest(token), user_id=user_id, expires_at=now + LINK_LIFE_S).execute()
    return token


def ask_link(user_id: int, path: str, now: int) -> None:
    """Have a link that leads to *path* sent into this person's chat, where it is made."""
    with transaction():
        outbox.append(ConsoleAsked(path=path), user_id, now)


def owner_of(token: str, now: int) -> int | None:
    """Whom a link logs in; None when it is used, too old or unknown. It changes nothing."""
    row = ConsoleLink.get_or_none((ConsoleLink.digest == digest(token)) & (ConsoleLink.expires_at > now))
    return None if row is None else int(row.user_id)


def enter(token: str, visit: Visit, now: int) -> str:
    """Log in by a link, which is used up; return the new session's token.

    :raises LinkSpent: the link is used, too old or unknown.
    :raises ActRefused: its owner is no longer in the team.
    """
    with transaction():
        row = ConsoleLink.get_or_none((ConsoleLink.digest == digest(token)) & (ConsoleLink.expires_at > now))
        if row is None or not ConsoleLink.delete().where(ConsoleLink.digest == row.digest).execute():
            raise LinkSpent("link")
        return _begin(int(row.user_id), visit, now)


def enter_by_launch(user_id: int, launch_hash: str, visit: Visit, now: int) -> str:
    """Log in by launch data that were found good; return the new session's token.

    :raises LinkSpent: the same data logged in before.
    :raises ActRefused: the person is not in the team.
    """
    with transaction():
        ConsoleLaunch.delete().where(ConsoleLaunch.expires_at <= now).execute()
        key = digest(launch_hash)
        if ConsoleLaunch.select().where(ConsoleLaunch.digest == key).exists():
            raise LinkSpent("launch data")
        ConsoleLaunch.insert(digest=key, expires_at=now + LAUNCH_KEPT_S).execute()
        return _begin(user_id, visit, now)


def find(token: str, now: int) -> SessionInfo | None:
    """The session of a cookie; None when it has ended, or has been idle or open for too long."""
    row = ConsoleSession.get_or_none((ConsoleSession.digest == digest(token)) & _living(now))
    return None if row is None else _info(row)


def touch(session: SessionInfo, now: int) -> None:
    """Note that a session is in use."""
    if now - session.seen_at >= SEEN_EVERY_S:
        with transaction(durable=False):
            ConsoleSession.update(seen_at=now).where(ConsoleSession.id == session.id).execute()


def of(user_ids: frozenset[int], now: int) -> tuple[SessionInfo, ...]:
    """The sessions of these people, the newest first."""
    rows = ConsoleSession.select().where(ConsoleSession.user_id.in_(user_ids) & _living(now))
    return tuple(map(_info, rows.order_by(ConsoleSession.id.desc())))


def end(session_id: int, owners: frozenset[int], now: int) -> bool:
    """End a session of one of *owners*; False when there is none."""
    theirs = (ConsoleSession.id == session_id) & ConsoleSession.user_id.in_(owners) & ConsoleSession.ended_at.is_null()
    with joined_transaction():
        return bool(ConsoleSession.update(ended_at=now).where(theirs).execute())


def end_all(user_id: int, now: int) -> int:
    """End all sessions of a person, and the links that they have not used; return how many sessions."""
    with joined_transaction():
        ConsoleLink.delete().where(ConsoleLink.user_id == user_id).execute()
        living = (ConsoleSession.user_id == user_id) & _living(now)
        return int(ConsoleSession.update(ended_at=now).where(living).execute())


def end_everything(now: int) -> None:
    """End every session and link, in a database that was restored."""
    with joined_transaction():
        ConsoleLink.delete().execute()
        ConsoleSession.update(ended_at=now).where(ConsoleSession.ended_at.is_null()).execute()


def leave_notice(session_id: int, tone: str, text: str) -> None:
    """Keep what the session's next page tells first."""
    with transaction(durable=False):
        ConsoleSession.update(notice=[tone, text]).where(ConsoleSession.id == session_id).execute()


def take_notice(session_id: int) -> tuple[str, str] | None:
    """What was kept for this page, once: tone and text."""
    row = ConsoleSession.get_or_none((ConsoleSession.id == session_id) & ConsoleSession.notice.is_null(False))
    if row is None:
        return None
    with transaction(durable=False):
        ConsoleSession.update(notice=None).where(ConsoleSession.id == session_id).execute()
    tone, text = row.notice
    return str(tone), str(text)


def digest(token: str) -> str:
    """What is stored of a token: it has 256 random bits, so a plain hash says nothing about it."""
    return sha256(token.encode()).hexdigest()


def _begin(user_id: int, visit: Visit, now: int) -> str:
    """A new session, with its audit row and the notice to its owner. Inside the caller's transaction."""
    if not visit.team.may(user_id, Act.LOG_IN):
        raise ActRefused(Act.LOG_IN, "role")
    if visit.before is not None:
        old = ConsoleSession.digest == digest(visit.before)
        ConsoleSession.update(ended_at=now).where(old & ConsoleSession.ended_at.is_null()).execute()
    token, device = secrets.token_urlsafe(32), visit.device[:DEVICE_LENGTH]
    ConsoleSession.insert(
        digest=digest(token),
        user_id=user_id,
        kind=visit.kind,
        device=device,
        theme=dict(visit.theme or {}),
        began_at=now,
        seen_at=now,
    ).execute()
    audit.append(Actor(user_id, visit.team, visit.kind.via), Entry(Act.LOG_IN, detail={"device": device}), now)
    outbox.append(ConsoleEntered(kind=visit.kind, device=device, at=now), user_id, now)
    return token


def _living(now: int) -> object:
    return (
        ConsoleSession.ended_at.is_null()
        & (ConsoleSession.seen_at > now - IDLE_S)
        & (ConsoleSession.began_at > now - LONGEST_S)
    )


def _info(row: ConsoleSession) -> SessionInfo:
    return SessionInfo(
        id=row.id,
        user_id=row.user_id,
        kind=Kind(row.kind),
        device=row.device,
        theme=row.theme,
        began_at=row.began_at,
        seen_at=row.seen_at,
    )
