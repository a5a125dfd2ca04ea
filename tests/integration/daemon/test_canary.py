"""The daily delivery to an admin: when it is due, to whom it goes, and every way in which it fails."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config import settings
from daemon import canary
from daemon.canary import Canary
from models import users
from models.database import transaction
from models.event_kinds import IncidentKey
from models.jobs import cache
from models.jobs.cache import CachedInfo
from models.maintenance import health
from models.tables import Job
from tests import environment
from tests.store import NOW, enqueue

PRIVATE, PUBLIC = "https://t.me/c/4800000001/5", "https://t.me/channel/5"
DAY = "2026-11-30"


async def in_this_thread(operation: Callable[..., Any], *values: Any) -> Any:
    return operation(*values)


def made(place: Path, link: str = PUBLIC, **environ: str) -> Canary:
    """The canary of a shop with three admins, none of whom need have written to the bot."""
    variables = environment.minimal(place) | {"ADMIN_IDS": "1 2 3", "CANARY_HOUR": "9", "CANARY_LINK": link} | environ
    variables = {name: value for name, value in variables.items() if value}
    rows: Any = in_this_thread
    wakeup: Any = SimpleNamespace(wake=lambda: None)
    return Canary(settings.load(variables, None), rows, wakeup)


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """What happens while the canary waits, which takes no time."""

    async def sleep(_: float) -> None:
        happens()

    monkeypatch.setattr(asyncio, "sleep", sleep)


def known(*people: int) -> None:
    for person in people:
        users.seen(person, f"Admin {person}", None, "en", NOW)


@pytest.mark.parametrize(
    ("state", "reason", "fault"),
    [
        ("done", None, ""),
        ("refused", "no_access", "no_access"),
        ("failed", None, "failed"),
        ("cancelled", None, "cancelled"),
        ("held", "quota", "quota"),
    ],
)
async def test_it_ends_as_its_job_does(
    database_file: Path, state: str, reason: str | None, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(1)
    monkeypatch.setattr(canary, "TIMEOUT_S", 5.0)
    meanwhile(monkeypatch, lambda: Job.update(state=state, reason=reason).execute())
    assert await made(database_file.parent)._deliver(DAY) == fault
    assert await made(database_file.parent)._deliver(DAY) == fault
    assert [(row.user_id, row.link) for row in Job.select()] == [(1, PUBLIC)], "one delivery a day"


async def test_a_job_that_goes_away_or_never_ends(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(1)
    meanwhile(monkeypatch, lambda: Job.delete().execute())
    assert "deleted" in await made(database_file.parent)._deliver(DAY)
    monkeypatch.setattr(canary, "TIMEOUT_S", 0.0)
    assert await made(database_file.parent)._deliver(DAY) == "not within 0 s"


async def test_it_goes_to_an_admin_who_can_be_written_to(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile(monkeypatch, lambda: Job.update(state="done").execute())
    shop = made(database_file.parent)
    assert "no admin" in await shop._deliver(DAY)
    known(1, 3, 2, 7)
    users.mark_blocked_bot(1, True, NOW)
    assert await shop._deliver(DAY) == ""
    assert [row.user_id for row in Job.select()] == [2]


async def test_nobody_has_it_in_a_line_that_is_full(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(1)
    monkeypatch.setattr(canary, "CAP", 1)
    enqueue(1, "own")
    assert "too many links" in await made(database_file.parent)._deliver(DAY)


@pytest.mark.parametrize("link", ["https://t.me/channel", "https://t.me/+invitation1234567"])
async def test_a_link_to_no_post_is_told(database_file: Path, link: str) -> None:
    known(1)
    assert "leads to no post" in await made(database_file.parent, link)._deliver(DAY)
    assert not Job.select().exists()


async def test_a_private_post_is_fetched_anew(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(1)
    meanwhile(monkeypatch, lambda: Job.update(state="done").execute())
    shop = made(database_file.parent, PRIVATE)
    bot = shop._settings.bot_id
    for message_id in (5, 6):
        kept = CachedInfo(bot, 4_800_000_001, message_id, 0, ({"kind": "photo"},))
        with transaction():
            cache.put(kept, NOW)
    assert await shop._deliver(DAY) == ""
    found = [cache.get(bot, 4_800_000_001, number, 0, NOW) for number in (5, 6)]
    assert [each is None for each in found] == [True, False]


@pytest.mark.parametrize(
    ("moment", "day"), [("2026-11-30 07:59", None), ("2026-11-30 08:00", DAY), ("2026-11-30 22:59", DAY)]
)
def test_it_is_due_by_the_clock_of_the_shop(tmp_path: Path, moment: str, day: str | None) -> None:
    at = datetime.fromisoformat(f"{moment}+00:00").timestamp()
    assert made(tmp_path, TIMEZONE="Europe/Madrid")._due_day(at) == day
    assert made(tmp_path, CANARY_HOUR="", CANARY_LINK="")._due_day(at) is None


async def test_its_fault_is_an_incident_until_it_sings_again(database_file: Path) -> None:
    shop = made(database_file.parent)
    await shop._record("no_access")
    assert [(each.key, each.text) for each in health.incidents()] == [(IncidentKey.CANARY_FAILED, "no_access")]
    await shop._record("")
    assert health.incidents() == []
