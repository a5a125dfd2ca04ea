"""Backups of the database, made while the programs run. Each is unpacked and examined before it counts.

A backup is one file, ``peaje-<UTC time>.db.gz``, with the suffix ``.sealed`` if it is encrypted
(:mod:`models.maintenance.encryption`). Such a one holds the secrets of ``DB_PATH`` too
(:mod:`models.maintenance.bundles`). A backup that was made before a migration has ``-before-<migration>`` in its
name.
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
from config.texts import Message
from config.units import DAY_S, HOUR_S, MIB
from models.database import files
from models.errors import BackupNotFound, BackupUnsound, NotSealed, PassphraseWrong
from models.maintenance import bundles, encryption, integrity

DAILY, WEEKLY = 7, 4
RECENT_S = DAY_S
"""Seconds for which all backups are kept: a mistake noticed in the evening needs the backup of the morning."""

BEFORE_MIGRATION_S = 30 * DAY_S
"""Seconds for which a backup that was made before a migration is kept."""

COMPRESSION = 6
HEAD_BYTES = 16

_NAME = re.compile(r"peaje-(?P<at>\d{8}T\d{6}Z)(?:-before-(?P<before>\w+))?\.db\.gz(?P<sealed>\.sealed)?")
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, order=True)
class Backup:
    """The contents of a backup's name: when it was made, before which migration, whether it is encrypted."""

    at: int
    name: str
    before: str | None = None
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A new backup, and the contradictions in its ledger in words."""

    file: Path
    contradictions: list[str]


def named(name: str) -> Backup | None:
    """Parse the name of a file; None if it is not a backup's."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        at = datetime.strptime(match["at"], _STAMP).replace(tzinfo=UTC)
    except ValueError:  # there is no such day: whoever may write into the bucket has named it so
        return None
    return Backup(int(at.timestamp()), name, match["before"], bool(match["sealed"]))


def in_directory(directory: Path) -> list[Backup]:
    """The backups in *directory*, newest first."""
    if not directory.is_dir():
        return []
    with os.scandir(directory) as entries:
        return among(entry.name for entry in entries if entry.is_file())


def among(names: Iterable[str]) -> list[Backup]:
    """The backups among *names*, newest first."""
    return sorted(filter(None, map(named, names)), reverse=True)


def newest(known: Collection[Backup], now: int) -> Backup | None:
    """The newest backup that is not from the future, where a wrong clock puts it; if there is none, the newest."""
    return max((backup for backup in known if backup.at <= now), default=max(known, default=None))


def make(settings: Settings, now: int, before: str | None = None) -> Made:
    """Make a backup and examine it. *before* names the migration that follows.

    :raises BackupNotFound: there is no database yet.
    :raises BackupUnsound: the backup is not sound, most likely because the database is damaged.
    :raises OSError: the disk is full or not writable.
    """
    if not settings.database_file.exists():
        raise BackupNotFound(Message("no database at {file}", file=settings.database_file))
    settings.backups.mkdir(parents=True, exist_ok=True)
    with workshop(settings.backups) as place:
        packed = _pack(files.copy(settings.database_file, place / "copy.db"), settings)
        found = examine(unpack(packed, place / "unpacked.db", settings.backup_passphrase))
        if found.faults:
            raise BackupUnsound(found.faults)
        target = settings.backups / _name(now, before, bool(settings.backup_passphrase))
        belong_like(settings.backups, packed)
        to_disk(packed)
        packed.replace(target)
        to_disk(settings.backups)
    return Made(target, found.contradictions)


@contextlib.contextmanager
def workshop(directory: Path) -> Iterator[Path]:
    """A directory beside the backups, for one process at a time. What a crash has left there is deleted first."""
    with (directory / ".lock").open("a") as lock:
        belong_like(directory, directory / ".lock")
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in directory.glob(".making-*"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=directory) as place:
            yield Path(place)


