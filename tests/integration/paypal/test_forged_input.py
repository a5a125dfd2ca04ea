"""Ten thousand webhooks, payment links and return addresses that nobody honest would send."""

import contextlib
import dataclasses
import itertools
import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from config import logging as log
from config import settings as configuration
from config.settings import Settings
from models import database, users
from models.money import orders
from models.tables import Event, Order, Payment, WebhookEvent
from tests import environment, machine
from tests.examples import SHARE, is_thorough, slow
from tests.paypal_shop import PayPalShop
from tests.sandbox.paypal import LocalPayPal
from tests.sandbox.paypal import start as start_paypal
from tests.sandbox.paypal.signatures import Transmission
from web.app import create_app

SIGNED = ("Paypal-Transmission-Id", "Paypal-Transmission-Time", "Paypal-Transmission-Sig", "Paypal-Cert-Url",
          "Paypal-Auth-Algo")  # fmt: skip
NOW = 1_800_000_000
BATCH = 25
WEBHOOK_BATCHES, LINK_BATCHES, RETURN_BATCHES = 328, 42, 42
"""Examples of so many requests each: 10,300 in all, most of them where the most depends on it."""

KEY = "a-key-that-nobody-else-has"
TABLES = (WebhookEvent, Payment, Order, Event)
_addresses = itertools.count(1)


@dataclasses.dataclass
class Gate:
    """The real application with a real database, and something genuine to begin from."""

    client: FlaskClient
    paypal: LocalPayPal
    genuine: Transmission
    forged: list[Transmission]
    link: str
    secrets: list[str]
    logs: Path
    file: Path

    asked: int = 0

    def ask(self, method: str, path: str, **options: Any) -> int:
        """One request from an address of its own; the status."""
        self.asked += 1
        number = next(_addresses)
        headers = Headers(options.pop("headers", {}))
        headers["X-Real-IP"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return self.client.open(path, method=method, headers=headers, **options).status_code

    def rows(self) -> list[int]:
        database.open_database(self.file)
        return [table.select().count() for table in TABLES]


@pytest.fixture(scope="module")
def gate(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    machine.need_npm_packages()
    place = tmp_path_factory.mktemp("gate")
    file = place / "peaje.db"
    file.write_bytes(migrated.read_bytes())
    paypal = start_paypal(place / "paypal")
    loaded = configuration.load(
        {
            **environment.minimal(place),
            **paypal.env(),
            "SECRET_KEY": KEY,
            "PAYPAL_WEBHOOK_ID": "8JG57162GX861715T",
            "BACKEND_URL": "http://127.0.0.1:9",
            "BEHIND_PROXY": "yes",
        },
        None,
    )
    with logged(loaded, place / "console"):
        database.open_database(file)
        users.seen(7, "Ana", None, "en", NOW)
        yield gate_to(create_app(loaded, environment.catalogue(loaded)), paypal, loaded, place, file)
        database.close_database()
    paypal.stop()


@contextlib.contextmanager
def logged(loaded: Settings, console: Path) -> Iterator[None]:
    """Log as a program does. Afterwards warnings and errors of this process are pytest's business again."""
    root, patched = logging.getLogger(), ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook"))
    before, levels = root.handlers[:], {name: logging.getLogger(name).level for name in (None, *log._QUIET_LIBRARIES)}
    with console.open("w") as stream, pytest.MonkeyPatch.context() as kept:
        for owner, name in (*patched, (logging, "raiseExceptions")):
            kept.setattr(owner, name, getattr(owner, name))
        log.setup(loaded, "web", console=stream)
        ours = root.handlers[:]
        yield
        logging.captureWarnings(False)
        for handler in ours:
            root.removeHandler(handler)
            handler.close()
        for handler in before:
            root.addHandler(handler)
        for each, level in levels.items():
            logging.getLogger(each).setLevel(level)


def gate_to(app: Flask, paypal: LocalPayPal, loaded: Any, place: Path, file: Path) -> Gate:
    event = {"id": "WH-1", "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource": {"id": "42311647XV020574X"}}
    webhook_id = str(loaded.paypal_webhook_id)
    link = orders.pay_token(KEY, 7, "premium", NOW)
    return Gate(
        app.test_client(),
        paypal,
        paypal.forgery.genuine(event, webhook_id),
        list(paypal.forgery.all(event, webhook_id).values()),
        link,
        [str(loaded.paypal_client_secret), KEY, "A21AA", link.rpartition(".")[2]],
        loaded.logs,
        file,
    )


# What a forger may send

HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=20) | st.integers(),
        "event_type": st.sampled_from(["PAYMENT.CAPTURE.COMPLETED", "CHECKOUT.ORDER.APPROVED", "X"]) | ANY_JSON,
        "resource": ANY_JSON,
    },
)
BODIES = st.binary(max_size=80) | EVENTS.map(lambda event: json.dumps(event).encode())
PATHS = st.sampled_from(["/paypal/webhook", "/webhook/paypal"])
CHANGES = st.fixed_dictionaries({}, optional=dict.fromkeys(SIGNED, HEADER_TEXT | st.none()))
WEBHOOKS = st.tuples(PATHS, CHANGES, st.none() | BODIES, st.none() | st.integers(0, 40)).filter(
    lambda it: it[1] or it[2:] != (None, None)
)

