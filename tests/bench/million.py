"""A database of a grown-up bot, a million customers and ten million usage rows, and what it does for a message."""

import contextlib
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

from config import plans
from config.plans import Plans
from models import database, users
from models.jobs import cache, queue, usage
from models.money import access
from tests.bench import console
from tests.bench.report import Row, quantile, row

P = ParamSpec("P")
T = TypeVar("T")

DAY_S = 86_400
NOW = 1_800_000_000  # 2027-01-15
TODAY = "2027-01-15"
BOT = 7_000_000_000
PLANS_FILE = Path(__file__).parents[2] / "plans.toml"
OWNER = "bench/1"
LINKS_PER_S = 50  # more than Telegram lets one bot send; without a pace the disk never rests between two of them
ROUNDS = 2_000


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is generated. One user in ``paying_every`` has bought premium; some jobs of others wait in line."""

    users: int = 1_000_000
    usage: int = 10_000_000
    jobs: int = 1_000_000
    cached: int = 200_000
    waiting: int = 1_000
    paying_every: int = 20


# Each statement makes its rows from one counter. Multiplying by a prime scatters them over the users, as time does.
_ROWS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :rows) "
_KIND = "CASE i % 10 WHEN 0 THEN 'video' WHEN 1 THEN 'document' WHEN 2 THEN 'music' ELSE 'photo' END"

_USERS = """
INSERT INTO user (id, first_name, username, language_code, reminders, created_at, seen_at)
SELECT i + 1, 'Customer ' || i, 'customer' || i, CASE i % 3 WHEN 0 THEN 'es' ELSE 'en' END, 1, :now - i, :now - i
FROM n
"""
_ORDERS = """
INSERT INTO "order" (id, public_id, user_id, plan_code, level, seconds, amount, currency, provider, renews, purpose,
                     state, looks, expires_at, created_at)
SELECT i + 1, 'order' || i, i * :every + 1, 'premium', 1, 30 * 86400, 500, 'XTR', 'stars', 0, 'plan',
       'paid', 0, :now, :now - i % 5000000
FROM n
"""
_PAYMENTS = """
INSERT INTO payment (provider, remote_id, user_id, order_id, amount, currency, state, "grants", level, seconds,
                     effective_at, completed_at, created_at, recorded_at)
SELECT 'stars', 'charge' || i, i * :every + 1, i + 1, 500, 'XTR', 'completed', 1, 1, 30 * 86400,
       :now - i % 5000000, :now - i % 5000000, :now - i % 5000000, :now - i % 5000000
FROM n
"""
_JOBS = f"""
INSERT INTO job (id, user_id, chat_id, link, source_key, state, moved_at, priority, round, attempts, not_before,
                 random_ids, sent, size, kind, created_at)
SELECT i + 1, i * 7919 % :users + 1, i * 7919 % :users + 1, 'https://t.me/channel/' || i, 'old' || i,
       CASE i % 50 WHEN 0 THEN 'refused' WHEN 1 THEN 'failed' ELSE 'done' END, :now - (:rows - i) * 8, 0, i, 1, 0,
       '[' || (i + 1) || ']', '{{"' || (i + 1) || '":' || (i + 1) || '}}', i % 1000 * 100000, {_KIND}, :now
FROM n
"""
_USAGE = f"""
INSERT INTO usage (job_id, user_id, kind, period, count, state, at)
SELECT CASE WHEN :rows - i <= :jobs THEN :jobs - :rows + i + 1 END,
       CASE WHEN i % 100 = 0 THEN 1 + i / 100 % 100 ELSE i * 7919 % :users + 1 END,
       {_KIND}, CASE i % 10 WHEN 0 THEN 'all' ELSE date(:now - (:rows - i) * 8 / 10, 'unixepoch') END, 1,
       'committed', :now - (:rows - i) * 8 / 10
