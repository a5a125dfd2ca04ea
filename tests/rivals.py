"""Workers that deliver one customer's links at once: apart, so that their processes read nothing else."""

import random
from pathlib import Path

from config.plans import Limit
from models import database
from models.jobs import queue, usage
from models.jobs.reasons import RefusalReason
from tests.store import NOW, TODAY, enqueue

LINKS_EACH, LIMIT = 25, 20


def rival(number: int) -> int:
    """Deliver links of customer 1, or fail, as one of several workers; return how many were delivered."""
    chance = random.Random(number)
    delivered = 0
    database.connect()
    try:
        for link in range(LINKS_EACH):
            enqueue(1, f"{number}/{link}")
            job = queue.claim(f"rival/{number}", 60, 99, NOW)
            assert job is not None
            if isinstance(usage.reserve(job.id, 1, {"photo": 1}, _LIMITS, TODAY, NOW), usage.Refused):
                queue.refuse(job.id, f"rival/{number}", RefusalReason.QUOTA, NOW)
            elif chance.random() < 0.4:
                queue.fail(job.id, f"rival/{number}", RefusalReason.GAVE_UP, NOW)
            else:
                delivered += queue.finish(job.id, f"rival/{number}", queue.Delivered(), NOW)
    finally:
        database.close_database()
    return delivered


_LIMITS = {"photo": Limit(LIMIT, "day")}


def rival_process(path: Path, number: int) -> int:
    """One of them as a process of its own."""
    database.open_database(path)
    return rival(number)
