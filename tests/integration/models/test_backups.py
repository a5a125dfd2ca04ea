"""Backups of a database that is being written to, and everything that makes one not count."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from config.settings import Settings, load
from config.texts import Message
from models import console_sessions, database, notes, outbox, users
from models.accounts import logins
from models.accounts.logins import How
from models.accounts.sealing import Recipient
from models.console_sessions import Kind, Visit
from models.errors import BackupNotFound, BackupUnsound, PassphraseWrong
from models.maintenance import backup_requests, backups, health, integrity, restoring
from models.money import payments, stars_cursor
from models.money.facts import RefundFact
from models.promotion import codes
from models.promotion.codes import Draft
from models.roles import Team
from models.tables import Broadcast, Refund, User
from tests import environment
from tests.purchases import NOW, customer, fact, order
from web.upkeep import asked_backups, backup_job, s3
from web.upkeep.s3 import S3Error

MIB = 1 << 20


@pytest.fixture
def settings(database_file: Path, tmp_path: Path) -> Settings:
    """Of an installation whose database is open here."""
    return load(environment.minimal(tmp_path), dotenv=None)


def content(file: Path, question: str) -> Any:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(question).fetchone()[0]


def restored(settings: Settings, packed: Path) -> Path:
    return backups.unpack(packed, packed.parent / "unpacked.db", settings.backup_passphrase)


def test_a_backup_of_a_busy_database_holds_one_moment(settings: Settings) -> None:
    writing = threading.Event()
    stop = threading.Event()

    def write() -> None:
        with database.connected():
            for number in range(1, 100_000):
                users.seen(number, f"Customer {number}", None, "en", NOW)
                writing.set()
                if stop.wait(0.001):  # without a pause it would keep this process from the backup
                    return

    writer = threading.Thread(target=write)
    writer.start()
    writing.wait(10)
    try:
        before = User.select().count()
        file = restored(settings, backups.make(settings, NOW).file)
    finally:
        stop.set()
        writer.join()
    assert 0 < before <= content(file, "SELECT COUNT(*) FROM user") <= User.select().count()
    assert before < User.select().count(), "it was written to meanwhile"
    assert content(file, "SELECT MAX(id) = COUNT(*) FROM user"), "no hole in the order of commits"
    assert content(file, "PRAGMA journal_mode") == "delete"


def test_a_backup_is_private_and_leaves_nothing_beside_it(settings: Settings) -> None:
    made = backups.make(settings, NOW).file

    assert made.name == "peaje-20270115T080000Z.db.gz"
    assert made.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in settings.backups.iterdir()} == {made.name, ".lock"}


def test_it_is_on_the_disk_before_it_has_its_name(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[Path, list[str]]] = []
    fsync = os.fsync

    def watched(opened: int) -> None:
        named = [backup.name for backup in backups.in_directory(settings.backups)]
        synced.append((Path(os.readlink(f"/proc/self/fd/{opened}")), named))
        fsync(opened)

    monkeypatch.setattr(os, "fsync", watched)
    made = backups.make(settings, NOW).file

    (file, before), (directory, after) = synced
    assert (file.parent.parent, before) == (settings.backups, [])
    assert (directory, after) == (settings.backups, [made.name])


def test_what_a_crash_left_is_swept_out(settings: Settings) -> None:
    left = settings.backups / ".making-left"
    left.mkdir(parents=True)
    (left / "copy.db").write_bytes(b"half")

    backups.make(settings, NOW)

    assert not left.exists()


def test_what_is_examined_is_unpacked_where_crashes_are_swept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[Path] = []

    def examine(file: Path) -> integrity.Report:
        unpacked.append(file)
        return integrity.Report()

    name = backups.make(settings, NOW).file.name
    monkeypatch.setattr(integrity, "examine", examine)
    backup_requests.ask(NOW, verify=name)
    asked_backups.carry_out(settings, NOW)

    assert [file.parent.match("backups/.making-*") for file in unpacked] == [True]


def test_with_a_passphrase_nobody_else_reads_it(settings: Settings) -> None:
    users.seen(1, "Penélope Glamour", None, "es", NOW)
    sealed = replace(settings, backup_passphrase="open sesame")

    made = backups.make(sealed, NOW).file

    assert made.name.endswith(".db.gz.sealed")
    assert b"Pen" not in made.read_bytes()
    assert content(restored(sealed, made), "SELECT first_name FROM user") == "Penélope Glamour"
    for passphrase in (None, "open barley"):
        with pytest.raises(PassphraseWrong):
            restored(replace(settings, backup_passphrase=passphrase), made)


def test_a_damaged_file_is_no_backup(settings: Settings) -> None:
    made = backups.make(settings, NOW).file
    whole = made.read_bytes()
    for spoiled in (whole[: len(whole) // 2], b"nonsense", whole[:100] + b"\0" * 20 + whole[120:]):
        made.write_bytes(spoiled)
        with pytest.raises(BackupUnsound):
            restored(settings, made)


def damage(file: Path) -> None:
    """Spoil the first page of the table of users beyond its head, as a failing disk would."""
    page = content(file, "SELECT rootpage FROM sqlite_master WHERE name = 'user'")
    database.checkpoint()
    with file.open("r+b") as raw:
        raw.seek((page - 1) * 4096)
        raw.write(b"\xff" * 512)


def test_a_damaged_database_makes_no_backup(settings: Settings) -> None:
    customer()
    good = backups.make(settings, NOW).file
    database.close_database()
    damage(settings.database_file)

    with pytest.raises(BackupUnsound) as found:
        backups.make(settings, NOW + 1)

    assert found.value.faults
    assert integrity.is_damaged(settings.database_file)
    assert [backup.name for backup in backups.in_directory(settings.backups)] == [good.name]


def gone_back_twice(amount: int = 500) -> None:
    """A refund by the operator, and the bank's reversal of the whole."""
    paid = fact(order(customer(), provider="paypal"), remote_id=f"CAPTURE-{amount}")
    back = (RefundFact("paypal", paid.remote_id, f"{paid.remote_id}-{part}", part, NOW) for part in (200, amount))
    payments.apply([paid, *back], NOW)


