"""Framing of packets on TCP, recognised by the first bytes that the client sends."""

import asyncio
import os
import struct
from collections.abc import Sequence
from typing import Protocol
from zlib import crc32

MAX_PACKET = 2 * 1024 * 1024


class ProtocolViolation(Exception):
    """The peer does not speak any transport known here, or breaks its rules: the connection is closed."""


class Framing(Protocol):
    """How packets are cut out of the stream."""

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """Return the next packet. Raises IncompleteReadError at the end, ProtocolViolation for a broken frame."""

    def frame(self, payload: bytes) -> Sequence[bytes]:
        """Return the buffers to write for one packet."""


def _checked(length: int) -> int:
    if not 0 < length <= MAX_PACKET:
        raise ProtocolViolation(f"packet of {length} bytes")
    return length


class Abridged:
    """One or four bytes of length, counted in words."""

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        words = (await reader.readexactly(1))[0] & 0x7F
        if words == 0x7F:
            words = int.from_bytes(await reader.readexactly(3), "little")
        return await reader.readexactly(_checked(words * 4))

    def frame(self, payload: bytes) -> Sequence[bytes]:
        words = len(payload) // 4
        return (bytes((words,)) if words < 0x7F else b"\x7f" + words.to_bytes(3, "little"), payload)


class Intermediate:
    """Four bytes of length."""

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        (length,) = struct.unpack("<i", await reader.readexactly(4))
        return await reader.readexactly(_checked(length))

    def frame(self, payload: bytes) -> Sequence[bytes]:
        return (struct.pack("<i", len(payload)), payload)


class PaddedIntermediate(Intermediate):
    """Intermediate with up to three random bytes behind each packet."""

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        packet = await super().read(reader)
        return packet[: len(packet) & ~3]

    def frame(self, payload: bytes) -> Sequence[bytes]:
        padding = os.urandom(os.urandom(1)[0] & 3)
        return (struct.pack("<i", len(payload) + len(padding)), payload, padding)


class Full:
    """Length, running number and CRC32 around each packet."""

    def __init__(self, first_length: bytes) -> None:
        self._first_length = first_length
        self._sent = 0
        self._received = 0

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        head = self._first_length or await reader.readexactly(4)
        self._first_length = b""
        length = _checked(struct.unpack("<i", head)[0])
        if length < 12:
            raise ProtocolViolation(f"frame of {length} bytes")
        rest = await reader.readexactly(length - 4)
        number, packet, checksum = rest[:4], rest[4:-4], rest[-4:]
        if struct.unpack("<I", checksum)[0] != crc32(packet, crc32(number, crc32(head))):
            raise ProtocolViolation("checksum")
        if struct.unpack("<i", number)[0] != self._received:
            raise ProtocolViolation("frame number")
        self._received += 1
        return packet

    def frame(self, payload: bytes) -> Sequence[bytes]:
        head = struct.pack("<ii", len(payload) + 12, self._sent)
        self._sent += 1
        return (head, payload, struct.pack("<I", crc32(payload, crc32(head))))


async def recognise(reader: asyncio.StreamReader) -> Framing:
    """Tell the framing from the first bytes. Raises ProtocolViolation for one not known here (obfuscated, HTTP)."""
    first = await reader.readexactly(1)
    if first == b"\xef":
        return Abridged()
    first += await reader.readexactly(3)
    if first == b"\xee" * 4:
        return Intermediate()
    if first == b"\xdd" * 4:
        return PaddedIntermediate()
    if struct.unpack("<i", first)[0] > MAX_PACKET:
        raise ProtocolViolation("unknown transport")
    return Full(first)
