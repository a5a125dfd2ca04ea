"""Links to deliver: put in line, claimed by a worker under a lease, delivered once, ended with their usage settled.

The life of a job, as a worker drives it::

    claim -> (size_known) -> usage.reserve -> plan_messages -> delivering -> [Telegram] -> sent -> finish
                 |                |                                |
                 put_back         refuse, batches.hold             unsent (refused: another way), put_back

Each step is one transaction, and after a ``kill -9`` between any two of them the job runs again with the same random
ids, what is in :attr:`JobInfo.sent` is not sent again, and what it had reserved is still its own.

What has gone out is charged: a job of which the customer has something ends as done, whatever ends it. Files go first:
what may be missing are words, or the rest of an album that Telegram takes only in several.

Whoever is told :class:`LeaseLost` stops working on the job and says nothing to the customer: another worker has it, or
the customer has cancelled it. What the customer must hear of an end is written with the end, as an event:
``job_finished`` for a single link, ``batch_finished`` when the last of a batch has ended. What he has cancelled as a
whole is not told: the answer to his wish has said it.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import peewee

from models import outbox
from models.database import execute, fetch, transaction
from models.errors import LeaseLost
from models.event_kinds import BatchFinished, JobFinished
from models.jobs import cache, scheduling, states, uploads, usage
from models.jobs.reasons import RefusalReason
from models.jobs.states import COLUMNS, ENDED, OPEN, RUNNING, JobInfo, JobState, words
from models.tables import Job

MAX_ATTEMPTS = 5
JUST_SERVED_S = 60

_BY_CUSTOMER = RefusalReason.CANCELLED_BY_CUSTOMER
_SERVED = (JobState.DONE, JobState.REFUSED, JobState.FAILED)
_STOPPABLE = (JobState.QUEUED, JobState.HELD, JobState.CLAIMED)

_BY_KEY = f"SELECT {COLUMNS} FROM job WHERE source_key = ?"
_WAITING = f"SELECT COUNT(*) FROM job WHERE user_id = ? AND state IN ({words((JobState.QUEUED, JobState.HELD))})"
_IN_LINE = f"SELECT {COLUMNS} FROM job WHERE state = '{JobState.QUEUED}' AND priority = ? ORDER BY round, id LIMIT ?"
_HISTORY = f"SELECT {COLUMNS} FROM job WHERE user_id = ? AND state = '{JobState.DONE}' ORDER BY id DESC LIMIT ?"
_OLDEST = f"""
SELECT MIN(CASE WHEN moved_at > not_before THEN moved_at ELSE not_before END) FROM job
WHERE state = '{JobState.QUEUED}' AND not_before <= :now AND user_id NOT IN (
    SELECT user_id FROM job WHERE state IN ({words(RUNNING)}) AND lease_until > :now
    UNION ALL SELECT user_id FROM job WHERE state IN ({words(_SERVED)}) AND moved_at > :recently)
"""
_LAPSED = f"SELECT {COLUMNS} FROM job WHERE state IN ({words(RUNNING)}) AND lease_until <= ? ORDER BY id"
_HEARTBEAT = f"UPDATE job SET lease_until = ? WHERE id = ? AND owner = ? AND state IN ({words(RUNNING)})"
_ADD = f"""
INSERT INTO job (user_id, chat_id, link, batch_id, source_key, reply_to, state, moved_at, priority, round, attempts,
                 not_before, random_ids, sent, created_at)
VALUES (:user_id, :chat_id, :link, :batch_id, :dedupe, :reply_to, '{JobState.QUEUED}', :now, :priority, :round, 0,
        0, '[]', '{{}}', :now)
