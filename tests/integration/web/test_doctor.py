"""The way in, as ``doctor`` tries it: whoever answers at ``BACKEND_URL`` is this bot, or is told apart from it."""

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config import plans
from config.findings import Grade
from config.settings import load
from config.texts import translator
from tests import environment
from tests.source_text import REPOSITORY
from web import doctor

OURS = '{"status": "ok"}'


class Front(ThreadingHTTPServer):
    """A server at the address: what it answers to who asks for health, and to who brings a webhook."""

    live: tuple[int, str] = (200, OURS)
    webhook: tuple[int, str] = (400, "")


class Answering(BaseHTTPRequestHandler):
    server: Front

    def do_GET(self) -> None:
        self._answer(*self.server.live if self.path == "/health/live" else (404, ""))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(*self.server.webhook if self.path == "/paypal/webhook" else (404, ""))

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("live", "webhook", "grade", "says"),
    [
        ((200, OURS), (400, ""), Grade.OK, "leads here"),
        ((200, "Welcome"), (400, ""), Grade.FAIL, "answers, but not as this bot: see where the domain leads (200)"),
        ((503, OURS), (400, ""), Grade.FAIL, "answers, but not as this bot: see where the domain leads (503)"),
        ((200, OURS), (404, ""), Grade.FAIL, "/paypal/webhook is not let through to this bot (404)"),
        ((200, OURS), (200, OURS), Grade.FAIL, "/paypal/webhook is not let through to this bot (200)"),
        (None, None, Grade.FAIL, "cannot be reached (ConnectionError): see domain, port and proxy"),
    ],
)
def test_the_way_in_leads_to_this_bot(
    tmp_path: Path, live: tuple[int, str] | None, webhook: tuple[int, str] | None, grade: Grade, says: str
) -> None:
    settings, t = load(environment.minimal(tmp_path), None), translator("en")
    with Front(("127.0.0.1", 0), Answering) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        if live is not None and webhook is not None:
            server.live, server.webhook = live, webhook
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            found = doctor._way_in(replace(settings, backend_url=url), t)
            server.shutdown()
    if live is None:
        found = doctor._way_in(replace(settings, backend_url=url), t)

    assert (found.grade, found.part) == (grade, "way in")
    assert found.text.endswith(says)


@pytest.mark.parametrize("on_sale", [True, False])
def test_only_what_is_on_sale_is_told_to_be_too_cheap(tmp_path: Path, on_sale: bool) -> None:
    file = tmp_path / "plans.toml"
    cheap = (REPOSITORY / "plans.toml").read_text().replace('USD = "5.00"', 'USD = "1.00"')
    file.write_text(cheap if on_sale else cheap.replace("[plans.premium]", "[plans.premium]\non_sale = false"))
    shop: Any = SimpleNamespace(catalogue=SimpleNamespace(plans=plans.load(file)))

    findings = list(doctor._fees(shop, translator("en")))

    assert ["for premium PayPal keeps" in each.text for each in findings] == ([True] if on_sale else [])
