"""The pages of set-up beside a ``.env``, which wins, and beside a bucket that somebody else writes into."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from moto.server import ThreadedMotoServer

from config.settings import load
from models import database, notes
from models.accounts import logins, pool
from models.accounts.logins import LoginState
from models.accounts.pool import Person
from models.accounts.sealing import Recipient
from models.maintenance import backups
from models.setup import opening
from models.tables import Account
from tests import environment
from tests.console_visitor import TOKEN
from tests.operator_browser import said
from web.setup.app import create_app
from web.setup.guard import COOKIE
from web.setup.steps import Step
from web.upkeep import s3


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
