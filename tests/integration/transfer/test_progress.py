"""What a customer sees meanwhile: one message a job or batch, soon, seldom edited, gone at the end."""

import asyncio
import time
from typing import Any

import pytest

from models.jobs import batches, queue
from models.jobs.states import JobInfo, JobState
from tests.store import new_batch
from tests.transfer_rig import Customer, Rig, customer, now, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1 << 20
BOT = "peaje_sandbox_bot"


def slow(running: Rig, megabytes_s: float) -> None:
    running.control("POST", "/network", {"bandwidth": int(megabytes_s * MIB), "account": "peaje_operator"})


async def texts(lucia: Customer) -> list[str]:
    return [message.message for message in await lucia.messages() if message.media is None]


async def test_progress_appears_within_a_second_moves_on_and_is_gone(
    running: Rig, lucia: Customer, private_chat: int
) -> None:
    post = running.control("POST", "/posts", {"chat": private_chat, "kind": "document", "size": 40 * MIB})
    slow(running, 2)
    started = time.monotonic()
    job = await running.ask(lucia, post["url"])
    (first,) = await until(lambda: texts(lucia))
    assert time.monotonic() - started < 1
    seen = {first}
    moments = []
    while (await running.job(job)).state is not JobState.DONE:
        shown = await texts(lucia)
        if shown and shown[0] not in seen:
            seen.add(shown[0])
            moments.append(time.monotonic())
        await asyncio.sleep(0.05)
        if len(moments) == 2:
            running.control("DELETE", "/network")
    # Then it said how far it was, no oftener than every three seconds
    assert any("% de 40 MB" in text and "/s" in text for text in seen)
    assert all(later - earlier > 2.8 for earlier, later in zip(moments, moments[1:], strict=False))
    # And it is gone, the file being there
    await until(lambda: gone(lucia))
    assert len(await lucia.media()) == 1


async def gone(lucia: Customer) -> bool:
    return await texts(lucia) == []


async def test_what_is_delivered_at_once_shows_no_progress(running: Rig, lucia: Customer) -> None:
    edits = running.control("GET", "/stats")["calls"].get("messages.sendMessage", 0)
    await running.deliver(lucia, running.link("video2")["url"])
    await asyncio.sleep(0.8)
    assert running.control("GET", "/stats")["calls"].get("messages.sendMessage", 0) == edits


async def test_a_batch_has_one_message_with_counts(running: Rig, lucia: Customer, private_chat: int) -> None:
    posts = [
        running.control("POST", "/posts", {"chat": private_chat, "kind": "document", "size": 3 * MIB}) for _ in range(6)
    ]
    slow(running, 1)
    links = (*[post["url"] for post in posts], running.link("missing1")["url"])
    batch = await running.database(batches.enqueue, new_batch(lucia.id, str(time.time_ns()), links), 1000, now())
    running.wakeup.wake()
    shown = await until(lambda: texts(lucia))
    assert len(shown) == 1 and "de 7" in shown[0]
    running.control("DELETE", "/network")

    async def over() -> bool:
        counts: Any = await running.database(batches.counts, batch.id)
        return counts[JobState.DONE] == 6 and counts[JobState.REFUSED] == 1

    await until(over)
    await until(lambda: gone(lucia))
    assert len(await lucia.media()) == 6


async def test_a_quota_that_ends_in_the_middle_keeps_the_rest(running: Rig, lucia: Customer) -> None:
    # Given a free customer, who may have three videos in all, and five videos sent together
    async with customer(running, 7, level=0) as free:
        links = tuple(running.link(f"video{number}")["url"] for number in range(1, 6))
        batch = await running.database(batches.enqueue, new_batch(free.id, str(time.time_ns()), links), 1000, now())
        running.wakeup.wake()

        async def held() -> Any:
            counts: Any = await running.database(batches.counts, batch.id)
            return counts[JobState.HELD] == 2 and counts[JobState.DONE] == 3

        # Then three arrive, and two wait until he asks
        await until(held)
        assert len(await free.media()) == 3
        # When he has a plan and says so, they go on
        await running.upgrade(free, 2)
        await running.database(batches.release, free.id, batch.id, 2, now())
        running.wakeup.wake()

        async def over() -> bool:
            return len(await free.media()) == 5

        await until(over)


