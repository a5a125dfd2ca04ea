"""What must be true when everything has come to rest: nothing lost, nothing doubled, nothing leaked, nothing told."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from config import settings
from config.units import MIB
from models import database
from models.jobs.states import ENDED, JobState
from models.money import payments
from models.money.payments import PaymentState as PaymentState
from models.tables import Event, Job, Payment, Usage
from tests.soak.town import Town

TOKENS = re.compile(r"(?<![0-9])[0-9]{8,}:[A-Za-z0-9_-]{30,}|\bA21AA[A-Za-z0-9_-]{20,}|/pay/(?!\[REDACTED\])[\w.~%=-]+")


def faults(town: Town) -> list[str]:
    """Everything that is not as it should be, in words."""
    return [*_jobs(town), *_deliveries(town), *_money(town), *_server(town), *_logs(town)]


def _jobs(town: Town) -> Iterator[str]:
    database.open_database(town.installation.data / "peaje.db")
    try:
        states = Counter(row.state for row in Job.select(Job.state).where(Job.user != town.admin))
        if states.total() != town.jobs:
            yield f"{town.jobs} links were sent, {states.total()} jobs are known"
        if set(states) - {str(JobState.DONE)}:
            reasons = Counter(row.reason for row in Job.select().where(Job.state != str(JobState.DONE)))
            yield f"jobs ended as {dict(states)}: {dict(reasons)}"
        if set(states) - {str(state) for state in ENDED}:
            yield f"jobs are open: {dict(states)}"
        if silent := Job.select().where(Job.user == town.admin, Job.state != str(JobState.DONE)).count():
            yield f"the canary did not sing: {silent}"
        if reserved := Usage.select().where(Usage.state == "reserved").count():
            yield f"{reserved} reservations are left"
        if unheard := Event.select().where(Event.heard_at.is_null()).count():
            yield f"{unheard} events were not told"
        yield from payments.audit()
    finally:
        database.close_database()


def _deliveries(town: Town) -> Iterator[str]:
    for person in town.people:
        received = town.received(person)
        if lost := person.wanted - received:
            yield f"{person.id} never got {dict(lost)}"
        if doubled := received - person.wanted:
            yield f"{person.id} got too much, or something else: {dict(doubled)}"
    stats = town.sandbox.control("GET", "/stats")
    if again := {key: times for key, times in stats["messages"].items() if times > 1}:
        yield f"made more than once: {again}"


def _money(town: Town) -> Iterator[str]:
    """What the servers took, and what our ledger holds, charge by charge."""
    taken = {("stars", str(one["charge_id"])): int(one["amount"]) for one in _charges(town)}
    for capture in town.sandbox.control("GET", "/paypal/captures"):
        if capture["status"] == "COMPLETED":
            taken["paypal", str(capture["id"])] = round(float(capture["amount"]["value"]) * 100)
    database.open_database(town.installation.data / "peaje.db")
    try:
        completed = Payment.select().where(Payment.state == str(PaymentState.COMPLETED))
        booked = {(row.provider, row.remote_id): row.amount for row in completed}
    finally:
        database.close_database()
    if taken != booked:
        yield f"money differs: {set(taken.items()) ^ set(booked.items())}"


def _charges(town: Town) -> list[dict[str, Any]]:
    charges: list[dict[str, Any]] = town.sandbox.control("GET", "/payments")["charges"]
    return charges


def _server(town: Town) -> Iterator[str]:
    stats = town.sandbox.control("GET", "/stats")
    for name in ("server_errors", "protocol_violations", "unsupported"):
        if stats[name]:
            yield f"{name}: {stats[name]}"
    if deviations := town.sandbox.control("GET", "/deviations"):
        yield f"departed from PayPal's files: {deviations}"


def _logs(town: Town) -> Iterator[str]:
    """Each line is JSON, all together stay within their budget, no secret is in any."""
    loaded = settings.load(town.installation.environ, None)
    secrets = [secret for secret in settings.secret_values(loaded) if len(secret) > 5]
    for file in [*town.installation.data.glob("logs/*.log*"), town.installation.console]:
        yield from _lines(file, secrets)
    held = sum(file.stat().st_size for file in loaded.logs.iterdir())
    if held > loaded.log_total_mb * MIB:
        yield f"the logs hold {held} bytes, more than {loaded.log_total_mb} MiB"


def _lines(file: Path, secrets: list[str]) -> Iterator[str]:
    with file.open(errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                return  # still being written
            if any(secret in line for secret in secrets) or TOKENS.search(line):
                yield f"{file.name}:{number} holds a secret"
            try:
                json.loads(line)
            except ValueError:
                yield f"{file.name}:{number} is not JSON: {line[:120]}"
