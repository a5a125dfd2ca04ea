"""The sections of the console: a new one is a module with a blueprint, and a line here."""

from flask import Flask

from web.console import (
    accounts,
    audit,
    chats,
    codes,
    customers,
    guard,
    health,
    log,
    messages,
    money,
    settings,
    shop,
    spreadsheets,
    today,
)
from web.console.entry import entrance

BLUEPRINTS = (
    entrance.blueprint,
    today.blueprint,
    customers.blueprint,
    money.blueprint,
    spreadsheets.blueprint,
    shop.blueprint,
    codes.blueprint,
    messages.blueprint,
    health.blueprint,
    accounts.blueprint,
    log.blueprint,
    chats.blueprint,
    audit.blueprint,
    settings.blueprint,
    entrance.sessions_blueprint,
)


def register(app: Flask) -> None:
    """Make the console part of *app*."""
    app.before_request(guard.frame)
    for each in BLUEPRINTS:
        app.register_blueprint(each)
