"""Copies of the database that can be relied on: made while the programs work, opened and examined before they count.

A backup is one file, ``peaje-<UTC time>.db.gz``, with ``.sealed`` behind it when it needs the passphrase
(:mod:`models.maintenance.encryption`). One made because a migration was about to run has ``-before-<migration>`` in
its name.
"""

import contextlib
import fcntl
import gzip
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from config.settings import Settings
from models.database import files
from models.errors import BackupNotFound, BackupUnsound, PassphraseWrong
from models.maintenance import encryption, integrity

DAILY, WEEKLY = 7, 4
RECENT_S = 86_400
"""All backups of the last day are kept: whoever notices a mistake in the evening wants the morning back."""

BEFORE_MIGRATION_S = 30 * 86_400
"""How long a backup that was made before a migration is kept."""

COMPRESSION = 6

_NAME = re.compile(r"peaje-(?P<at>\d{8}T\d{6}Z)(?:-before-(?P<before>\w+))?\.db\.gz(?P<sealed>\.sealed)?")
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, order=True)
class Backup:
    """What the name of a backup says: when it was made, before which migration, whether it is sealed."""

    at: int
    name: str
    before: str | None = None
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that has just been made, and the contradictions in its ledger, in words."""

    file: Path
    contradictions: list[str]


def named(name: str) -> Backup | None:
    """Read the name of a file; None when it is no backup."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    at = datetime.strptime(match["at"], _STAMP).replace(tzinfo=UTC)
    return Backup(int(at.timestamp()), name, match["before"], bool(match["sealed"]))


def in_directory(directory: Path) -> list[Backup]:
    """The backups in *directory*, newest first."""
    names = os.listdir(directory) if directory.is_dir() else ()
    return among(names)


def among(names: Iterable[str]) -> list[Backup]:
    """The backups among *names*, newest first."""
    return sorted(filter(None, map(named, names)), reverse=True)


def newest(known: Collection[Backup], now: int) -> Backup | None:
    """The newest of the *known* that is not from the future, where a clock that was ahead puts it; else the newest."""
    return max((backup for backup in known if backup.at <= now), default=max(known, default=None))


def make(settings: Settings, now: int, before: str | None = None) -> Made:
    """Make a backup and examine it. *before* names the migration it is made for.

    :raises BackupNotFound: there is no database yet.
    :raises BackupUnsound: what was made cannot be relied on, most likely because the database is damaged.
    :raises OSError: no room, or no right to write.
    """
    if not settings.database_file.exists():
        raise BackupNotFound(f"no database at {settings.database_file}")
    settings.backups.mkdir(parents=True, exist_ok=True)
    with _workshop(settings.backups) as workshop:
        packed = _pack(files.copy(settings.database_file, workshop / "copy.db"), settings.backup_passphrase)
        found = integrity.examine(unpack(packed, workshop / "unpacked.db", settings.backup_passphrase))
        if found.faults:
            raise BackupUnsound(found.faults)
        target = settings.backups / _name(now, before, bool(settings.backup_passphrase))
        belong_like(settings.backups, packed)
        _to_disk(packed)
        packed.replace(target)
        _to_disk(settings.backups)
    return Made(target, found.contradictions)


def unpack(packed: Path, target: Path, passphrase: str | None) -> Path:
    """Write the database of a backup to *target* and return that. Whether it is sound is not asked here.

    :raises PassphraseWrong: it is sealed, and does not open with *passphrase*.
    :raises BackupUnsound: the file is damaged.
    """
    try:
        with _opened(packed, passphrase) as compressed, target.open("wb") as file:
            shutil.copyfileobj(compressed, file, 1 << 20)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BackupUnsound([str(error)]) from error
    return target


def kept(backups: Collection[Backup], timezone: tzinfo, now: int) -> set[Backup]:
    """Those to keep: the newest of each of the last 7 days and 4 weeks that have any, and recent ones.

    Days and weeks are the operator's. Forgetting again what was kept forgets nothing.
    """
    regular = sorted((backup for backup in backups if backup.before is None), reverse=True)
    days: dict[object, Backup] = {}
    weeks: dict[object, Backup] = {}
    for backup in regular:
        moment = datetime.fromtimestamp(backup.at, timezone)
        days.setdefault(moment.date(), backup)
        weeks.setdefault(moment.isocalendar()[:2], backup)
    recent = {backup for backup in backups if now - backup.at < (BEFORE_MIGRATION_S if backup.before else RECENT_S)}
    return {*[*days.values()][:DAILY], *[*weeks.values()][:WEEKLY], *recent}


def forget_old(settings: Settings, now: int) -> list[str]:
    """Delete the backups of this installation that need not be kept; return their names."""
    known = in_directory(settings.backups)
    old = [backup.name for backup in known if backup not in kept(known, settings.timezone, now)]
    for name in old:
        (settings.backups / name).unlink(missing_ok=True)
    return old


def is_due(settings: Settings, now: int) -> bool:
    """Whether the newest backup is older than the operator wants, or there is none."""
    last = newest(in_directory(settings.backups), now)
    return last is None or not 0 <= now - last.at < settings.backup_hours * 3600


def belong_like(model: Path, path: Path) -> None:
    """Give *path* to the owner of *model*, for his eyes only: root may be making it for the programs' user."""
    path.chmod(0o600)
    if os.geteuid() == 0:
        owner = model.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _name(now: int, before: str | None, sealed: bool) -> str:
    reason = f"-before-{before}" if before else ""
    return f"peaje-{datetime.fromtimestamp(now, UTC):{_STAMP}}{reason}.db.gz{'.sealed' if sealed else ''}"


def _to_disk(path: Path) -> None:
    """Wait until what a file holds, or how a directory names its files, outlives a power cut."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextlib.contextmanager
def _workshop(directory: Path) -> Iterator[Path]:
    """A place beside the backups for one that is being made, one at a time; what a crash left there is swept out."""
    with (directory / ".lock").open("a") as lock:
        belong_like(directory, directory / ".lock")
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in directory.glob(".making-*"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=directory) as place:
            yield Path(place)


def _pack(plain: Path, passphrase: str | None) -> Path:
    """Compress a file, seal it when there is a passphrase, and delete it."""
    packed = plain.with_suffix(".gz")
    with plain.open("rb") as source, gzip.open(packed, "wb", COMPRESSION) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    plain.unlink()
    if not passphrase:
        return packed
    sealed = plain.with_suffix(".sealed")
    with packed.open("rb") as source, sealed.open("wb") as target:
        encryption.seal(source, target, passphrase)
    packed.unlink()
    return sealed


@contextlib.contextmanager
def _opened(packed: Path, passphrase: str | None) -> Iterator[gzip.GzipFile]:
    with packed.open("rb") as file:
        sealed = file.read(len(encryption.MAGIC)) == encryption.MAGIC
        file.seek(0)
        if not sealed:
            with gzip.GzipFile(fileobj=file) as compressed:
                yield compressed
            return
        if not passphrase:
            raise PassphraseWrong("it is sealed: set BACKUP_PASSPHRASE to what it was made with")
        with tempfile.TemporaryFile(dir=packed.parent) as plain:
            encryption.unseal(file, plain, passphrase)
            plain.seek(0)
            with gzip.GzipFile(fileobj=plain) as compressed:
                yield compressed