RETURNING {COLUMNS}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A link to put in line. ``dedupe`` names the update, and the position in it, that the link came from."""

    user_id: int
    chat_id: int
    link: str
    dedupe: str
    priority: int = 0
    reply_to: int | None = None
    batch_id: int | None = None


@dataclass(frozen=True, slots=True)
class TooMany:
    """The user has as many jobs waiting as he may have."""

    waiting: int
    cap: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a worker knows at the end: the messages that went out, what the cache shall keep, words for the customer.

    ``sent`` maps random id to message id (0: Telegram said that it has it already). It may be empty when nothing had
    to be sent, an invitation followed for instance, or when :func:`sent` has recorded it before.
    """

    sent: Mapping[int, int] = field(default_factory=dict)
    cached: cache.CachedInfo | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _End:
    """How a job ends that is not delivered."""

    state: JobState
    reason: RefusalReason
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the line, for health and statistics."""

    queued: int
    running: int
    held: int
    oldest_wait_s: int | None  # how long a job could have been claimed by now, of customers whom nobody serves


@dataclass(frozen=True, slots=True)
class Totals:
    """What came of the jobs that ended in a span of time, and how many bytes the delivered ones had."""

    done: int
    refused: int
    failed: int
    cancelled: int
    bytes: int


# ---- in line


def enqueue(new: NewJob, cap: int, now: int) -> JobInfo | TooMany:
    """Put a link in line, unless the user has *cap* jobs waiting already.

    A second time nothing is added, and the job of the first time is returned.
    """
    with transaction():
        known = execute(_BY_KEY, (new.dedupe,)).fetchone()
        if known is not None:
            return states.info(known)
        waiting = waiting_count(new.user_id)
        if waiting >= cap:
            return TooMany(waiting, cap)
        (job,) = add((new,), now)
    return job


def add(jobs: Sequence[NewJob], now: int) -> tuple[JobInfo, ...]:
    """Insert jobs of one user and one priority at the end of the user's own. Inside the caller's transaction."""
    places = scheduling.places(jobs[0].user_id, jobs[0].priority)
    rows = [
        execute(_ADD, {**asdict(job), "round": place, "now": now}).fetchone()
        for job, place in zip(jobs, places, strict=False)
    ]
    return tuple(map(states.info, rows))


def get(job_id: int) -> JobInfo:
    """One job.

    :raises NotFound: there is none.
    """
    return states.get(job_id)


def waiting(user_id: int) -> tuple[JobInfo, ...]:
    """The user's jobs that have not ended, in the order in which they came."""
    return states.select(Job.user == user_id, Job.state.in_(OPEN))


def waiting_count(user_id: int) -> int:
    """How many of the user's jobs stand in line or are held; those being worked on do not count."""
    (count,) = execute(_WAITING, (user_id,)).fetchone()
    return int(count)


def history(user_id: int, limit: int) -> tuple[JobInfo, ...]:
    """The user's newest deliveries, newest first."""
    return tuple(map(states.info, execute(_HISTORY, (user_id, limit))))


def overview(now: int) -> Overview:
    """How the line stands.

    Whoever is being served, or just was, does not wait for us: his next link waits for the one before it.
    """
    by_state = Job.select(Job.state, peewee.fn.COUNT(Job.id)).where(Job.state.in_(OPEN)).group_by(Job.state)
    count = dict.fromkeys(OPEN, 0) | {JobState(state): number for state, number in fetch(by_state)}
    (since,) = execute(_OLDEST, {"now": now, "recently": now - JUST_SERVED_S}).fetchone()
    running_now = sum(count[state] for state in RUNNING)
    return Overview(count[JobState.QUEUED], running_now, count[JobState.HELD], None if since is None else now - since)


def totals(since: int, until: int | None = None) -> Totals:
    """What came of the jobs that have ended since then, and before *until* where that is given."""
    ended = Job.select(Job.state, peewee.fn.COUNT(Job.id), peewee.fn.SUM(Job.size)).where(
        Job.state.in_(ENDED), Job.moved_at >= since
    )
    if until is not None:
        ended = ended.where(Job.moved_at < until)
    rows = {JobState(state): (number, size or 0) for state, number, size in fetch(ended.group_by(Job.state))}
    done, refused, failed, cancelled = (rows.get(state, (0, 0)) for state in ENDED)
    return Totals(done[0], refused[0], failed[0], cancelled[0], bytes=done[1])


def in_line(limit: int) -> tuple[JobInfo, ...]:
    """The first *limit* jobs of the line, in the order of their turns: the n-th has n before it."""
    first: list[JobInfo] = []
    for priority in scheduling.priorities():
        first += map(states.info, execute(_IN_LINE, (priority, limit - len(first))))
    return tuple(first)


