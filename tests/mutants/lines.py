"""Which tests run a line: gathered once from a run of the whole suite, then asked for each mistake."""

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from coverage import CoverageData
from coverage.exceptions import DataError

from tests.mutants import traced

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FILE = REPOSITORY / "build" / "mutants" / "lines.json"


@dataclass(frozen=True)
class Lines:
    """What was gathered: seconds by test; of each file a hash of its text, and the tests by line."""

    seconds: dict[str, float]
    hashes: dict[str, str]
    tests: dict[str, dict[int, frozenset[str]]]

    def is_known(self, file: str) -> bool:
        """Is a file as it was when the lines were gathered?"""
        return self.hashes.get(file) == _hash(REPOSITORY / file)

    def of(self, file: str, lines: Iterable[int]) -> frozenset[str]:
        """The tests that run one of these lines."""
        by_line = self.tests.get(file, {})
        return frozenset().union(*(by_line.get(line, frozenset()) for line in lines))

    def naming(self, file: str) -> frozenset[str]:
        """The tests in files that name this one as a module: what is made at the import may be looked at, not run."""
        module = file.removesuffix(".py").replace("/", ".")
        named = {test.partition("::")[0] for test in self.seconds}
        looking = {each for each in named if _names(each, module)}
        return frozenset(test for test in self.seconds if test.partition("::")[0] in looking)

    def chosen(self, tests: frozenset[str], limit_s: float, file: str) -> list[str]:
        """As many of *tests* as take *limit_s* seconds, in the order to run them in.

        Half of the time is for those that know *file* as a module; of the others, the quickest of each file come first.
        Those of a file stand together, because they share what they start; the file that is soonest done is first.
        """
        near = list(self._within(limit_s / 2, sorted(tests & self.naming(file), key=self._cost)))
        by_file = self._by_file(tests.difference(near)).values()
        quickest_first = sorted(by_file, key=lambda of_file: self._cost(of_file[0]))
        others = (each for row in zip_longest(*quickest_first) for each in row if each)
        fitting = [*near, *self._within(limit_s - sum(map(self._cost, near)), others)]
        together = sorted(self._by_file(fitting).values(), key=lambda of_file: sum(map(self._cost, of_file)))
        return [test for of_file in together for test in of_file]

    def _by_file(self, tests: Iterable[str]) -> dict[str, list[str]]:
        by_file: dict[str, list[str]] = defaultdict(list)
        for test in sorted(tests, key=self._cost):
            by_file[test.partition("::")[0]].append(test)
        return by_file

    def _within(self, limit_s: float, tests: Iterable[str]) -> Iterator[str]:
        left = limit_s
        for test in tests:
            if self._cost(test) <= left:
                left -= self._cost(test)
                yield test

    def _cost(self, test: str) -> float:
        return self.seconds.get(test, 1.0)


def gather(tests: Sequence[str] = (), workers: int = 2) -> None:
    """Run all tests, or those named, and write down which lines each has run."""
    place = FILE.parent / "traced"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.mutants.traced", "-m", "not acceptance"]
    command += ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder", "-p", "no:cacheprovider", *tests]
    subprocess.run(command, cwd=REPOSITORY, env={**os.environ, traced.PLACE: str(place)})
    FILE.write_text(json.dumps(_collected(place)))


def _collected(place: Path) -> dict[str, object]:
    seconds: dict[str, float] = {}
    for file in place.glob("*/seconds"):
        for line in file.read_text().splitlines():
            test, _, taken = line.rpartition("\t")
            seconds[test] = float(taken)
    numbers = {test: number for number, test in enumerate(seconds)}
    found: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for file in place.glob("*/lines.*"):
        _add(file, numbers, found)
    return {
        "seconds": seconds,
        "hashes": {file: _hash(REPOSITORY / file) for file in found},
        "tests": {file: {line: sorted(tests) for line, tests in lines.items()} for file, lines in found.items()},
    }


def _add(file: Path, numbers: dict[str, int], found: dict[str, dict[int, set[int]]]) -> None:
    data = CoverageData(str(file))
    try:
        data.read()
    except DataError:  # of a program that was killed while it wrote this
        return
    for measured in data.measured_files():
        name = os.path.relpath(measured, REPOSITORY)
        for line, tests in data.contexts_by_lineno(measured).items():
            found[name][line].update(numbers[test] for test in tests if test in numbers)


def read() -> Lines:
    """What was gathered. Raises FileNotFoundError when nothing was."""
    said = json.loads(FILE.read_text())
    names = list(said["seconds"])
    tests = {
        file: {int(line): frozenset(names[number] for number in numbers) for line, numbers in lines.items()}
        for file, lines in said["tests"].items()
    }
    return Lines(said["seconds"], said["hashes"], tests)


@functools.cache
def _names(test_file: str, module: str) -> bool:
    package, _, name = module.rpartition(".")
    imported = rf"^from ({module} import|{package} import (\([^)]*|.*)\b{name}\b)"
    return re.search(imported, _text(test_file), re.MULTILINE) is not None


@functools.cache
def _text(test_file: str) -> str:
    file = REPOSITORY / test_file
    return file.read_text() if file.exists() else ""


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""
