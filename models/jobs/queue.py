"""The queue of jobs: each is a link, claimed by a worker under a lease, delivered once, ended with its usage settled.

The steps of a worker::

    claim -> (size_known) -> usage.reserve -> plan_messages -> delivering -> [Telegram] -> sent -> finish
                 |                |                                |
                 put_back         refuse, batches.hold             unsent (refused: another way), put_back

Each step is one transaction. After a ``kill -9`` between any two of them the job runs again with the same random ids:
messages in :attr:`JobInfo.sent` are not sent again, and the job keeps its reservation.

Messages that were sent are charged: a job of which the customer has received a message ends as done, whatever ends the
job. Files are sent first, so what may be missing is text, or the rest of an album that Telegram takes only in parts.

A worker that gets :class:`LeaseLost` stops working on the job and tells the customer nothing: another worker has the
job, or the customer has cancelled it. The end of a job and the event that tells it are one commit: ``JobFinished`` for
a single link, ``BatchFinished`` when the last job of a batch has ended. A customer who cancels everything gets no
event: the bot's answer to the command has said it.
"""

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import peewee

from models import outbox
from models.database import execute, fetch, joined_transaction, marks, transaction
from models.errors import LeaseLost
from models.event_kinds import BatchFinished, BatchRestHeld, JobFinished
from models.jobs import budgets, cache, scheduling, states, uploads, usage
from models.jobs.budgets import Budget
from models.jobs.reasons import RefusalReason
from models.jobs.states import COLUMNS, ENDED, OPEN, RUNNING, JobInfo, JobState, sql_list
from models.tables import Batch, Job

MAX_ATTEMPTS = 5
JUST_SERVED_S = 60

_BY_CUSTOMER = RefusalReason.CANCELLED_BY_CUSTOMER
_SERVED = (JobState.DONE, JobState.REFUSED, JobState.FAILED)
_STOPPABLE = (JobState.QUEUED, JobState.HELD, JobState.CLAIMED)

_BY_KEY = f"SELECT {COLUMNS} FROM job WHERE source_key = ?"
_ASKED = "SELECT link FROM job WHERE source_key >= ? AND source_key < ?"
_WAITING = f"""
SELECT COUNT(*) FROM job WHERE user_id = ? AND state IN ({sql_list((JobState.QUEUED, JobState.HELD))})
  AND NOT (state = '{JobState.HELD}' AND batch_id IS NULL)
"""
_TWINS = f"""
SELECT id, link, chosen_at FROM job
WHERE user_id = ? AND state = '{JobState.HELD}' AND link IN ({{}}) ORDER BY chosen_at
"""
_IN_LINE = f"SELECT {COLUMNS} FROM job WHERE state = '{JobState.QUEUED}' AND priority = ? ORDER BY round, id LIMIT ?"
_HISTORY = f"SELECT {COLUMNS} FROM job WHERE user_id = ? AND state = '{JobState.DONE}' ORDER BY id DESC LIMIT ?"
_NEWEST = f"SELECT {COLUMNS} FROM job WHERE user_id = ? AND state = ? ORDER BY id DESC LIMIT ?"
_OLDEST = f"""
SELECT MIN(CASE WHEN moved_at > not_before THEN moved_at ELSE not_before END) FROM job
WHERE state = '{JobState.QUEUED}' AND not_before <= :now AND user_id NOT IN (
    SELECT user_id FROM job WHERE state IN ({sql_list(RUNNING)}) AND lease_until > :now
    UNION ALL SELECT user_id FROM job WHERE state IN ({sql_list(_SERVED)}) AND moved_at > :recently)
"""
_LAPSED = f"SELECT {COLUMNS} FROM job WHERE state IN ({sql_list(RUNNING)}) AND lease_until <= ? ORDER BY id"
_ANY_TO_CLAIM = f"""
SELECT EXISTS (SELECT 1 FROM job WHERE state = '{JobState.QUEUED}' AND not_before <= :now)
    OR EXISTS (SELECT 1 FROM job WHERE state IN ({sql_list(RUNNING)}) AND lease_until <= :now)
"""
"""Asked every second and after every commit: to claim needs the one lock for writing."""
_HURRY = f"UPDATE job SET not_before = ? WHERE state = '{JobState.QUEUED}' AND not_before > ?"
_HEARTBEAT = f"UPDATE job SET lease_until = ? WHERE id = ? AND owner = ? AND state IN ({sql_list(RUNNING)})"
_ADD = f"""
INSERT INTO job (user_id, chat_id, link, batch_id, source_key, reply_to, state, moved_at, priority, round, attempts,
                 not_before, random_ids, sent, created_at, chosen_at)
VALUES (:user_id, :chat_id, :link, :batch_id, :dedupe, :reply_to, '{JobState.QUEUED}', :now, :priority, :round, 0,
        0, '[]', '{{}}', :now, :chosen_at)
RETURNING {COLUMNS}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A link to add to the queue. ``dedupe`` names the update, and the position in it, that the link came from."""

    user_id: int
    chat_id: int
    link: str
    dedupe: str
    priority: int = 0
    reply_to: int | None = None
    batch_id: int | None = None


