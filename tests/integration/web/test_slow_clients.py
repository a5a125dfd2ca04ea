"""Clients that are slow, silent or greedy, and everybody else, who must not notice: the web program as it runs."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from models.money import orders
from tests import environment, preloaded, purchases
from tests.integration.web import impatient
from tests.integration.web.impatient import PATIENCE_S
from tests.integration.web.test_web_process import Web, wait
from tests.paypal_shop import free_port
from tests.sandbox_process import REPOSITORY
from web.edge.arrival import LARGEST_BODY

HEAD = b"POST /paypal/webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n"


class Hanging(BaseHTTPRequestHandler):
    """A PayPal that takes every call and answers none."""

    def do_POST(self) -> None:
        time.sleep(30)

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def hanging_paypal() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hanging)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def web(database_file: Path, tmp_path: Path, hanging_paypal: str) -> Iterator[Web]:
    """The web program with a short patience."""
    port = free_port()
    environ = environment.minimal(tmp_path) | {"PORT": str(port), "PATH": os.environ["PATH"]}
    environ |= {
        "PAYPAL_CLIENT_ID": "c",
        "PAYPAL_CLIENT_SECRET": "secret-of-c",
        "PAYPAL_ENDPOINT": hanging_paypal,
        "PAYPAL_WEBHOOK_ID": "WH-1",
    }
    console = tmp_path / "console"
    with console.open("wb") as output:
        process = preloaded.run(impatient.__name__, cwd=REPOSITORY, env=environ, output=output, errors=output)
    running = Web(process, f"http://127.0.0.1:{port}", console)
    wait(running.answers)
    yield running
    process.terminate()
    assert process.wait(20) == 0
    assert not [line for line in running.log() if line["level"] in ("error", "critical")]


def connect(web: Web) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(web.url.rpartition(":")[2])), timeout=20)


def received(client: socket.socket) -> bytes:
    """All that comes until the server closes."""
    answer = b""
    while piece := client.recv(4096):
        answer += piece
    return answer


def test_two_hundred_slow_clients_are_cut_off_unnoticed(web: Web) -> None:
    slow = [connect(web) for _ in range(201)]
    began = time.monotonic()
    for number, client in enumerate(slow):
        client.sendall((b"GET / HT", HEAD + b"{", b"")[number % 3])
    while time.monotonic() - began < PATIENCE_S:
        assert web.get("/health/live").ok
        for client in slow[:2]:
            client.sendall(b"x")  # a byte now and then buys no time
        time.sleep(0.2)

    answers = [received(client) for client in slow]
    for client in slow:
        client.close()

    assert time.monotonic() - began < PATIENCE_S + 12
    assert {answer[:20] for answer in answers} == {b"HTTP/1.1 408 Request", b""}
    assert answers[2::3] == [b""] * 67


def test_a_request_in_pieces_is_answered_and_kept_alive(web: Web) -> None:
    with connect(web) as client:
        for byte in b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n":
            client.sendall(bytes([byte]))
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        two = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 2
        client.sendall(two + b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert received(client).count(b"HTTP/1.1 200") == 3


def test_a_client_that_asks_first_is_told_to_go_on(web: Web) -> None:
    with connect(web) as client:
        client.sendall(HEAD.replace(b"Host:", b"Connection: close\r\nExpect: 100-continue\r\nHost:"))
        assert client.recv(4096).startswith(b"HTTP/1.1 100 Continue")
        client.sendall(b"x" * 100)
        assert b"HTTP/1.1 400" in received(client)  # no webhook of PayPal's


def test_a_chunked_body_is_read(web: Web) -> None:
    answer = requests.post(f"{web.url}/paypal/webhook", data=(piece for piece in [b"{", b"}"]), timeout=10)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD.replace(b"100", b"%d" % (LARGEST_BODY + 1)), b"413"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000, b"431"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345", b"400"),
        (b"\x16\x03\x01 no HTTP at all\r\n\r\n", b"400"),
    ],
)
def test_what_no_client_sends_on_purpose_is_refused(web: Web, sent: bytes, status: bytes) -> None:
    with connect(web) as client:
        client.sendall(sent)
        assert received(client)[9:12] == status
    assert "127.0.0.1" not in "".join(line["message"] for line in web.log())


def test_more_clients_than_there_is_room_push_out_the_oldest(web: Web) -> None:
    many = [connect(web) for _ in range(900)]
    assert web.get("/health/live").ok
    many[0].settimeout(10)
    assert many[0].recv(10) == b""
    for client in many:
        client.close()


def test_pages_that_wait_for_paypal_leave_health_its_threads(web: Web) -> None:
    at_paypal = purchases.order(purchases.customer(), provider="paypal", now=int(time.time()))
    orders.attach_remote(at_paypal.id, "5O190127TN364715T", int(time.time()))
    waiting = [connect(web) for _ in range(12)]
    for client in waiting:
        client.sendall(b"GET /paypal/success?token=5O190127TN364715T HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    for _ in range(10):
        assert web.get("/health/live").ok
        time.sleep(0.1)

    waiting[0].settimeout(0.01)
    with pytest.raises(TimeoutError):
        waiting[0].recv(1)
    waiting[0].settimeout(30)
    assert waiting[0].recv(12) == b"HTTP/1.1 200"
    for client in waiting:
        client.close()