def test_a_backup_says_that_its_ledger_contradicts_itself(settings: Settings) -> None:
    payments.settle(fact(order(customer())), NOW)
    assert backups.make(settings, NOW).contradictions == []
    gone_back_twice()

    made = backups.make(settings, NOW + 1)

    assert made.contradictions == ["payment 2 (paypal CAPTURE-500): 700 of 500 went back"]
    prepared = restoring.prepare(settings, made.file, NOW + 2)
    assert content(prepared.file, "SELECT SUM(amount) FROM refund") == 700


@pytest.mark.parametrize(
    ("read", "since"), [(None, {"first": NOW - 600, "last": NOW}), ({"first": 1, "last": 2}, {"first": 1, "last": 2})]
)
def test_stars_after_a_backup_without_a_statement_are_ours(
    settings: Settings, read: dict[str, int] | None, since: dict[str, int]
) -> None:
    if read is not None:
        notes.put(stars_cursor.NOTE, read, NOW)

    prepared = restoring.prepare(settings, backups.make(settings, NOW).file, NOW + 86_400)

    assert json.loads(content(prepared.file, f"SELECT value FROM note WHERE key = '{stars_cursor.NOTE}'")) == since


def test_what_was_under_way_ends_in_a_restored_database(settings: Settings) -> None:
    users.seen(1, "Alba", None, "en", NOW)
    health.beat("daemon", {}, NOW)
    visit = Visit(Team(frozenset({1})), Kind.BROWSER)
    link, used = (console_sessions.make_link(1, NOW) for _ in range(2))
    session = console_sessions.enter(used, visit, NOW)
    logins.serve(Recipient().public, NOW)
    login = logins.begin(How.QR, 1, NOW)
    codes.make(Draft(None, 10, None, None, new_only=False), 1, "a", NOW)
    news: int = Broadcast.insert(by=1, state="waiting", segment="all", touched_at=NOW, start_at=NOW).execute()
    packed = backups.make(settings, NOW).file

    prepared = restoring.prepare(settings, packed, NOW + 60)

    assert (prepared.made_at, prepared.migrations) == (NOW, [])
    database.open_database(settings.database_file)
    assert health.all() and console_sessions.find(session, NOW), "what is in use is left alone until then"
    database.close_database()
    database.open_database(prepared.file)
    assert health.all() == {} and codes.held() == 1
    assert console_sessions.find(session, NOW) is None and console_sessions.owner_of(link, NOW) is None
    ended = logins.get(login)
    assert ended is not None and ended.said == {"fault": "restored"}
    assert (Broadcast.get_by_id(news).state, Broadcast.get_by_id(news).why) == ("stopped", "restored")
    (told,) = [event.stored for event in outbox.due(NOW + 60) if event.kind == "admin_alert"]
    assert told == {"reason": "database_restored", "backup": "2027-01-15T08:00:00+00:00"}


