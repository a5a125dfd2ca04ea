"""What upkeep does in its turns where there is no PayPal, by the settings and by a clock that may be wrong."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import peewee
import pytest

from config.settings import Settings, load
from models import outbox
from models.maintenance import health
from models.money import access
from tests import environment, purchases
from web.upkeep import heartbeat
from web.upkeep.ping import Ping
from web.upkeep.runner import Upkeep

DAY = 86_400
BY_A_STEADY_CLOCK = {
    *("end unpaid orders", "remind", "tell of rewards", "write the digest", "let go of what is held"),
    *("prune the cache", "keep the totals", "forget what is old", "count what was refused"),
}
"""What cannot be undone where the clock was wrong."""


@pytest.fixture
def settings(database_file: Path, tmp_path: Path) -> Settings:
    """Of an installation whose database is open here."""
    return load(environment.minimal(tmp_path), None)


def told(settings: Settings, now: int, **changes: Any) -> list[str]:
    """What a first turn writes at a moment, with other settings."""
    upkeep = Upkeep(replace(settings, **changes), None, environment.catalogue(settings))
    before = [event.id for event in outbox.due(now + DAY)]
    upkeep.run_once(now)
    upkeep.stop()
    return [event.kind for event in outbox.due(now + DAY) if event.id not in before]


def test_customers_are_reminded_unless_the_operator_forbids_it(settings: Settings) -> None:
    now = int(time.time())
    access.give(purchases.customer(now), 1, seconds=30 * DAY, reason="", by=None, now=now)
    soon = now + 28 * DAY

    assert told(settings, soon, reminders=False, notices="off") == []
    assert told(settings, soon, reminders=True, notices="off") == ["access_ending"]


def test_the_digest_comes_at_its_hour_unless_it_is_off(settings: Settings) -> None:
    noon = 1_800_014_400  # 2027-01-15, 12:00 UTC

    assert told(settings, noon, notices="off", digest_hour=12) == []
    assert told(settings, noon, notices="digest", digest_hour=13) == []
    assert told(settings, noon, notices="digest", digest_hour=12) == ["digest"]
    assert told(settings, noon + 3600, notices="each", digest_hour=12) == [], "once a day"


def test_a_wrong_clock_ends_tells_and_deletes_nothing(settings: Settings) -> None:
    now = int(time.time())
    upkeep = Upkeep(settings, None, environment.catalogue(settings))
    tasks = [*upkeep.tasks, *upkeep.long_tasks]
    assert all(task.is_possible(now) for task in tasks)

    waiting = {task.name for task in tasks if not task.is_possible(now + DAY)}

    assert waiting == BY_A_STEADY_CLOCK
    upkeep.stop()


def test_a_ping_is_sent_every_five_minutes_while_all_is_well(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, passed, sent = int(time.time()), [1000.0], list[str]()
    monkeypatch.setattr(Ping, "_fetch", lambda _self, url: sent.append(url))
    monkeypatch.setattr("web.upkeep.ping.time.monotonic", lambda: passed[0])
    ping = Ping(replace(settings, ping_url="https://monitor.example/a-secret"), None)

    def pings(after: float) -> int:
        passed[0] += after
        ping.send(now)
        return len(sent)

    assert pings(0) == 0, "the daemon has not started"
    health.beat("daemon", {"bot": "ok", "account": "ok"}, now)
    assert [pings(after) for after in (10, 10, 289, 1, 0)] == [1, 1, 1, 2, 2]
    health.beat("daemon", {"bot": "ok", "account": "revoked"}, now)
    assert pings(300) == 2
    Ping(settings, None).send(now)
    assert len(sent) == 2, "there is no address"


@pytest.fixture
def one_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heart that stops where it would wait for its next beat."""

    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("web.upkeep.heartbeat.time.sleep", stop)


@pytest.mark.parametrize("moves", [True, False])
def test_work_that_stands_still_gives_no_sign_of_life(database_file: Path, one_beat: None, *, moves: bool) -> None:
    with pytest.raises(KeyboardInterrupt):
        heartbeat._beat("upkeep", lambda: moves)

    assert ("upkeep" in health.all()) is moves


def test_a_database_that_is_busy_stops_no_heart(
    database_file: Path, one_beat: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise peewee.OperationalError("database is locked")

    monkeypatch.setattr(health, "beat", refuse)

    with pytest.raises(KeyboardInterrupt):
        heartbeat._beat("upkeep", lambda: True)
