"""What the tests of the models share."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.maintenance import integrity
from tests import preloaded


@pytest.fixture(autouse=True)
def examined_in_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Examine databases in processes of their own that need not import anything; upkeep starts ordinary ones."""
    monkeypatch.setattr(integrity, "subprocess", SimpleNamespace(run=_run_in_fork))


def _run_in_fork(command: list[str], *, cwd: Path, timeout: float, **_: Any) -> subprocess.CompletedProcess[str]:
    _, _, *program = command
    code, said = preloaded.outcome(*program, cwd=cwd, env={**os.environ}, timeout=timeout)
    return subprocess.CompletedProcess(command, code, said, said)
