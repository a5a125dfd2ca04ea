"""How a call to a data centre ends where it has no result."""

import asyncio
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.errors import (
    AuthBytesInvalid,
    AuthKeyUnregistered,
    FloodPremiumWait,
    FloodWait,
    InternalServerError,
    LimitInvalid,
    RPCError,
    ServiceUnavailable,
)

from daemon.transfer.datacentres import pool as pools
from daemon.transfer.datacentres import sessions, transport
from daemon.transfer.datacentres.pool import (
    IDLE_S,
    MAX_PAUSE_S,
    MAX_SERVER_ERRORS,
    MAX_TRIES,
    DataCentrePool,
    PoolLimits,
)
from daemon.transfer.datacentres.sessions import AuthKeyRefused, ConnectionLost, NotCarriedOut, Opener
from daemon.transfer.errors import AccountAway, FloodWaitTooLong, ResponseTimeout

ALL_WELL = object()


class Session:
    """An open session with a key of its own; each call raises the next answer, or returns it."""

    is_dead = is_stopped = False
    connection: Any = None

    def __init__(self, key: bytes, *answers: object) -> None:
        self.auth_key, self._answers = key, iter(answers)
        self.is_started = asyncio.Event()
        self.is_started.set()

    async def request(self, *_: object) -> Any:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def stop(self) -> None:
        self.is_stopped = True


class Opening:
    """Opens these sessions one after the other, or raises what stands in place of one."""

    def __init__(self, *sessions: Session | Exception, is_home: bool = False) -> None:
        self._sessions: Iterator[Session | Exception] = iter(sessions)
        self._is_home = is_home

    async def open(self, _: int) -> Any:
        session = next(self._sessions)
        if isinstance(session, Exception):
            raise session
        return session

    async def drop_authorization(self, *_: object) -> bool:
        return not self._is_home


def pool(*sessions: Session | Exception, is_home: bool = False) -> DataCentrePool:
    opener: Any = Opening(*sessions, is_home=is_home)
    return DataCentrePool(opener, 2, PoolLimits(calls_start=4, calls_high=4, calls_per_session=4))


async def move(calls: DataCentrePool) -> Any:
    return await calls.request(raw.functions.upload.GetFile, [b""], 1)


async def move_at_once(calls: DataCentrePool) -> Any:
    return await calls.request_after([[b""]], raw.functions.messages.SendMedia, [b""], 1)


@pytest.mark.parametrize("flood", [FloodWait, FloodPremiumWait])
async def test_a_long_flood_wait_is_not_sat_out(flood: type[RPCError]) -> None:
    with pytest.raises(FloodWaitTooLong) as told:
        await move(pool(Session(b"a", flood(value=MAX_PAUSE_S + 1))))
    assert told.value.seconds == MAX_PAUSE_S + 1


async def test_a_server_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "RESPONSE_TIMEOUT_S", -1.0)
    with pytest.raises(ResponseTimeout) as told:
        await move(pool(Session(b"a", TimeoutError())))
    assert told.value.counts


async def test_a_fresh_login_is_tried_once() -> None:
    refusal = AuthKeyUnregistered()
    assert await move(pool(Session(b"a", refusal), Session(b"b", ALL_WELL))) is ALL_WELL
    with pytest.raises(AccountAway):
        await move(pool(Session(b"a", refusal), Session(b"b", refusal), Session(b"c", ALL_WELL)))


@pytest.mark.parametrize("call", [move, move_at_once])
async def test_a_login_that_is_refused_at_home_is_awaited(call: Any) -> None:
    with pytest.raises(AccountAway):
        await call(pool(AuthKeyRefused(b"a"), is_home=True))


@pytest.mark.parametrize("call", [move, move_at_once])
async def test_a_refusal_is_passed_on_as_it_is(call: Any) -> None:
    with pytest.raises(LimitInvalid):
        await call(pool(Session(b"a", LimitInvalid())))


