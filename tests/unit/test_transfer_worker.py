"""What becomes of a job by the error that its delivery ends with."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram.errors import AuthKeyUnregistered, ChannelInvalid, InternalServerError, UserDeactivatedBan

from config import settings
from daemon.transfer import worker
from daemon.transfer.errors import (
    ACCOUNT_AWAY,
    Abandoned,
    AccountAway,
    AccountRestricted,
    FloodWaitTooLong,
    PermanentFailure,
    RecipientRestricted,
    RecipientUnreachable,
    ResponseTimeout,
    RetryLater,
    TransferError,
)
from daemon.transfer.pipeline import LimitReached
from daemon.transfer.run import Run
from daemon.transfer.waits import BREAK_S, REFUSED_S
from daemon.transfer.worker import FIRST_RETRY_S, TransferClients, Transfers
from models import users
from models.errors import LeaseLost
from models.event_kinds import TooLarge
from models.jobs import queue
from models.jobs.reasons import RefusalReason
from tests import environment

NOW = 1_800_000_000
JOB: Any = SimpleNamespace(id=1, user_id=7, link="https://t.me/channel/5", attempts=3)


class Worker:
    """A worker whose jobs end as they are told to."""

    def __init__(self, place: Path) -> None:
        self.is_up, self.up_since, self.clock = True, 0.0, 10_000.0
        self.kept: list[tuple[Any, ...]] = []
        self.refused: list[str] = []
        nobody: Any = SimpleNamespace()
        clients = TransferClients(
            nobody,
            nobody,
            account_is_up=lambda: self.is_up,
            sender=nobody,
            account_refused=self.refused.append,
            account_up_since=lambda: self.up_since,
        )
        wakeup: Any = SimpleNamespace(subscribe=lambda: None, wake=lambda: None)
        configured = settings.load(environment.minimal(place), None)
        rows: Any = self._rows
        self.transfers = Transfers(
            clients, database=rows, wakeup=wakeup, settings=configured, catalogue=environment.catalogue(configured)
        )

    async def end(self, error: BaseException, *, withdrawn: bool = False) -> Run:
        """Have a delivery end so."""

        async def deliver(run: Run) -> None:
            run.withdrawn = withdrawn
            raise error

        run = Run(JOB, lambda: True)
        self.transfers._runs[JOB.id] = run
        pipeline: Any = SimpleNamespace(deliver=deliver)
        await self.transfers._work(pipeline, run)
        assert JOB.id not in self.transfers._runs, "there is room for the next one"
        return run

    async def _rows(self, function: Any, *values: Any, **named: Any) -> None:
        self.kept.append((function, *(value for value in values if not str(value).startswith("transfers/")), named))


@pytest.fixture
def working(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    made = Worker(tmp_path)
    monkeypatch.setattr(worker, "time", SimpleNamespace(time=lambda: NOW, monotonic=lambda: made.clock))
    return made


def put_back(seconds: float, *, counts: bool) -> list[tuple[Any, ...]]:
    return [(queue.put_back, JOB.id, NOW + seconds, {"count_attempt": counts, "now": NOW})]


BACK_OFF = FIRST_RETRY_S * 2**JOB.attempts


@pytest.mark.parametrize(
    ("error", "seconds", "counts"),
    [
        (RetryLater(7, "why"), 7, False),
        (RetryLater(7, "why", counts=True), 7, True),
        (FloodWaitTooLong(900), 900, False),
        (ResponseTimeout(2), 15, True),
        (AccountAway(), 15, False),
        (ChannelInvalid(), BACK_OFF, True),
        (InternalServerError(), BACK_OFF, True),
        (TimeoutError(), BACK_OFF, True),
        (Abandoned(), BACK_OFF, True),
        (TransferError("odd"), BACK_OFF, True),
        (ValueError("broken"), BACK_OFF, True),
        # The account has lost its login, whatever the connection says
        (AuthKeyUnregistered(), 15, False),
        (UserDeactivatedBan(), 15, False),
    ],
)
async def test_it_is_tried_again(working: Worker, error: Exception, seconds: float, counts: bool) -> None:
    await working.end(error)
    assert working.kept == put_back(seconds, counts=counts)
    assert working.refused == []


@pytest.mark.parametrize("error", [TimeoutError(), RetryLater(900, "why", counts=True), ValueError("broken")])
async def test_an_attempt_without_the_account_is_none(working: Worker, error: Exception) -> None:
    working.is_up = False
    await working.end(error)
    assert working.kept == put_back(15, counts=False)


async def test_a_flood_wait_is_obeyed_while_the_account_is_away(working: Worker) -> None:
    working.is_up = False
    await working.end(FloodWaitTooLong(900))
    assert working.kept == put_back(900, counts=False)


async def test_an_account_that_is_restricted_is_reported(working: Worker) -> None:
    await working.end(AccountRestricted("PEER_FLOOD"))
    assert working.refused == ["PEER_FLOOD"] and working.kept == put_back(300, counts=False)


@pytest.mark.parametrize("failure", [PermanentFailure, RecipientRestricted])
async def test_what_is_refused_is_told_with_its_reason(working: Worker, failure: type[PermanentFailure]) -> None:
    detail = TooLarge(size=3, limit=2)
    await working.end(failure(RefusalReason.TOO_LARGE_FOR_PLAN, detail))
    assert working.kept == [
        (queue.refuse, JOB.id, RefusalReason.TOO_LARGE_FOR_PLAN, NOW, {"detail": detail.stored()}),
    ]


async def test_whoever_cannot_be_written_to_is_marked(working: Worker) -> None:
    await working.end(RecipientUnreachable("USER_IS_BLOCKED"))
    assert working.kept == [(users.mark_blocked_bot, JOB.user_id, True, NOW, {}), (queue.unreachable, JOB.id, NOW, {})]


@pytest.mark.parametrize("error", [LimitReached(), LeaseLost(JOB.id)])
async def test_what_the_rows_say_already_is_left_to_them(working: Worker, error: Exception) -> None:
    await working.end(error)
    assert working.kept == []


async def test_a_shutdown_gives_the_job_back(working: Worker) -> None:
    await working.end(asyncio.CancelledError())
    assert working.kept == put_back(0, counts=False)


async def test_a_job_that_is_another_workers_is_not_given_back(working: Worker) -> None:
    await working.end(asyncio.CancelledError(), withdrawn=True)
    assert working.kept == []


# An account that is away for long


def waits(working: Worker, seconds: float) -> Iterator[None]:
    """Each time that a job tries again within so many seconds."""
    end = working.clock + seconds
    while working.clock < end:
        working.clock = min(end, working.clock + BREAK_S / 2)
        yield


async def test_an_account_that_is_up_and_refuses_is_awaited_so_long(working: Worker) -> None:
    await working.end(AccountAway())
    for _ in waits(working, REFUSED_S):
        await working.end(AccountAway())
    assert {kept[0] for kept in working.kept} == {queue.put_back}
    working.clock += 1
    working.kept.clear()
    await working.end(AccountAway())
    assert working.kept == [(queue.fail, JOB.id, RefusalReason.WAITED_TOO_LONG, NOW, {})]


async def test_an_account_that_is_away_is_asked_for_ever_more_rarely(working: Worker) -> None:
    working.is_up = False
    await working.end(TimeoutError())
    for _ in waits(working, REFUSED_S + BREAK_S):
        working.kept.clear()
        await working.end(TimeoutError())
    assert working.kept == put_back(round((REFUSED_S + BREAK_S) / 10), counts=False)
    assert working.transfers._why_waiting(JOB.id) == ACCOUNT_AWAY


async def test_another_reason_is_not_waited_for_like_the_account(working: Worker) -> None:
    for _ in waits(working, 2 * REFUSED_S):
        working.kept.clear()
        await working.end(FloodWaitTooLong(9))
    assert working.kept == put_back(9, counts=False)
