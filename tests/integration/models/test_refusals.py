"""What is left of a flood of refused links: the newest ten of each customer, and counts."""

from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from models import notes
from models.database import bound
from models.jobs import batches, queue
from models.jobs.batches import BatchInfo
from models.jobs.reasons import RefusalReason
from models.maintenance import refusals, retention
from models.tables import DailyTotal, Job
from tests.store import NOW, claim, customers, deliver, enqueue, new_batch

UTC = ZoneInfo("UTC")
HOUR, DAY = 3600, 86_400


@pytest.fixture(autouse=True)
def store(database_file: Path) -> None:
    customers(1, 2)


def refuse(user_id: int, how_many: int, at: int) -> None:
    for number in range(how_many):
        enqueue(user_id, f"{user_id}/{at}/{number}", now=at)
        queue.refuse(claim("w", at, per_customer=999).id, "w", RefusalReason.NOT_FOUND, at)


def left(user_id: int, state: str = "refused") -> int:
    return int(Job.select().where(Job.user == user_id, Job.state == state).count())


def by_outcome() -> Counter[str]:
    """Links by their ends: those still known one by one, and the sums."""
    known: Counter[str] = Counter(row.state for row in Job.select())
    for row in DailyTotal.select():
        known[row.outcome] += row.jobs
    return known


def test_a_flood_leaves_ten_links_and_counts() -> None:
    refuse(1, 60, NOW)
    refuse(2, 4, NOW)
    deliver(1, "delivered", now=NOW)
    before = by_outcome()
    # Within the hour nothing is gone
    assert refusals.count(UTC, NOW + HOUR - 1) == 0
    assert refusals.count(UTC, NOW + HOUR) == 50
    assert (left(1), left(2), left(1, "done")) == (10, 4, 1)
    assert by_outcome() == before
    newest = [row.id for row in Job.select().where(Job.user == 1, Job.state == "refused")]
    assert newest == list(range(51, 61))
    assert refusals.count(UTC, NOW + 2 * HOUR) == 0


def test_each_later_flood_is_counted_too() -> None:
    for day in range(3):
        refuse(1, 30, NOW + day * DAY)
        refusals.count(UTC, NOW + day * DAY + HOUR)
        assert left(1) == 10
    assert sum(row.jobs for row in DailyTotal.select()) == 80
    assert len({row.day for row in DailyTotal.select()}) == 3


def test_links_that_were_cancelled_are_counted_by_themselves() -> None:
    refuse(1, 12, NOW)
    for number in range(30):
        enqueue(1, f"cancelled/{number}", now=NOW)
    queue.cancel(1, None, NOW)
    assert refusals.count(UTC, NOW + HOUR) == 2 + 20
    assert (left(1), left(1, "cancelled")) == (10, 10)


def test_a_batch_is_told_whole() -> None:
    links = tuple(f"https://t.me/c/1/{number}" for number in range(30))
    batch = batches.enqueue(new_batch(1, "b", links), 99, NOW)
    assert isinstance(batch, BatchInfo)
    for _ in range(29):
        queue.refuse(claim("w", per_customer=99).id, "w", RefusalReason.NOT_FOUND, NOW)
    assert refusals.count(UTC, NOW + HOUR) == 0
    assert sum(batches.counts(batch.id).values()) == 30
    queue.refuse(claim("w", NOW + 2 * HOUR).id, "w", RefusalReason.NOT_FOUND, NOW + 2 * HOUR)
    assert refusals.count(UTC, NOW + 3 * HOUR) == 20


def test_history_and_retention_go_on() -> None:
    deliver(1, "delivered", now=NOW)
    refuse(1, 40, NOW)
    refusals.count(UTC, NOW + HOUR)
    assert [job.state for job in queue.history(1, 10)] == ["done"]
    before = by_outcome()
    enqueue(2, "newest", now=NOW + 100 * DAY)
    retention.forget(90, UTC, NOW + 100 * DAY)
    after = by_outcome()
    assert after - Counter(queued=1) == before and left(1) == 0


def test_what_was_looked_at_is_not_looked_at_again() -> None:
    refuse(1, 300, NOW)
    assert refusals.count(UTC, NOW + HOUR) == 290
    assert notes.get(refusals.COUNTED) == NOW
    heard: set[str] = set()
    bound.connection().set_trace_callback(heard.add)
    assert refusals.count(UTC, NOW + HOUR + 600) == 0
    bound.connection().set_trace_callback(None)
    assert not [statement for statement in heard if "AS newest" in statement]
