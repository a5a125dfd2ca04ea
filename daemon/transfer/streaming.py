"""Streams files from the account that may read them to the bot that sends them, without touching the disk.

Pieces of 1 MiB are read and written at the same time, as many at once as the two pools take. One memory budget bounds
what all streams together have in memory. See https://core.telegram.org/api/files.
"""

import asyncio
import contextlib
import hashlib
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
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

from config.units import MIB
from daemon.telegram.sender import PART_BYTES, SMALL_BYTES
from daemon.transfer.datacentres.pool import DataCentrePool, DataCentrePools
from daemon.transfer.datacentres.sessions import Buffers, Chunk
from daemon.transfer.errors import PartsMissing, PermanentFailure, RetryLater, SourceChanged
from models.jobs.reasons import RefusalReason

logger = logging.getLogger(__name__)

PIECE = MIB  # one upload.getFile, which must not cross a boundary of 1 MiB

MAX_REFRESHES = 3
"""How often a location is refreshed in a row without reading a piece."""
REFUSED_S = 15.0

_STALE = (FileReferenceExpired, FileReferenceInvalid, FileReferenceEmpty)


class Budget:
    """Bytes that all streams together may have in memory. First come, first served."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @contextlib.asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Take *size* bytes of the budget; a larger piece than the whole budget takes all of it."""
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
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, granted))
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self._give_back(size)
            raise

    def _give_back(self, size: int) -> None:
        self._free += size
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free):
            wanted, granted = self._waiting.popleft()
            if not granted.done():
                self._free -= wanted
                granted.set_result(None)


