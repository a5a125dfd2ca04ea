"""A connection to Telegram: when it is tried again, what it is called meanwhile, and when it is given up."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram.errors import AuthKeyUnregistered, FloodWait, InternalServerError, UserDeactivatedBan
from pyrogram.session.session import AuthKeyNotFound, SessionState

from daemon.connections import Connections
from daemon.telegram import clients
from daemon.telegram.clients import (
    MAX_RECONNECT_WAIT_S,
    MAX_RECOVERY_WAIT_S,
    MAX_REFUSALS,
    Connection,
    ConnectionState,
    refusal_wait,
)
from daemon.telegram.errors import LoginLost, LoginRefused
from daemon.telegram.rpc import FLOOD_MARGIN_S
from models import notes
from models.accounts.pool import AccountState
from models.event_kinds import IncidentKey
from models.maintenance import health

LOST, OK, REVOKED, BANNED = (
    ConnectionState.LOST,
    ConnectionState.OK,
    ConnectionState.REVOKED,
    ConnectionState.BANNED,
)


class Library:
    """A client of the library that logs in like this: each answer is an error, or None for success."""

    in_memory = False

    def __init__(self, *answers: Exception | None, token: str | None = "token") -> None:
        self._answers = list(answers)
        self.name, self.bot_token = ("bot", token) if token else ("account", None)
        self.session: Any = None
        self.sessions: dict[int, Any] = {}
        self.media_sessions: dict[int, Any] = {}
        self.is_initialized = self.is_connected = False
        self.dispatcher = SimpleNamespace(handler_worker_tasks=[], locks_list=[])
        self.updates_watchdog_task: Any = None
        self.deleted = self.closed = 0
        self.storage = SimpleNamespace(delete=self._delete, close=self._close)

    async def start(self) -> None:
        answer = self._answers.pop(0)
        if answer is not None:
            raise answer

    async def _delete(self) -> None:
        self.deleted += 1
        raise FileNotFoundError

    async def _close(self) -> None:
        self.closed += 1


class Ended:
    """A session that stops like this, with a connection that may be hung up."""

    def __init__(self, stop: Callable[[], Any]) -> None:
        self.stop, self.recv_task = stop, None
        self.is_hung_up = False
        transport = SimpleNamespace(abort=self._abort)
        self.connection = SimpleNamespace(protocol=SimpleNamespace(writer=SimpleNamespace(transport=transport)))

    def _abort(self) -> None:
        self.is_hung_up = True


class Watched:
    """A connection whose changes and pauses are noted; the pauses take no time."""

    def __init__(self, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        self.library = library
        self.states: list[object] = []
        self.pauses: list[float] = []
        client: Any = library
        self.connection = Connection(client, self._changed, self._started)
        self.ends_after = 1000
        monkeypatch.setattr(asyncio, "sleep", self._sleep)

    async def start(self) -> list[object]:
        await self.connection.start()
        return self.states

    async def watch(self, seconds: int) -> list[object]:
        """Watch it for so many looks."""
        self.ends_after = len(self.pauses) + seconds
        with pytest.raises(asyncio.CancelledError):
            await self.connection.watch()
        return self.states

    async def _changed(self, state: ConnectionState, _: str) -> None:
        assert self.connection.up.is_set() is (state is OK)
        self.states.append(state)

    async def _started(self) -> None:
        assert not self.connection.up.is_set(), "nobody may use it yet"
        self.states.append("started")

    async def _sleep(self, seconds: float) -> None:
        if len(self.pauses) >= self.ends_after:
            raise asyncio.CancelledError
        self.pauses.append(seconds)


Making = Callable[..., Watched]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Making:
    return lambda *answers, **more: Watched(Library(*answers, **more), monkeypatch)


# Logging in


async def test_it_is_tried_for_as_long_as_the_network_is_away(watched: Making) -> None:
    away = watched(*[OSError("no route")] * 20, None)
    assert await away.start() == [LOST, "started", OK]
    assert away.pauses[:3] == [2, 4, 8] and max(away.pauses) == MAX_RECONNECT_WAIT_S and len(away.pauses) == 20
    assert away.library.deleted == 0


async def test_an_odd_error_is_an_absence(watched: Making) -> None:
    odd = watched(ValueError("odd"), None)
    assert await odd.start() == [LOST, "started", OK] and odd.library.deleted == 0


@pytest.mark.parametrize(("token", "deleted"), [("token", MAX_REFUSALS), (None, 0)])
@pytest.mark.parametrize(("error", "state"), [(AuthKeyUnregistered(), REVOKED), (UserDeactivatedBan(), BANNED)])
async def test_a_login_that_is_refused_is_given_up(
    watched: Making, error: Exception, state: ConnectionState, token: str | None, deleted: int
) -> None:
    refused = watched(*[error] * MAX_REFUSALS, None, token=token)
    with pytest.raises(LoginRefused):
        await refused.start()
    assert refused.states == [state]
    assert refused.pauses == [refusal_wait(number) for number in range(1, MAX_REFUSALS)]
    assert refused.library.deleted == deleted, "a bot logs in anew with its token; an account cannot"


async def test_a_key_that_telegram_forgot_is_told_by_its_session(watched: Making) -> None:
    forgotten = watched(TimeoutError(), None)
    receiver = asyncio.get_running_loop().create_future()
    receiver.set_exception(AuthKeyNotFound())
    closed: list[str] = []

    async def stop() -> None:
        closed.append("session")

    async def close() -> None:
        closed.append("storage")

    forgotten.library.session = session = Ended(stop)
    session.recv_task = receiver  # type: ignore[assignment]
    forgotten.library.storage.close = close
    assert await forgotten.start() == [REVOKED, "started", OK]
    assert closed == ["session", "storage"] and forgotten.library.deleted == 1


async def test_a_flood_wait_is_obeyed_and_says_nothing_of_the_login(watched: Making) -> None:
    flooded = watched(FloodWait(1000), FloodWait(1), None)
    assert await flooded.start() == ["started", OK]
    assert flooded.pauses == [1000 + FLOOD_MARGIN_S, 1 + FLOOD_MARGIN_S] and flooded.library.deleted == 0


# Being watched


@pytest.fixture
def probed(watched: Making, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A connection that is up, and what Telegram answers when it is asked."""
    monkeypatch.setattr(clients, "PROBE_S", 0)
    monkeypatch.setattr(clients, "PROBE_LOST_S", 0)

    async def made(*answers: Exception | None, **more: Any) -> Watched:
        found = watched(None, **more)
        await found.start()
        found.states.clear()
        found.library.session = SimpleNamespace(recv_task=None, state=SessionState.STARTED)
        left = list(answers)

        async def invoke(*_: object, **__: object) -> None:
            if (answer := left.pop(0) if left else None) is not None:
                raise answer

        monkeypatch.setattr(clients, "invoke", invoke)
        return found

    return made


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionError(), ValueError("odd")])
async def test_it_is_lost_until_telegram_answers(probed: Callable[..., Any], error: Exception) -> None:
    found = await probed(None, error, error, None)
    assert await found.watch(6) == [LOST, OK]


