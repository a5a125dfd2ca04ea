"""The pipe: bytes flow from the account that may read a file to the bot that sends it, and never touch the disk.

Pieces of 1 MiB are read and written at the same time, as many at once as the two lanes bear; one budget of bytes
bounds what all pipes together hold in memory.
"""

import asyncio
import contextlib
import hashlib
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pyrogram import raw
from pyrogram.errors import (
    BadRequest,
    FileMigrate,
    FileReferenceEmpty,
    FileReferenceExpired,
    FileReferenceInvalid,
)
from pyrogram.raw.core import Int, Long, TLObject

from daemon.transfer.datacentres.pool import DataCentrePool, DataCentrePools
from daemon.transfer.errors import PartsLost, RetryLater, SourceChanged

PIECE = 1 << 20  # one read: upload.getFile never crosses a boundary of 1 MiB
PART = 512 << 10  # one write
SMALL = 10 << 20  # up to here upload.saveFilePart and a checksum

RENEWALS = 3
"""How often a location is renewed before one of them must have been good for a piece."""
REFUSED_S = 15.0

_STALE = (FileReferenceExpired, FileReferenceInvalid, FileReferenceEmpty)


class Budget:
    """Bytes that may be in memory at once, for all pipes together. First come, first served."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @contextlib.asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Hold *size* bytes of it; a piece larger than the whole budget waits for all of it."""
        size = min(size, self._size)
        if self._waiting or size > self._free:
            await self._queue(size)
        else:
            self._free -= size
        try:
            yield
        finally:
            self._give_back(size)

    async def _queue(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(size)
            raise

    def _give_back(self, size: int) -> None:
        self._free += size
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free):
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)


