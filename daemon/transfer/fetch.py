"""Fetching: files that only the account can read become files that the bot can send."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from pyrogram.errors import RPCError

from config.units import MIB
from daemon.database import Database
from daemon.telegram.sender import PART_BYTES
from daemon.transfer.delivery import Delivery, MediaRefused, uploaded
from daemon.transfer.errors import PartsMissing, PermanentFailure, SourceChanged, TransferError
from daemon.transfer.media.items import Item, file_name_of
from daemon.transfer.media.stored_files import StoredFile
from daemon.transfer.reader import Post
from daemon.transfer.resolver import Resolver
from daemon.transfer.run import Run, Track
from daemon.transfer.small_files import THUMBNAIL_NAME, SmallFile, first_that_works, is_small
from daemon.transfer.streaming import PIECE, Download, Stream, Upload, first_error
from models.errors import LeaseLost
from models.jobs import uploads
from models.jobs.uploads import UploadInfo

logger = logging.getLogger(__name__)

RESUMABLE_BYTES = 100 * MIB
SAVE_EVERY_S = 2.0
_PARTS_A_PIECE = PIECE // PART_BYTES


class Fetcher:
    """Streams the files of a post from the account to the bot."""

    def __init__(self, resolver: Resolver, stream: Stream, delivery: Delivery, database: Database) -> None:
        self._resolver, self._stream, self._delivery, self._database = resolver, stream, delivery, database
        self._newest_centre = stream.home

    async def fetch(self, post: Post, run: Run, track: Track) -> tuple[StoredFile, ...]:
        """Upload every file of *post*, which the account has read, to the bot: those of an album beside each other.

        The acknowledged parts of a large file are stored with the job of *run*, so that a restart resumes the upload.

        :raises SourceChanged: the post has changed meanwhile.
        """

        async def whole(item: Item) -> StoredFile:
            file = await self._item(post, item, run, track)
            return replace(file, beside=await self._beside(post, item, run))

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(whole(item)) for item in post.items]
        except BaseExceptionGroup as failures:
            raise first_error(failures) from None
        return tuple(task.result() for task in tasks)

    def warm(self) -> None:
        """Open sessions for a file that is about to be asked for, where none are open."""
        self._stream.warm(self._newest_centre)

    @contextlib.asynccontextmanager
    async def reading(self, post: Post, item: Item) -> AsyncIterator[SmallFile]:
        """Begin to read a small file. What has been read is dropped when the block ends."""
        self._newest_centre = item.data_centre
        small = SmallFile(self._stream, item, self._download(post, item), self._thumbnail_download(post, item))
        try:
            yield small
        finally:
            await small.drop()

    async def upload(self, small: SmallFile, run: Run) -> StoredFile:
        """Have Telegram store a small file that has been read, one call after the other, with retries."""
        await small.save()
        return await self._delivery.upload(run.job.chat_id, small.item, small.media())

    async def _read_and_upload(self, post: Post, item: Item, run: Run) -> StoredFile:
        async with self.reading(post, item) as small:
            await small.arrive()
            stored: StoredFile = await first_that_works(
                run.job,
                lambda: self._delivery.upload(run.job.chat_id, item, small.media(), small.call),
                lambda: self.upload(small, run),
            )
        return stored

    async def _beside(self, post: Post, item: Item, run: Run) -> tuple[tuple[str, StoredFile], ...]:
        """The files that go with *item*. One that Telegram refuses is left out, because the file matters more."""
        found = []
        for name, other in item.beside:
            try:
                track = Track(other.size)
                file = await self._transfer(post, other, Upload(other.size), run=run, track=track)
                found.append((name, file))
            except (MediaRefused, PartsMissing, PermanentFailure) as refusal:
                logger.info("beside.refused", extra={"job": run.job.id, "field": name, "reason": str(refusal)})
        return tuple(found)

    async def _item(self, post: Post, item: Item, run: Run, track: Track) -> StoredFile:
        resumable = item.size > RESUMABLE_BYTES and len(post.items) == 1
        for first in (True, False):
            upload = await self._begin(item, run) if resumable else Upload(item.size)
            track.moved = track.resumed = len(upload.done) * PIECE if resumable else track.moved
            try:
                async with self._saved(upload, item, run) if resumable else contextlib.nullcontext():
                    return await self._transfer(post, item, upload, run=run, track=track)
            except PartsMissing as error:
                logger.warning(
                    "upload.restarted", extra={"job": run.job.id, "user": run.job.user_id, "reason": str(error)}
                )
                await self._database(uploads.drop, run.job.id)
                if not first:
                    raise
        raise AssertionError("unreachable")

    async def _transfer(self, post: Post, item: Item, upload: Upload, *, run: Run, track: Track) -> StoredFile:
        if is_small(item):
            stored = await self._read_and_upload(post, item, run)
            track.advance(item.size)
            return stored
        thumbnail = asyncio.create_task(self._thumbnail(post, item))
        try:
            file = await self._stream.copy(self._download(post, item), upload, file_name_of(item), track.advance)
            return await self._delivery.upload(run.job.chat_id, item, uploaded(item, file, await thumbnail))
        finally:
            thumbnail.cancel()

    def _download(self, post: Post, item: Item) -> Download:
        async def refresh() -> Any:
            return (await self._reread(post, item)).location

        return Download(item.location, item.size, item.data_centre, refresh)

    def _thumbnail_download(self, post: Post, item: Item) -> Download | None:
        thumbnail = item.thumbnail
        if thumbnail is None:
            return None

        async def refresh() -> Any:
            fresh = (await self._reread(post, item)).thumbnail
            if fresh is None:
                raise SourceChanged("the thumbnail is gone")
            return fresh.location

        return Download(thumbnail.location, thumbnail.size, item.data_centre, refresh)

    async def _thumbnail(self, post: Post, item: Item) -> Any:
        """The thumbnail as an input file; None where it cannot be had, because the file matters more."""
        download = self._thumbnail_download(post, item)
        if download is None:
            return None
        try:
            return await self._stream.copy(download, Upload(download.size), THUMBNAIL_NAME)
        except (RPCError, TransferError) as error:
            logger.info("thumbnail.failed", extra={"reason": str(error)})
            return None

    async def _reread(self, post: Post, item: Item) -> Item:
        """The same file with a fresh location, from its post read again."""
        fresh = await self._resolver.reread(post)
        every = [*fresh.items, *(other for each in fresh.items for _, other in each.beside)]
        same = next((other for other in every if other.media_id == item.media_id), None)
        if same is None:
            raise SourceChanged("the post holds another file now")
        return same

    async def _begin(self, item: Item, run: Run) -> Upload:
        kept = await self._database(uploads.of, run.job.id, item.media_id)
        if kept is None or kept.part_bytes != PART_BYTES:
            return Upload(item.size)
        upload = Upload(item.size, kept.file_id)
        for piece in range(upload.pieces):
            first = piece * _PARTS_A_PIECE
            if all(kept.has(part) for part in range(first, min(first + _PARTS_A_PIECE, upload.parts))):
                upload.done.add(piece)
        return upload

    @contextlib.asynccontextmanager
    async def _saved(self, upload: Upload, item: Item, run: Run) -> AsyncIterator[None]:
        """Save the acknowledged parts every two seconds, and once more at the end, also after an error."""
        keeper = asyncio.create_task(self._keep_saving(upload, item, run))
        try:
            yield
        finally:
            keeper.cancel()
            await self._save(upload, item, run)

    async def _keep_saving(self, upload: Upload, item: Item, run: Run) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            await self._save(upload, item, run)

    async def _save(self, upload: Upload, item: Item, run: Run) -> None:
        info = UploadInfo(
            document_id=item.media_id,
            file_id=upload.file_id,
            part_bytes=PART_BYTES,
            parts_total=upload.parts,
            parts=_bits(upload),
        )
        with contextlib.suppress(LeaseLost):  # the fetch goes on for others after this job was cancelled
            await self._database(uploads.save, run.job.id, str(run.job.owner), info, int(time.time()))


def _bits(upload: Upload) -> bytes:
    """One bit for each part. The lowest bit of the first byte is part 0."""
    bits = bytearray(-(-upload.parts // 8))
    for piece in upload.done:
        for part in range(piece * _PARTS_A_PIECE, min((piece + 1) * _PARTS_A_PIECE, upload.parts)):
            bits[part // 8] |= 1 << part % 8
    return bytes(bits)
