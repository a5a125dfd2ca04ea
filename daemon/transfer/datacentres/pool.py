"""The calls of one client to one data centre.

A pool has a few open media sessions, a window of calls that may be under way on them, the pauses that Telegram asks
for, and the retries. All transfers of a client share its pools, so that together they send a server no more calls than
it answers.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyrogram import Client
from pyrogram.errors import (
    FloodPremiumWait,
    FloodWait,
    InternalServerError,
    RPCError,
    ServiceUnavailable,
    Unauthorized,
)
from pyrogram.raw.core import TLObject

from daemon.transfer.datacentres.cipher import Cipher
from daemon.transfer.datacentres.congestion import ReplyTime, Window
from daemon.transfer.datacentres.sessions import AuthKeyRefused, AuthorizationDropped, Buffers, MediaSession, Opener
from daemon.transfer.errors import AccountAway, FloodWaitTooLong, ResponseTimeout

logger = logging.getLogger(__name__)

MAX_PAUSE_S = 10  # a longer flood wait is not sat out
RESPONSE_TIMEOUT_S = 45.0  # without any answer
MAX_TRIES = 10  # of a call that gets no answer while others do
IDLE_S = 120.0
FLIGHT_TIMEOUT_S = 6.0  # a call that does more than move bytes takes longer than those
MAX_SERVER_ERRORS = 5
MAX_RETRY_WAIT_S = 1.0


@dataclass(frozen=True)
class PoolLimits:
    """What the operator allows one pool."""

    calls_start: int
    calls_high: int
    calls_per_session: int
    sessions_high: int = 4


class DataCentrePool:
    """Calls for parts of files to one data centre."""

    def __init__(self, opener: Opener, data_centre: int, limits: PoolLimits) -> None:
        self.data_centre = data_centre
        self.window = Window(limits.calls_start, 1, limits.calls_high)
        self.replies = ReplyTime()
        self._opener, self._limits = opener, limits
        self._sessions: dict[MediaSession, int] = {}  # and the number of calls under way on each
        self._opening: asyncio.Task[None] | None = None
        self._open_error: Exception | None = None
        self._outstanding = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._paused_until = 0.0
        self._answered_at = self._used_at = time.monotonic()

    @property
    def calls_high(self) -> int:
        """The largest number of calls that may be under way."""
        return self._limits.calls_high

    async def request(self, method: type[TLObject[Any]], body: Buffers, size: int) -> Any:
        """Make a call that moves *size* bytes, with its retries, and return its result.

        :raises FloodWaitTooLong: the wait that Telegram asks for is too long to sit out.
        :raises ResponseTimeout: no answer for :data:`RESPONSE_TIMEOUT_S`, or none to this call in :data:`MAX_TRIES`.
        :raises AccountAway: the login is refused, a fresh one too.
        :raises RPCError: any other refusal.
        """
        started, server_errors, misses, misses_alone, missed_at = time.monotonic(), 0, 0, 0, 0.0
        refused: bytes | None = None
        while True:
            try:
                async with self._slot() as saturated:
                    begun = time.monotonic()
                    return await self._attempt(method, body, size, saturated)
            except (FloodWait, FloodPremiumWait) as error:
                self._pause(int(error.value or 0))
            except (InternalServerError, ServiceUnavailable):
                server_errors += 1
                if server_errors == MAX_SERVER_ERRORS:
                    raise
                await asyncio.sleep(0.2 * 2**server_errors)
            except AuthorizationDropped as error:
                if refused not in (None, error.auth_key):  # one key may refuse several sessions
                    raise AccountAway from error
                refused = error.auth_key
            except OSError as error:
                misses_alone += self._answered_at > (missed_at or begun)  # others were answered meanwhile
                missed_at = time.monotonic()
                self._missed(method, error, started, misses_alone)
                await asyncio.sleep(min(MAX_RETRY_WAIT_S, 0.02 * 2**misses))
                misses += 1

    async def request_after(
        self, before: Sequence[Buffers], method: type[TLObject[Any]], body: Buffers, size: int
    ) -> Any:
        """Make a call in one flight with those *before* it, which move *size* bytes, and return its result. No retries.

        :raises NotCarriedOut: one of those before it has failed.
        :raises RPCError: Telegram refused the call itself.
        :raises OSError: no answer, so it may have been carried out.
        :raises AccountAway: the login is refused.
        """
        async with self._slot() as saturated:
            try:
                return await self._attempt(method, body, size, saturated, before=before)
            except AuthorizationDropped as error:
                raise ConnectionError("the authorization was dropped") from error

    def warm(self) -> None:
        """Begin to open a session, where none is open: somebody is about to make a call."""
        if not self._sessions:
            self._open_one_more()

    async def close_idle(self, now: float) -> None:
        """Stop all sessions after :data:`IDLE_S` seconds without a call; *now* is monotonic seconds."""
        if self._outstanding == 0 and not self._waiting and now - self._used_at > IDLE_S:
            await self._stop_sessions()

    async def stop(self) -> None:
        """Stop every session, also one that is being opened."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        await self._stop_sessions()

    async def _stop_sessions(self) -> None:
        sessions = list(self._sessions)
        self._sessions.clear()
        await asyncio.gather(*(session.stop() for session in sessions))

    async def _attempt(
        self, method: type[TLObject[Any]], body: Buffers, size: int, saturated: bool, *, before: Sequence[Buffers] = ()
    ) -> Any:
        session = await self._session()
        self._sessions[session] += 1
        started = time.monotonic()
        timeout = max(self.replies.timeout_s, FLIGHT_TIMEOUT_S) if before else self.replies.timeout_s
        try:
            result = await session.request(method, body, timeout, before)
        except Unauthorized as error:
            if await self._drop_authorization(session.auth_key):
                raise AuthorizationDropped(session.auth_key) from error
            raise
        finally:
            if session in self._sessions:
                self._sessions[session] -= 1
        self._answered_at = time.monotonic()
        if not before:
            self.replies.measured(self._answered_at - started)
        self.window.arrived(size, self._answered_at, saturated=saturated, reply_s=self.replies.smoothed_s)
        return result

    async def _session(self) -> MediaSession:
        """The least busy open session. More are opened in the background as the window grows."""
        await self._drop_dead_sessions()
        wanted = min(self._limits.sessions_high, -(-self.window.size // self._limits.calls_per_session))
        if len(self._sessions) < wanted:
            self._open_one_more()
        if not (ready := self._ready()):
            await (asyncio.shield(self._opening) if self._opening else asyncio.sleep(0.1))
            ready = self._ready()
        if ready:
            return min(ready, key=self._sessions.__getitem__)
        raise self._open_error or ConnectionError("no media session is up")

    def _open_one_more(self) -> None:
        if self._opening is None:
            self._used_at = time.monotonic()
            self._opening = asyncio.create_task(self._open(), name=f"open media session {self.data_centre}")

    async def _drop_dead_sessions(self) -> None:
        """Stop and drop the sessions that will not come back."""
        for session in [session for session in self._sessions if session.is_dead]:
            self._sessions.pop(session, None)  # another call may have dropped it meanwhile
            await session.stop()

    def _ready(self) -> list[MediaSession]:
        return [session for session in self._sessions if session.is_started.is_set()]

    async def _open(self) -> None:
        try:
            self._sessions[await self._opener.open(self.data_centre)] = 0
            self._open_error = None
        except AuthKeyRefused as error:
            self._open_error = (
                AuthorizationDropped(error.auth_key)
                if await self._drop_authorization(error.auth_key)
                else AccountAway()
            )
        except (OSError, RPCError) as error:
            self._open_error = error
            logger.info("media_session.unopened", extra={"dc": self.data_centre, "reason": str(error)})
        finally:
            self._opening = None

    async def _drop_authorization(self, auth_key: bytes) -> bool:
        """Drop the refused authorization and its sessions. False in the home data centre, which has no other."""
        if not await self._opener.drop_authorization(self.data_centre, auth_key):
            return False
        refused = [session for session in self._sessions if session.auth_key == auth_key]
        for session in refused:
            del self._sessions[session]
        await asyncio.gather(*(session.stop() for session in refused))
        return True

    def _missed(self, method: type[TLObject[Any]], error: OSError, started: float, misses_alone: int) -> None:
        now = time.monotonic()
        logger.info("call.unanswered", extra={"dc": self.data_centre, "reason": repr(error), "call": method.QUALNAME})
        if now - max(started, self._answered_at) > RESPONSE_TIMEOUT_S or misses_alone == MAX_TRIES:
            raise ResponseTimeout(self.data_centre) from error
        if isinstance(error, TimeoutError):
            self.replies.missed()
            self.window.failed(now, self.replies.smoothed_s)

    def _pause(self, seconds: int) -> None:
        now = time.monotonic()
        self.window.failed(now, self.replies.smoothed_s)
        if seconds > MAX_PAUSE_S:
            raise FloodWaitTooLong(seconds)
        logger.info("call.flooded", extra={"dc": self.data_centre, "seconds": seconds})
        self._paused_until = max(self._paused_until, now + seconds)
        self._answered_at = self._paused_until

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[bool]:
        """Take a slot of the window, first come, first served. Yields whether the call had to wait."""
        saturated = bool(self._waiting) or not self._has_room()
        if saturated:
            await self._wait_for_slot()
        else:
            self._outstanding += 1
        self._used_at = time.monotonic()
        try:
            yield saturated
        finally:
            self._outstanding -= 1
            self._wake()

    def _has_room(self) -> bool:
        return self._outstanding < self.window.size and time.monotonic() >= self._paused_until

    async def _wait_for_slot(self) -> None:
        """Wait until :meth:`_wake` has counted this call as outstanding."""
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(granted)
        self._wake()
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self._outstanding -= 1
                self._wake()
            raise

    def _wake(self) -> None:
        """Give free slots to waiting calls; while paused, do so when the pause ends."""
        while self._waiting and self._has_room():
            granted = self._waiting.popleft()
            if not granted.done():
                self._outstanding += 1
                granted.set_result(None)
        left = self._paused_until - time.monotonic()
        if self._waiting and left > 0 and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(left, self._pause_over)

    def _pause_over(self) -> None:
        self._timer = None
        self._wake()


class DataCentrePools:
    """The pools of one client, by data centre.

    :param sends: messages are sent on their sessions too.
    """

    def __init__(self, client: Client, limits: PoolLimits, cipher: Cipher, *, sends: bool = False) -> None:
        self._new_opener = partial(Opener, client, cipher, sends=sends)
        self._opener, self._limits = self._new_opener(), limits
        self._pools: dict[int, DataCentrePool] = {}

    def to(self, data_centre: int) -> DataCentrePool:
        """The pool for *data_centre*, made at first use and connected at the first call."""
        if data_centre not in self._pools:
            self._pools[data_centre] = DataCentrePool(self._opener, data_centre, self._limits)
        return self._pools[data_centre]

    async def close_idle(self, now: float) -> None:
        """Close the idle sessions of every pool."""
        for pool in self._pools.values():
            await pool.close_idle(now)

    async def stop(self) -> None:
        """Stop every pool. Calls under way fail."""
        await asyncio.gather(*(pool.stop() for pool in self._pools.values()))

    async def renew(self) -> None:
        """Stop every pool, and begin anew with the account that the client has then."""
        await self.stop()
        self._pools.clear()
        self._opener = self._new_opener()