@dataclass
class Upload:
    """A file on its way up to the bot: its number there and the pieces that the server has acknowledged."""

    size: int
    file_id: int = field(default_factory=lambda: secrets.randbits(63))
    done: set[int] = field(default_factory=set)

    @property
    def parts(self) -> int:
        """How many parts the server counts."""
        return -(-self.size // PART)

    @property
    def pieces(self) -> int:
        """How many reads make the file."""
        return -(-self.size // PIECE)


@dataclass
class Download:
    """Where a file is read. ``refresh`` reads its post again and returns a fresh location of the same file.

    It raises :class:`SourceChanged` when the post holds another file now, or none.
    """

    location: Any
    size: int
    data_centre: int
    refresh: Callable[[], Awaitable[Any]]
    _renewals: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def renew(self, stale: Any) -> None:
        """Have a location newer than *stale*; readers that found it stale together refresh once.

        :raises PutBack: Telegram refuses the fresh ones too.
        """
        async with self._lock:
            if self.location is not stale:
                return
            if self._renewals >= RENEWALS:
                raise RetryLater(REFUSED_S, "fresh file references are refused", counts=True)
            self._renewals += 1
            self.location = await self.refresh()

    def succeeded(self, location: Any) -> None:
        """Know that a piece was read by *location*. One read by an older one says nothing of the newest."""
        if location is self.location:
            self._renewals = 0


class Stream:
    """Copies files from the lanes of one client to those of another."""

    def __init__(self, source: DataCentrePools, target: DataCentrePools, target_centre: int, budget: Budget) -> None:
        self._source, self._target, self._target_centre, self._budget = source, target, target_centre, budget
        self._shares: dict[int, Budget] = {}

    async def copy(
        self, download: Download, upload: Upload, name: str, moved: Callable[[int], None] = lambda size: None
    ) -> Any:
        """Copy the pieces that *upload* misses and return the input file for ``messages.UploadMedia``.

        *moved* hears the size of each piece once the server has acknowledged it.

        :raises SourceChanged: the post is no longer what it was.
        :raises PutBack: the job should wait.
        :raises RPCError: Telegram refused.
        """
        checksum = _Checksum() if upload.size <= SMALL else None
        missing = iter([index for index in range(upload.pieces) if checksum or index not in upload.done])
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._breadth(download, upload)):
                    group.create_task(self._run(missing, download, upload, checksum, moved))
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        if checksum is None:
            return raw.types.InputFileBig(id=upload.file_id, parts=upload.parts, name=name)
        return raw.types.InputFile(id=upload.file_id, parts=upload.parts, name=name, md5_checksum=checksum.hexdigest())

    def _breadth(self, download: Download, upload: Upload) -> int:
        """How many pieces of one file are under way: enough to fill both windows at their widest, no more."""
        return min(upload.pieces, self._widest(download.data_centre))

    def _widest(self, data_centre: int) -> int:
        source, target = self._source.to(data_centre), self._target.to(self._target_centre)
        return source.calls_high + target.calls_high // 2

    def _share(self, data_centre: int) -> Budget:
        """What all files of a data centre hold together: what its windows can use, as one file alone.

        Pieces hold their bytes while a server that says nothing is asked again and again: those of more files would
        only take the room of the data centres that answer.
        """
        if data_centre not in self._shares:
            self._shares[data_centre] = Budget(self._widest(data_centre) * PIECE)
        return self._shares[data_centre]

    async def _run(
        self,
        missing: Any,
        download: Download,
        upload: Upload,
        checksum: "_Checksum | None",
        moved: Callable[[int], None],
    ) -> None:
        for index in missing:
            size = min(PIECE, download.size - index * PIECE)
            async with self._share(download.data_centre).hold(size), self._budget.hold(size):
                await self._carry(index, size, download, upload, checksum)
            upload.done.add(index)
            moved(size)

    async def _carry(
        self, index: int, size: int, download: Download, upload: Upload, checksum: "_Checksum | None"
    ) -> None:
        """Read one piece and write it. Its bytes are gone when this returns: the budget counts on it."""
        data = await self._read(download, index * PIECE, size)
        if checksum:
            checksum.add(index, data)
        await self._write(upload, index, data)

    async def _read(self, download: Download, offset: int, size: int) -> memoryview:
        while True:
            lane, location = self._source.to(download.data_centre), download.location
            query = raw.functions.upload.GetFile(location=location, offset=offset, limit=PIECE)
            try:
                file = await lane.request(raw.functions.upload.GetFile, [query.write()], size)
            except FileMigrate as error:
                download.data_centre = int(error.value or 0)
            except _STALE:
                await download.renew(location)
            else:
                download.succeeded(location)
                if len(file.bytes) != size:
                    raise SourceChanged(f"{len(file.bytes)} bytes at {offset} where {size} should be")
                data: memoryview = file.bytes
                return data

    async def _write(self, upload: Upload, index: int, data: memoryview) -> None:
        lane = self._target.to(self._target_centre)
        first = index * (PIECE // PART)
        async with asyncio.TaskGroup() as group:
            for at in range(0, len(data), PART):
                group.create_task(_save(lane, upload, first + at // PART, data[at : at + PART]))


async def _save(lane: DataCentrePool, upload: Upload, part: int, data: memoryview) -> None:
    method, head = _head(upload, part)
    head += b"\xfe" + len(data).to_bytes(3, "little") if len(data) > 253 else bytes([len(data)])
    prefix = 4 if len(data) > 253 else 1
    try:
        saved = await lane.request(method, [head, data, bytes(-(prefix + len(data)) % 4)], len(data))
    except BadRequest as error:
        raise (PartsLost(str(error)) if (error.ID or "").startswith("FILE_PART") else error) from None
    if not saved:
        raise PartsLost(f"part {part} was not kept")


def _head(upload: Upload, part: int) -> tuple[type[TLObject[Any]], bytes]:
    """The call that saves a part, serialised up to its bytes, which follow without being copied here."""
    save: type[TLObject[Any]]
    if upload.size <= SMALL:
        save = raw.functions.upload.SaveFilePart
        return save, bytes(Int(save.ID, False) + Long(upload.file_id) + Int(part))
    save = raw.functions.upload.SaveBigFilePart
    return save, bytes(Int(save.ID, False) + Long(upload.file_id) + Int(part) + Int(upload.parts))


class _Checksum:
    """MD5 over pieces that arrive in any order; the early ones wait, which the size of a small file bounds."""

    def __init__(self) -> None:
        self._digest = hashlib.md5(usedforsecurity=False)
        self._early: dict[int, memoryview] = {}
        self._next = 0

    def add(self, index: int, data: memoryview) -> None:
        self._early[index] = data
        while (following := self._early.pop(self._next, None)) is not None:
            self._digest.update(following)
            self._next += 1

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that ended a group; what it cancelled counts only when there is nothing else."""
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