def left_standing(since: int) -> tuple[JobInfo, ...]:
    """Jobs that have ended since then while their progress message still stands: a crash came between."""
    return states.select(Job.state.in_(ENDED), Job.moved_at >= since, Job.status_message_id.is_null(False))


def promote(user_id: int, priority: int, now: int) -> int:
    """Move the user's waiting jobs to the line of his new plan; return how many moved."""
    with transaction():
        moving = states.select(Job.user == user_id, Job.state == JobState.QUEUED, Job.priority != priority)
        for job, place in zip(moving, scheduling.places(user_id, priority), strict=False):
            Job.update(priority=priority, round=place).where(Job.id == job.id).execute()
    return len(moving)


def set_status_message(job_id: int, message_id: int | None) -> None:
    """Remember the message that shows the progress of the job."""
    with transaction(durable=False):
        Job.update(status_message_id=message_id).where(Job.id == job_id).execute()


def cancel(user_id: int, job_id: int | None, now: int) -> list[int]:
    """Cancel one of the user's jobs, or all; return those that will not be delivered.

    A job whose message may be on its way already is not among them: it is only marked, so that it ends instead of
    running again should its sending fail. Nor is one of which something has arrived: it ends as delivered.
    """
    with transaction():
        his = (Job.user == user_id,) if job_id is None else (Job.user == user_id, Job.id == job_id)
        return [job.id for job in stop(now, *his)]


def stop(now: int, *where: peewee.Expression, reason: RefusalReason = _BY_CUSTOMER) -> tuple[JobInfo, ...]:
    """End the open jobs that satisfy *where* as cancelled, those being sent apart. Inside the caller's transaction."""
    Job.update(cancel_asked_at=now).where(Job.state == JobState.DELIVERING, *where).execute()
    ended = [_cancel(job, now, reason) for job in states.select(Job.state.in_(_STOPPABLE), *where)]
    return tuple(job for job in ended if job.state is JobState.CANCELLED)


def lose(now: int) -> int:
    """End what stood in line when a backup was made, for whoever puts that in place; return how many.

    Whether it has arrived since, nobody knows any more. What was being sent has its random ids: Telegram takes it once.
    """
    with transaction():
        lost = stop(now, Job.state.in_((JobState.QUEUED, JobState.CLAIMED)), reason=RefusalReason.RESTORED)
        for job in lost:
            announce(job, {}, now)
    return len(lost)


# ---- being worked on


def claim(
    owner: str, lease_s: int, per_customer: int, now: int, *, small: bool = True, large: bool = True
) -> JobInfo | None:
    """Take the next job for *owner*, who must :func:`heartbeat` before *lease_s* seconds have passed.

    Who is next is the rule of :mod:`models.jobs.scheduling`. *small* and *large* say for which sizes the worker
    has room.
    """
    with transaction(durable=False):
        _recover_lapsed(now)
        job_id = scheduling.take(per_customer, small, large, now)
        if job_id is None:
            return None
        attempts = states.get(job_id).attempts + 1
        return states.move(job_id, JobState.CLAIMED, now, owner=owner, lease_until=now + lease_s, attempts=attempts)


def heartbeat(job_id: int, owner: str, lease_s: int, now: int) -> bool:
    """Extend the lease; False when the job is not the owner's any more: cancelled, ended, or claimed by another."""
    with transaction(durable=False):
        return bool(execute(_HEARTBEAT, (now + lease_s, job_id, owner)).rowcount)


def held_by(owner: str) -> frozenset[int]:
    """The jobs that *owner* is working on: one cheap read to learn of cancellations, without writing."""
    return frozenset(row.id for row in Job.select(Job.id).where(Job.state.in_(RUNNING), Job.owner == owner))


def size_known(job_id: int, kind: str, size: int) -> None:
    """Write down what the job turned out to be: kind and size in bytes of the whole delivery."""
    with transaction(durable=False):
        execute("UPDATE job SET kind = ?, size = ? WHERE id = ?", (kind, size, job_id))


