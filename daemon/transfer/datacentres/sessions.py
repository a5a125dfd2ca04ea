"""Media sessions: opened under one lock, failing as soon as their connection does, and copying little.

The library's ``Session`` has three faults that this subclass avoids: a call whose connection was reset waits out its
whole time-out; the late reply to a cancelled call stays in memory for good; each part is serialised twice and copied
about ten times before it is sent. See https://core.telegram.org/mtproto/description.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any

from pyrogram import Client, raw
from pyrogram.connection import Connection
from pyrogram.crypto.mtproto import kdf
from pyrogram.errors import RPCError, Unauthorized
from pyrogram.raw.core import Int, Long, TLObject, Vector
from pyrogram.session import Session
from pyrogram.session.session import AuthKeyNotFound, Result, SessionState

from daemon.telegram.endpoint import hang_up
from daemon.transfer.datacentres.cipher import Cipher
from daemon.transfer.datacentres.transport import Transport

logger = logging.getLogger(__name__)

Buffers = Sequence[bytes | bytearray | memoryview]

OPEN_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 3.0
MAX_ENCRYPTED = 2  # one being sent, one being encrypted: more would only take memory


class ConnectionLost(ConnectionError):
    """The connection ended while the call was under way."""


class NotCarriedOut(Exception):
    """The server has not carried out a call, because one that comes before it has failed, or took too long."""


class AuthKeyRefused(Exception):
    """The server refuses the authorization key: the login was ended from outside."""

    def __init__(self, auth_key: bytes) -> None:
        self.auth_key = auth_key
        super().__init__("authorization key refused")


class AuthorizationDropped(AuthKeyRefused):
    """The key of a data centre other than home was refused and dropped: the next session begins a new authorization."""


class MediaSession(Session):
    """A connection for parts of files."""

    def __init__(self, cipher: Cipher, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cipher = cipher
        self.key_refused = asyncio.Event()
        self._encrypting = asyncio.Semaphore(MAX_ENCRYPTED)

    @property
    def is_dead(self) -> bool:
        """Will the session never be up again? One that restarts will."""
        ended = self.state is SessionState.STOPPED and not self.restart_lock.locked()
        return ended or self.key_refused.is_set()

    async def request(
        self, method: type[TLObject[Any]], body: Buffers, timeout: float, before: Sequence[Buffers] = ()
    ) -> Any:
        """Send the serialised call *body* of *method* and return its result.

        :param before: calls that are sent just before, and whose answers are not waited for: the server carries out
            *body* once all of them have succeeded. See https://core.telegram.org/api/invoking#sequential-requests.
        :raises NotCarriedOut: one of those has not.
        :raises RPCError: Telegram refused.
        :raises OSError: no answer: ``TimeoutError`` after *timeout* seconds, :class:`ConnectionLost` at once.
        """
        while True:
            result = await self._exchange(body, timeout, before)
            if isinstance(result, raw.types.BadServerSalt):
                self.salt = result.new_server_salt
            elif isinstance(result, raw.types.RpcError):
                if result.error_message.startswith("MSG_WAIT_"):
                    raise NotCarriedOut(result.error_message)
                RPCError.raise_it(result, method)
            elif isinstance(result, raw.types.BadMsgNotification):
                raise ConnectionLost(f"message refused: {result.error_code}")
            else:
                return result

    async def handle_packet(self, packet: bytearray) -> None:
        """Handle a packet: answers to :meth:`request` here, everything else as the library does."""
        executor = self.connection.protocol.crypto_executor
        loop = asyncio.get_running_loop()
        try:
            response = await loop.run_in_executor(
                executor, lambda: _decrypt(self._cipher, packet, self.session_id, self.auth_key)
            )
        except Exception:
            logger.exception("packet.unreadable", extra={"dc": self.dc_id})
            self._abort()  # which call it answered is not known: the receiver reconnects
            return
        waiting = self.results.get(response.request_id) if response else None
        if response is None or isinstance(waiting, Result):
            await super().handle_packet(bytes(packet))
            return
        if waiting is not None:  # else its call was cancelled
            waiting.value = response.result
            waiting.set()
        self.pending_acks.add(response.message_id)
        if len(self.pending_acks) >= self.ACKS_THRESHOLD:
            acknowledged = raw.types.MsgsAck(msg_ids=list(self.pending_acks))
            self.pending_acks.clear()
            with contextlib.suppress(OSError):
                await self.send(acknowledged, False)

    async def restart(self) -> None:
        """Reconnect. Calls under way fail now: their answers will not come."""
        self._abort()
        try:
            await super().restart()
        except RPCError as error:
            logger.info("media_session.ended", extra={"dc": self.dc_id, "reason": str(error)})

    async def recv_worker(self) -> None:
        """Receive until the connection ends, and note when the server does not know the key any more."""
        try:
            await super().recv_worker()
        except AuthKeyNotFound:
            self.key_refused.set()
            self._fail_pending()

    async def stop(self) -> None:
        """Close the session for good."""
        self._abort()
        await super().stop()

    async def _exchange(self, body: Buffers, timeout: float, before: Sequence[Buffers] = ()) -> Any:
        connection = self.connection
        if connection is None or not self.is_started.is_set():
            raise ConnectionLost("not connected")
        sent: dict[int, _PendingResult] = {}
        try:
            async with asyncio.timeout(timeout):
                async with self._encrypting:
                    for each in before:
                        message_id, answer = await self._send(connection, each)
                        sent[message_id] = answer
                    message_id, last = await self._send(connection, [*_after(sent), *body])
                    sent[message_id] = last
                return await last.future
        finally:
            for message_id, answer in sent.items():
                self.results.pop(message_id, None)
                answer.drop()

    async def _send(self, connection: Connection, body: Buffers) -> "tuple[int, _PendingResult]":
        loop = asyncio.get_running_loop()
        message_id = await self.msg_factory.allocate_message_identity()
        sequence = await self.msg_factory.allocate_message_sequence(True)
        answer = self.results[message_id] = _PendingResult(loop)
        head = message_id.to_bytes(8, "little", signed=True) + sequence.to_bytes(4, "little")
        try:
            packet = await loop.run_in_executor(
                connection.protocol.crypto_executor,
                partial(
                    _encrypt,
                    self._cipher,
                    head,
                    body,
                    salt=self.salt,
                    session_id=self.session_id,
                    auth_key=self.auth_key,
                ),
            )
            await connection.send(packet)
        except BaseException:
            self.results.pop(message_id, None)
            answer.drop()
            raise
        return message_id, answer

    def _abort(self) -> None:
        """End the connection at once, and fail its calls.

        The library waits for its ping first, and on a dead path the ping waits forever to be written.
        """
        if isinstance(transport := getattr(self.connection, "protocol", None), Transport):
            transport.abort()
        self._fail_pending()

    def _fail_pending(self) -> None:
        for answer in list(self.results.values()):
            if isinstance(answer, _PendingResult):
                answer.fail()


class _PendingResult:
    """The result of a call, in the form that the library's receiver fills in: it sets ``value``, then ``event``."""

    __slots__ = ("future", "value")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self.value: Any = None

    @property
    def event(self) -> "_PendingResult":
        # No attribute: a reference to itself would keep a megabyte in memory until the garbage collector runs.
        return self

    def set(self) -> None:
        if not self.future.done():
            self.future.set_result(self.value)

    def drop(self) -> None:
        """Ignore the result: nobody waits for it."""
        if not self.future.cancel() and not self.future.cancelled():
            self.future.exception()

    def fail(self) -> None:
        if not self.future.done():
            self.future.set_exception(ConnectionLost("the connection ended"))


