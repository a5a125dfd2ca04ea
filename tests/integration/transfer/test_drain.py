"""A worker that is told to stop: what it has begun may end, and nothing begins after it."""

import asyncio
import threading

import pytest

from models.jobs import queue
from models.jobs.states import JobInfo, JobState
from tests.transfer_rig import Customer, Rig, now

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
