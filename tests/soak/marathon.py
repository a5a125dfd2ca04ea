"""The soak: customers ask and pay, things go wrong, and at the end the books are read and the programs weighed."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.demo import installation
from tests.demo.installation import Installation
from tests.soak import books, instruments
from tests.soak.instruments import Reading
from tests.soak.scanner import Scanner
from tests.soak.shoppers import Shoppers
from tests.soak.town import MIB, Town, until
from tests.soak.trouble import Trouble

MEMORY_SHARE, MEMORY_FLOOR_KIB = 0.10, 6 * 1024
"""How far above its first rest a program may end. Below the floor it is the allocator's noise."""
SCANS_EVERY_S = 0.08
"""Fills a log in half an hour: twelve lines a second, as long as lines come."""
FILES_MORE = 3
AT_ONCE = 8
"""Visitors who come together to the web program, more than it has threads."""
FROZEN_S = 300
"""How long a link waits that met a frozen account."""
IDLE_S = 180.0
"""Longer than the programs keep media sessions warm that nobody uses."""
SETTINGS = {
    "JOBS_PER_CUSTOMER": "4",
    "LOG_LEVEL": "INFO",
    "WATCHDOG_CRASHES": "1000",
    "BACKUP_HOURS": "1",
    "BACKUP_PASSPHRASE": "only for the soak",
    "METRICS_TOKEN": "soaked-metrics-token",
    "CANARY_LINK": "https://t.me/sandbox_gallery/1",
}
TEN_O_CLOCK = 10


@dataclass(frozen=True)
class Course:
    """How long and how hard. *minutes* spread the *jobs* evenly; 0 is as fast as it goes."""

    seed: int
    minutes: float
    jobs: int
    customers: int = 50
    largest: int = 12 * MIB
    purchases: int = 20
    faults: int = 100
    warm_up: int = 20
    weigh: bool = True
    """Whether to wait for rest before and after, and compare; it takes the better part of a minute."""


@dataclass(frozen=True)
class Result:
    """What was found; no *faults* is what one wants."""

    faults: list[str]
    lines: list[str]


def run(place: Path, course: Course, tell: Callable[[str], None]) -> Result:
    """Run the whole course in *place*, which is emptied first."""
    rng = random.Random(course.seed)
    running = installation.start(place, alone=course.weigh, **SETTINGS, **_canary(datetime.now(UTC)))
    try:
        town = Town(running, rng, course.customers)
        town.move_in()
        trouble, shoppers = Trouble(town.sandbox, rng, freezes=course.minutes > 0), Shoppers(town)
        before = _warm_up(town, shoppers, course)
        with Scanner(running.base_url, SCANS_EVERY_S) as scanner:
            _go(town, trouble, shoppers, course, tell)
        trouble.end()
        town.rest(FROZEN_S + 120 + course.jobs / 4)
        until(lambda: not any("not told" in fault for fault in books.faults(town)), 90, "everything is told")
        installation.wait_healthy(running)
        found, lines = [*books.faults(town), *scanner.surprises], _report(town, trouble, shoppers, scanner)
        if before is not None:
            after = _rest(running, town)
            found += _grown(before, after)
            lines += _weights(before, after)
    finally:
        code = running.stop()
    return Result(found if code == 0 else [*found, f"the launcher ended with {code}"], lines)


def _canary(now: datetime) -> dict[str, str]:
    """Have the canary sing at the next full hour, wherever on earth it is ten o'clock now."""
    east = TEN_O_CLOCK - now.hour if now.hour < 23 else 11
    return {"TIMEZONE": f"Etc/GMT{-east:+d}", "CANARY_HOUR": str((now.hour + east) % 24 + 1)}


def _looked_at(town: Town) -> str:
    """What a monitor and a Prometheus see meanwhile."""
    asked = {"Authorization": f"Bearer {SETTINGS['METRICS_TOKEN']}"}
    metrics = requests.get(f"{town.installation.base_url}/metrics", headers=asked, timeout=10)
    metrics.raise_for_status()
    families = {family.name: family for family in text_string_to_metric_families(metrics.text)}
    weights = {
        sample.labels["program"]: round(sample.value / MIB) for sample in families["peaje_program_memory_bytes"].samples
    }
    health = requests.get(f"{town.installation.base_url}/health", timeout=10)
    return f"/health {health.status_code}, memory in MiB {weights}"


