"""Look-ups: what Telegram said about a name or an invitation, kept in a table so that it is not asked again.

A name that was found is tried first from then on; reading the chat shows whether it still has the name. An invitation
that was found is believed for an hour. What was not found is not looked for again for ten minutes, then for twice as
long each time, a day at most.

An invitation is stored as a digest: who holds it may enter a chat.
"""

import hashlib
from dataclasses import dataclass

from config.units import DAY_S, HOUR_S, MINUTE_S
from models.database import execute, transaction
from models.jobs.reasons import RefusalReason

TRUST_S = HOUR_S
FIRST_REFUSAL_S, LONGEST_REFUSAL_S = 10 * MINUTE_S, DAY_S
DOUBLINGS = 8

_GET = "SELECT source_id, reason, again_at, asks FROM lookup WHERE key = ?"
_FOUND = """
INSERT INTO lookup (key, source_id, reason, failures, again_at, asks) VALUES (?, ?, NULL, 0, ?, ?)
ON CONFLICT (key) DO UPDATE
SET source_id = excluded.source_id, reason = NULL, failures = 0, again_at = excluded.again_at, asks = excluded.asks
"""
_FAILURES = "SELECT failures FROM lookup WHERE key = ?"
_FAILED = """
INSERT INTO lookup (key, source_id, reason, failures, again_at, asks) VALUES (?, NULL, ?, ?, ?, FALSE)
ON CONFLICT (key) DO UPDATE
SET source_id = NULL, reason = excluded.reason, failures = excluded.failures, again_at = excluded.again_at
"""
_DOUBT = "UPDATE lookup SET again_at = 0 WHERE source_id = ?"
_FORGET = """
DELETE FROM lookup WHERE key IN (SELECT key FROM lookup WHERE again_at < ? AND source_id IS NULL LIMIT 500)
"""


@dataclass(frozen=True, slots=True)
class LookupInfo:
    """What is remembered of a name or an invitation, as of now."""

    source_id: int | None
    """The bare id of the chat that it leads to; None for one that the account has yet to join, or that is not known."""
    reason: RefusalReason | None
    """Why it leads nowhere; None once Telegram may be asked again."""
    trusted: bool
    """Telegram said lately that it leads somewhere. An invitation that is not trusted may have been revoked since."""
    asks: bool
    """An invitation lets in only whom an admin of the chat accepts."""


def of_name(name: str) -> str:
    """The key of a public name."""
    return f"@{name.lower()}"


def of_invitation(code: str) -> str:
    """The key of an invitation."""
    return "+" + hashlib.blake2b(code.encode(), digest_size=16).hexdigest()


def get(key: str, now: int) -> LookupInfo:
    """What is remembered under a key; nothing of it where nothing is."""
    row = execute(_GET, (key,)).fetchone()
    if row is None:
        return LookupInfo(None, None, trusted=False, asks=False)
    source_id, reason, again_at, asks = row
    fresh = now < again_at
    why = RefusalReason(reason) if reason is not None and fresh else None
    return LookupInfo(source_id, why, trusted=fresh and reason is None, asks=bool(asks))


def found(key: str, source_id: int | None, now: int, *, asks: bool = False) -> None:
    """Remember the chat that a name or an invitation leads to; None for one that the account has yet to join."""
    with transaction(durable=False):
        execute(_FOUND, (key, source_id, now + TRUST_S, asks))


def failed(key: str, reason: RefusalReason, now: int) -> None:
    """Remember that a name or an invitation leads nowhere."""
    with transaction(durable=False):
        row = execute(_FAILURES, (key,)).fetchone()
        failures = row[0] if row else 0
        pause = min(FIRST_REFUSAL_S << min(failures, DOUBLINGS), LONGEST_REFUSAL_S)
        execute(_FAILED, (key, reason, failures + 1, now + pause))


def doubt(source_id: int) -> None:
    """Believe no invitation into this chat any more: the account cannot read it."""
    with transaction(durable=False):
        execute(_DOUBT, (source_id,))


def forget(now: int) -> None:
    """Delete what led nowhere and has not been asked for since a day, some rows at a time."""
    while True:
        with transaction():
            if not execute(_FORGET, (now - DAY_S,)).rowcount:
                return
