"""Limits hold whatever happens: at once, out of order, across midnight, from several processes."""

import multiprocessing
import zoneinfo
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from config.plans import Limit
from models import database
from models.errors import LeaseLost
from models.jobs import batches, queue, usage
from models.jobs.reasons import RefusalReason
from models.jobs.states import ENDED, JobState
from models.tables import TABLES, Job, Usage
from tests.examples import slow
from tests.rivals import LIMIT, rival, rival_process
from tests.store import FREE, NOW, PREMIUM, TODAY, claim, customers, enqueue, new_batch, recover

TOMORROW = "2027-01-16"


@pytest.fixture
def store(database_file: Path) -> None:
    customers(1, 2)


def running_job(key: str, user_id: int = 1) -> int:
    """A job of the user that a worker is on."""
    job_id = enqueue(user_id, key).id
    assert claim("worker", per_customer=99).id == job_id
    return job_id


def used(user_id: int = 1, day: str = TODAY) -> dict[str, int]:
    return {kind: left.used for kind, left in usage.left(user_id, FREE, day).items() if left.used}


# ---- one job


def test_the_fourth_video_is_refused_and_the_limit_is_named(store: None) -> None:
    for number in range(3):
        job = running_job(f"v{number}")
        assert usage.reserve(job, 1, {"video": 1}, FREE.limits, TODAY, NOW) == usage.Reserved({"video": 1})
        queue.finish(job, "worker", queue.Delivered(), NOW)

    refused = usage.reserve(running_job("v3"), 1, {"video": 1}, FREE.limits, TODAY, NOW)

    assert refused == usage.Refused("video", Limit(3, "all"), 3)
    assert usage.left(1, FREE, TOMORROW)["video"] == usage.Left(3, Limit(3, "all"))
    assert usage.left(1, FREE, TOMORROW)["video"].count == 0


def test_a_reservation_counts_before_it_is_committed(store: None) -> None:
    for number in range(3):
        usage.reserve(running_job(f"v{number}"), 1, {"video": 1}, FREE.limits, TODAY, NOW)
    assert isinstance(usage.reserve(running_job("v3"), 1, {"video": 1}, FREE.limits, TODAY, NOW), usage.Refused)


def test_daily_limits_begin_anew_and_those_of_others_are_theirs(store: None) -> None:
    limits = {"photo": Limit(1, "day")}
    assert isinstance(usage.reserve(running_job("a"), 1, {"photo": 1}, limits, TODAY, NOW), usage.Reserved)
    assert isinstance(usage.reserve(running_job("b"), 1, {"photo": 1}, limits, TODAY, NOW), usage.Refused)
    assert isinstance(usage.reserve(running_job("c", 2), 2, {"photo": 1}, limits, TODAY, NOW), usage.Reserved)
    assert isinstance(usage.reserve(running_job("d"), 1, {"photo": 1}, limits, TOMORROW, NOW), usage.Reserved)


def test_a_kind_that_the_plan_does_not_have_is_refused(store: None) -> None:
    assert usage.reserve(running_job("m"), 1, {"music": 1}, FREE.limits, TODAY, NOW) == usage.Refused(
        "music", FREE.limits["music"], 0
    )


def test_an_unlimited_kind_is_recorded_but_never_refused(store: None) -> None:
    job = running_job("p")
    assert isinstance(usage.reserve(job, 1, {"photo": 10_000}, {"photo": Limit.UNLIMITED}, TODAY, NOW), usage.Reserved)
    queue.finish(job, "worker", queue.Delivered(), NOW)
    assert usage.total(1) == {"photo": 10_000}
    assert usage.left(1, PREMIUM, TODAY)["photo"].count is None


def test_an_album_reserves_all_or_nothing(store: None) -> None:
    limits = {"photo": Limit(4, "day"), "video": Limit(3, "all")}
    album = {"photo": 4, "video": 4}
    assert usage.reserve(running_job("a"), 1, album, limits, TODAY, NOW) == usage.Refused("video", limits["video"], 0)
    assert used() == {}
    job = running_job("b")
    usage.reserve(job, 1, {"photo": 4, "video": 3}, limits, TODAY, NOW)
    assert used() == {"photo": 4, "video": 3}


def test_asking_again_with_the_same_wants_changes_nothing(store: None) -> None:
    job = running_job("a")
    limits = {"photo": Limit(1, "day")}
    for day in (TODAY, TODAY, TOMORROW):
        assert isinstance(usage.reserve(job, 1, {"photo": 1}, limits, day, NOW), usage.Reserved)
    assert used() == {"photo": 1}
    assert used(day=TOMORROW) == {}


