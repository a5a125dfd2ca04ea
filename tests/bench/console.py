"""The console's pages over a million customers, and a ``/start`` beside somebody who leafs through them."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from config import plans
from models import database, users
from models.books import totals
from models.jobs import usage
from models.money import access
from tests import environment
from tests.bench.report import Row, quantile, row
from tests.console_visitor import ConsoleVisitor
from tests.paypal_shop import Program, Web, free_port
from tests.sandbox_process import REPOSITORY

ADMIN = 1
PAGES = {
    "today": ("/console/today",),
    "customers": (
        "/console/customers",
        "/console/customers?show=new",
        "/console/customers?show=paid",
        "/console/customers?show=paying",
        "/console/customers?show=ended:30",
        "/console/customers?show=never_paid",
        "/console/customers?show=limit",
        "/console/customers?q=customer4",
        "/console/customers?q=Customer%2077",
        "/console/customers/777",
    ),
    "money": (
        "/console/money",
        "/console/money?state=refunded",
        "/console/money?provider=paypal",
        "/console/money?who=777",
        "/console/money?from=2026-12-01&to=2026-12-31",
        "/console/money/777",
        "/console/money/777/refund",
        "/console/money/unexplained",
    ),
    "shop": ("/console/shop", "/console/shop/plans/premium", "/console/shop/text", "/console/shop/versions"),
    "messages": ("/console/messages", "/console/messages/draft"),
    "health": ("/console/health", "/console/health/chats"),
    "settings": ("/console/settings",),
    "audit": ("/console/audit",),
}
VISITS = 200
STARTS = 500


def measure(place: Path, conditions: dict[str, int]) -> Iterator[Row]:
    """Leaf through the console of the database ``peaje.db`` in *place*, which nobody else has open."""
    database.open_database(place / "peaje.db")
    totals.keep(ZoneInfo("UTC"), int(time.time()))
    port = free_port()
    env = environment.minimal(place) | {"PORT": str(port), "ADMIN_IDS": str(ADMIN), "BEHIND_PROXY": "yes"}
    program = Program("web", env | {"PATH": os.environ["PATH"]}, place / "web.out", REPOSITORY)
    web = Web(program, f"http://127.0.0.1:{port}").start()
    try:
        yield from _measured(web, conditions)
    finally:
        web.program.stop()
        database.close_database()


def _measured(web: Web, conditions: dict[str, int]) -> Iterator[Row]:
    browser = ConsoleVisitor(web.url)
    browser.log_in(ADMIN)
    quiet = list(_starts())
    stopping = threading.Event()
    leafing = threading.Thread(target=_leaf, args=(browser, stopping))
    leafing.start()
    busy = list(_starts())
    stopping.set()
    leafing.join()
    yield row("start_while_console_p99", quantile(busy, 0.99), "ms", conditions, quantile(quiet, 0.99))
    for name, paths in PAGES.items():
        times, sizes = _visits(browser, paths)
        if times:
            yield row(f"console_{name}_p99", quantile(times, 0.99), "ms", conditions | {"bytes": max(sizes)})


def _visits(browser: ConsoleVisitor, paths: tuple[str, ...]) -> tuple[list[float], list[int]]:
    times, sizes = [], []
    for number in range(VISITS):
        browser.address = f"10.1.{number % 250}.1"
        began = time.perf_counter()
        page = browser.get(paths[number % len(paths)])
        times.append((time.perf_counter() - began) * 1000)
        sizes.append(len(page.content))
        assert page.status_code == 200, page.text[:500]
    return times, sizes


def _leaf(browser: ConsoleVisitor, stopping: threading.Event) -> None:
    """Open page after page."""
    number = 0
    while not stopping.is_set():
        for paths in PAGES.values():
            number += 1
            browser.address = f"10.2.{number % 250}.{number // 250 % 250}"
            browser.get(paths[number % len(paths)])


def _starts() -> Iterator[float]:
    """What the database does for a ``/start``, in milliseconds."""
    offered, now = plans.load(REPOSITORY / "plans.toml"), int(time.time())
    for number in range(STARTS):
        user_id = 1 + number * 7919 % 1_000_000
        began = time.perf_counter()
        users.seen(user_id, f"Customer {user_id}", None, "es", now + number)
        usage.left(user_id, offered.for_level(access.of(user_id, now).level), "2027-01-15")
        yield (time.perf_counter() - began) * 1000
