"""``/metrics`` for Prometheus, read from the database and the kernel when asked.

Only the counters of ended jobs are kept between requests: finished jobs are pruned after a while, and a counter must
not fall. They begin at 0 with this process, as Prometheus expects of a program that was restarted.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from urllib.parse import urlsplit

import peewee
from flask import Blueprint, Response, current_app, request
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from config.settings import Settings
from models import database, outbox, users
from models.jobs import queue
from models.jobs.states import ENDED
from models.maintenance import health
from models.money import metric_queries
from web import processes
from web.checks import Health, Status

blueprint = Blueprint("metrics", __name__)

logger = logging.getLogger(__name__)

USERS_EVERY_S = 60
"""Seconds between two counts of users, which read their whole table."""
SETTLED_AFTER_S = 2
"""A job's end is stamped a moment before its commit is visible: the newest seconds are counted the next time."""
PROXIED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
"""Headers of which a proxy adds at least one, as a rule."""


class Metrics:
    """The exporter of one application. ``token`` is what a scraper must present; None: only this machine may scrape."""

    def __init__(self, settings: Settings, health_of: Health) -> None:
        self.token = settings.metrics_token
        self.registry = CollectorRegistry()
        self.registry.register(Kernel(settings))
        self.registry.register(Parts(health_of))
        self.registry.register(Rows())


class Kernel(Collector):
    """Disk, files and processes: what is known without the database."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        disk = shutil.disk_usage(self._settings.db_path)
        yield _gauge("disk_free_bytes", "Free on the disk that holds DB_PATH.", disk.free)
        yield _gauge("disk_size_bytes", "Size of the disk that holds DB_PATH.", disk.total)
        file = self._settings.database_file
        sizes = [path.stat().st_size for path in (file, file.with_name(f"{file.name}-wal")) if path.exists()]
        yield _gauge("database_bytes", "The database with its log.", sum(sizes))
        memory = GaugeMetricFamily(
            "peaje_program_memory_bytes", "Proportional share of memory (PSS) of a program.", labels=("program",)
        )
        files = GaugeMetricFamily(
            "peaje_program_open_files", "Open file descriptors of a program.", labels=("program",)
        )
        for program, (held, opened) in _by_program(processes.family()).items():
            memory.add_metric((program,), held)
            if opened is not None:
                files.add_metric((program,), opened)
        yield memory
        yield files


def _by_program(running: list[processes.Process]) -> dict[str, tuple[int, int | None]]:
    """Memory in bytes and open files of each program; gunicorn and its worker count as one."""
    found: dict[str, tuple[int, int | None]] = {}
    for process in running:
        memory, files = found.get(process.program, (0, 0))
        known = None if files is None or process.files is None else files + process.files
        found[process.program] = (memory + process.memory, known)
    return found


class Parts(Collector):
    """What ``/health`` says."""

    def __init__(self, health_of: Health) -> None:
        self._health = health_of

    def collect(self) -> Iterator[Metric]:
        parts = GaugeMetricFamily(
            "peaje_health", "1: the part is well, 0: it fails; parts that are off are missing.", labels=("part",)
        )
        for name, check in self._health.checks(int(time.time())).items():
            if check.status is not Status.OFF:
                parts.add_metric((name,), check.status is Status.OK)
        yield parts


class Rows(Collector):
    """What the database holds. Where it cannot be read, these are missing and ``peaje_health`` says why."""

    def __init__(self) -> None:
        self._ended = _EndedJobs(int(time.time()))
        self._users = _Users()

    def collect(self) -> Iterator[Metric]:
        now = int(time.time())
        try:
            database.connect()
            yield from (*_programs(now), *_incidents(), *_jobs(now), *self._ended.count(now), *_waiting(now), *_money())
            yield self._users.count(now)
        except peewee.DatabaseError as error:
            logger.warning("database.unreadable", extra={"cause": str(error)})

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not read the database."""
        return []


def _programs(now: int) -> Iterator[Metric]:
    ages = {name: beat.age(now) for name, beat in health.all().items()}
    yield _labelled("program_beat_age_seconds", "Time since a program's newest sign of life.", "program", ages)


def _incidents() -> Iterator[Metric]:
    open_now = dict.fromkeys((incident.key for incident in health.incidents()), 1)
    yield _labelled(
        "incident_open", "1 for each incident that the admins have been told of and not the end.", "key", open_now
    )


