"""Choose mistakes by a seed, try them, and show those that no test noticed."""

import queue
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import click

from tests.mutants import changes, lines
from tests.mutants.changes import Mutant
from tests.mutants.lines import REPOSITORY, Lines
from tests.mutants.trial import Copy, Outcome

PACKAGES = ("config", "models", "daemon", "web")


@click.command(help=__doc__)
@click.option("--seed", type=int, default=1, envvar="SEED", help="Decides which mistakes are made.")
@click.option("--number", "-n", type=int, default=200, envvar="N", help="How many.")
@click.option("--workers", type=int, default=2, show_default=True, help="How many at the same time.")
@click.option("--limit", type=float, default=60, show_default=True, help="Seconds of tests for each.")
@click.option("--under", default="", help="Only in files whose path begins so.")
@click.option("--gather", is_flag=True, help="Gather anew which tests run which lines: a quarter of an hour.")
@click.option("--tests", multiple=True, help="Of these files or folders alone, when lines are gathered.")
def main(
    seed: int, number: int, workers: int, limit: float, under: str, *, gather: bool, tests: tuple[str, ...]
) -> None:
    if gather or not lines.FILE.exists():
        lines.gather(tests, workers)
    known = lines.read()
    chosen = random.Random(seed).sample(everything := _mistakes(known, under), min(number, len(everything)))
    outcomes = list(_tried(known, chosen, workers, limit))
    counted = Counter(outcome.word for outcome in outcomes)
    click.echo(f"\nseed {seed}: " + ", ".join(f"{count} {word}" for word, count in counted.most_common()))


def _mistakes(known: Lines, under: str) -> list[Mutant]:
    """All that can be made, in an order of their own. The same files give the same ones."""
    found: list[Mutant] = []
    for file in _files():
        if not file.startswith(under):
            continue
        if known.is_known(file):
            found += changes.of_file(file, (REPOSITORY / file).read_bytes())
        else:
            click.echo(f"left out: it has changed since the lines were gathered (--gather), or nothing ran it: {file}")
    return found


def _files() -> list[str]:
    """Everything but migrations, which are history: nobody changes them any more."""
    patterns = [f"{package}/*.py" for package in PACKAGES]
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [file for file in listed.stdout.split() if "/migrations/" not in file]


def _tried(known: Lines, chosen: list[Mutant], workers: int, limit: float) -> Iterator[Outcome]:
    copies: queue.Queue[Copy] = queue.Queue()
    for number in range(workers):
        copies.put(Copy(lines.FILE.parent / f"copy{number}"))

    def attempt(mutant: Mutant) -> Outcome:
        tests = known.chosen(_tests(known, mutant), limit, mutant.file)
        if not tests:
            return Outcome(mutant, "not run")
        copy = copies.get()
        try:
            return copy.attempt(mutant, tests, limit)
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(workers) as pool:
        for done in as_completed([pool.submit(attempt, mutant) for mutant in chosen]):
            outcome = done.result()
            click.echo(f"{outcome.word:9}  {outcome.mutant.file}:{outcome.mutant.line}  {outcome.by}")
            if outcome.word in ("survived", "not run"):
                click.echo(_diff(outcome.mutant))
            yield outcome


def _tests(known: Lines, mutant: Mutant) -> frozenset[str]:
    """The tests that run the line; of a line that is run at the import, those that run or name anything of its file."""
    if mutant.scope is None:
        return known.of(mutant.file, known.tests.get(mutant.file, {})) | known.naming(mutant.file)
    return known.of(mutant.file, range(mutant.line, mutant.last_line + 1))


def _diff(mutant: Mutant) -> str:
    return mutant.diff((REPOSITORY / mutant.file).read_bytes())


if __name__ == "__main__":
    main()
