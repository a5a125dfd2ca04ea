"""The Flask application: what it is made of, and each thread's own connection to the database."""

from __future__ import annotations

import logging

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError

from config.advice import STARS_RULE
from config.plain_text import plain
from config.settings import Settings
from config.texts import translator
from models import database
from models.catalogue import Catalogue
from models.overrides import Overrides
from web import complaints, front, headers, health, metrics, pages, rendering, webhook
from web.checks import Health
from web.console import sections
from web.edge import hosts
from web.edge.arrival import LARGEST_BODY
from web.paypal.shop import Shop, build_shop
from web.rate_limits import limiter
from web.setup import afterwards

logger = logging.getLogger(__name__)


def create_app(settings: Settings, catalogue: Catalogue) -> Flask:
    """Build the application for *settings*. The caller opens the database in this process before it serves.

    PayPal's pages and webhook are part of it where the settings turn PayPal on.
    """
    app = Flask(__name__)
    app.jinja_env.filters["plain"] = plain
    app.config.update(
        SECRET_KEY=settings.secret_key,
        BEHIND_PROXY=settings.behind_proxy,
        MAX_CONTENT_LENGTH=LARGEST_BODY,
    )
    shop = build_shop(settings, catalogue)
    checks = Health(settings.db_path, shop.paypal if shop else None)
    app.extensions["health"] = checks
    app.extensions["metrics"] = metrics.Metrics(settings, checks)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    names = hosts.known(settings.backend_url)
    app.before_request(lambda: _refuse_unknown(names))
    overrides = Overrides(settings)
    app.before_request(lambda: _connect(catalogue, overrides))
    app.teardown_request(_disconnect)
    app.extensions["settings"], app.extensions["catalogue"] = settings, catalogue
    app.extensions["overrides"] = overrides
    app.register_blueprint(front.blueprint)
    app.register_blueprint(complaints.blueprint)
    sections.register(app)
    app.register_blueprint(afterwards.blueprint)
    app.register_blueprint(afterwards.over_blueprint)
    app.register_error_handler(HTTPException, _explain)
    limiter.init_app(app)
    headers.protect(app, headers.pages_origin(settings.paypal_mode, settings.paypal_endpoint) if shop else None)
    if shop:
        logger.warning("paypal.enabled", extra={"note": STARS_RULE.said_in(translator(settings.language))})
        _sell(app, shop)
    return app


def _sell(app: Flask, shop: Shop) -> None:
    """Add the pages that sell, and the webhook."""
    app.extensions["shop"] = shop
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(webhook.blueprint)


def _explain(error: HTTPException) -> Response:
    page = rendering.error_page(error.code or 500)
    if isinstance(error, InternalServerError):
        database.close_database()  # the connection may be the cause
    return page


def _refuse_unknown(names: frozenset[str]) -> None:
    # Platforms and monitors ask for health under whatever name they have for us.
    if request.blueprint != health.blueprint.name:
        hosts.refuse_unknown(names)


def _connect(catalogue: Catalogue, overrides: Overrides) -> None:
    # Health and metrics must answer when there is no database to connect to.
    if request.blueprint not in (health.blueprint.name, metrics.blueprint.name):
        database.connect()
        catalogue.refresh()
        overrides.refresh()


def _disconnect(error: BaseException | None) -> None:
    # Without an error each of the few threads keeps its connection: opening one takes longer than most requests do.
    if error is not None:
        database.close_database()
