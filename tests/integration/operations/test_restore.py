"""``manage.py restore`` as the operator types it: beside running programs, over a live log, after a lost disk."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import peewee
import pytest
from click.testing import CliRunner

from config.settings import load
from daemon.supervision import programs
from manage import cli
from models import database, users
from models.jobs import queue
from models.maintenance import backups, restoring
from tests import environment, preloaded
from tests.integration.daemon.test_supervision import STUBBORN, Instance, instance, wait
from tests.preloaded import Dialogue
from tests.purchases import NOW
from tests.sandbox_process import REPOSITORY
from tests.store import new_job

__all__ = ["instance"]


def begin(environ: dict[str, str], *words: str) -> AbstractContextManager[Dialogue]:
    env = {"PATH": os.environ["PATH"], **environ}
    return preloaded.dialogue("manage", *words, cwd=Path(environ["DB_PATH"]), env=env)


def manage(environ: dict[str, str], *words: str) -> tuple[int, str]:
    env = {"PATH": os.environ["PATH"], **environ}
    return preloaded.outcome("manage", *words, cwd=Path(environ["DB_PATH"]), env=env)


def ask(file: Path, question: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute(question)]


NAMES = "SELECT first_name FROM user ORDER BY id"


@pytest.fixture
def data(migrated: Path, tmp_path: Path) -> Path:
    """A state directory in which nothing runs, whose database knows Ana."""
    directory = tmp_path / "data"
    directory.mkdir()
    _begin(migrated, directory)
    return directory


def _begin(migrated: Path, directory: Path) -> None:
    shutil.copy(migrated, directory / "peaje.db")
    database.open_database(directory / "peaje.db")
    users.seen(1, "Ana", None, "es", NOW)
    database.close_database()


@pytest.fixture(scope="module")
def backup(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the database that knows Ana."""
    directory = tmp_path_factory.mktemp("backup")
    _begin(migrated, directory)
    return backups.make(load(environment.minimal(directory), dotenv=None), int(time.time())).file


@pytest.fixture
def backed_up(data: Path, backup: Path) -> Path:
    """The state directory, with that backup."""
    (data / "backups").mkdir()
    shutil.copy(backup, data / "backups")
    return data


@pytest.fixture
def environ(data: Path) -> dict[str, str]:
    return environment.minimal(data) | {"PEAJE_RUN": str(data / "run")}


@pytest.fixture
def later(data: Path) -> Iterator[None]:
    """Berta came after the backup, and her row is still in the log only: a program has the database open."""
    database.open_database(data / "peaje.db")
    users.seen(2, "Berta", None, "es", NOW)
    yield
    database.close_database()


def test_a_backup_comes_back(data: Path, environ: dict[str, str]) -> None:
    code, said = manage(environ, "backup")
    assert code == 0, said
    made = Path(said.strip())
    assert made.parent == data / "backups"
    with closing(sqlite3.connect(data / "peaje.db")) as connection:
        connection.execute("UPDATE user SET first_name = 'Berta'")
        connection.commit()

    code, said = manage(environ, "restore", "latest")

    assert code == 0, said
    assert ask(data / "peaje.db", NAMES) == ["Ana"]
    (aside,) = data.glob("peaje.db.before-restore-*")
    assert str(aside) in said
    assert ask(aside, NAMES) == ["Berta"], "nothing is thrown away"
    assert not list(data.glob("*restoring*"))


def test_the_database_that_made_room_comes_back(data: Path, environ: dict[str, str]) -> None:
    assert manage(environ, "backup")[0] == 0
    with closing(sqlite3.connect(data / "peaje.db")) as connection:
        connection.execute("UPDATE user SET first_name = 'Berta'")
        connection.commit()
    assert manage(environ, "restore", "latest")[0] == 0
    (aside,) = data.glob("peaje.db.before-restore-*")

    code, said = manage(environ | {"BACKUP_PASSPHRASE": "open sesame"}, "restore", str(aside))
    assert code == 1 and "it is not sealed, and BACKUP_PASSPHRASE is set" in said
    code, said = manage(environ, "restore", str(aside))

    assert code == 0, said
    assert ask(data / "peaje.db", NAMES) == ["Berta"]
    assert f"Restored {aside.name}" in said


