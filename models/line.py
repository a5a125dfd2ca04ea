"""The waiting line: who is served next.

The rule, in three sentences.

1. *Paying first.* Jobs of a higher priority are taken before those of a lower one.
2. *Fair between users.* Each priority is a line served in rounds: a user's first waiting job stands in the round being
   served, his second in the next, and so on. So one link of a newcomer passes a hundred links of somebody else, and
   nobody has more than *per_customer* jobs running.
3. *Never starved.* Every fourth claim goes instead to the line that was served longest ago. With c lines, a line that
   has somebody to serve gets one of every 4 (c - 1) claims or better.

All functions run inside the caller's transaction.
"""

from collections.abc import Iterator

from models.database import database
from models.moves import RUNNING, State
from models.tables import Job, Line

TURN_OF_THE_OTHERS = 4  # every so many claims, the line served longest ago

# Telegram's border between its queues of small and of large files. A size still unknown counts as small.
LARGE_BYTES = 20 << 20

_FIRST = f"""
SELECT job.id, job.round FROM job
WHERE job.state = '{State.QUEUED}' AND job.priority = ? AND job.not_before <= ?
  AND COALESCE(job.size, 0) BETWEEN ? AND ?
  AND (SELECT COUNT(*) FROM job AS running
       WHERE running.user_id = job.user_id AND running.state IN ('{State.CLAIMED}', '{State.DELIVERING}')) < ?
ORDER BY job.round, job.id LIMIT 1
"""


def places(user_id: int, priority: int) -> Iterator[int]:
    """The rounds in which the user's next jobs of this priority stand, one after the other."""
    served = Line.select(Line.round).where(Line.priority == priority).scalar() or 0
    mine = (
        Job.select(Job.round)
        .where(Job.user == user_id, Job.state.in_((State.QUEUED, *RUNNING)), Job.priority == priority)
        .order_by(Job.round.desc())
        .limit(1)
        .scalar()
    )
    place = served if mine is None else max(served, mine + 1)
    while True:
        yield place
        place += 1


def take(per_customer: int, small: bool, large: bool, now: int) -> int | None:
    """Choose the job that is served next and count the turn; None when nobody can be served now."""
    lines = list(Line.select().order_by(Line.priority.desc()))
    turn = max((line.turn for line in lines), default=0) + 1
    if turn % TURN_OF_THE_OTHERS == 0:
        lines.sort(key=lambda line: line.turn)
    smallest, largest = (0 if small else LARGE_BYTES + 1), (1 << 62 if large else LARGE_BYTES)
    for line in lines:
        values = (line.priority, now, smallest, largest, per_customer)
        found = database.execute_sql(_FIRST, values).fetchone()
        if found is not None:
            Line.update(round=max(line.round, found[1]), turn=turn).where(Line.priority == line.priority).execute()
            return int(found[0])
    return None


def open_line(priority: int) -> None:
    """Make sure that the line exists."""
    Line.insert(priority=priority).on_conflict_ignore().execute()


def ahead(priority: int, round_: int, job_id: int) -> int:
    """How many waiting jobs stand before the given place."""
    waiting = Job.state == State.QUEUED
    higher = Job.select().where(waiting, Job.priority > priority).count()
    earlier = Job.select().where(waiting, Job.priority == priority, Job.round < round_).count()
    beside = Job.select().where(waiting, Job.priority == priority, Job.round == round_, Job.id < job_id).count()
    return higher + earlier + beside
