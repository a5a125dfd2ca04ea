"""A backup takes the place of the database. The programs must be stopped; whoever calls sees to that.

The new file is made ready beside the old one: unpacked, examined and migrated. Then it takes the old one's place in one
step. The old one stays beside it under another name. A ``-wal`` of the old one never meets the new one: SQLite would
mix them without a word.
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
from models import database, notes, outbox
from models.database import files
from models.errors import BackupUnsound
from models.event_kinds import AlertReason
from models.jobs import queue
from models.maintenance import backups, integrity
from models.money import stars_cursor

LEFTOVERS = ("-wal", "-shm", "-journal")

LOCK = "exchange.lock"
"""In ``DB_PATH``: held by a restore for as long as it lives."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A database that is ready to take the place of the present one."""

    file: Path
    made_at: int
    migrations: list[str]


@contextlib.contextmanager
def workshop(settings: Settings) -> Iterator[Path]:
    """A place for what one restore fetches, to be held until it has ended: nobody sweeps its files out meanwhile."""
    settings.db_path.mkdir(parents=True, exist_ok=True)
    with _locked(settings.db_path, fcntl.LOCK_EX):
        _sweep(settings.db_path)
        with tempfile.TemporaryDirectory(prefix=".restoring-", dir=settings.db_path) as place:
            yield Path(place)


def sweep(settings: Settings) -> None:
    """Delete what a restore that was killed has left, perhaps a whole database; nothing while one is under way."""
    with contextlib.suppress(BlockingIOError), _locked(settings.db_path, fcntl.LOCK_EX | fcntl.LOCK_NB):
        _sweep(settings.db_path)


def prepare(settings: Settings, packed: Path, now: int) -> Prepared:
    """Make a backup ready beside the database, which may be in use meanwhile.

    :raises PassphraseWrong: it is sealed, and does not open with ``BACKUP_PASSPHRASE``.
    :raises BackupUnsound: it is damaged, or was made by a newer version.
    """
    file = _place(settings.db_path)
    discard(file)
    try:
        backups.unpack(packed, file, settings.backup_passphrase)
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
    """Let a prepared database take the present one's place; return where that is now, None when there was none.

    :raises DatabaseInUse: a program still has the present one open.
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
    """Delete a prepared database and all that lies around it."""
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
    """Where a database is made ready to take the place of the one in *directory*."""
    return directory / "peaje.db.restoring"


def _tell(file: Path, made_at: int, now: int) -> None:
    """Have the admins told, and the restored database know what only a later one would."""
    database.open_database(file)
    try:
        made = datetime.fromtimestamp(made_at, UTC).isoformat()
        outbox.alert(AlertReason.DATABASE_RESTORED, {"backup": made}, now, key=f"restored:{now}")
        if notes.get(notes.BACKUP_COPIED) is None:
            notes.put(notes.BACKUP_COPIED, "", now)  # what is in the bucket is its own
        if notes.get(stars_cursor.NOTE) is None:
            notes.put(stars_cursor.NOTE, stars_cursor.beginning(made_at), now)
        queue.lose(now)
    finally:
        database.close_database()