@dataclass(frozen=True, slots=True)
class TooMany:
    """The customer has as many jobs waiting as one customer may have."""

    waiting: int
    cap: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """The result of a worker: the messages that were sent, what to cache, and details for the event.

    ``sent`` maps random id to message id (0: Telegram said that it has the message already). It is empty when nothing
    had to be sent (an invitation), or when :func:`sent` has recorded the messages before.
    """

    sent: Mapping[int, int] = field(default_factory=dict)
    cached: cache.CachedInfo | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a job that is not delivered."""

    state: JobState
    reason: RefusalReason
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the queue, for health and statistics."""

    queued: int
    running: int
    held: int
    oldest_wait_s: int | None
    """The longest time for which a job could have been claimed, of customers who are not being served."""


@dataclass(frozen=True, slots=True)
class Totals:
    """How many jobs ended in a span of time, by their ends, and the bytes of the delivered ones."""

    done: int
    refused: int
    failed: int
    cancelled: int
    bytes: int


# ---- queued


def asked(source: str) -> frozenset[str]:
    """The links that came from the update with this ``dedupe``, and from those whose ``dedupe`` goes on with ``/``."""
    return frozenset(link for (link,) in execute(_ASKED, (source, f"{source}0")))  # "0" comes next after "/"


def enqueue(new: NewJob, cap: int, now: int, budget: Budget | None = None) -> JobInfo | TooMany | None:
    """Add a link to the queue, unless the customer has *cap* jobs waiting already.

    A second call with the same ``dedupe`` adds nothing and returns the job of the first one.

    :param budget: what the customer may ask for; None when it is used up, of which they hear once.
    """
    with transaction():
        known = execute(_BY_KEY, (new.dedupe,)).fetchone()
        if known is not None:
            return states.info(known)
        waiting = waiting_count(new.user_id)
        if waiting >= cap:
            return TooMany(waiting, cap)
        if budget is not None and not budgets.take(new.user_id, budget, 1, now):
            return None
        (job,) = add((new,), now)
    return job


def add(jobs: Sequence[NewJob], now: int) -> tuple[JobInfo, ...]:
    """Insert jobs of one customer and one priority after that customer's others. Inside the caller's transaction.

    A job takes the place of those that are held for its link: the customer wants it, and pays for it, once.
    """
    chosen = _end_twins(jobs, now)
    places = scheduling.places(jobs[0].user_id, jobs[0].priority)
    rows = [
        execute(_ADD, {**asdict(job), "round": place, "now": now, "chosen_at": chosen.get(job.link)}).fetchone()
        for job, place in zip(jobs, places, strict=False)
    ]
    return tuple(map(states.info, rows))


