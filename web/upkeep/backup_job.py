"""Makes backups on time, copies them to a bucket, and opens an incident while either fails.

The ledger in each backup is audited too: a contradiction is an incident. ``prepare`` and ``find`` are for a restore.
"""

import logging
import subprocess
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from config import memory
from config.settings import Settings
from config.texts import Message
from models import notes
from models.database import ERRORS
from models.errors import BackupError, BackupNotFound, BackupUnsound, NotSealed, PassphraseWrong
from models.event_kinds import IncidentKey
from models.maintenance import backups, health, restoring
from models.maintenance.backups import Backup
from models.maintenance.restoring import Prepared
from web.upkeep import ledger_audit, s3
from web.upkeep.s3 import FORBIDDEN, S3Error

logger = logging.getLogger(__name__)

Tell = Callable[[Message], None]

PRUNED_NOTE = "backup_copies_pruned"
"""The note of the copy after which old copies were last deleted."""

UNFIT = (BackupUnsound, NotSealed, PassphraseWrong)
"""What says that one backup cannot be restored; the one before it may be good."""

FAILURES = (BackupError, S3Error, OSError, *ERRORS, subprocess.TimeoutExpired)


def back_up(settings: Settings, now: int) -> None:
    """Make a backup when one is due, and copy the newest into the operator's bucket. What failed is tried again."""
    if backups.is_due(settings, now):
        watched(IncidentKey.BACKUP_FAILED, lambda: make(settings, now), now)
        memory.give_back()  # some megabytes that are not needed again for hours
    bucket = s3.build(settings)
    if bucket is None:
        for incident in (
            IncidentKey.BACKUP_COPY_FAILED,
            IncidentKey.BACKUP_COPIES_KEPT,
            IncidentKey.BACKUP_COPY_ELSEWHERE,
        ):
            health.close_incident(incident, now)
        return
    watched(IncidentKey.BACKUP_COPY_FAILED, lambda: _copy(settings, bucket, now), now)
    watched(IncidentKey.BACKUP_COPIES_KEPT, lambda: _prune(settings, bucket, now), now)


def prepare(
    settings: Settings, wanted: str, workshop: Path, now: int, *, tell: Tell, unsealed: bool = False
) -> tuple[Path, Prepared]:
    """Prepare the backup that the operator names for a restore; ``latest`` is the newest that is good.

    :param tell: is called with what the operator should know about backups that are passed over.
    :param unsealed: take a backup that is not encrypted, although ``BACKUP_PASSPHRASE`` is set.
    :raises BackupNotFound: there is no such backup.
    :raises BackupUnsound: the backup is damaged, or was made by a newer version.
    :raises PassphraseWrong: the backup is encrypted, and does not open with ``BACKUP_PASSPHRASE``.
    :raises NotSealed: the backup is not encrypted, although ``BACKUP_PASSPHRASE`` is set.
    :raises S3Error: the backup is not here, and the bucket cannot be asked.
    """
    passed_over: list[BackupError] = []
    for packed in find(settings, wanted, workshop, now, tell=tell):
        try:
            return packed, restoring.prepare(settings, packed, now, unsealed=unsealed)
        except UNFIT as error:
            tell(Message("{file} is not good: {error}", file=packed.name, error=error))
            passed_over.append(error)
    raise passed_over[0]


def find(settings: Settings, wanted: str, workshop: Path, now: int, *, tell: Tell) -> Iterator[Path]:
    """The file of the backup that the operator names: a path, or the name of a backup here or in the bucket.

    ``latest`` gives all backups, the newest first, because the newest may not be good. A backup that is only in the
    bucket is fetched into the directory *workshop* when its turn comes.

    :raises BackupNotFound: there is no such backup, or it is the database in use.
    :raises S3Error: the backup is not here, and the bucket cannot be asked.
    """
    if Path(wanted).is_file():
        if settings.database_file.exists() and settings.database_file.samefile(wanted):
            raise BackupNotFound(Message("{file} is the database itself, and no backup", file=wanted))
        yield Path(wanted)
        return
    here = backups.in_directory(settings.backups)
    bucket = s3.build(settings)
    meant = _named(Path(wanted).name, here)
    if not meant:
        there = _in_bucket(bucket, here if wanted == "latest" else (), tell) if bucket is not None else []
        meant = _newest_first({*here, *there}, now, tell) if wanted == "latest" else _named(Path(wanted).name, there)
    if not meant:
        places = f"{settings.backups}" + (f", s3://{bucket.name}" if bucket is not None else "")
        raise BackupNotFound(Message("no backup {wanted} in {places}", wanted=wanted, places=places))
    for backup in meant:
        if bucket is None or backup in here:
            yield settings.backups / backup.name
        else:
            bucket.fetch(backup.name, workshop / backup.name)
            yield workshop / backup.name


