"""News to thousands of people while the daemon is killed and Telegram asks for flood waits: each once, nobody left out.

``BROADCAST_TO=500`` makes it shorter. :func:`broadcast` is also what the suite runs, with few people and two kills.
"""

import asyncio
import io
import itertools
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import database
from models.promotion import broadcasts, consent, recipients
from models.promotion.consent import Answer, Place
from models.tables import BroadcastRecipient, User
from tests import environment, sandbox_process
from tests.bench import report
from tests.bench.chat import Asker
from tests.bench.report import Row
from tests.daemon_process import Chat, Daemon, chat
from tests.sandbox.telegram import picture
from tests.sandbox_process import Sandbox

PEOPLE = int(os.environ.get("BROADCAST_TO", "5000"))
KILLS = 10
BLOCKED_PART = 0.05
FLOOD_EVERY_S, FLOOD_S = 30.0, 2
ASK_S = 0.25
CAPTION = "Something new, with a picture"
LONGEST_S = 3600.0


@dataclass
class Outcome:
    """What became of one broadcast. ``twice`` and ``left_out`` name people, and should be empty."""

    seconds: float
    states: Counter[str]
    twice: list[int]
    left_out: list[int]
    contradictions: list[str]
    answers: list[float] = field(default_factory=list)
    kills: int = 0
    floods: int = 0


def measure(place: Path) -> list[Row]:
    """Send to everybody in *place*, and look who got it."""
    found = asyncio.run(broadcast(place, PEOPLE, KILLS))
    if found.twice or found.left_out or found.contradictions:
        raise AssertionError(f"twice: {found.twice}; left out: {found.left_out}; {found.contradictions}")
    conditions = {"recipients": PEOPLE, "kills": found.kills, "flood_waits": found.floods, **found.states}
    name = f"broadcast_{PEOPLE}"
    return [
        report.row(name, found.seconds, "s", conditions | {"twice": 0, "left_out": 0}),
        report.row(
            f"{name}_start_p50", 1000 * report.quantile(found.answers, 0.5), "ms", {"answers": len(found.answers)}
        ),
        report.row(
            f"{name}_start_p99", 1000 * report.quantile(found.answers, 0.99), "ms", {"answers": len(found.answers)}
        ),
    ]


async def broadcast(place: Path, number: int, kills: int, seed: int = 1) -> Outcome:
    """Send a picture to *number* people while the daemon is killed so often."""
    sandbox = await asyncio.to_thread(sandbox_process.start, place / "sandbox", "--telegram-only")
    daemon = Daemon(sandbox, place / "state", {"BROADCASTS_PER_WEEK": "2", "TIMEZONE": environment.zone_of_noon()})
    try:
        await asyncio.to_thread(daemon.start)
        people = await _audience(sandbox, daemon, number)
        return await _send(sandbox, daemon, people, kills=kills, chance=random.Random(seed))
    finally:
        if daemon.is_alive:
            await asyncio.to_thread(daemon.stop)
        await asyncio.to_thread(sandbox.stop)


async def _audience(sandbox: Sandbox, daemon: Daemon, number: int) -> list[int]:
    """People who have started the bot and want news; one in twenty has blocked it since."""
    people: list[int] = []
    while len(people) < number:
        made = await _control(sandbox, "/users", {"count": min(200, number - len(people))})
        people += [person["id"] for person in made["users"]]
    bot = sandbox.scenario["bot"]["username"]
    for person in people:
        await _control(sandbox, "/messages", {"from": person, "to": bot, "text": "/start"})
    await asyncio.to_thread(_until_known, daemon, people)
    for person in people[:: int(1 / BLOCKED_PART)]:
        await _control(sandbox, "/faults", {"fault": "block", "user": person, "blocks": bot})
    return people


def _until_known(daemon: Daemon, people: Sequence[int]) -> None:
    """Wait until everybody is a customer, and let them agree to news."""
    database.open_database(daemon.db_path / "peaje.db")
    try:
        deadline = time.monotonic() + 600
        while User.select().where(User.id.in_(people[-1:])).count() == 0 or User.select().count() < len(people):
            if time.monotonic() > deadline:
                raise AssertionError(f"{User.select().count()} of {len(people)} have been answered")
            time.sleep(0.5)
        for person in people:
            consent.say(person, Answer.YES, Place.DELIVERY, "May I write to you?", int(time.time()))
    finally:
        database.close_database()


