"""What customers have used of their limits.

A job reserves before the delivery, commits after it, and releases when there is none. There is one row for each job and
kind, in the period of the reservation, so midnight moves nothing. ``committed + reserved <= limit`` holds under any
interleaving, because each reservation is one conditional statement inside an IMMEDIATE transaction.
"""

import datetime
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass

import peewee

from config.plans import Limit, Plan
from models.database import execute, fetch, marks, transaction
from models.errors import LeaseLost
from models.jobs import states
from models.tables import Usage

LIFETIME = "all"

_OF_BATCH = """
SELECT usage.kind, SUM(usage.count) FROM job JOIN usage ON usage.job_id = job.id
WHERE job.batch_id = ? AND usage.state = 'committed' GROUP BY usage.kind ORDER BY MIN(job.id)
"""
_RESERVE = """
INSERT INTO usage (job_id, user_id, kind, period, count, state, at)
SELECT :job, :user, :kind, :period, :count, 'reserved', :now
WHERE CAST(:most AS BIGINT) IS NULL OR :count + COALESCE(
    (SELECT SUM(count) FROM usage WHERE user_id = :user AND period = :period AND kind = :kind), 0) <= :most
"""

_USED = """
SELECT kind, period, SUM(count) FROM usage WHERE user_id = ? AND period IN (?, ?) GROUP BY period, kind
"""


@dataclass(frozen=True, slots=True)
class Reserved:
    """The job has its reservations, by kind."""

    wants: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Refused:
    """The limit of ``kind`` leaves no room for the job, which has no reservation now."""

    kind: str
    limit: Limit
    used: int


@dataclass(frozen=True, slots=True)
class Left:
    """What was used of one kind in the present period of its limit, and the limit."""

    used: int
    limit: Limit

    @property
    def count(self) -> int | None:
        """How many are left; None where there is no limit."""
        return None if self.limit.count is None else max(0, self.limit.count - self.used)


def day_of(now: int, tz: zoneinfo.ZoneInfo) -> str:
    """The operator's day, as the period of a daily limit: ``2026-05-31``."""
    return datetime.datetime.fromtimestamp(now, tz).date().isoformat()


def reserve(
    job_id: int, user_id: int, wants: Mapping[str, int], limits: Mapping[str, Limit], day: str, now: int
) -> Reserved | Refused:
    """Reserve every kind that the job *wants*, or none.

    A second call with the same wants keeps the reservations and their period. With other wants (the post was edited)
    the old reservations are released first, unless the job has sent a message: then the job costs what it had reserved.

    :raises LeaseLost: the job is not running, so nothing would release the reservations.
    """
    with transaction(durable=False):
        job = states.find(job_id)
        if job is None or job.state not in states.RUNNING:
            raise LeaseLost(job_id)
        held = of_job(job_id)
        if held == wants or (held and job.sent):
            return Reserved(held)
        if held:
            release(job_id)
        for kind, count in wants.items():
            limit = {"period": _period(limits[kind], day), "most": limits[kind].count}
            row = {"job": job_id, "user": user_id, "kind": kind, "count": count, "now": now}
            if not execute(_RESERVE, row | limit).rowcount:
                release(job_id)
                return Refused(kind, limits[kind], _used(user_id, day).get((kind, _period(limits[kind], day)), 0))
    return Reserved(dict(wants))


def commit(job_id: int) -> None:
    """Charge the job's reservations. One statement, in the caller's transaction or its own."""
    execute("UPDATE usage SET state = 'committed' WHERE job_id = ? AND state = 'reserved'", (job_id,))


def release(*job_ids: int) -> None:
    """Delete the jobs' reservations. One statement, in the caller's transaction or its own."""
    execute(f"DELETE FROM usage WHERE job_id IN ({marks(job_ids)}) AND state = 'reserved'", job_ids)


def of_job(job_id: int) -> dict[str, int]:
    """What the job has reserved or used, by kind."""
    return dict(execute("SELECT kind, count FROM usage WHERE job_id = ?", (job_id,)).fetchall())


def of_batch(batch_id: int) -> dict[str, int]:
    """What the delivered jobs of a batch have used, by kind."""
    return dict(execute(_OF_BATCH, (batch_id,)).fetchall())


def left(user_id: int, plan: Plan, day: str) -> dict[str, Left]:
    """What the customer has used and may still use of each kind under *plan*."""
    used = _used(user_id, day)
    return {kind: Left(used.get((kind, _period(limit, day)), 0), limit) for kind, limit in plan.limits.items()}


def total(user_id: int) -> dict[str, int]:
    """How many deliveries of each kind the customer has ever had."""
    charged = (Usage.user == user_id) & (Usage.state == "committed")
    by_kind = Usage.select(Usage.kind, peewee.fn.SUM(Usage.count)).where(charged).group_by(Usage.kind)
    return {kind: int(count) for kind, count in fetch(by_kind)}


def _period(limit: Limit, day: str) -> str:
    """The period in which a limit counts. Kinds without a limit are recorded by the day, for the statistics."""
    return LIFETIME if limit.count is not None and limit.period == LIFETIME else day


def _used(user_id: int, day: str) -> dict[tuple[str, str], int]:
    rows = execute(_USED, (user_id, day, LIFETIME))
    return {(kind, period): int(count) for kind, period, count in rows}
