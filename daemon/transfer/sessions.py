"""Media connections: opened under one lock, failing at once when their connection does, copying little.

The library's ``Session`` costs a transfer three things that this subclass spares it: a call whose connection was reset
waits out its whole time-out; a cancelled call leaves its late reply in memory for good; and each part is serialised
twice and copied some ten times on its way out.
"""

import asyncio
import hashlib
import os
from collections.abc import Sequence
from typing import Any

from pyrogram import Client, raw
from pyrogram.crypto import aes
from pyrogram.crypto.mtproto import kdf
from pyrogram.errors import RPCError
from pyrogram.raw.core import TLObject
from pyrogram.session import Session

Buffers = Sequence[bytes | bytearray | memoryview]

OPEN_TIMEOUT_S = 15.0


class ConnectionLost(ConnectionError):
    """The connection ended while the call was under way."""


class MediaSession(Session):  # type: ignore[misc]  # the library is untyped
    """A connection for parts of files."""

    async def request(self, method: type[TLObject[Any]], body: Buffers, timeout: float) -> Any:
        """Send the serialised call *body* of *method* and return its result.

        :raises RPCError: Telegram refused.
        :raises OSError: no answer: ``TimeoutError`` after *timeout* seconds, :class:`ConnectionLost` at once.
        """
        while True:
            result = await self._exchange(body, timeout)
            if isinstance(result, raw.types.BadServerSalt):
                self.salt = result.new_server_salt
            elif isinstance(result, raw.types.RpcError):
                RPCError.raise_it(result, method)
            elif isinstance(result, raw.types.BadMsgNotification):
                raise ConnectionLost(f"message refused: {result.error_code}")
            else:
                return result

    async def restart(self) -> None:
        """Connect anew. Calls under way fail now: their answers will not come."""
        self._fail_pending()
        await super().restart()

    async def stop(self) -> None:
        """End the connection for good."""
        self._fail_pending()
        await super().stop()

    async def _exchange(self, body: Buffers, timeout: float) -> Any:
        connection = self.connection
        if connection is None or not self.is_started.is_set():
            raise ConnectionLost("not connected")
        loop = asyncio.get_running_loop()
        message_id = await self.msg_factory.allocate_message_identity()
        sequence = await self.msg_factory.allocate_message_sequence(True)
        answer = self.results[message_id] = _Answer(loop)
        head = message_id.to_bytes(8, "little", signed=True) + sequence.to_bytes(4, "little")
        try:
            async with asyncio.timeout(timeout):
                packet = await loop.run_in_executor(
                    connection.protocol.crypto_executor, _seal, head, body, self.salt, self.session_id, self.auth_key
                )
                await connection.send(packet)
                return await answer.future
        finally:
            self.results.pop(message_id, None)

    def _fail_pending(self) -> None:
        for answer in list(self.results.values()):
            if isinstance(answer, _Answer):
                answer.fail()


class _Answer:
    """What the session's receiver fills in: it assigns ``value``, then calls ``event.set()``."""

    __slots__ = ("event", "future", "value")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self.value: Any = None
        self.event = self

    def set(self) -> None:
        if not self.future.done():
            self.future.set_result(self.value)

    def fail(self) -> None:
        if not self.future.done():
            self.future.set_exception(ConnectionLost("the connection ended"))


def _seal(head: bytes, body: Buffers, salt: int, session_id: bytes, auth_key: bytes) -> bytes:
    """Encrypt one message as MTProto 2.0 wants it: the library's ``pack`` in fewer copies."""
    length = sum(len(piece) for piece in body)
    padding = os.urandom(-(length + 32 + 12) % 16 + 12)
    start = (salt.to_bytes(8, "little", signed=True), session_id, head, length.to_bytes(4, "little"))
    plain = b"".join((*start, *body, padding))
    digest = hashlib.sha256(auth_key[88:120])
    digest.update(plain)
    message_key = digest.digest()[8:24]
    key, vector = kdf(auth_key, message_key, True)
    key_id = hashlib.sha1(auth_key, usedforsecurity=False).digest()[-8:]
    return b"".join((key_id, message_key, aes.ige256_encrypt(plain, key, vector)))


class Opener:
    """Opens media sessions of one client, one at a time per data centre.

    ``Client.get_session`` has no lock: first uses at once would each make a connection, and leak all but one.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._locks: dict[int, asyncio.Lock] = {}
        self._addresses: dict[int, tuple[str, int]] = {}

    async def open(self, data_centre: int) -> MediaSession:
        """Return a started session, which is the caller's to stop.

        :raises RPCError: the login was refused there.
        :raises OSError: no connection.
        """
        async with self._locks.setdefault(data_centre, asyncio.Lock()):
            main = await self._client.get_session(data_centre)
            address, port = await self._address(data_centre)
        test_mode = await self._client.storage.test_mode()
        session = MediaSession(self._client, data_centre, address, port, main.auth_key, test_mode, is_media=True)
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await session.start()
                await session.is_started.wait()
        except BaseException:
            self._addresses.pop(data_centre, None)
            await session.stop()
            raise
        return session

    async def _address(self, data_centre: int) -> tuple[str, int]:
        if data_centre not in self._addresses:
            option = await self._client.get_dc_option(data_centre, is_media=True, ipv6=self._client.ipv6)
            self._addresses[data_centre] = (option.ip_address, option.port)
        return self._addresses[data_centre]
