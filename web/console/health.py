"""Health: programs, accounts, incidents, backups, the disk, the version and what is new in it."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from flask import Response, abort, send_from_directory, url_for
from werkzeug.wrappers import Response as BaseResponse

from config.settings import PROJECT
from config.texts import DEFAULT_LANGUAGE
from config.version import VERSION
from models import acts
from models.accounts import pool
from models.jobs import sources, usage
from models.maintenance import backup_requests, backups
from models.maintenance import health as beats
from models.maintenance.backups import Backup
from models.roles import Act
from models.words import accounts, incidents
from web import rendering
from web.console import guard, layout

PROGRAMS = ("daemon", "web", "upkeep")
INCIDENTS_SHOWN = 20
BACKUPS_SHOWN = 20
LONGEST_NEWS = 18_000
"""Characters of the newest part of the changelog."""
CHANGELOG = PROJECT / "CHANGELOG.md"
_VERSION_HEAD = re.compile(r"^## ", re.MULTILINE)

blueprint = guard.section("health", "/health")


@dataclass(frozen=True)
class Program:
    """A program: whether it lives, how old its newest heartbeat is, and what it said."""

    name: str
    lives: bool
    age_s: int | None
    detail: str


@blueprint.get("")
@guard.needs(Act.SEE_HEALTH)
def health() -> Response:
    """Everything about how it is."""
    found, settings = guard.visitor(), rendering.current_settings()
    disk = shutil.disk_usage(settings.db_path)
    known = backups.in_directory(settings.backups)[:BACKUPS_SHOWN]
    return layout.show(
        "console/health.html",
        programs=_programs(found.now),
        account=beats.account(found.now),
        accounts=pool.all(),
        state_of=accounts.state,
        now=found.now,
        state=accounts.connection,
        joins=sources.joined_on(usage.day_of(found.now, settings.timezone)),
        joins_cap=settings.joins_per_day,
        incidents=beats.recent(INCIDENTS_SHOWN),
        said=incidents.label,
        disk=disk,
        database=sum(_size(file) for file in settings.db_path.glob("peaje.db*")),
        backups=[(each, _size(settings.backups / each.name)) for each in known],
        sealed=settings.backup_passphrase is not None,
        asked=backup_requests.is_asked(),
        verifying=backup_requests.to_verify(),
        verified=backup_requests.last_verified(),
        version=VERSION,
        news=_news(),
        written_in=DEFAULT_LANGUAGE,
    )


@blueprint.post("/backups")
@guard.needs(Act.BACK_UP)
def back_up() -> BaseResponse:
    """Have a backup made now."""
    found = guard.visitor()
    acts.ask_backup(found.actor, found.now)
    return layout.done(url_for("console_health.health"), found.t.gettext("The backup is being made."))


@blueprint.post("/backups/<name>/verify")
@guard.needs(Act.BACK_UP)
def verify(name: str) -> BaseResponse:
    """Have a backup examined as a restore would."""
    found = guard.visitor()
    acts.ask_backup(found.actor, found.now, verify=_known(name).name)
    return layout.done(url_for("console_health.health"), found.t.gettext("The backup is being examined."))


@blueprint.post("/backups/<name>")
@guard.needs(Act.FETCH_BACKUP)
def fetch(name: str) -> BaseResponse:
    """Download a backup, if it is encrypted: a plain one is the whole shop for whoever finds it."""
    found, known = guard.visitor(), _known(name)
    if not acts.fetch_backup(found.actor, known, found.now):
        text = found.t.gettext("Only encrypted backups can be downloaded. Set BACKUP_PASSPHRASE.")
        return layout.done(url_for("console_health.health"), text, "bad")
    return send_from_directory(rendering.current_settings().backups, known.name, as_attachment=True)


def _known(name: str) -> Backup:
    kept = backups.in_directory(rendering.current_settings().backups)
    return next((each for each in kept if each.name == name), None) or abort(404)


def _size(file: Path) -> int:
    """Bytes of a file; 0 where it has been removed since it was listed."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _programs(now: int) -> list[Program]:
    known = beats.all()
    return [
        Program(
            name,
            name in known and known[name].is_fresh(now),
            known[name].age(now) if name in known else None,
            ", ".join(f"{key}: {value}" for key, value in known[name].detail.items()) if name in known else "",
        )
        for name in dict.fromkeys((*PROGRAMS, *known))
    ]


def _news() -> str:
    """The newest part of the changelog; empty where the installation has none."""
    try:
        text = CHANGELOG.read_text("utf-8")
    except OSError:
        return ""
    parts = _VERSION_HEAD.split(text)
    return parts[1].strip()[:LONGEST_NEWS] if len(parts) > 1 else ""
