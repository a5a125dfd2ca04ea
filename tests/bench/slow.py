"""Slow clients beside a monitor: 200 connections that send a byte now and then, or nothing, and what health takes."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import requests

from models import database
from tests import paypal_shop
from tests.bench import report
from tests.bench.report import Row
from tests.sandbox.paypal import start as start_paypal

CONNECTIONS = 200
TRICKLE_S = 1.0
LONGEST_S = 30.0
SORTS = {
    "head": b"GET /health/live HTTP/1.1\r\nX: ",
    "body": b"POST /paypal/webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n{",
    "silent": b"",
}


def measure(place: Path) -> list[Row]:
    """Start a shop in *place*, and the clients against it, one sort after the other."""
    database.migrate(place / "peaje.db")
    paypal = start_paypal(place / "paypal")
    try:
        with paypal_shop.shop(paypal, place) as shop:
            address = urlsplit(shop.web.url)
            return [row for sort in SORTS for row in _beside(sort, str(address.hostname), int(address.port or 80))]
    finally:
        paypal.stop()


def _beside(sort: str, host: str, port: int) -> Iterator[Row]:
    """What health takes while clients of one *sort* are connected, and how long those are borne."""
    clients = [socket.create_connection((host, port), timeout=LONGEST_S) for _ in range(CONNECTIONS)]
    began = time.monotonic()
    borne: list[float] = []
    threads = [
        threading.Thread(target=lambda each=each: borne.append(_trickle(each, SORTS[sort], began))) for each in clients
    ]
    for thread in threads:
        thread.start()
    took = list(_ask(f"http://{host}:{port}/health/live", threads))
    for thread in threads:
        thread.join()
    conditions = {"connections": CONNECTIONS, "sort": sort, "answers": len(took)}
    yield report.row(f"live_p99_beside_slow_{sort}", 1000 * report.quantile(took, 0.99), "ms", conditions)
    yield report.row(f"slow_{sort}_cut_off_after", max(borne), "s", conditions)


def _trickle(client: socket.socket, begun: bytes, began: float) -> float:
    """Send a byte now and then until the server closes; the seconds that took."""
    client.settimeout(TRICKLE_S)
    with client:
        try:
            client.sendall(begun)
            while time.monotonic() - began < LONGEST_S:
                try:
                    if not client.recv(4096):
                        break
                except TimeoutError:
                    client.sendall(b"x" if begun else b"")
        except ConnectionError:
            pass
    return time.monotonic() - began


def _ask(url: str, until_ended: list[threading.Thread]) -> Iterator[float]:
    """Ask for health ten times a second while the clients last; the seconds of each answer."""
    with requests.Session() as monitor:
        while any(thread.is_alive() for thread in until_ended):
            began = time.perf_counter()
            monitor.get(url, timeout=LONGEST_S).raise_for_status()
            yield time.perf_counter() - began
            time.sleep(0.1)
