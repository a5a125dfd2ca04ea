"""The pages of set-up beside a ``.env``, which wins, and beside a bucket that somebody else writes into."""

import html
import json
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Response
from flask.testing import FlaskClient
from moto.server import ThreadedMotoServer

from config.kept import settings_file
from config.settings import load
from models import database, notes
from models.accounts import logins, pool
from models.accounts.logins import LoginState
from models.accounts.pool import Person
from models.accounts.sealing import Recipient
from models.maintenance import backups, bundles, health, restoring
from models.maintenance.health import BEAT_STALE_S
from models.setup import admins, checks, opening
from models.setup.admins import Candidate
from models.tables import Account
from tests import environment, store
from tests.console_visitor import TOKEN
from tests.operator_browser import said
from web import app as shops
from web.setup import guard, pages
from web.setup.app import create_app
from web.setup.backup import ROOM
from web.setup.guard import COOKIE
from web.setup.steps import Step
from web.upkeep import s3
from web.upkeep.s3 import Bucket


@dataclass
class Owner:
    """Who has begun the set-up of an installation, in whose directory the test runs."""

    browser: FlaskClient
    place: Path

    def page(self, path: str) -> str:
        return self.browser.get(path).text

    def send(self, path: str, **fields: str) -> tuple[int, str]:
        """Send the form of a page; the status and the text of the answer."""
        token = TOKEN.search(self.page(path))
        assert token is not None
        answer = self.browser.post(path, data={"token": token[1], **fields})
        return answer.status_code, answer.text

    def piece(
        self, at: int, data: bytes, token: str | None = None, tab: str = "one", name: str = "a.sealed"
    ) -> tuple[int, object]:
        """Send a piece of a backup's file; the status, and how much of the file is there."""
        found = TOKEN.search(self.page("/setup/backup"))
        assert found is not None
        headers = {"X-Form-Token": found[1] if token is None else token}
        query = {"at": at, "tab": tab, "name": name}
        answer = self.browser.post("/setup/backup/piece", query_string=query, data=data, headers=headers)
        return answer.status_code, answer.json and answer.json["at"]

    def typed(self) -> dict[str, str]:
        """What was typed so far, as it will hold."""
        return settings_file.read(self.place / "data")

    def sets(self, **values: str) -> None:
        """Add lines to ``.env``."""
        with (self.place / ".env").open("a") as dotenv:
            dotenv.writelines(f"{name}={value}\n" for name, value in values.items())


@pytest.fixture
def owner(migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Owner]:
    """The owner, who has done every step but those of the test."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    shutil.copy(migrated, tmp_path / "data" / "peaje.db")
    database.open_database(tmp_path / "data" / "peaje.db")
    settings = load(unfinished=True)
    now = int(time.time())
    token = opening.begin(opening.open_address(None, now), now)
    opening.choose("new", now, [*Step])
    browser = create_app(settings, environment.catalogue(settings)).test_client()
    browser.set_cookie(COOKIE, token)
    yield Owner(browser, tmp_path)
    database.close_database()


@pytest.fixture(scope="module")
def local_s3() -> Iterator[str]:
    """A local S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def test_the_last_page_says_what_wins_over_it(owner: Owner) -> None:
    before = owner.page("/setup/last")

    owner.sets(TELEGRAM_BOT_TOKEN="123456789:" + "A" * 35, ADMIN_IDS="77", BACKEND_URL="http://localhost:8000")

    assert 'id="open"' in before and 'id="outside"' not in before
    assert all(f'href="/setup/step/{name}"' in before for name in ("bot", "address", "paypal"))
    told = said(owner.page("/setup/last"), "outside")
    assert "wins" in told and told.endswith("TELEGRAM_BOT_TOKEN, ADMIN_IDS, BACKEND_URL")


def test_no_mode_of_paypal_is_offered_that_would_not_hold(owner: Owner) -> None:
    owner.sets(BACKEND_URL="http://localhost:8000", PAYPAL_MODE="sandbox")

    page = owner.page("/setup/step/paypal")
    status, _ = owner.send("/setup/step/paypal", client_id="c" * 80, secret="s" * 80, mode="live")

    assert 'value="sandbox"' in page and 'value="live"' not in page
    assert status == 422


def test_an_account_without_a_session_is_none(owner: Owner) -> None:
    Account.insert(session=None, mark="m", state="active", since=1, chosen_at=1, user_id=5, name="Gone").execute()

    page = owner.page("/setup/account")

    assert "Gone" not in page and 'name="keep"' not in page
    assert 'name="answer"' in page, "it is asked for"


