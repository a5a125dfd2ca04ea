"""Which account reads: who may take its place, what is said where nobody does, and what is forgotten with the last."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config import settings
from daemon.accounts import seat as seats
from daemon.accounts.seat import RENEW_S, SEALED, Seat
from daemon.telegram.clients import ConnectionState
from daemon.telegram.errors import AccountInUse
from models.accounts import pool
from models.accounts.pool import AccountState
from models.errors import Unopenable
from tests import environment


def account(number: int, *, mark: str = "", state: AccountState = AccountState.ACTIVE) -> Any:
    return SimpleNamespace(id=number, mark=mark or f"mark {number}", state=state, lease_owner=None)


class Place:
    """A seat, the rows that say who is to sit there, and everything that is kept."""

    def __init__(self, place: Path, reader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reader, self.session, self.is_leased = reader, "a session", True
        self.kept: list[tuple[Any, ...]] = []
        self.rests: list[tuple[ConnectionState, str]] = []
        self.held: list[str] = []
        self.waits = 0
        self.then: list[Any] = []
        """What happens at each wait."""
        self.client: Any = SimpleNamespace(
            name="account", workdir=place, sessions={1: 1}, media_sessions={1: 1}, storage=None, me=1
        )
        guard: Any = SimpleNamespace(take=self._guard, release=lambda: self.held.clear())
        wakeup: Any = SimpleNamespace(subscribe=lambda: SimpleNamespace(wait=self._wait))
        loaded, rows = settings.load(environment.minimal(place), None), self._rows
        self.seat = Seat(self.client, loaded, guard, database=rows, wakeup=wakeup)  # type: ignore[arg-type]
        self.in_use = False
        monkeypatch.setattr(asyncio, "sleep", self._wait)

    async def take(self) -> None:
        async def rest(state: ConnectionState, reason: str = "") -> None:
            self.rests.append((state, reason))

        await self.seat.take(rest)

    def asked(self, function: Any) -> list[tuple[Any, ...]]:
        return [tuple(kept[1:]) for kept in self.kept if kept[0] is function]

    async def _wait(self, _: float) -> None:
        self.waits += 1
        assert self.then, "it waits for nothing"
        happens = self.then.pop(0)
        if happens is not None:
            happens()

    def _guard(self, session: str, _: object) -> None:
        if self.in_use:
            raise AccountInUse
        self.held.append(session)

    async def _rows(self, function: Any, *values: Any, **named: Any) -> Any:
        if function is pool.reader:
            return self.reader
        if function is pool.session_of:
            if isinstance(self.session, Exception):
                raise self.session
            return self.session
        self.kept.append((function, *values))
        return self.is_leased if function is pool.lease else None


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, account(1), monkeypatch)


async def test_whoever_is_to_read_is_seated(place: Place) -> None:
    await place.take()
    assert place.seat.account is place.reader and place.held == ["a session"] and place.rests == []
    assert place.client.storage is not None and place.client.me is None
    assert [values[0] for values in place.asked(pool.lease)] == [1]


async def test_a_seat_that_nobody_is_to_take_stays_empty(place: Place) -> None:
    chosen, place.reader = place.reader, None
    place.then = [None, lambda: setattr(place, "reader", chosen)]
    await place.take()
    assert place.rests == [(ConnectionState.PAUSED, "")] * 2 and place.seat.account is chosen


@pytest.mark.parametrize(
    ("state", "told"), [(AccountState.ACTIVE, 1), (AccountState.REVOKED, 0), (AccountState.UNOPENABLE, 0)]
)
async def test_a_session_that_does_not_open_is_told_once(place: Place, state: AccountState, told: int) -> None:
    place.reader, place.session = account(1, state=state), Unopenable()  # type: ignore[assignment]
    place.then = [lambda: setattr(place, "session", "a session")]
    await place.take()
    assert place.rests == [(ConnectionState.UNOPENABLE, SEALED)]
    assert [values[:3] for values in place.asked(pool.lost)] == [(1, AccountState.UNOPENABLE, SEALED)] * told


async def test_an_account_that_others_use_is_waited_for(place: Place) -> None:
    place.in_use, place.is_leased = True, False
    place.then = [lambda: setattr(place, "in_use", False), lambda: setattr(place, "is_leased", True)]
    await place.take()
    assert place.waits == 2 and place.seat.account is place.reader
    assert len(place.asked(pool.lease)) == 2, "it is not leased while this machine holds it"


async def test_what_one_account_knew_goes_before_another_sits(place: Place) -> None:
    forgotten: list[object] = []

    async def forget() -> None:
        forgotten.append(place.seat.account)

    place.seat.on_change.append(forget)
    await place.take()
    await place.seat.leave()
    await place.take()
    assert forgotten == [] and place.client.sessions, "the same one has come back"
    await place.seat.leave()
    place.reader = account(2)
    await place.take()
    assert forgotten == [None] and place.client.sessions == place.client.media_sessions == {}


async def test_the_same_account_with_another_login_is_another(place: Place) -> None:
    await place.take()
    place.then = [None]
    changed = asyncio.create_task(place.seat.changed())
    place.reader = account(1, mark="another")
    await changed
    assert place.waits == 0, "it is noticed at once"


@pytest.mark.parametrize("reader", [None, account(2)])
async def test_a_change_is_noticed(place: Place, reader: Any) -> None:
    await place.take()
    place.then = [None, lambda: setattr(place, "reader", reader)]
    await place.seat.changed()
    assert place.waits == 2


async def test_a_lease_is_renewed_and_one_that_is_lost_ends_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(seats, "time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    await place.take()
    assert await place.seat._stays() and len(place.asked(pool.lease)) == 1
    clock[0] += RENEW_S
    assert await place.seat._stays() and len(place.asked(pool.lease)) == 2
    clock[0] += RENEW_S
    place.is_leased = False
    assert not await place.seat._stays()


async def test_whoever_leaves_lets_others_in(place: Place) -> None:
    await place.seat.leave()
    assert place.asked(pool.release) == []
    await place.take()
    await place.seat.leave()
    assert [values[0] for values in place.asked(pool.release)] == [1] and place.held == []
    assert place.seat.account is None


async def test_what_was_borrowed_is_given_back_unless_it_reads_now(place: Place) -> None:
    standby = account(2)
    assert await place.seat.borrow(standby)
    await place.take()
    await place.seat.give_back(standby)
    await place.seat.give_back(place.reader)
    assert [values[0] for values in place.asked(pool.release)] == [2]


async def test_flood_waits_are_written_down_once_and_by_account(place: Place) -> None:
    place.seat.flooded("messages.checkChatInvite", 60)
    await place.seat.tell()
    assert place.asked(pool.flooded) == [], "nobody sits there"
    await place.take()
    await place.seat.tell()
    assert place.asked(pool.flooded) == [], "it was another one's"
    began = int(time.time())
    place.seat.flooded("messages.checkChatInvite", 60)
    for _ in range(2):
        await place.seat.tell()
    ((number, floods, _),) = place.asked(pool.flooded)
    assert number == 1 and began + 60 <= floods["messages.checkChatInvite"] <= int(time.time()) + 60


async def test_of_an_empty_seat_nothing_is_recorded(place: Place) -> None:
    await place.seat.lost(AccountState.FROZEN, "why")
    assert not await place.seat.thawed()
    await place.seat.arrived()
    assert place.kept == []
    await place.take()
    await place.seat.lost(AccountState.FROZEN, "why")
    assert [values[:3] for values in place.asked(pool.lost)] == [(1, AccountState.FROZEN, "why")]
    place.client.me = SimpleNamespace(id=5, full_name="Operator", username="peaje")
    await place.seat.arrived()
    assert place.asked(pool.connected)[0][:2] == (1, pool.Person(5, "Operator", "peaje"))
