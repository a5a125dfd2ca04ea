"""Deletes old rows. Deliveries become sums, events go, the ledger stays.

Limits count as before: what was used "in all" stays used, only its jobs are deleted. The work is done in many short
transactions, so that customers never wait for it, and may be interrupted between any two.

The newest row of a table is never deleted: SQLite would reuse its id, and keys of events and buttons of old messages
refer to ids.
"""

import zoneinfo
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from config.units import DAY_S
from models.database import execute, give_way, transaction
from models.event_kinds import EventKind
from models.jobs import usage
from models.jobs.states import ENDED, sql_list

AT_ONCE = 250
"""Rows that are deleted, or added up, in one transaction."""

FORGETTABLE = (
    EventKind.ACCESS_ENDED,
    EventKind.ACCESS_ENDING,
    EventKind.ACCESS_GIVEN,
    EventKind.ACCESS_TAKEN,
    EventKind.ACCOUNT_CHANGED,
    EventKind.BATCH_FINISHED,
    EventKind.BATCH_HELD,
    EventKind.BATCH_REST_HELD,
    EventKind.BROADCAST_ANNOUNCED,
    EventKind.BROADCAST_ENDED,
    EventKind.BROADCAST_SOLD,
    EventKind.BUDGET_SPENT,
    EventKind.CHECKOUT_CANCELLED,
    EventKind.COMPLAINT_DECIDED,
    EventKind.COMPLAINT_MADE,
    EventKind.CODES_HELD,
    EventKind.CONSOLE_ASKED,
    EventKind.CONSOLE_ENTERED,
    EventKind.DATA_ERASED,
    EventKind.GIFT_CHANGED,
    EventKind.GIFT_TAKEN,
    EventKind.GIFT_WAITING,
    EventKind.INCIDENT_CLOSED,
    EventKind.INCIDENT_OPENED,
    EventKind.DIGEST,
    EventKind.JOB_FINISHED,
    EventKind.JOB_HELD,
    EventKind.MESSAGE_RELAYED,
    EventKind.MESSAGE_UNHEARD,
    EventKind.PRICES_CUT,
    EventKind.NEWS_OFFERED,
    EventKind.NEWS_PREVIEWED,
    EventKind.PICTURE_ASKED,
    EventKind.REQUEST_DONE,
    EventKind.SHOP_NOTICE,
)
"""Events whose key may be used again. An event about money keeps its key, so that it is told once."""

_OLD = """
state = 'committed' AND (
    (period = 'all' AND job_id IS NOT NULL AND at < :before) OR (period NOT IN ('all', 'past') AND period < :day))
"""
_USERS = f"SELECT DISTINCT user_id FROM usage WHERE {_OLD} LIMIT {AT_ONCE}"
_OLD_OF = f"SELECT id, kind, period, count FROM usage WHERE user_id = :user AND {_OLD} LIMIT :limit"
_SUM = """
SELECT id FROM usage WHERE user_id = ? AND period = ? AND kind = ? AND +job_id IS NULL AND state = 'committed' LIMIT 1
"""
"""The plus keeps the planner from the index of ``job_id``: most rows of a long-lived database have none."""
_ADD = """
INSERT INTO usage (job_id, user_id, kind, period, count, state, at) VALUES (NULL, ?, ?, ?, ?, 'committed', 0)
"""

_JOBS = f"""
SELECT id, moved_at, kind, state, size FROM job
WHERE state IN ({sql_list(ENDED)}) AND moved_at < ? AND id < (SELECT MAX(id) FROM job) LIMIT {AT_ONCE}
"""
_TOTAL = """
INSERT INTO daily_total (day, kind, outcome, jobs, bytes) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (day, kind, outcome)
DO UPDATE SET jobs = daily_total.jobs + excluded.jobs, bytes = daily_total.bytes + excluded.bytes
"""