def test_an_edited_posts_reservation_replaces_the_first(store: None) -> None:
    job = running_job("a")
    limits = {"photo": Limit(3, "day"), "video": Limit(1, "all")}
    usage.reserve(job, 1, {"photo": 3}, limits, TODAY, NOW)
    assert isinstance(usage.reserve(job, 1, {"photo": 2, "video": 1}, limits, TODAY, NOW), usage.Reserved)
    assert used() == {"photo": 2, "video": 1}
    assert isinstance(usage.reserve(job, 1, {"photo": 4}, limits, TODAY, NOW), usage.Refused)
    assert used() == {}


def test_of_two_kinds_that_are_refused_the_size_is_named(store: None) -> None:
    limits = {"photo": Limit(1, "day"), "video": Limit(3, "all")}
    needs, room = usage.Needs({"photo": 2, "video": 1}, {"photo": 5, "video": 99}), usage.Room(limits, TODAY, 50)
    refused = usage.reserve_post(running_job("a"), 1, needs, room, NOW)
    assert isinstance(refused, usage.Refused)
    assert (refused.kind, refused.size, refused.missing) == ("video", 99, 0), "one pack alone brings nothing"
    alone = usage.reserve_post(running_job("b"), 1, usage.Needs({"photo": 3}), room, NOW)
    assert isinstance(alone, usage.Refused) and (alone.kind, alone.size, alone.missing) == ("photo", None, 2)
    largest = usage.reserve_post(running_job("c"), 1, usage.Needs({"video": 1}, {"video": 50}), room, NOW)
    assert isinstance(largest, usage.Reserved)


def test_a_batch_has_used_what_its_deliveries_have(store: None) -> None:
    first, second = (batches.enqueue(new_batch(each, str(each), ("a", "b", "c")), 99, NOW) for each in (1, 2))
    assert isinstance(first, batches.BatchInfo) and isinstance(second, batches.BatchInfo)
    for _ in range(6):
        job = claim("worker", per_customer=99)
        usage.reserve(job.id, job.user_id, {"photo": 2}, {"photo": Limit.UNLIMITED}, TODAY, NOW)
        if job.user_id == 1:
            queue.finish(job.id, "worker", queue.Delivered(), NOW)
    assert usage.of_batch(first.id) == {"photo": 6}
    assert usage.of_batch(second.id) == {}, "what is on its way is not used yet"


@pytest.mark.parametrize("end", [queue.refuse, queue.fail])
def test_what_is_not_delivered_costs_nothing(store: None, end: object) -> None:
    job = running_job("a")
    usage.reserve(job, 1, {"video": 3}, FREE.limits, TODAY, NOW)
    end(job, "worker", RefusalReason.NOT_FOUND, NOW)  # type: ignore[operator]
    assert used() == {}


def test_a_delivery_after_midnight_is_charged_to_its_day(store: None) -> None:
    madrid = zoneinfo.ZoneInfo("Europe/Madrid")
    just_before, just_after = NOW + 53_999, NOW + 54_001  # midnight in Madrid is 23:00 UTC
    assert (usage.day_of(just_before, madrid), usage.day_of(just_after, madrid)) == (TODAY, TOMORROW)
    job = running_job("a")
    usage.reserve(job, 1, {"photo": 2}, FREE.limits, usage.day_of(just_before, madrid), just_before)
    queue.finish(job, "worker", queue.Delivered(), just_after)
    assert used(day=TODAY) == {"photo": 2}
    assert used(day=TOMORROW) == {}


