"""What others wait while a customer with a long past has it exported, and then deleted, in a database of a million."""

import asyncio
import random
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from config import plans
from config.units import MIB
from daemon.database import Database
from daemon.exporting.exports import Exports
from daemon.telegram.sender import Sender
from models import database, users
from models.maintenance import personal_data, privacy
from models.tables import Job
from tests.bench import million
from tests.bench.million import NOW, PLANS_FILE, Scale, Stopwatch
from tests.bench.report import Row, quantile, row
from tests.store import many_links

SCALE = Scale(usage=1_000_000, jobs=200_000, cached=10_000)
ROWS = 100_000
OTHERS_PER_S = 20


class Counter(Sender):
    """Takes the files that are sent, and counts their bytes."""

    def __init__(self) -> None:
        self.bytes = 0

    async def send_file(self, chat_id: int, content: BinaryIO, **_: object) -> None:
        """Count a file."""
        self.bytes = content.seek(0, 2)


def report(place: Path, scale: Scale = SCALE, rows: int = ROWS) -> Iterator[Row]:
    """Generate the database in *place*, give one customer *rows* links, and measure both commands."""
    million.generate(place / "personal.db", scale)
    person = scale.users + 1
    users.seen(person, "Long", None, "en", NOW)
    many_links(person, rows, now=NOW)
    conditions = {"users": scale.users, "rows": rows, "others_per_s": OTHERS_PER_S}
    try:
        yield from _beside("mydata", lambda: _export(place, person), scale, conditions)
        assert Job.select().where(Job.user == person).exists()
        yield from _beside("deletemydata", lambda: _erase(person), scale, conditions)
        assert not Job.select().where(Job.user == person).exists()
    finally:
        database.close_database()


def _beside(name: str, work: Callable[[], None], scale: Scale, conditions: dict[str, object]) -> Iterator[Row]:
    """Do *work* while others are served, and tell what those took, and the work."""
    watch, ended = Stopwatch(), threading.Event()
    others = threading.Thread(target=_serve, args=(watch, ended, scale), name="others")
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    others.start()
    began = time.monotonic()
    try:
        work()
    finally:
        took = time.monotonic() - began
        ended.set()
        others.join()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) * 1024
    conditions = conditions | {"others": len(watch.round)}
    yield row(f"others_beside_{name}_p99", quantile(watch.round, 0.99), "ms", conditions)
    yield row(f"others_beside_{name}_longest", max(watch.round), "ms", conditions)
    yield row(f"{name}_took", took, "s", conditions)
    yield row(f"{name}_memory", grown / MIB, "MiB", conditions)


def _serve(watch: Stopwatch, ended: threading.Event, scale: Scale) -> None:
    """Serve other customers on a connection of their own, as the daemon does, until the work has *ended*."""
    offered, choice = plans.load(PLANS_FILE), random.Random(1)
    first = time.monotonic_ns()
    with database.connected(), million.upkeep():
        while not ended.wait(1 / OTHERS_PER_S):
            number = first + len(watch.round)
            million.serve(choice.randint(1, scale.users), number, NOW + len(watch.round), offered, watch)


def _export(place: Path, person: int) -> None:
    async def send() -> None:
        stored, sender = Database(), Counter()
        personal_data.ask(person, int(time.time()))
        exporting = asyncio.create_task(Exports(stored, sender, Path(tempfile.mkdtemp(dir=place))).run(_up()))
        while await stored(personal_data.next_asked, NOW) is not None:
            await asyncio.sleep(0.2)
        exporting.cancel()
        await asyncio.wait({exporting})
        await stored.close()
        assert sender.bytes

    asyncio.run(send())


def _up() -> asyncio.Event:
    up = asyncio.Event()
    up.set()
    return up


def _erase(person: int) -> None:
    timezone = ZoneInfo("UTC")
    assert not privacy.erase(person, timezone, NOW + 1, secret_key="key")
    assert privacy.finish(timezone, NOW + 2) == 1
