"""Whatever runs for a link finds its rows by an index, however many rows there are."""

import re
from collections.abc import Iterator

import pytest

from models import database
from models.jobs import batches, queue, scheduling, sources, uploads, usage
from tests.bench import million
from tests.store import FREE, NOW, OVER, PLANS, TODAY, new_batch, recover

SMALL = million.Scale(users=2_000, usage=20_000, jobs=4_000, cached=1_000, waiting=200)
GROWS = {"user", "order", "payment", "refund", "dispute", "adjustment", "subscription", "job", "usage", "cached_media"}
GROWS |= {"batch", "source", "source_opening", "join", "event", "upload"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    million.generate(tmp_path_factory.mktemp("million") / "small.db", SMALL)
    yield
    database.close_database()


@pytest.fixture
def statements(store: None) -> Iterator[set[str]]:
    """The statements that run during the test."""
    heard: set[str] = set()
    database.bound.connection().set_trace_callback(heard.add)
    yield heard
    database.bound.connection().set_trace_callback(None)


def scans(statement: str) -> list[str]:
    """The steps of the statement's plan that walk through a table that grows."""
    steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}")]
    walked = {step: re.match(r"SCAN (?:TABLE )?(\w+)", step) for step in steps}
    return [step for step, match in walked.items() if match and match[1] in GROWS]


def assert_no_scans(statements: set[str]) -> None:
    explained = [text for text in statements if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", text)]
    assert explained
    database.bound.connection().set_trace_callback(None)
    found = {statement: scans(statement) for statement in explained}
    assert {statement: steps for statement, steps in found.items() if steps} == {}


def test_a_plan_that_walks_is_recognised(store: None) -> None:
    assert scans("SELECT 1 FROM usage WHERE state = 'reserved'")
    assert scans("SELECT COUNT(*) FROM job") and scans("SELECT running.id FROM job AS running WHERE size = 1") == []
    assert not scans("SELECT 1 FROM usage WHERE user_id = 1")


def test_start_and_a_link_walk_through_no_table(statements: set[str]) -> None:
    watch = million.Stopwatch()
    for number in range(1, 9):
        million.serve(number * 20 + 1, number, NOW, PLANS, watch)
    assert len(statements) > 100
    assert_no_scans(statements)


def test_the_other_calls_of_a_message_walk_through_no_table(statements: set[str]) -> None:
    batch = batches.enqueue(new_batch(5, "batch", ("a", "b", "c"), priority=2), 99, NOW)
    assert isinstance(batch, batches.BatchInfo)
    job = queue.claim("w", 60, 2, NOW)
    assert job is not None and job.batch_id == batch.id
    queue.heartbeat(job.id, "w", 60, NOW)
    queue.held_by("w")
    uploads.save(job.id, "w", uploads.UploadInfo(1, 2, 512, 8, b"\0"), NOW)
    uploads.of(job.id, 1)
    queue.put_back(job.id, "w", NOW, False, NOW)
    assert queue.claim("w", 60, 2, NOW) is not None
    assert batches.hold(job.id, "w", OVER, NOW).tell
    batches.counts(batch.id)
    assert len(batches.release(5, batch.id, 1, NOW)) == 3
    queue.promote(5, 2, NOW)
    queue.asked("batch")
    queue.waiting(5)
    queue.history(5, 10)
    queue.cancel(5, None, NOW)
    recover(NOW)
    queue.overview(NOW)
    queue.totals(NOW - 86_400)
    queue.left_standing(NOW - 86_400)
    queue.in_line(200)
    usage.left(5, FREE, TODAY)
    usage.total(5)
    sources.remember(7, "name", "Title", protected=False, now=NOW)
    sources.get(7)
    sources.open_for(5, 7, NOW)
    sources.is_open_for(5, 7)
    sources.begin_join(5, "hash", TODAY, 10, NOW)
    assert_no_scans(statements)


def test_the_line_is_read_in_its_order_without_sorting(store: None) -> None:
    values = (0, NOW, 0, 1 << 62, 2)
    steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {scheduling.FIRST}", values)]
    assert not [step for step in steps if "TEMP B-TREE" in step]