def test_a_copied_database_comes_back_with_its_log(data: Path, environ: dict[str, str], later: None) -> None:
    copied = data.parent / "copied.db"
    for suffix in ("", "-wal"):
        shutil.copy(f"{data / 'peaje.db'}{suffix}", f"{copied}{suffix}")
    database.close_database()

    code, said = manage(environ, "restore", str(copied))

    assert code == 0, said
    assert ask(data / "peaje.db", NAMES) == ["Ana", "Berta"]


def test_the_database_itself_is_no_backup(data: Path, environ: dict[str, str]) -> None:
    code, said = manage(environ, "restore", str(data / "peaje.db"))

    assert code == 1
    assert said.splitlines() == [f"Error: nothing was changed: {data}/peaje.db is the database itself, and no backup"]
    assert not list(data.glob("peaje.db.before-restore-*"))


def test_what_stood_in_line_then_is_not_sent_again(data: Path, environ: dict[str, str]) -> None:
    database.open_database(data / "peaje.db")
    queue.enqueue(new_job(1, "1"), 9, NOW)
    database.close_database()
    manage(environ, "backup")

    code, said = manage(environ, "restore", "latest")

    assert code == 0, said
    assert ask(data / "peaje.db", "SELECT state || ' ' || reason FROM job") == ["cancelled restored"]
    assert ask(data / "peaje.db", "SELECT COUNT(*) FROM event WHERE kind = 'job_finished'") == [1]


def test_the_latest_is_not_one_from_a_clock_that_was_ahead(data: Path, environ: dict[str, str]) -> None:
    database.open_database(data / "peaje.db")
    users.seen(2, "Berta", None, "es", NOW)
    backups.make(load(environ, dotenv=None), int(time.time()) + 86_400)
    database.close_database()
    with closing(sqlite3.connect(data / "peaje.db")) as connection:
        connection.execute("DELETE FROM user WHERE first_name = 'Berta'")
        connection.commit()
    manage(environ, "backup")

    code, said = manage(environ, "restore", "latest")

    assert code == 0, said
    assert ask(data / "peaje.db", NAMES) == ["Ana"]
    assert "is dated in the future" in said


def test_the_latest_is_the_newest_that_is_good(data: Path, environ: dict[str, str]) -> None:
    settings, now = load(environ, dotenv=None), int(time.time())
    database.open_database(data / "peaje.db")
    older = backups.make(settings, now - 3600).file
    users.seen(2, "Berta", None, "es", NOW)
    torn = backups.make(settings, now - 60).file
    database.close_database()
    torn.write_bytes(torn.read_bytes()[:1000])

    code, said = manage(environ, "restore", "latest")

    assert code == 0, said
    assert f"{torn.name} is not good" in said
    assert f"Restored {older.name}" in said
    assert ask(data / "peaje.db", NAMES) == ["Ana"]
    older.unlink()
    code, said = manage(environ, "restore", "latest")
    assert code == 1
    assert "nothing was changed" in said


def test_a_database_that_a_program_has_open_is_left_alone(
    backed_up: Path, environ: dict[str, str], later: None
) -> None:

    code, said = manage(environ, "restore", "latest")

    assert code == 1
    assert "still open in a program" in said
    assert ask(backed_up / "peaje.db", NAMES) == ["Ana", "Berta"]
    assert not list(backed_up.glob("*restor*"))


