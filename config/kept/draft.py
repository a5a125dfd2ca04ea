"""A file that is written whole or not at all: in its place it appears in one step, for its owner alone."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written(directory: Path, text: str) -> Iterator[Path]:
    """A file in *directory* that holds *text*, also after a power cut. The caller puts it in its place; else it goes.

    :raises OSError: it cannot be written.
    """
    descriptor, name = tempfile.mkstemp(prefix=".draft-", dir=directory)
    draft = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
