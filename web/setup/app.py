"""The Flask application while the shop is being set up: its pages, and the health that platforms ask for."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException

from config.plain_text import plain
from config.settings import ConfigurationError, Settings, load
from config.version import VERSION
from models import database
from models.catalogue import Catalogue
from web import headers, rendering
from web.edge import hosts
from web.edge.arrival import LARGEST_BODY
from web.rate_limits import limiter
from web.setup import account, afterwards, backup, entrance, guard, pages

blueprint = Blueprint("setup_health", __name__)


@blueprint.get("/health")
def report() -> Response:
    """200 while set-up runs: the platform must let it come up."""
    return jsonify({"status": "setup", "version": VERSION, "checks": {}})


@blueprint.get("/health/live")
def live() -> Response:
    """200 while this process answers at all."""
    return jsonify({"status": "ok"})


@blueprint.get("/")
def front() -> Response:
    """What a stranger reads meanwhile."""
    return guard.refused("closed", 503)


def create_app(settings: Settings, catalogue: Catalogue) -> Flask:
    """Build the application. The caller opens the database in this process before it serves."""
    app = Flask("web")
    app.jinja_env.filters["plain"] = plain
    app.config.update(
        SECRET_KEY=settings.secret_key, BEHIND_PROXY=settings.behind_proxy, MAX_CONTENT_LENGTH=LARGEST_BODY
    )
    app.extensions["settings"], app.extensions["catalogue"] = settings, catalogue
    app.before_request(_prepare)
    app.teardown_request(_disconnect)
    app.register_blueprint(blueprint)
    for each in (entrance, pages, account, backup, afterwards):
        app.register_blueprint(each.blueprint)
    app.register_error_handler(HTTPException, lambda error: rendering.error_page(error.code or 500))
    limiter.init_app(app)
    headers.protect(app, None)
    return app


def _prepare() -> None:
    """Read the settings anew, which set-up changes, and refuse names that are not ours."""
    if request.blueprint == blueprint.name and request.path != "/":
        return
    g.referrer_policy = "same-origin"  # under "no-referrer" a form's Origin would be "null"
    database.connect()
    try:
        current_app.extensions["settings"] = load(unfinished=True)
    except ConfigurationError:
        pass  # a file is being changed by hand: what held goes on to hold
    settings = rendering.current_settings()
    is_theirs = "BACKEND_URL" not in settings.given  # typed on a page: it must not lock that page's owner out
    hosts.refuse_unknown(hosts.known(None if is_theirs else settings.backend_url))


def _disconnect(error: BaseException | None) -> None:
    if error is not None:
        database.close_database()
