"""What the files that are under way hold in memory, and how they share it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from pyrogram import raw

from daemon.transfer.datacentres.sessions import Chunk
from daemon.transfer.errors import AccountAway, FloodWaitTooLong, PartsMissing, SourceChanged, TransferError
from daemon.transfer.small_files import SmallFile
from daemon.transfer.streaming import PIECE, Budget, Download, Stream, Upload

HOME, SILENT = 2, 4
BUDGET = 40  # pieces
READS, WRITES = 16, 32
WIDEST = READS + WRITES // 2


class Pool:
    """Answers at once or never, and counts the calls that wait."""

    def __init__(self, calls_high: int, *, answers: bool = True, short: int = 0) -> None:
        self.calls_high = calls_high
        self._short = short
        self.waiting = 0
        self._answers = answers

    async def request(self, method: Any, body: Sequence[Any], size: int) -> Any:
        if not self._answers:
            self.waiting += 1
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return Chunk(memoryview(bytes(size - self._short))) if method is raw.functions.upload.GetFile else True


class Pools:
    def __init__(self, **pools: Pool) -> None:
        self._pools = pools

    def to(self, data_centre: int) -> Pool:
        return self._pools[f"dc{data_centre}"]


def stream(silent: Pool) -> Any:
    source: Any = Pools(dc2=Pool(READS), dc4=silent)
    target: Any = Pools(dc2=Pool(WRITES))
    return Stream(source, target, HOME, Budget(BUDGET * PIECE))


def download(data_centre: int, size: int) -> Download:
    async def refresh() -> None:
        raise AssertionError("no location was stale")

    location = raw.types.InputDocumentFileLocation(id=1, access_hash=1, file_reference=b"", thumb_size="")
    return Download(location, size, data_centre, refresh)


def copy(streaming: Stream, data_centre: int, pieces: int = 64) -> "asyncio.Task[Any]":
    size = pieces * PIECE
    return asyncio.create_task(streaming.copy(download(data_centre, size), Upload(size), "file"))


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_silent_data_centre_leaves_room_for_others() -> None:
    # Given files of a data centre that answers nothing, which could use more memory than there is
    silent = Pool(READS, answers=False)
    streaming = stream(silent)
    stuck = [copy(streaming, SILENT) for _ in range(3)]
    await asyncio.sleep(0.05)
    # Then a file of another comes at once
    await asyncio.wait_for(copy(streaming, HOME), 5)
    await ended(*stuck)


async def test_a_file_alone_fills_both_windows() -> None:
    silent = Pool(READS, answers=False)
    alone = copy(stream(silent), SILENT)
    await asyncio.sleep(0.05)
    assert silent.waiting == WIDEST
    await ended(alone)


@pytest.mark.parametrize("missing", [1, PIECE])
async def test_a_file_with_less_in_it_is_not_delivered(missing: int) -> None:
    with pytest.RaisesGroup(SourceChanged, flatten_subgroups=True, allow_unwrapped=True):
        await copy(stream(Pool(READS, short=missing)), SILENT, pieces=1)


@pytest.mark.parametrize("error", [FloodWaitTooLong(60), AccountAway(), PartsMissing("a part was not kept")])
async def test_a_small_file_is_refused_as_a_large_one_is(error: TransferError) -> None:
    class Refusing(Pool):
        async def request(self, method: Any, body: Sequence[Any], size: int) -> Any:
            raise error

    refusing: Any = Pools(dc2=Refusing(WRITES))
    streaming = Stream(refusing, refusing, HOME, Budget(BUDGET * PIECE))
    with pytest.raises(type(error)):
        await streaming.save(Upload(PIECE), memoryview(bytes(PIECE)))


@pytest.mark.parametrize("answers", [True, False])
async def test_a_small_file_gives_its_memory_back_in_any_case(answers: bool) -> None:
    # Given a small file that has been read, or never will be, and takes all the memory there is
    pools: Any = Pools(dc2=Pool(READS, answers=answers))
    budget = Budget(PIECE)
    item: Any = None
    small = SmallFile(Stream(pools, pools, HOME, budget), item, download(HOME, PIECE), None)
    arriving = asyncio.create_task(small.arrive())
    await asyncio.wait([arriving], timeout=0.05)
    # When the job is cancelled while it drops the file
    dropping = asyncio.create_task(small.drop())
    await asyncio.sleep(0)
    await ended(dropping, arriving)
    # Then others have its memory
    async with asyncio.timeout(5), budget.hold(PIECE):
        pass


# The budget itself


class Holder:
    """Whoever holds some of a budget until they are told to give it back."""

    def __init__(self, budget: Budget, size: int) -> None:
        self.holds, self._done = False, asyncio.Event()
        self.task = asyncio.create_task(self._hold(budget, size))

    async def _hold(self, budget: Budget, size: int) -> None:
        async with budget.hold(size):
            self.holds = True
            await self._done.wait()

    async def give_back(self) -> None:
        self._done.set()
        await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def holders(budget: Budget, *sizes: int) -> list[Holder]:
    found = [Holder(budget, size) for size in sizes]
    await settled()
    return found


def held(found: list[Holder]) -> list[int]:
    """Which of them hold what they wanted, or held it."""
    return [number for number, each in enumerate(found) if each.holds]


async def test_a_budget_is_shared_in_the_order_of_asking() -> None:
    budget = Budget(10)
    found = await holders(budget, 5, 4, 7, 1)
    assert held(found) == [0, 1], "who wants little waits behind who wants much"
    await found[1].give_back()
    assert held(found) == [0, 1]
    await found[0].give_back()
    assert held(found) == [0, 1, 2, 3]
    await ended(*(each.task for each in found))
    (whole,) = await holders(budget, 10)
    assert whole.holds, "all came back"
    await ended(whole.task)


async def test_whoever_wants_more_than_there_is_gets_all() -> None:
    found = await holders(Budget(10), 99, 1)
    assert held(found) == [0]
    await found[0].give_back()
    assert held(found) == [0, 1]
    await ended(found[1].task)


async def test_whoever_gives_up_waiting_takes_nothing() -> None:
    budget = Budget(10)
    found = await holders(budget, 10, 8, 2)
    found[1].task.cancel()
    await settled()
    assert held(found) == [0]
    await found[0].give_back()
    assert held(found) == [0, 2]
    (rest,) = await holders(budget, 8)
    (more,) = await holders(budget, 1)
    assert rest.holds and not more.holds
    await ended(found[2].task, rest.task, more.task)


async def test_whoever_gives_up_when_it_is_theirs_gives_it_back() -> None:
    budget, done = Budget(10), asyncio.Event()

    async def first() -> None:
        async with budget.hold(10):
            await done.wait()
        second.task.cancel()  # it is theirs by now, and they have not heard so

    leading = asyncio.create_task(first())
    await settled()
    second, third = await holders(budget, 10, 10)
    done.set()
    await settled()
    assert not second.holds and third.holds
    await ended(leading, second.task, third.task)
