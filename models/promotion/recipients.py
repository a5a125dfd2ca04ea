"""Who gets a broadcast: one row a customer, written before the first message goes out, with its random id.

Whatever happens in between, each row is sent under the same random id until it has an end: so nobody is left out, and
Telegram refuses a second copy for as long as it remembers the id. How long that is it does not say: of those few rows
that were claimed when the process died, one may come twice where the next process starts days later. Whether the
customer may still get news is looked at again as their row is claimed.
"""

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import peewee

from config.texts import language_of
from config.units import DAY_S, HOUR_S
from models.database import execute, fetch, give_way, marks, transaction
from models.promotion.consent import MAY_GET
from models.tables import Broadcast, BroadcastRecipient


class RecipientState(StrEnum):
    """The states of a recipient, as they are stored."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    """The message is being sent."""
    SENT = "sent"
    FAILED = "failed"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    """They said /quiet, were banned or had their data deleted before their turn came."""
    DELETED = "deleted"
    """It was sent, and deleted again."""


REACHED = (RecipientState.SENT, RecipientState.DELETED)
OPEN = (RecipientState.WAITING, RecipientState.CLAIMED)
MAX_ATTEMPTS = 3
"""How often a message is tried that Telegram does not answer."""
KEPT_DAYS = 30
"""How long it is kept who got a broadcast; then only how many."""
DELETABLE_S = 48 * HOUR_S - 600
"""How long a bot may delete a message in a private chat: 48 hours (https://core.telegram.org/bots/api#deletemessage)."""
SALES_S = 72 * HOUR_S
AT_ONCE = 250
SKIPPED_AT_ONCE = 50

_ADD = """
INSERT INTO broadcast_recipient (broadcast_id, user_id, random_id, state, attempts) VALUES {rows}
ON CONFLICT (broadcast_id, user_id) DO NOTHING
"""
_ROW = "(?, ?, ?, 'waiting', 0)"
_CLAIM = """
UPDATE broadcast_recipient SET state = 'claimed', at = ? WHERE id = (
    SELECT id FROM broadcast_recipient WHERE broadcast_id = ? AND state = 'waiting' ORDER BY id LIMIT 1)
RETURNING id, user_id, random_id
"""
_LANGUAGE = f'SELECT language, language_code FROM "user" AS people WHERE id = ? AND {MAY_GET}'
_REFUNDED = "COALESCE((SELECT SUM(refund.amount) FROM refund WHERE refund.payment_id = payment.id), 0)"
_SALES = f"""
SELECT payment.currency, COUNT(*), SUM(payment.amount - {_REFUNDED})
FROM payment JOIN broadcast_recipient AS told ON told.broadcast_id = :broadcast AND told.user_id = payment.user_id
WHERE payment.completed_at >= :began AND payment.completed_at < :ended
  AND payment.completed_at >= told.at AND payment.completed_at < told.at + {SALES_S}
  AND told.state IN ('sent', 'deleted')
  AND payment.grants AND payment.state <> 'reversed'
  AND NOT EXISTS (SELECT 1 FROM payment AS former
      WHERE former.order_id = payment.order_id AND former.id < payment.id)
GROUP BY payment.currency ORDER BY COUNT(*) DESC
"""
"""First payments: a renewal would have come without news."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is written to now, in which language, under which random id."""

    id: int
    user_id: int
    random_id: int
    language: str


@dataclass(frozen=True, slots=True)
class Deletable:
    """A message of a broadcast that can be deleted still."""

    id: int
    user_id: int
    message_id: int


def add(broadcast_id: int, people: Collection[int], upto: int) -> None:
    """Make these customers recipients: those whose ids are up to *upto* have all been looked at.

    The collecting goes on behind *upto* after a crash.
    """
    values = [value for user_id in people for value in (broadcast_id, user_id, secrets.randbits(63) or 1)]
    with transaction(durable=False):
        if people:
            execute(_ADD.format(rows=", ".join([_ROW] * len(people))), values)
        Broadcast.update(collected_to=upto).where(Broadcast.id == broadcast_id).execute()


def claim(broadcast_id: int, now: int) -> Recipient | None:
    """Claim the next recipient who may get news now; None when nobody waits, or the broadcast does not run.

    Whoever may get none any more is passed over for good. Ask again where :func:`is_open` says so.
    """
    with transaction(durable=False):
        if (
            not Broadcast.select(Broadcast.id)
            .where(Broadcast.id == broadcast_id, Broadcast.state == "running")
            .exists()
        ):
            return None
        for _ in range(SKIPPED_AT_ONCE):
            claimed = execute(_CLAIM, (now, broadcast_id)).fetchone()
            if claimed is None:
                return None
            row_id, user_id, random_id = claimed
            spoken = execute(_LANGUAGE, (user_id,)).fetchone()
            if spoken is not None:
                return Recipient(row_id, user_id, random_id, language_of(spoken[0] or spoken[1]))
            _end(row_id, RecipientState.SKIPPED, now)
    return None


def take_over() -> None:
    """Have sent again what was being sent. Only for the one process that sends, while it is sending nothing.

    Of a broadcast that was stopped meanwhile it is counted as sent: it may have been, and nobody can delete it.
    """
    runs = Broadcast.select(Broadcast.id).where(Broadcast.state == "running")
    stopped = Broadcast.select(Broadcast.id).where(Broadcast.state.in_(("stopped", "deleting", "deleted")))
    claimed = BroadcastRecipient.state == RecipientState.CLAIMED
    with transaction():
        for state, which in ((RecipientState.WAITING, runs), (RecipientState.SENT, stopped)):
            those = claimed & BroadcastRecipient.broadcast.in_(which)
            BroadcastRecipient.update(state=state).where(those).execute()


def told(recipient_id: int, state: RecipientState, now: int, message_id: int | None = None) -> None:
    """Keep how writing to a recipient ended. A row that was deleted meanwhile stays deleted."""
    with transaction(durable=False):
        _end(recipient_id, state, now, message_id=message_id)


def release(recipient_id: int, *, failed: bool, now: int) -> None:
    """Have a recipient written to again; one who *failed* too often ends so."""
    claimed = (BroadcastRecipient.id == recipient_id) & (BroadcastRecipient.state == RecipientState.CLAIMED)
    with transaction(durable=False):
        BroadcastRecipient.update(
            state=RecipientState.WAITING, attempts=BroadcastRecipient.attempts + int(failed)
        ).where(claimed).execute()
        worn = (BroadcastRecipient.id == recipient_id) & (BroadcastRecipient.attempts >= MAX_ATTEMPTS)
        BroadcastRecipient.update(state=RecipientState.FAILED, at=now).where(worn).execute()


def is_open(broadcast_id: int) -> bool:
    """Whether anybody still waits, or is being written to."""
    query = BroadcastRecipient.select(BroadcastRecipient.id).where(
        BroadcastRecipient.broadcast == broadcast_id, BroadcastRecipient.state.in_(OPEN)
    )
    return bool(query.exists())


def number_of(broadcast_id: int) -> int:
    """How many recipients are written down."""
    return int(BroadcastRecipient.select().where(BroadcastRecipient.broadcast == broadcast_id).count())


def counts(broadcast_id: int) -> Counter[str]:
    """How many recipients are in which state, those included whose rows were deleted."""
    kept = Broadcast.select(Broadcast.counts).where(Broadcast.id == broadcast_id).get_or_none()
    found: Counter[str] = Counter(dict(kept.counts) if kept else {})
    number = peewee.fn.COUNT(BroadcastRecipient.id)
    query = BroadcastRecipient.select(BroadcastRecipient.state, number)
    for state, rows in fetch(
        query.where(BroadcastRecipient.broadcast == broadcast_id).group_by(BroadcastRecipient.state)
    ):
        found[state] += rows
    return found


def sales(broadcast_id: int) -> list[list[Any]]:
    """What recipients bought within three days of getting a broadcast: currency, how many, minor units net."""
    row = Broadcast.get_by_id(broadcast_id)
    if row.sales is not None:
        return list(row.sales)
    if row.began_at is None:
        return []
    ended = (row.ended_at or row.began_at + KEPT_DAYS * DAY_S) + SALES_S
    values = {"broadcast": broadcast_id, "began": row.began_at, "ended": ended}
    return [list(found) for found in execute(_SALES, values).fetchall()]


# ---- deleting what was sent


def deletable(broadcast_id: int, now: int, limit: int) -> list[Deletable]:
    """Some messages of a broadcast that can be deleted still."""
    query = BroadcastRecipient.select(
        BroadcastRecipient.id, BroadcastRecipient.user, BroadcastRecipient.message_id
    ).where(
        BroadcastRecipient.broadcast == broadcast_id,
        BroadcastRecipient.state == RecipientState.SENT,
        BroadcastRecipient.message_id.is_null(False),
        BroadcastRecipient.at > now - DELETABLE_S,
    )
    return [Deletable(*row) for row in fetch(query.limit(limit))]


def deleted(rows: Sequence[Deletable]) -> None:
    """Keep that these messages are deleted."""
    with transaction(durable=False):
        BroadcastRecipient.update(state=RecipientState.DELETED).where(
            BroadcastRecipient.id.in_([row.id for row in rows]), BroadcastRecipient.state == RecipientState.SENT
        ).execute()


# ---- forgetting who it was


def forget_person(user_id: int, until: int, limit: int) -> int:
    """Delete up to *limit* rows of a person, of broadcasts begun by *until*, and keep the counts.

    Inside the caller's transaction.
    """
    begun = Broadcast.select(Broadcast.id).where(Broadcast.touched_at <= until)
    query = BroadcastRecipient.select(
        BroadcastRecipient.id, BroadcastRecipient.broadcast, BroadcastRecipient.state
    ).where(BroadcastRecipient.user == user_id, BroadcastRecipient.broadcast.in_(begun))
    return _forget(fetch(query.limit(limit)).fetchall())


def forget_old(now: int) -> int:
    """Make counts of the recipients of broadcasts that ended 30 days ago; return how many rows that was."""
    gone = 0
    old = (Broadcast.ended_at < now - KEPT_DAYS * DAY_S) & Broadcast.state.in_(("done", "stopped", "deleted"))
    for (broadcast_id,) in fetch(Broadcast.select(Broadcast.id).where(old)).fetchall():
        known = sales(broadcast_id)
        while rows := _some(broadcast_id):
            with transaction():
                Broadcast.update(sales=known).where(Broadcast.id == broadcast_id, Broadcast.sales.is_null()).execute()
                gone += _forget(rows)
            give_way()
    return gone


def _some(broadcast_id: int) -> Sequence[tuple[int, int, str]]:
    query = BroadcastRecipient.select(
        BroadcastRecipient.id, BroadcastRecipient.broadcast, BroadcastRecipient.state
    ).where(BroadcastRecipient.broadcast == broadcast_id)
    rows: Sequence[tuple[int, int, str]] = fetch(query.limit(AT_ONCE)).fetchall()
    return rows


def _forget(rows: Iterable[tuple[int, int, str]]) -> int:
    """Delete recipients, and count them with their broadcast. Who was still waiting is not written to."""
    gone: dict[int, Counter[str]] = {}
    ids = []
    for row_id, broadcast_id, state in rows:
        ids.append(row_id)
        gone.setdefault(broadcast_id, Counter())[RecipientState.SKIPPED if state in OPEN else state] += 1
    if ids:
        execute(f"DELETE FROM broadcast_recipient WHERE id IN ({marks(ids)})", ids)
    for broadcast_id, states in gone.items():
        _add(broadcast_id, states)
    return len(ids)


def _add(broadcast_id: int, states: Mapping[str, int]) -> None:
    row = Broadcast.get_by_id(broadcast_id)
    row.counts = dict(Counter(row.counts) + Counter(states))
    row.save(only=[Broadcast.counts])


def _end(recipient_id: int, state: RecipientState, now: int, *, message_id: int | None = None) -> None:
    BroadcastRecipient.update(state=state, at=now, message_id=message_id).where(
        BroadcastRecipient.id == recipient_id, BroadcastRecipient.state == RecipientState.CLAIMED
    ).execute()
