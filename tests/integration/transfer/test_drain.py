"""A worker that is told to stop: what it has begun may end, and nothing begins after it."""

import asyncio
import threading

import pytest

from daemon.transfer.run import Run
from models.jobs import queue
from models.jobs.states import JobInfo, JobState
from models.tables import Job
from tests.transfer_rig import Customer, Rig, now, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_lease_that_lapses_leaves_one_at_work(running: Rig, lucia: Customer, private_chat: int) -> None:
    # Given a transfer under way, whose lease lapses because the clock has jumped
    post = running.control("POST", "/posts", {"chat": private_chat, "kind": "document", "size": 6 << 20})
    running.control("POST", "/network", {"bandwidth": 2 << 20, "account": "peaje_operator"})
    job = await running.ask(lucia, post["url"])

    async def at_work() -> Run | None:
        return running.transfers._runs.get(job.id)

    first = await until(at_work)

    def lapse() -> None:
        Job.update(lease_until=0).where(Job.id == job.id).execute()

    await running.database(lapse)
    running.wakeup.wake()

    # When the same worker claims it again
    async def again() -> bool:
        return running.transfers._runs.get(job.id) not in (None, first)

    await until(again)
    # Then the first run has ended, and the file arrives once
    assert first.withdrawn and first.task
    await asyncio.wait({first.task}, timeout=5)
    assert first.task.done()
    assert (await running.ended(job)).state is JobState.DONE
    assert len(await lucia.media()) == 1


async def test_a_job_claimed_as_the_drain_begins_may_end(running: Rig, lucia: Customer) -> None:
    # Given a claim on its way to the database, which is busy, and a post that takes a moment to read
    running.control("POST", "/faults", {"fault": "delay", "method": "channels.getMessages", "seconds": 0.5})
    busy = threading.Event()

    def put_in_line() -> int:
        url = running.link("document1")["url"]
        job = queue.enqueue(queue.NewJob(user_id=lucia.id, chat_id=lucia.id, link=url, dedupe="drain"), 1000, now())
        assert isinstance(job, JobInfo)
        busy.wait(10)
        return job.id

    putting = asyncio.create_task(running.database(put_in_line))
    await asyncio.sleep(0.1)
    running.wakeup.wake()
    await asyncio.sleep(0.1)
    # When the worker is drained, and then the database answers
    draining = asyncio.create_task(running.transfers.drain(10))
    await asyncio.sleep(0.1)
    busy.set()
    # Then the drain has waited for that job
    await draining
    assert (await running.database(queue.get, await putting)).state is JobState.DONE