@pytest.mark.parametrize("error", [InternalServerError(), FloodWait(60)])
async def test_an_answer_that_is_an_error_is_an_answer(probed: Callable[..., Any], error: Exception) -> None:
    found = await probed(error, TimeoutError(), error)
    assert await found.watch(5) == [LOST, OK], "the first one changes nothing"
    assert await (await probed(error, error)).watch(3) == []


@pytest.mark.parametrize(("error", "state"), [(AuthKeyUnregistered(), REVOKED), (UserDeactivatedBan(), BANNED)])
@pytest.mark.parametrize(("token", "deleted"), [("token", 1), (None, 0)])
async def test_a_login_that_telegram_has_ended_is_lost(
    probed: Callable[..., Any], error: Exception, state: ConnectionState, token: str | None, deleted: int
) -> None:
    found = await probed(None, error, token=token)
    with pytest.raises(LoginLost):
        await found.connection.watch()
    assert found.states == [state] and found.library.deleted == deleted


async def test_a_key_that_is_forgotten_meanwhile_is_noticed(probed: Callable[..., Any]) -> None:
    found = await probed()
    receiver = asyncio.get_running_loop().create_future()
    receiver.set_exception(AuthKeyNotFound())
    found.library.session.recv_task = receiver
    with pytest.raises(LoginLost):
        await found.connection.watch()
    assert found.states == [REVOKED]