def unpack(packed: Path, target: Path, passphrase: str | None, *, unsealed: bool = False) -> Path:
    """Write the database in a backup to *target*, without examining it; return *target*.

    A database that nobody has packed is one too: what a restore has put aside, or what somebody has copied by hand.
    What else a sealed one holds is in the folder :func:`models.maintenance.bundles.beside` it.

    :param unsealed: take a backup that is not encrypted, although there is a passphrase.
    :raises PassphraseWrong: the backup is encrypted, with another passphrase.
    :raises NotSealed: the backup is not encrypted, although there is a passphrase.
    :raises BackupUnsound: the file is damaged.
    """
    if files.is_database(packed):
        if passphrase and not unsealed:
            raise NotSealed
        return files.copy(packed, target)  # with the log that may lie beside it
    try:
        with _opened(packed, passphrase, unsealed) as compressed:
            # Of one that is not sealed nobody knows who has made it: it brings no settings.
            if encryption.is_sealed(packed) and bundles.is_bundle(compressed.peek(HEAD_BYTES)):
                bundles.unpack(compressed, target)
            else:
                with target.open("wb") as file:
                    shutil.copyfileobj(compressed, file, MIB)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BackupUnsound([str(error)]) from error
    return target


def examine(plain: Path) -> integrity.Report:
    """Examine the database of a backup. A file that was cut off before its first byte holds none, and seems sound."""
    found = integrity.examine(plain)
    if not found.faults and not files.holds_shop(plain):
        return integrity.Report(["there is no shop in it"])
    return found


def kept(backups: Collection[Backup], timezone: tzinfo, now: int) -> set[Backup]:
    """The backups to keep: the newest of each of the last 7 days and 4 weeks that have any, and the recent ones.

    Days and weeks are in the operator's time zone. Applied to its own result, the rule keeps everything.
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
    """Delete the backups of this installation that :func:`kept` leaves out; return their names."""
    known = in_directory(settings.backups)
    old = [backup.name for backup in known if backup not in kept(known, settings.timezone, now)]
    for name in old:
        (settings.backups / name).unlink(missing_ok=True)
    return old


def is_due(settings: Settings, now: int) -> bool:
    """Whether the newest backup is older than ``BACKUP_HOURS``, or there is none."""
    last = newest(in_directory(settings.backups), now)
    return last is None or not 0 <= now - last.at < settings.backup_hours * HOUR_S


def belong_like(model: Path, path: Path) -> None:
    """Make *path* belong to the owner of *model* alone: root may have made it for the programs' user.

    :raises OSError: it is a link, by which that user could lead root to a file of others.
    """
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fchmod(opened, 0o600)
        if os.geteuid() == 0:
            owner = model.stat()
            os.fchown(opened, owner.st_uid, owner.st_gid)
    finally:
        os.close(opened)


def _name(now: int, before: str | None, sealed: bool) -> str:
    reason = f"-before-{before}" if before else ""
    return f"peaje-{datetime.fromtimestamp(now, UTC):{_STAMP}}{reason}.db.gz{'.sealed' if sealed else ''}"


def to_disk(path: Path) -> None:
    """Wait until the contents of a file, or the names in a directory, survive a power cut."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _pack(plain: Path, settings: Settings) -> Path:
    """Compress *plain*, add the secrets and encrypt the result if there is a passphrase, and delete *plain*."""
    packed, passphrase = plain.with_suffix(".gz"), settings.backup_passphrase
    with gzip.open(packed, "wb", COMPRESSION) as target:
        if passphrase:
            bundles.pack(plain, settings.db_path, target)
        else:
            with plain.open("rb") as source:
                shutil.copyfileobj(source, target, MIB)
    plain.unlink()
    if not passphrase:
        return packed
    sealed = plain.with_suffix(".sealed")
    with packed.open("rb") as source, sealed.open("wb") as target:
        encryption.seal(source, target, passphrase)
    packed.unlink()
    return sealed


@contextlib.contextmanager
def _opened(packed: Path, passphrase: str | None, unsealed: bool) -> Iterator[gzip.GzipFile]:
    with packed.open("rb") as file:
        if not encryption.is_sealed(packed):
            if passphrase and not unsealed:
                raise NotSealed
            with gzip.GzipFile(fileobj=file) as compressed:
                yield compressed
            return
        if not passphrase:
            raise PassphraseWrong(Message("it is sealed: set BACKUP_PASSPHRASE to what it was made with"))
        with tempfile.TemporaryFile(dir=packed.parent) as plain:
            encryption.unseal(file, plain, passphrase)
            plain.seek(0)
            with gzip.GzipFile(fileobj=plain) as compressed:
                yield compressed
