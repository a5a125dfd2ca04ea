"""Budgets: what one customer may take, when it goes on, and that they hear so once."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import outbox
from models.event_kinds import BudgetSpent
from models.jobs import batches, budgets, queue
from models.jobs.batches import BatchInfo
from models.jobs.budgets import Budget, Purpose, Span
from models.jobs.queue import TooMany
from models.tables import Budget as Row
from models.tables import Job
from tests.store import NOW, customers, new_batch, new_job

HOUR, DAY = 3600, 86_400
TEN = budgets.of_links(10, 25)


@pytest.fixture(autouse=True)
def store(database_file: Path) -> None:
    customers(1, 2)


def told(user_id: int = 1) -> list[BudgetSpent]:
    return [event.read(BudgetSpent) for event in outbox.due(NOW + 10 * DAY) if event.user_id == user_id]


def test_a_budget_goes_on_an_hour_after_its_first_use() -> None:
    assert budgets.spend(1, TEN, 4, NOW) == 4
    assert budgets.spend(1, TEN, 20, NOW + 100) == 6
    assert budgets.spend(1, TEN, 1, NOW + HOUR - 1) == 0
    assert budgets.spend(1, TEN, 1, NOW + HOUR) == 1
    assert budgets.spend(2, TEN, 10, NOW) == 10


def test_who_meets_it_hears_once_when_it_goes_on() -> None:
    budgets.spend(1, TEN, 10, NOW)
    assert not told()
    for later in range(50):
        budgets.spend(1, TEN, 3, NOW + later)
    (spent,) = told()
    assert (spent.limit, spent.seconds, spent.until, spent.left_out) == (10, HOUR, NOW + HOUR, 3)
    # And once more in the next hour
    budgets.spend(1, TEN, 30, NOW + HOUR)
    assert [each.until for each in told()] == [NOW + HOUR, NOW + 2 * HOUR]
    assert told()[1].taken == 10


def test_the_day_counts_beside_the_hour() -> None:
    taken = [budgets.spend(1, TEN, 10, NOW + number * HOUR) for number in range(4)]
    assert taken == [10, 10, 5, 0]
    assert [(each.seconds, each.until) for each in told()] == [(DAY, NOW + DAY)]
    assert budgets.spend(1, TEN, 10, NOW + DAY) == 10


def test_who_pays_may_ask_for_five_times_as_much() -> None:
    assert budgets.spend(1, TEN.for_paying(), 70, NOW) == 50
    # A plan that is bought in the middle of an hour makes room at once
    assert budgets.spend(2, TEN, 11, NOW) == 10
    assert budgets.spend(2, TEN.for_paying(), 39, NOW) == 39
    assert budgets.spend(2, TEN.for_paying(), 2, NOW) == 1
    assert [each.limit for each in told(2)] == [10, 50]


def test_a_clock_set_back_locks_nobody_out() -> None:
    budgets.spend(1, TEN, 10, NOW + 30 * DAY)
    assert budgets.spend(1, TEN, 1, NOW) == 1


def test_what_is_given_back_can_be_taken_again() -> None:
    once = Budget(Purpose.LOOKUPS, (Span(1, HOUR),))
    assert budgets.spend(1, once, 1, NOW) == 1
    budgets.give_back(1, Purpose.LOOKUPS)
    assert budgets.spend(1, once, 1, NOW) == 1
    budgets.give_back(1, Purpose.LOOKUPS)
    budgets.give_back(1, Purpose.LOOKUPS)
    assert budgets.spend(1, once, 2, NOW) == 1


def test_what_is_given_back_is_of_one_customer_and_purpose() -> None:
    lookups, messages = (Budget(purpose, (Span(1, HOUR),)) for purpose in (Purpose.LOOKUPS, Purpose.MESSAGES))
    for user_id in (1, 2):
        assert (budgets.spend(user_id, lookups, 1, NOW), budgets.spend(user_id, messages, 1, NOW)) == (1, 1)
    budgets.give_back(1, Purpose.LOOKUPS)
    left = [budgets.spend(user_id, each, 1, NOW) for user_id in (1, 2) for each in (lookups, messages)]
    assert left == [1, 0, 0, 0]


def test_when_a_budget_goes_on_is_known() -> None:
    assert budgets.spent_until(1, TEN, NOW) is None
    budgets.spend(1, TEN, 9, NOW)
    assert budgets.spent_until(1, TEN, NOW) is None
    budgets.spend(1, TEN, 1, NOW + 5)
    assert budgets.spent_until(1, TEN, NOW + HOUR - 1) == NOW + HOUR and budgets.spent_until(2, TEN, NOW) is None
    assert budgets.spent_until(1, TEN, NOW + HOUR) is None
    both = Budget(Purpose.LINKS, (Span(2, HOUR), Span(2, DAY)))
    budgets.spend(2, both, 2, NOW)
    assert budgets.spent_until(2, both, NOW) == NOW + DAY, "the hour is over sooner, and the day is not"


def test_links_beyond_it_are_left_out() -> None:
    assert queue.enqueue(new_job(1, "a"), 99, NOW, TEN)
    links = tuple(f"https://t.me/c/1/{number}" for number in range(12))
    batch = batches.enqueue(new_batch(1, "b", links), 99, NOW, TEN)
    assert isinstance(batch, BatchInfo) and batch.total == 9
    assert [job.link for job in queue.waiting(1)][1:] == list(links[:9])
    assert queue.enqueue(new_job(1, "c"), 99, NOW, TEN) is None
    assert batches.enqueue(new_batch(1, "d", links), 99, NOW, TEN) is None
    assert [(each.taken, each.left_out) for each in told()] == [(9, 3)]
    assert Job.select().count() == 10


def test_an_update_that_comes_twice_is_taken_once() -> None:
    for _ in range(3):
        assert queue.enqueue(new_job(1, "a"), 99, NOW, TEN)
        assert batches.enqueue(new_batch(1, "b", ("x", "y")), 99, NOW, TEN)
    assert budgets.spend(1, TEN, 99, NOW) == 7


def test_links_that_find_the_queue_full_are_not_taken() -> None:
    assert isinstance(batches.enqueue(new_batch(1, "b", ("x", "y")), 1, NOW, TEN), TooMany)
    assert budgets.spend(1, TEN, 99, NOW) == 10


def test_one_row_a_span_is_all_that_a_flood_leaves() -> None:
    for number in range(100):
        budgets.spend(1, TEN, 7, NOW + 60 * number)
    budgets.spend(2, TEN, 7, NOW + DAY)
    assert Row.select().count() == 4
    budgets.forget(NOW + 2 * DAY)
    assert {row.user_id for row in Row.select()} == {2}