def _end_twins(jobs: Sequence[NewJob], now: int) -> dict[str, int]:
    """Cancel what is held for the links of new jobs; return when the customer began to pay for them."""
    links = [job.link for job in jobs]
    twins = execute(_TWINS.format(marks(links)), (jobs[0].user_id, *links)).fetchall()
    if twins:
        _cancel(states.select(Job.id.in_([job_id for job_id, *_ in twins])), now)
    return {link: chosen_at for _, link, chosen_at in twins if chosen_at is not None}


def get(job_id: int) -> JobInfo:
    """Return a job.

    :raises NotFound: there is no such job.
    """
    return states.get(job_id)


def waiting(user_id: int) -> tuple[JobInfo, ...]:
    """The customer's jobs that have not ended, in the order in which they were added."""
    return states.select(Job.user == user_id, Job.state.in_(OPEN))


def waiting_count(user_id: int) -> int:
    """How many of the customer's jobs are queued, or held with their batch; no running and single held ones."""
    (count,) = execute(_WAITING, (user_id,)).fetchone()
    return int(count)


def history(user_id: int, limit: int) -> tuple[JobInfo, ...]:
    """The customer's newest deliveries, newest first."""
    return tuple(map(states.info, execute(_HISTORY, (user_id, limit))))


def newest(user_id: int, limit: int) -> tuple[JobInfo, ...]:
    """The customer's newest jobs in any state, newest first. Each state is read by its index."""
    found = [states.info(row) for state in JobState for row in execute(_NEWEST, (user_id, state, limit))]
    return tuple(sorted(found, key=lambda job: -job.id)[:limit])


def overview(now: int) -> Overview:
    """Count the open jobs and find the oldest wait.

    Customers who are being served, or just were, do not count as waiting: their next job waits for the one before it.
    """
    by_state = Job.select(Job.state, peewee.fn.COUNT(Job.id)).where(Job.state.in_(OPEN)).group_by(Job.state)
    count = dict.fromkeys(OPEN, 0) | {JobState(state): number for state, number in fetch(by_state)}
    (since,) = execute(_OLDEST, {"now": now, "recently": now - JUST_SERVED_S}).fetchone()
    running_now = sum(count[state] for state in RUNNING)
    return Overview(count[JobState.QUEUED], running_now, count[JobState.HELD], None if since is None else now - since)


def totals(since: int, until: int | None = None) -> Totals:
    """Count the jobs that have ended since *since*, and before *until* where it is given."""
    ended = Job.select(Job.state, peewee.fn.COUNT(Job.id), peewee.fn.SUM(Job.size)).where(
        Job.state.in_(ENDED), Job.moved_at >= since
    )
    if until is not None:
        ended = ended.where(Job.moved_at < until)
    rows = {JobState(state): (number, size or 0) for state, number, size in fetch(ended.group_by(Job.state))}
    done, refused, failed, cancelled = (rows.get(state, (0, 0)) for state in ENDED)
    return Totals(done[0], refused[0], failed[0], cancelled[0], bytes=done[1])


def in_line(limit: int) -> tuple[JobInfo, ...]:
    """The first *limit* queued jobs, in the order of their turns."""
    first: list[JobInfo] = []
    for priority in scheduling.priorities():
        first += map(states.info, execute(_IN_LINE, (priority, limit - len(first))))
    return tuple(first)


def left_standing(since: int) -> tuple[JobInfo, ...]:
    """Jobs that have ended since *since* and still have a progress message, because of a crash in between."""
    return states.select(Job.state.in_(ENDED), Job.moved_at >= since, Job.status_message_id.is_null(False))


def promote(user_id: int, priority: int, now: int) -> int:
    """Move the customer's queued jobs to the priority of their new plan; return how many moved."""
    with transaction():
        moving = states.select(Job.user == user_id, Job.state == JobState.QUEUED, Job.priority != priority)
        for job, place in zip(moving, scheduling.places(user_id, priority), strict=False):
            execute("UPDATE job SET priority = ?, round = ? WHERE id = ?", (priority, place, job.id))
    return len(moving)


