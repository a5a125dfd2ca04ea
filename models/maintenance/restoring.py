"""Puts a backup in the place of the database. The caller stops the programs before that.

The new file is prepared beside the old one: unpacked, examined and migrated. Then it takes the old file's place in one
step, and the old file stays under another name. A ``-wal`` of the old file never meets the new one: SQLite would mix
them without an error.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from config.settings import Settings
from models import console_sessions, database, notes, outbox
from models.accounts import logins
from models.database import files
from models.errors import BackupUnsound
from models.event_kinds import AlertReason
from models.jobs import queue
from models.maintenance import backups, integrity
from models.money import stars_cursor
from models.promotion import broadcasts, codes

LEFTOVERS = ("-wal", "-shm", "-journal")

LOCK = "exchange.lock"
"""A lock file in ``DB_PATH``, which a restore holds until its process ends."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A database that is ready to replace the present one."""

    file: Path
    made_at: int
    migrations: list[str]


@contextlib.contextmanager
def workshop(settings: Settings) -> Iterator[Path]:
    """A directory for what a restore downloads. While it is held, :func:`sweep` deletes nothing."""
    settings.db_path.mkdir(parents=True, exist_ok=True)
    with _locked(settings.db_path, fcntl.LOCK_EX):
        _sweep(settings.db_path)
        with tempfile.TemporaryDirectory(prefix=".restoring-", dir=settings.db_path) as place:
            yield Path(place)


def sweep(settings: Settings) -> None:
    """Delete what a killed restore has left, perhaps a whole database. Does nothing while a restore runs."""
    with contextlib.suppress(BlockingIOError), _locked(settings.db_path, fcntl.LOCK_EX | fcntl.LOCK_NB):
        _sweep(settings.db_path)


def prepare(settings: Settings, packed: Path, now: int, *, unsealed: bool = False) -> Prepared:
    """Prepare a backup beside the database, which may be in use.

    :param unsealed: take a backup that is not encrypted, although ``BACKUP_PASSPHRASE`` is set.
    :raises PassphraseWrong: the backup is encrypted, with another passphrase than ``BACKUP_PASSPHRASE``.
    :raises NotSealed: the backup is not encrypted, although ``BACKUP_PASSPHRASE`` is set.
    :raises BackupUnsound: the backup is damaged, or was made by a newer version.
    """
    file = _place(settings.db_path)
    discard(file)
    try:
        backups.unpack(packed, file, settings.backup_passphrase, unsealed=unsealed)
        found = integrity.examine(file)
        if found.faults:
            raise BackupUnsound(found.faults)
        named = backups.named(packed.name)
        made_at = named.at if named else int(packed.stat().st_mtime)
        migrations = database.migrate(file)
        _tell(file, made_at, now)
        backups.belong_like(settings.db_path, file)
    except BaseException:
        discard(file)
        raise
    return Prepared(file, made_at, migrations)


def exchange(settings: Settings, prepared: Prepared, now: int) -> Path | None:
    """Replace the present database by a prepared one; return where the old file is now, None if there was none.

    :raises DatabaseInUse: a program has the present database open.
    """
    present = settings.database_file
    aside = None
    if present.exists():
        files.close_log(present)
        aside = present.with_name(f"peaje.db.before-restore-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}")
        os.link(present, aside)
    for suffix in LEFTOVERS:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{present}{suffix}").replace(f"{aside or prepared.file}{suffix}")
    prepared.file.replace(present)
    discard(prepared.file)
    return aside


def discard(file: Path) -> None:
    """Delete a prepared database and the files beside it."""
    for suffix in ("", ".migrate.lock", *LEFTOVERS):
        Path(f"{file}{suffix}").unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(directory: Path, how: int) -> Iterator[None]:
    with (directory / LOCK).open("a") as lock:
        backups.belong_like(directory, directory / LOCK)
        fcntl.flock(lock, how)
        yield


def _sweep(directory: Path) -> None:
    for left in directory.glob(".restoring-*"):
        shutil.rmtree(left, ignore_errors=True)
    discard(_place(directory))


def _place(directory: Path) -> Path:
    """Where the replacement for the database in *directory* is prepared."""
    return directory / "peaje.db.restoring"


def _tell(file: Path, made_at: int, now: int) -> None:
    """Tell the admins, and write into the restored database what only a later one would hold."""
    database.open_database(file)
    try:
        made = datetime.fromtimestamp(made_at, UTC).isoformat()
        outbox.alert(AlertReason.DATABASE_RESTORED, {"backup": made}, now, key=f"restored:{now}")
        if notes.get(notes.BACKUP_COPIED) is None:
            notes.put(notes.BACKUP_COPIED, "", now)  # the copies in the bucket belong to this database
        if notes.get(stars_cursor.NOTE) is None:
            notes.put(stars_cursor.NOTE, stars_cursor.beginning(made_at), now)
        queue.lose(now)
        console_sessions.end_everything(now)
        logins.end_all("restored")
        broadcasts.end_all("restored", now)
        codes.hold(now)
    finally:
        database.close_database()
