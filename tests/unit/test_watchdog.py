"""What the watchdog decides, without supervisord."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.settings import load
from daemon.supervision import watchdog
from daemon.supervision.crashes import CrashLoop
from daemon.supervision.watchdog import ROOM_TO_WRITE, Heartbeats, QuietPeriod, Watchdog
from tests import environment


def test_more_crashes_than_allowed_within_the_window_are_a_loop() -> None:
    loop = CrashLoop(limit=2, window_s=60)

    assert [loop.crashed("web", now) for now in (0, 50, 59)] == [False, False, True]


def test_crashes_far_apart_and_of_different_programs_are_none() -> None:
    loop = CrashLoop(limit=1, window_s=60)

    assert not any(loop.crashed("web", now) for now in (0, 60, 120))
    assert not loop.crashed("daemon", 121)


def test_a_heart_that_stops_is_missed_after_a_while() -> None:
    hearts = Heartbeats(stale_s=45)

    assert hearts.stopped({"daemon": 1}, {"daemon": 1000}, 0) == []
    assert hearts.stopped({"daemon": 1}, {"daemon": 1005}, 5) == []
    assert hearts.stopped({"daemon": 1}, {"daemon": 1005}, 50) == []
    assert hearts.stopped({"daemon": 1}, {"daemon": 1005}, 51) == ["daemon"]


def test_a_new_process_gets_its_own_time() -> None:
    hearts = Heartbeats(stale_s=45)
    hearts.stopped({"daemon": 1}, {"daemon": 1000}, 0)

    assert hearts.stopped({"daemon": 2}, {"daemon": 1000}, 60) == []
    assert hearts.stopped({"daemon": 2}, {"daemon": 1000}, 106) == ["daemon"]


def test_the_clock_on_the_wall_may_jump() -> None:
    hearts = Heartbeats(stale_s=45)
    hearts.stopped({"daemon": 1}, {"daemon": 1_000_000}, 0)

    assert hearts.stopped({"daemon": 1}, {"daemon": 5}, 5) == []
    assert hearts.stopped({"daemon": 1}, {"daemon": 9_000_000}, 10) == []


def test_who_never_gave_a_sign_or_does_not_run_is_not_judged() -> None:
    hearts = Heartbeats(stale_s=45)

    for now in (0, 100):
        assert hearts.stopped({"watchdog": 1}, {"daemon": 1000}, now) == []


def test_nothing_is_held_against_a_time_without_judgement() -> None:
    hearts = Heartbeats(stale_s=45)
    hearts.stopped({"daemon": 1}, {"daemon": 1000}, 0)
    hearts.forget()

    assert hearts.stopped({"daemon": 1}, {"daemon": 1000}, 100) == []


def test_more_than_half_way_to_a_loop_it_is_likely() -> None:
    loop = CrashLoop(limit=5, window_s=60)
    likely = []
    for now in range(4):
        loop.crashed("web", now)
        likely.append(loop.is_likely("web"))

    assert likely == [False, False, True, True]
    assert not loop.is_likely("daemon")


def test_calm_comes_once_twice_the_window_after_the_last_crash() -> None:
    calm = QuietPeriod(window_s=300, monotonic=0)

    assert not calm.is_over(599)
    calm.crashed(599)
    assert not calm.is_over(1198)
    assert calm.is_over(1199)
    assert not calm.is_over(5000)


def test_whoever_cannot_write_a_beat_is_not_killed_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that was full for longer than a heart may stop; the first beats come after it has room again."""
    room, now, killed = SimpleNamespace(free=ROOM_TO_WRITE), [0.0], list[int]()
    supervisor: Any = SimpleNamespace(getAllProcessInfo=lambda: [{"name": "web", "pid": 7, "statename": "RUNNING"}])
    watching = Watchdog(load(environment.minimal(tmp_path), None), supervisor, tmp_path / "verdict")
    monkeypatch.setattr(watchdog, "shutil", SimpleNamespace(disk_usage=lambda _: room))
    monkeypatch.setattr(watchdog, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(watchdog, "_beats", lambda _: {"web": 1000})
    monkeypatch.setattr(watchdog, "_kill", killed.append)
    monkeypatch.setattr(watching, "_write", lambda _: True)

    for at, free in ((1, ROOM_TO_WRITE), (2, ROOM_TO_WRITE - 1), (1000, ROOM_TO_WRITE)):
        now[0], room.free = at, free
        watching.on_event("TICK_5", {})
    assert killed == []
    now[0] = 1000 + watching._settings.watchdog_stale + 1
    watching.on_event("TICK_5", {})
    assert killed == [7]