def set_status_message(job_id: int, message_id: int | None) -> None:
    """Store the id of the message that shows the progress of the job."""
    with transaction(durable=False):
        Job.update(status_message_id=message_id).where(Job.id == job_id).execute()


def cancel(user_id: int, job_id: int | None, now: int) -> list[int]:
    """Cancel one of the customer's jobs, or all; return the ids of those that will not be delivered.

    A job that is being sent is not among them: it is marked, and ends instead of running again if the sending fails.
    Nor is a job that has sent a message: it ends as delivered.
    """
    with joined_transaction():
        wanted = (Job.user == user_id,) if job_id is None else (Job.user == user_id, Job.id == job_id)
        return [job.id for job in stop(now, *wanted)]


def stop(now: int, *where: peewee.Expression, reason: RefusalReason = _BY_CUSTOMER) -> tuple[JobInfo, ...]:
    """Cancel the open jobs that satisfy *where*, and mark those being sent. Inside the caller's transaction."""
    Job.update(cancel_asked_at=now).where(Job.state == JobState.DELIVERING, *where).execute()
    return _cancel(states.select(Job.state.in_(_STOPPABLE), *where), now, reason)


def lose(now: int) -> int:
    """Cancel the jobs that were queued or claimed when a restored backup was made; return how many.

    Nobody knows whether they were delivered since. A job that was being sent has its random ids, by which Telegram
    accepts each message once.
    """
    with transaction():
        lost = stop(now, Job.state.in_((JobState.QUEUED, JobState.CLAIMED)), reason=RefusalReason.RESTORED)
        for job in lost:
            announce(job, {}, now)
    return len(lost)


# ---- running


def claim(
    owner: str, lease_s: int, per_customer: int, now: int, *, small: bool = True, large: bool = True
) -> JobInfo | None:
    """Claim the next job for *owner*, who must :func:`heartbeat` before *lease_s* seconds have passed.

    :mod:`models.jobs.scheduling` decides which job is next. *small* and *large* say for which sizes the worker has
    room.
    """
    if not execute(_ANY_TO_CLAIM, {"now": now}).fetchone()[0]:
        return None
    with transaction(durable=False):
        _recover_lapsed(now)
        job_id = scheduling.take(per_customer, small, large, now)
        if job_id is None:
            return None
        attempts = states.get(job_id).attempts + 1
        return states.move(job_id, JobState.CLAIMED, now, owner=owner, lease_until=now + lease_s, attempts=attempts)


def heartbeat(job_id: int, owner: str, lease_s: int, now: int) -> bool:
    """Extend the lease; False when *owner* no longer holds it: the job has ended or belongs to another worker."""
    with transaction(durable=False):
        return bool(execute(_HEARTBEAT, (now + lease_s, job_id, owner)).rowcount)


def held_by(owner: str) -> frozenset[int]:
    """The ids of the jobs that *owner* runs: one cheap read to learn of cancellations."""
    return frozenset(row.id for row in Job.select(Job.id).where(Job.state.in_(RUNNING), Job.owner == owner))


def size_known(job_id: int, kind: str, size: int) -> bool:
    """Store the kind and the size in bytes of the whole delivery, once they are known. True: it has grown since."""
    with joined_transaction(durable=False):
        known = execute("SELECT size FROM job WHERE id = ?", (job_id,)).fetchone()
        execute("UPDATE job SET kind = ?, size = ? WHERE id = ?", (kind, size, job_id))
    return known is not None and known[0] is not None and size > known[0]


