"""A shop whose PayPal is a table of answers: the calls are its own, and the rows are real."""

import json
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from config import settings
from config.plans import Plan
from models import users
from models.money import orders, payments, subscriptions, webhooks
from models.money.orders import OrderInfo
from models.money.subscriptions import News, SubscriptionInfo, SubscriptionState
from tests import environment, purchases
from web.paypal.parsing import PROVIDER
from web.paypal.shop import Shop, build_shop

CUSTOMER, ADMIN = 7, 1
EXAMPLES = "https://paypal.example"
TOKEN = {"POST /v1/oauth2/token": (200, {"access_token": "A-1", "expires_in": 32_400})}
SUBSCRIPTION = "/v1/billing/subscriptions/I-1"

Answer = tuple[int, dict[str, Any]]
Answers = dict[str, Answer | list[Answer]]

APPROVE = [{"rel": "approve", "href": f"{EXAMPLES}/approve"}]


class Table(HTTPAdapter):
    """Answers each call as the first row says that fits it, a list one by one.

    What no row knows, PayPal does not know either.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: Answers = {}
        self.asked: list[str] = []
        self.keys: list[str | None] = []
        """The request id of each call that changes something."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        call = f"{request.method} {urlsplit(str(request.url)).path}"
        self.asked.append(call)
        self.keys += [request.headers.get("PayPal-Request-Id")] if request.method == "POST" else []
        rows = {**TOKEN, **self.rows}
        fitting = (answer for pattern, answer in rows.items() if fnmatch(call, pattern))
        found = next(fitting, (404, {"name": "RESOURCE_NOT_FOUND"}))
        response = requests.Response()
        response.status_code, body = found.pop(0) if isinstance(found, list) else found
        response._content = json.dumps(body).encode()
        return response


def build(table: Table, place: Path) -> Shop:
    """A shop with a customer, whose state is in *place* and whose calls lead to *table*."""
    environ = {
        **environment.minimal(place),
        "PAYPAL_CLIENT_ID": "id",
        "PAYPAL_CLIENT_SECRET": "secret",
        "PAYPAL_MODE": "sandbox",
        "BACKEND_URL": EXAMPLES,
    }
    loaded = settings.load(environ, None)
    built = build_shop(loaded, environment.catalogue(loaded))
    assert built is not None
    built.paypal._http.mount(built.paypal.base_url, table)
    users.seen(CUSTOMER, "Ana", None, "en", now())
    return built


def now() -> int:
    return int(time.time())


def refused(status: int, *issues: str, name: str = "UNPROCESSABLE_ENTITY") -> tuple[int, dict[str, Any]]:
    return status, {"name": name, "details": [{"issue": issue} for issue in issues]}


def ordered(shop: Shop, plan: Plan = purchases.MONTHLY) -> OrderInfo:
    return orders.create(
        CUSTOMER, plan, PROVIDER, "USD", now=now(), seller=shop.settings.bot_id, secret=shop.settings.telegram_bot_token
    )


def stored(order_id: int) -> OrderInfo:
    found = orders.get(order_id)
    assert found is not None
    return found


def subscribed(shop: Shop, state: SubscriptionState = SubscriptionState.ACTIVE) -> SubscriptionInfo:
    known = subscriptions.recall(ordered(shop).id, "I-1", now())
    payments.apply([News(PROVIDER, "I-1", state, None, at=now())], now())
    found = subscriptions.get(known.id)
    assert found is not None and found.state is state
    return found


def usd(cents: int) -> dict[str, str]:
    return {"value": f"{cents / 100:.2f}", "currency_code": "USD"}


def bought(shop: Shop) -> OrderInfo:
    """A purchase of five dollars that is paid, and known here under PayPal's ids ``O-1`` and ``C-1``."""
    order = orders.attach_remote(ordered(shop, purchases.PREMIUM).id, "O-1", now())
    payments.apply([purchases.fact(order, now(), "C-1")], now())
    return order


def event(kind: str, told: dict[str, Any] | None = None, **resource: Any) -> webhooks.WebhookInfo:
    body = json.dumps({"resource": {**(told or {}), **resource}})
    return webhooks.receive(PROVIDER, f"WH-{kind}", kind, "", body, now())[1]
