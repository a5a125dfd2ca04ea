"""``/health`` tells platforms and monitors how all parts are, ``/health/live`` whether this process answers."""

import time
from dataclasses import asdict

from flask import Blueprint, Response, current_app, jsonify

from config.version import VERSION
from web.checks import Status

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def report() -> tuple[Response, int]:
    """200 when every part is well, else 503; the body has the version, each part, and why it fails."""
    checks = current_app.extensions["health"].checks(int(time.time()))
    failing = any(check.status is Status.FAILING for check in checks.values())
    body = {
        "status": Status.FAILING if failing else Status.OK,
        "version": VERSION,
        "checks": {name: asdict(check) for name, check in checks.items()},
    }
    return jsonify(body), 503 if failing else 200


@blueprint.get("/health/live")
def live() -> Response:
    """200 while this process answers at all."""
    return jsonify({"status": Status.OK})