@pytest.mark.parametrize("error", [NotCarriedOut("MSG_WAIT_FAILED"), ConnectionLost("ended"), TimeoutError()])
async def test_a_flight_is_not_repeated(error: Exception) -> None:
    with pytest.raises(type(error)):
        await move_at_once(pool(Session(b"a", error, ALL_WELL)))


async def test_a_flight_whose_login_is_dropped_may_have_arrived() -> None:
    with pytest.raises(ConnectionError):
        await move_at_once(pool(Session(b"a", AuthKeyUnregistered()), Session(b"b", ALL_WELL)))


# Before there is a session


@pytest.mark.parametrize("error", [OSError("unreachable"), AuthBytesInvalid()])
async def test_a_login_that_fails_leaves_no_session_behind(error: Exception) -> None:
    # Given a client that keeps the session whose login fails, as the library does
    failed = Session(b"a")
    client: Any = SimpleNamespace(sessions={})

    async def get_session(data_centre: int) -> Any:
        client.sessions[data_centre] = failed
        raise error

    client.get_session = get_session
    cipher: Any = None
    with pytest.raises(type(error)):
        await Opener(client, cipher).open(4)
    assert client.sessions == {} and failed.is_stopped


class Ending(Session):
    """Takes a while to stop, and closes its connection last, as the library's does."""

    def __init__(self) -> None:
        super().__init__(b"a")
        transport = SimpleNamespace(abort=self.close)
        self.connection = SimpleNamespace(protocol=SimpleNamespace(writer=SimpleNamespace(transport=transport)))
        self.is_closed, self.goes_on = False, asyncio.Event()

    async def stop(self) -> None:
        await self.goes_on.wait()
        self.close()

    def close(self) -> None:
        self.is_closed = True


async def dropping(session: Session) -> "asyncio.Task[bool]":
    async def dc_id() -> int:
        return 2

    client: Any = SimpleNamespace(name="account", sessions={4: session}, storage=SimpleNamespace(dc_id=dc_id))
    cipher: Any = None
    task = asyncio.create_task(Opener(client, cipher).drop_authorization(4, b"a"))
    await settled()
    return task


async def test_who_gives_up_leaves_no_connection_open() -> None:
    session = Ending()
    task = await dropping(session)
    task.cancel()
    await settled()
    assert task.cancelled()
    session.goes_on.set()
    await settled()
    assert session.is_closed


async def test_a_stop_that_takes_too_long_leaves_none_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "CLOSE_TIMEOUT_S", 0.0)
    session = Ending()
    assert await (await dropping(session))
    assert session.is_closed


