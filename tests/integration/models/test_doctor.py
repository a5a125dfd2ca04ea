"""What the doctor finds in the files under ``DB_PATH``, and of the plans."""

import fcntl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from config import settings as reading
from config.findings import Grade
from config.settings import Settings
from config.texts import translator
from config.units import DAY_S, HOUR_S, MIB
from models import catalogue, database, users
from models.event_kinds import IncidentKey
from models.maintenance import backups, doctor, health, integrity
from models.tables import CatalogueVersion
from tests import environment
from tests.sandbox_process import REPOSITORY
from tests.store import NOW

T = translator("en")
GOOD = (REPOSITORY / "plans.toml").read_text()
DEARER = GOOD.replace("XTR = 500", "XTR = 700")
ADMIN = 42


@pytest.fixture
def settings(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a shop with an admin, whose files nobody else may read."""
    monkeypatch.chdir(database_file.parent)
    monkeypatch.setattr(integrity, "examine", integrity._examine)  # here, and not in a process of its own
    database_file.chmod(0o600)
    return reading.load({**environment.minimal(database_file.parent), "ADMIN_IDS": str(ADMIN)}, None)


def findings(settings: Settings) -> dict[str, tuple[Grade, str]]:
    """What is found, by its part; the database is open again afterwards."""
    database.close_database()
    found = list(doctor.examine(settings, T))
    database.open_database(settings.database_file)
    assert len({each.part for each in found}) == len(found)
    return {each.part: (each.grade, each.text) for each in found}


def test_a_shop_without_a_fault(settings: Settings) -> None:
    users.seen(ADMIN, "Alba", None, "en", NOW)
    health.beat("daemon", {}, int(time.time()))
    found = findings(settings)
    assert {part: grade for part, (grade, _) in found.items() if grade is not Grade.OK} == {}
    assert found.keys() == {"disk", "migrations", "database", "ledger", "daemon", "admins", "backups"}
    assert found["admins"][1] == "all reachable"
    assert found["backups"][1].startswith("none yet")


def test_an_admin_who_cannot_be_written_to_is_named(settings: Settings) -> None:
    two = replace(settings, admin_ids=frozenset({ADMIN, 43}))
    users.seen(ADMIN, "Alba", None, "en", NOW)
    grade, text = findings(two)["admins"]
    assert grade is Grade.WARN and text.startswith("43 has never written")
    assert "admins" not in findings(replace(settings, admin_ids=frozenset()))


def test_an_incident_that_lasts_is_shown(settings: Settings) -> None:
    health.open_incident(IncidentKey.DISK_FULL, "0 MiB left", NOW)
    health.open_incident(IncidentKey.PAYPAL_AWAY, "away", NOW)
    health.close_incident(IncidentKey.PAYPAL_AWAY, NOW)
    assert findings(settings)["incident"] == (Grade.WARN, "disk_full, not over yet: 0 MiB left")


def test_a_migration_that_is_to_come_is_named(settings: Settings) -> None:
    database.execute("DELETE FROM schema_migration WHERE id = (SELECT MAX(id) FROM schema_migration)")
    (missing,) = database.pending(settings.database_file)
    grade, text = findings(settings)["migrations"]
    assert grade is Grade.WARN and missing in text


def test_a_database_of_a_newer_version_is_told(settings: Settings) -> None:
    database.execute("INSERT INTO schema_migration (name, applied) VALUES ('9999_of_tomorrow', '2030-01-01')")
    found = findings(settings)
    assert "9999_of_tomorrow" in str(found) and Grade.FAIL in {grade for grade, _ in found.values()}


@pytest.mark.parametrize(
    ("free", "total", "grade"),
    [
        (health.LOW_DISK_BYTES, 100_000 * MIB, Grade.OK),
        (health.LOW_DISK_BYTES - 1, 100_000 * MIB, Grade.FAIL),
        (60 * MIB, 500 * MIB, Grade.OK),  # the smallest volumes that platforms give
        (40 * MIB, 500 * MIB, Grade.FAIL),
    ],
)
def test_a_disk_without_room_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free: int, total: int, grade: Grade
) -> None:
    usage = SimpleNamespace(free=free, total=total)
    monkeypatch.setattr(doctor, "shutil", SimpleNamespace(disk_usage=lambda _: usage))
    assert findings(settings)["disk"][0] is grade


@pytest.mark.parametrize(("hours", "grade"), [(47, Grade.OK), (49, Grade.WARN)])
def test_a_backup_that_is_long_ago_is_told(settings: Settings, hours: int, grade: Grade) -> None:
    daily = replace(settings, backup_hours=24)
    daily.backups.mkdir()
    for ago in (hours, hours + 24):
        name = backups._name(int(time.time()) - ago * HOUR_S, None, False)
        (daily.backups / name).touch()
    found = findings(daily)["backups"]
    assert found[0] is grade
    assert backups.in_directory(daily.backups)[0].name in found[1]


def test_a_backup_from_the_future_is_no_recent_one(settings: Settings) -> None:
    settings.backups.mkdir()
    (settings.backups / backups._name(int(time.time()) + DAY_S, None, False)).touch()
    grade, text = findings(settings)["backups"]
    assert grade is Grade.WARN
    assert text.startswith("all are dated in the future")


@pytest.mark.parametrize(
    ("ago", "grade"),
    [(doctor.BEAT_STALE_S - 5, Grade.OK), (doctor.BEAT_STALE_S + 1, Grade.FAIL), (-365 * DAY_S, Grade.FAIL)],
)
def test_a_program_without_a_sign_of_life_is_told(settings: Settings, ago: int, grade: Grade) -> None:
    health.beat("web", {}, int(time.time()) - ago)
    assert findings(settings)["web"][0] is grade


def is_running(settings: Settings) -> bool:
    database.close_database()
    answer = doctor.is_running(settings)
    database.open_database(settings.database_file)
    return answer


def test_it_is_known_whether_the_programs_run(settings: Settings) -> None:
    assert not is_running(settings)
    health.beat("web", {}, int(time.time()))
    health.beat("daemon", {}, int(time.time()) - doctor.BEAT_STALE_S - 5)
    assert not is_running(settings)
    health.beat("daemon", {}, int(time.time()))
    assert is_running(settings), "a daemon that was started by hand"
    health.beat("daemon", {}, int(time.time()) + DAY_S)
    assert not is_running(settings), "the clock was ahead when it lived"
    health.forget_beats()
    with (settings.db_path / "launcher.lock").open("w") as lock:
        assert not is_running(settings)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_running(settings)
    settings.database_file.write_bytes(b"no database" * 1000)
    assert not doctor.is_running(settings)
    settings.database_file.unlink()
    assert not doctor.is_running(settings) and not settings.database_file.exists()


# ---- the plans


def held(author: str, text: str = GOOD) -> Callable[[], object]:
    """A version of the plans that somebody has made."""
    return lambda: CatalogueVersion.create(text=text, author=author, digest="", at=NOW)


@pytest.mark.parametrize(
    ("written", "version", "grade", "said", "price"),
    [
        (GOOD, None, Grade.OK, "good: ", 500),
        (GOOD, held(catalogue.FILE), Grade.OK, "version 1 of ", 500),
        (GOOD, held("42", DEARER), Grade.OK, "made in the console; the next edit of the file replaces it", 700),
        (GOOD, held(catalogue.FILE, DEARER), Grade.WARN, "the next start takes over what the file says", 700),
        ("x", held(catalogue.FILE), Grade.FAIL, "because the file cannot be used now: correct it", 500),
        ("x", None, Grade.FAIL, "nothing starts with this file: correct it", None),
    ],
)
def test_it_is_said_which_plans_hold(
    settings: Settings,
    written: str,
    version: Callable[[], object] | None,
    grade: Grade,
    said: str,
    price: int | None,
) -> None:
    file = settings.db_path / "plans.toml"
    file.write_text(written)
    if version is not None:
        version()
    database.close_database()
    plans, finding = catalogue.examine(replace(settings, plans_file=file), T)
    premium = plans.by_code("premium")
    assert (finding.grade, premium.prices["XTR"] if premium else None) == (grade, price)
    assert said in finding.text


def test_a_database_that_cannot_be_read_holds_no_plans(settings: Settings) -> None:
    database.close_database()
    settings.database_file.write_bytes(b"no database" * 1000)
    plans, finding = catalogue.examine(settings, T)
    assert plans.plans and finding.grade is Grade.OK
    settings.database_file.unlink()
    assert catalogue.examine(settings, T)[1].grade is Grade.OK
