"""The TCP transport of media connections: abridged MTProto packets, received into their final buffers.

The library's transport collects a packet of 1 MiB with a task, a timer and a growing copy for every 64 KiB, which takes
about a third of a download's processor time. Here the kernel writes directly into the packet's own buffer.
See https://core.telegram.org/mtproto/mtproto-transports#abridged.
"""

import asyncio
import socket
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from config.units import KIB, MIB

CONNECT_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 10.0
SCRATCH = 16 * KIB
LONGEST_PACKET = 2 * MIB  # the largest answer is a piece of 1 MiB; anything beyond is not MTProto


class Transport:
    """The transport interface of :class:`pyrogram.connection.Connection`, without proxies."""

    def __init__(self, *, ipv6: bool, loop: asyncio.AbstractEventLoop, **_: Any) -> None:
        self.crypto_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="media crypto")
        self._family = socket.AF_INET6 if ipv6 else socket.AF_INET
        self._loop = loop
        self._packets = _Packets()
        self._lock = asyncio.Lock()

    async def connect(self, address: tuple[str, int]) -> None:
        """Connect and announce the abridged transport.

        :raises OSError: no connection, or not in time.
        """
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            transport, _ = await self._loop.create_connection(lambda: self._packets, *address, family=self._family)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        transport.write(b"\xef")

    async def send(self, data: bytes) -> None:
        """Send one packet, and return when the connection can take another.

        :raises OSError: the connection is gone.
        """
        words = len(data) // 4
        head = bytes([words]) if words < 0x7F else b"\x7f" + words.to_bytes(3, "little")
        async with self._lock:
            await self._packets.write(head, data)

    async def recv(self) -> bytearray | None:
        """Return the next packet; None when the connection ended, or was silent for :data:`IDLE_TIMEOUT_S` seconds."""
        return await self._packets.next(IDLE_TIMEOUT_S)

    def abort(self) -> None:
        """End the connection at once. Waiting sends and receives end too."""
        self._packets.abort()

    async def close(self) -> None:
        """End the connection. The crypto thread lives as long as this object: late packets may still need it."""
        self.abort()


class _Packets(asyncio.BufferedProtocol):
    """Splits the stream into packets. Headers are read into a scratch buffer, a large body into one of its size."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._scratch = bytearray(SCRATCH)
        self._filled = 0
        self._body: bytearray | None = None
        self._body_filled = 0
        self._ready: deque[bytearray] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._progress = 0
        self._ended = False

    # ---- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._wake()
        self.resume_writing()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._body is not None:
            return memoryview(self._body)[self._body_filled :]
        return memoryview(self._scratch)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._progress += nbytes
        if self._body is not None:
            self._body_filled += nbytes
            if self._body_filled == len(self._body):
                self._deliver(self._body)
                self._body = None
        else:
            self._filled += nbytes
            self._split()

    # ---- called by Transport

    async def write(self, head: bytes, data: bytes) -> None:
        if self._ended or self._transport is None:
            raise ConnectionResetError("the connection has ended")
        self._transport.write(head)
        self._transport.write(data)
        if self._writable is not None:
            await asyncio.shield(self._writable)

    async def next(self, idle_s: float) -> bytearray | None:
        while not self._ready:
            if self._ended:
                return None
            before = self._progress
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(idle_s):
                    await self._arrival
            except TimeoutError:
                if self._progress == before:
                    return None
        return self._ready.popleft()

    def abort(self) -> None:
        self._ended = True
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    # ---- parsing

    def _split(self) -> None:
        """Take the packets out of the scratch buffer. The start of a large one moves to a buffer of its own."""
        view, at = memoryview(self._scratch), 0
        while (head := self._head(at)) is not None:
            start, size = head
            here = min(size, self._filled - start)
            if here < size and start + size <= SCRATCH and at == 0:
                break  # the rest of a small packet still fits behind it
            body = bytearray(size)
            body[:here] = view[start : start + here]
            at = start + here
            if here == size:
                self._deliver(body)
            else:
                self._body, self._body_filled = body, here
        rest = bytes(view[at : self._filled])
        view[: len(rest)] = rest
        self._filled = len(rest)

    def _head(self, at: int) -> tuple[int, int] | None:
        """Where the body of the packet at *at* begins and its size; None while its header is incomplete."""
        if at >= self._filled:
            return None
        if self._scratch[at] != 0x7F:
            return at + 1, self._scratch[at] * 4
        if at + 4 > self._filled:
            return None
        size = int.from_bytes(self._scratch[at + 1 : at + 4], "little") * 4
        if size > LONGEST_PACKET:
            self.abort()
            return None
        return at + 4, size

    def _deliver(self, packet: bytearray) -> None:
        self._ready.append(packet)
        self._wake()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)
