"""The waiting line: who is served next.

The rule, in three sentences.

1. *Paying first.* Jobs of a higher priority are taken before those of a lower one.
2. *Fair between users.* Each priority is a line served in rounds: a user's first waiting job stands in the round after
   the one being served, his second in the next, and so on. So while somebody waits, nobody else of his line is served
   more than twice: one link passes a hundred of another's. And nobody has more than *per_customer* jobs running.
3. *Never starved.* Every fourth claim goes instead to the line that was served longest ago. With c lines, a line that
   has somebody to serve gets one of every 4 (c - 1) claims or better.

All functions run inside the caller's transaction.
"""

import itertools
from collections.abc import Iterator

from config.units import MIB
from models.database import execute
from models.jobs.states import RUNNING, JobState, words

TURN_OF_THE_OTHERS = 4  # every so many claims, the line served longest ago

# Telegram's border between its queues of small and of large files. A size still unknown counts as small.
LARGE_BYTES = 20 * MIB
_ANY_BYTES = 1 << 62

FIRST = f"""
SELECT job.id, job.round FROM job
WHERE job.state = '{JobState.QUEUED}' AND job.priority = ? AND job.not_before <= ?
  AND COALESCE(job.size, 0) BETWEEN ? AND ?
  AND (SELECT COUNT(*) FROM job AS running
       WHERE running.user_id = job.user_id AND running.state IN ({words(RUNNING)})) < ?
ORDER BY job.round, job.id LIMIT 1
"""

_LAST_OF_USER = f"""
SELECT MAX(round) FROM job
WHERE user_id = ? AND state IN ({words((JobState.QUEUED, *RUNNING))}) AND priority = ?
"""


_SERVED = """
UPDATE line SET round = CASE WHEN round < :round THEN :round ELSE round END, turn = :turn WHERE priority = :priority
"""


def places(user_id: int, priority: int) -> Iterator[int]:
    """The rounds in which the user's next jobs of this priority stand, one after the other."""
    execute("INSERT INTO line (priority, round, turn) VALUES (?, 0, 0) ON CONFLICT DO NOTHING", (priority,))
    (served,) = execute("SELECT round FROM line WHERE priority = ?", (priority,)).fetchone()
    (mine,) = execute(_LAST_OF_USER, (user_id, priority)).fetchone()
    return itertools.count(max(served, mine or 0) + 1)


def take(per_customer: int, small: bool, large: bool, now: int) -> int | None:
    """Choose the job that is served next and count the turn; None when nobody can be served now."""
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
    """The lines there are, the best first."""
    return [priority for (priority,) in execute("SELECT priority FROM line ORDER BY priority DESC")]