def test_a_database_that_is_not_ours_makes_no_backup(settings: Settings) -> None:
    database.close_database()
    with closing(sqlite3.connect(settings.database_file)) as connection:
        connection.execute("DROP TABLE refund")
        connection.commit()

    with pytest.raises(BackupUnsound, match="the ledger cannot be read"):
        backups.make(settings, NOW)


def test_a_reference_into_nothing_makes_no_backup(settings: Settings) -> None:
    order(customer())
    with closing(sqlite3.connect(settings.database_file)) as connection:
        connection.execute("DELETE FROM user")
        connection.commit()

    with pytest.raises(BackupUnsound, match="order 1: refers to a row of user"):
        backups.make(settings, NOW)


def test_there_is_no_backup_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(BackupNotFound):
        backups.make(load(environment.minimal(tmp_path), dotenv=None), NOW)
    assert not (tmp_path / "peaje.db").exists()


def test_they_are_due_in_the_operators_rhythm(settings: Settings) -> None:
    assert backups.is_due(settings, NOW)
    backups.make(settings, NOW)
    assert not backups.is_due(settings, NOW + 6 * 3600 - 1)
    assert backups.is_due(settings, NOW + 6 * 3600)
    assert backups.is_due(settings, NOW - 1), "a clock that has jumped back"
    backups.make(settings, NOW - 1)
    assert not backups.is_due(settings, NOW - 1)


@pytest.mark.parametrize(
    ("ages", "newest"),
    [((), None), ((0, 60), 0), ((-86_400, 60, 120), 60), ((-86_400, -3600), -86_400)],
)
def test_the_newest_is_from_the_future_only_where_all_are(ages: tuple[int, ...], newest: int | None) -> None:
    known = backups.among(backups._name(NOW - age, None, False) for age in ages)

    found = backups.newest(known, NOW)

    assert (found and NOW - found.at) == newest


def test_old_ones_are_forgotten(settings: Settings) -> None:
    settings.backups.mkdir(exist_ok=True)
    for age in range(0, 90 * 86_400, 6 * 3600):
        (settings.backups / backups._name(NOW - age, None, False)).touch()
    (settings.backups / "my own.txt").touch()

    backups.forget_old(settings, NOW)

    assert 10 <= len(backups.in_directory(settings.backups)) <= 14
    assert (settings.backups / "my own.txt").exists()
    assert backups.forget_old(settings, NOW) == []


# ---- as upkeep makes them


def told() -> list[tuple[str, str]]:
    found = (event for event in outbox.due(NOW + 2 * 86_400) if event.kind.startswith("incident"))
    return [(event.kind, str(event.stored["key"])) for event in found]


def test_upkeep_makes_one_when_it_is_due_and_only_then(settings: Settings) -> None:
    backup_job.back_up(settings, NOW)
    backup_job.back_up(settings, NOW + 60)
    assert len(backups.in_directory(settings.backups)) == 1
    backup_job.back_up(settings, NOW + 6 * 3600)
    assert len(backups.in_directory(settings.backups)) == 2
    assert told() == []


def test_admins_hear_once_that_backups_fail_and_recover(settings: Settings) -> None:
    settings.backups.write_text("a file where the directory should be")
    backup_job.back_up(settings, NOW)
    backup_job.back_up(settings, NOW + 60)
    assert told() == [("incident_opened", "backup_failed")]

    settings.backups.unlink()
    backup_job.back_up(settings, NOW + 120)

    assert told() == [("incident_opened", "backup_failed"), ("incident_closed", "backup_failed")]
    assert health.incidents() == []


