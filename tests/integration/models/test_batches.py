"""Batches: all in line or none, a quota that ends in the middle told once, the rest kept until it is asked for."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models import database, outbox
from models.errors import NotFound
from models.jobs import batches, queue, usage
from models.jobs.batches import BatchInfo
from models.jobs.queue import Delivered, TooMany
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobState
from models.tables import Batch
from tests.store import FREE, NOW, OVER, PREMIUM, TODAY, claim, customers, enqueue, new_batch
from web.upkeep import runner

DAY_S = 86_400


@pytest.fixture(autouse=True)
def store(database_file: Path) -> None:
    customers(1, 2)


def batch(count: int, *, key: str = "update 1", user_id: int = 1, cap: int = 100) -> BatchInfo:
    links = tuple(f"https://t.me/channel/{number}?single" for number in range(count))
    created = batches.enqueue(new_batch(user_id, key, links), cap, NOW)
    assert isinstance(created, BatchInfo)
    return created


def states(batch_id: int) -> dict[str, int]:
    return {str(state): count for state, count in batches.counts(batch_id).items() if count}


def told() -> list[tuple[str, dict[str, object]]]:
    return [(event.kind, dict(event.stored)) for event in outbox.due(NOW + 99 * DAY_S)]


def test_all_links_stand_in_line_in_their_order() -> None:
    first = batch(3)
    assert [(job.batch_id, job.link[-8]) for job in queue.waiting(1)] == [(first.id, digit) for digit in "012"]
    assert states(first.id) == {"queued": 3}
    assert batches.get(first.id) == first == BatchInfo(first.id, 1, 1, 3, None, False, NOW)
    with pytest.raises(NotFound):
        batches.get(99)


def test_the_same_update_makes_no_second_batch() -> None:
    assert batch(3) == batch(3)
    assert len(queue.waiting(1)) == 3


def test_a_batch_over_the_cap_is_refused_as_a_whole() -> None:
    enqueue(1, "one")
    assert batches.enqueue(new_batch(1, "b", ("a", "b", "c")), 3, NOW) == TooMany(waiting=1, cap=3)
    assert len(queue.waiting(1)) == 1
    batch(2, cap=3)


def test_the_end_of_a_batch_is_told_once_and_its_jobs_are_not() -> None:
    three = batch(3)
    for end in (queue.refuse, queue.fail):
        end(claim("w").id, "w", RefusalReason.NOT_FOUND, NOW)
    assert told() == []
    queue.finish(claim("w").id, "w", Delivered(), NOW)
    assert told() == [("batch_finished", {"batch": three.id})]
    assert states(three.id) == {"done": 1, "refused": 1, "failed": 1}


def test_a_batch_is_cancelled_by_its_customer() -> None:
    three, other = batch(3), batch(2, key="update 2", user_id=2)
    queue.finish(claim("w").id, "w", Delivered(), NOW)
    assert batches.cancel(2, three.id, NOW) == []
    assert len(batches.cancel(1, three.id, NOW)) == 2
    assert states(three.id) == {"done": 1, "cancelled": 2}
    assert states(other.id) == {"queued": 2}
    assert batches.get(three.id).cancelled and not batches.get(other.id).cancelled


@pytest.mark.parametrize("end", [queue.refuse, queue.fail, None])
def test_what_ended_before_a_cancelled_rest_is_told(end: Callable[..., None] | None) -> None:
    three = batch(3)
    if end is None:
        queue.finish(claim("w").id, "w", Delivered(), NOW)
    else:
        end(claim("w").id, "w", RefusalReason.NOT_FOUND, NOW)
    first, last = queue.waiting(1)
    queue.cancel(1, first.id, NOW)
    assert told() == []
    queue.cancel(1, last.id, NOW)
    assert told() == [("batch_finished", {"batch": three.id})]


def test_a_batch_cancelled_as_a_whole_is_not_told_again() -> None:
    three = batch(3)
    claim("w")
    assert len(batches.cancel(1, three.id, NOW)) == 3
    assert told() == []


def test_a_batch_is_told_when_its_last_link_is_cancelled() -> None:
    two = batch(2)
    queue.finish(claim("w").id, "w", Delivered(), NOW)
    job = claim("w")
    queue.delivering(job.id, "w", NOW)
    assert batches.cancel(1, two.id, NOW) == []
    queue.put_back(job.id, "w", NOW, False, NOW)
    assert told() == [("batch_finished", {"batch": two.id})]


def test_a_spent_quota_holds_the_rest_until_it_is_released() -> None:
    five = batch(5)
    for _ in range(3):
        job = claim("w")
        assert isinstance(usage.reserve(job.id, 1, {"video": 1}, FREE.limits, TODAY, NOW), usage.Reserved)
        queue.finish(job.id, "w", Delivered(), NOW)
    job = claim("w")
    assert isinstance(usage.reserve(job.id, 1, {"video": 1}, FREE.limits, TODAY, NOW), usage.Refused)

    held = batches.hold(job.id, "w", OVER, NOW)

    assert (len(held.job_ids), held.tell) == (2, True)
    assert states(five.id) == {"done": 3, "held": 2}
    assert queue.claim("w", 60, 2, NOW) is None
    quota_ended = ("batch_held", {"batch": five.id, "job": job.id, "largest": 0, **OVER.stored()})
    assert told() == [quota_ended]

    assert batches.release(1, five.id, PREMIUM.level, NOW) == list(held.job_ids)
    for job_id in held.job_ids:
        job = claim("w")
        assert (job.id, job.priority, job.reason) == (job_id, PREMIUM.level, None)
        assert isinstance(usage.reserve(job.id, 1, {"video": 1}, PREMIUM.limits, TODAY, NOW), usage.Reserved)
        queue.finish(job.id, "w", Delivered(), NOW)
    assert told() == [quota_ended, ("batch_finished", {"batch": five.id})]


def test_a_partly_delivered_link_is_not_held() -> None:
    three = batch(3)
    partly = claim("w")
    usage.reserve(partly.id, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
    one, _ = queue.plan_messages(partly.id, 2, NOW)
    queue.delivering(partly.id, "w", NOW)
    queue.sent(partly.id, {one: 5})
    queue.put_back(partly.id, "w", NOW + 30, False, NOW)

    held = batches.hold(claim("w").id, "w", OVER, NOW)

    assert partly.id not in held.job_ids and states(three.id) == {"held": 2, "queued": 1}
    assert usage.of_job(partly.id) == {"photo": 1}
    batches.cancel(1, three.id, NOW)
    assert (usage.total(1), states(three.id)) == ({"photo": 1}, {"done": 1, "cancelled": 2})
    assert told()[-1] == ("batch_finished", {"batch": three.id})


def test_the_end_of_the_quota_is_told_once_until_it_is_released() -> None:
    four = batch(4)
    at_once = [claim("w"), claim("w")]
    assert [batches.hold(job.id, "w", OVER, NOW).tell for job in at_once] == [True, False]
    batches.release(1, None, 0, NOW)
    assert batches.hold(claim("w").id, "w", OVER, NOW).tell
    assert states(four.id) == {"held": 4}
    assert [kind for kind, _ in told()] == ["batch_held"] * 2


def test_each_batch_is_held_and_released_by_itself() -> None:
    first, second = batch(2), batch(2, key="update 2")
    alone = enqueue(1, "alone")
    batches.hold(claim("w").id, "w", OVER, NOW)
    assert (states(first.id), states(second.id)) == ({"held": 2}, {"queued": 2})
    assert queue.get(alone.id).state is JobState.QUEUED
    batches.hold(claim("w").id, "w", OVER, NOW)
    assert len(batches.release(1, second.id, 1, NOW)) == 2
    assert (states(first.id), states(second.id)) == ({"held": 2}, {"queued": 2})
    assert Batch.get_by_id(first.id).quota_told_at is not None, "nobody asked for it"
    assert batches.hold(claim("w").id, "w", OVER, NOW).tell
    batches.set_status_message(first.id, 55)
    assert batches.get(second.id).status_message_id is None


def test_what_waits_counts_links_about_to_be_held() -> None:
    five = batch(5)
    sure, undecided = claim("w"), claim("w")
    assert isinstance(usage.reserve(sure.id, 1, {"video": 1}, FREE.limits, TODAY, NOW), usage.Reserved)
    third = queue.claim("w", 60, 3, NOW)
    assert third is not None
    batches.hold(third.id, "w", OVER, NOW)
    assert states(five.id) == {"claimed": 2, "held": 3}
    assert batches.waiting(five.id) == 4
    batches.hold(undecided.id, "w", OVER, NOW)
    assert batches.waiting(five.id) == 4
    queue.finish(sure.id, "w", Delivered(), NOW)
    assert batches.waiting(five.id) == 4


def test_of_workers_that_hold_at_once_one_tells(tmp_path: Path) -> None:
    batch(8)
    running = [queue.claim("w", 60, 8, NOW) for _ in range(8)]

    def hold(job: queue.JobInfo | None) -> bool:
        assert job is not None
        database.connect()
        try:
            return batches.hold(job.id, "w", OVER, NOW).tell
        finally:
            database.close_database()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(hold, running)) == 1


def test_a_held_job_has_nothing_reserved() -> None:
    batch(2)
    job = claim("w")
    usage.reserve(job.id, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
    batches.hold(job.id, "w", OVER, NOW)
    assert usage.of_job(job.id) == {}


def test_only_jobs_of_a_batch_are_held() -> None:
    enqueue(1, "alone")
    with pytest.raises(NotFound):
        batches.hold(claim("w").id, "w", OVER, NOW)


def test_nobody_releases_what_is_held_for_another() -> None:
    batch(2)
    batches.hold(claim("w").id, "w", OVER, NOW)
    assert batches.release(2, None, 2, NOW) == []


def test_held_jobs_leave_after_some_days() -> None:
    two = batch(2)
    batches.hold(claim("w").id, "w", OVER, NOW)
    assert batches.expire_held(NOW, NOW) == 0
    assert batches.expire_held(NOW + 1, NOW + 7 * DAY_S) == 2
    assert states(two.id) == {"cancelled": 2}
    assert {queue.get(job_id).reason for job_id in (1, 2)} == {RefusalReason.HELD_TOO_LONG}
    assert told()[1:] == [("batch_finished", {"batch": two.id})]


@pytest.mark.parametrize(("days", "left"), [(6, "held"), (7, "cancelled")])
def test_upkeep_keeps_held_jobs_for_a_week(days: int, left: str) -> None:
    two = batch(2)
    batches.hold(claim("w").id, "w", OVER, NOW)

    runner._let_go(NOW + days * DAY_S + 1)

    assert states(two.id) == {left: 2}


def test_held_jobs_can_be_cancelled() -> None:
    two = batch(2)
    batches.hold(claim("w").id, "w", OVER, NOW)
    assert len(queue.cancel(1, None, NOW)) == 2
    assert states(two.id) == {"cancelled": 2}
    assert all(count == 0 for state, count in batches.counts(two.id).items() if state is not JobState.CANCELLED)


def test_the_status_message_is_remembered() -> None:
    two = batch(2)
    batches.set_status_message(two.id, 55)
    assert batches.get(two.id).status_message_id == 55
