"""Scheduling: which job is claimed next.

1. *Paying first.* Jobs of a higher priority are claimed before those of a lower one.
2. *Fair between customers.* Each priority is a line that is served in rounds: a customer's first queued job belongs to
   the round after the one being served, the second job to the next round, and so on. So while a customer waits, nobody
   else in the line is served more than twice: a single link overtakes the hundred links of another customer. Nobody has
   more than *per_customer* jobs running.
3. *No starvation.* Every fourth claim takes a job of the line that was served longest ago. With c lines, a line with
   jobs to claim gets one of every 4 (c - 1) claims or better.

All functions run inside the caller's transaction.
"""

import itertools
from collections.abc import Iterator

from config.units import MIB
from models.database import execute
from models.jobs.states import RUNNING, JobState, sql_list

TURN_OF_THE_OTHERS = 4
"""Every so many claims go to the line that was served longest ago."""

# Telegram serves smaller and larger files from different queues. An unknown size counts as small.
LARGE_BYTES = 20 * MIB
_ANY_BYTES = 1 << 62

FIRST = f"""
SELECT job.id, job.round FROM job
WHERE job.state = '{JobState.QUEUED}' AND job.priority = ? AND job.not_before <= ?
  AND COALESCE(job.size, 0) BETWEEN ? AND ?
  AND (SELECT COUNT(*) FROM job AS running
       WHERE running.user_id = job.user_id AND running.state IN ({sql_list(RUNNING)})) < ?
ORDER BY job.round, job.id LIMIT 1
"""

_LAST_OF_USER = f"""
SELECT MAX(round) FROM job
WHERE user_id = ? AND state IN ({sql_list((JobState.QUEUED, *RUNNING))}) AND priority = ?
"""


_SERVED = """
UPDATE line SET round = CASE WHEN round < :round THEN :round ELSE round END, turn = :turn WHERE priority = :priority
"""


def places(user_id: int, priority: int) -> Iterator[int]:
    """The rounds of the customer's next jobs of this priority, one after the other."""
    execute("INSERT INTO line (priority, round, turn) VALUES (?, 0, 0) ON CONFLICT DO NOTHING", (priority,))
    (served,) = execute("SELECT round FROM line WHERE priority = ?", (priority,)).fetchone()
    (mine,) = execute(_LAST_OF_USER, (user_id, priority)).fetchone()
    return itertools.count(max(served, mine or 0) + 1)


def take(per_customer: int, small: bool, large: bool, now: int) -> int | None:
    """Choose the job to claim next and count the turn; return its id, or None when no job can be claimed now."""
    lines = execute("SELECT priority, turn FROM line ORDER BY priority DESC").fetchall()
    turn = max((last for _, last in lines), default=0) + 1
    if turn % TURN_OF_THE_OTHERS == 0:
        lines.sort(key=lambda line: line[1])
    smallest, largest = (0 if small else LARGE_BYTES + 1), (_ANY_BYTES if large else LARGE_BYTES)
    for priority, _ in lines:
        found = execute(FIRST, (priority, now, smallest, largest, per_customer)).fetchone()
        if found is not None:
            job_id, round_ = found
            execute(_SERVED, {"priority": priority, "round": round_, "turn": turn})
            return int(job_id)
    return None


def priorities() -> list[int]:
    """The priorities that have a line, the highest first."""
    return [priority for (priority,) in execute("SELECT priority FROM line ORDER BY priority DESC")]
