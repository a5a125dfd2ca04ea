"""What a sealed backup holds beside the database: ``settings.env`` and ``secret_key``.

The content of a sealed backup is a tar archive of the three; that of one that is not sealed is the database alone, as
it is that of a backup from before 1.1. What was unpacked waits in a folder beside the unpacked database.
"""

from __future__ import annotations

import shutil
import tarfile
from gzip import GzipFile
from pathlib import Path
from typing import IO

from config.kept import secret_key, settings_file
from config.units import KIB, MIB
from models.errors import BackupUnsound

KEPT = (secret_key.FILE, settings_file.FILE)
LARGEST = 64 * KIB
"""Bytes of one of them."""
DATABASE = "peaje.db"
_SQLITE = b"SQLite format 3\0"


def pack(database: Path, directory: Path, target: GzipFile) -> None:
    """Write the archive of a database and of what is kept in *directory*."""
    with tarfile.open(fileobj=target, mode="w|") as archive:
        archive.add(database, DATABASE)
        for name in held(directory):
            archive.add(directory / name, name)


def held(directory: Path) -> list[str]:
    """What is kept in *directory* that a sealed backup takes along."""
    return [name for name in KEPT if (directory / name).is_file()]


def is_bundle(head: bytes) -> bool:
    """Whether a content that begins so is an archive, and not a database."""
    return not head.startswith(_SQLITE)


def unpack(source: GzipFile, target: Path) -> None:
    """Write the database of an archive to *target*, and the rest into the folder beside it. All other names are left.

    :raises BackupUnsound: it is no such archive.
    """
    try:
        with tarfile.open(fileobj=source, mode="r|") as archive:
            for member in archive:
                place = _place(member, target)
                content = archive.extractfile(member) if place is not None else None
                if place is not None and content is not None:
                    _write(content, place)
    except tarfile.TarError as error:
        raise BackupUnsound([str(error)]) from error
    if not target.exists():
        raise BackupUnsound(["there is no database in it"])


def beside(target: Path) -> Path:
    """The folder of what was unpacked together with the database at *target*."""
    return target.with_name(f"{target.name}.kept")


def discard(target: Path) -> None:
    """Delete that folder."""
    shutil.rmtree(beside(target), ignore_errors=True)


def _place(member: tarfile.TarInfo, target: Path) -> Path | None:
    if not member.isfile():
        return None
    if member.name == DATABASE:
        return target
    return beside(target) / member.name if member.name in KEPT and member.size <= LARGEST else None


def _write(content: IO[bytes], place: Path) -> None:
    place.parent.mkdir(mode=0o700, exist_ok=True)
    with place.open("wb") as file:
        place.chmod(0o600)
        shutil.copyfileobj(content, file, MIB)
