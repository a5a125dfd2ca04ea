"""Media connections: opened under one lock, failing at once when their connection does, copying little.

The library's ``Session`` costs a transfer three things that this subclass spares it: a call whose connection was reset
waits out its whole time-out; a cancelled call leaves its late reply in memory for good; and each part is serialised
twice and copied some ten times on its way out.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any

from pyrogram import Client, raw
from pyrogram.connection import Connection
from pyrogram.crypto.mtproto import kdf
from pyrogram.errors import RPCError, Unauthorized
from pyrogram.raw.core import TLObject
from pyrogram.session import Session
from pyrogram.session.session import AuthKeyNotFound, Result, SessionState

from daemon.transfer.datacentres.cipher import Cipher
from daemon.transfer.datacentres.transport import Transport

logger = logging.getLogger(__name__)

Buffers = Sequence[bytes | bytearray | memoryview]

OPEN_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 3.0
SEALED = 2  # one on its way out, one being encrypted meanwhile: more would only stand in memory


class ConnectionLost(ConnectionError):
    """The connection ended while the call was under way."""


class KeyRefused(Exception):
    """The server does not take the authorization key any more: the login was ended from outside."""

    def __init__(self, auth_key: bytes) -> None:
        self.auth_key = auth_key
        super().__init__("authorization key refused")


class LoginForgotten(KeyRefused):
    """It was that of a data centre away from home, and was let go of: the next session begins a fresh login."""


class MediaSession(Session):
    """A connection for parts of files."""

    def __init__(self, cipher: Cipher, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cipher = cipher
        self.key_refused = asyncio.Event()
        self._sealing = asyncio.Semaphore(SEALED)

    @property
    def is_dead(self) -> bool:
        """Will it never be up again? What restarts is only away."""
        ended = self.state is SessionState.STOPPED and not self.restart_lock.locked()
        return ended or self.key_refused.is_set()

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

    async def handle_packet(self, packet: bytearray) -> None:
        """Take in what arrived: answers to :meth:`request` on a short way, everything else as the library does."""
        executor = self.connection.protocol.crypto_executor
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(executor, _open, self._cipher, packet, self.session_id, self.auth_key)
        except Exception:
            logger.exception("unreadable packet", extra={"dc": self.dc_id})
            self._cut()  # whose answer it was is not known; the receiver connects anew
            return
        waiting = self.results.get(answer.request_id) if answer else None
        if answer is None or isinstance(waiting, Result):
            await super().handle_packet(bytes(packet))
            return
        if waiting is not None:  # else nobody waits for it any more
            waiting.value = answer.result
            waiting.set()
        self.pending_acks.add(answer.message_id)
        if len(self.pending_acks) >= self.ACKS_THRESHOLD:
            acknowledged = raw.types.MsgsAck(msg_ids=list(self.pending_acks))
            self.pending_acks.clear()
            with contextlib.suppress(OSError):
                await self.send(acknowledged, False)

    async def restart(self) -> None:
        """Connect anew. Calls under way fail now: their answers will not come."""
        self._cut()
        try:
            await super().restart()
        except RPCError as error:
            logger.info("media session ended", extra={"dc": self.dc_id, "reason": str(error)})

    async def recv_worker(self) -> None:
        """Receive until the connection ends. A server that does not know the key any more says so once."""
        try:
            await super().recv_worker()
        except AuthKeyNotFound:
            self.key_refused.set()
            self._fail_pending()

    async def stop(self) -> None:
        """End the connection for good."""
        self._cut()
        await super().stop()

    async def _exchange(self, body: Buffers, timeout: float) -> Any:
        connection = self.connection
        if connection is None or not self.is_started.is_set():
            raise ConnectionLost("not connected")
        message_id = None
        try:
            async with asyncio.timeout(timeout):
                async with self._sealing:
                    message_id, answer = await self._send(connection, body)
                return await answer.future
        finally:
            self.results.pop(message_id, None)

    async def _send(self, connection: Connection, body: Buffers) -> "tuple[int, _Answer]":
        loop = asyncio.get_running_loop()
        message_id = await self.msg_factory.allocate_message_identity()
        sequence = await self.msg_factory.allocate_message_sequence(True)
        answer = self.results[message_id] = _Answer(loop)
        head = message_id.to_bytes(8, "little", signed=True) + sequence.to_bytes(4, "little")
        try:
            packet = await loop.run_in_executor(
                connection.protocol.crypto_executor,
                partial(_seal, self._cipher, head, body, self.salt, self.session_id, self.auth_key),
            )
            await connection.send(packet)
        except BaseException:
            self.results.pop(message_id, None)
            answer.drop()
            raise
        return message_id, answer

    def _cut(self) -> None:
        """End the connection under everybody's feet.

        The library waits for its ping first, and on a path that takes nothing any more the ping waits to be written.
        """
        if isinstance(wire := getattr(self.connection, "protocol", None), Transport):
            wire.cut()
        self._fail_pending()

    def _fail_pending(self) -> None:
        for answer in list(self.results.values()):
            if isinstance(answer, _Answer):
                answer.fail()


class _Answer:
    """What the session's receiver fills in: it assigns ``value``, then calls ``event.set()``."""

    __slots__ = ("future", "value")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self.value: Any = None

    @property
    def event(self) -> "_Answer":
        # No attribute: what refers to itself keeps its megabyte until the collector comes to look for cycles.
        return self

    def set(self) -> None:
        if not self.future.done():
            self.future.set_result(self.value)

    def drop(self) -> None:
        """Nobody waits for it: how it ended need not be told."""
        if not self.future.cancel() and not self.future.cancelled():
            self.future.exception()

    def fail(self) -> None:
        if not self.future.done():
            self.future.set_exception(ConnectionLost("the connection ended"))


