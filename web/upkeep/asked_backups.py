"""Makes and examines the backups that an admin asks for in the console."""

import logging

from config.settings import Settings
from models.errors import BackupUnsound
from models.event_kinds import IncidentKey
from models.maintenance import backup_requests, backups
from models.maintenance.backup_requests import Verified
from web.upkeep import backup_job

logger = logging.getLogger(__name__)


def carry_out(settings: Settings, now: int) -> None:
    """Do what is asked for. What fails is noted, and an incident where a backup could not be made."""
    if backup_requests.is_asked():
        backup_job.watched(IncidentKey.BACKUP_FAILED, lambda: backup_job.make(settings, now), now)
        backup_requests.made()
    name = backup_requests.to_verify()
    if name is not None:
        faults = _faults(settings, name)
        backup_requests.verified(Verified(name, now, faults))
        logger.info("backup.examined", extra={"file": name, "faults": len(faults)})


def _faults(settings: Settings, name: str) -> list[str]:
    """What is wrong with a backup: unpacked beside the database, examined, and deleted."""
    if name not in {each.name for each in backups.in_directory(settings.backups)}:
        return ["there is no such backup"]
    try:
        with backups.workshop(settings.backups) as place:
            packed = settings.backups / name
            plain = backups.unpack(packed, place / "peaje.db", settings.backup_passphrase, unsealed=True)
            return backups.examine(plain).faults
    except BackupUnsound as error:
        return list(error.faults)
    except backup_job.FAILURES as error:
        return [str(error)]
