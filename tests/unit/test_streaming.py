"""What the files that are under way hold in memory, and how they share it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from pyrogram import raw

from daemon.transfer.datacentres.sessions import Chunk
from daemon.transfer.errors import AccountAway, FloodWaitTooLong, PartsMissing, SourceChanged, TransferError
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


def copy(streaming: Stream, data_centre: int, pieces: int = 64) -> "asyncio.Task[Any]":
    async def refresh() -> None:
        raise AssertionError("no location was stale")

    location = raw.types.InputDocumentFileLocation(id=1, access_hash=1, file_reference=b"", thumb_size="")
    size = pieces * PIECE
    return asyncio.create_task(streaming.copy(Download(location, size, data_centre, refresh), Upload(size), "file"))


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