def test_a_killed_programs_wal_does_not_reach_a_restore(backed_up: Path, environ: dict[str, str]) -> None:
    writer = (
        "import os, sys; from pathlib import Path; from models import database, users\n"
        "database.open_database(Path(sys.argv[1]))\n"
        "[users.seen(n, 'Berta', None, 'es', 1800000000) for n in range(1, 200)]\n"
        "os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", writer, str(backed_up / "peaje.db")], cwd=REPOSITORY, check=False)
    assert (backed_up / "peaje.db-wal").stat().st_size > 0

    code, said = manage(environ, "restore", "latest")

    assert code == 0, said
    assert not (backed_up / "peaje.db-wal").exists()
    assert ask(backed_up / "peaje.db", NAMES) == ["Ana"]
    (aside,) = backed_up.glob("peaje.db.before-restore-*")
    assert len(ask(aside, NAMES)) == 199


def test_a_damaged_database_is_replaced_and_kept_for_a_look(backed_up: Path, environ: dict[str, str]) -> None:
    (backed_up / "peaje.db").write_bytes(b"no database" * 1000)
    (backed_up / "peaje.db-wal").write_bytes(b"nor a log")

    code, said = manage(environ, "restore", "latest")

    assert code == 0, said
    assert ask(backed_up / "peaje.db", NAMES) == ["Ana"]
    aside = [path.read_bytes() for path in backed_up.glob("peaje.db.before-restore-*Z")]
    assert aside == [b"no database" * 1000]
    assert not (backed_up / "peaje.db-wal").exists()


def test_a_lost_disk_comes_back_from_a_file(data: Path, environ: dict[str, str], tmp_path: Path) -> None:
    sealed = environ | {"BACKUP_PASSPHRASE": "open sesame"}
    code, said = manage(sealed, "backup")
    file = Path(said.splitlines()[0])
    made = tmp_path / file.name
    shutil.move(file, made)
    shutil.rmtree(data)
    data.mkdir()

    code, said = manage(environ, "restore", str(made))
    assert code == 1
    assert "nothing was changed: it is sealed: set BACKUP_PASSPHRASE" in said
    assert not (data / "peaje.db").exists()

    code, said = manage(sealed, "restore", str(made))
    assert code == 0, said
    assert ask(data / "peaje.db", NAMES) == ["Ana"]
    known = backups.named(made.name)
    assert known is not None
    (told,) = ask(data / "peaje.db", "SELECT payload FROM event WHERE kind = 'admin_alert'")
    assert datetime.fromtimestamp(known.at, UTC).isoformat() in told


def test_the_latest_goes_on_behind_files_that_were_cut_off(data: Path, environ: dict[str, str]) -> None:
    environ |= {"BACKUP_PASSPHRASE": "open sesame"}
    settings, now = load(environ, dotenv=None), int(time.time())
    older, newer = backups.make(settings, now - 3600).file, backups.make(settings, now - 60).file
    whole, torn = newer.read_bytes(), []
    newer.unlink()
    for age, size in enumerate((0, 3, 15, 16, 33, 37, 38, 50), 60):
        torn.append(newer.with_name(f"peaje-{datetime.fromtimestamp(now - age, UTC):%Y%m%dT%H%M%SZ}.db.gz.sealed"))
        torn[-1].write_bytes(whole[:size])

    code, said = manage(environ, "restore", "latest")

    assert code == 0, said
    assert [file.name for file in torn if f"{file.name} is not good" not in said] == []
    assert f"Restored {older.name}" in said


def test_what_holds_no_shop_does_not_take_its_place(data: Path, environ: dict[str, str], tmp_path: Path) -> None:
    """A file that was cut off at its beginning, and what is a sound database of nobody or of another program."""
    now, nobodys, newer = int(time.time()), tmp_path / "nobodys.db", []
    good = backups.make(load(environ, dotenv=None), now - 3600).file
    with closing(sqlite3.connect(nobodys)) as connection:
        connection.execute("CREATE TABLE users (user_id INTEGER)")
    for age, content in enumerate((b"", gzip.compress(b""), gzip.compress(nobodys.read_bytes())), 60):
        newer.append(good.with_name(f"peaje-{datetime.fromtimestamp(now - age, UTC):%Y%m%dT%H%M%SZ}.db.gz"))
        newer[-1].write_bytes(content)
        code, said = manage(environ, "restore", newer[-1].name)
        assert code == 1
        assert "nothing was changed: " in said and "there is no shop in it" in said

    code, said = manage(environ, "restore", "latest")

    assert code == 0, said
    assert [file.name for file in newer if f"{file.name} is not good" not in said] == []
    assert f"Restored {good.name}" in said
    assert ask(data / "peaje.db", NAMES) == ["Ana"]


