"""The way into set-up: the address, the button that takes it over, and what is set up: a new shop or a backup.

The address is opened by chat applications and scanners too, so looking at it changes nothing: a button takes it over.
"""

from __future__ import annotations

import logging

from flask import Blueprint, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config.kept import settings_file
from models.accounts import pool
from models.errors import LinkSpent
from models.setup import opening
from models.setup.opening import Door
from web import rendering
from web.edge import forms
from web.rate_limits import limiter
from web.setup import guard, steps
from web.setup.steps import Step

logger = logging.getLogger(__name__)

LONGEST_SECRET = 200

blueprint = Blueprint("setup_entrance", __name__, url_prefix="/setup")


@blueprint.get("/<secret>")
@limiter.limit("30 per minute")
def address(secret: str) -> BaseResponse:
    """Show what the address is good for, with the button that begins. Who has begun is led on, after a restart too."""
    if not guard.is_private():
        return guard.refused("plain")
    door = opening.door(secret[:LONGEST_SECRET], guard.now())
    if door is not Door.OPEN and guard.owned() is not None:
        return redirect(url_for("setup_entrance.start"), 303)
    if door is Door.OPEN:
        return rendering.page("setup/begin.html", 200, guard.texts())
    return guard.refused(door.value, 409 if door is Door.TAKEN else 410)


@blueprint.post("/<secret>")
@limiter.limit("10 per minute")
def begin(secret: str) -> BaseResponse:
    """Take set-up over, and go on without the secret in the address."""
    if not guard.is_private():
        return guard.refused("plain")
    if not forms.is_origin_ours():
        return guard.refused("form")
    try:
        owner = opening.begin(secret[:LONGEST_SECRET], guard.now())
    except LinkSpent:
        return address(secret)
    logger.info("setup.begun")
    return guard.keep(redirect(url_for("setup_entrance.start"), 303), owner)


@blueprint.get("/")
@limiter.limit("120 per minute")
@guard.for_owner
def start() -> BaseResponse:
    """Ask what is set up; where that is known, go on where it was interrupted."""
    found = guard.owned()
    if found is not None and found.chosen is not None:
        return redirect(onward(), 303)
    return rendering.page(
        "setup/start.html", 200, guard.texts(), form_token=guard.form_token(), is_living=bool(_known())
    )


@blueprint.post("/")
@limiter.limit("30 per minute")
@guard.for_owner
def choose() -> BaseResponse:
    """A new shop, or a backup; or back to this choice."""
    chosen = request.form.get("what", "")
    if chosen not in ("new", "backup"):
        opening.choose(None, guard.now())
        return redirect(url_for("setup_entrance.start"), 303)
    opening.choose(chosen, guard.now(), _known() if chosen == "new" else ())
    g.pop("setup")
    return redirect(onward(), 303)


def _known() -> list[Step]:
    """What a shop that lives has already; nothing for one that is new."""
    settings = rendering.current_settings()
    if not opening.is_living():
        return []
    typed = settings_file.read(settings.db_path)
    return steps.known(settings, typed, has_account=pool.usable_reader(settings) is not None)


def onward() -> str:
    """The address of the page that comes next."""
    found = guard.owned()
    if found is None:  # another browser has taken over meanwhile
        return url_for("setup_entrance.start")
    if found.chosen == "backup":
        return url_for("setup_backup.backup")
    step = steps.following(found.passed, rendering.current_settings())
    return url_for("setup_pages.last") if step is None else url_for("setup_pages.step", name=step.value)
