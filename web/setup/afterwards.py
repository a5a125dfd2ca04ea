"""What is left of set-up once it is over: the page that tells how the shop starts, and the first delivery.

It belongs to both applications: set-up's own shows it until the shop's takes its place. The owner's cookie opens it.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from models.jobs import queue
from models.jobs.states import JobInfo, JobState
from models.maintenance import health
from web import rendering
from web.rate_limits import limiter
from web.setup import guard

blueprint = Blueprint("setup_afterwards", __name__, url_prefix="/setup")
over_blueprint = Blueprint("setup_over", __name__, url_prefix="/setup")
"""Of the shop's application alone: every other address of set-up."""
for each in (blueprint, over_blueprint):
    limiter.limit("120 per minute")(each)


@blueprint.get("/done")
def done() -> BaseResponse:
    """How the shop starts, the way into the bot, and the first delivery."""
    if not _is_owners():
        return guard.refused("spent", 410)
    guard.run_script()
    values = {"ask": url_for("setup_afterwards.progress"), "ask_state": _state(), "parts": _parts(), "job": _first()}
    return rendering.page("setup/done.html", 200, guard.texts(), **values)


@blueprint.get("/progress")
def progress() -> Response:
    """What the page asks for: it is loaded anew when this has changed."""
    if not _is_owners():
        return Response(status=410)
    return jsonify({"state": _state()})


def _is_owners() -> bool:
    found = guard.owned()
    return guard.is_private() and found is not None and found.is_over


def _state() -> str:
    job = _first()
    return f"{_parts()} {job.state if job else ''}"


def _parts() -> dict[str, bool]:
    """Whether the bot and the account are there."""
    beat = health.all().get("daemon")
    is_alive = beat is not None and beat.is_fresh(guard.now())
    return {part: is_alive and beat is not None and beat.detail.get(part) == "ok" for part in ("bot", "account")}


def _first() -> JobInfo | None:
    """The admin's newest link since then; one that came to its post before others.

    What a backup or a shop that lived before has delivered says nothing about whether it works now.
    """
    found = guard.owned()
    since = found.over_at if found is not None and found.over_at is not None else 0
    newest = [job for admin in rendering.current_settings().admin_ids for job in queue.newest(admin, 1)]
    sent = [job for job in newest if job.created_at >= since]
    return max(sent, key=lambda job: (job.state is JobState.DONE, job.id), default=None)


@over_blueprint.route("/", defaults={"path": ""}, methods=("GET", "POST"))
@over_blueprint.route("/<path:path>", methods=("GET", "POST"))
def over(path: str) -> BaseResponse:
    """Whatever else there was: it is over. Its owner is led to what is left of it."""
    return redirect(url_for("setup_afterwards.done"), 303) if _is_owners() else guard.refused("spent", 410)
