"""The sections of the console: a new one is a module with a blueprint, and a line here."""

from flask import Flask
from werkzeug.routing import IntegerConverter, Map

from config.settings import LARGEST_USER_ID
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


class Id(IntegerConverter):
    """A row's or a person's id in an address, at most Telegram's largest: what is larger leads to no page."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=LARGEST_USER_ID)


def register(app: Flask) -> None:
    """Make the console part of *app*."""
    app.url_map.converters["id"] = Id
    app.before_request(guard.frame)
    for each in BLUEPRINTS:
        app.register_blueprint(each)
