"""The database file is spoiled under the running programs: they end rather than go on, and a backup brings all back."""

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import preloaded
from tests.demo import installation
from tests.demo.installation import Installation
from tests.soak.shoppers import Shoppers
from tests.soak.town import Town, until

PAGE = 4096
ENDED_S = 60


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Installation]:
    built = installation.start(tmp_path / "place", WATCHDOG_CRASHES="2")
    yield built
    assert built.stop() == 0


def manage(running: Installation, *words: str) -> None:
    code, said = preloaded.outcome("manage", *words, env=running.environ, cwd=running.place)
    assert code == 0, said


def spoil(file: Path, table: str) -> None:
    """Overwrite the root page of a table behind SQLite's back, with nothing in the log that would mend it again."""
    with closing(sqlite3.connect(file)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()

        def is_log_empty() -> bool:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy

        until(is_log_empty, 20, "the log is empty")
        with file.open("r+b") as whole:
            whole.seek((root - 1) * PAGE)
            whole.write(os.urandom(PAGE))


def test_a_database_spoiled_under_programs_is_restored(running: Installation) -> None:
    # Given a backup, and a payment that is younger
    town = Town(running, random.Random(1), 2)
    town.move_in()
    town.ask()
    town.rest(30)
    manage(running, "backup")
    payer = town.people[0]
    Shoppers(town).with_stars(payer)
    until(lambda: town.paid(payer.id), 20, "the payment is booked")
    # When the file is spoiled, the programs end, and a start names the cure
    spoil(running.data / "peaje.db", "payment")
    assert running.launcher is not None
    town.say(payer.id, "/start")
    assert running.launcher.wait(ENDED_S) == 70
    assert running.launch().launcher.wait(ENDED_S) == 78
    assert "python manage.py restore latest" in running.console.read_text().splitlines()[-1]
    # Then that brings everything back, the payment too, and work goes on
    manage(running, "restore", "latest")
    running.launch()
    installation.wait_healthy(running)
    until(lambda: town.paid(payer.id), 60, "the payment is found again")
    assert len(town.paid(payer.id)) == 1
    town.ask()
    town.rest(30)
