"""Batches: several links of one message, with one progress message, one cancellation and one end.

When a limit stops one job of a batch, that job is held together with the queued ones, and the customer hears so once.
Held jobs are queued again when the customer asks, or cancelled after some days.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import peewee

from models import outbox
from models.database import execute, fetch, give_way, transaction
from models.errors import NotFound
from models.event_kinds import BatchHeld, OverLimit
from models.jobs import budgets, queue, scheduling, states, usage
from models.jobs.budgets import Budget
from models.jobs.queue import NewJob, TooMany
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobInfo, JobState
from models.jobs.usage import Needs, Reserved, Room
from models.tables import Batch, Job, Usage

_NEEDS = f"""
SELECT id, reason, needs FROM job
WHERE batch_id = ? AND state = '{JobState.HELD}' AND reason IS NOT NULL AND needs IS NOT NULL ORDER BY id
"""
AT_ONCE = 100
"""Held jobs that one transaction cancels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """Links to add to the queue together. ``dedupe`` names the update that they came from."""

    user_id: int
    chat_id: int
    links: tuple[str, ...]
    dedupe: str
    priority: int = 0
    reply_to: int | None = None

    def jobs(self, batch_id: int) -> list[NewJob]:
        """A job for each link."""
        return [
            NewJob(
                user_id=self.user_id,
                chat_id=self.chat_id,
                link=link,
                dedupe=f"{self.dedupe}/{position}",
                priority=self.priority,
                reply_to=self.reply_to,
                batch_id=batch_id,
            )
            for position, link in enumerate(self.links)
        ]


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """A batch as it was when it was read."""

    id: int
    user_id: int
    chat_id: int
    total: int
    status_message_id: int | None
    cancelled: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class Held:
    """The ids of the jobs that were held, and whether this call was the first to hold jobs of the batch."""

    job_ids: tuple[int, ...]
    tell: bool


def enqueue(new: NewBatch, cap: int, now: int, budget: Budget | None = None) -> BatchInfo | TooMany | None:
    """Add all links to the queue as one batch, or none when the customer would have more than *cap* jobs waiting.

    A second call with the same ``dedupe`` adds nothing and returns the batch of the first one.

    :param budget: what the customer may ask for. Links that it leaves no room for are left out, the last ones first,
        of which the customer hears once; None when it leaves room for none.
    """
    with transaction():
        known = Batch.get_or_none(Batch.source_key == new.dedupe)
        if known is not None:
            return _info(known)
        waiting = queue.waiting_count(new.user_id)
        if waiting + len(new.links) > cap:
            return TooMany(waiting, cap)
        if budget is not None:
            new = replace(new, links=new.links[: budgets.take(new.user_id, budget, len(new.links), now)])
        if not new.links:
            return None
        batch = Batch.create(
            user=new.user_id, chat_id=new.chat_id, source_key=new.dedupe, total=len(new.links), created_at=now
        )
        queue.add(new.jobs(batch.id), now)
    return _info(batch)


def get(batch_id: int) -> BatchInfo:
    """Return a batch.

    :raises NotFound: there is no such batch.
    """
    row = Batch.get_or_none(Batch.id == batch_id)
    if row is None:
        raise NotFound("batch", batch_id)
    return _info(row)


def counts(batch_id: int) -> Mapping[JobState, int]:
    """How many jobs of the batch are in each state. Every state is a key."""
    by_state = Job.select(Job.state, peewee.fn.COUNT(Job.id)).where(Job.batch == batch_id).group_by(Job.state)
    return dict.fromkeys(JobState, 0) | {JobState(state): count for state, count in fetch(by_state)}


def waiting(batch_id: int) -> int:
    """How many jobs of a batch wait for the customer after :func:`hold`.

    A job that another worker has just claimed and that has no reservation yet counts too: it is about to be held.
    """
    reserved = Usage.select(Usage.job).where(Usage.job == Job.id)
    undecided = (Job.state == JobState.CLAIMED) & ~peewee.fn.EXISTS(reserved)
    return int(Job.select().where(Job.batch == batch_id, (Job.state == JobState.HELD) | undecided).count())


def waits_for(batch_id: int) -> list[tuple[int, RefusalReason, Needs]]:
    """The held jobs of a batch, why each is, and what its post needs; those whose post was not read are left out."""
    rows = execute(_NEEDS, (batch_id,)).fetchall()
    return [(job_id, RefusalReason(reason), Needs.read(needs)) for job_id, reason, needs in rows]


def set_status_message(batch_id: int, message_id: int | None) -> None:
    """Store the id of the message that shows the progress of the batch."""
    with transaction(durable=False):
        Batch.update(status_message_id=message_id).where(Batch.id == batch_id).execute()