async def test_missed_updates_are_asked_for_ever_more_slowly(watched: Making) -> None:
    found = watched(None)
    answers = [*[False] * 12, True, False, True]
    asked = 0

    async def recover() -> bool:
        nonlocal asked
        asked += 1
        if asked == 14:
            found.pauses.append(-1)  # from here on they have been asked for anew
        return answers[asked - 1]

    bot: Any = SimpleNamespace(recover=recover)
    asking = asyncio.create_task(found.connection.recover_gaps(bot))
    for number in (13, 15):
        found.connection._gap.set()
        async with asyncio.timeout(5):
            while asked < number:
                await asyncio.wait({asking}, timeout=0)
    asking.cancel()
    assert found.pauses[:4] == [1, 2, 4, 8] and max(found.pauses) == MAX_RECOVERY_WAIT_S
    assert found.pauses[12:] == [-1, 1]


# The end


async def test_a_stop_waits_for_nothing_that_hangs(watched: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "STOP_TIMEOUT_S", 0.01)
    stopped: list[str] = []

    async def hang() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise OSError("gone")

    async def stop() -> None:
        stopped.append("session")

    found = watched(None)
    found.library.is_initialized = True
    found.library.stop = hang  # type: ignore[attr-defined]
    failing, hanging, stopping, main = Ended(fail), Ended(hang), Ended(stop), Ended(hang)
    found.library.media_sessions = {1: failing, 2: hanging}
    found.library.sessions = {1: stopping}
    found.library.session = main
    await asyncio.wait_for(found.connection.stop(), 5)
    assert stopped == ["session"]
    assert failing.is_hung_up and hanging.is_hung_up and main.is_hung_up
    assert found.library.closed == 1 and found.library.session is None and not found.library.is_initialized


async def test_a_stop_that_is_cut_off_hangs_up_all_the_same(watched: Making) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    found = watched(None)
    found.library.session, found.library.sessions = main, others = Ended(hang), {1: Ended(hang)}
    stopping = asyncio.create_task(found.connection.stop())
    await asyncio.wait({stopping}, timeout=0)
    stopping.cancel()
    await asyncio.wait({stopping})
    assert stopping.cancelled() and main.is_hung_up and others[1].is_hung_up


# Which account is connected, and what is recorded of it


class Shop:
    """The two connections of a daemon, and what is kept of them."""

    def __init__(self) -> None:
        self.kept: list[tuple[Any, ...]] = []
        self.seated: list[object] = []
        self.is_thawed = True
        self.wakes = 0
        client: Any = SimpleNamespace(name="account", me=None)
        self.bot: Any = SimpleNamespace(name="bot", me=None)
        seat: Any = SimpleNamespace(
            client=client, arrived=None, lost=self._lost, thawed=self._thawed, take=self._note("take"),
            wait=self._note("wait"), leave=self._note("leave"), changed=asyncio.Event().wait,
        )  # fmt: skip
        rows: Any = self._rows
        wakeup: Any = SimpleNamespace(wake=self._wake)
        self.connections = Connections(self.bot, seat, rows, wakeup)

    def _note(self, what: str) -> Callable[..., Any]:
        async def note(*_: object) -> None:
            self.seated.append(what)

        return note

    async def _lost(self, state: AccountState, reason: str) -> None:
        self.kept.append(("lost", state, reason))

    async def _thawed(self) -> bool:
        return self.is_thawed

    async def _rows(self, function: Any, *values: Any) -> None:
        self.kept.append((function, *values[:-1]))

    def _wake(self) -> None:
        self.wakes += 1