async def _send(sandbox: Sandbox, daemon: Daemon, people: list[int], *, kills: int, chance: random.Random) -> Outcome:
    async with chat(sandbox, admin=True) as admin:
        await admin.ask("/language en")
        composed = await _composed(admin)
        began = time.monotonic()
        await admin.tap(composed, f"Send to {len(people)}" if len(people) < 1000 else "Send to")
        async with _asking(sandbox) as asker, _flooding(sandbox) as floods:
            killed = await _until_sent(daemon, asker, kills, chance)
        found = await asyncio.to_thread(_look, sandbox, daemon, people)
    found.seconds, found.answers = time.monotonic() - began, asker.took
    found.kills, found.floods = killed, next(floods)
    return found


async def _composed(admin: Chat) -> Any:
    await admin.ask("/broadcast")
    photo = io.BytesIO(picture.jpeg(7, 64, 64))
    photo.name = "news.jpg"
    await admin.client.send_photo(admin.bot, photo, caption=CAPTION)
    return await admin.until_text("That is how it looks", 60)


async def _until_sent(daemon: Daemon, asker: "Beside", kills: int, chance: random.Random) -> int:
    """Kill the daemon again and again until the broadcast has ended; how often that was."""
    killed, deadline = 0, time.monotonic() + LONGEST_S
    while True:
        done, total, ended = await asyncio.to_thread(_progress, daemon)
        if ended:
            return killed
        if time.monotonic() > deadline:
            raise AssertionError(f"{done} of {total} after {LONGEST_S} s\n{daemon.log()[-10:]}")
        if killed < kills and total and done >= total * (killed + chance.random()) / (kills + 1):
            async with asker.paused():
                await asyncio.to_thread(daemon.kill)
                await asyncio.to_thread(daemon.start)
            killed += 1
        await asyncio.sleep(0.2)


def _progress(daemon: Daemon) -> tuple[int, int, bool]:
    """How many recipients have an end, how many there are, and whether the broadcast has ended."""
    database.open_database(daemon.db_path / "peaje.db")
    try:
        newest = broadcasts.newest_sent(1)
        if not newest:
            return 0, 0, False
        counts = recipients.counts(newest[0].id)
        return counts.total() - counts["waiting"], counts.total(), newest[0].ended_at is not None
    finally:
        database.close_database()


def _look(sandbox: Sandbox, daemon: Daemon, people: list[int]) -> Outcome:
    """Compare the rows with what the server has taken."""
    taken = {int(each): number for each, number in sandbox.control("GET", "/stats")["messages"].items()}
    database.open_database(daemon.db_path / "peaje.db")
    try:
        (newest,) = broadcasts.newest_sent(1)
        rows = list(BroadcastRecipient.select().where(BroadcastRecipient.broadcast == newest.id))
        states = Counter(row.state for row in rows)
        got = {row.user_id for row in rows if taken.get(row.random_id) or row.state == "blocked"}
        twice = [row.user_id for row in rows if taken.get(row.random_id, 0) > 1]
        twice += [user_id for user_id, times in Counter(row.user_id for row in rows).items() if times > 1]
        contradictions = broadcasts.audit()
        contradictions += [f"{row.user_id}: {row.state}" for row in rows if row.state not in ("sent", "blocked")]
        return Outcome(0.0, states, twice, sorted(set(people) - got), contradictions)
    finally:
        database.close_database()


class Beside:
    """Another customer, who asks ``/start`` all the while, but for the moments in which the daemon is dead."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._turn = asyncio.Lock()
        self.took: list[float] = []

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            async with self._turn:
                self.took.append(await self._asker.ask())
            await asyncio.sleep(ASK_S)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Ask nothing meanwhile."""
        async with self._turn:
            yield


@asynccontextmanager
async def _asking(sandbox: Sandbox) -> AsyncIterator[Beside]:
    (person,) = (await _control(sandbox, "/users", {"count": 1}))["users"]
    asker = Asker(sandbox.scenario, person)
    await asker.connect()
    await asker.ask()
    beside = Beside(asker)
    task = asyncio.create_task(beside.run())
    try:
        yield beside
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asker.leave()


@asynccontextmanager
async def _flooding(sandbox: Sandbox) -> AsyncIterator["itertools.count[int]"]:
    """Flood waits now and then, for pictures: answers are texts. The first ones come at once."""
    floods = itertools.count()
    fault = {"fault": "flood_wait", "method": "messages.sendMedia", "seconds": FLOOD_S, "count": 1, "after": 5}

    async def flood() -> None:
        while True:
            await _control(sandbox, "/faults", fault)
            next(floods)
            await asyncio.sleep(FLOOD_EVERY_S)

    task = asyncio.create_task(flood())
    try:
        yield floods
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _control(sandbox: Sandbox, path: str, body: dict[str, Any]) -> Any:
    return await asyncio.to_thread(sandbox.control, "POST", path, body)