def cancel(user_id: int, batch_id: int, now: int) -> list[int]:
    """Cancel the open jobs of a customer's batch; return the ids of those that will not be delivered."""
    with transaction():
        Batch.update(cancelled_at=now).where(Batch.id == batch_id, Batch.user == user_id).execute()
        return [job.id for job in queue.stop(now, Job.batch == batch_id, Job.user == user_id)]


def hold(
    job_id: int,
    owner: str,
    over: OverLimit,
    now: int,
    needs: Needs | None = None,
    room: Callable[[], Room] | None = None,
) -> Held:
    """Hold a job that goes *over* a limit, and the queued jobs of its batch. *needs* is what the job's post holds.

    *room* is what the customer has now. Where that brings the post, because they have paid since it was refused, the
    job is queued instead, with its reservation, and none is held.

    A job that has its reservation stays queued: it has sent a message, or was released.

    ``tell`` is True once until :func:`release`, for the first of several workers; then ``BatchHeld`` is written too.

    :raises LeaseLost: the job belongs to another worker.
    :raises NotFound: the job belongs to no batch. Refuse it instead.
    """
    with transaction():
        job = states.held_by(job_id, owner)
        if job.batch_id is None:
            raise NotFound("batch", None)
        if needs is not None and room is not None and goes_on(job, needs, room(), now):
            return Held((), False)
        in_line = [
            each
            for each in states.select(Job.batch == job.batch_id, Job.state == JobState.QUEUED)
            if not usage.of_job(each.id) and not each.sent
        ]
        held = [each.id for each in (job, *in_line)]
        states.move_all(held, JobState.HELD, now, reason=RefusalReason.QUOTA)
        Job.update(needs=needs and needs.stored()).where(Job.id == job_id).execute()
        usage.release(*held)
        untold = (Batch.id == job.batch_id, Batch.quota_told_at.is_null())
        tell = Batch.update(quota_told_at=now).where(*untold).execute() == 1
        if tell:
            largest = needs.size(over.kind) if needs else 0
            told = BatchHeld(batch=job.batch_id, job=job_id, largest=largest, **over.stored())
            outbox.append(told, job.user_id, now)
    return Held(tuple(held), tell)


def goes_on(job: JobInfo, needs: Needs, room: Room, now: int) -> bool:
    """Queue a running job that the customer's *room* brings after all, with its reservation. False: it does not.

    In the caller's transaction.
    """
    if not isinstance(usage.take(job.id, job.user_id, needs, room, now=now), Reserved):
        return False
    place = next(scheduling.places(job.user_id, room.level))
    states.move(job.id, JobState.QUEUED, now, priority=room.level, round=place)
    return True


def release(user_id: int, batch_id: int | None, priority: int, now: int) -> list[int]:
    """Queue the customer's held jobs again, of one batch or of all, at the *priority* of their present plan."""
    with transaction():
        return put_in_line(user_id, batch_id, priority, now)


def put_in_line(user_id: int, batch_id: int | None, priority: int, now: int) -> list[int]:
    """Do as :func:`release` inside the caller's transaction."""
    held = states.select(Job.user == user_id, Job.state == JobState.HELD, *_of(batch_id))
    for job, place in zip(held, scheduling.places(user_id, priority), strict=False):
        states.move(job.id, JobState.QUEUED, now, priority=priority, round=place, reason=None, needs=None, attempts=0)
    Batch.update(quota_told_at=None).where(Batch.id.in_({job.batch_id for job in held})).execute()
    return [job.id for job in held]


def expire_held(before: int, now: int) -> int:
    """Cancel the jobs that have been held since before *before*; return how many. Others write in between."""
    held = Job.select(Job.id).where(Job.state == JobState.HELD, Job.moved_at < before).limit(AT_ONCE)
    gone = 0
    while ids := [id_ for (id_,) in fetch(held)]:
        with transaction():
            expired = states.select(Job.id.in_(ids), Job.state == JobState.HELD)
            for job in expired:
                ended = states.move(job.id, JobState.CANCELLED, now, reason=RefusalReason.HELD_TOO_LONG)
                queue.announce(ended, {}, now)
        gone += len(expired)
        if len(ids) == AT_ONCE:
            give_way()
    return gone


def _of(batch_id: int | None) -> tuple[peewee.Expression, ...]:
    return () if batch_id is None else (Job.batch == batch_id,)


def _info(row: Batch) -> BatchInfo:
    return BatchInfo(
        id=row.id,
        user_id=row.user_id,
        chat_id=row.chat_id,
        total=row.total,
        status_message_id=row.status_message_id,
        cancelled=row.cancelled_at is not None,
        created_at=row.created_at,
    )
