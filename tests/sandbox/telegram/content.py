"""Bytes of files: made from a seed on demand, or kept as they were uploaded.

A generated file costs neither memory nor disk. Each 4 KiB page of it carries its seed and its own number, so no
two pages anywhere are equal: a chunk that was swapped, repeated or taken from another file changes the SHA-256.
"""

import hashlib
import os
import random
import struct
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

KIB = 1024
MIB = 1024 * KIB
PAGE = 4 * KIB
_BLOCK = MIB
_STAMP = struct.Struct("<QQ")


class Content(Protocol):
    """The bytes of one file."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Return at most ``length`` bytes from ``offset``, fewer at the end of the file."""

    def sha256(self) -> str:
        """Return the digest in hexadecimal; for a large file the first call takes about a second per 1.5 GB."""


@lru_cache(maxsize=48)
def _block(seed: int) -> bytes:
    """One MiB of noise that every MiB of the file repeats under other page stamps."""
    return random.Random(seed).randbytes(_BLOCK)


def digest_of(content: Content) -> str:
    """Read the whole content and return its SHA-256."""
    digest = hashlib.sha256()
    for offset in range(0, content.size, _BLOCK):
        digest.update(content.read(offset, _BLOCK))
    return digest.hexdigest()


# Digests of the scenario's largest files by seed and size, worked out before because that takes seconds.
KNOWN_DIGESTS = {
    (300, 300 * MIB): "46c14d3487997c47140af13cecda0b1c9ef00745c766c7e7360f8aff0822e02f",
    (2000, 2000 * MIB): "1cd4734cab8a44133138bcf0ba312ad4b402ccff0913edb0ace64d0f694a44b4",
}


@lru_cache(maxsize=4096)
def _generated_digest(seed: int, size: int) -> str:
    return KNOWN_DIGESTS.get((seed, size)) or digest_of(Generated(seed, size))


class Generated:
    """A file of ``size`` bytes that is a function of ``seed`` (63 bits) alone."""

    __slots__ = ("seed", "size")

    def __init__(self, seed: int, size: int) -> None:
        self.seed = seed
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        first, last = offset // PAGE, -(-end // PAGE)
        pages = self._pages(first, last)
        start = offset - first * PAGE
        if start == 0 and end - offset == len(pages):
            return bytes(pages)
        return bytes(memoryview(pages)[start : start + end - offset])

    def _pages(self, first: int, last: int) -> bytearray:
        block = _block(self.seed)
        pages = bytearray()
        start, end = first * PAGE, last * PAGE
        while start < end:
            piece = block[start % _BLOCK : start % _BLOCK + end - start]
            pages += piece
            start += len(piece)
        stamp, seed = _STAMP.pack_into, self.seed
        for number in range(first, last):
            stamp(pages, (number - first) * PAGE, seed, number)
        return pages

    def sha256(self) -> str:
        return _generated_digest(self.seed, self.size)


def stamp_of(data: bytes | memoryview) -> tuple[int, int] | None:
    """Return (seed, page number) that the first page of ``data`` would carry were it generated."""
    return _STAMP.unpack_from(data) if len(data) >= _STAMP.size else None


class Kept:
    """A small file held in memory."""

    __slots__ = ("_data", "_sha256")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._sha256: str | None = None

    @property
    def size(self) -> int:
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def sha256(self) -> str:
        if self._sha256 is None:
            self._sha256 = hashlib.sha256(self._data).hexdigest()
        return self._sha256


class Spilled:
    """A large file kept on disk because nothing generated equals it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = 0
        self._sha256: str | None = None

    def write(self, offset: int, data: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, data, offset)
        finally:
            os.close(descriptor)
        self.size = max(self.size, offset + len(data))

    def read(self, offset: int, length: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def sha256(self) -> str:
        if self._sha256 is None:
            self._sha256 = digest_of(self)
        return self._sha256


class Piece(NamedTuple):
    """A stretch of some content."""

    source: Content
    offset: int
    length: int

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """Return ``length`` bytes from ``start`` within the piece, all of it by default."""
        wanted = self.length - start if length is None else min(length, self.length - start)
        return self.source.read(self.offset + start, wanted)


class Assembled:
    """A large file put together from pieces, all of ``piece_size`` bytes but the last."""

    def __init__(self, pieces: Sequence[Piece], piece_size: int) -> None:
        self._pieces = tuple(pieces)
        self._piece_size = piece_size
        self.size = sum(piece.length for piece in pieces)
        self._sha256: str | None = None

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        data = bytearray()
        while offset < end:
            number, start = divmod(offset, self._piece_size)
            piece = self._pieces[number].read(start, end - offset)
            data += piece
            offset += len(piece)
        return bytes(data)

    def sha256(self) -> str:
        if self._sha256 is None:
            self._sha256 = digest_of(self)
        return self._sha256
