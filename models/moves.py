"""The states of a job, which may follow which, and the one function that changes them.

A state tells what is certain. ``claimed``: a worker is on it and no message has gone out by this attempt.
``delivering``: a message may have gone out. ``held``: waits for the customer to ask for it again, after an upgrade.
"""

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import peewee

from models.errors import LeaseLost, NotFound
from models.tables import Job


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DELIVERING = "delivering"
    HELD = "held"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


RUNNING = (State.CLAIMED, State.DELIVERING)
OPEN = (State.QUEUED, State.HELD, *RUNNING)
ENDED = (State.DONE, State.REFUSED, State.FAILED, State.CANCELLED)

# Any open state may end in ``done``: what Telegram has taken is true, whatever the lease says.
MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.CLAIMED, State.HELD, State.DONE, State.CANCELLED}),
    State.CLAIMED: frozenset(set(State) - {State.CLAIMED}),
    State.DELIVERING: frozenset(set(State) - {State.DELIVERING, State.HELD}),
    State.HELD: frozenset({State.QUEUED, State.DONE, State.CANCELLED}),
    **{state: frozenset() for state in ENDED},
}


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job as it was when it was read."""

    id: int
    user_id: int
    chat_id: int
    link: str
    batch_id: int | None
    reply_to: int | None
    state: State
    moved_at: int
    priority: int
    round: int
    owner: str | None
    lease_until: int | None
    attempts: int
    not_before: int
    cancel_asked_at: int | None
    status_message_id: int | None
    random_ids: tuple[int, ...]
    sent: Mapping[int, int]  # random id -> message id, 0 when Telegram only said that it has it already
    size: int | None
    kind: str | None
    reason: str | None
    created_at: int

    @property
    def all_sent(self) -> bool:
        """Whether every message that was planned has been sent, and there was at least one."""
        return bool(self.random_ids) and self.sent.keys() >= set(self.random_ids)


def info(row: Job) -> JobInfo:
    """The value of a row."""
    return JobInfo(
        id=row.id,
        user_id=row.user_id,
        chat_id=row.chat_id,
        link=row.link,
        batch_id=row.batch_id,
        reply_to=row.reply_to,
        state=State(row.state),
        moved_at=row.moved_at,
        priority=row.priority,
        round=row.round,
        owner=row.owner,
        lease_until=row.lease_until,
        attempts=row.attempts,
        not_before=row.not_before,
        cancel_asked_at=row.cancel_asked_at,
        status_message_id=row.status_message_id,
        random_ids=tuple(row.random_ids),
        sent={int(random_id): message_id for random_id, message_id in row.sent.items()},
        size=row.size,
        kind=row.kind,
        reason=row.reason,
        created_at=row.created_at,
    )


def select(*where: peewee.Expression) -> tuple[JobInfo, ...]:
    """The jobs that satisfy all of *where*, in the order in which they came."""
    return tuple(info(row) for row in Job.select().where(*where).order_by(Job.id))


def get(job_id: int) -> JobInfo:
    """One job.

    :raises NotFound: there is none.
    """
    row = Job.get_or_none(Job.id == job_id)
    if row is None:
        raise NotFound("job", job_id)
    return info(row)


def held_by(job_id: int, owner: str) -> JobInfo:
    """The job, provided that *owner* is the one working on it.

    :raises LeaseLost: it ended, was cancelled, or belongs to another worker now.
    """
    job = get(job_id)
    if job.owner != owner or job.state not in RUNNING:
        raise LeaseLost(job_id)
    return job


def move(wanted: State, now: int, *where: peewee.Expression, **changes: Any) -> tuple[JobInfo, ...]:
    """Move every job that satisfies *where* and may go to *wanted*; return those that went.

    The only statement in the house that writes ``job.state``. Must run inside the caller's transaction. Leaving the
    running states gives up the lease. Rows whose present state does not lead to *wanted* stay as they are: whoever
    expects exactly one looks at the count.
    """
    present = [state for state, following in MOVES.items() if wanted in following]
    if wanted not in RUNNING:
        changes |= {"owner": None, "lease_until": None}
    condition = functools.reduce(operator.and_, where, Job.state.in_(present))
    query = Job.update(state=wanted, moved_at=now, **changes).where(condition).returning(Job)
    return tuple(sorted((info(row) for row in query.execute()), key=lambda job: job.id))