@dataclass
class Upload:
    """A file being uploaded: its file id and the pieces that the server has acknowledged."""

    size: int
    file_id: int = field(default_factory=lambda: secrets.randbits(63))
    done: set[int] = field(default_factory=set)

    @property
    def parts(self) -> int:
        """How many parts the upload has."""
        return -(-self.size // PART_BYTES)

    @property
    def pieces(self) -> int:
        """How many pieces the download has."""
        return -(-self.size // PIECE)


@dataclass
class Download:
    """A file being downloaded. ``refresh`` reads its post again and returns a fresh location of the same file.

    It raises :class:`SourceChanged` when the post has another file now, or none.
    """

    location: Any
    size: int
    data_centre: int
    refresh: Callable[[], Awaitable[Any]]
    _refreshes: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refresh_location(self, stale: Any) -> None:
        """Have a newer location than *stale*. Readers that found it stale at the same time refresh once.

        :raises RetryLater: Telegram refuses the fresh locations too.
        """
        async with self._lock:
            if self.location is not stale:
                return
            if self._refreshes >= MAX_REFRESHES:
                raise RetryLater(REFUSED_S, "fresh file references are refused", counts=True)
            self._refreshes += 1
            self.location = await self.refresh()

    def succeeded(self, location: Any) -> None:
        """Note that a piece was read from *location*. A read from an older one says nothing about the newest."""
        if location is self.location:
            self._refreshes = 0


class Stream:
    """Copies files from one client's data centres to another's."""

    def __init__(self, source: DataCentrePools, target: DataCentrePools, target_centre: int, budget: Budget) -> None:
        self._source, self._target, self.home, self._budget = source, target, target_centre, budget
        self._shares: dict[int, Budget] = {}

    async def copy(
        self, download: Download, upload: Upload, name: str, moved: Callable[[int], None] = lambda size: None
    ) -> Any:
        """Copy the pieces that *upload* lacks and return the input file for ``messages.uploadMedia``.

        *moved* is called with the size of each piece that the server has acknowledged.

        :raises SourceChanged: the post has changed meanwhile.
        :raises RetryLater: the job must wait.
        :raises RPCError: Telegram refused.
        """
        checksum = _Checksum() if upload.size <= SMALL_BYTES else None
        missing = iter([index for index in range(upload.pieces) if checksum or index not in upload.done])
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._concurrency(download, upload)):
                    group.create_task(self._run(missing, download, upload, checksum=checksum, moved=moved))
        except BaseExceptionGroup as failures:
            raise first_error(failures) from None
        if checksum is None:
            return raw.types.InputFileBig(id=upload.file_id, parts=upload.parts, name=name)
        return raw.types.InputFile(id=upload.file_id, parts=upload.parts, name=name, md5_checksum=checksum.hexdigest())

    @contextlib.asynccontextmanager
    async def held(self, *downloads: Download) -> AsyncIterator[list[memoryview | BaseException]]:
        """Read files of one piece: the bytes of each, or why there are none.

        They count in the budgets together until the block ends: who held some and waited for others could wait forever.
        """
        size = sum(each.size for each in downloads)
        async with self._share(downloads[0].data_centre).hold(size), self._budget.hold(size):
            yield await asyncio.gather(*(self._read(each, 0, each.size) for each in downloads), return_exceptions=True)

    async def save(self, upload: Upload, data: memoryview) -> None:
        """Save a file of one piece, with retries. Raises as :meth:`copy`."""
        try:
            await self._write(upload, 0, data)
        except BaseExceptionGroup as failures:
            raise first_error(failures) from None

    async def save_and_call(self, files: Sequence[tuple[Upload, memoryview]], query: "TLObject[Any]") -> Any:
        """Save files of one piece and make the call that names them, in one flight. No retries.

        Raises as :meth:`DataCentrePool.request_after`.
        """
        parts = [body for upload, data in files for _, body in _parts(upload, 0, data)]
        size = sum(upload.size for upload, _ in files)
        return await self._target.to(self.home).request_after(parts, type(query), [query.write()], size)

    def warm(self, data_centre: int) -> None:
        """Open sessions for a file that is about to be copied, where none are open."""
        self._source.to(data_centre).warm()
        self._target.to(self.home).warm()

    def _concurrency(self, download: Download, upload: Upload) -> int:
        """How many pieces of one file are under way: enough to fill both windows at their widest, no more."""
        return min(upload.pieces, self._max_pieces(download.data_centre))

    def _max_pieces(self, data_centre: int) -> int:
        source, target = self._source.to(data_centre), self._target.to(self.home)
        return source.calls_high + target.calls_high // 2

    def _share(self, data_centre: int) -> Budget:
        """The budget of all files of one data centre together: as much as its windows can use.

        Pieces keep their bytes while calls to a server that does not answer are retried. Without this budget they
        would take the memory of the data centres that answer.
        """
        if data_centre not in self._shares:
            self._shares[data_centre] = Budget(self._max_pieces(data_centre) * PIECE)
        return self._shares[data_centre]

    async def _run(
        self,
        missing: Any,
        download: Download,
        upload: Upload,
        *,
        checksum: "_Checksum | None",
        moved: Callable[[int], None],
    ) -> None:
        for index in missing:
            size = min(PIECE, download.size - index * PIECE)
            async with self._share(download.data_centre).hold(size), self._budget.hold(size):
                await self._copy_piece(index, size, download, upload, checksum=checksum)
            upload.done.add(index)
            moved(size)

    async def _copy_piece(
        self, index: int, size: int, download: Download, upload: Upload, *, checksum: "_Checksum | None"
    ) -> None:
        """Read one piece and write it. Its bytes are freed when this returns: the budget relies on it."""
        data = await self._read(download, index * PIECE, size)
        if checksum:
            checksum.add(index, data)
        await self._write(upload, index, data)

    async def _read(self, download: Download, offset: int, size: int) -> memoryview:
        while True:
            pool, location = self._source.to(download.data_centre), download.location
            query = raw.functions.upload.GetFile(location=location, offset=offset, limit=PIECE)
            try:
                file = await pool.request(raw.functions.upload.GetFile, [query.write()], size)
            except FileMigrate as error:
                download.data_centre = int(error.value or 0)
            except _STALE:
                await download.refresh_location(location)
            else:
                if not isinstance(file, Chunk | raw.types.upload.File):  # the latter, where the server has packed it
                    logger.warning("file.elsewhere", extra={"answer": type(file).__name__})
                    raise PermanentFailure(RefusalReason.FILE_REFUSED)  # in a delivery network, which bots do not reach
                download.succeeded(location)
                if len(file.bytes) != size:
                    raise SourceChanged(f"{len(file.bytes)} bytes at {offset} where {size} should be")
                return memoryview(file.bytes)

    async def _write(self, upload: Upload, index: int, data: memoryview) -> None:
        pool = self._target.to(self.home)
        async with asyncio.TaskGroup() as group:
            for method, body in _parts(upload, index, data):
                group.create_task(_save(pool, method, body))


async def _save(pool: DataCentrePool, method: type[TLObject[Any]], body: Buffers) -> None:
    try:
        saved = await pool.request(method, body, len(body[1]))
    except BadRequest as error:
        raise (PartsMissing(str(error)) if (error.ID or "").startswith("FILE_PART") else error) from None
    if not saved:
        raise PartsMissing("a part was not kept")


def _parts(upload: Upload, index: int, data: memoryview) -> Iterator[tuple[type[TLObject[Any]], Buffers]]:
    """The calls that save a piece: what each is, and its serialised form, in which the bytes stand second."""
    first = index * (PIECE // PART_BYTES)
    for at in range(0, len(data), PART_BYTES):
        method, head = _head(upload, first + at // PART_BYTES)
        part = data[at : at + PART_BYTES]
        head += b"\xfe" + len(part).to_bytes(3, "little") if len(part) > 253 else bytes([len(part)])
        prefix = 4 if len(part) > 253 else 1
        yield method, [head, part, bytes(-(prefix + len(part)) % 4)]


def _head(upload: Upload, part: int) -> tuple[type[TLObject[Any]], bytes]:
    """The call that saves a part, serialised up to the part's bytes, which are not copied here."""
    save: type[TLObject[Any]]
    if upload.size <= SMALL_BYTES:
        save = raw.functions.upload.SaveFilePart
        return save, bytes(Int(save.ID, False) + Long(upload.file_id) + Int(part))
    save = raw.functions.upload.SaveBigFilePart
    return save, bytes(Int(save.ID, False) + Long(upload.file_id) + Int(part) + Int(upload.parts))


class _Checksum:
    """MD5 over pieces that arrive in any order. Early pieces wait in memory, which the size of a small file bounds."""

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


def first_error(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended a task group."""
    first = failures.exceptions[0]
    return first_error(first) if isinstance(first, BaseExceptionGroup) else first
