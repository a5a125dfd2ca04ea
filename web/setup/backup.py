"""A backup instead of a new shop: from a file, in pieces, or from the bucket that the environment names."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Collection
from pathlib import Path

from flask import Blueprint, Response, g, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config.kept import secret_key, settings_file
from config.settings import Settings
from config.texts import Texts, said
from config.units import MIB
from models.errors import BackupError, NotSealed, PassphraseWrong
from models.maintenance import backups, bundles, restoring
from models.setup import opening
from web import rendering
from web.rate_limits import limiter
from web.setup import guard, pages, steps
from web.upkeep import s3
from web.upkeep.s3 import S3Error

logger = logging.getLogger(__name__)

ROOM = 64 * MIB
"""Bytes that stay free on the disk."""
SHOWN = 10
LONGEST_PASSPHRASE = 1000
LONGEST_TAB = 40
NAME = "name"
"""Beside a file that was sent: what it was called, where that is the name of a backup."""

_alone = threading.Lock()
"""What was sent is one file, whose pieces may come from two tabs: the threads of the one worker take turns at it."""

blueprint = Blueprint("setup_backup", __name__, url_prefix="/setup")


@blueprint.get("/backup")
@limiter.limit("120 per minute")
@guard.for_owner
def backup() -> BaseResponse:
    """Ask for the backup and its passphrase; once it is taken, wait until everything starts on it."""
    found = guard.owned()
    if found is not None and found.is_left:
        return pages.show(pages.WAITS, None, title=guard.texts().gettext("Your backup is put in place"))
    if found is None or found.chosen != "backup":
        return redirect(url_for("setup_entrance.start"), 303)
    return _form("")


@blueprint.post("/backup/piece")
@limiter.limit("1200 per minute")
@guard.for_owner
def piece() -> tuple[Response, int]:
    """Take the next piece of a file: 409 where it does not follow what is here, or what is here is another tab's."""
    asked, data = request.args, request.get_data()
    with _alone:
        return _append(asked.get("at", 0, int), data, asked.get("tab", "")[:LONGEST_TAB], asked.get("name", ""))


def _append(at: int, data: bytes, tab: str, name: str) -> tuple[Response, int]:
    place = _uploaded()
    sender = place.with_name("tab")
    if at == 0:
        shutil.rmtree(place.parent, ignore_errors=True)
        place.parent.mkdir(mode=0o700)
        place.touch(mode=0o600)
        sender.write_text(tab, "utf-8")
        if backups.named(name) is not None:
            place.with_name(NAME).write_text(name, "utf-8")
    if not place.exists() or place.stat().st_size != at or sender.read_text("utf-8") != tab:
        return jsonify({"at": place.stat().st_size if place.exists() else 0}), 409
    if shutil.disk_usage(place.parent).free < ROOM + len(data):
        return jsonify({"at": at}), 507
    with place.open("ab") as file:
        file.write(data)
    return jsonify({"at": at + len(data)}), 200


@blueprint.post("/backup")
@limiter.limit("10 per minute")
@guard.for_owner
def take() -> BaseResponse:
    """Open the backup, and have the launcher put it in place."""
    settings, t = rendering.current_settings(), guard.texts()
    passphrase = request.form.get("passphrase", "")[:LONGEST_PASSPHRASE] or settings.backup_passphrase
    name = request.form.get("name", "")
    with _alone:
        g.pop("setup", None)  # another tab may have brought one while this one waited for its turn
        found = guard.owned()
        if found is not None and not found.is_left:
            return _bring(settings, name, passphrase, t)
    return redirect(url_for("setup_backup.backup"), 303)


def _bring(settings: Settings, name: str, passphrase: str | None, t: Texts) -> BaseResponse:
    try:
        packed = _chosen(settings, name)
        if packed is None:
            return _form(t.gettext("Choose the file of a backup first."), 422)
        file = restoring.unpack_beside(settings, packed, passphrase, unsealed=not name)
        _leave(settings, packed, file)
    except (BackupError, S3Error, OSError) as error:
        return _form(_fault(error, t), 422)
    shutil.rmtree(_uploaded().parent, ignore_errors=True)
    return redirect(url_for("setup_backup.backup"), 303)


def _leave(settings: Settings, packed: Path, file: Path) -> None:
    brought = bundles.beside(file)
    if "BACKEND_URL" in settings_file.read(brought):  # of the old server
        settings_file.change(brought, {"BACKEND_URL": request.host_url.rstrip("/")})
    has_key = (brought / secret_key.FILE).exists() or "SECRET_KEY" in settings.given
    has_account = has_key and restoring.brings_account(file)
    passed = steps.known(settings, settings_file.read(brought), has_account=has_account)
    is_over = steps.following(passed, settings) is None
    memo = opening.leave(passed, guard.now(), is_over=is_over)
    restoring.stage(settings, packed, memo)
    logger.info("setup.restored", extra={"file": packed.name, "complete": is_over})


def _chosen(settings: Settings, name: str) -> Path | None:
    """The backup's file: of this name in the bucket, or what the browser has sent."""
    place = _uploaded()
    if not name:
        return _sent(place)
    bucket = s3.build(settings)
    if bucket is None or backups.named(name) is None:
        return None
    place.parent.mkdir(mode=0o700, exist_ok=True)
    bucket.fetch(name, place.parent / name)
    return place.parent / name


def _sent(place: Path) -> Path | None:
    """What the browser has sent, under the name that it had there: it says when the backup was made."""
    note = place.with_name(NAME)
    file = place.with_name(note.read_text("utf-8")) if note.exists() else place
    if place.exists():
        place.replace(file)
    return file if file.exists() else None


def _form(fault: str, status: int = 200) -> Response:
    settings, t = rendering.current_settings(), guard.texts()
    names, unread = _in_bucket(settings, t)
    return pages.show("setup/backup.html", None, status=status, fault=fault or unread, names=names)


def _in_bucket(settings: Settings, t: Texts) -> tuple[Collection[str], str]:
    """The newest backups of the bucket, and why it cannot be read."""
    bucket = s3.build(settings)
    if bucket is None:
        return (), ""
    try:
        found = backups.among(bucket.names())
    except S3Error as error:
        return (), t.gettext("The bucket cannot be read: {error}", error=error)
    return [each.name for each in found[:SHOWN]], ""


def _fault(error: Exception, t: Texts) -> str:
    if isinstance(error, PassphraseWrong):
        return t.gettext("This passphrase does not open it, or the file is damaged.")
    if isinstance(error, NotSealed):
        return t.gettext("It is not sealed: whoever may write into the bucket can have made it. Send yours as a file.")
    return t.gettext("This backup cannot be used: {error}", error=said(error, t))


def _uploaded() -> Path:
    return rendering.current_settings().db_path / restoring.UPLOADED / "backup"