def plan_messages(job_id: int, n: int, now: int) -> list[int]:
    """The random ids of the *n* messages to be sent, stored before anything is sent.

    The i-th message of a job has the same id for ever: ids are added, never changed or dropped, because an earlier
    attempt may have sent with them.

    :raises LeaseLost: the job is gone.
    """
    with transaction(durable=False):
        job = states.find(job_id)
        if job is None:
            raise LeaseLost(job_id)
        known = job.random_ids
        ids = [*known, *(_random_id() for _ in range(n - len(known)))]
        if len(ids) > len(known):
            execute("UPDATE job SET random_ids = ? WHERE id = ?", (json.dumps(ids), job_id))
    return ids[:n]


def delivering(job_id: int, owner: str, now: int) -> JobInfo:
    """The last moment before a message goes out: from here on the job cannot be cancelled.

    :raises LeaseLost: it was cancelled, or is another's: send nothing.
    """
    with transaction():
        states.held_by(job_id, owner)
        return states.move(job_id, JobState.DELIVERING, now)


def unsent(job_id: int, owner: str, now: int) -> JobInfo:
    """Telegram has refused the message, none of this attempt went out: the worker goes on by another way.

    :raises LeaseLost: the job is another's, or its cancellation was asked for meanwhile and has now taken place.
    """
    with transaction():
        job = states.held_by(job_id, owner)
        stopping = job.cancel_asked_at is not None
        job = _cancel(job, now) if stopping else states.move(job_id, JobState.CLAIMED, now)
    if stopping:
        raise LeaseLost(job_id)
    return job


def sent(job_id: int, messages: Mapping[int, int]) -> None:
    """Record messages that went out, random id -> message id (0: Telegram said "duplicate"). Never refused: it is so.

    For jobs of several messages: a crash between them does not send the first again. It waits for no disk: the end of
    the job does, a moment later, and a power cut before that is as one before this call.
    """
    with transaction(durable=False):
        _record(states.get(job_id), messages)


def put_back(job_id: int, owner: str, not_before: int, count_attempt: bool, now: int) -> JobInfo:
    """Give the job back to the line, not to be claimed before *not_before*; its reservation stays with it.

    *count_attempt* False for what is not the job's fault: a flood wait, a full size class, a shutdown. A job that has
    used up its attempts fails, one whose cancellation was asked for is cancelled.

    :raises LeaseLost: it is another's.
    """
    with transaction():
        job = states.held_by(job_id, owner)
        return _back(job, job.attempts if count_attempt else job.attempts - 1, not_before, now)


def take_over(name: str, now: int) -> tuple[JobInfo, ...]:
    """End all leases of earlier workers called *name*, whose owner is ``name/<instance>``.

    For a worker that starts and knows that its predecessors of the same name are dead.
    """
    with transaction():
        theirs = states.select(Job.state.in_(RUNNING), Job.owner.startswith(f"{name}/"))
        return tuple(_back(job, job.attempts, now, now) for job in theirs)


# ---- ended


def finish(job_id: int, owner: str, outcome: Delivered, now: int) -> bool:
    """Record a delivery: usage committed, cache filled, state, message ids and event together.

    What was really sent is recorded even though the lease has lapsed meanwhile, and once: False says that it had been
    recorded before, or that the job had ended otherwise (then the message ids are kept and nothing is charged).

    :raises LeaseLost: nothing was sent, and the job is another's.
    """
    with transaction():
        job = states.get(job_id)
        if outcome.sent:
            job = _record(job, outcome.sent)
        if outcome.cached is not None:
            cache.put(outcome.cached, now)
        if job.state in ENDED:
            return False
        if not (outcome.sent or job.all_sent):
            states.must_hold(job, owner)
        _done(job_id, now, outcome.detail)
    return True


def refuse(
    job_id: int, owner: str, reason: RefusalReason, now: int, *, detail: Mapping[str, Any] | None = None
) -> None:
    """End the job because it may not or cannot be delivered; *detail* goes into the event, for the words.

    :raises LeaseLost: the job belongs to another worker.
    """
    with transaction():
        _unfulfilled(states.held_by(job_id, owner), _End(JobState.REFUSED, reason, detail or {}), now)