async def test_a_login_that_has_ended_is_an_incident() -> None:
    ends = (
        (REVOKED, IncidentKey.ACCOUNT_REVOKED),
        (BANNED, IncidentKey.ACCOUNT_BANNED),
        (ConnectionState.UNOPENABLE, IncidentKey.ACCOUNT_UNOPENABLE),
    )
    for state, key in ends:
        shop = Shop()
        await shop.connections._account_changed(state, "why")
        assert shop.kept == [("lost", AccountState(state.value), "why"), (health.open_incident, key, "why")]
        assert shop.wakes == 1 and shop.connections._changed.is_set()


async def test_an_account_that_is_back_ends_them_all() -> None:
    shop = Shop()
    await shop.connections._account_changed(OK, "")
    closed = {kept[1] for kept in shop.kept if kept[0] is health.close_incident}
    assert closed == {IncidentKey.ACCOUNT_REVOKED, IncidentKey.ACCOUNT_BANNED, IncidentKey.ACCOUNT_UNOPENABLE}
    assert len(shop.kept) == 3
    assert shop.wakes == 1


async def test_an_account_that_is_away_is_neither() -> None:
    shop = Shop()
    for state in (LOST, ConnectionState.STARTING, ConnectionState.PAUSED):
        await shop.connections._account_changed(state, "why")
    assert shop.kept == [] and shop.wakes == 3


async def test_the_bots_name_is_kept_once_it_is_up() -> None:
    shop = Shop()
    await shop.connections._bot_changed(OK, "")
    shop.bot.me = SimpleNamespace(id=5, username="shop_bot", first_name="Shop")
    await shop.connections._bot_changed(LOST, "")
    assert shop.kept == []
    await shop.connections._bot_changed(OK, "")
    assert shop.kept == [(notes.put, "bot", {"id": 5, "username": "shop_bot", "name": "Shop"})]


async def test_a_frozen_account_is_up_anew_once_thawed() -> None:
    shop = Shop()
    await shop.connections._frozen("2027-01-01")
    assert shop.kept == [("lost", AccountState.FROZEN, "2027-01-01")]
    for is_thawed in (False, True):
        shop.is_thawed = is_thawed
        await shop.connections._frozen(None)
        assert (shop.connections.account.up_since > 0) is is_thawed


class Account:
    """The account's connection, whose log-in ends so; another account is chosen where it does not end."""

    def __init__(self, error: Exception | None, state: ConnectionState) -> None:
        self._error, self.state = error, state
        self.rests: list[ConnectionState] = []
        self.stops = 0

    async def start(self) -> None:
        if self._error is None:
            await asyncio.Event().wait()
        elif isinstance(self._error, LoginRefused):
            raise self._error

    async def watch(self) -> None:
        assert self._error is not None
        raise self._error

    async def rest(self, state: ConnectionState) -> None:
        self.rests.append(state)

    async def stop(self) -> None:
        self.stops += 1


async def kept(shop: Shop, account: Any) -> None:
    """Keep an account connected once, until its seat is left."""

    async def leave() -> None:
        shop.seated.append("leave")
        raise asyncio.CancelledError

    shop.connections.account = account
    seat: Any = shop.connections.seat
    seat.leave = leave
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(shop.connections.keep_account(), 5)


@pytest.mark.parametrize("error", [LoginLost("account", "why"), LoginRefused("account", "why")])
async def test_an_account_whose_login_ended_is_tried_again_later(error: Exception) -> None:
    shop, account = Shop(), Account(error, REVOKED)
    await kept(shop, account)
    assert shop.seated == ["take", "wait", "leave"] and account.stops == 1 and account.rests == []


async def test_an_account_leaves_at_once_where_another_is_chosen() -> None:
    shop, account = Shop(), Account(None, OK)
    seat: Any = shop.connections.seat
    seat.changed = shop._note("changed")
    await kept(shop, account)
    assert shop.seated == ["take", "changed", "leave"]
    assert account.stops == 1 and account.rests == [ConnectionState.STARTING]


async def test_a_login_refused_that_has_not_ended_ends_the_daemon() -> None:
    shop = Shop()
    account: Any = Account(LoginRefused("account", "why"), LOST)
    shop.connections.account = account
    with pytest.raises(LoginRefused):
        await asyncio.wait_for(shop.connections.keep_account(), 5)