def _jobs(now: int) -> Iterator[Metric]:
    jobs = queue.overview(now)
    states = {"queued": jobs.queued, "running": jobs.running, "held": jobs.held}
    yield _labelled("jobs", "Links that are not delivered yet.", "state", states)
    yield _gauge("job_oldest_wait_seconds", "How long the first of the line has waited.", jobs.oldest_wait_s or 0)


def _waiting(now: int) -> Iterator[Metric]:
    yield _labelled("waiting", "What waits for somebody, by kind.", "what", asdict(metric_queries.waiting()))
    oldest_ms = outbox.oldest_unheard_ms()
    lag = 0 if oldest_ms is None else max(0, now - oldest_ms // 1000)
    yield _gauge("event_oldest_wait_seconds", "How long the oldest news has waited to be told.", lag)


def _money() -> Iterator[Metric]:
    payments = GaugeMetricFamily("peaje_payments", "Payments.", labels=("provider", "currency", "state"))
    amounts = GaugeMetricFamily(
        "peaje_payment_amount", "Their sum, in minor units (Stars, cents).", labels=("provider", "currency", "state")
    )
    for sum_ in metric_queries.money():
        labels = (sum_.provider, sum_.currency, sum_.state)
        payments.add_metric(labels, sum_.number)
        amounts.add_metric(labels, sum_.amount)
    yield payments
    yield amounts
    refunds = GaugeMetricFamily("peaje_refund_amount", "Given back, in minor units.", labels=("provider", "currency"))
    for labels_, amount in metric_queries.refunded().items():
        refunds.add_metric(labels_, amount)
    yield refunds
    subscriptions = GaugeMetricFamily("peaje_subscriptions", "Renewing purchases.", labels=("provider", "state"))
    for labels_, number in metric_queries.subscriptions().items():
        subscriptions.add_metric(labels_, number)
    yield subscriptions


class _EndedJobs:
    """Counts jobs as they end. Of requests at the same time, one counts each second."""

    def __init__(self, now: int) -> None:
        self._lock = threading.Lock()
        self._since = now
        self._ended: dict[str, int] = dict.fromkeys(ENDED, 0)
        self._bytes = 0

    def count(self, now: int) -> Iterator[Metric]:
        with self._lock:
            self._add(now - SETTLED_AFTER_S)
            ended, delivered = dict(self._ended), self._bytes
        outcomes = CounterMetricFamily("peaje_jobs_ended", "Links that came to an end.", labels=("outcome",))
        for outcome, number in ended.items():
            outcomes.add_metric((outcome,), number)
        yield outcomes
        yield CounterMetricFamily("peaje_delivered_bytes", "Bytes of the files that were delivered.", delivered)

    def _add(self, until: int) -> None:
        if until <= self._since:
            return
        news = asdict(queue.totals(self._since, until))
        self._since = until
        self._bytes += news.pop("bytes")
        for outcome, number in news.items():
            self._ended[outcome] += number


class _Users:
    """Numbers of users, counted anew every :data:`USERS_EVERY_S` seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted_at: int | None = None
        self._counts: dict[str, int] = {}

    def count(self, now: int) -> Metric:
        with self._lock:
            if self._counted_at is None or not 0 <= now - self._counted_at < USERS_EVERY_S:
                self._counts = asdict(users.totals(now))
                self._counted_at = now
            counts = dict(self._counts)
        everybody = counts.pop("users")
        return _labelled("users", "People who have spoken to the bot.", "who", {"all": everybody, **counts})


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"peaje_{name}", text, value)


def _labelled(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"peaje_{name}", text, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family


@blueprint.get("/metrics")
def export() -> Response:
    """Every number, in the format that the scraper prefers; 403 without the token."""
    metrics: Metrics = current_app.extensions["metrics"]
    if not _may_scrape(metrics.token):
        return Response("metrics are for the operator: METRICS_TOKEN, or this machine\n", 403, mimetype="text/plain")
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(metrics.registry), content_type=content_type)


def _may_scrape(token: str | None) -> bool:
    if token:
        given = request.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {token}".encode())
    # A request through a proxy on this machine does not come from this machine: it was sent to another name.
    if any(name in request.headers for name in PROXIED) or not _is_loopback(urlsplit(request.host_url).hostname):
        return False
    return _is_loopback(request.remote_addr)


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
