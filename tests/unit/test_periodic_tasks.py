"""When upkeep's tasks are due, whatever the clock does."""

import pytest

from web.upkeep.periodic_tasks import FAILING_S, SETTLE_S, PeriodicTask, WallClock

NOW = 1_800_000_000
HOUR = 3600


def test_a_task_runs_every_so_many_seconds() -> None:
    ran: list[int] = []
    task = PeriodicTask("hourly", HOUR, ran.append)

    for at in (NOW, NOW + 1, NOW + HOUR - 1, NOW + HOUR, NOW + 3 * HOUR):
        task.turn(at)

    assert ran == [NOW, NOW + HOUR, NOW + 3 * HOUR]


def test_a_task_of_every_turn_runs_at_every_turn() -> None:
    ran: list[int] = []
    task = PeriodicTask("prompt", 0, ran.append)

    for at in (NOW, NOW, NOW - HOUR, NOW + 1):
        task.turn(at)

    assert len(ran) == 4


def test_a_wrong_clock_does_not_put_a_task_off() -> None:
    ran: list[int] = []
    task = PeriodicTask("hourly", HOUR, ran.append)

    for at in (NOW + 1000 * HOUR, NOW, NOW + 1, NOW + HOUR):
        task.turn(at)

    assert ran == [NOW + 1000 * HOUR, NOW, NOW + HOUR]


def test_a_task_that_fails_comes_again() -> None:
    asked: list[int] = []

    def fail(now: int) -> None:
        asked.append(now)
        raise RuntimeError

    task = PeriodicTask("broken", HOUR, fail)
    for at in (NOW, NOW + HOUR):
        task.turn(at)

    assert asked == [NOW, NOW + HOUR]


def test_a_failing_task_is_broken_until_it_runs_well() -> None:
    fails = True

    def work(_now: int) -> None:
        if fails:
            raise RuntimeError

    prompt, hourly = PeriodicTask("prompt", 0, work), PeriodicTask("hourly", HOUR, work)
    for at in range(NOW, NOW + FAILING_S, 5):
        prompt.turn(at)
        assert not prompt.is_broken(at)
    for at in (NOW, NOW + HOUR):
        hourly.turn(at)
        assert not hourly.is_broken(at)
    prompt.turn(NOW + FAILING_S)
    hourly.turn(NOW + 2 * HOUR)
    assert prompt.is_broken(NOW + FAILING_S)
    assert hourly.is_broken(NOW + 2 * HOUR)

    fails = False
    hourly.turn(NOW + 3 * HOUR)
    assert not hourly.is_broken(NOW + 3 * HOUR)


def test_a_clock_that_jumps_is_believed_once_it_runs_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic = 0.0
    monkeypatch.setattr("web.upkeep.periodic_tasks.time.monotonic", lambda: monotonic)
    clock = WallClock()
    assert clock.is_steady(NOW)
    monotonic = 5.0
    assert clock.is_steady(NOW + 5)
    # A day ahead, and back again
    assert not clock.is_steady(NOW + 5 + 24 * HOUR)
    monotonic = 10.0
    assert not clock.is_steady(NOW + 10)
    # Set right for good, in small steps
    for monotonic in (10.0 + SETTLE_S - 1, 10.0 + SETTLE_S):
        even = clock.is_steady(NOW + int(monotonic) + 20)
    assert even


def test_a_task_not_possible_now_is_due_as_soon_as_it_is() -> None:
    ran: list[int] = []
    possible = False
    task = PeriodicTask("careful", HOUR, ran.append, is_possible=lambda _now: possible)
    task.turn(NOW)
    possible = True
    task.turn(NOW + 1)

    assert ran == [NOW + 1]
