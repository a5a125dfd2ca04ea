"""Where each part of ``/health`` begins to fail, on the test's own clock."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from config.units import MIB
from models import database, outbox
from models.event_kinds import AdminAlert
from models.maintenance import health
from models.maintenance.health import BEAT_STALE_S
from tests import store
from tests.store import NOW
from web.checks import EVENT_WAIT_S, JOB_WAIT_S, Check, Health, Status


def part(name: str, now: int, place: Path) -> Check:
    return Health(place, None).checks(now)[name]


@pytest.mark.parametrize(("age", "status"), [(-60, "ok"), (BEAT_STALE_S, "ok"), (BEAT_STALE_S + 1, "failing")])
def test_a_daemon_gives_signs_of_life(database_file: Path, age: int, status: str) -> None:
    assert part("bot", NOW, database_file.parent) == Check(Status.FAILING, 0, "the daemon has not started yet")
    health.beat("daemon", {"bot": "ok", "account": "paused"}, NOW - age)

    found = part("bot", NOW, database_file.parent)

    assert (found.status, found.age_s) == (status, max(0, age))
    assert part("account", NOW, database_file.parent).status == ("off" if status == "ok" else "failing")


def test_links_and_news_wait_only_so_long(database_file: Path) -> None:
    store.customers(1)
    store.enqueue(1, "waits")
    with database.transaction():
        outbox.append(AdminAlert(reason="x"), None, NOW)
        database.execute("UPDATE event SET created_ms = ?", (NOW * 1000,))

    for name, longest in (("jobs", JOB_WAIT_S), ("events", EVENT_WAIT_S)):
        at_last, too_late = (part(name, NOW + longest + more, database_file.parent) for more in (0, 1))
        assert (at_last.status, at_last.age_s) == (Status.OK, longest)
        assert (too_late.status, too_late.age_s) == (Status.FAILING, longest + 1)


@pytest.mark.parametrize(
    ("free", "total", "status"),
    [
        (64 * MIB, 20 * 64 * MIB, "ok"),
        (64 * MIB - 1, 20 * 64 * MIB, "failing"),
        (5 * MIB, 100 * MIB, "ok"),
        (5 * MIB - 1, 100 * MIB, "failing"),
        (64 * MIB, 10**12, "ok"),
    ],
)
def test_a_disk_is_full_before_its_last_byte(
    database_file: Path, monkeypatch: pytest.MonkeyPatch, free: int, total: int, status: str
) -> None:
    monkeypatch.setattr("web.checks.shutil.disk_usage", lambda _: SimpleNamespace(free=free, total=total))

    assert part("disk", NOW, database_file.parent).status == status
