"""The Flask application: what it is made of, and each request's own connection to the database."""

from __future__ import annotations

from flask import Flask, request

from config.settings import Settings
from models import database
from web import health


def create_app(settings: Settings) -> Flask:
    """Build the application for `settings`. The database must have been opened in this process before it serves."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY=settings.secret_key, BEHIND_PROXY=settings.behind_proxy)
    app.extensions["health"] = health.Health(settings)
    app.register_blueprint(health.blueprint)
    app.before_request(_connect)
    app.teardown_request(_disconnect)
    return app


def _connect() -> None:
    # Health must answer when there is no database to connect to.
    if request.blueprint != health.blueprint.name:
        database.database.connect(reuse_if_open=True)


def _disconnect(_error: BaseException | None) -> None:
    database.close_database()
