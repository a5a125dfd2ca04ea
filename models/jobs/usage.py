"""What customers have used of their limits.

A job reserves before the delivery, commits after it, and releases when there is none. There is one row for each job and
kind, in the period of the reservation, so midnight moves nothing. ``committed + reserved <= limit`` holds under any
interleaving, because each reservation is one conditional statement inside an IMMEDIATE transaction.
"""

import datetime
import json
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from config.plans import Limit, Plan, Plans
from config.units import DAY_S
from models.database import execute, joined_transaction, marks
from models.errors import LeaseLost
from models.jobs import states
from models.money import access, credits

LIFETIME = "all"
PAST = "past"
"""The period of what days that are forgotten have used together."""

_OF_BATCH = """
SELECT kind, SUM(count) FROM (
    SELECT usage.job_id, usage.kind, usage.count FROM job JOIN usage ON usage.job_id = job.id
    WHERE job.batch_id = :batch AND usage.state = 'committed'
    UNION ALL SELECT paid.job_id, paid.kind, paid.count FROM job JOIN credit_use AS paid ON paid.job_id = job.id
    WHERE job.batch_id = :batch AND paid.state = 'committed') AS used
GROUP BY kind ORDER BY MIN(job_id)
"""
_OF_JOB = """
SELECT kind, SUM(count) FROM (
    SELECT kind, count FROM usage WHERE job_id = :job
    UNION ALL SELECT kind, count FROM credit_use WHERE job_id = :job) AS used
GROUP BY kind
"""
_TOTAL = """
SELECT kind, SUM(count) FROM (
    SELECT kind, count FROM usage WHERE user_id = :user AND state = 'committed'
    UNION ALL SELECT kind, count FROM credit_use WHERE user_id = :user AND state = 'committed') AS used
GROUP BY kind
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


_ANY_SINCE = f"""
SELECT EXISTS (SELECT 1 FROM usage WHERE user_id = ? AND period >= ? AND period <> '{PAST}' AND at >= ?)
"""


@dataclass(frozen=True, slots=True)
class Reserved:
    """The job has its reservations, by kind."""

    wants: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Refused:
    """The limit of ``kind`` leaves no room for the job, which has no reservation now.

    ``size`` is that of its largest file of the kind, where the plan does not allow so large a file. ``missing`` of the
    kind are paid by neither plan nor pack; 0 where another kind is missing too, so that one pack alone brings nothing.
    """

    kind: str
    limit: Limit
    used: int
    size: int | None = None
    missing: int = 1


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


@dataclass(frozen=True, slots=True)
class Room:
    """What a plan of *level* leaves a customer now: its limits, on the operator's *day*, for files of ``max_bytes``."""

    limits: Mapping[str, Limit]
    day: str
    max_bytes: int | None = None
    level: int = 0

    def period(self, kind: str) -> str:
        """The period in which the limit of *kind* counts now."""
        return _period(self.limits[kind], self.day)

    def admits(self, size: int) -> bool:
        """Whether the plan allows a file of *size* bytes."""
        return self.max_bytes is None or size <= self.max_bytes


@dataclass(frozen=True, slots=True)
class Needs:
    """What a post holds: how many of each kind, and the bytes of the largest file of each."""

    wants: Mapping[str, int]
    largest: Mapping[str, int] = field(default_factory=dict)

    def size(self, kind: str) -> int:
        """Bytes of the largest file of *kind*."""
        return self.largest.get(kind, 0)

    def stored(self) -> str:
        """The needs as a job's row holds them."""
        return json.dumps({kind: [count, self.size(kind)] for kind, count in self.wants.items()})

    @classmethod
    def read(cls, text: str) -> Self:
        """The needs that a job's row holds."""
        values: Mapping[str, tuple[int, int]] = json.loads(text)
        wants, largest = ({kind: each[place] for kind, each in values.items()} for place in (0, 1))
        return cls(wants, largest)


def room_of(user_id: int, plans: Plans, tz: zoneinfo.ZoneInfo, now: int) -> Room:
    """What the customer's present plan leaves them. It holds for a reservation in the same transaction."""
    level = access.of(user_id, now).level
    plan = plans.for_level(level)
    return Room(plan.limits, day_of(now, tz), plan.max_bytes, level)


def reserve(
    job_id: int, user_id: int, wants: Mapping[str, int], limits: Mapping[str, Limit], day: str, now: int
) -> Reserved | Refused:
    """Do as :func:`reserve_post` for files of which each plan allows the size."""
    return reserve_post(job_id, user_id, Needs(wants), Room(limits, day), now=now)


