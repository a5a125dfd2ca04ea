"""Puts a backup in the place of the database. The caller stops the programs before that.

The new file is prepared beside the old one: unpacked, examined and migrated. Then it takes the old file's place in one
step, and the old file stays under another name. A ``-wal`` of the old file never meets the new one: SQLite would mix
them without an error.
"""

import contextlib
import fcntl
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from config.settings import Settings
from models import console_sessions, database, notes, outbox
from models.accounts import logins
from models.database import files
from models.errors import BackupUnsound
from models.event_kinds import AlertReason
from models.jobs import queue
from models.maintenance import backups, bundles, health
from models.money import stars_cursor
from models.promotion import broadcasts, codes
from models.setup import opening

LEFTOVERS = ("-wal", "-shm", "-journal")

STAGED = "restored"
"""In ``DB_PATH``: a backup that set-up has unpacked, which the launcher puts in place before it starts anything."""
UPLOADED = "restored.upload"
"""In ``DB_PATH``: what a browser has sent of a backup so far."""
DATABASE, MEMO = "peaje.db", "memo.json"
"""In that folder: the database, and what it is to know of set-up."""

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
    file, used = _place(settings.db_path), _used_codes(settings.database_file)
    discard(file)
    with contextlib.ExitStack() as undoing:
        undoing.callback(discard, file)
        _unpack(packed, file, settings.backup_passphrase, unsealed=unsealed)
        made_at = _made_at(packed)
        migrations = database.migrate(file)
        _tell(file, made_at, now, used)
        backups.belong_like(settings.db_path, file)
        undoing.pop_all()
    return Prepared(file, made_at, migrations)


def exchange(settings: Settings, prepared: Prepared, now: int) -> Path | None:
    """Replace the present database by a prepared one; return where the old file is now, None if there was none.

    :raises DatabaseInUse: a program has the present database open.
    """
    present = settings.database_file
    aside = None
    ending = _ending(settings.db_path, now)
    if present.exists():
        files.close_log(present)
        aside = present.with_name(f"peaje.db{ending}")
        os.link(present, aside)
    _put_back(settings.db_path, bundles.beside(prepared.file), ending)
    for suffix in LEFTOVERS:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{present}{suffix}").replace(f"{aside or prepared.file}{suffix}")
    backups.to_disk(prepared.file)
    prepared.file.replace(present)
    backups.to_disk(settings.db_path)
    discard(prepared.file)
    return aside


def _ending(directory: Path, now: int) -> str:
    """What is put behind the names of the files that make room: no name is taken twice, in the same second either."""
    stamp = f".before-restore-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"
    endings = itertools.chain((stamp,), (f"{stamp}-{number}" for number in itertools.count(2)))
    return next(each for each in endings if not any(directory.glob(f"*{each}")))


def unpack_beside(settings: Settings, packed: Path, passphrase: str | None, *, unsealed: bool = True) -> Path:
    """Unpack a backup into a folder beside the database, and examine it; return the unpacked database.

    Of one that cannot be used nothing stays there.

    :param unsealed: take a backup that is not encrypted, although there is a passphrase.
    :raises PassphraseWrong: it is encrypted, with another passphrase.
    :raises NotSealed: it is not encrypted, although there is a passphrase.
    :raises BackupUnsound: it is damaged, or was made by a newer version.
    """
    draft = settings.db_path / f"{STAGED}.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    with contextlib.ExitStack() as undoing:
        undoing.callback(shutil.rmtree, draft, ignore_errors=True)
        _unpack(packed, draft / DATABASE, passphrase, unsealed=unsealed)
        undoing.pop_all()
    return draft / DATABASE


def brings_account(file: Path) -> bool:
    """Whether there is the session of an account in a database that :func:`unpack_beside` has unpacked."""
    return files.holds_session(file)


def forget_brought(settings: Settings) -> None:
    """Delete what was sent or unpacked during set-up and has not been put in place: it may be a whole shop."""
    for name in (UPLOADED, f"{STAGED}.new"):
        shutil.rmtree(settings.db_path / name, ignore_errors=True)


def stage(settings: Settings, packed: Path, memo: Mapping[str, Any]) -> None:
    """Have the launcher put in place what :func:`unpack_beside` has unpacked, when it starts the next time."""
    draft = settings.db_path / f"{STAGED}.new"
    (draft / MEMO).write_text(json.dumps({"made_at": _made_at(packed), "setup": dict(memo)}))
    for each in (draft / MEMO, draft / DATABASE, draft):
        backups.to_disk(each)
    draft.replace(settings.db_path / STAGED)
    backups.to_disk(settings.db_path)


def take_staged(settings: Settings, now: int) -> bool:
    """Put a staged backup in place; False where there is none. A crash in between is made good by the next start."""
    folder = settings.db_path / STAGED
    file = folder / DATABASE
    if not folder.exists():
        return False
    if file.exists():
        memo = json.loads((folder / MEMO).read_text())
        migrations = database.migrate(file)
        _tell(file, memo["made_at"], now)
        database.open_database(file)
        try:
            opening.take_over(memo["setup"], now)
        finally:
            database.close_database()
        exchange(settings, Prepared(file, memo["made_at"], migrations), now)
    shutil.rmtree(folder)
    return True


def discard(file: Path) -> None:
    """Delete a prepared database and the files beside it."""
    bundles.discard(file)
    for suffix in ("", ".migrate.lock", *LEFTOVERS):
        Path(f"{file}{suffix}").unlink(missing_ok=True)


def _unpack(packed: Path, file: Path, passphrase: str | None, *, unsealed: bool) -> None:
    """Unpack a backup, and examine what comes out."""
    backups.unpack(packed, file, passphrase, unsealed=unsealed)
    found = backups.examine(file)
    if found.faults:
        raise BackupUnsound(found.faults)


def _made_at(packed: Path) -> int:
    """When a backup was made: its name says so, unless somebody has renamed it."""
    named = backups.named(packed.name)
    return named.at if named else int(packed.stat().st_mtime)


def _put_back(directory: Path, brought: Path, ending: str) -> None:
    """Put what came with a sealed backup in its place; what stood there, and differs, stays under another name."""
    for name in bundles.held(brought):
        present = directory / name
        if present.exists() and present.read_bytes() != (brought / name).read_bytes():
            present.replace(f"{present}{ending}")
        backups.belong_like(directory, brought / name)
        backups.to_disk(brought / name)
        (brought / name).replace(present)


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


def _used_codes(file: Path) -> Sequence[str]:
    """The codes of set-up that were used up here; none where the database is damaged, which is why it is replaced."""
    if not file.exists():
        return ()
    try:
        database.open_database(file)
        return opening.used_codes()
    except database.ERRORS:
        return ()
    finally:
        database.close_database()


def _tell(file: Path, made_at: int, now: int, used: Sequence[str] = ()) -> None:
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
        health.forget_beats()
        console_sessions.end_everything(now)
        logins.end_all("restored")
        broadcasts.end_all("restored", now)
        codes.hold(now)
        opening.use_up(used, now)
    finally:
        database.close_database()
