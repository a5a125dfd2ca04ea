"""``python -m tests.soak --seed N --minutes 60 [--jobs 2000]`` and ``python -m tests.soak kill --moments 50``."""

import sys
import time
from pathlib import Path

import click

from tests.sandbox_process import REPOSITORY
from tests.soak import kills, marathon
from tests.soak.marathon import Course, Result

PLACE = REPOSITORY / "build" / "soak"


def tell(line: str) -> None:
    """Write a line to the terminal at once."""
    click.echo(f"{time.strftime('%H:%M:%S')}  {line}")
    sys.stdout.flush()


@click.group(invoke_without_command=True)
@click.option("--seed", type=int, default=1, envvar="SEED", help="Decides everything that is random.")
@click.option("--minutes", type=float, default=60, help="How long to spread it over; 0 is as fast as it goes.")
@click.option("--jobs", type=int, default=2000)
@click.option("--customers", type=int, default=50)
@click.option("--place", type=click.Path(path_type=Path), default=PLACE, help="Emptied first.")
@click.pass_context
def soak(context: click.Context, seed: int, minutes: float, jobs: int, customers: int, place: Path) -> None:
    """Run everything under load for a while, with faults, and look whether anything was lost, doubled or leaked."""
    if context.invoked_subcommand is None:
        course = Course(seed, minutes, jobs, customers, purchases=max(4, jobs // 40), faults=max(8, jobs // 8))
        tell(f"soak: seed {seed}, {jobs} jobs of {customers} customers, {minutes:g} minutes")
        _end(marathon.run(place, course, tell))


@soak.command()
@click.option("--seed", type=int, default=1, envvar="SEED")
@click.option("--moments", type=int, default=50, help="How often something is killed.")
@click.option("--place", type=click.Path(path_type=Path), default=PLACE, help="Emptied first.")
def kill(seed: int, moments: int, place: Path) -> None:
    """Kill programs and supervisord at random moments under load, and look whether anything was lost or doubled."""
    tell(f"kills: seed {seed}, {moments} moments")
    _end(kills.run(place, seed, moments, tell))


def _end(result: Result) -> None:
    for line in result.lines:
        tell(line)
    for fault in result.faults:
        tell(f"FAULT {fault}")
    tell("nothing lost, nothing doubled, nothing leaked" if not result.faults else f"{len(result.faults)} faults")
    sys.exit(1 if result.faults else 0)


if __name__ == "__main__":
    soak()
