"""How many webhooks a second one worker verifies and commits, beside the same worker answering an empty route."""

import http.client
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from models import database
from tests import paypal_shop
from tests.bench import report
from tests.bench.report import Row
from tests.paypal_shop import PayPalShop
from tests.sandbox.paypal import start as start_paypal
from tests.sandbox.paypal.signatures import Transmission

WEBHOOKS = 1_600
SENDERS = 4
"""As many as the worker has threads."""

Send = Callable[[http.client.HTTPConnection, Transmission], int]


def measure(place: Path) -> list[Row]:
    """Start a shop in *place*; ask it for nothing, then for what webhooks are."""
    database.migrate(place / "peaje.db")
    paypal = start_paypal(place / "paypal")
    try:
        with paypal_shop.shop(paypal, place) as shop:
            database.open_database(shop.database_file)
            try:
                return [_row(shop, sign(shop))]
            finally:
                database.close_database()
    finally:
        paypal.stop()


def sign(shop: PayPalShop) -> list[Transmission]:
    """Genuine webhooks of a kind that asks nothing of PayPal, each another event."""
    return [
        shop.paypal.forgery.genuine(
            {"id": f"WH-{number}", "event_type": "CATALOG.PRODUCT.CREATED", "resource": {"id": f"PROD-{number}"}},
            shop.webhook_id,
        )
        for number in range(WEBHOOKS)
    ]


def _row(shop: PayPalShop, webhooks: Sequence[Transmission]) -> Row:
    _rate(shop, webhooks[:SENDERS], take)  # the certificate is fetched once
    empty = _rate(shop, webhooks, ask_nothing)
    taken = _rate(shop, webhooks[SENDERS:], take)
    conditions = {"webhooks": len(webhooks) - SENDERS, "connections": SENDERS, "workers": 1, "stock": "an empty route"}
    return report.row("webhooks_verified", taken, "1/s", conditions, empty, higher_is_better=True)


def take(connection: http.client.HTTPConnection, webhook: Transmission) -> int:
    """Deliver a webhook; the status."""
    connection.request("POST", "/paypal/webhook", webhook.body, webhook.headers)
    return _status(connection)


def ask_nothing(connection: http.client.HTTPConnection, _webhook: Transmission) -> int:
    """Ask a route that does nothing."""
    connection.request("GET", "/health/live")
    return _status(connection)


def _status(connection: http.client.HTTPConnection) -> int:
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _rate(shop: PayPalShop, webhooks: Sequence[Transmission], send: Send) -> float:
    """Requests a second over a few kept connections, all of them answered with 200."""
    shares = [webhooks[start::SENDERS] for start in range(SENDERS)]
    began = time.perf_counter()
    with ThreadPoolExecutor(SENDERS) as pool:
        answers = [answer for share in pool.map(lambda share: _send_all(shop, share, send), shares) for answer in share]
    spent = time.perf_counter() - began
    if set(answers) != {200}:
        raise RuntimeError(f"answered with {sorted(set(answers))}")
    return len(answers) / spent


def _send_all(shop: PayPalShop, webhooks: Sequence[Transmission], send: Send) -> list[int]:
    connection = http.client.HTTPConnection(urlsplit(shop.web.url).netloc, timeout=30)
    try:
        return [send(connection, webhook) for webhook in webhooks]
    finally:
        connection.close()