def plan_messages(job_id: int, n: int, now: int) -> list[int]:
    """Return the random ids of the *n* messages to send, stored before any of them is sent.

    The i-th message of a job always has the same id: ids are added, never changed or removed, because an earlier
    attempt may have sent with them.

    :raises LeaseLost: the job was deleted.
    """
    with joined_transaction(durable=False):
        job = states.find(job_id)
        if job is None:
            raise LeaseLost(job_id)
        known = job.random_ids
        ids = [*known, *(_random_id() for _ in range(n - len(known)))]
        if len(ids) > len(known):
            execute("UPDATE job SET random_ids = ? WHERE id = ?", (json.dumps(ids), job_id))
    return ids[:n]


def delivering(job_id: int, owner: str, now: int) -> JobInfo:
    """Note that a message is about to be sent: from here on the job cannot be cancelled. Harmless when repeated.

    :raises LeaseLost: the job was cancelled or belongs to another worker. Send nothing.
    """
    with transaction():
        job = states.held_by(job_id, owner)
        return job if job.state is JobState.DELIVERING else states.move(job_id, JobState.DELIVERING, now)


def unsent(job_id: int, owner: str, now: int) -> JobInfo:
    """Note that Telegram has refused the message and this attempt has sent none: the worker tries another way.

    :raises LeaseLost: the job belongs to another worker, or was cancelled now because the customer had asked for it.
    """
    with transaction():
        job = states.held_by(job_id, owner)
        stopping = job.cancel_asked_at is not None
        if stopping:
            _cancel((job,), now)
        else:
            job = states.move(job_id, JobState.CLAIMED, now)
    if stopping:
        raise LeaseLost(job_id)
    return job


def sent(job_id: int, messages: Mapping[int, int]) -> None:
    """Record messages that were sent, also when the lease is lost: random id -> message id (0: "duplicate").

    For jobs of several messages: a crash between them does not send the first one again. This commit does not wait for
    the disk: sent again after a power cut, with the same random id, the message still arrives once.
    """
    with transaction(durable=False):
        _record(states.get(job_id), messages)


def put_back(job_id: int, owner: str, not_before: int, count_attempt: bool, now: int) -> JobInfo:
    """Requeue the job, which cannot be claimed before *not_before*. The job keeps its reservation.

    *count_attempt* is False where the job is not at fault: a flood wait, no room for its size, a shutdown. A job
    without attempts left fails; one that its customer wants cancelled is cancelled.

    :raises LeaseLost: the job belongs to another worker.
    """
    with transaction():
        job = states.held_by(job_id, owner)
        return _back(job, job.attempts if count_attempt else job.attempts - 1, not_before, now)


def hurry(job_ids: Collection[int], now: int) -> None:
    """Let jobs in the queue be claimed at once: what they waited for is there."""
    if job_ids:
        with transaction(durable=False):
            execute(f"{_HURRY} AND id IN ({marks(job_ids)})", (now, now, *job_ids))


def take_over(name: str, now: int) -> tuple[JobInfo, ...]:
    """Requeue the jobs of earlier workers called *name*, whose leases have the owner ``name/<instance>``.

    For a worker that starts when no other worker of its name can be running.
    """
    with transaction():
        theirs = states.select(Job.state.in_(RUNNING), Job.owner.startswith(f"{name}/"))
        return tuple(_back(job, job.attempts, now, now) for job in theirs)


# ---- ended