TOKEN_TEXT = st.text(min_size=1, max_size=60).filter(lambda text: text not in (".", "..") and "/" not in text)
TOKENS = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "HEAD"]), TOKEN_TEXT | st.none(), st.integers(0, 200), HEADER_TEXT
)

NAMES = st.sampled_from(["token", "subscription_id", "ba_token", "PayerID", "x"])
RETURNS = st.tuples(
    st.sampled_from(["/paypal/success", "/paypal/cancel"]),
    st.dictionaries(NAMES, st.text(max_size=40), max_size=3),
    HEADER_TEXT,
)


def many(requests_: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(requests_, min_size=BATCH, max_size=BATCH)


@pytest.mark.hypothesis
def test_no_generated_webhook_is_believed(gate: Gate) -> None:
    before, answers = gate.rows(), set()

    @slow(WEBHOOK_BATCHES)
    @given(many(WEBHOOKS))
    def attack(batch: list[tuple[str, dict[str, str | None], bytes | None, int | None]]) -> None:
        for path, changes, body, which in batch:
            base = gate.genuine if which is None else gate.forged[which % len(gate.forged)]
            headers = {**base.headers, **changes}
            sent = {name: value for name, value in headers.items() if value is not None}
            content = base.body if body is None else body
            if (sent, content) != (gate.genuine.headers, gate.genuine.body):
                answers.add(gate.ask("POST", path, headers=sent, data=content))

    attack()

    assert answers <= {400, 503}  # 503: a certificate that PayPal might have, asked for too often
    assert gate.rows() == before


@pytest.mark.hypothesis
def test_no_generated_payment_link_opens(gate: Gate) -> None:
    before, answers = gate.rows(), set()

    @slow(LINK_BATCHES)
    @given(many(TOKENS))
    def attack(batch: list[tuple[str, str | None, int, str]]) -> None:
        for method, token, place, cookie in batch:
            link = token if token is not None else changed(gate.link, place)
            if link != gate.link:
                answers.add(gate.ask(method, f"/pay/{quote(link, safe='')}", headers={"Cookie": f"buyer={cookie}"}))

    attack()

    assert answers <= {404, 405}
    assert gate.rows() == before


def changed(link: str, place: int) -> str:
    """The genuine link with one character changed, or cut short."""
    at = place % len(link)
    return link[:at] if place % 2 else f"{link[:at]}{'B' if link[at] == 'A' else 'A'}{link[at + 1 :]}"


@pytest.mark.hypothesis
def test_no_generated_return_address_gives_anything(gate: Gate) -> None:
    before, answers = gate.rows(), set()

    @slow(RETURN_BATCHES)
    @given(many(RETURNS))
    def attack(batch: list[tuple[str, dict[str, str], str]]) -> None:
        for path, query, cookie in batch:
            answers.add(gate.ask("GET", path, query_string=query, headers={"Cookie": f"buyer={cookie}"}))

    attack()

    assert answers == {404}
    assert gate.rows() == before


@pytest.mark.hypothesis
def test_nothing_of_it_left_a_secret_in_the_log(gate: Gate) -> None:
    """After the three above."""
    said = "".join(file.read_text() for file in gate.logs.iterdir())

    assert gate.asked >= (10_000 if is_thorough() else 10_000 // SHARE)
    assert "webhook.refused" in said
    assert not [secret for secret in gate.secrets if secret in said]
    assert '"level": "error"' not in said


@pytest.mark.hypothesis
def test_on_the_real_socket_too(shop: PayPalShop) -> None:
    event = {"id": "WH-2", "event_type": "CHECKOUT.ORDER.APPROVED", "resource": {"id": "1"}}
    genuine = shop.paypal.forgery.genuine(event, shop.webhook_id)
    answers = set()
    session = requests.Session()

    @slow(100)
    @given(CHANGES.filter(bool), BODIES, TOKEN_TEXT, st.text(max_size=40))
    def attack(changes: dict[str, str | None], body: bytes, token: str, order: str) -> None:
        session.headers["X-Real-IP"] = f"10.9.{next(_addresses) % 250}.{next(_addresses) % 250}"
        headers = {name: value for name, value in {**genuine.headers, **changes}.items() if value is not None}
        encoded = {name: value.strip().encode("latin-1") for name, value in headers.items()}
        answers.add(session.post(f"{shop.web.url}/paypal/webhook", data=body, headers=encoded, timeout=10).status_code)
        answers.add(session.get(f"{shop.web.url}/pay/{quote(token, safe='')}", timeout=10).status_code)
        url = f"{shop.web.url}/paypal/success"
        answers.add(session.get(url, params={"token": order}, timeout=10).status_code)

    with shop.without_upkeep():
        before = [table.select().count() for table in TABLES]
        attack()
        assert [table.select().count() for table in TABLES] == before

    assert answers <= {400, 404, 503}