def test_it_goes_on_with_an_account_that_can_be_used(owner: Owner) -> None:
    notes.put(opening.NOTE, {**notes.get(opening.NOTE), "passed": [Step.LANGUAGE]}, 1)

    def keep() -> list[str]:
        token = TOKEN.search(owner.page("/setup/account"))
        assert token is not None
        owner.browser.post("/setup/account/keep", data={"token": token[1]})
        return list(notes.get(opening.NOTE)["passed"])

    assert keep() == [Step.LANGUAGE], "there is none"
    loaded = load(unfinished=True)
    with database.transaction():
        pool.add(Person(7, "Ana", "ana"), "a session", replace(loaded, secret_key="another"), 1, reads=True, by=None)
    assert keep() == [Step.LANGUAGE], "its session opens with another key"
    with database.transaction():
        pool.add(Person(7, "Ana", "ana"), "a session", loaded, 1, reads=True, by=None)
    assert "Ana" in owner.page("/setup/account")
    assert keep() == [Step.LANGUAGE, Step.ACCOUNT]


def test_the_account_is_not_asked_for_without_a_daemon(owner: Owner) -> None:
    status, page = owner.send("/setup/account", answer="+34600000001")
    assert status == 422 and "the program that speaks to Telegram does not run" in page
    logins.serve(Recipient().public, int(time.time()))
    assert owner.send("/setup/account", answer="+34600000001")[0] == 303
    login = logins.newest(None)
    assert login is not None and login.reads and login.state is LoginState.ANSWERED
    assert owner.send("/setup/account", answer="+34600000001")[0] == 303
    assert logins.newest(None) == login, "it was pressed twice"