def test_admins_hear_once_of_each_ledger_contradiction(settings: Settings) -> None:
    hours = 6 * 3600
    gone_back_twice()
    for number in range(2):
        backup_job.back_up(settings, NOW + number * hours)
    assert told() == [("incident_opened", "ledger_contradicts_itself")]
    assert [each.text for each in health.incidents()] == ["payment 1 (paypal CAPTURE-500): 700 of 500 went back"]

    gone_back_twice(400)
    for number in range(2, 4):
        backup_job.back_up(settings, NOW + number * hours)
    assert told() == 2 * [("incident_opened", "ledger_contradicts_itself")]
    assert "payment 2 (paypal CAPTURE-400): 600 of 500 went back" in health.incidents()[0].text

    Refund.delete().execute()
    backup_job.back_up(settings, NOW + 4 * hours)
    assert told()[2:] == [("incident_closed", "ledger_contradicts_itself")]
    assert backups.in_directory(settings.backups)[0].at == NOW + 4 * hours


# ---- a copy elsewhere


@pytest.fixture(scope="module")
def local_s3() -> Iterator[str]:
    """A local S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def elsewhere(settings: Settings, local_s3: str) -> Settings:
    """Settings with a bucket, which is empty."""
    there = replace(
        settings,
        backup_s3_endpoint=local_s3,
        backup_s3_bucket=f"bucket-{time.time_ns()}",
        backup_s3_access_key="key",
        backup_s3_secret_key="secret",
    )
    s3.build(there)._request("PUT", "")  # type: ignore[union-attr]
    return there


def bucket(settings: Settings) -> s3.Bucket:
    built = s3.build(settings)
    assert built is not None
    return built


def fill(settings: Settings, names: Iterable[str], content: bytes = b"") -> None:
    """Put files into the bucket, past its door."""
    storage = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for name in names:
        storage.put_object(str(settings.backup_s3_bucket), name, content)


def test_the_newest_is_copied_once_and_old_copies_are_forgotten(elsewhere: Settings, tmp_path: Path) -> None:
    notes.put(notes.BACKUP_COPIED, backups._name(NOW, None, False), NOW)
    fill(elsewhere, (backups._name(NOW - age * 86_400, None, False) for age in range(90)), b"old")
    (tmp_path / "peaje-notes.txt").write_text("the operator's own")
    bucket(elsewhere).put(tmp_path / "peaje-notes.txt")

    backup_job.back_up(elsewhere, NOW + 3600)
    names = set(bucket(elsewhere).names())

    (made,) = backups.in_directory(elsewhere.backups)
    assert made.name in names
    assert "peaje-notes.txt" in names
    assert len(names) <= 13
    bucket(elsewhere).delete(made.name)
    backup_job.back_up(elsewhere, NOW + 3660)
    assert made.name not in set(bucket(elsewhere).names()), "copied once"


def test_a_copy_comes_back_as_it_was(elsewhere: Settings, tmp_path: Path) -> None:
    users.seen(7, "Ana", None, "es", NOW)
    backup_job.back_up(elsewhere, NOW)
    (made,) = backups.in_directory(elsewhere.backups)
    original = (elsewhere.backups / made.name).read_bytes()
    (elsewhere.backups / made.name).unlink()

    found = next(backup_job.find(elsewhere, "latest", tmp_path, NOW, tell=pytest.fail))

    assert found == tmp_path / made.name
    assert found.read_bytes() == original
    assert next(backup_job.find(elsewhere, made.name, tmp_path, NOW, tell=pytest.fail)).read_bytes() == original
    with pytest.raises(BackupNotFound, match="s3://"):
        next(backup_job.find(elsewhere, "peaje-20200101T000000Z.db.gz", tmp_path, NOW, tell=pytest.fail))


def test_a_bucket_away_does_not_block_a_local_restore(elsewhere: Settings, tmp_path: Path) -> None:
    away = replace(elsewhere, backup_s3_endpoint="http://127.0.0.1:9")
    made = backups.make(away, NOW).file
    told: list[Message] = []

    assert next(backup_job.find(away, made.name, tmp_path, NOW, tell=told.append)) == made
    assert told == [], "what is here by that name is what is meant"
    assert next(backup_job.find(away, "latest", tmp_path, NOW, tell=told.append)) == made
    assert "only the backups that are here are looked at" in " ".join(map(str, told))
    with pytest.raises(S3Error):
        next(backup_job.find(away, "peaje-20200101T000000Z.db.gz", tmp_path, NOW, tell=told.append))
    made.unlink()
    with pytest.raises(S3Error):
        next(backup_job.find(away, "latest", tmp_path, NOW, tell=told.append))


COPYING = """
import sys, tracemalloc
from pathlib import Path
from config.settings import load
from web.upkeep import s3
bucket = s3.build(load(dotenv=None))
tracemalloc.start()
bucket.put(Path(sys.argv[1]))
print(tracemalloc.get_traced_memory()[1])
"""


def test_a_backup_from_a_clock_ahead_is_not_the_one_copied(elsewhere: Settings) -> None:
    backups.make(elsewhere, NOW + 30 * 86_400)
    backup_job.back_up(elsewhere, NOW)

    assert backups._name(NOW, None, False) in set(bucket(elsewhere).names())


def test_a_copy_is_not_held_in_memory(elsewhere: Settings, tmp_path: Path) -> None:
    big = tmp_path / "peaje-20260101T000000Z.db.gz"
    big.write_bytes(os.urandom(MIB) * 24)
    environ = {
        **os.environ,
        **environment.minimal(tmp_path),
        "BACKUP_S3_ENDPOINT": str(elsewhere.backup_s3_endpoint),
        "BACKUP_S3_BUCKET": str(elsewhere.backup_s3_bucket),
        "BACKUP_S3_ACCESS_KEY": "key",
        "BACKUP_S3_SECRET_KEY": "secret",
    }

    copying = [sys.executable, "-c", COPYING, str(big)]
    copied = subprocess.run(copying, env=environ, capture_output=True, text=True, check=True, timeout=60)

    assert int(copied.stdout) < 8 * MIB
    bucket(elsewhere).fetch(big.name, tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == big.read_bytes()


def test_a_file_is_signed_like_its_content(elsewhere: Settings, tmp_path: Path) -> None:
    file = tmp_path / "peaje-20260101T000000Z.db.gz"
    file.write_bytes(os.urandom(MIB))
    date = {"x-amz-date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"}

    with file.open("rb") as opened:
        signed, expected = (
            requests.Request("PUT", f"{elsewhere.backup_s3_endpoint}/b/k", date, data=body, auth=bucket(elsewhere).auth)
            .prepare()
            .headers
            for body in (opened, file.read_bytes())
        )

    assert signed == expected


def test_a_bucket_lists_more_than_a_page(elsewhere: Settings) -> None:
    fill(elsewhere, (f"peaje-{number:04}" for number in range(1001)))
    assert len(list(bucket(elsewhere).names())) == 1001


def test_a_copy_that_fails_is_an_incident_and_is_made_up_for(elsewhere: Settings) -> None:
    broken = replace(elsewhere, backup_s3_bucket="nobody-made-this")
    backup_job.back_up(broken, NOW)
    backup_job.back_up(broken, NOW + 600)
    assert told() == [("incident_opened", "backup_copy_failed")]
    assert "NoSuchBucket" in health.incidents()[0].text
    assert len(backups.in_directory(elsewhere.backups)) == 1, "the backup itself is there"

    backup_job.back_up(elsewhere, NOW + 1200)

    assert told()[-1] == ("incident_closed", "backup_copy_failed")
    assert len(list(bucket(elsewhere).names())) == 1


def test_a_key_that_may_only_put_copies_each_backup_once(elsewhere: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    put = s3.Bucket.put
    sent: list[str] = []

    def refuse(*_: object) -> NoReturn:
        raise S3Error("GET bucket/: 403 AccessDenied", 403)

    def watched(bucket: s3.Bucket, file: Path) -> None:
        sent.append(file.name)
        put(bucket, file)

    with monkeypatch.context() as patched:
        patched.setattr(s3.Bucket, "names", refuse)
        patched.setattr(s3.Bucket, "put", watched)
        backup_job.back_up(elsewhere, NOW)
        backup_job.back_up(elsewhere, NOW + 600)
    assert sent == [backups._name(NOW, None, False)]
    assert told() == [("incident_opened", "backup_copies_kept")]

    backup_job.back_up(elsewhere, NOW + 1200)

    assert told()[1:] == [("incident_closed", "backup_copies_kept")]


def test_a_bucket_of_another_databases_backups_is_left_alone(elsewhere: Settings, tmp_path: Path) -> None:
    theirs = tmp_path / backups._name(NOW - 90 * 86_400, None, False)
    theirs.write_bytes(b"a shop with customers")
    bucket(elsewhere).put(theirs)

    backup_job.back_up(elsewhere, NOW)
    backup_job.back_up(elsewhere, NOW + 6 * 3600)
    assert list(bucket(elsewhere).names()) == [theirs.name]
    assert told() == [("incident_opened", "backup_copy_elsewhere")]
    assert theirs.name in health.incidents()[0].text

    bucket(elsewhere).delete(theirs.name)
    backup_job.back_up(elsewhere, NOW + 7 * 3600)
    assert list(bucket(elsewhere).names()) == [backups._name(NOW + 6 * 3600, None, False)]
    assert told()[1:] == [("incident_closed", "backup_copy_elsewhere")]


def test_a_restored_database_goes_on_copying_to_its_bucket(elsewhere: Settings) -> None:
    first = backups.make(elsewhere, NOW).file
    bucket(elsewhere).put(first)
    prepared = restoring.prepare(elsewhere, first, NOW + 60)
    restoring.exchange(elsewhere, prepared, NOW + 60)
    first.unlink()
    database.open_database(elsewhere.database_file)

    backup_job.back_up(elsewhere, NOW + 120)

    assert len(list(bucket(elsewhere).names())) == 2
    assert health.incidents() == []


def test_a_copy_not_noted_before_a_crash_is_still_ours(elsewhere: Settings) -> None:
    bucket(elsewhere).put(backups.make(elsewhere, NOW).file)

    backup_job.back_up(elsewhere, NOW + 6 * 3600)

    assert len(list(bucket(elsewhere).names())) == 2
    assert health.incidents() == []


def test_a_copy_that_is_no_longer_wanted_does_not_stay_wrong(elsewhere: Settings) -> None:
    backup_job.back_up(replace(elsewhere, backup_s3_bucket="nobody-made-this"), NOW)

    backup_job.back_up(replace(elsewhere, backup_s3_bucket=None), NOW + 600)

    assert told()[-1] == ("incident_closed", "backup_copy_failed")


def test_a_storage_that_is_away_is_told(elsewhere: Settings) -> None:
    away = bucket(replace(elsewhere, backup_s3_endpoint="http://127.0.0.1:9"))
    with pytest.raises(S3Error, match="cannot be reached"):
        list(away.names())


class Page(BaseHTTPRequestHandler):
    """What answers instead of a storage: a page for people."""

    def do_GET(self) -> None:
        page = b"<!doctype html><title>Welcome<p>Nothing here speaks S3"
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


def test_what_is_no_storage_at_all_is_told(elsewhere: Settings) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(S3Error, match="does not answer as S3 does"):
            list(bucket(replace(elsewhere, backup_s3_endpoint=address)).names())
        server.shutdown()


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("https://s3.amazonaws.com", "us-east-1"),
        ("https://s3.eu-west-3.amazonaws.com", "eu-west-3"),
        ("https://s3.dualstack.eu-south-2.amazonaws.com", "eu-south-2"),
        ("https://s3.us-west-004.backblazeb2.com", "us-west-004"),
        ("https://s3.fr-par.scw.cloud", "fr-par"),
        ("https://fra1.digitaloceanspaces.com", "us-east-1"),
        ("https://0123abcd.r2.cloudflarestorage.com", "us-east-1"),
        ("http://127.0.0.1:9000", "us-east-1"),
    ],
)
def test_the_region_is_read_from_the_address(endpoint: str, region: str) -> None:
    assert s3.region_of(endpoint) == region


def test_the_packed_file_is_plain_gzip(settings: Settings, tmp_path: Path) -> None:
    """Whoever has lost everything but a backup gets by with gunzip and sqlite3."""
    made = backups.make(settings, NOW).file
    plain = tmp_path / "plain.db"
    plain.write_bytes(gzip.decompress(made.read_bytes()))
    assert content(plain, "PRAGMA integrity_check") == "ok"