def _seal(cipher: Cipher, head: bytes, body: Buffers, salt: int, session_id: bytes, auth_key: bytes) -> bytes:
    """Encrypt one message as MTProto 2.0 wants it: the library's ``pack`` in fewer copies."""
    length = sum(len(piece) for piece in body)
    padding = os.urandom(-(length + 32 + 12) % 16 + 12)
    start = (salt.to_bytes(8, "little", signed=True), session_id, head, length.to_bytes(4, "little"))
    plain = b"".join((*start, *body, padding))
    digest = hashlib.sha256(auth_key[88:120])
    digest.update(plain)
    message_key = digest.digest()[8:24]
    key, vector = kdf(auth_key, message_key, True)
    return b"".join((_key_id(auth_key), message_key, cipher.encrypt(plain, key, vector)))


@dataclass(frozen=True, slots=True)
class _Opened:
    """An answer as it came: which message it is, which call it answers, and the result."""

    message_id: int
    request_id: int
    result: Any


@dataclass(frozen=True, slots=True)
class Chunk:
    """The result of ``upload.getFile``: a view of the packet, not a copy."""

    bytes: memoryview


def _open(cipher: Cipher, packet: bytearray, session_id: bytes, auth_key: bytes) -> _Opened | None:
    """Decrypt a packet when it is the answer to a call; None for whatever else it is, or is not authentic."""
    view = memoryview(packet)
    if len(packet) < 24 + 48:
        return None
    key, vector = kdf(auth_key, bytes(view[8:24]), False)
    plain = cipher.decrypt(bytes(view[24:]), key, vector)  # not every module takes a view
    digest = hashlib.sha256(auth_key[96:128])
    digest.update(plain)
    length = int.from_bytes(plain[28:32], "little")
    genuine = (
        bytes(view[:8]) == _key_id(auth_key)
        and bytes(view[8:24]) == digest.digest()[8:24]
        and plain[8:16] == session_id
        and 12 <= len(plain) - 32 - length <= 1024
        and plain[16] & 1
    )
    if not genuine or plain[32:36] != _RPC_RESULT:
        return None
    message_id = int.from_bytes(plain[16:24], "little", signed=True)
    request_id = int.from_bytes(plain[36:44], "little", signed=True)
    return _Opened(message_id, request_id, _result(plain, 44, 32 + length))


