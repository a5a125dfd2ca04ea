"""The secret key of an installation, which the first start makes where ``SECRET_KEY`` is not set.

The key signs links that customers keep and encrypts the sessions of accounts, so it outlives the process.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from config.kept import draft

FILE = "secret_key"
"""The file's name in ``DB_PATH``."""


class KeyEmpty(Exception):
    """The file is there, and holds no key: with the empty one everybody could sign."""


def kept(db_path: Path) -> str:
    """The key that is kept under *db_path*, made where there is none. Programs that start at once agree on one.

    :raises KeyEmpty: the file holds none.
    :raises OSError: it can be neither read nor made.
    """
    file = db_path / FILE
    if not file.exists():
        db_path.mkdir(parents=True, exist_ok=True)
        with draft.written(db_path, secrets.token_urlsafe(48)) as made, contextlib.suppress(FileExistsError):
            os.link(made, file)  # where another program was first, its key stays
    key = file.read_text("utf-8").strip()
    if not key:
        raise KeyEmpty(file)
    return key
