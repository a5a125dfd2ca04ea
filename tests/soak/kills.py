"""``kill -9`` of each program, and of supervisord itself, at random moments under load.

A job that was under way in each of five crashes counts as their cause, and is given up. So that none is there by mere
chance, most of what is in line may end between two kills.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.demo import installation
from tests.demo.installation import Installation
from tests.soak import books, instruments
from tests.soak.marathon import Result
from tests.soak.shoppers import Shoppers
from tests.soak.town import MIB, OPERATOR, Town, until

HEALTHY_AGAIN_S = 30.0
SETTINGS = {"WATCHDOG_CRASHES": "1000", "JOBS_PER_CUSTOMER": "4"}
CUSTOMERS, LARGEST = 12, 12 * MIB
BANDWIDTH = 3 * MIB
"""Bytes a second and connection: slow enough that there is always something under way."""
JOBS_AT_ONCE, JOBS_LEFT = 5, 3
LONGEST_PAUSE_S = 1.5
VICTIMS = ("daemon", "daemon", "daemon", "web", "upkeep", "watchdog", "launcher")
"""The daemon holds most of what can be lost."""
BEATING = ("daemon", "web", "upkeep")


def run(place: Path, seed: int, moments: int, tell: Callable[[str], None], customers: int = CUSTOMERS) -> Result:
    """Kill *moments* times in *place*, which is emptied first; after each, the programs must be well again in time."""
    rng = random.Random(seed)
    running = installation.start(place, alone=True, **SETTINGS)
    killed: Counter[str] = Counter()
    slowest = 0.0
    try:
        town = Town(running, rng, customers)
        town.move_in()
        town.sandbox.control("POST", "/network", {"bandwidth": BANDWIDTH, "account": OPERATOR})
        shoppers = Shoppers(town)
        for number in range(1, moments + 1):
            victim = rng.choice(VICTIMS)
            took = moment(town, shoppers, victim)
            killed[victim] += 1
            slowest = max(slowest, took)
            tell(f"{number} of {moments}: {victim}, well again after {took:.1f} s, {town.open_jobs()} jobs open")
        began = time.monotonic()
        town.sandbox.control("DELETE", "/network")
        town.rest(120 + moments * 4)
        tell(f"every job had ended {time.monotonic() - began:.1f} s after the last kill")
        until(lambda: not any("not told" in fault for fault in books.faults(town)), 90, "everything is told")
        found = books.faults(town)
    finally:
        running.stop()
    lines = [
        f"killed: {', '.join(f'{victim} {times}' for victim, times in sorted(killed.items()))}",
        f"{town.jobs} jobs, {shoppers.stars} bought with Stars, {shoppers.paypal} with PayPal, "
        f"{len(shoppers.disappointed)} did not get through",
        f"well again after {slowest:.1f} s at most",
    ]
    return Result(found, lines)


def moment(town: Town, shoppers: Shoppers, victim: str) -> float:
    """Put load on, kill at a random moment of it, and wait until all is well; returns how long that took."""
    until(lambda: town.open_jobs() <= JOBS_LEFT, 60, "most jobs have ended")
    for _ in range(JOBS_AT_ONCE):
        town.ask(LARGEST)
    if town.rng.random() < 0.3:
        shoppers.shop(town.rng.choice(town.people))
    time.sleep(town.rng.uniform(0, LONGEST_PAUSE_S))
    began, at = time.monotonic(), int(time.time())
    kill(town.installation, victim)
    beating = BEATING if victim == "launcher" else [victim] if victim in BEATING else []
    until(lambda: are_alive(town, beating, at), HEALTHY_AGAIN_S, f"{victim} lives again")
    installation.wait_healthy(town.installation, HEALTHY_AGAIN_S - (time.monotonic() - began))
    return time.monotonic() - began


def are_alive(town: Town, programs: Iterable[str], at: int) -> bool:
    """Whether these have given a sign of life since, and the daemon one of its bot and its account.

    ``/health`` alone would take a dead one's last heartbeat for that.
    """
    beats = town.beats()
    states = (beats["daemon"].detail["bot"], beats["daemon"].detail["account"])
    return all(beats[name].at > at for name in programs) and set(states) == {"ok"}


def kill(running: Installation, victim: str) -> None:
    """SIGKILL. When it is supervisord, which is the launcher's own process, the platform starts it again."""
    launcher = running.launcher
    assert launcher is not None
    if victim == "launcher":
        launcher.kill()
        launcher.wait()
        running.launch()
        return
    found = until(lambda: instruments.programs(launcher.pid).get(victim), 10, f"{victim} runs")
    os.kill(found, signal.SIGKILL)
    until(lambda: instruments.programs(launcher.pid).get(victim) not in (None, found), 10, f"{victim} runs again")