def unreachable(job_id: int, owner: str, now: int) -> None:
    """Refuse the job because its customer cannot be written to, and cancel what else that customer has open.

    :raises LeaseLost: the job belongs to another worker.
    """
    with transaction():
        job = states.held_by(job_id, owner)
        stop(now, Job.user == job.user_id, Job.id != job_id, reason=RefusalReason.UNREACHABLE)
        _unfulfilled(job, _End(JobState.REFUSED, RefusalReason.UNREACHABLE), now)


def fail(job_id: int, owner: str, reason: RefusalReason, now: int) -> None:
    """End the job because something broke for good.

    :raises LeaseLost: the job belongs to another worker.
    """
    with transaction():
        _unfulfilled(states.held_by(job_id, owner), _End(JobState.FAILED, reason), now)


def _done(job_id: int, now: int, detail: Mapping[str, Any]) -> JobInfo:
    job = states.move(job_id, JobState.DONE, now, reason=None)
    usage.commit(job_id)
    uploads.forget(job_id)
    announce(job, detail, now)
    return job


def _unfulfilled(job: JobInfo, end: _End, now: int) -> JobInfo:
    """End a job that cannot go on. What the job has sent is not taken back, and so neither is its usage."""
    if job.sent:
        return _done(job.id, now, {})
    job = states.move(job.id, end.state, now, reason=end.reason)
    _give_back(job.id)
    announce(job, end.detail, now)
    return job


def _cancel(job: JobInfo, now: int, reason: RefusalReason = _BY_CUSTOMER) -> JobInfo:
    """End a job that its customer does not wait for. Only a batch that ended in more ways than this is told."""
    if job.sent:
        return _done(job.id, now, {})
    job = states.move(job.id, JobState.CANCELLED, now, reason=reason)
    _give_back(job.id)
    others = (Job.batch == job.batch_id, Job.state != JobState.CANCELLED)
    if job.batch_id is not None and Job.select().where(*others).exists():
        announce(job, {}, now)
    return job


def _give_back(job_id: int) -> None:
    usage.release(job_id)
    uploads.forget(job_id)


def _recover_lapsed(now: int) -> tuple[JobInfo, ...]:
    lapsed = map(states.info, execute(_LAPSED, (now,)).fetchall())
    return tuple(_back(job, job.attempts, now, now) for job in lapsed)


def _back(job: JobInfo, attempts: int, not_before: int, now: int) -> JobInfo:
    """What becomes of a job whose worker lets go of it: sent is sent, then the customer's wish, then patience."""
    if job.all_sent:
        return _done(job.id, now, {})
    if job.cancel_asked_at is not None:
        return _cancel(job, now)
    if attempts >= MAX_ATTEMPTS:
        return _unfulfilled(job, _End(JobState.FAILED, RefusalReason.GAVE_UP), now)
    return states.move(job.id, JobState.QUEUED, now, attempts=attempts, not_before=not_before)


def announce(job: JobInfo, detail: Mapping[str, Any], now: int) -> None:
    """Write what the customer must hear of a job that ended; of a batch only its end.

    Runs inside the caller's transaction.
    """
    if job.batch_id is None:
        used = usage.of_job(job.id)
        told = JobFinished(job=job.id, state=job.state, reason=job.reason, used=used, detail=dict(detail))
        outbox.append(told, job.user_id, now)
    elif not Job.select().where(Job.batch == job.batch_id, Job.state.in_(OPEN)).exists():
        outbox.append(BatchFinished(batch=job.batch_id), job.user_id, now, key=f"batch_finished:{job.batch_id}")


def _record(job: JobInfo, messages: Mapping[int, int]) -> JobInfo:
    unknown = messages.keys() - set(job.random_ids)
    if unknown:
        raise ValueError(f"job {job.id}: random ids that were not planned: {sorted(unknown)}")
    known = {**job.sent, **messages}
    execute("UPDATE job SET sent = ? WHERE id = ?", (json.dumps(known), job.id))
    return replace(job, sent=known)


def _random_id() -> int:
    """A random id for Telegram: 63 bits, never 0."""
    return secrets.randbits(63) or 1
