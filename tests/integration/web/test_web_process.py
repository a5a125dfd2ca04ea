"""The web program as it runs: its own process, a real port, health as a platform asks for it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from config.version import VERSION
from models.maintenance import health
from tests import environment, preloaded
from tests.paypal_shop import free_port
from tests.sandbox_process import REPOSITORY
from web.edge.arrival import LARGEST_BODY
from web.edge.worker import MOST_BUFFERED, MOST_OPEN, PATIENCE_S

PAYPAL_AWAY = {
    "PAYPAL_CLIENT_ID": "client",
    "PAYPAL_CLIENT_SECRET": "secret-of-client",
    "PAYPAL_ENDPOINT": "http://127.0.0.1:9",
}


@dataclass
class Web:
    """The running program."""

    process: preloaded.Running | subprocess.Popen[bytes]
    url: str
    console: Path

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=10)

    def checks(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.get("/health").json()["checks"]
        return found

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.console.read_text().splitlines()]

    def answers(self) -> bool:
        try:
            return self.get("/health/live").ok
        except requests.RequestException:  # it may end in the middle of an answer
            return False


def wait(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def web(database_file: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Web]:
    port = free_port()
    environ = environment.minimal(tmp_path) | {"PORT": str(port), "PATH": os.environ["PATH"]}
    environ |= getattr(request, "param", {})
    console = tmp_path / "console"
    with console.open("wb") as output:
        process = preloaded.run("web", cwd=REPOSITORY, env=environ, output=output, errors=output)
    running = Web(process, f"http://127.0.0.1:{port}", console)
    wait(running.answers)
    yield running
    process.kill()
    process.wait()


def beat(ago: int = 0, **parts: str) -> None:
    health.beat("daemon", {"bot": "ok", "account": "ok"} | parts, int(time.time()) - ago)


def test_all_is_well_while_the_daemon_lives(web: Web) -> None:
    beat()

    answer = web.get("/health")

    assert (answer.status_code, answer.json()["status"], answer.json()["version"]) == (200, "ok", VERSION)
    checks = web.checks()
    assert set(checks) == {"database", "paypal", "bot", "account", "jobs", "events", "disk"}
    assert checks["paypal"]["status"] == "off"
    assert all(set(check) == {"status", "age_s", "detail"} for check in checks.values())


@pytest.mark.parametrize("web", [PAYPAL_AWAY | {"BACKEND_URL": "https://shop.example"}], indirect=True)
def test_names_that_are_not_ours_are_refused(web: Web) -> None:
    def ask(path: str, host: str) -> int:
        return requests.get(web.url + path, headers={"Host": host}, timeout=10).status_code

    assert ask("/paypal/cancel", "shop.example") == ask("/paypal/cancel", "SHOP.example:443") != 400
    assert ask("/paypal/cancel", "other.example") == ask("/paypal/cancel", "shop.example.other.example") == 400
    refused = requests.get(web.url, headers={"Host": "other.example"}, timeout=10).text
    assert "Check the address" in refused and "our side" not in refused
    assert ask("/health/live", "healthcheck.railway.app") == ask("/health/live", "10.0.0.7:8000") == 200


def test_requests_that_come_together_are_answered_in_turn(web: Web) -> None:
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(web.url.rpartition(":")[2])), timeout=10) as client:
        client.sendall(3 * request + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        said = b"".join(iter(lambda: client.recv(65_536), b""))

    assert said.count(b"HTTP/1.1 200 OK") == 4


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine speaks no IPv6")
@pytest.mark.parametrize("web", [{"WEB_ADDRESS": "::"}, {"WEB_ADDRESS": "[::]"}], indirect=True)
def test_it_listens_to_both_versions_of_the_protocol(web: Web) -> None:
    ours = f"http://[::1]:{web.url.rpartition(':')[2]}"
    for url in (web.url, ours):
        assert [requests.get(url + path, timeout=10).status_code for path in ("/health/live", "/")] == [200, 200]


@pytest.mark.parametrize("web", [{"BEHIND_PROXY": "yes"}, {"BEHIND_PROXY": "no"}], indirect=True)
def test_no_header_leads_to_another_path(web: Web) -> None:
    forged = {"PATH_INFO": "/health/live", "SCRIPT_NAME": "/elsewhere", "REMOTE_USER": "admin"}

    page = requests.get(f"{web.url}/", headers=forged, timeout=10)

    assert "<html" in page.text
    assert "elsewhere" not in page.text


@pytest.mark.parametrize(("web", "secure"), [({"BEHIND_PROXY": "yes"}, True), ({}, False)], indirect=["web"])
def test_only_a_proxy_says_that_a_visitor_came_by_https(web: Web, secure: bool) -> None:
    page = requests.get(f"{web.url}/", headers={"X-Forwarded-Proto": "https"}, timeout=10)

    assert ("Strict-Transport-Security" in page.headers) is secure


def test_a_daemon_that_is_silent_or_lost_its_account_is_told(web: Web) -> None:
    assert web.get("/health").status_code == 503

    beat(ago=100)
    checks = web.checks()
    assert checks["bot"]["status"] == "failing"
    assert checks["bot"]["age_s"] >= 100

    beat(account="revoked")
    checks = web.checks()
    assert (checks["bot"]["status"], checks["account"]["status"]) == ("ok", "failing")
    assert checks["account"]["detail"] == "revoked"
    assert web.get("/health").status_code == 503
    assert web.get("/health/live").json() == {"status": "ok"}


@pytest.mark.parametrize("web", [PAYPAL_AWAY], indirect=True)
def test_an_absent_paypal_is_told_and_not_asked_again(web: Web) -> None:
    beat()
    first = web.checks()["paypal"]
    started = time.monotonic()

    again = web.checks()["paypal"]

    assert (first["status"], first["detail"]) == ("failing", "Unavailable")
    assert again["status"] == "failing"
    assert time.monotonic() - started < 1


def test_a_broken_database_is_told_and_health_answers(web: Web, database_file: Path) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{database_file}{suffix}").unlink(missing_ok=True)
    database_file.write_bytes(b"no database" * 1000)

    answer = web.get("/health")

    assert answer.status_code == 503
    assert answer.json()["checks"]["database"]["status"] == "failing"
    assert answer.json()["checks"]["disk"]["status"] == "ok"


def test_it_gives_signs_of_life(web: Web) -> None:
    wait(lambda: "web" in health.all())


def test_the_access_log_holds_no_signed_links_or_checks(web: Web) -> None:
    beat()
    web.get("/health")
    web.get("/pay/signed.secret.token?token=EC-secret")

    # A request is logged after it has been answered.
    web.get("/nothing")
    wait(lambda: sum(entry["logger"] == "gunicorn.access" for entry in web.log()) >= 2)
    logged = [(entry["path"], entry["status"]) for entry in web.log() if entry["logger"] == "gunicorn.access"]
    assert sorted(logged) == [("/nothing", 404), ("/pay/[REDACTED]", 404)]
    assert "secret" not in web.console.read_text()


def test_the_log_does_not_say_from_where_a_page_was_asked_for(web: Web) -> None:
    requests.get(f"{web.url}/nothing", headers={"X-Real-IP": "203.0.113.7"}, timeout=10)
    wait(lambda: any(entry["logger"] == "gunicorn.access" for entry in web.log()))
    for address in ("203.0.113.7", "127.0.0.1"):
        assert address not in web.console.read_text()


def test_room_is_made_at_once_for_who_comes_last(web: Web) -> None:
    where = ("127.0.0.1", int(web.url.rpartition(":")[2]))
    many = [socket.create_connection(where, timeout=PATIENCE_S - 4) for _ in range(MOST_OPEN + 2)]

    assert many[0].recv(10) == b"", "the oldest goes before its time is over"

    assert web.answers()
    for client in many:
        client.close()


def test_unfinished_requests_take_only_so_much_memory(web: Web) -> None:
    head, most = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {LARGEST_BODY}\r\n\r\n", LARGEST_BODY - 1
    clients = []
    for _ in range(MOST_BUFFERED // LARGEST_BODY + 3):
        clients.append(socket.create_connection(("127.0.0.1", int(web.url.rpartition(":")[2])), timeout=20))
        clients[-1].sendall(head.encode() + b"x" * most)

    assert clients[0].recv(12) == b"HTTP/1.1 408", "the oldest makes room"
    clients[-1].sendall(b"x")
    assert clients[-1].recv(12) == b"HTTP/1.1 405", "the newest is answered"
    for client in clients:
        client.close()


def test_it_stops_with_0_and_leaves_the_port(web: Web) -> None:
    web.process.send_signal(signal.SIGTERM)

    assert web.process.wait(timeout=15) == 0
    assert not web.answers()


def test_no_worker_outlives_it(web: Web) -> None:
    web.process.kill()

    wait(lambda: not web.answers())


@pytest.mark.parametrize("port", ["{}", '"{}"', "'{}'", " {} "])
def test_the_image_and_the_settings_read_one_port(port: str) -> None:
    """``docker run --env-file`` leaves the quotes on."""
    written = re.search(r"HEALTHCHECK .*\\\n +CMD (.*)", (REPOSITORY / "Dockerfile").read_text())
    assert written
    command = [sys.executable, *json.loads(written[1])[1:]]
    with socket.create_server(("127.0.0.1", 0)) as server:
        environ = {**os.environ, "PORT": port.format(server.getsockname()[1])}
        check = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE)
        server.settimeout(20)
        connection, _ = server.accept()
        with connection:
            assert connection.recv(4096).startswith(b"GET /health ")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        _, errors = check.communicate(timeout=20)

    assert check.returncode == 0, errors