def test_the_latest_is_a_file(data: Path, environ: dict[str, str]) -> None:
    now = int(time.time())
    settings = load(environ, dotenv=None)
    good = backups.make(settings, now - 3600).file
    good.with_name(f"peaje-{datetime.fromtimestamp(now - 60, UTC):%Y%m%dT%H%M%SZ}.db.gz").mkdir()
    good.with_name(f"peaje-{datetime.fromtimestamp(now - 61, UTC):%Y%m%dT%H%M%SZ}.db.gz").symlink_to("nowhere")

    code, said = manage(environ, "restore", "latest")

    assert code == 0, said
    assert f"Restored {good.name}" in said


def test_what_is_passed_over_is_said_in_spanish(data: Path, environ: dict[str, str]) -> None:
    sealed, now = environ | {"BACKUP_PASSPHRASE": "open sesame", "LANGUAGE": "es"}, int(time.time())
    ours = backups.make(load(sealed, dotenv=None), now - 3600).file
    theirs = backups.make(load(environ, dotenv=None), now - 60).file
    disguised = theirs.rename(f"{theirs}.sealed")
    ahead = ours.rename(ours.with_name("peaje-20990101T000000Z.db.gz.sealed"))

    code, said = manage(sealed, "restore", "latest")

    assert code == 0, said
    assert f"{disguised.name} no sirve: no está cifrada" in said
    assert f"{ahead.name} tiene fecha futura: un reloj está mal, o lo estuvo" in said


def test_no_stranger_can_hand_over_a_database(data: Path, environ: dict[str, str], tmp_path: Path) -> None:
    # Given a sealed backup, and a newer one that somebody without the passphrase has put beside it
    sealed = environ | {"BACKUP_PASSPHRASE": "open sesame"}
    now = int(time.time())
    ours = backups.make(load(sealed, dotenv=None), now - 3600).file
    database.open_database(data / "peaje.db")
    users.seen(2, "Mallory", None, "es", NOW)
    database.close_database()
    theirs = backups.make(load(environ, dotenv=None), now - 60).file
    shutil.copy(theirs, tmp_path / "a-copy")
    disguised = theirs.rename(f"{theirs}.sealed")
    # When the newest is restored, it is passed over
    code, said = manage(sealed, "restore", "latest")
    assert code == 0, said
    assert f"{disguised.name} is not good: it is not sealed" in said and f"Restored {ours.name}" in said
    assert ask(data / "peaje.db", NAMES) == ["Ana"]
    # And by its name too, unless the operator says that it is theirs
    for named in (disguised.name, str(tmp_path / "a-copy")):
        code, said = manage(sealed, "restore", named)
        assert code == 1
        assert "nothing was changed: it is not sealed" in said and "--unsealed" in said
    code, said = manage(sealed, "restore", "--unsealed", str(tmp_path / "a-copy"))
    assert code == 0, said
    assert ask(data / "peaje.db", NAMES) == ["Ana", "Mallory"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("latest", "no backup latest in"),
        ("peaje-20200101T000000Z.db.gz", "no backup peaje-20200101T000000Z.db.gz in"),
        ("spoiled", "nothing was changed"),
        ("newer", "written by a newer version"),
    ],
)
def test_what_cannot_be_restored_changes_nothing(
    data: Path, environ: dict[str, str], tmp_path: Path, source: str, reason: str
) -> None:
    if source == "spoiled":
        (tmp_path / "spoiled").write_bytes(b"\x1f\x8b nonsense")
    if source == "newer":
        with closing(sqlite3.connect(data / "peaje.db")) as connection:
            connection.execute("INSERT INTO schema_migration (name, applied) VALUES ('0999_future', '2030-01-01')")
            connection.commit()
        (data / "peaje.db").rename(tmp_path / "newer.db")
        (tmp_path / "newer").write_bytes(gzip.compress((tmp_path / "newer.db").read_bytes()))
    there = (data / "peaje.db").exists()

    code, said = manage(environ, "restore", str(tmp_path / source) if (tmp_path / source).exists() else source)

    assert code == 1
    assert reason in said
    assert "Traceback" not in said
    assert (data / "peaje.db").exists() is there
    assert not list(data.glob("*restor*"))