FROM n
"""
_CACHED = """
INSERT INTO cached_media (bot_id, source_chat, message_id, single, edit_date, items, created_at, used_at)
SELECT :bot, i % 1000 + 1, i + 1, 0, 0, '[{"kind":"photo","size":100000,"id":1,"access_hash":2}]', :now - i, :now - i
FROM n
"""
_LINE = """
INSERT INTO job (user_id, chat_id, link, source_key, state, moved_at, priority, round, attempts, not_before,
                 random_ids, sent, created_at)
SELECT 1000 + i % 100, 1000 + i % 100, 'https://t.me/channel/1', 'line' || i, 'queued', :now, 0, i / 100, 0,
       :now + 86400, '[]', '{}', :now
FROM n
"""


def generate(path: Path, scale: Scale) -> None:
    """Write the database at *path*, which must not exist yet, and leave it open.

    Without a journal, and with the indexes made at the end: what breaks here is thrown away, not recovered.
    """
    database.migrate(path)
    database.open_database(path)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -262144")
    indexes = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > ''").fetchall()
    for name, _ in indexes:
        database.execute(f'DROP INDEX "{name}"')
    with database.transaction():
        _fill(scale)
    for _, sql in indexes:
        database.execute(sql)
    database.close_database()
    with path.open("rb+") as file:
        os.fsync(file)  # or the first commits to be measured would wait for a gigabyte
    database.open_database(path)


def _fill(scale: Scale) -> None:
    bought = scale.users // scale.paying_every
    shared = {"now": NOW, "users": scale.users, "jobs": scale.jobs, "every": scale.paying_every, "bot": BOT}
    database.execute("INSERT INTO line (priority, round, turn) VALUES (0, 0, 0), (1, 0, 0)")
    for statement, rows in (
        (_USERS, scale.users),
        (_ORDERS, bought),
        (_PAYMENTS, bought),
        (_JOBS, scale.jobs),
        (_USAGE, scale.usage),
        (_CACHED, scale.cached),
        (_LINE, scale.waiting),
    ):
        database.execute(_ROWS + statement, shared | {"rows": rows})


@dataclass
class Stopwatch:
    """Milliseconds: of each round, and of each operation."""

    round: list[float] = field(default_factory=list)
    spent: dict[str, list[float]] = field(default_factory=dict)

    def time(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call *function* and add its time to *name* and to the round under way."""
        start = time.perf_counter()
        result = function(*args, **kwargs)
        took = (time.perf_counter() - start) * 1000
        self.spent.setdefault(name, []).append(took)
        self.round[-1] += took
        return result

    def aside(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do as :meth:`time` for what comes with the clock, not with a link: it does not count for the round."""
        before = self.round[-1]
        result = self.time(name, function, *args, **kwargs)
        self.round[-1] = before
        return result

    def start_round(self) -> None:
        """Begin to add up a new round."""
        self.round.append(0.0)


def serve(user_id: int, number: int, now: int, offered: Plans, watch: Stopwatch) -> None:
    """Everything that the database does for one ``/start`` and one link, the *number*-th, of this customer."""
    watch.start_round()
    for _ in ("/start", "link"):
        watch.time("seen", users.seen, user_id, f"Customer {user_id}", None, "es", now)
        level = watch.time("access", access.of, user_id, now).level
        plan = offered.for_level(level)
        watch.time("left", usage.left, user_id, plan, TODAY)
    key, link = f"bench{number}", f"https://t.me/channel/{number}"
    new = queue.NewJob(user_id=user_id, chat_id=user_id, link=link, dedupe=key, priority=level, reply_to=1)
    queued = watch.time("enqueue", queue.enqueue, new, 1000, now)
    assert isinstance(queued, queue.JobInfo)
    watch.aside("progress_tick", queue.in_line, 99)
    job = watch.time("claim", queue.claim, OWNER, 60, 2, now)
    assert job is not None and job.id == queued.id
    watch.time("cache_get", cache.get, BOT, 1, number, 0, now)
    watch.time("access", access.of, user_id, now)
    watch.time("size_known", queue.size_known, job.id, "photo", 100_000)
    watch.time("reserve", usage.reserve, job.id, user_id, {"photo": 1}, plan.limits, f"day {number}", now)
    (random_id,) = watch.time("plan_messages", queue.plan_messages, job.id, 1, now)
    watch.time("delivering", queue.delivering, job.id, OWNER, now)
    kept = cache.CachedInfo(BOT, 1, 1_000_000 + number, 0, ({"kind": "photo", "size": 100_000, "id": number},))
    outcome = queue.Delivered(sent={random_id: number}, cached=kept)
    assert watch.time("finish", queue.finish, job.id, OWNER, outcome, now)


@contextlib.contextmanager
def upkeep() -> Iterator[None]:
    """Do meanwhile what the program of that name does: checkpoint once a second, on a connection of its own."""
    stopping = threading.Event()

    def work() -> None:
        with database.connected():
            while not stopping.wait(1):
                database.checkpoint()

    thread = threading.Thread(target=work, name="upkeep")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def paced(rounds: int) -> Iterator[int]:
    """The numbers of *rounds*, each at its time."""
    began = time.monotonic()
    for turn in range(rounds):
        time.sleep(max(0.0, began + turn / LINKS_PER_S - time.monotonic()))
        yield turn


def measure(place: Path, scale: Scale, rounds: int, seed: int = 1) -> Iterator[Row]:
    """Serve *rounds* customers, chosen at random, on the open database; yield rows for ``build/bench.json``.

    What stands beside a round is the disk's own part of it: as many commits that wait for the disk, each of one row in
    a database of one row, in *place*.
    """
    choice = random.Random(seed)
    offered = plans.load(PLANS_FILE)
    watch = Stopwatch()
    (before,) = database.execute("SELECT MAX(id) FROM job").fetchone()
    with upkeep():
        for turn in paced(rounds):
            serve(choice.randint(1, scale.users), before + turn, NOW + turn, offered, watch)
    with durable_commits() as waited:
        serve(choice.randint(1, scale.users), before + rounds, NOW + rounds, offered, Stopwatch())
    conditions = {"users": scale.users, "usage_rows": scale.usage, "jobs": scale.jobs, "rounds": rounds}
    conditions |= {"links_per_s": LINKS_PER_S, "stock": f"{len(waited)} commits of one row"}
    bare = bare_commits(place / "bare.db", len(waited), rounds)
    for part in (0.5, 0.99):
        name = f"database_start_and_link_p{part:.0%}"[:-1]
        yield row(name, quantile(watch.round, part), "ms", conditions, quantile(bare, part))
    for name, times in watch.spent.items():
        yield row(f"database_{name}_p99", quantile(times, 0.99), "ms", conditions | {"calls": len(times)})


@contextlib.contextmanager
def durable_commits() -> Iterator[list[str]]:
    """The commits within, of this thread, that wait for the disk: filled in at the end."""
    ran: list[str] = []
    waited: list[str] = []
    connection = database.bound.connection()
    connection.set_trace_callback(ran.append)
    try:
        yield waited
    finally:
        connection.set_trace_callback(None)
        mode = "FULL"
        for statement in ran:
            if statement.startswith("PRAGMA synchronous"):
                mode = statement.rpartition(" ")[2]
            elif statement == "COMMIT" and mode == "FULL":
                waited.append(statement)


def bare_commits(path: Path, commits: int, rounds: int) -> list[float]:
    """Milliseconds that each of *rounds* takes in which SQLite does nothing but *commits* that wait for the disk."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE one (turn INTEGER)"
        )
        connection.execute("INSERT INTO one VALUES (0)")
        taken = []
        for turn in paced(rounds):
            if turn % LINKS_PER_S == 0:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            began = time.perf_counter()
            for _ in range(commits):
                connection.execute("UPDATE one SET turn = ?", (turn,))
            taken.append((time.perf_counter() - began) * 1000)
        return taken


def report(place: Path, scale: Scale = Scale()) -> Iterator[Row]:
    """Generate the database in the directory *place* and yield the rows of ``build/bench.json``."""
    generate(place / "peaje.db", scale)
    try:
        yield from measure(place, scale, ROUNDS)
    finally:
        database.close_database()
    yield from console.measure(place, {"users": scale.users, "usage_rows": scale.usage, "jobs": scale.jobs})
