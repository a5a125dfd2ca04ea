"""``python -m tests.crash --seed N [--purchases 300]``: a storm over payments, and what is left of the books."""

import shutil
import sys
import time
from pathlib import Path

import click

from tests.crash import storm
from tests.sandbox_process import REPOSITORY

PLACE = REPOSITORY / "build" / "crash"


@click.command(help=__doc__)
@click.option("--seed", type=int, default=1, envvar="SEED", help="Decides everything that is drawn.")
@click.option("--purchases", type=int, default=300)
@click.option("--place", type=click.Path(path_type=Path), default=PLACE, help="Emptied first.")
def main(seed: int, purchases: int, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    started = time.monotonic()

    def tell(line: str) -> None:
        click.echo(f"{time.monotonic() - started:6.1f} s  {line}")
        sys.stdout.flush()

    tell(f"seed {seed}, {purchases} purchases")
    report = storm.run(place, storm.Course(seed, purchases), tell)
    for line in report.lines():
        click.echo(line)
    for fault in report.faults:
        click.echo(f"FAULT {fault}")
    tell("nothing lost, nothing doubled" if not report.faults else f"{len(report.faults)} faults; see {place}")
    sys.exit(1 if report.faults else 0)


if __name__ == "__main__":
    main()