def reserve_post(
    job_id: int, user_id: int, needs: Needs, room: Room, now: int, *, has_grown: bool = False
) -> Reserved | Refused:
    """Reserve every kind that a post *needs*, or none: by the plan first, and by the customer's packs beyond it.

    A second call with the same wants keeps the reservations and their period. With other wants, or a larger file (the
    post was edited), the old reservations are released first, unless the job has sent a message: then the job costs
    what it had reserved.

    :raises LeaseLost: the job is not running, so nothing would release the reservations.
    """
    with joined_transaction(durable=False):
        job = states.find(job_id)
        if job is None or job.state not in states.RUNNING:
            raise LeaseLost(job_id)
        held = of_job(job_id)
        if (held == needs.wants and not has_grown) or (held and job.sent):
            return Reserved(held)
        if held:
            release(job_id)
        return take(job_id, user_id, needs, room, now=now)


def take(job_id: int, user_id: int, needs: Needs, room: Room, now: int) -> Reserved | Refused:
    """Reserve as :func:`reserve_post` for a job without reservations, inside the caller's transaction.

    A job that is queued with a reservation keeps it.
    """
    refusals = [
        refused
        for kind, count in needs.wants.items()
        if (refused := _take_kind((job_id, user_id, kind, count), needs.size(kind), room, now)) is not None
    ]
    if not refusals:
        return Reserved(dict(needs.wants))
    release(job_id)
    first = next((each for each in refusals if each.size is not None), refusals[0])
    return first if len(refusals) == 1 else replace(first, missing=0)


def _take_kind(wish: tuple[int, int, str, int], size: int, room: Room, now: int) -> Refused | None:
    """Reserve so many of a kind, as far as the plan goes by it, and the rest by packs. What is refused, or None."""
    job_id, user_id, kind, count = wish
    limit = room.limits[kind]
    used = _used(user_id, room.day).get((kind, room.period(kind)), 0) if limit.count is not None else 0
    by_plan = count if limit.count is None else min(count, max(0, limit.count - used))
    if not room.admits(size):
        by_plan = 0
    if by_plan < count and not credits.reserve(job_id, user_id, kind, count - by_plan, largest=size, now=now):
        missing = count - by_plan - credits.ready(user_id, kind, size, now)
        return Refused(kind, limit, used, size=None if room.admits(size) else size, missing=missing)
    if by_plan:
        row = {"job": job_id, "user": user_id, "kind": kind, "count": by_plan, "now": now}
        execute(_RESERVE, row | {"period": room.period(kind), "most": limit.count})
    return None


def commit(job_id: int) -> None:
    """Charge the job's reservations. In the caller's transaction."""
    execute("UPDATE usage SET state = 'committed' WHERE job_id = ? AND state = 'reserved'", (job_id,))
    credits.commit(job_id)


def release(*job_ids: int) -> None:
    """Delete the jobs' reservations. In the caller's transaction."""
    execute(f"DELETE FROM usage WHERE job_id IN ({marks(job_ids)}) AND state = 'reserved'", job_ids)
    credits.release(*job_ids)


def of_job(job_id: int) -> dict[str, int]:
    """What the job has reserved or used, by kind."""
    return {kind: int(count) for kind, count in execute(_OF_JOB, {"job": job_id})}


def of_batch(batch_id: int) -> dict[str, int]:
    """What the delivered jobs of a batch have used, by kind."""
    return {kind: int(count) for kind, count in execute(_OF_BATCH, {"batch": batch_id})}


def left(user_id: int, plan: Plan, day: str) -> dict[str, Left]:
    """What the customer has used and may still use of each kind under *plan*."""
    used = _used(user_id, day)
    return {kind: Left(used.get((kind, _period(limit, day)), 0), limit) for kind, limit in plan.limits.items()}


def total(user_id: int) -> dict[str, int]:
    """How many deliveries of each kind the customer has ever had."""
    return {kind: int(count) for kind, count in execute(_TOTAL, {"user": user_id})}


def has_any_since(user_id: int, at: int) -> bool:
    """Whether plans have paid anything for the customer since *at*, or are about to. Packs are not counted."""
    first_day = day_of(at - DAY_S, zoneinfo.ZoneInfo("UTC"))  # no later than the operator's
    return bool(execute(_ANY_SINCE, (user_id, first_day, at)).fetchone()[0])


def _period(limit: Limit, day: str) -> str:
    """The period in which a limit counts. Kinds without a limit are recorded by the day, for the statistics."""
    return LIFETIME if limit.count is not None and limit.period == LIFETIME else day


def _used(user_id: int, day: str) -> dict[tuple[str, str], int]:
    rows = execute(_USED, (user_id, day, LIFETIME))
    return {(kind, period): int(count) for kind, period, count in rows}