def test_a_step_goes_on_waiting_where_nobody_answers(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PATIENCE_S", 0.2)
    status, _ = owner.send("/setup/step/bot", bot_token="123456789:" + "A" * 35)
    assert status == 303 and 'id="waiting"' in owner.page("/setup/step/bot")


def test_a_step_that_telegram_is_asked_about_waits(owner: Owner) -> None:
    checks.ask("bot", int(time.time()))
    assert 'id="waiting"' in owner.page("/setup/step/bot")
    checks.answer("bot", is_good=False, text="not this one", now=int(time.time()))
    assert said(owner.page("/setup/step/bot"), "fault") == "not this one"


def test_what_others_put_into_the_bucket_is_not_taken(owner: Owner, local_s3: str) -> None:
    keys = {"BACKUP_S3_ACCESS_KEY": "key", "BACKUP_S3_SECRET_KEY": "secret"}
    owner.sets(BACKUP_S3_ENDPOINT=local_s3, BACKUP_S3_BUCKET=f"bucket-{time.time_ns()}", **keys)
    bucket = s3.build(load(unfinished=True))
    assert bucket is not None
    bucket._request("PUT", "")
    theirs = backups.make(load(unfinished=True), int(time.time())).file
    bucket.put(theirs)
    owner.sets(BACKUP_PASSPHRASE="correct horse")
    opening.choose("backup", int(time.time()))

    status, page = owner.send("/setup/backup", name=theirs.name)

    assert status == 422
    assert "not sealed" in said(page, "fault")
    assert not opening.is_left()


# ---- who the admin is, and where the shop is


def pressed(by: Candidate) -> None:
    """Somebody presses the link of the page."""
    secret_key, now = load(unfinished=True).secret_key, int(time.time())
    assert admins.press(admins.link(secret_key, now), by, secret_key, now)


@pytest.mark.parametrize("answer", [{"id": "78"}, {"no": "1", "id": "77"}, {}])
def test_who_is_not_confirmed_is_no_admin(owner: Owner, answer: dict[str, str]) -> None:
    pressed(Candidate(77, "Alba", "alba"))

    status, page = owner.send("/setup/step/admin", **answer)

    assert (status, "Nobody was made admin" in said(page, "fault")) == (422, True)
    assert "ADMIN_IDS" not in owner.typed()
    assert admins.candidate(int(time.time())) is None, "the next one is asked about anew"


def test_a_link_that_got_too_old_is_replaced_on_the_page(owner: Owner) -> None:
    notes.put("bot", {"id": 5, "username": "my_bot", "name": "Bot"}, int(time.time()))

    def shown() -> tuple[str, str]:
        page = owner.page("/setup/step/admin")
        found = re.search(r'data-state="([^"]*)"', page), re.search(r'id="link" href="([^"]+)"', page)
        assert found[0] is not None and found[1] is not None
        return html.unescape(found[0][1]), found[1][1]

    def asked() -> str:
        return str(owner.browser.get("/setup/state").json["state"])  # type: ignore[index]

    state, link = shown()
    assert asked() == state and shown() == (state, link), "nothing has changed"
    known = notes.get(admins.NOTE)
    assert known is not None
    notes.put(admins.NOTE, {**known, "until": int(time.time()) - 1}, int(time.time()))

    assert asked() != state, "else the page stays, with a link that works no more"

    state, another = shown()
    assert another != link and asked() == state


def test_who_is_confirmed_is_the_admin(owner: Owner) -> None:
    before = owner.browser.get("/setup/state").json
    pressed(Candidate(77, "Alba", "alba"))
    assert owner.browser.get("/setup/state").json != before, "the page is loaded anew"
    assert "77" in said(owner.page("/setup/step/admin"), "candidate")

    status, _ = owner.send("/setup/step/admin", id="77")

    assert status == 303
    assert owner.typed()["ADMIN_IDS"] == "77"
    assert admins.candidate(int(time.time())) is None


def test_who_confirms_twice_is_the_admin_all_the_same(owner: Owner) -> None:
    pressed(Candidate(77, "Ana", "ana"))
    token = TOKEN.search(owner.page("/setup/step/admin"))
    assert token is not None
    for fields, status in (
        ({"id": "77"}, 303),
        ({"id": "77"}, 303),
        ({"id": "78"}, 422),
        ({"id": "77", "no": "1"}, 422),
    ):
        answer = owner.browser.post("/setup/step/admin", data={"token": token[1], **fields})
        assert answer.status_code == status, fields
        assert owner.typed()["ADMIN_IDS"] == "77"


def test_the_language_that_was_chosen_is_spoken(owner: Owner) -> None:
    assert owner.send("/setup/step/language", language="xx")[0] == 422 and owner.typed() == {}

    assert owner.send("/setup/step/language", language="es")[0] == 303

    assert owner.typed() == {"LANGUAGE": "es"}
    english = {"Accept-Language": "en"}
    assert '<html lang="es">' in owner.browser.get("/setup/last", headers=english).text


def test_the_address_of_the_page_is_kept_or_left_out(owner: Owner) -> None:
    owner.send("/setup/step/address")
    assert owner.typed()["BACKEND_URL"] == "http://localhost"
    # A name that was typed here locks nobody out, as one of the environment does
    assert owner.browser.get("/setup/last", base_url="https://shop.example").status_code == 403
    owner.send("/setup/step/address", skip="1")
    assert "BACKEND_URL" not in owner.typed()

    owner.sets(BACKEND_URL="http://localhost:8000")
    assert owner.browser.get("/setup/last", base_url="https://shop.example").status_code == 400


def test_what_is_skipped_of_paypal_does_not_stay(owner: Owner) -> None:
    known = {"PAYPAL_CLIENT_ID": "c" * 80, "PAYPAL_CLIENT_SECRET": "s" * 80, "PAYPAL_MODE": "live"}
    settings_file.change(owner.place / "data", {**known, "ADMIN_IDS": "77"})

    owner.send("/setup/step/paypal", skip="1")

    assert owner.typed() == {"ADMIN_IDS": "77"}


# ---- a backup instead


def test_the_pieces_of_a_file_follow_each_other(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    opening.choose("backup", int(time.time()))
    file = owner.place / "data" / restoring.UPLOADED / "backup"

    assert owner.piece(3, b"def") == (409, 0)
    assert owner.piece(0, b"old") == owner.piece(0, b"abc") == (200, 3)
    assert owner.piece(0, b"x", token="0" * 64)[0] == 403
    assert owner.piece(3, b"xyz", tab="two") == (409, 3), "it follows, in another file"
    assert [owner.piece(at, b"def") for at in (2, 4, 3)] == [(409, 3), (409, 3), (200, 6)]
    assert (file.read_bytes(), file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (
        b"abcdef",
        0o600,
        0o700,
    )

    monkeypatch.setattr("web.setup.backup.shutil.disk_usage", lambda _: SimpleNamespace(free=ROOM))
    assert owner.piece(6, b"g") == (507, 6) and file.read_bytes() == b"abcdef"


def test_two_tabs_that_send_a_backup_take_turns(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    opening.choose("backup", int(time.time()))
    file, really = owner.place / "data" / restoring.UPLOADED / "backup", shutil.rmtree

    def slowly(*places: Path, **how: bool) -> None:
        really(*places, **how)
        time.sleep(0.02)

    monkeypatch.setattr("web.setup.backup.shutil.rmtree", slowly)
    token = TOKEN.search(owner.page("/setup/backup"))
    cookie = owner.browser.get_cookie(COOKIE)
    assert token is not None and cookie is not None

    def send(number: int) -> int:
        tab = owner.browser.application.test_client()
        tab.set_cookie(COOKIE, cookie.value)
        at, data = (0, b"abc") if number % 2 else (3, b"def")
        address = f"/setup/backup/piece?at={at}"
        return tab.post(address, data=data, headers={"X-Form-Token": token[1]}).status_code

    with ThreadPoolExecutor(4) as tabs:
        answers = set(tabs.map(send, range(40)))

    assert answers <= {200, 409}
    assert file.read_bytes() in (b"abc", b"abcdef")


def test_a_backup_that_was_sent_waits_for_the_start(owner: Owner) -> None:
    data, token = owner.place / "data", "123456789:" + "A" * 35
    settings_file.change(data, {"BACKEND_URL": "https://old.example", "TELEGRAM_BOT_TOKEN": token})
    sealed = replace(load(unfinished=True), backup_passphrase="correct horse")
    content = backups.make(sealed, int(time.time())).file.read_bytes()
    settings_file.change(data, {"BACKEND_URL": None, "TELEGRAM_BOT_TOKEN": None})
    opening.choose("backup", int(time.time()))

    for passphrase, fault in (("x", "Choose the file"), ("another", "does not open it")):
        status, page = owner.send("/setup/backup", passphrase=passphrase)
        assert (status, fault in said(page, "fault")) == (422, True)
        assert owner.piece(0, content) == (200, len(content)) and not opening.is_left()
    assert owner.send("/setup/backup", passphrase="correct horse")[0] == 303

    assert opening.is_left() and 'id="waiting"' in owner.page("/setup/backup")
    staged = data / restoring.STAGED
    assert settings_file.read(bundles.beside(staged / restoring.DATABASE)) == {
        "BACKEND_URL": "http://localhost",
        "TELEGRAM_BOT_TOKEN": token,
    }
    memo = json.loads((staged / restoring.MEMO).read_text())["setup"]
    assert memo["state"] == "open" and {*memo["passed"]} & {"bot", "admin", "account"} == {"bot"}
    assert not (data / restoring.UPLOADED).exists() and owner.typed() == {}


@pytest.mark.parametrize("is_renamed", [False, True])
def test_a_backup_that_was_sent_keeps_its_date(owner: Owner, *, is_renamed: bool) -> None:
    data, now = owner.place / "data", int(time.time())
    sealed = replace(load(unfinished=True), backup_passphrase="correct horse")
    file = backups.make(sealed, now - 5 * 86_400).file
    opening.choose("backup", now)
    name, content = "../../data/x" if is_renamed else file.name, file.read_bytes()
    assert owner.piece(0, content, name=name) == (200, len(content))

    assert owner.send("/setup/backup", passphrase="another")[0] == 422
    assert owner.send("/setup/backup", passphrase="correct horse")[0] == 303

    memo = json.loads((data / restoring.STAGED / restoring.MEMO).read_text())
    assert memo["made_at"] >= now if is_renamed else memo["made_at"] == now - 5 * 86_400
    assert not (data / "x").exists() and not (data / restoring.UPLOADED).exists()


@pytest.fixture
def bucket(owner: Owner, local_s3: str) -> Bucket:
    """A bucket of the operator's, which the settings name."""
    keys = {"BACKUP_S3_ACCESS_KEY": "key", "BACKUP_S3_SECRET_KEY": "secret", "BACKUP_PASSPHRASE": "correct horse"}
    owner.sets(BACKUP_S3_ENDPOINT=local_s3, BACKUP_S3_BUCKET=f"bucket-{time.time_ns()}", **keys)
    opening.choose("backup", int(time.time()))
    built = s3.build(load(unfinished=True))
    assert built is not None
    built._request("PUT", "")
    return built


def test_a_sealed_backup_of_the_bucket_is_taken(owner: Owner, bucket: Bucket) -> None:
    mine = backups.make(load(unfinished=True), int(time.time())).file
    bucket.put(mine)
    mine.unlink()
    assert f"<option>{mine.name}</option>" in owner.page("/setup/backup")
    status, page = owner.send("/setup/backup", name="../backups/peaje.db", passphrase="")
    assert (status, "Choose the file" in said(page, "fault")) == (422, True)

    status, page = owner.send("/setup/backup", name=mine.name, passphrase="mistyped")
    assert (status, "passphrase" in said(page, "fault")) == (422, True)

    status, _ = owner.send("/setup/backup", name=mine.name, passphrase="")

    assert status == 303 and opening.is_left()


def test_a_bucket_that_is_away_is_told_beside_the_file(owner: Owner, bucket: Bucket) -> None:
    owner.sets(BACKUP_S3_ENDPOINT="http://127.0.0.1:9")

    page = owner.page("/setup/backup")

    assert "The bucket cannot be read" in said(page, "fault") and 'id="f-file"' in page


# ---- a shop that was run before


def test_a_shop_that_lives_goes_on_with_what_it_lacks(owner: Owner) -> None:
    now = int(time.time())
    opening.finish(now)
    token = opening.begin(opening.open_address(None, now), now)
    owner.browser.set_cookie(COOKIE, token)
    settings_file.change(owner.place / "data", {"ADMIN_IDS": "77", "TELEGRAM_BOT_TOKEN": "123456789:" + "A" * 35})

    assert "There is a shop here" in owner.page("/setup/")
    assert owner.send("/setup/", what="new")[0] == 303

    begun = opening.owned(token, now)
    assert begun is not None and {*Step} - {*begun.passed} == {Step.APPLICATION, Step.ACCOUNT}


# ---- afterwards


def test_no_script_and_no_other_site_has_the_owners_cookie() -> None:
    cookie = guard.keep(Response(), "owner").headers["Set-Cookie"]

    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_what_is_left_of_it_is_its_owners_alone(owner: Owner) -> None:
    now, data = int(time.time()), owner.place / "data"
    settings = load({**environment.minimal(data), "ADMIN_IDS": "77"}, None)
    shop = shops.create_app(settings, environment.catalogue(settings))
    mine, strangers, proxied = shop.test_client(), shop.test_client(), {"X-Forwarded-For": "203.0.113.7"}
    cookie = owner.browser.get_cookie(COOKIE)
    assert cookie is not None
    mine.set_cookie(COOKIE, cookie.value)

    def answers(browser: FlaskClient, **headers: str) -> list[int]:
        paths = ("done", "progress", "step/bot", "")
        return [browser.get(f"/setup/{path}", headers=headers).status_code for path in paths]

    assert answers(mine) == [410] * 4, "it is not over"
    opening.finish(now)
    assert answers(mine) == [200, 200, 303, 303]
    assert answers(strangers) == answers(mine, **proxied) == [410] * 4


def test_the_page_of_the_end_goes_on_with_the_shop(owner: Owner) -> None:
    now = int(time.time())
    owner.sets(ADMIN_IDS="77")
    opening.finish(now)
    states, pages = [], []

    def look() -> None:
        states.append(owner.browser.get("/setup/progress").json)
        pages.append(owner.page("/setup/done"))

    look()
    for ago, account in ((BEAT_STALE_S + 60, "ok"), (0, "revoked"), (0, "ok")):
        health.beat("daemon", {"bot": "ok", "account": account}, now - ago)
        look()
    store.customers(77)
    store.enqueue(77, "films", now=now)
    look()

    assert states[0] == states[1] and len({str(state) for state in states}) == 4
    assert ['id="opening"' in page for page in pages] == [True, True, True, False, False]
    assert 'id="job"' not in pages[3] and "t.me/channel/films" in said(pages[4], "job")


@pytest.mark.parametrize("is_restored", [False, True])
def test_what_was_delivered_before_proves_nothing(owner: Owner, *, is_restored: bool) -> None:
    now = int(time.time())
    owner.sets(ADMIN_IDS="77")
    store.customers(77)
    store.deliver(77, "old", now=now - 86_400)
    if is_restored:
        opening.take_over(opening.leave([*Step], now, is_over=True), now)
    else:
        opening.finish(now)

    assert 'id="opening"' in owner.page("/setup/done"), "nothing has started yet"
    health.beat("daemon", {"bot": "ok", "account": "ok"}, now)
    page = owner.page("/setup/done")
    assert "The shop is open" in page and "channel/old" not in page

    store.deliver(77, "new", now=now + 1)
    assert "t.me/channel/new" in said(owner.page("/setup/done"), "delivered")
