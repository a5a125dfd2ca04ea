"""Small files, which most links lead to: read at once, and uploaded in one flight with the call that names them.

A small file costs round trips, not bytes. So its one piece is kept in memory, and its parts leave together with
``messages.sendMedia`` or ``messages.uploadMedia``, which Telegram carries out once they are saved. Whatever goes wrong
in that flight, the parts are saved again and the call is made after them, each with its own retries.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from pyrogram import raw
from pyrogram.errors import RPCError
from pyrogram.raw.core import TLObject

from daemon.transfer.datacentres.sessions import NotCarriedOut
from daemon.transfer.delivery import ReferenceExpired, uploaded
from daemon.transfer.errors import Abandoned, RecipientRestricted, RecipientUnreachable, TransferError
from daemon.transfer.media import carried
from daemon.transfer.media.items import Item, file_name_of, name_of
from daemon.transfer.streaming import PIECE, Download, Stream, Upload
from models.jobs.states import JobInfo

logger = logging.getLogger(__name__)

FINAL = (Abandoned, RecipientRestricted, RecipientUnreachable)
"""What no other way of uploading changes."""
FLIGHT_ERRORS = (NotCarriedOut, ReferenceExpired, RPCError, OSError, TransferError)
"""How a flight fails. After an ``OSError`` it is not known whether its last call was carried out."""

THUMBNAIL_NAME = "thumb.jpg"
_CUSTOMERS_MAY_REFUSE = ("voice", "video_note")


def is_small(item: Item) -> bool:
    """Whether the file is a single piece."""
    return item.size <= PIECE


def may_go_at_once(item: Item) -> bool:
    """Whether the message itself may be the call that names the file.

    Not where other files go with it, nor where its customer's settings may refuse it: it would be lost to others.
    """
    return is_small(item) and not item.beside and name_of(item) not in _CUSTOMERS_MAY_REFUSE


class SmallFile:
    """A file of one piece and its thumbnail, being read from the moment at which this is made until :meth:`drop`."""

    def __init__(self, stream: Stream, item: Item, main: Download, thumbnail: Download | None) -> None:
        self.item = item
        self._stream = stream
        self._held = contextlib.AsyncExitStack()
        downloads = (main,) if thumbnail is None else (main, thumbnail)
        self._read = asyncio.create_task(self._held.enter_async_context(stream.held(*downloads)))
        self._files: list[tuple[Upload, memoryview]] = []

    async def arrive(self) -> None:
        """Wait until it has been read. A thumbnail that cannot be read is left out, because the file matters more.

        :raises Abandoned: it was dropped meanwhile.

        Otherwise raises as :meth:`Stream.copy`.
        """
        await asyncio.wait({self._read})
        if self._read.cancelled():
            raise Abandoned
        main, *thumbnails = self._read.result()
        if isinstance(main, BaseException):
            raise main
        for failed in (each for each in thumbnails if isinstance(each, BaseException)):
            logger.info("thumbnail.failed", extra={"reason": repr(failed)})
        read = [main, *(each for each in thumbnails if not isinstance(each, BaseException))]
        self._files = [(Upload(len(data)), data) for data in read]

    def media(self) -> Any:
        """What names the file in a call, with what its message says of it.

        :raises Abandoned: it was dropped meanwhile.
        """
        files = [
            raw.types.InputFile(id=upload.file_id, parts=upload.parts, name=name, md5_checksum=_md5(data))
            for (upload, data), name in zip(self._files, (file_name_of(self.item), THUMBNAIL_NAME), strict=False)
        ]
        if not files:
            raise Abandoned
        return uploaded(self.item, *files, **self._settings())

    async def call(self, query: "TLObject[Any]") -> Any:
        """Upload the file in one flight with a call that names it. Raises :data:`FLIGHT_ERRORS`."""
        return await self._stream.save_and_call(self._files, query)

    async def save(self) -> None:
        """Upload the file with retries, under another id: what became of the parts of a flight is not known."""
        self._files = [(Upload(len(data)), data) for _, data in self._files]
        for upload, data in self._files:
            await self._stream.save(upload, data)

    async def drop(self) -> None:
        """Forget what has been read, or stop reading. Its bytes are given back, also where the caller is cancelled."""
        self._files = []
        self._read.cancel()
        try:
            await asyncio.gather(self._read, return_exceptions=True)
        finally:
            await self._held.aclose()

    def _settings(self) -> dict[str, Any]:
        """What its message says of it, but for what needs another file."""
        settings = carried.settings_of(self.item.media)
        return {name: value for name, value in settings.items() if name not in carried.NEEDS}


async def first_that_works(
    job: JobInfo, flight: Callable[[], Awaitable[Any]], one_by_one: Callable[[], Awaitable[Any]]
) -> Any:
    """The result of *flight*, or of *one_by_one* where that fails. Raises :data:`FINAL` at once."""
    try:
        return await flight()
    except FINAL:
        raise
    except FLIGHT_ERRORS as error:
        logger.info("flight.failed", extra={"job": job.id, "user": job.user_id, "reason": repr(error)})
    return await one_by_one()


def _md5(data: memoryview) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