def _result(plain: bytes, start: int, end: int) -> Any:
    kind = plain[start : start + 4]
    if kind == _FILE:
        at, length = start + 12, plain[start + 12]
        at, length = (at + 1, length) if length < 254 else (at + 4, int.from_bytes(plain[at + 1 : at + 4], "little"))
        return Chunk(memoryview(plain)[at : at + length])
    return TLObject.read(BytesIO(plain[start:end]))


def _key_id(auth_key: bytes) -> bytes:
    return hashlib.sha1(auth_key, usedforsecurity=False).digest()[-8:]


_RPC_RESULT = raw.types.RpcResult.ID.to_bytes(4, "little")
_FILE = raw.types.upload.File.ID.to_bytes(4, "little")


class _MediaClient:
    """The client as its media sessions see it: the same in everything but the transport."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.protocol_factory = Transport if client.proxy is None else client.protocol_factory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Opener:
    """Opens media sessions of one client, one at a time per data centre.

    ``Client.get_session`` has no lock: first uses at once would each make a connection, and leak all but one.
    """

    def __init__(self, client: Client, cipher: Cipher) -> None:
        self._client, self._cipher = client, cipher
        self._locks: dict[int, asyncio.Lock] = {}
        self._addresses: dict[int, tuple[str, int]] = {}

    async def open(self, data_centre: int) -> MediaSession:
        """Return a started session, which is the caller's to stop.

        :raises RPCError: Telegram gave no login there.
        :raises KeyRefused: the server does not take the key any more.
        :raises OSError: no connection.
        """
        async with self._locks.setdefault(data_centre, asyncio.Lock()):
            main = await self._main(data_centre)
            address, port = await self._address(data_centre)
        test_mode = await self._client.storage.test_mode()
        client = _MediaClient(self._client)
        session = MediaSession(
            self._cipher, client, data_centre, address, port, main.auth_key, test_mode, is_media=True
        )
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await _started(session)
        except BaseException:
            self._addresses.pop(data_centre, None)
            await session.stop()
            raise
        return session

    async def forget(self, data_centre: int, auth_key: bytes) -> bool:
        """Let go of the login that *auth_key* has there: the next opening begins a fresh one. False at home.

        The library would hand out its session there for ever, whatever has become of the key.
        """
        if data_centre == await self._client.storage.dc_id():
            return False
        sessions = self._client.sessions
        main = sessions.get(data_centre)
        if main is not None and main.auth_key == auth_key:
            del sessions[data_centre]
            logger.warning("login let go of", extra={"client": self._client.name, "dc": data_centre})
            await _ended(main)
        return True

    async def _main(self, data_centre: int) -> Session:
        """The client's own session there. The library would keep one whose login failed, and hand it out as good."""
        sessions = self._client.sessions
        known = sessions.get(data_centre)
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                return await self._client.get_session(data_centre)
        except BaseException:
            half = sessions.get(data_centre)
            if half is not None and half is not known:
                del sessions[data_centre]
                await _ended(half)
            raise

    async def _address(self, data_centre: int) -> tuple[str, int]:
        if data_centre not in self._addresses:
            option = await self._client.get_dc_option(data_centre, is_media=True, ipv6=self._client.ipv6)
            self._addresses[data_centre] = (option.ip_address, option.port)
        return self._addresses[data_centre]


async def _ended(session: Session) -> None:
    """Stop a session of the library's in bounded time, whatever its reader has died of."""
    with contextlib.suppress(TimeoutError, AuthKeyNotFound):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await session.stop()


async def _started(session: MediaSession) -> None:
    """Start it, or learn at once that it cannot be started: the library would try for ever."""
    refused = asyncio.create_task(session.key_refused.wait())
    up = asyncio.create_task(session.is_started.wait())
    starting = asyncio.create_task(session.start())
    try:
        await asyncio.wait((starting, refused), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
        await asyncio.wait((up, refused), return_when=asyncio.FIRST_COMPLETED)
        if refused.done():
            raise KeyRefused(session.auth_key)
    except Unauthorized as error:
        raise KeyRefused(session.auth_key) from error
    finally:
        for task in (refused, up, starting):
            task.cancel()
