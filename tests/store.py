"""What every test of jobs and limits begins with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from peewee import fn

from config import plans
from models import database, users
from models.event_kinds import OverLimit
from models.jobs import queue, usage
from models.jobs.batches import NewBatch
from models.jobs.queue import Delivered, NewJob
from models.jobs.sources import JoinOutcome
from models.jobs.states import JobInfo
from models.maintenance import personal_data
from models.tables import Job, Join

NOW = 1_800_000_000  # 2027-01-15, 08:00 UTC
TODAY = "2027-01-15"
PLANS = plans.load(Path(__file__).parents[1] / "plans.toml")
FREE, PREMIUM = PLANS.free, PLANS.for_level(1)
OVER = OverLimit(kind="video", limit=3, period="all", used=3, wanted=1)


_COUNT = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :rows) "
_PAST = (
    """
    INSERT INTO batch (id, user_id, chat_id, source_key, total, created_at)
    SELECT :first + i, :user, :user, 'past' || (:first + i), 1, :now - i FROM n
    """,
    """
    INSERT INTO job (id, user_id, chat_id, link, source_key, batch_id, state, moved_at, priority, round, attempts,
                     not_before, random_ids, sent, size, kind, created_at)
    SELECT :first + i, :user, :user, 'https://t.me/private_past/' || i, 'past' || (:first + i), :first + i, 'done',
           :now - i, 0, 0, 1, 0, '[]', '{}', 1000, 'photo', :now - i
    FROM n
    """,
    """
    INSERT INTO usage (job_id, user_id, kind, period, count, state, at)
    SELECT :first + i, :user, 'photo', date(:now - 86400 - i, 'unixepoch'), 1, 'committed', :now - i FROM n
    """,
    """
    INSERT INTO event (kind, user_id, payload, "key", random_id, attempts, not_before, created_ms, heard_at)
    SELECT 'batch_finished', :user, '{"batch":' || (:first + i) || '}', 'batch_finished:' || (:first + i), 1, 1, 0,
           (:now - i) * 1000, :now - i
    FROM n
    """,
)


def customers(*ids: int) -> None:
    """Let these people have spoken to the bot."""
    for user_id in ids:
        users.seen(user_id, f"Customer {user_id}", None, "en", NOW)


def new_job(user_id: int, key: str, *, priority: int = 0) -> NewJob:
    """A link of this person that came with the update *key*."""
    link = f"https://t.me/channel/{key}"
    return NewJob(user_id=user_id, chat_id=user_id, link=link, dedupe=key, priority=priority, reply_to=1)


def new_batch(user_id: int, key: str, links: tuple[str, ...], *, priority: int = 0) -> NewBatch:
    """Links of this person that came with the update *key*."""
    return NewBatch(user_id=user_id, chat_id=user_id, links=links, dedupe=key, priority=priority, reply_to=3)


def enqueue(user_id: int, key: str, *, priority: int = 0, now: int = NOW, cap: int = 1000) -> JobInfo:
    """Put a link in line that came with the update *key*."""
    job = queue.enqueue(new_job(user_id, key, priority=priority), cap, now)
    assert isinstance(job, JobInfo)
    return job


def claim(owner: str, now: int = NOW, *, per_customer: int = 2) -> JobInfo:
    """Claim the next job, which must be there."""
    job = queue.claim(owner, 60, per_customer, now)
    assert job is not None
    return job


def recover(now: int) -> tuple[JobInfo, ...]:
    """Let go of jobs whose lease has lapsed, as whoever claims the next one does; return them as they are now."""
    with database.transaction():
        return queue._recover_lapsed(now)


def exported(user_id: int) -> dict[str, list[dict[str, Any]]]:
    """Everything that is stored about a person, by section."""
    return {section: list(_rows_of(user_id, section)) for section in personal_data.SECTIONS}


def _rows_of(user_id: int, section: str) -> Iterator[dict[str, Any]]:
    after: personal_data.Key | None = None
    while True:
        page = personal_data.page(user_id, section, after)
        yield from page.rows
        after = page.following
        if after is None:
            return


def many_links(user_id: int, rows: int, *, now: int = NOW) -> None:
    """Give a person a long past: delivered links one by one, with their usage, news and batches of one."""
    shared = {"user": user_id, "now": now, "rows": rows, "first": 1 + (Job.select(fn.MAX(Job.id)).scalar() or 0)}
    with database.transaction():
        for statement in _PAST:
            database.execute(_COUNT + statement, shared)


def deliver(user_id: int, key: str, kind: str = "video", now: int = NOW) -> None:
    """Put a link in line and see it through to its end, counted by the day in UTC."""
    queued = enqueue(user_id, key, priority=9, now=now)  # before others in line
    job = claim("w", now)
    assert job.id == queued.id
    usage.reserve(job.id, user_id, {kind: 1}, FREE.limits, usage.day_of(now, ZoneInfo("UTC")), now)
    queue.size_known(job.id, kind, 100)
    queue.delivering(job.id, "w", now)
    (random_id,) = queue.plan_messages(job.id, 1, now)
    queue.finish(job.id, "w", Delivered({random_id: 7}), now)


def joined_today(day: str) -> int:
    """How many invitations count against the cap of this day. Requests to join do not."""
    counted = (JoinOutcome.PENDING, JoinOutcome.JOINED)
    return int(Join.select().where(Join.day == day, Join.outcome.in_(counted)).count())
