"""Files on their way in: parts saved one by one, in any order, and put together when a message names them.

A part that equals a piece of a generated file is remembered as that piece, so a 2 GB upload of one costs a few
bytes a part. What nobody generated is kept: small files in memory, big ones on disk.
"""

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .content import (
    KIB,
    MIB,
    PAGE,
    Assembled,
    Content,
    Generated,
    Kept,
    Piece,
    Spilled,
    stamp_of,
)
from .errors import RpcError

MAX_PART = 512 * KIB
MAX_SMALL_FILE = 10 * MIB
PARTS_LIMIT = 4000
PARTS_LIMIT_PREMIUM = 8000
# Telegram forgets unused parts after hours; here the oldest go when this many files have been uploaded since.
_REMEMBERED_UPLOADS = 512


class UploadKey(NamedTuple):
    """A file id is chosen by the client, so it means something only together with the account."""

    account_id: int
    file_id: int


@dataclass
class Upload:
    """The parts of one file received so far."""

    big: bool
    pieces: dict[int, Piece] = field(default_factory=dict)
    spilled: Spilled | None = None

    def assemble(self, parts: int) -> Content:
        """Put ``parts`` parts together.

        Raises RpcError FILE_PART_X_MISSING or FILE_PART_SIZE_INVALID.
        """
        for number in range(parts):
            if number not in self.pieces:
                raise RpcError(400, f"FILE_PART_{number}_MISSING")
        pieces = [self.pieces[number] for number in range(parts)]
        part_size = pieces[0].length
        if any(piece.length != part_size for piece in pieces[:-1]) or pieces[-1].length > part_size:
            raise RpcError(400, "FILE_PART_SIZE_INVALID")
        if parts > 1 and MAX_PART % part_size:
            raise RpcError(400, "FILE_PART_SIZE_INVALID")
        return _join(pieces, part_size)


def _join(pieces: list[Piece], part_size: int) -> Content:
    size = sum(piece.length for piece in pieces)
    generated = _generated_whole(pieces, part_size, size)
    if generated is not None:
        return generated
    if size <= MAX_SMALL_FILE:
        return Kept(b"".join(piece.read() for piece in pieces))
    return Assembled(pieces, part_size)


def _generated_whole(pieces: list[Piece], part_size: int, size: int) -> Generated | None:
    """The generated file that the pieces add up to, if they do."""
    first = pieces[0].source
    if not isinstance(first, Generated):
        return None
    whole = Generated(first.seed, size)
    for number, piece in enumerate(pieces):
        offset = number * part_size
        recognised = isinstance(piece.source, Generated) and piece.source.seed == whole.seed and piece.offset == offset
        # The last part may be too short to carry a stamp to be recognised by.
        if not recognised and (piece.length >= PAGE or piece.read() != whole.read(offset, piece.length)):
            return None
    return whole


@dataclass
class Uploads:
    """Uploads of all accounts. What nobody generated and is too large for memory goes to ``directory``."""

    directory: Path = Path()
    known_seeds: set[int] = field(default_factory=set)
    _uploads: OrderedDict[UploadKey, Upload] = field(default_factory=OrderedDict)

    def __getstate__(self) -> dict[str, object]:
        """Unfinished uploads are not part of the state that outlives a run."""
        return {}

    def save_small(self, key: UploadKey, number: int, data: bytes) -> None:
        """Take a part of a file of at most 10 MiB. Raises RpcError FILE_PART_*."""
        _check_part(number, data, PARTS_LIMIT)
        self._save(key, number, data, big=False)

    def save_big(self, key: UploadKey, number: int, total: int, data: bytes, limit: int) -> None:
        """Take a part of a larger file of ``total`` parts (-1: not known yet), at most ``limit``.

        Raises RpcError FILE_PART*.
        """
        if total != -1 and not 0 < total <= limit:
            raise RpcError(400, "FILE_PARTS_INVALID")
        _check_part(number, data, total if total != -1 else limit)
        if number != total - 1 and MAX_PART % len(data):
            raise RpcError(400, "FILE_PART_SIZE_INVALID")
        self._save(key, number, data, big=True)

    def _save(self, key: UploadKey, number: int, data: bytes, big: bool) -> None:
        upload = self._uploads.get(key)
        if upload is None or upload.big is not big:
            upload = self._uploads[key] = Upload(big)
            self._forget_oldest()
        upload.pieces[number] = self._recognised(data) or self._kept(upload, number, data)

    def _recognised(self, data: bytes) -> Piece | None:
        stamp = stamp_of(data)
        if stamp is None or stamp[0] not in self.known_seeds:
            return None
        seed, page = stamp
        source = Generated(seed, page * PAGE + len(data))
        if source.read(page * PAGE, len(data)) != data:
            return None
        return Piece(source, page * PAGE, len(data))

    def _kept(self, upload: Upload, number: int, data: bytes) -> Piece:
        if not upload.big or len(data) < PAGE:
            return Piece(Kept(data), 0, len(data))
        if upload.spilled is None:
            self.directory.mkdir(exist_ok=True)
            upload.spilled = Spilled(self.directory / secrets.token_hex(8))
        offset = number * MAX_PART
        upload.spilled.write(offset, data)
        return Piece(upload.spilled, offset, len(data))

    def _forget_oldest(self) -> None:
        while len(self._uploads) > _REMEMBERED_UPLOADS:
            self._uploads.popitem(last=False)

    def lose(self, key: UploadKey, number: int) -> bool:
        """Forget a part that was saved, as storage does that has lost it. Whether there was one."""
        upload = self._uploads.get(key)
        return upload is not None and upload.pieces.pop(number, None) is not None

    def of(self, account_id: int) -> dict[int, int]:
        """How many parts are saved of each file of the account, by file id, oldest first."""
        return {key.file_id: len(one.pieces) for key, one in self._uploads.items() if key.account_id == account_id}

    def take_small(self, key: UploadKey, parts: int, md5: str) -> Content:
        """Return the file that an ``inputFile`` names.

        Raises RpcError FILE_PARTS_INVALID, FILE_PART_X_MISSING, FILE_PART_SIZE_INVALID, MD5_CHECKSUM_INVALID.
        """
        content = self._take(key, parts, PARTS_LIMIT, big=False)
        if content.size > MAX_SMALL_FILE:
            raise RpcError(400, "FILE_PARTS_INVALID")
        if md5 and hashlib.md5(content.read(0, content.size), usedforsecurity=False).hexdigest() != md5.lower():
            raise RpcError(400, "MD5_CHECKSUM_INVALID")
        return content

    def take_big(self, key: UploadKey, parts: int, limit: int) -> Content:
        """Return the file that an ``inputFileBig`` names. Raises RpcError as ``take_small`` does."""
        return self._take(key, parts, limit, big=True)

    def _take(self, key: UploadKey, parts: int, limit: int, big: bool) -> Content:
        if not 0 < parts <= limit:
            raise RpcError(400, "FILE_PARTS_INVALID")
        upload = self._uploads.get(key)
        if upload is None or upload.big is not big:
            raise RpcError(400, "FILE_PART_0_MISSING")
        content = upload.assemble(parts)
        # What has been sent stays as it is, whatever is saved under this id later.
        upload.spilled = None
        return content


def _check_part(number: int, data: bytes, limit: int) -> None:
    if not 0 <= number < limit:
        raise RpcError(400, "FILE_PART_INVALID")
    if not data:
        raise RpcError(400, "FILE_PART_EMPTY")
    if len(data) > MAX_PART:
        raise RpcError(400, "FILE_PART_TOO_BIG")
