"""``/metrics`` as Prometheus asks for it, from the running web program."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from config.settings import EXIT_OK
from models import database, outbox
from models.event_kinds import AdminAlert
from models.jobs import queue
from models.jobs.queue import Delivered
from models.maintenance import health
from models.money import payments
from tests import environment, preloaded, store
from tests.paypal_shop import free_port
from tests.purchases import customer, fact, order
from tests.sandbox_process import REPOSITORY

TOKEN = "a-token-for-metrics"


@dataclass
class Web:
    """The running program, and its numbers by name and labels."""

    process: subprocess.Popen[bytes] | preloaded.Running
    url: str

    def ask(self, **headers: str) -> requests.Response:
        return requests.get(f"{self.url}/metrics", headers=headers, timeout=10)

    def numbers(self, **headers: str) -> dict[tuple[str, ...], float]:
        answer = self.ask(**headers)
        assert answer.status_code == 200, answer.text
        families = text_string_to_metric_families(answer.text)
        samples = [sample for family in families for sample in family.samples]
        return {(sample.name, *sample.labels.values()): sample.value for sample in samples}

    def until(self, found: Callable[[dict[tuple[str, ...], float]], bool], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not found(numbers := self.numbers()):
            assert time.monotonic() < deadline, numbers
            time.sleep(0.1)


@pytest.fixture
def environ(database_file: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of a program; the fixture's parameter adds some."""
    port = {"PORT": str(free_port()), "PATH": os.environ["PATH"]}
    return environment.minimal(database_file.parent) | port | getattr(request, "param", {})


@pytest.fixture
def web(environ: dict[str, str]) -> Iterator[Web]:
    yield from running(preloaded.run("web", cwd=REPOSITORY, env=environ, output=None, errors=None), environ)


@pytest.fixture
def named_web(environ: dict[str, str]) -> Iterator[Web]:
    """One that shares no memory with others, because it is not forked from another."""
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    yield from running(subprocess.Popen([sys.executable, "-m", "web"], cwd=REPOSITORY, env=environ, **nowhere), environ)


def running(process: subprocess.Popen[bytes] | preloaded.Running, environ: dict[str, str]) -> Iterator[Web]:
    """The program once it answers, and its end."""
    running = Web(process, f"http://127.0.0.1:{environ['PORT']}")
    deadline = time.monotonic() + 20
    while True:
        try:
            requests.get(f"{running.url}/health/live", timeout=5)
            break
        except requests.ConnectionError:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
    yield running
    process.terminate()
    assert process.wait(timeout=15) == EXIT_OK


def test_it_tells_what_the_database_holds(web: Web) -> None:
    now = int(time.time())
    user = customer(now)
    payments.settle(fact(order(user, now=now), now), now)
    store.enqueue(user, "waits", now=now - 90)
    health.beat("daemon", {"bot": "ok", "account": "ok"}, now - 7)
    health.open_incident("disk", "nearly full", now)

    numbers = web.numbers()

    assert numbers["peaje_users", "all"] == 1
    assert numbers["peaje_payments", "XTR", "stars", "completed"] == 1
    assert numbers["peaje_payment_amount", "XTR", "stars", "completed"] == 500
    assert numbers["peaje_jobs", "queued"] == 1
    assert 90 <= numbers["peaje_job_oldest_wait_seconds",] < 120
    assert 7 <= numbers["peaje_program_beat_age_seconds", "daemon"] < 30
    assert numbers["peaje_incident_open", "disk"] == 1
    assert numbers["peaje_waiting", "events"] >= 2
    assert (numbers["peaje_health", "bot"], numbers["peaje_health", "database"]) == (1, 1)
    assert ("peaje_health", "paypal") not in numbers
    assert numbers["peaje_disk_free_bytes",] > 0
    assert numbers["peaje_database_bytes",] > 4096


def test_it_tells_memory_and_files_of_the_programs(named_web: Web) -> None:
    numbers = named_web.numbers()

    assert 10_000_000 < numbers["peaje_program_memory_bytes", "web"] < 300_000_000
    assert 5 < numbers["peaje_program_open_files", "web"] < 200


def test_jobs_are_counted_as_they_end_never_backwards(web: Web) -> None:
    before = web.numbers()
    assert before["peaje_jobs_ended_total", "done"] == 0
    store.customers(1)
    deliver("first", 3_000_000)

    web.until(lambda numbers: numbers["peaje_jobs_ended_total", "done"] == 1)
    assert web.numbers()["peaje_delivered_bytes_total",] == 3_000_000

    database.execute("DELETE FROM job")
    deliver("second", 10)
    web.until(lambda numbers: numbers["peaje_jobs_ended_total", "done"] == 2)


def deliver(key: str, size: int) -> None:
    now = int(time.time())
    store.enqueue(1, key, now=now)
    job = store.claim("worker", now)
    queue.size_known(job.id, "photo", size)
    (random_id,) = queue.plan_messages(job.id, 1, now)
    queue.delivering(job.id, "worker", now)
    assert queue.finish(job.id, "worker", Delivered({random_id: 5}), now)


def test_news_that_nobody_tells_shows_as_lag(web: Web) -> None:
    with database.transaction():
        outbox.append(AdminAlert(reason="x"), None, int(time.time()))
        database.execute("UPDATE event SET created_ms = created_ms - 600000")

    assert web.numbers()["peaje_event_oldest_wait_seconds",] >= 600


def test_a_broken_database_leaves_what_is_true_without_it(web: Web, database_file: Path) -> None:
    database.close_database()
    for suffix in ("-wal", "-shm"):
        Path(f"{database_file}{suffix}").unlink(missing_ok=True)
    database_file.write_bytes(b"no database" * 1000)

    numbers = web.numbers()

    assert numbers["peaje_health", "database"] == 0
    assert numbers["peaje_disk_free_bytes",] > 0
    assert ("peaje_users", "all") not in numbers


def test_without_a_token_only_this_machine_may_ask(web: Web) -> None:
    assert web.ask().status_code == 200
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"):
        assert web.ask(**{header: "203.0.113.7"}).status_code == 403
        assert web.ask(**{header: ""}).status_code == 403
    for host in ("shop.example", "shop.example:443", "203.0.113.7", "[", "localhost.example"):
        assert web.ask(Host=host).status_code in (400, 403)
    assert web.ask(Host="localhost:8000").status_code == web.ask(Host="[::1]:8000").status_code == 200


@pytest.mark.parametrize("environ", [{"METRICS_TOKEN": TOKEN}], indirect=True)
def test_with_a_token_everybody_needs_it(web: Web) -> None:
    assert web.ask().status_code == 403
    assert web.ask(Authorization=f"Bearer {TOKEN}x").status_code == 403
    assert web.ask(Authorization=f"Bearer {TOKEN}", **{"X-Real-IP": "203.0.113.7"}).status_code == 200


def test_dashboard_and_alerts_speak_of_numbers_that_exist(named_web: Web) -> None:
    exported = {family.name for family in text_string_to_metric_families(named_web.ask().text)}
    exported |= {f"{name}_total" for name in exported}
    folder = REPOSITORY / "docs" / "metrics"
    dashboard = json.loads((folder / "grafana-dashboard.json").read_text())
    rules = [rule for group in yaml.safe_load((folder / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [rule["expr"] for rule in rules]

    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert len({rule["alert"] for rule in rules}) == len(rules)
    assert {name for expression in asked for name in re.findall(r"\bpeaje_\w+", expression)} <= exported