@pytest.mark.parametrize(
    "failure",
    [
        peewee.OperationalError("database or disk is full"),
        subprocess.TimeoutExpired("models.maintenance.integrity", 900),
    ],
)
def test_what_fails_over_the_new_database_changes_nothing(
    backed_up: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object) -> NoReturn:
        raise failure

    monkeypatch.setattr(restoring, "_tell", fail)
    monkeypatch.chdir(backed_up)

    restore = CliRunner().invoke(cli, ["restore", "latest"], env=environ)

    assert restore.exit_code == 1
    assert f"nothing was changed: {failure}" in restore.output
    assert not list(backed_up.glob("*restor*"))


# ---- beside running programs

WORKING = """
import signal, sys, time
from config import program
from models import database, users
settings = program.begin("{name}")
database.open_database(settings.database_file)
signal.signal(signal.SIGTERM, lambda *_: (database.close_database(), sys.exit(0)))
number = 0
while True:
    number += 1
    users.seen(number, "Customer", None, "en", int(time.time()))
    time.sleep(0.01)
"""


def test_programs_at_work_are_stopped_for_it_and_started_again(instance: Instance) -> None:
    instance.configure({name: WORKING.format(name=name) for name in ("daemon", "web", "upkeep")})
    instance.launch()
    before = instance.wait_until_up()
    file = Path(instance.environ["DB_PATH"]) / "peaje.db"
    wait(lambda: len(ask(file, NAMES)) > 5)
    code, said = manage(instance.environ, "backup")
    assert code == 0, said
    with closing(sqlite3.connect(file, timeout=20)) as connection:
        connection.execute(
            "INSERT INTO user (id, first_name, reminders, created_at, seen_at) VALUES (-1, 'x', 1, 1, 1)"
        )
        connection.commit()

    code, said = manage(instance.environ, "restore", "latest")

    assert code == 0, said
    assert "The programs run again" in said
    wait(lambda: len(instance.pids()) == 4)
    assert not set(before.values()) & set(instance.pids().values())
    assert ask(file, "SELECT COUNT(*) FROM user WHERE id = -1") == [0]
    wait(lambda: len(ask(file, NAMES)) > 20)
    assert ask(file, "PRAGMA integrity_check") == ["ok"]
    assert instance.stop() == 0
    assert not [line for line in instance.messages("watchdog") if "given up" in line]


def test_a_closed_terminal_leaves_nothing_stopped(instance: Instance) -> None:
    instance.configure({"daemon": STUBBORN}, stopwaitsecs="3")
    instance.launch()
    before = instance.wait_until_up()
    code, said = manage(instance.environ, "backup")
    assert code == 0, said

    with begin(instance.environ, "restore", "latest") as talk:
        wait(lambda: "STOPPING" in instance.states())
        for impatience in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            talk.process.send_signal(impatience)
        code, said = talk.end()

    assert code == 0, said
    assert "The programs run again" in said
    wait(lambda: len(instance.pids()) == 4)
    assert not set(before.values()) & set(instance.pids().values())


MORE = """
def up(migrator, db):
    db.execute_sql("CREATE TABLE more (id INTEGER)")
"""


# ---- what the launcher says to a database that it cannot work with


