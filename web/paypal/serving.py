"""The shop of the application that serves the present request: the one thing here that knows of Flask."""

from flask import current_app

from web.paypal.shop import Shop


def current_shop() -> Shop:
    """The shop of the application that serves the present request."""
    found: Shop = current_app.extensions["shop"]
    return found