async def test_the_paying_overtake_and_each_sees_their_place(running: Rig, lucia: Customer, private_chat: int) -> None:
    # Given all slots taken by slow files, and links of a free customer in line
    running.control("POST", "/network", {"bandwidth": MIB, "account": "peaje_operator"})
    order = {"chat": private_chat, "kind": "document", "size": 8 * MIB}
    busy = [await running.ask(lucia, running.control("POST", "/posts", order)["url"], priority=2) for _ in range(5)]
    async with customer(running, 8, level=0) as free:
        small = {"chat": private_chat, "kind": "document", "size": MIB}
        early = [await running.ask(free, running.control("POST", "/posts", small)["url"]) for _ in range(3)]

        async def places() -> bool:
            return sorted(await texts(free)) == [
                "⏳ En cola: 1 enlace delante del tuyo.",
                "⏳ En cola: 2 enlaces delante del tuyo.",
                "⏳ En cola: tu enlace es el siguiente.",
            ]

        await until(places)
        # When a paying customer comes later
        late = await running.ask(lucia, running.control("POST", "/posts", small)["url"], priority=2)
        assert (await running.database(queue.in_line, 9))[0].id == late.id
        running.control("DELETE", "/network")
        # Then he is served before most of them, and nobody is forgotten
        ended = [await running.ended(job) for job in [late, *early, *busy]]
        assert {job.state for job in ended} == {JobState.DONE}
        assert ended[0].moved_at <= max(job.moved_at for job in ended[1:4])


async def test_a_cancelled_job_leaves_no_message(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = running.control("POST", "/posts", {"chat": private_chat, "kind": "document", "size": 40 * MIB})
    slow(running, 2)
    job = await running.ask(lucia, post["url"])
    await until(lambda: texts(lucia))
    await running.cancel(job)
    await until(lambda: gone(lucia))
    assert await running.database(queue.waiting, lucia.id) == ()


def said(running: Rig) -> int:
    """How many messages of text the bot has tried to send."""
    return int(running.control("GET", "/stats")["calls"].get("messages.sendMessage", 0))


async def under_way(running: Rig, lucia: Customer, private_chat: int, fault: dict[str, Any]) -> JobInfo:
    """A job that is slow, and whose progress has just met *fault*."""
    post = running.control("POST", "/posts", {"chat": private_chat, "kind": "document", "size": 40 * MIB})
    slow(running, 0.2)
    running.control("POST", "/faults", {"method": "messages.sendMessage", "count": 1, "account": BOT, **fault})
    before = said(running)
    job = await running.ask(lucia, post["url"])

    async def tried() -> bool:
        return said(running) > before

    await until(tried)
    return job


async def test_progress_that_meets_a_flood_wait_is_said_after_it(
    running: Rig, lucia: Customer, private_chat: int
) -> None:
    began, before = time.monotonic(), said(running)
    job = await under_way(running, lucia, private_chat, {"fault": "flood_wait", "seconds": 2})
    await until(lambda: texts(lucia))
    assert time.monotonic() - began > 7, "the wait and its margin"
    assert said(running) - before == 2
    await running.cancel(job)


@pytest.mark.parametrize("fault", [{"fault": "flood_wait", "seconds": 60}, {"fault": "delay", "seconds": 20}])
async def test_a_drain_does_not_wait_for_progress_that_is_held_up(
    running: Rig, lucia: Customer, private_chat: int, fault: dict[str, Any]
) -> None:
    job = await under_way(running, lucia, private_chat, fault)
    began = time.monotonic()
    await asyncio.wait_for(running.transfers._progress.drain(), 10)
    assert time.monotonic() - began < 3
    await running.cancel(job)
