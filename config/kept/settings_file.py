"""``settings.env`` in ``DB_PATH``: what was typed during set-up. It is read after the environment and ``.env``.

One ``NAME='value'`` a line, for the owner of the file alone. It takes the names of :data:`NAMES`; those that say where
things are (``DB_PATH``, ``PORT``, addresses of servers, files that hold values) can only be set from outside.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from config.kept import draft

FILE = "settings.env"
"""The file's name in ``DB_PATH``."""
TYPED = "settings.env.new"
"""What was typed and is being checked: a file of the same form, of which nothing is read as a setting."""

NAMES = (
    "LANGUAGE",
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_API_ID",
    "TELEGRAM_API_HASH",
    "ADMIN_IDS",
    "HELPER_IDS",
    "BACKEND_URL",
    "PAYPAL_CLIENT_ID",
    "PAYPAL_CLIENT_SECRET",
    "PAYPAL_MODE",
)
"""What may stand in it."""

_BREAKS = "\r\n\0"
"""They would end the line, or the value."""
_ESCAPED = re.compile(r"\\(.)")


class ValueRefused(ValueError):
    """A value that no line can hold. Its text names the setting alone."""


def change(db_path: Path, values: Mapping[str, str | None], file: str = FILE) -> None:
    """Set names to values, or take those out whose value is None; the others stay.

    The file is replaced in one step: whoever reads it meanwhile sees all of the change or nothing.

    :raises ValueRefused: a name that has no place there, or a value with a line break or NUL.
    """
    for name, value in values.items():
        if name not in NAMES or any(each in (value or "") for each in _BREAKS):
            raise ValueRefused(name)
    with _alone(db_path):
        _write(db_path / file, {**read(db_path, file), **values})


def settle(db_path: Path, typed: Mapping[str, str], *, is_good: bool) -> bool:
    """Let hold what was typed, or forget it. Doing it again changes nothing.

    :param typed: what was checked. Where something else was typed since, nothing changes, and the answer is False.
    """
    with _alone(db_path):
        if read(db_path, TYPED) != typed:
            return False
        if is_good:
            _write(db_path / FILE, {**read(db_path), **typed})
        (db_path / TYPED).unlink(missing_ok=True)
    return True


def read(db_path: Path, file: str = FILE) -> dict[str, str]:
    """The values by name, as they were written by :func:`change`; none where there is no file.

    :raises OSError: the file cannot be read.
    """
    try:
        lines = (db_path / file).read_text("utf-8").split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name.strip(): _unquoted(value.strip()) for name, mark, value in pairs if mark}


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let nobody else change a file there meanwhile: who does reads all of it and writes all of it."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _write(file: Path, values: Mapping[str, str | None]) -> None:
    lines = (f"{name}='{_quoted(value)}'\n" for name, value in values.items() if value)
    with draft.written(file.parent, "".join(lines)) as new:
        new.replace(file)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != "'" or value[-1] != "'":
        return value
    return _ESCAPED.sub(r"\1", value[1:-1])
