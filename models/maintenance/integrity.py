"""Checks whether a database file is sound, and whether its ledger adds up.

A file that is damaged, or not ours, is useless. A file whose ledger contradicts itself is whole: a provider can report
amounts that do not add up, and a person must look at that payment.

The checks run in a process of their own (``python -m models.maintenance.integrity FILE``), because the models use one
database at a time, and the caller's is open.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import peewee

from config.settings import PROJECT
from models import database
from models.database import files
from models.errors import SchemaTooNew
from models.money import payments

PATIENCE_S = 900
FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Report:
    """The result in words: ``faults`` of the file or, if it has none, ``contradictions`` in its ledger."""

    faults: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)


def examine(file: Path) -> Report:
    """Examine the file and its ledger."""
    command = [sys.executable, "-m", "models.maintenance.integrity", str(file.absolute())]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=PATIENCE_S)
    if run.returncode:
        return Report([f"could not be examined: {run.stderr.strip()[-500:]}"])
    return Report(**json.loads(run.stdout))


def is_damaged(file: Path) -> bool:
    """Whether a quick check finds the file damaged; a missing file is not."""
    return file.exists() and bool(files.quick_faults(file))


def _examine(file: Path) -> Report:
    faults = files.faults(file, FAULTS_SHOWN)
    if faults:
        return Report(faults)
    try:
        # A file of an older schema has a ledger that this version cannot read yet.
        return Report() if database.pending(file) else _ledger(file)
    except SchemaTooNew as error:
        return Report([str(error)])


def _ledger(file: Path) -> Report:
    try:
        database.open_database(file)
        return Report(contradictions=payments.audit(FAULTS_SHOWN))
    except peewee.DatabaseError as error:
        return Report([f"the ledger cannot be read: {error}"])
    finally:
        database.close_database()


if __name__ == "__main__":
    json.dump(asdict(_examine(Path(sys.argv[1]))), sys.stdout)
