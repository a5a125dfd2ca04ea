"""The states of a job, the moves between them, and the one function that changes a state.

A state says what is certain. ``claimed``: a worker has the job, and this attempt has sent no message. ``delivering``: a
message may have been sent. ``held``: the job waits until the customer releases it, after buying more.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import peewee

from models.database import execute, fetch
from models.errors import LeaseLost, MoveRefused, NotFound
from models.tables import Job


class JobState(StrEnum):
    """The states of a job, as they are stored."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DELIVERING = "delivering"
    HELD = "held"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


RUNNING = (JobState.CLAIMED, JobState.DELIVERING)
OPEN = (JobState.QUEUED, JobState.HELD, *RUNNING)
ENDED = (JobState.DONE, JobState.REFUSED, JobState.FAILED, JobState.CANCELLED)

# Any open state may end in ``done``: what Telegram has accepted is delivered, whichever worker holds the lease.
MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.CLAIMED, JobState.HELD, JobState.DONE, JobState.CANCELLED}),
    JobState.CLAIMED: frozenset(set(JobState) - {JobState.CLAIMED}),
    JobState.DELIVERING: frozenset(set(JobState) - {JobState.DELIVERING, JobState.HELD}),
    JobState.HELD: frozenset({JobState.QUEUED, JobState.DONE, JobState.CANCELLED}),
    **{state: frozenset() for state in ENDED},
}

AT_ONCE = 500
"""Jobs that one statement moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInfo:
    """A job as it was when it was read."""

    id: int
    user_id: int
    chat_id: int
    link: str
    batch_id: int | None
    reply_to: int | None
    state: JobState
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
    sent: Mapping[int, int]
    """Random id -> message id; 0 when Telegram only said that it has the message already."""
    size: int | None
    kind: str | None
    reason: str | None
    created_at: int

    @property
    def all_sent(self) -> bool:
        """Whether every message that was planned has been sent, and there was at least one."""
        return bool(self.random_ids) and self.sent.keys() >= set(self.random_ids)


_NAMES = tuple(each.name for each in fields(JobInfo))
_FIELDS = tuple(getattr(Job, name) for name in _NAMES)
COLUMNS = ", ".join(field.column_name for field in _FIELDS)
"""What :func:`info` reads, in its order, for statements that run for each message.

These are written in SQL, because Peewee takes ten times longer to build them than SQLite to run them (measured).
"""


def info(row: tuple[Any, ...]) -> JobInfo:
    """The value of a row of :data:`COLUMNS`."""
    values = dict(zip(_NAMES, row, strict=True))
    sent = {int(random_id): message_id for random_id, message_id in json.loads(values["sent"]).items()}
    read = {"state": JobState(values["state"]), "random_ids": tuple(json.loads(values["random_ids"])), "sent": sent}
    return JobInfo(**values | read)


def select(*where: peewee.Expression) -> tuple[JobInfo, ...]:
    """The jobs that satisfy all of *where*, in the order in which they were added."""
    return tuple(map(info, fetch(Job.select(*_FIELDS).where(*where).order_by(Job.id))))


def get(job_id: int) -> JobInfo:
    """Return a job.

    :raises NotFound: there is no such job.
    """
    job = find(job_id)
    if job is None:
        raise NotFound("job", job_id)
    return job


def find(job_id: int) -> JobInfo | None:
    """Return a job, or None: erasing a customer's data deletes their jobs, even while a worker has them."""
    row = execute(f"SELECT {COLUMNS} FROM job WHERE id = ?", (job_id,)).fetchone()
    return None if row is None else info(row)


def held_by(job_id: int, owner: str) -> JobInfo:
    """Return a job whose lease *owner* holds.

    :raises LeaseLost: the job has ended, was deleted, or belongs to another worker.
    """
    job = find(job_id)
    if job is None:
        raise LeaseLost(job_id)
    return must_hold(job, owner)


def must_hold(job: JobInfo, owner: str) -> JobInfo:
    """Do as :func:`held_by` for a job that was just read in this transaction."""
    if job.owner != owner or job.state not in RUNNING:
        raise LeaseLost(job.id)
    return job


def move(job_id: int, wanted: JobState, now: int, **changes: Any) -> JobInfo:
    """Change the state of a job, and *changes* (column -> value) with it; return the job after the change.

    No other statement than that of :func:`_move` writes ``job.state``. Runs inside the caller's transaction. A job that
    leaves the running states loses its lease.

    :raises MoveRefused: no move leads from the present state to *wanted*.
    """
    (job,) = move_all((job_id,), wanted, now, **changes)
    return job


def move_all(job_ids: Sequence[int], wanted: JobState, now: int, **changes: Any) -> tuple[JobInfo, ...]:
    """Do as :func:`move` for several jobs, with one statement for hundreds; return them by their ids.

    :raises MoveRefused: no move leads from the present state of one of them to *wanted*.
    """
    if wanted not in RUNNING:
        changes |= {"owner": None, "lease_until": None}
    firsts = range(0, len(job_ids), AT_ONCE)
    moved = {job.id: job for first in firsts for job in _move(job_ids[first : first + AT_ONCE], wanted, now, changes)}
    for job_id in job_ids:
        if job_id not in moved:
            raise MoveRefused("job", job_id, get(job_id).state, wanted)
    return tuple(moved[job_id] for job_id in sorted(moved))


def _move(job_ids: Sequence[int], wanted: JobState, now: int, changes: Mapping[str, Any]) -> Iterator[JobInfo]:
    columns = "".join(f", {name} = :{name}" for name in changes)
    ids = {f"id{number}": job_id for number, job_id in enumerate(job_ids)}
    rows = execute(
        f"UPDATE job SET state = :state, moved_at = :now{columns} WHERE id IN ({', '.join(f':{name}' for name in ids)})"
        f" AND state IN ({_BEFORE[wanted]}) RETURNING {COLUMNS}",
        {"state": wanted, "now": now, **ids, **changes},
    )
    return map(info, rows.fetchall())


def sql_list(values: Iterable[StrEnum]) -> str:
    """States, or other values of an enum, as a list for SQL."""
    return ", ".join(f"'{value}'" for value in values)


_BEFORE = {wanted: sql_list(state for state, following in MOVES.items() if wanted in following) for wanted in JobState}