@pytest.mark.parametrize("is_silent", [True, False])
async def test_an_address_that_does_not_answer(is_silent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def create_connection(*_: object, **__: object) -> Any:
        if not is_silent:
            raise ConnectionRefusedError
        await asyncio.Event().wait()

    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_S", 0.01)
    loop: Any = SimpleNamespace(create_connection=create_connection)
    connection = transport.Transport(ipv6=False, loop=loop)
    with pytest.raises(TimeoutError if is_silent else ConnectionRefusedError):
        await connection.connect(("192.0.2.1", 443))
    with pytest.raises(ConnectionResetError):
        await connection.send(b"word")


# Calls that wait for each other


class Slow(Session):
    """Answers each call when it is told to."""

    def __init__(self) -> None:
        super().__init__(b"a")
        self.asked: list[Any] = []
        self.answers: dict[Any, asyncio.Event] = {}

    async def request(self, *call: object) -> Any:
        _, body, *_ = call
        self.asked.append(body)
        await self.answers.setdefault(body, asyncio.Event()).wait()
        return ALL_WELL


def one_at_a_time(session: Session) -> DataCentrePool:
    opener: Any = Opening(session)
    return DataCentrePool(opener, 2, PoolLimits(calls_start=1, calls_high=1, calls_per_session=4))


def begin(calls: DataCentrePool, body: Any) -> "asyncio.Task[Any]":
    return asyncio.create_task(calls.request(raw.functions.upload.GetFile, body, 1))


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_calls_are_made_in_their_order() -> None:
    session = Slow()
    calls = one_at_a_time(session)
    tasks = [begin(calls, body) for body in "abc"]
    await settled()
    for number, body in enumerate("abc", 1):
        assert session.asked == list("abc"[:number])
        session.answers[body].set()
        await settled()
    assert await asyncio.gather(*tasks) == [ALL_WELL] * 3


async def test_a_call_that_gives_up_waiting_takes_no_place() -> None:
    session = Slow()
    calls = one_at_a_time(session)
    first, second, third, fourth = (begin(calls, body) for body in "abcd")
    await settled()
    second.cancel()
    await settled()
    assert session.asked == ["a"], "the first is under way still"
    session.answers["a"].set()
    await settled()
    assert session.asked == ["a", "c"]
    for body in "cd":
        session.answers.setdefault(body, asyncio.Event()).set()
    assert await asyncio.gather(first, third, fourth) == [ALL_WELL] * 3


async def test_a_call_that_gives_up_at_its_turn_passes_it_on() -> None:
    session = Slow()
    calls = one_at_a_time(session)

    async def first() -> None:
        await calls.request(raw.functions.upload.GetFile, "a", 1)  # type: ignore[arg-type]
        second.cancel()  # it has the place by now, and has not heard so

    leading = asyncio.create_task(first())
    await settled()
    second, third = (begin(calls, body) for body in "bc")
    await settled()
    session.answers["a"].set()
    await settled()
    assert session.asked == ["a", "c"] and second.cancelled()
    session.answers["c"].set()
    await asyncio.gather(leading, third)


# How often a call is tried


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits."""

    async def sleep(_: float) -> None:
        """No time at all."""

    monkeypatch.setattr(asyncio, "sleep", sleep)


@pytest.mark.usefixtures("at_once")
async def test_a_server_with_a_fault_is_asked_again_so_often() -> None:
    faults = [ServiceUnavailable() if number % 2 else InternalServerError() for number in range(MAX_SERVER_ERRORS)]
    assert await move(pool(Session(b"a", *faults[1:], ALL_WELL))) is ALL_WELL
    with pytest.raises((ServiceUnavailable, InternalServerError)):
        await move(pool(Session(b"a", *faults, ALL_WELL)))


@pytest.mark.usefixtures("at_once")
async def test_several_sessions_of_one_refused_login_are_one_refusal() -> None:
    refusal = AuthKeyUnregistered()
    assert await move(pool(Session(b"a", refusal), Session(b"a", refusal), Session(b"b", ALL_WELL))) is ALL_WELL


@pytest.mark.usefixtures("at_once")
async def test_a_call_goes_on_while_nothing_is_answered() -> None:
    silence = [TimeoutError()] * (2 * MAX_TRIES)
    assert await move(pool(Session(b"a", *silence, ALL_WELL))) is ALL_WELL


async def test_a_call_that_alone_is_not_answered_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(b"a", *[TimeoutError(), ALL_WELL] * (MAX_TRIES + 1), ALL_WELL)
    calls, tries = pool(session), 0

    async def another_call(_: float) -> None:
        nonlocal tries
        tries += 1
        await move(calls)

    monkeypatch.setattr(asyncio, "sleep", another_call)
    with pytest.raises(ResponseTimeout):
        await move(calls)
    assert tries == MAX_TRIES, "after each but the last miss another call is answered"


async def test_sessions_that_nobody_uses_are_closed() -> None:
    session = Slow()
    calls = one_at_a_time(session)
    called = begin(calls, "a")
    await settled()
    later = time.monotonic() + IDLE_S + 1
    await calls.close_idle(later)
    assert not session.is_stopped, "a call is under way"
    session.answers["a"].set()
    assert await called is ALL_WELL
    await calls.close_idle(time.monotonic() + IDLE_S / 2)
    assert not session.is_stopped
    await calls.close_idle(later)
    assert session.is_stopped


@pytest.mark.asyncio
async def test_room_to_write_is_told_to_who_still_waits() -> None:
    packets = transport._Packets()
    packets.resume_writing()
    packets.pause_writing()
    assert packets._writable is not None
    packets._writable.cancel()
    packets.resume_writing()

    assert packets._writable is None