def _after(message_ids: Collection[int]) -> Buffers:
    """What makes the server carry out a call after those; a session that such a call is made on gets no updates."""
    if not message_ids:
        return ()
    ids = Int(raw.functions.InvokeAfterMsgs.ID, False) + Vector(list(message_ids), Long)
    return (ids + Int(raw.functions.InvokeWithoutUpdates.ID, False),)


def _encrypt(cipher: Cipher, head: bytes, body: Buffers, *, salt: int, session_id: bytes, auth_key: bytes) -> bytes:
    """Encrypt one message with MTProto 2.0: the library's ``pack`` with fewer copies."""
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
class _Response:
    """An answer: its message id, the id of the call that it answers, and the result."""

    message_id: int
    request_id: int
    result: Any


@dataclass(frozen=True, slots=True)
class Chunk:
    """The result of ``upload.getFile``: a view of the packet, not a copy."""

    bytes: memoryview


def _decrypt(cipher: Cipher, packet: bytearray, session_id: bytes, auth_key: bytes) -> _Response | None:
    """Decrypt a packet that answers a call; None for any other packet, and for one that is not authentic."""
    view = memoryview(packet)
    if len(packet) < 24 + 48:
        return None
    key, vector = kdf(auth_key, bytes(view[8:24]), False)
    plain = cipher.decrypt(bytes(view[24:]), key, vector)  # not every cipher takes a view
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
    return _Response(message_id, request_id, _result(plain, 44, 32 + length))


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
    """The client as its media sessions see it: with another transport."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.protocol_factory = Transport if client.proxy is None else client.protocol_factory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Opener:
    """Opens media sessions of one client, one at a time for each data centre.

    ``Client.get_session`` has no lock: concurrent first uses would each make a connection, and leak all but one.

    :param sends: messages are sent on these sessions too, which addresses that are for files alone do not take.
    """

    def __init__(self, client: Client, cipher: Cipher, *, sends: bool = False) -> None:
        self._client, self._cipher, self._sends = client, cipher, sends
        self._locks: dict[int, asyncio.Lock] = {}
        self._addresses: dict[int, tuple[str, int]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def open(self, data_centre: int) -> MediaSession:
        """Return a started session, which the caller stops.

        :raises RPCError: Telegram refused an authorization there.
        :raises AuthKeyRefused: the server refuses the key.
        :raises OSError: no connection.
        """
        async with self._locks.setdefault(data_centre, asyncio.Lock()):
            main = await self._main(data_centre)
            address, port = await self._address(data_centre)
        test_mode = await self._client.storage.test_mode()
        client = _MediaClient(self._client)
        session = MediaSession(
            self._cipher,
            client,
            data_centre,
            server_address=address,
            port=port,
            auth_key=main.auth_key,
            test_mode=test_mode,
            is_media=True,
        )
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await _start(session)
        except BaseException:
            self._addresses.pop(data_centre, None)
            await session.stop()
            raise
        return session

    async def drop_authorization(self, data_centre: int, auth_key: bytes) -> bool:
        """Drop the authorization with *auth_key* there, so that the next session begins a new one. False at home.

        The library would return its session there forever, even with a refused key.
        """
        if data_centre == await self._client.storage.dc_id():
            return False
        sessions = self._client.sessions
        main = sessions.get(data_centre)
        if main is not None and main.auth_key == auth_key:
            del sessions[data_centre]
            logger.warning("authorization.dropped", extra={"client": self._client.name, "dc": data_centre})
            await self._stop(main)
        return True

    async def _main(self, data_centre: int) -> Session:
        """The client's own session there. The library would keep and return one whose login failed."""
        sessions = self._client.sessions
        known = sessions.get(data_centre)
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                return await self._client.get_session(data_centre)
        except BaseException:
            failed = sessions.get(data_centre)
            if failed is not None and failed is not known:
                del sessions[data_centre]
                await self._stop(failed)
            raise

    async def _address(self, data_centre: int) -> tuple[str, int]:
        if data_centre not in self._addresses:
            option = await self._client.get_dc_option(data_centre, is_media=not self._sends, ipv6=self._client.ipv6)
            self._addresses[data_centre] = (option.ip_address, option.port)
        return self._addresses[data_centre]

    async def _stop(self, session: Session) -> None:
        """Stop a session of the library's, to its end even when the caller is cancelled meanwhile."""
        ending = asyncio.create_task(_stop(session))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        await asyncio.shield(ending)


async def _stop(session: Session) -> None:
    """Stop a session of the library's in bounded time, whatever error its receiver ended with.

    The library's stop leaves the connection open when it is cut off in the middle.
    """
    try:
        with contextlib.suppress(TimeoutError, AuthKeyNotFound):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await session.stop()
    finally:
        hang_up(session)


async def _start(session: MediaSession) -> None:
    """Start a session, or raise at once where the library would retry forever.

    :raises AuthKeyRefused: the server refuses the key.
    """
    refused = asyncio.create_task(session.key_refused.wait())
    up = asyncio.create_task(session.is_started.wait())
    starting = asyncio.create_task(session.start())
    try:
        await asyncio.wait((starting, refused), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
        await asyncio.wait((up, refused), return_when=asyncio.FIRST_COMPLETED)
        if refused.done():
            raise AuthKeyRefused(session.auth_key)
    except Unauthorized as error:
        raise AuthKeyRefused(session.auth_key) from error
    finally:
        for task in (refused, up, starting):
            task.cancel()
