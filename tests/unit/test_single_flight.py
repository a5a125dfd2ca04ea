"""Fetches that several wait for."""

import asyncio

import pytest

from daemon.transfer.media.stored_files import StoredFile
from daemon.transfer.single_flight import SingleFlight


class Fetch:
    """A fetch that ends when told to, and counts how often it was begun and ended."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.result: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> str:
        self.begun += 1
        try:
            return await asyncio.shield(self.result)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_want_the_same_wait_for_one_fetch() -> None:
    fetches, fetch = SingleFlight(), Fetch()
    waiters = [asyncio.create_task(fetches.join("post", fetch)) for _ in range(10)]
    await settled()
    assert fetches.is_under_way("post")
    fetch.result.set_result("file")
    assert await asyncio.gather(*waiters) == ["file"] * 10
    assert fetch.begun == 1
    assert not fetches.is_under_way("post")


async def test_a_flight_ends_when_the_last_caller_leaves() -> None:
    fetches, fetch = SingleFlight(), Fetch()
    leader, follower = (asyncio.create_task(fetches.join("post", fetch)) for _ in range(2))
    await settled()
    leader.cancel()
    await settled()
    assert (fetch.cancelled, fetches.is_under_way("post")) == (0, True)
    follower.cancel()
    await settled()
    assert (fetch.cancelled, fetches.is_under_way("post")) == (1, False)


async def test_a_failure_is_everybodys_and_is_not_kept() -> None:
    fetches, fetch, again = SingleFlight(), Fetch(), Fetch()
    waiters = [asyncio.create_task(fetches.join("post", fetch)) for _ in range(2)]
    await settled()
    fetch.result.set_exception(ConnectionError("gone"))
    for waiter in waiters:
        with pytest.raises(ConnectionError):
            await waiter
    again.result.set_result("file")
    assert await fetches.join("post", again) == "file"


def test_a_stored_file_survives_the_database() -> None:
    stored = StoredFile("document", 5, -6, b"\x00\xff")
    assert StoredFile.read(stored.row()) == stored
