"""Turns refused and cancelled links into counts after an hour, so that a flood of them leaves nothing behind.

The newest ten of each customer and kind of end stay until retention deletes them, as delivered links do. The counts go
into the sums of their days, where retention adds up everything else.
"""

import zoneinfo

from config.units import HOUR_S
from models import notes
from models.database import execute, give_way, transaction
from models.jobs.states import OPEN, JobState, sql_list
from models.maintenance import retention
from models.maintenance.retention import Ended

AFTER_S = HOUR_S
KEPT = 10
AT_ONCE = 250
COUNTED = "refusals_counted"
"""The name of the note that says up to when links have been looked at."""

_STATES = (JobState.REFUSED, JobState.CANCELLED)
_LATELY = """
SELECT DISTINCT user_id FROM job WHERE state = :state AND moved_at > :since AND moved_at <= :before
"""
_BEYOND = f"""
SELECT id, moved_at, kind, state, size FROM job
WHERE user_id = :user AND state = :state AND moved_at <= :before AND id < (SELECT MAX(id) FROM job)
  AND id < (SELECT MIN(id) FROM
            (SELECT id FROM job WHERE user_id = :user AND state = :state ORDER BY id DESC LIMIT {KEPT}) AS newest)
  AND NOT EXISTS (SELECT 1 FROM job AS other
                  WHERE other.batch_id = job.batch_id AND other.state IN ({sql_list(OPEN)}))
LIMIT {AT_ONCE}
"""


def count(timezone: zoneinfo.ZoneInfo, now: int) -> int:
    """Delete what was refused or cancelled over an hour ago and is not among the newest; return how many rows.

    A link of a batch stays while others of the batch are open: the customer hears of them together.
    """
    since, before = notes.get(COUNTED) or 0, now - AFTER_S
    gone = 0
    for state in _STATES:
        lately = execute(_LATELY, {"state": state, "since": since, "before": before}).fetchall()
        gone += sum(_count({"user": user_id, "state": state, "before": before}, timezone) for (user_id,) in lately)
    notes.put(COUNTED, before, now)
    return gone


def _count(values: dict[str, object], timezone: zoneinfo.ZoneInfo) -> int:
    gone = 0
    while jobs := [Ended(*row) for row in execute(_BEYOND, values)]:
        with transaction():
            retention.drop(jobs, timezone)
        gone += len(jobs)
        give_way()
    return gone
