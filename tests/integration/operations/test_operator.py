"""What the operator learns of a running installation: ``doctor``, ``live-check``, the canary, and the ping."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import requests

from config import settings
from models import database, notes
from models.maintenance import health
from tests import machine, preloaded
from tests.demo import installation
from tests.demo.installation import Installation
from tests.preloaded import Dialogue
from tests.soak.town import until

OPERATOR_ID = 6200000001


class Monitor(http.server.BaseHTTPRequestHandler):
    """Counts the pings that it hears."""

    heard = 0

    def do_GET(self) -> None:
        Monitor.heard += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def monitor() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Monitor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/a-secret-address"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, monitor: str) -> Iterator[Installation]:
    machine.need_npm_packages()
    place = tmp_path_factory.mktemp("operator") / "place"
    up = installation.start(place, PING_URL=monitor, CANARY_HOUR="0", CANARY_LINK="https://t.me/sandbox_gallery/1")
    yield up
    assert up.stop() == 0


def manage(running: Installation, *words: str, **environ: str) -> AbstractContextManager[Dialogue]:
    return preloaded.dialogue("manage", *words, cwd=running.place, env={**running.environ, **environ})


def examined(running: Installation, *words: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code of doctor, and grade and text by part."""
    with manage(running, "doctor", "--json", *words) as talk:
        code, said = talk.end()
    findings = json.loads(said)["findings"]
    return code, {one["part"]: (one["grade"], one["text"]) for one in findings}


def assert_no_secret(running: Installation, text: str) -> None:
    for secret in settings.secret_values(settings.load(running.environ, None)):
        assert secret not in text
    assert "/pay/" not in text


def test_doctor_finds_all_well_and_leaves_the_account_alone(running: Installation) -> None:
    running.sandbox.control("DELETE", "/stats")
    code, found = examined(running)

    assert code == 0
    assert found["account"] == ("ok", "its session is in use by the running daemon: left alone, see /health")
    assert found["bot"][1] == "@peaje_sandbox_bot"
    assert found["webhook"][0] == found["way in"][0] == found["PayPal"][0] == found["supervisord"][0] == "ok"
    assert found["clock (Telegram)"][0] == found["clock (PayPal)"][0] == "ok"
    assert found["Telegram's rule"][0] == "warn" and "Stars" in found["Telegram's rule"][1]
    assert found["BACKEND_URL"][0] == "warn" and "https" in found["BACKEND_URL"][1]
    assert_no_secret(running, json.dumps(found))
    opened = running.sandbox.control("GET", "/stats")["calls_by_account"]
    assert "users.getUsers" not in opened.get(str(OPERATOR_ID), {}), "nobody has logged in with the account's session"


def test_doctor_says_what_does_not_work(running: Installation) -> None:
    sandbox = running.sandbox
    refused = {"fault": "error", "on": "POST /v1/oauth2/token", "status": 401, "issue": "invalid_client", "count": 50}
    sandbox.control("POST", "/paypal/switches", refused)
    wrong = {"fault": "error", "method": "auth.importBotAuthorization", "code": 400, "error": "ACCESS_TOKEN_INVALID"}
    sandbox.control("POST", "/faults", wrong)
    try:
        code, found = examined(running)
    finally:
        sandbox.control("DELETE", "/faults")
        sandbox.control("DELETE", "/paypal/switches")

    assert code == 1
    assert found["bot"][0] == "fail" and "@BotFather" in found["bot"][1]
    assert found["PayPal"][0] == "fail" and "PAYPAL_CLIENT_SECRET" in found["PayPal"][1]


def test_doctor_compares_the_clock_with_telegrams(running: Installation) -> None:
    running.sandbox.control("POST", "/clock", {"offset": 120})
    try:
        code, found = examined(running)
    finally:
        running.sandbox.control("POST", "/clock", {"offset": 0})

    assert code == 0
    assert found["clock (Telegram)"][0] == "warn"
    assert re.match(r"1[12]\d s behind", found["clock (Telegram)"][1])


def test_the_operators_tour_reports_no_secret(running: Installation, tmp_path: Path) -> None:
    customer = running.sandbox.scenario["customers"][3]
    links = running.sandbox.scenario["links"]
    report = tmp_path / "report.json"
    words = ["live-check", "--report", str(report), "--pay-stars", "--pay-paypal"]
    for name in ("photo1", "video1"):
        words += ["--link", links[name]["url"]]

    with manage(running, *words, LIVE_CHECK_SESSION_STRING=customer["session_string"]) as talk:
        said = []
        for line in talk.screen:
            said.append(line)
            if found := re.search(r"approve within .*: (\S+)", line):
                requests.post(found[1], data={"choice": "approve"}, timeout=20).raise_for_status()
        code, _ = talk.end()

    assert code == 0, "".join(said)
    findings = json.loads(report.read_text())["findings"]
    assert [one["part"] for one in findings] == [
        "health", "greeting", "delivery", "delivery", "invoice", "PayPal's page", "PayPal's payment",
    ]  # fmt: skip
    assert {one["grade"] for one in findings} == {"ok"}
    assert "each as posted" in findings[2]["text"]
    for text in (report.read_text(), "".join(said)):
        assert_no_secret(running, text)
        assert customer["session_string"] not in text


def test_the_tour_says_what_does_not_arrive(running: Installation) -> None:
    customer = running.sandbox.scenario["customers"][4]
    words = ("live-check", "--patience", "3", "--link", "https://t.me/sandbox_gallery/999999")

    with manage(running, *words, LIVE_CHECK_SESSION_STRING=customer["session_string"]) as talk:
        code, said = talk.end()

    assert code == 1
    assert "FAIL  delivery: waited 3 s in vain" in said
    assert "left unpaid" in said


def test_the_canary_brings_a_post_to_the_admin_once_a_day(running: Installation) -> None:
    admin, bot = running.sandbox.scenario["admin"]["id"], running.sandbox.scenario["bot"]["username"]
    incident = until(lambda: _incident(running, "canary_failed"), 40, "the canary is missed")
    assert incident == "no admin has ever written to the bot"
    # The admin writes, and the canary is to sing again
    running.sandbox.control("POST", "/messages", {"from": admin, "to": bot, "text": "/start"})
    delivered = running.sandbox.control("GET", f"/deliveries?customer={admin}")
    _forget_the_canary(running)
    until(lambda: len(running.sandbox.control("GET", f"/deliveries?customer={admin}")) > len(delivered), 40, "a file")
    until(lambda: _incident(running, "canary_failed") is None, 10, "the incident is over")


def test_a_ping_is_sent_while_all_is_well(running: Installation) -> None:
    until(lambda: Monitor.heard, 60, "a ping")
    log = (running.data / "logs" / "upkeep.log").read_text()
    assert "a-secret-address" not in log


def _incident(running: Installation, key: str) -> str | None:
    database.open_database(running.data / "peaje.db")
    try:
        return next((one.text for one in health.incidents() if one.key == key), None)
    finally:
        database.close_database()


def _forget_the_canary(running: Installation) -> None:
    database.open_database(running.data / "peaje.db")
    try:
        notes.drop("canary")
    finally:
        database.close_database()
