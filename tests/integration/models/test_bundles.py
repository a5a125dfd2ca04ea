"""What a sealed backup brings back beside the database, and what none that is not sealed does."""

import io
import os
import stat
import tarfile
from dataclasses import replace
from gzip import GzipFile
from pathlib import Path

import pytest

from config.kept import settings_file
from config.settings import Settings, load
from models import notes
from models.database import close_database, open_database
from models.errors import BackupUnsound, NotSealed, PassphraseWrong
from models.maintenance import backups, bundles, encryption, health, restoring
from models.setup import opening
from models.tables import Account
from tests import environment
from tests.purchases import NOW

PASSPHRASE = "correct horse"
TOKEN = "123456789:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0"


@pytest.fixture
def settings(database_file: Path, tmp_path: Path) -> Settings:
    """Of an installation whose database is open here, and which has secrets under its DB_PATH."""
    settings_file.change(tmp_path, {"TELEGRAM_BOT_TOKEN": TOKEN})
    return replace(load(environment.minimal(tmp_path), dotenv=None), backup_passphrase=PASSPHRASE)


def elsewhere(settings: Settings, place: Path) -> Settings:
    """A new machine."""
    place.mkdir()
    return replace(settings, db_path=place)


def kept(directory: Path) -> dict[str, str]:
    return {name: (directory / name).read_text() for name in bundles.held(directory)}


def test_a_sealed_backup_brings_the_secrets_back(settings: Settings, tmp_path: Path) -> None:
    packed = backups.make(settings, NOW).file
    new = elsewhere(settings, tmp_path / "new")
    (new.db_path / "secret_key").write_text("another")

    restoring.exchange(new, restoring.prepare(new, packed, NOW), NOW)

    assert kept(new.db_path) == kept(settings.db_path)
    assert settings_file.read(new.db_path) == {"TELEGRAM_BOT_TOKEN": TOKEN}
    assert {stat.S_IMODE((new.db_path / name).stat().st_mode) for name in bundles.KEPT} == {0o600}
    assert next(new.db_path.glob("secret_key.before-restore-*")).read_text() == "another"
    assert not bundles.beside(new.db_path / "peaje.db.restoring").exists()


def test_two_restores_of_one_second_keep_what_both_replaced(settings: Settings, tmp_path: Path) -> None:
    packed = backups.make(settings, NOW).file
    new = elsewhere(settings, tmp_path / "new")
    (new.db_path / "secret_key").write_text("another")

    for _ in range(3):
        restoring.exchange(new, restoring.prepare(new, packed, NOW), NOW)

    assert len(list(new.db_path.glob("peaje.db.before-restore-*"))) == 2
    assert [file.read_text() for file in new.db_path.glob("secret_key.before-restore-*")] == ["another"]


def test_one_that_is_not_sealed_holds_no_secret(settings: Settings, tmp_path: Path) -> None:
    open_hearted = replace(settings, backup_passphrase=None)
    packed = backups.make(open_hearted, NOW).file
    new = elsewhere(open_hearted, tmp_path / "new")

    content = GzipFile(packed).read()
    restoring.exchange(new, restoring.prepare(new, packed, NOW), NOW)

    assert content.startswith(b"SQLite format 3")
    assert TOKEN.encode() not in content
    assert not kept(new.db_path)


def test_a_sealed_backup_from_before_bundles_is_taken(settings: Settings, tmp_path: Path) -> None:
    plain = backups.make(replace(settings, backup_passphrase=None), NOW).file
    packed = tmp_path / "peaje-20200101T000000Z.db.gz.sealed"
    with plain.open("rb") as source, packed.open("wb") as target:
        encryption.seal(source, target, PASSPHRASE)
    new = elsewhere(settings, tmp_path / "new")

    restoring.exchange(new, restoring.prepare(new, packed, NOW), NOW)

    assert new.database_file.exists()
    assert not kept(new.db_path)


@pytest.mark.parametrize(
    "name", ["../secret_key", "/etc/secret_key", "other", "secret_key/x", "peaje.db.kept/secret_key"]
)
def test_no_name_of_an_archive_leads_elsewhere(tmp_path: Path, name: str) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for each, size in (("peaje.db", 5), (name, 5), ("settings.env", bundles.LARGEST + 1)):
            member = tarfile.TarInfo(each)
            member.size = size
            tar.addfile(member, io.BytesIO(b"x" * size))
        link = tarfile.TarInfo("secret_key")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    archive.seek(0)
    place = tmp_path / "deep" / "er"
    place.mkdir(parents=True)

    bundles.unpack(archive, place / "peaje.db")  # type: ignore[arg-type]

    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["peaje.db"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"x" * 2000])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BackupUnsound):
        bundles.unpack(io.BytesIO(content), tmp_path / "peaje.db")  # type: ignore[arg-type]


