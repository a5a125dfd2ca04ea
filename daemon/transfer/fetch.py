"""Fetching: files that only the account can read become files that the bot can send."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from pyrogram import raw
from pyrogram.errors import RPCError

from config.units import MIB
from daemon.database import Database
from daemon.telegram.sender import PART_BYTES
from daemon.transfer.delivery import Delivery, MediaRefused
from daemon.transfer.errors import PartsMissing, PermanentFailure, SourceChanged, TransferError
from daemon.transfer.media.items import Item
from daemon.transfer.media.stored_files import StoredFile
from daemon.transfer.reader import Post
from daemon.transfer.resolver import Resolver
from daemon.transfer.run import Run, Track
from daemon.transfer.streaming import PIECE, Download, Stream, Upload
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

    async def fetch(self, post: Post, run: Run, track: Track) -> tuple[StoredFile, ...]:
        """Upload every file of *post*, which the account has read, to the bot.

        The acknowledged parts of a large file are stored with the job of *run*, so that a restart resumes the upload.

        :raises SourceChanged: the post has changed meanwhile.
        """
        stored = []
        for item in post.items:
            file = await self._item(post, item, run, track)
            stored.append(replace(file, beside=await self._beside(post, item, run)))
        return tuple(stored)

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
        async def refresh() -> Any:
            return (await self._reread(post, item)).location

        download = Download(item.location, item.size, item.data_centre, refresh)
        thumbnail = asyncio.create_task(self._thumbnail(post, item))
        try:
            file = await self._stream.copy(download, upload, _file_name(item), track.advance)
            return await self._delivery.upload(run.job.chat_id, item, file, await thumbnail)
        finally:
            thumbnail.cancel()

    async def _thumbnail(self, post: Post, item: Item) -> Any:
        """The thumbnail as an input file; None where it cannot be had, because the file matters more."""
        thumbnail = item.thumbnail
        if thumbnail is None:
            return None

        async def refresh() -> Any:
            fresh = (await self._reread(post, item)).thumbnail
            if fresh is None:
                raise SourceChanged("the thumbnail is gone")
            return fresh.location

        download = Download(thumbnail.location, thumbnail.size, item.data_centre, refresh)
        try:
            return await self._stream.copy(download, Upload(thumbnail.size), "thumb.jpg")
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


def _file_name(item: Item) -> str:
    if item.kind == "photo" and not hasattr(item.media, "document"):
        return "photo.jpg"
    for attribute in item.media.document.attributes:
        if isinstance(attribute, raw.types.DocumentAttributeFilename):
            return str(attribute.file_name)
    return ""