@dataclass(frozen=True)
class Rest:
    """The programs when nothing happens, and the connections that the server counts."""

    programs: dict[str, Reading]
    connections: int


def _warm_up(town: Town, shoppers: Shoppers, course: Course) -> Rest | None:
    """Use everything once, so that buffers have their size, and weigh the programs: that is what the end is held to."""
    if not course.weigh:
        return None
    for _ in range(course.warm_up):
        town.ask(course.largest)
    shoppers.with_stars(town.people[0])
    shoppers.with_paypal(town.people[0])
    # Each thread of the web program opens the database when it first has something to do.
    with ThreadPoolExecutor(AT_ONCE) as visitors:
        list(visitors.map(requests.get, [f"{town.installation.base_url}/health"] * AT_ONCE * 4))
    town.rest(60)
    return _rest(town.installation, town)


def _rest(running: Installation, town: Town) -> Rest:
    """A reading once the media sessions have been closed for want of work."""
    assert running.launcher is not None
    until(lambda: _connections(town) <= len(town.ours), IDLE_S, "idle connections are closed")
    return Rest(instruments.read(running.launcher.pid), _connections(town))


def _connections(town: Town) -> int:
    """Those of our two accounts; the customers' clients are not ours."""
    by_account = town.sandbox.control("GET", "/stats")["connections"]
    return sum(int(by_account.get(str(account), 0)) for account in town.ours)


def _go(town: Town, trouble: Trouble, shoppers: Shoppers, course: Course, tell: Callable[[str], None]) -> None:
    """Every event of the course at its time, in an order that the seed decides."""
    events: list[Callable[[], object]] = [lambda: town.ask(course.largest)] * course.jobs
    events += [lambda: trouble.strike()] * course.faults
    events += [lambda: shoppers.shop(town.rng.choice(town.people))] * course.purchases
    town.rng.shuffle(events)
    began, pause = time.monotonic(), course.minutes * 60 / len(events)
    for number, happens in enumerate(events, 1):
        time.sleep(max(0.0, began + pause * (number - 1) - time.monotonic()))
        happens()
        if number % max(1, len(events) // 20) == 0:
            tell(f"{number} of {len(events)} events, {town.jobs} jobs, {town.open_jobs()} open; {_looked_at(town)}")


def _grown(before: Rest, after: Rest) -> list[str]:
    found = []
    if after.connections > before.connections:
        found.append(f"{after.connections} connections at rest, {before.connections} before")
    for name, now in after.programs.items():
        then = before.programs[name]
        if now.memory_kib > then.memory_kib + max(MEMORY_FLOOR_KIB, MEMORY_SHARE * then.memory_kib):
            found.append(f"{name} holds {now.memory_kib} KiB at rest, {then.memory_kib} before")
        if now.files > then.files + FILES_MORE:
            found.append(f"{name} holds {now.files} files at rest, {then.files} before")
    return found


def _report(town: Town, trouble: Trouble, shoppers: Shoppers, scanner: Scanner) -> list[str]:
    data = town.installation.data
    backups, logs = len(list(data.glob("backups/peaje-*"))), list(data.glob("logs/*.log*"))
    return [
        f"{town.jobs} jobs of {len(town.people)} customers, "
        f"{sum(person.wanted.total() for person in town.people)} files compared",
        f"bought: {shoppers.stars} with Stars, {shoppers.paypal} with PayPal; did not get through: "
        f"{len(shoppers.disappointed)}",
        f"backups: {backups}; canaries: {town.canaries()}; scans: {scanner.asked}",
        f"logs: {', '.join(f'{log.name} {log.stat().st_size >> 10} KiB' for log in sorted(logs))}",
        f"went wrong: {', '.join(f'{fault} {times}' for fault, times in sorted(trouble.struck.items()))}",
    ]


def _weights(before: Rest, after: Rest) -> list[str]:
    lines = [f"connections at rest: {before.connections} before, {after.connections} after"]
    for name, now in after.programs.items():
        then = before.programs[name]
        lines.append(
            f"{name}: {then.memory_kib} -> {now.memory_kib} KiB at rest, {then.files} -> {now.files} open files"
        )
    return lines