def test_what_is_restored_is_on_the_disk_before_it_has_its_name(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = backups.make(settings, NOW).file
    new = elsewhere(settings, tmp_path / "new")
    restoring.unpack_beside(new, packed, PASSPHRASE)
    synced: set[int] = set()
    named: dict[str, bool] = {}
    fsync, rename = os.fsync, os.replace

    def syncing(opened: int) -> None:
        synced.add(os.fstat(opened).st_ino)
        fsync(opened)

    def naming(source: Path, target: str | Path) -> None:
        whole = [source, *source.iterdir()] if source.is_dir() else [source]
        named[Path(target).name] = synced.issuperset(each.stat().st_ino for each in whole if each.suffix != ".kept")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "replace", naming)
    restoring.stage(new, packed, {"state": "over"})
    restoring.take_staged(new, NOW)

    assert named == {restoring.STAGED: True, "secret_key": True, "settings.env": True, "peaje.db": True}
    assert new.db_path.stat().st_ino in synced


def test_a_staged_backup_takes_its_place_at_the_start(settings: Settings, tmp_path: Path) -> None:
    notes.put("told", "before", NOW)
    health.beat("daemon", {"bot": "ok"}, NOW)
    packed = backups.make(settings, NOW).file
    new = elsewhere(settings, tmp_path / "new")

    with pytest.raises(PassphraseWrong):
        restoring.unpack_beside(new, packed, "wrong")
    restoring.unpack_beside(new, packed, PASSPHRASE)
    restoring.stage(new, packed, {"state": "over"})
    taken = [restoring.take_staged(new, NOW), restoring.take_staged(new, NOW)]

    assert taken == [True, False]
    assert kept(new.db_path) == kept(settings.db_path)
    close_database()
    open_database(new.database_file)
    assert notes.get("told") == "before"
    assert opening.is_left()
    assert not health.all(), "nothing lives here yet"


def test_nothing_stays_of_a_backup_that_cannot_be_used(settings: Settings, tmp_path: Path) -> None:
    plain = backups.make(replace(settings, backup_passphrase=None), NOW).file
    new = elsewhere(settings, tmp_path / "new")
    cut = tmp_path / "cut.db.gz"
    cut.write_bytes(plain.read_bytes()[:-100])

    with pytest.raises(NotSealed):
        restoring.unpack_beside(new, plain, PASSPHRASE, unsealed=False)
    with pytest.raises(BackupUnsound):
        restoring.unpack_beside(new, cut, None)
    assert not [*new.db_path.iterdir()], "customers, and a disk that is full of them"


@pytest.mark.parametrize(("session", "brought"), [(None, False), ("sealed", True)], ids=["settings", "database"])
def test_it_is_known_whether_an_account_comes_along(
    settings: Settings, tmp_path: Path, session: str | None, brought: bool
) -> None:
    Account.insert(session=session, mark="mark", state="active", since=NOW).execute()
    packed = backups.make(settings, NOW).file
    new = elsewhere(settings, tmp_path / "new")

    assert restoring.brings_account(restoring.unpack_beside(new, packed, PASSPHRASE)) is brought


def test_a_restore_does_not_bring_a_used_code_back(settings: Settings, tmp_path: Path) -> None:
    code = "a-code-of-twenty-characters"
    packed = backups.make(settings, NOW).file
    opening.begin(opening.open_address(code, NOW), NOW)
    opening.finish(NOW)
    close_database()

    restoring.exchange(settings, restoring.prepare(settings, packed, NOW + 1), NOW + 1)

    assert not opening.is_wanted(replace(settings, setup_code=code))
    assert opening.is_wanted(replace(settings, setup_code=f"{code}-2"))


def test_a_start_goes_on_where_one_was_killed(settings: Settings, tmp_path: Path) -> None:
    packed = backups.make(settings, NOW).file
    new = elsewhere(settings, tmp_path / "new")
    restoring.unpack_beside(new, packed, PASSPHRASE)
    restoring.stage(new, packed, {"state": "over"})
    left = bundles.beside(new.db_path / restoring.STAGED / restoring.DATABASE)
    (left / "secret_key").replace(new.db_path / "secret_key")  # as far as it had come

    assert restoring.take_staged(new, NOW)
    assert kept(new.db_path) == kept(settings.db_path)