def finish(job_id: int, owner: str, outcome: Delivered, now: int) -> bool:
    """Record a delivery: usage, cache, state, message ids and event in one commit.

    A delivery is recorded even when the lease has lapsed meanwhile, and only once. False: the job had ended before;
    then the message ids are kept, and nothing is charged. This commit does not wait for the disk: whoever tells the
    event claims it first, and that commit does.

    :raises LeaseLost: nothing was sent, and the job belongs to another worker.
    """
    with transaction(durable=False):
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
    """End the job because it may not or cannot be delivered; *detail* is stored with the event.

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
    """End a job that cannot continue. A job that has sent a message ends as done and is charged."""
    if job.sent:
        return _done(job.id, now, {})
    job = states.move(job.id, end.state, now, reason=end.reason)
    _give_back(job.id)
    announce(job, end.detail, now)
    return job


def _cancel(jobs: Sequence[JobInfo], now: int, reason: RefusalReason = _BY_CUSTOMER) -> tuple[JobInfo, ...]:
    """Cancel jobs and return those that are; one that has sent a message ends as done.

    Their customers get an event only for a batch in which other jobs ended otherwise.
    """
    for job in jobs:
        if job.sent:
            _done(job.id, now, {})
    ids = [job.id for job in jobs if not job.sent]
    if not ids:
        return ()
    cancelled = states.move_all(ids, JobState.CANCELLED, now, reason=reason)
    _give_back(*ids)
    for job in {job.batch_id: job for job in cancelled if job.batch_id is not None}.values():
        if Job.select().where(Job.batch == job.batch_id, Job.state != JobState.CANCELLED).exists():
            announce(job, {}, now)
    return cancelled


def _give_back(*job_ids: int) -> None:
    usage.release(*job_ids)
    uploads.forget(*job_ids)


def _recover_lapsed(now: int) -> tuple[JobInfo, ...]:
    lapsed = map(states.info, execute(_LAPSED, (now,)).fetchall())
    return tuple(_back(job, job.attempts, now, now) for job in lapsed)


def _back(job: JobInfo, attempts: int, not_before: int, now: int) -> JobInfo:
    """End or requeue a job that its worker gives back: done, cancelled, failed or queued, the first that applies."""
    if job.all_sent:
        return _done(job.id, now, {})
    if job.cancel_asked_at is not None:
        _cancel((job,), now)
        return states.get(job.id)
    if attempts >= MAX_ATTEMPTS:
        return _unfulfilled(job, _End(JobState.FAILED, RefusalReason.GAVE_UP), now)
    return states.move(job.id, JobState.QUEUED, now, attempts=attempts, not_before=not_before)


def end_key(batch_id: int) -> str:
    """The key of the event that a batch has ended."""
    return f"batch_finished:{batch_id}"


def announce(job: JobInfo, detail: Mapping[str, Any], now: int) -> None:
    """Write the event of a job that has ended, or of the batch whose last job it was.

    Runs inside the caller's transaction.
    """
    if job.batch_id is None:
        used = usage.of_job(job.id)
        told = JobFinished(job=job.id, state=job.state, reason=job.reason, used=used, detail=dict(detail))
        outbox.append(told, job.user_id, now)
    else:
        tell_batch(job.batch_id, job.user_id, now)


def tell_batch(batch_id: int, user_id: int, now: int) -> None:
    """Write that a batch has ended, or that all of it that is left is held: that once, until it is released.

    Runs inside the caller's transaction.
    """
    left = Job.select(Job.state).where(Job.batch == batch_id, Job.state.in_(OPEN)).distinct()
    states_left = {state for (state,) in fetch(left)}
    if not states_left:
        outbox.append(BatchFinished(batch=batch_id), user_id, now, key=end_key(batch_id))
    elif states_left == {JobState.HELD}:
        untold = (Batch.id == batch_id, Batch.quota_told_at.is_null())
        if Batch.update(quota_told_at=now).where(*untold).execute():
            outbox.append(BatchRestHeld(batch=batch_id), user_id, now)


def _record(job: JobInfo, messages: Mapping[int, int]) -> JobInfo:
    unknown = messages.keys() - set(job.random_ids)
    if unknown:
        raise ValueError(f"job {job.id}: random ids that were not planned: {sorted(unknown)}")
    known = {**job.sent, **messages}
    execute("UPDATE job SET sent = ? WHERE id = ?", (json.dumps(known), job.id))
    return replace(job, sent=known)


def _random_id() -> int:
    """A ``random_id`` for Telegram: 63 bits, never 0."""
    return secrets.randbits(63) or 1
