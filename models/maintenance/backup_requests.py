"""Backups that an admin asks for in the console: upkeep makes or examines them, and notes how it went."""

from collections.abc import Sequence
from dataclasses import dataclass

from models import notes

_MAKE, _VERIFY, _VERIFIED = "backup_asked", "backup_to_verify", "backup_verified"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in a backup: nothing wrong, where there are no faults."""

    name: str
    at: int
    faults: Sequence[str]


def ask(now: int, *, verify: str | None = None) -> None:
    """Have a backup made, or the one named *verify* examined."""
    if verify is None:
        notes.put(_MAKE, now, now)
    else:
        notes.put(_VERIFY, verify, now)


def is_asked() -> bool:
    """Whether a backup is to be made."""
    return notes.get(_MAKE) is not None


def to_verify() -> str | None:
    """The backup that is to be examined, or None."""
    name = notes.get(_VERIFY)
    return None if name is None else str(name)


def made() -> None:
    """Note that the backup that was asked for is made, or could not be."""
    notes.drop(_MAKE)


def verified(found: Verified) -> None:
    """Note what was found in the backup that was to be examined."""
    notes.put(_VERIFIED, {"name": found.name, "at": found.at, "faults": list(found.faults)}, found.at)
    notes.drop(_VERIFY)


def last_verified() -> Verified | None:
    """The newest examination, or None."""
    found = notes.get(_VERIFIED)
    return None if found is None else Verified(found["name"], found["at"], found["faults"])
