"""Examines the files under ``DB_PATH``, also while the programs run."""

import fcntl
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import peewee

from config.findings import Finding, fail, ok, warn
from config.settings import Settings
from config.units import HOUR_S, MIB
from models import database, notes, users
from models.errors import SchemaTooNew
from models.maintenance import backups, health, integrity

BEAT_STALE_S = 45
BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def examine(settings: Settings) -> Iterator[Finding]:
    """Examine disk, secrets, database, programs, incidents, backups, and whether the admins can be told of incidents.

    ``.env`` is the one of the working directory, as for the programs.
    """
    yield _disk(settings.db_path)
    yield from _secrets((Path(".env").absolute(), settings.database_file, settings.db_path / "bot.session"))
    file = settings.database_file
    if not file.exists():
        yield ok("database", "not there yet: the first start makes it")
        return
    try:
        found = integrity.examine(file)
        if found.faults:
            yield fail("database", f"damaged: stop the programs and restore a backup. {'; '.join(found.faults)}")
            return
        yield _schema(file)
        database.open_database(file)
        notes.put("doctor", int(time.time()), int(time.time()))
        yield ok("database", f"sound and writable, {file.stat().st_size // MIB} MiB at {file}")
        yield _ledger(found.contradictions)
        yield from _programs(settings, int(time.time()))
        yield from _incidents()
        yield _admins(settings)
        yield _backups(settings, int(time.time()))
    except SchemaTooNew as error:
        yield fail("migrations", str(error))
    except (peewee.DatabaseError, OSError) as error:
        yield fail("database", f"{error}: see whether the disk is full and {file} belongs to the programs' user")
    finally:
        database.close_database()


def is_running(settings: Settings) -> bool:
    """Whether a launcher holds this ``DB_PATH``, or a daemon started by hand lives on it."""
    return _is_locked(settings.db_path / "launcher.lock") or _is_alive(settings.database_file)


def _is_locked(lock: Path) -> bool:
    try:
        with lock.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _is_alive(file: Path) -> bool:
    if not file.exists():
        return False
    try:
        database.open_database(file)
        beat = health.all().get("daemon")
    except peewee.DatabaseError:
        return False
    finally:
        database.close_database()
    return beat is not None and time.time() - beat.at <= BEAT_STALE_S


def _disk(db_path: Path) -> Finding:
    place = db_path if db_path.exists() else db_path.parent
    free = shutil.disk_usage(place).free
    said = f"{free // MIB} MiB free at {place}"
    return (
        ok("disk", said)
        if free >= health.LOW_DISK_BYTES
        else fail("disk", f"{said}: make room, a full disk stops sales")
    )


def _secrets(files: Iterable[Path]) -> Iterator[Finding]:
    """What to do about files with secrets in them that others may read."""
    for file in files:
        mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0
        if mode & BY_OTHERS:
            yield warn(file.name, f"others on this machine may read it ({mode:04o}): chmod 600 {file}")


def _backups(settings: Settings, now: int) -> Finding:
    newest = backups.newest(backups.in_directory(settings.backups), now)
    if newest is None:
        return ok("backups", "none yet: upkeep makes one a few seconds after the start")
    hours = (now - newest.at) // HOUR_S
    said = f"the newest was made {hours} hours ago: {settings.backups / newest.name}"
    if hours >= 2 * settings.backup_hours:
        return warn("backups", f"{said}. Is upkeep running? What does {settings.logs}/upkeep.log say?")
    return ok("backups", said)


def _ledger(contradictions: list[str]) -> Finding:
    if not contradictions:
        return ok("ledger", "adds up")
    advice = "nothing is damaged, do not restore a backup: see the provider for this money"
    return warn("ledger", f"does not add up; {advice}. {'; '.join(contradictions)}")


def _schema(file: Path) -> Finding:
    pending = database.pending(file)
    if pending:
        return warn("migrations", f"{len(pending)} to come at the next start, after a backup: {', '.join(pending)}")
    return ok("migrations", "all applied")


def _programs(settings: Settings, now: int) -> Iterator[Finding]:
    for name, beat in sorted(health.all().items()):
        age = now - beat.at
        if age <= BEAT_STALE_S:
            yield ok(name, "alive")
        else:
            yield fail(name, f"no sign of life for {age} s: see `supervisorctl status` and {settings.logs}/{name}.log")


def _incidents() -> Iterator[Finding]:
    for incident in health.incidents():
        yield warn("incident", f"{incident.key}, not over yet: {incident.text}")


def _admins(settings: Settings) -> Finding:
    if not settings.admin_ids:
        return warn("admins", "none: nobody hears when something is wrong. Put your Telegram id into ADMIN_IDS")
    strangers = sorted(number for number in settings.admin_ids if users.get(number) is None)
    if strangers:
        who = ", ".join(map(str, strangers))
        return warn("admins", f"{who} has never written to the bot, which therefore cannot answer: send /start")
    return ok("admins", f"{len(settings.admin_ids)}, reachable")