def test_a_job_that_has_ended_cannot_reserve(store: None) -> None:
    job = running_job("a")
    queue.cancel(1, job, NOW)
    with pytest.raises(LeaseLost):
        usage.reserve(job, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
    assert Usage.select().count() == 0


# ---- any order


class Limits(RuleBasedStateMachine):
    """Jobs of two customers go all possible ways, over several days, under small limits."""

    limits = {"photo": Limit(3, "day"), "video": Limit(4, "all"), "text": Limit.UNLIMITED}
    claimed = Bundle("claimed")

    @initialize()
    def begin(self) -> None:
        for table in reversed(TABLES):
            table.delete().execute()
        customers(1, 2)
        self.now = NOW
        self.number = 0
        self.charged: dict[tuple[int, str, str], int] = {}

    @property
    def day(self) -> str:
        return usage.day_of(self.now, zoneinfo.ZoneInfo("UTC"))

    @rule(user_id=st.sampled_from((1, 2)))
    def a_link_arrives(self, user_id: int) -> None:
        self.number += 1
        enqueue(user_id, str(self.number), now=self.now)

    @rule(target=claimed)
    def a_worker_claims(self) -> object:
        job = queue.claim("worker", 60, 3, self.now)
        return multiple() if job is None else job.id

    @rule(
        job=claimed, wants=st.dictionaries(st.sampled_from(("photo", "video", "text")), st.integers(1, 4), min_size=1)
    )
    def it_reserves(self, job: int, wants: dict[str, int]) -> None:
        before = usage.of_job(job)
        try:
            outcome = usage.reserve(job, queue.get(job).user_id, wants, self.limits, self.day, self.now)
        except LeaseLost:
            assert queue.get(job).state not in (JobState.CLAIMED, JobState.DELIVERING)
            assert usage.of_job(job) == before
        else:
            assert usage.of_job(job) == (wants if isinstance(outcome, usage.Reserved) else {})

    @rule(job=claimed)
    def it_delivers(self, job: int) -> None:
        with_job = {(row.user_id, row.period, row.kind): row.count for row in Usage.select().where(Usage.job == job)}
        try:
            first = queue.finish(job, "worker", queue.Delivered(), self.now)
        except LeaseLost:
            return
        if first:
            for key, count in with_job.items():
                self.charged[key] = self.charged.get(key, 0) + count

    @rule(job=claimed, end=st.sampled_from((queue.refuse, queue.fail)))
    def it_ends_otherwise(self, job: int, end: object) -> None:
        try:
            end(job, "worker", RefusalReason.GAVE_UP, self.now)  # type: ignore[operator]
        except LeaseLost:
            return
        assert usage.of_job(job) == {}

    @rule(job=claimed, count=st.booleans())
    def it_gives_up_for_now(self, job: int, count: bool) -> None:
        try:
            queue.put_back(job, "worker", self.now + 5, count, self.now)
        except LeaseLost:
            return

    @rule(user_id=st.sampled_from((1, 2)))
    def the_customer_cancels(self, user_id: int) -> None:
        queue.cancel(user_id, None, self.now)

    @rule(seconds=st.sampled_from((1, 61, 86_400)))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        recover(self.now)

    @invariant()
    def no_limit_is_passed(self) -> None:
        for user_id, period, kind, total in _sums():
            limit = self.limits[kind].count
            assert limit is None or total <= limit, (user_id, period, kind, total)

    @invariant()
    def what_was_charged_stays_where_it_is(self) -> None:
        assert {(u, p, k): n for u, p, k, n in _sums("committed")} == self.charged

    @invariant()
    def nothing_stays_reserved_for_a_job_that_ended(self) -> None:
        assert not Usage.select().join(Job).where(Usage.state == "reserved", Job.state.in_(ENDED)).exists()


def _sums(*states: str) -> list[tuple[int, str, str, int]]:
    counted = ", ".join(f"'{state}'" for state in states or ("reserved", "committed"))
    return database.execute(
        f"SELECT user_id, period, kind, SUM(count) FROM usage WHERE state IN ({counted}) GROUP BY 1, 2, 3"
    ).fetchall()


@pytest.mark.hypothesis
def test_limits_hold_in_any_order(database_file: Path) -> None:
    database.execute("PRAGMA synchronous = OFF")
    machine = slow(60, stateful_step_count=30)
    run_state_machine_as_test(Limits, settings=machine)


# ---- at once

RIVALS = 4

# The database itself watches: no statement of anybody may leave more than the limit behind.
_WATCH = f"""
CREATE TRIGGER watch AFTER INSERT ON usage
WHEN (SELECT SUM(count) FROM usage WHERE user_id = NEW.user_id AND period = NEW.period) > {LIMIT}
BEGIN SELECT RAISE(ABORT, 'the limit was passed'); END
"""


@pytest.fixture
def watched(store: None, database_file: Path) -> Path:
    database.execute(_WATCH)
    return database_file


def assert_limit_reached(delivered: int) -> None:
    assert delivered == usage.left(1, FREE, TODAY)["photo"].used == LIMIT
    assert not Usage.select().where(Usage.state == "reserved").exists()


def test_threads_never_pass_a_limit_together(watched: Path) -> None:
    with ThreadPoolExecutor(RIVALS) as pool:
        assert_limit_reached(sum(pool.map(rival, range(RIVALS))))


def test_processes_never_pass_a_limit_together(watched: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(RIVALS) as pool:
        assert_limit_reached(sum(pool.starmap(rival_process, [(watched, number) for number in range(RIVALS)])))
