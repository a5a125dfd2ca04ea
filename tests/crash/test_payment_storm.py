"""A short storm over payments: ``python -m tests.crash`` is the long one."""

from pathlib import Path

from tests import machine
from tests.crash import storm
from tests.crash.storm import Course


def test_kills_neither_lose_nor_double_money(tmp_path: Path) -> None:
    machine.need_npm_packages()

    report = storm.run(tmp_path, Course(seed=1, purchases=24, kill_every_s=(0.5, 1.5)))

    assert report.faults == [], "\n".join(report.lines())
    assert report.kills.total() >= 2
    assert report.numbers["captures and sales"] >= 8