def test_a_damaged_database_stops_the_start_and_names_the_cure(instance: Instance) -> None:
    data = Path(instance.environ["DB_PATH"])
    data.mkdir()
    (data / "peaje.db").write_bytes(b"no database" * 1000)

    assert instance.launch().wait(20) == 78
    started, said = instance.messages("launcher")
    assert started == "program.started"
    assert "is damaged" in said and "python manage.py restore latest" in said


def test_a_start_after_setup_that_fails_ends(instance: Instance) -> None:
    data, run = Path(instance.environ["DB_PATH"]), Path(instance.environ["PEAJE_RUN"])
    data.mkdir()
    (data / "peaje.db").write_bytes(b"no database" * 1000)
    run.mkdir()
    (run / programs.ANEW).touch()

    assert instance.launch().wait(20) == 78, "it is not tried again and again"


def test_a_database_lost_beside_backups_is_not_begun_anew(
    instance: Instance, backed_up: Path, environ: dict[str, str]
) -> None:
    (backed_up / "peaje.db").unlink()

    assert instance.launch().wait(20) == 78
    started, said = instance.messages("launcher")
    assert started == "program.started"
    assert "is gone, but it has backups" in said
    assert not (backed_up / "peaje.db").exists()

    assert manage(environ, "restore", "latest")[0] == 0
    instance.launch()
    instance.wait_until_up()
    assert instance.stop() == 0


def left_by_a_restore(data: Path) -> list[Path]:
    """What lies in *data* when a restore is killed before the exchange."""
    fetched = data / ".restoring-killed" / "peaje-20270115T080000Z.db.gz"
    fetched.parent.mkdir()
    left = [fetched, data / "peaje.db.restoring", data / "peaje.db.restoring-wal"]
    for file in left:
        file.write_bytes(b"names of customers")
    return left


def test_what_a_killed_restore_left_is_swept_out_at_the_start(instance: Instance) -> None:
    data = Path(instance.environ["DB_PATH"])
    data.mkdir()
    left_by_a_restore(data)
    (data / ".draft-of-settings").write_text("TELEGRAM_BOT_TOKEN='secret'")

    instance.launch()
    instance.wait_until_up()

    assert not list(data.glob("*restor*")) and not list(data.glob(".draft-*"))
    assert instance.stop() == 0


def test_a_restore_that_is_under_way_is_left_alone(data: Path, environ: dict[str, str]) -> None:
    settings = load(environ, dotenv=None)
    with restoring.workshop(settings) as place:
        at_work = [place, *left_by_a_restore(data)]
        restoring.sweep(settings)
        assert all(path.exists() for path in at_work)

    restoring.sweep(settings)

    assert not any(path.exists() for path in at_work)


@pytest.fixture
def more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A version of the code that knows one migration more."""
    migrations = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, migrations)
    (migrations / "0999_more.py").write_text(MORE)
    monkeypatch.setattr(database, "MIGRATIONS", migrations)
    return migrations


def test_a_migration_is_preceded_by_a_backup(more: Path, data: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    assert database.migrate(data / "peaje.db", asked.append) == ["0999_more"]
    assert database.migrate(data / "peaje.db", asked.append) == []
    assert database.migrate(tmp_path / "new.db", asked.append)[-1] == "0999_more"

    assert asked == ["0999_more"], "not for a new file, and not without a migration"


def test_a_backup_that_fails_keeps_the_migration_from_running(more: Path, data: Path) -> None:
    def fail(_: str) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        database.migrate(data / "peaje.db", fail)

    assert database.pending(data / "peaje.db") == ["0999_more"]


def test_the_backup_of_an_older_schema_is_sound_too(more: Path, data: Path) -> None:
    settings = load(environment.minimal(data), dotenv=None)

    assert database.migrate(settings.database_file, lambda name: backups.make(settings, NOW, name)) == ["0999_more"]

    (made,) = backups.in_directory(settings.backups)
    assert made.before == "0999_more"
    unpacked = backups.unpack(settings.backups / made.name, data / "unpacked.db", None)
    assert ask(unpacked, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'more'") == [0]