_PRUNED = {
    "account_login": "expires_at < :before",
    "console_session": "seen_at < :before",
    "batch": "created_at < :before AND NOT EXISTS (SELECT 1 FROM job WHERE job.batch_id = batch.id)",
    "complaint": "decided_at < :before",
    "broadcast": "state = 'discarded' AND touched_at < :before",
    "event": f"heard_at < :before AND kind IN ({sql_list(FORGETTABLE)})",
    "incident": "closed_at < :before",
    "join": "day < :day",
    "request": "done_at < :before AND kind <> 'refund'",
    "webhook_event": "state = 'done' AND done_at < :before",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that has ended, as far as the sums need it."""

    id: int
    moved_at: int
    kind: str | None
    state: str
    size: int | None


def forget(days: int, timezone: zoneinfo.ZoneInfo, now: int) -> Counter[str]:
    """Delete what is older than *days* days; return how many rows of each table were deleted."""
    before = max(0, now - days * DAY_S)  # no calendar knows the days of who keeps everything for ever
    day = usage.day_of(before, timezone)
    # The usage of a job is added up before the job is deleted.
    gone: Counter[str] = Counter(usage=_add_up_all(before, day))
    while jobs := _ended(before):
        with transaction():
            drop(jobs, timezone)
        gone["job"] += len(jobs)
        _give_way_after(len(jobs))
    for table, condition in _PRUNED.items():
        gone[table] = _prune(table, condition, {"before": before, "day": day})
    return +gone


def drop(jobs: Iterable[Ended], timezone: zoneinfo.ZoneInfo) -> None:
    """Delete jobs that have ended, and add them to the sums of their days. Inside the caller's transaction."""
    counts: Counter[tuple[str, str, str]] = Counter()
    sizes: Counter[tuple[str, str, str]] = Counter()
    for job in jobs:
        key = (usage.day_of(job.moved_at, timezone), job.kind or "", job.state)
        counts[key] += 1
        sizes[key] += job.size or 0
        execute("DELETE FROM job WHERE id = ?", (job.id,))
    for key, count in counts.items():
        execute(_TOTAL, (*key, count, sizes[key]))


def add_up(user_id: int, before: int, day: str, limit: int) -> int:
    """Add a customer's old usage to its sum: before *day* or, for usage "in all", before the time *before*.

    Inside the caller's transaction. Takes up to *limit* rows; returns how many.
    """
    rows = execute(_OLD_OF, {"user": user_id, "before": before, "day": day, "limit": limit}).fetchall()
    sums: Counter[tuple[str, str]] = Counter()
    for id_, kind, period, count in rows:
        sums["all" if period == "all" else "past", kind] += count
        execute("DELETE FROM usage WHERE id = ?", (id_,))
    for (period, kind), count in sums.items():
        known = execute(_SUM, (user_id, period, kind)).fetchone()
        if known is None:
            execute(_ADD, (user_id, kind, period, count))
        else:
            execute("UPDATE usage SET count = count + ? WHERE id = ?", (count, known[0]))
    return len(rows)


def _ended(before: int) -> list[Ended]:
    return [Ended(*row) for row in execute(_JOBS, (before,))]


def _add_up_all(before: int, day: str) -> int:
    gone = 0
    while users := execute(_USERS, {"before": before, "day": day}).fetchall():
        for (user_id,) in users:
            gone += _add_up_one(user_id, before, day)
    return gone


def _add_up_one(user_id: int, before: int, day: str) -> int:
    gone = 0
    while True:
        with transaction():
            taken = add_up(user_id, before, day, AT_ONCE)
        gone += taken
        if taken < AT_ONCE:
            return gone
        give_way()


def _prune(table: str, condition: str, values: dict[str, object]) -> int:
    """Delete what fulfils a condition. Looking for it may take a while, and keeps nobody from writing."""
    old = f'SELECT id FROM "{table}" WHERE {condition} AND id < (SELECT MAX(id) FROM "{table}") LIMIT {AT_ONCE}'
    gone = 0
    while ids := execute(old, values).fetchall():
        with transaction():
            for id_ in ids:
                execute(f'DELETE FROM "{table}" WHERE id = ?', id_)
        gone += len(ids)
        _give_way_after(len(ids))
    return gone


def _give_way_after(rows: int) -> None:
    if rows == AT_ONCE:
        give_way()
