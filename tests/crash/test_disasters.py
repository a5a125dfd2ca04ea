"""Ordinary disasters, one after the other, under one running installation: it outlives each without a hand.

How far they are scaled: an hour in which Telegram or PayPal is away is some seconds here. What such an hour consists of
for the programs are retries, and their waits end at ten seconds (logins, calls) or are moved by the clock that the
tasks are driven with (tests/integration/web/test_monitor.py drives one of those through a whole hour). The disk is a
real one, of 24 MiB. The clock is the programs' own, not the kernel's (see ``clock/sitecustomize.py``).
"""

import os
import random
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest
import requests

from models import database, notes
from models.money import orders
from models.tables import Heartbeat
from tests.demo import installation
from tests.demo.customer import Customer
from tests.sandbox_process import REPOSITORY
from tests.soak import books, kills
from tests.soak.shoppers import Shoppers
from tests.soak.town import MIB, OPERATOR, Town, until

DISK_MIB = 24
AGAIN_S = 30.0
DAY_S = 86_400
CLOCK = REPOSITORY / "tests" / "crash" / "clock"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of its own for the state, where we may mount one."""
    place = tmp_path_factory.mktemp("disk")
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(place)], capture_output=True
        ).returncode
    )
    yield place
    if mounted:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clock") / "offset"


@pytest.fixture(scope="module")
def town(disk: Path, clock: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Everything is well before and after each test, and the books agree at the end."""
    settings = {"WATCHDOG_CRASHES": "1000", "PEAJE_TEST_CLOCK": str(clock), "PYTHONPATH": f"{CLOCK}:{REPOSITORY}"}
    running = installation.start(tmp_path_factory.mktemp("installation") / "place", disk, **settings)
    try:
        town = Town(running, random.Random(1), 4)
        town.move_in()
        yield town
        until(lambda: not any("not told" in fault for fault in books.faults(town)), AGAIN_S, "everything is told")
        assert books.faults(town) == []
    finally:
        code = running.stop()
    assert code == 0


@pytest.fixture(autouse=True)
def peace(town: Town) -> Iterator[None]:
    """What one test did to the servers is over before the next."""
    yield
    town.sandbox.control("DELETE", "/faults")
    town.sandbox.control("DELETE", "/paypal/switches")
    until(lambda: kills.are_alive(town, kills.BEATING, int(time.time()) - 10), AGAIN_S, "everybody lives")
    installation.wait_healthy(town.installation, AGAIN_S)
    town.rest(AGAIN_S)


@pytest.fixture
def full_disk(disk: Path) -> "Iterator[FullDisk]":
    if not os.path.ismount(disk):
        pytest.skip("a small disk can only be mounted as root")
    filler = FullDisk(disk)
    yield filler
    filler.relieve()


