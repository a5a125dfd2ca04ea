"""A file that is written whole or not at all: in its place it appears in one step, for its owner alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = ".draft-"


@contextlib.contextmanager
def written(directory: Path, text: str) -> Iterator[Path]:
    """A file in *directory* that holds *text*, also after a power cut. The caller puts it in its place; else it goes.

    :raises OSError: it cannot be written.
    """
    descriptor, draft = _begun(directory)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            yield draft
    finally:
        draft.unlink(missing_ok=True)


def sweep(directory: Path) -> None:
    """Delete the drafts of programs that were killed over them: they may hold secrets. What is being written stays."""
    for left in directory.glob(f"{PREFIX}*"):
        with contextlib.suppress(BlockingIOError, FileNotFoundError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def _begun(directory: Path) -> tuple[int, Path]:
    """An empty draft, which its writer holds a lock of as long as it lives."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=PREFIX, dir=directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)  # it was swept before it was locked
