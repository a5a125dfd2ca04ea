"""Backups in the console: made and examined by upkeep when an admin asks, and handed out where they are sealed."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config.settings import Settings, load
from models import audit, console_sessions, users
from models.audit import Wanted
from models.console_sessions import Kind, Visit
from models.maintenance import backup_requests, backups, health
from models.roles import Team
from tests import environment
from tests.console_visitor import TOKEN
from tests.operator_browser import said
from web.app import create_app
from web.console.guard import COOKIES
from web.upkeep import asked_backups
from web.upkeep.runner import Upkeep

ADMIN, PAGE = 4242, "/console/health"


@dataclass
class Desk:
    """An admin in front of the page of health, and upkeep, whose turns the test takes."""

    browser: FlaskClient
    settings: Settings
    upkeep: Upkeep

    def page(self) -> str:
        return self.browser.get(PAGE).text

    def send(self, path: str) -> TestResponse:
        """Press the button that leads there."""
        token = TOKEN.search(self.page())
        assert token is not None
        return self.browser.post(f"{PAGE}/{path}", data={"token": token[1]})

    def turn(self) -> None:
        """What upkeep does beside its turns."""
        for task in self.upkeep.long_tasks:
            task.turn(int(time.time()))

    def kept(self) -> list[str]:
        """The backups that there are, the newest first."""
        return [each.name for each in backups.in_directory(self.settings.backups)]

    def asks(self) -> list[tuple[str, object, str | None]]:
        """What the audit knows of it, the newest first."""
        return [(row.act, row.detail, row.refused) for row in audit.newest(Wanted(by=ADMIN), 9) if row.act != "log_in"]


@pytest.fixture
def desk(database_file: Path, tmp_path: Path) -> Iterator[Desk]:
    """An admin who has just logged in, and one backup, a minute old, that is not sealed."""
    settings = load({**environment.minimal(tmp_path), "ADMIN_IDS": str(ADMIN)}, None)
    now, catalogue = int(time.time()), environment.catalogue(settings)
    backups.make(settings, now - 60)
    users.seen(ADMIN, "Alba", None, "en", now)
    browser = create_app(settings, catalogue).test_client()
    visit = Visit(Team.of(settings), Kind.BROWSER)
    browser.set_cookie(
        COOKIES[Kind.BROWSER], console_sessions.enter(console_sessions.make_link(ADMIN, now), visit, now)
    )
    upkeep = Upkeep(settings, None, catalogue)
    yield Desk(browser, settings, upkeep)
    upkeep.stop()


def test_a_backup_is_made_once_it_is_asked_for(desk: Desk) -> None:
    (before,) = desk.kept()

    assert desk.send("backups").status_code == 303
    assert "A backup is being made." in desk.page()
    for _ in range(2):
        desk.turn()

    assert len(desk.kept()) == 2 and desk.kept()[1] == before, "it is made once"
    assert "A backup is being made." not in desk.page()
    assert desk.asks() == [("back_up", {}, None)]


def test_a_backup_that_fails_is_told_and_not_made_again(desk: Desk) -> None:
    now = int(time.time())
    backup_requests.ask(now)
    broken = replace(desk.settings, db_path=desk.settings.db_path / "elsewhere")

    asked_backups.carry_out(broken, now)

    assert [each.key for each in health.incidents()] == ["backup_failed"]
    assert not backup_requests.is_asked()


@pytest.mark.parametrize("damage", [False, True])
def test_a_backup_is_examined_as_a_restore_would(desk: Desk, *, damage: bool) -> None:
    (name,) = desk.kept()
    file = desk.settings.backups / name
    if damage:
        file.write_bytes(file.read_bytes()[:200])

    assert desk.send(f"backups/{name}/verify").status_code == 303
    assert f"{name} is being examined." in desk.page()
    desk.turn()

    verdict = said(desk.page(), "verified")
    assert verdict.startswith(f"{name}: ") and ("good, examined on" in verdict) is not damage
    assert f"{name} is being examined." not in desk.page()
    assert {each.name for each in desk.settings.backups.iterdir()} == {name, ".lock"}, "nothing stays unpacked"
    assert desk.asks() == [("back_up", {"verify": name}, None)]


def test_a_backup_that_has_gone_is_found_missing(desk: Desk) -> None:
    (name,) = desk.kept()
    desk.send(f"backups/{name}/verify")
    (desk.settings.backups / name).unlink()

    desk.turn()

    assert name not in desk.kept()
    assert said(desk.page(), "verified") == f"{name}: there is no such backup"


def test_a_sealed_backup_is_handed_out_and_no_other(desk: Desk) -> None:
    (plain,) = desk.kept()
    sealed = backups.make(replace(desk.settings, backup_passphrase="open sesame"), int(time.time())).file
    page = desk.page()
    buttons = re.findall(rf'action="{PAGE}/backups/(peaje-[\w.-]+)"', page)

    with desk.send(f"backups/{sealed.name}") as handed:
        content = handed.data
    refused = desk.send(f"backups/{plain}")

    assert buttons == [sealed.name]
    assert (handed.status_code, content) == (200, sealed.read_bytes())
    assert handed.headers["Content-Disposition"] == f"attachment; filename={sealed.name}"
    assert (refused.status_code, "Only encrypted backups" in desk.page()) == (303, True)
    assert desk.asks() == [
        ("fetch_backup", {"name": plain}, "unsealed"),
        ("fetch_backup", {"name": sealed.name}, None),
    ]


@pytest.mark.parametrize("name", ["peaje.db", "..%2Fpeaje.db", "peaje-20200101T000000Z.db.gz", ".lock"])
def test_nothing_but_a_backup_has_an_address_there(desk: Desk, name: str) -> None:
    assert desk.send(f"backups/{name}").status_code == 404
    assert desk.send(f"backups/{name}/verify").status_code == 404
    assert desk.asks() == [] and backup_requests.to_verify() is None
