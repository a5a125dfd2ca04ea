"""A lane: everything between one client and one data centre.

A few warm media sessions, the window of calls that may be under way on them, the pauses that Telegram asks for, and
the retries that are nobody else's business. All transfers of a client share its lanes, so that together they ask of a
server what it can bear.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
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
from daemon.transfer.datacentres.sessions import Buffers, KeyRefused, LoginForgotten, MediaSession, Opener
from daemon.transfer.errors import AccountAway, Flooded, ResponseTimeout

logger = logging.getLogger(__name__)

LONGEST_PAUSE_S = 10  # a longer flood wait is not sat out
PATIENCE_S = 45.0  # without any answer
TRIES = 10  # of a call that gets none while others do
IDLE_S = 120.0
SERVER_ERRORS = 5
LONGEST_RETRY_S = 1.0


@dataclass(frozen=True)
class Bounds:
    """What the operator allows of one lane."""

    calls_start: int
    calls_high: int
    calls_per_session: int
    sessions_high: int = 4


class DataCentrePool:
    """Calls for parts of files to one data centre."""

    def __init__(self, opener: Opener, data_centre: int, bounds: Bounds) -> None:
        self.data_centre = data_centre
        self.window = Window(bounds.calls_start, 1, bounds.calls_high)
        self.replies = ReplyTime()
        self._opener, self._bounds = opener, bounds
        self._sessions: dict[MediaSession, int] = {}  # with its number of calls under way
        self._opening: asyncio.Task[None] | None = None
        self._open_error: Exception | None = None
        self._outstanding = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._paused_until = 0.0
        self._heard_at = self._used_at = time.monotonic()

    @property
    def calls_high(self) -> int:
        """How many calls may ever be under way."""
        return self._bounds.calls_high

    async def request(self, method: type[TLObject[Any]], body: Buffers, size: int) -> Any:
        """Make a call that moves *size* bytes and return its result, over whatever hiccups.

        :raises Flooded: the wait that Telegram asks for is too long to sit out.
        :raises Silent: no answer for :data:`PATIENCE_S`, or none to this call in :data:`TRIES`.
        :raises AccountAway: the login is refused, a fresh one too.
        :raises RPCError: any other refusal.
        """
        started, server_errors, misses, alone, missed_at = time.monotonic(), 0, 0, 0, 0.0
        refused: bytes | None = None
        while True:
            try:
                async with self._turn() as saturated:
                    begun = time.monotonic()
                    return await self._attempt(method, body, size, saturated)
            except (FloodWait, FloodPremiumWait) as error:
                self._pause(int(error.value or 0))
            except (InternalServerError, ServiceUnavailable):
                server_errors += 1
                if server_errors == SERVER_ERRORS:
                    raise
                await asyncio.sleep(0.2 * 2**server_errors)
            except LoginForgotten as error:
                if refused not in (None, error.auth_key):  # several sessions are refused by one key
                    raise AccountAway from error
                refused = error.auth_key
            except OSError as error:
                alone += self._heard_at > (missed_at or begun)  # others were answered meanwhile
                missed_at = time.monotonic()
                self._missed(method, error, started, alone)
                await asyncio.sleep(min(LONGEST_RETRY_S, 0.02 * 2**misses))
                misses += 1

    async def close_idle(self, now: float) -> None:
        """Stop the sessions that nobody has used for :data:`IDLE_S` seconds; *now* is monotonic."""
        if self._outstanding == 0 and not self._waiting and now - self._used_at > IDLE_S:
            await self._stop_sessions()

    async def stop(self) -> None:
        """Stop every session, the half-open one included."""
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

    async def _attempt(self, method: type[TLObject[Any]], body: Buffers, size: int, saturated: bool) -> Any:
        session = await self._session()
        self._sessions[session] += 1
        started = time.monotonic()
        try:
            result = await session.request(method, body, self.replies.timeout_s)
        except Unauthorized as error:
            if await self._forget(session.auth_key):
                raise LoginForgotten(session.auth_key) from error
            raise
        finally:
            if session in self._sessions:
                self._sessions[session] -= 1
        self._heard_at = time.monotonic()
        self.replies.measured(self._heard_at - started)
        self.window.arrived(size, self._heard_at, saturated=saturated, reply_s=self.replies.smoothed_s)
        return result

    async def _session(self) -> MediaSession:
        """The least busy session that is up; more are opened in the background as the window grows."""
        await self._bury()
        wanted = min(self._bounds.sessions_high, -(-self.window.size // self._bounds.calls_per_session))
        if len(self._sessions) < wanted and self._opening is None:
            self._opening = asyncio.create_task(self._open(), name=f"open media session {self.data_centre}")
        if not (ready := self._ready()):
            await (asyncio.shield(self._opening) if self._opening else asyncio.sleep(0.1))
            ready = self._ready()
        if ready:
            return min(ready, key=self._sessions.__getitem__)
        raise self._open_error or ConnectionError("no media session is up")

    async def _bury(self) -> None:
        """Let go of sessions that will not come back."""
        for session in [session for session in self._sessions if session.is_dead]:
            self._sessions.pop(session, None)  # another call may have let go of it meanwhile
            await session.stop()

    def _ready(self) -> list[MediaSession]:
        return [session for session in self._sessions if session.is_started.is_set()]

    async def _open(self) -> None:
        try:
            self._sessions[await self._opener.open(self.data_centre)] = 0
            self._open_error = None
        except KeyRefused as error:
            self._open_error = LoginForgotten(error.auth_key) if await self._forget(error.auth_key) else AccountAway()
        except (OSError, RPCError) as error:
            self._open_error = error
            logger.info("no media session", extra={"dc": self.data_centre, "reason": str(error)})
        finally:
            self._opening = None

    async def _forget(self, auth_key: bytes) -> bool:
        """Let go of the login that was refused and of the sessions under it. False at home: there is no other."""
        if not await self._opener.forget(self.data_centre, auth_key):
            return False
        refused = [session for session in self._sessions if session.auth_key == auth_key]
        for session in refused:
            del self._sessions[session]
        await asyncio.gather(*(session.stop() for session in refused))
        return True

    def _missed(self, method: type[TLObject[Any]], error: OSError, started: float, alone: int) -> None:
        now = time.monotonic()
        logger.info("no answer", extra={"dc": self.data_centre, "reason": repr(error), "call": method.QUALNAME})
        if now - max(started, self._heard_at) > PATIENCE_S or alone == TRIES:
            raise ResponseTimeout(self.data_centre) from error
        if isinstance(error, TimeoutError):
            self.replies.missed()
            self.window.failed(now, self.replies.smoothed_s)

    def _pause(self, seconds: int) -> None:
        now = time.monotonic()
        self.window.failed(now, self.replies.smoothed_s)
        if seconds > LONGEST_PAUSE_S:
            raise Flooded(seconds)
        logger.info("flood wait", extra={"dc": self.data_centre, "seconds": seconds})
        self._paused_until = max(self._paused_until, now + seconds)
        self._heard_at = self._paused_until

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[bool]:
        """Wait for a place in the window, first come first served. Yields whether there was a wait."""
        saturated = bool(self._waiting) or not self._has_room()
        if saturated:
            await self._queue()
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

    async def _queue(self) -> None:
        """Stand in line until :meth:`_wake` has counted this call among the outstanding."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._outstanding -= 1
                self._wake()
            raise

    def _wake(self) -> None:
        """Let in whoever fits now; while paused, come back when the pause ends."""
        while self._waiting and self._has_room():
            turn = self._waiting.popleft()
            if not turn.done():
                self._outstanding += 1
                turn.set_result(None)
        left = self._paused_until - time.monotonic()
        if self._waiting and left > 0 and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(left, self._pause_over)

    def _pause_over(self) -> None:
        self._timer = None
        self._wake()


class DataCentrePools:
    """The lanes of one client, by data centre."""

    def __init__(self, client: Client, bounds: Bounds, cipher: Cipher) -> None:
        self._opener = Opener(client, cipher)
        self._bounds = bounds
        self._lanes: dict[int, DataCentrePool] = {}

    def to(self, data_centre: int) -> DataCentrePool:
        """The lane to *data_centre*; made at first use, connected at first call."""
        if data_centre not in self._lanes:
            self._lanes[data_centre] = DataCentrePool(self._opener, data_centre, self._bounds)
        return self._lanes[data_centre]

    async def close_idle(self, now: float) -> None:
        """Close what nobody uses."""
        for lane in self._lanes.values():
            await lane.close_idle(now)

    async def stop(self) -> None:
        """Stop all of it. Calls under way fail."""
        await asyncio.gather(*(lane.stop() for lane in self._lanes.values()))
