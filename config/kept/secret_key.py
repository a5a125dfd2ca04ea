"""The secret key of an installation, which the first start makes where ``SECRET_KEY`` is not set.

The key signs links that customers keep and encrypts the sessions of accounts, so it outlives the process.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

FILE = "secret_key"
"""The file's name in ``DB_PATH``."""


def kept(db_path: Path) -> str:
    """The key that is kept under *db_path*, made where there is none. Programs that start at once agree on one.

    :raises OSError: it can be neither read nor made.
    """
    file = db_path / FILE
    if not file.exists():
        db_path.mkdir(parents=True, exist_ok=True)
        _write_once(file, secrets.token_urlsafe(48))
    return file.read_text("utf-8").strip()


def _write_once(path: Path, text: str) -> None:
    """Create *path* with all of *text*, for its owner alone, or not at all. If another was first, its text stays."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        os.unlink(draft)