class FullDisk:
    """Fills a disk to the last byte, the room that SQLite holds in its own files too, and makes room again.

    A reader who does not end keeps SQLite from using its log anew from the beginning: each commit needs room.
    """

    def __init__(self, disk: Path) -> None:
        self._disk, self._ballast = disk, disk / "ballast"
        self._rows = 0
        self._reader: sqlite3.Connection | None = None

    def fill(self) -> None:
        self._reader = sqlite3.connect(self._disk / "peaje.db", isolation_level=None)
        self._reader.execute("BEGIN")
        self._reader.execute("SELECT count(*) FROM note").fetchone()
        quiet = 0
        while quiet < 6:  # what somebody held for a moment, a journal for instance, comes free a moment later
            quiet = quiet + 1 if self._is_full() else 0
            self._fill_files()
            self._fill_database()
            time.sleep(0.15)

    def _is_full(self) -> bool:
        return not os.statvfs(self._disk).f_bavail

    def _fill_files(self) -> None:
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1024))
            except OSError:
                assert self._is_full()

    def _fill_database(self) -> None:
        database.open_database(self._disk / "peaje.db")
        for size in (200_000, 4_000):
            with pytest.raises(peewee.OperationalError, match="full"):
                while True:
                    notes.put(f"ballast {self._rows}", "x" * size, 0)
                    self._rows += 1
        with pytest.raises(peewee.OperationalError, match="full"):
            while True:  # down to the last page
                Heartbeat.update(at=Heartbeat.at + 1).where(Heartbeat.program == "web").execute()
        database.close_database()

    def relieve(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._ballast.unlink(missing_ok=True)


def said_to_admin(town: Town) -> list[str]:
    return [message["text"] for message in town.sandbox.control("GET", f"/messages?user={town.admin}&with={town.bot}")]


def ask_for(town: Town, size: int) -> None:
    """The first customer asks for a document that has to be fetched."""
    person = town.people[0]
    order = {"chat": town.archive, "kind": "document", "size": size, "seed": town.rng.getrandbits(60)}
    post = town.sandbox.control("POST", "/posts", order)
    person.wanted[post["sha256"]] += 1
    town.jobs += 1
    town.say(person.id, post["url"])


def moved(town: Town) -> int:
    return sum(town.sandbox.control("GET", "/stats")["media_bytes_in"].values())


def test_the_disk_is_full_during_a_transfer(town: Town, full_disk: FullDisk) -> None:
    # Given a transfer that has begun
    town.sandbox.control("POST", "/network", {"bandwidth": 4 * MIB, "account": OPERATOR})
    begun = moved(town)
    ask_for(town, 8 * MIB)
    until(lambda: moved(town) > begun + MIB, 10, "the transfer is under way")
    told = len(said_to_admin(town))
    # When there is no room left, and it comes to its end
    full_disk.fill()
    until(lambda: moved(town) >= begun + 8 * MIB, 10, "all bytes have moved")
    # Then the admins hear of it, though nothing can be written down
    until(lambda: any("🔴" in text for text in said_to_admin(town)[told:]), 10, "the admin is told")
    assert requests.get(f"{town.installation.base_url}/health", timeout=5).status_code == 503
    # And once there is room the file is there, once, and charged once
    full_disk.relieve()
    town.rest(10)
    assert town.received(town.people[0]) == town.people[0].wanted
    until(lambda: any("🟢" in text for text in said_to_admin(town)[told:]), 10, "the admin hears that it is over")


async def test_the_disk_is_full_during_a_payment_with_stars(town: Town, full_disk: FullDisk) -> None:
    scenario = {**town.sandbox.scenario, "customers": [vars(town.people[1])]}
    async with Customer(scenario, 0, lambda line: None) as customer:
        await customer.say("/premium")
        plans = await customer.hear(lambda message: "buy:" in str(message.reply_markup), "the plans")
        await customer.press(plans, "buy:premium")
        await customer.hear(lambda message: bool(message.invoice), "an invoice")
    person, pay = town.people[1], {"action": "pay", "customer": town.people[1].id}
    # Given a full disk, a payment is declined before any money moves
    full_disk.fill()
    assert town.sandbox.control("POST", "/payments", pay)["errors"]
    # When the money has moved all the same, and the word of it meets the full disk
    town.sandbox.control("POST", "/payments", {**pay, "skip_precheckout": True})
    time.sleep(1.5)
    full_disk.relieve()
    # Then it is booked once
    until(lambda: town.paid(person.id), 10, "the payment is booked")
    assert len(town.paid(person.id)) == 1


def test_the_disk_is_full_during_a_payment_with_paypal(town: Town, full_disk: FullDisk) -> None:
    # Given a customer at PayPal, and a disk that fills up while he is there
    person = town.people[2]
    browser, address = requests.Session(), pay_address(town, person.id)
    approval = browser.post(address, timeout=10)
    full_disk.fill()
    # When he approves and comes back
    back = browser.post(approval.url, data={"choice": "approve"}, timeout=10, allow_redirects=False).headers["Location"]
    assert browser.get(back, timeout=20).status_code >= 500
    assert not town.paid(person.id)
    full_disk.relieve()
    # Then looking again is enough, and he has paid once
    page = browser.get(back, timeout=20)
    assert page.ok
    until(lambda: town.paid(person.id), 20, "the payment is booked")
    assert len(town.paid(person.id)) == 1


def test_telegram_is_away_for_a_while(town: Town) -> None:
    # Given customers who wait, and write, while nothing leads to Telegram
    for _ in range(3):
        town.ask(4 * MIB)
    town.sandbox.control("POST", "/faults", {"fault": "refuse", "seconds": 2})
    for _ in range(3):
        town.ask(MIB)
    # Then what was asked for before and meanwhile is delivered
    town.rest(AGAIN_S)
    for person in town.people:
        assert town.received(person) == person.wanted


def test_paypal_is_away_for_a_while(town: Town) -> None:
    # Given a customer who approves, and PayPal, whose servers then answer nothing any more
    person = town.people[3]
    browser, address = requests.Session(), pay_address(town, person.id)
    approval = browser.post(address, timeout=10)
    away = {"fault": "lost_request", "on": "* /v*", "count": 100_000}
    town.sandbox.control("POST", "/paypal/switches", away)
    back = browser.post(approval.url, data={"choice": "approve"}, timeout=10, allow_redirects=False).headers["Location"]
    # When he comes back, the page says so in time; so it does to others
    started = time.monotonic()
    assert "Paid" not in (heading(browser.get(back, timeout=20)) or "")
    assert requests.Session().post(pay_address(town, person.id), timeout=20).status_code < 600
    assert time.monotonic() - started < 20
    # Then it is settled by itself once PayPal is back
    town.sandbox.control("DELETE", "/paypal/switches")
    until(lambda: town.paid(person.id), AGAIN_S, "the payment is booked")


def test_the_clock_is_a_day_ahead_for_a_while(town: Town, clock: Path) -> None:
    """Telegram's replies are discarded by the library meanwhile (theirs are too old for it), so everything waits."""
    town.sandbox.control("POST", "/network", {"bandwidth": 4 * MIB, "account": OPERATOR})
    # Given a transfer under way, and customers who go on to ask
    begun = moved(town)
    ask_for(town, 6 * MIB)
    until(lambda: moved(town) > begun + MIB, 10, "the transfer is under way")
    # When the clock jumps, and after some attempts in vain is set right
    clock.write_text(str(DAY_S))
    town.ask(MIB)
    time.sleep(2)
    clock.write_text("0")
    # Then all is delivered, and charged, once
    town.rest(AGAIN_S)
    for person in town.people:
        assert town.received(person) == person.wanted


def test_programs_are_killed_at_random_moments_under_load(town: Town) -> None:
    shoppers = Shoppers(town)
    for victim in ("daemon", "launcher"):
        assert kills.moment(town, shoppers, victim) < AGAIN_S


def pay_address(town: Town, user_id: int) -> str:
    secret_key = (town.installation.data / "secret_key").read_text()
    token = orders.pay_token(secret_key, user_id, "premium", int(time.time()))
    return f"{town.installation.base_url}/pay/{token}"


def heading(page: requests.Response) -> str | None:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page.text, re.DOTALL)
    return found[1].strip() if found else None