def _named(name: str, known: Collection[Backup]) -> list[Backup]:
    return [backup for backup in known if backup.name == name]


def _in_bucket(bucket: s3.Bucket, instead: Collection[Backup], tell: Tell) -> list[Backup]:
    """The backups in the bucket; none where it cannot be asked, if there are others *instead*."""
    try:
        return backups.among(bucket.names())
    except S3Error as error:
        if not instead:
            raise
        tell(Message("only the backups that are here are looked at: {error}", error=error))
        return []


def _newest_first(known: Collection[Backup], now: int, tell: Tell) -> list[Backup]:
    """The newest first; backups with a date in the future, from a clock that was ahead, come last."""
    for backup in sorted(backup for backup in known if backup.at > now):
        tell(Message("{file} is dated in the future: a clock is wrong, or was", file=backup.name))
    return sorted(known, key=lambda backup: (backup.at <= now, backup), reverse=True)


def make(settings: Settings, now: int) -> None:
    """Make a backup now, and delete those that are too old.

    :raises BackupError: it is not sound (also OSError, and the database's errors).
    """
    made = backups.make(settings, now)
    forgotten = backups.forget_old(settings, now)
    size = made.file.stat().st_size
    logger.info("backup.made", extra={"file": made.file.name, "bytes": size, "forgotten": len(forgotten)})
    ledger_audit.report(made.contradictions, now)


def _copy(settings: Settings, bucket: s3.Bucket, now: int) -> None:
    newest = backups.newest(backups.in_directory(settings.backups), now)
    copied = notes.get(notes.BACKUP_COPIED)
    if newest is None or copied == newest.name:
        return
    if copied is None and _is_anothers(settings, bucket, now):
        return
    health.close_incident(IncidentKey.BACKUP_COPY_ELSEWHERE, now)
    bucket.put(settings.backups / newest.name)
    notes.put(notes.BACKUP_COPIED, newest.name, now)
    logger.info("backup.copied", extra={"file": newest.name, "bucket": bucket.name})


def _is_anothers(settings: Settings, bucket: s3.Bucket, now: int) -> bool:
    """Whether the backups in the bucket are another database's, which ours would replace in time; opens an incident.

    On a new volume that other database is most likely the operator's own, lost one. A bucket that holds a backup that
    is here too is ours.
    """
    try:
        there = backups.among(bucket.names())
    except S3Error as error:
        if error.status != FORBIDDEN:
            raise
        return False  # a key that may not list may not delete either
    newest = backups.newest(there, now)
    if newest is None or not {*backups.in_directory(settings.backups)}.isdisjoint(there):
        return False
    health.open_incident(IncidentKey.BACKUP_COPY_ELSEWHERE, f"{bucket.name}: {newest.name}", now)
    return True


def _prune(settings: Settings, bucket: s3.Bucket, now: int) -> None:
    """Delete old copies after each new one. It fails by itself: a key that may only write still copies."""
    copied = notes.get(notes.BACKUP_COPIED)
    if copied is None or notes.get(PRUNED_NOTE) == copied:
        return
    there = backups.among(bucket.names())
    for old in {*there} - backups.kept(there, settings.timezone, now):
        bucket.delete(old.name)
    notes.put(PRUNED_NOTE, copied, now)


def watched(incident: IncidentKey, work: Callable[[], None], now: int) -> None:
    """Do some work; the incident is open while it fails."""
    try:
        work()
    except FAILURES as error:
        logger.error("backup.failed", extra={"incident": incident, "cause": str(error)})
        health.open_incident(incident, str(error), now)
    else:
        health.close_incident(incident, now)
