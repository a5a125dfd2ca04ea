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
from config.texts import Texts, said
from config.units import HOUR_S, MIB
from models import database, notes, users
from models.errors import SchemaTooNew
from models.maintenance import backups, health, integrity

BEAT_STALE_S = 45
BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def examine(settings: Settings, t: Texts) -> Iterator[Finding]:
    """Examine disk, secrets, database, programs, incidents, backups, and whether the admins can be told of incidents.

    ``.env`` is the one of the working directory, as for the programs.
    """
    yield _disk(settings.db_path, t)
    yield from _secrets((Path(".env").absolute(), settings.database_file, settings.db_path / "bot.session"), t)
    file = settings.database_file
    if not file.exists():
        yield ok("database", t.gettext("not there yet: the first start makes it"))
        return
    try:
        found = integrity.examine(file)
        if found.faults:
            advice = t.gettext("damaged: stop the programs and restore a backup")
            yield fail("database", f"{advice}. {'; '.join(found.faults)}")
            return
        yield _schema(file, t)
        database.open_database(file)
        notes.put("doctor", int(time.time()), int(time.time()))
        mib = file.stat().st_size // MIB
        yield ok("database", t.gettext("sound and writable, {mib} MiB at {file}", mib=mib, file=file))
        yield _ledger(found.contradictions, t)
        yield from _programs(settings, int(time.time()), t)
        yield from _incidents(t)
        yield from _admins(settings, t)
        yield _backups(settings, int(time.time()), t)
    except SchemaTooNew as error:
        yield fail("migrations", said(error, t))
    except (peewee.DatabaseError, OSError) as error:
        advice = t.gettext("see whether the disk is full and {file} belongs to the programs' user", file=file)
        yield fail("database", f"{error}: {advice}")
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
    return beat is not None and beat.is_fresh(int(time.time()), BEAT_STALE_S)


def _disk(db_path: Path, t: Texts) -> Finding:
    place = db_path if db_path.exists() else db_path.parent
    disk = shutil.disk_usage(place)
    space = t.gettext("{mib} MiB free at {place}", mib=disk.free // MIB, place=place)
    if disk.free >= health.room(disk.total):
        return ok("disk", space)
    advice = t.gettext("make room, a full disk stops sales")
    return fail("disk", f"{space}: {advice}")


def _secrets(files: Iterable[Path], t: Texts) -> Iterator[Finding]:
    """What to do about files with secrets in them that others may read."""
    for file in files:
        mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0
        if mode & BY_OTHERS:
            said = t.gettext(
                "others on this machine may read it ({mode}): chmod 600 {file}", mode=f"{mode:04o}", file=file
            )
            yield warn(file.name, said)


def _backups(settings: Settings, now: int, t: Texts) -> Finding:
    newest = backups.newest(backups.in_directory(settings.backups), now)
    if newest is None:
        return ok("backups", t.gettext("none yet: upkeep makes one a few seconds after the start"))
    file = settings.backups / newest.name
    if newest.at > now:
        ahead = t.gettext("all are dated in the future, a clock was wrong; the newest: {file}", file=file)
        return warn("backups", ahead)
    age = t.duration(now - newest.at)
    said = t.gettext("the newest was made {age} ago: {file}", age=age, file=file)
    if now - newest.at >= 2 * settings.backup_hours * HOUR_S:
        advice = t.gettext("Is upkeep running? `python manage.py logs --program upkeep` says more")
        return warn("backups", f"{said}. {advice}")
    return ok("backups", said)


def _ledger(contradictions: list[str], t: Texts) -> Finding:
    if not contradictions:
        return ok("ledger", t.gettext("adds up"))
    advice = t.gettext("does not add up; nothing is damaged, do not restore a backup: see the provider for this money")
    return warn("ledger", f"{advice}. {'; '.join(contradictions)}")


def _schema(file: Path, t: Texts) -> Finding:
    pending = database.pending(file)
    if pending:
        names = ", ".join(pending)
        return warn("migrations", t.gettext("to come at the next start, after a backup: {names}", names=names))
    return ok("migrations", t.gettext("all applied"))


def _programs(settings: Settings, now: int, t: Texts) -> Iterator[Finding]:
    for name, beat in sorted(health.all().items()):
        age = beat.age(now)
        if beat.is_fresh(now, BEAT_STALE_S):
            yield ok(name, t.gettext("alive"))
        else:
            log = settings.logs / f"{name}.log"
            yield fail(
                name,
                t.gettext("no sign of life for {age} s: see `supervisorctl status` and {log}", age=age, log=log),
            )


def _incidents(t: Texts) -> Iterator[Finding]:
    for incident in health.incidents():
        yield warn("incident", t.gettext("{incident}, not over yet: {text}", incident=incident.key, text=incident.text))


def _admins(settings: Settings, t: Texts) -> Iterator[Finding]:
    """Whether the admins can be written to; that there are none is said of ``ADMIN_IDS``."""
    strangers = sorted(number for number in settings.admin_ids if users.get(number) is None)
    if strangers:
        who = ", ".join(map(str, strangers))
        yield warn(
            "admins",
            t.gettext("{who} has never written to the bot, which therefore cannot answer: send /start", who=who),
        )
    elif settings.admin_ids:
        yield ok("admins", t.gettext("all reachable"))
