"""What an examination found: part by part, good or not, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """``WARN`` works, and will not go well for ever; ``FAIL`` does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """How one part is. What is not good says what to do."""

    grade: Grade
    part: str
    text: str


def ok(part: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(Grade.OK, part, text)


def warn(part: str, text: str) -> Finding:
    """It works, but the operator should know."""
    return Finding(Grade.WARN, part, text)


def fail(part: str, text: str) -> Finding:
    """It does not work."""
    return Finding(Grade.FAIL, part, text)


CLOCK_OFF_S = 30


def clock(part: str, theirs: float, ours: float) -> Finding:
    """Compare our clock with somebody else's, both in Unix seconds."""
    off = round(ours - theirs)
    if abs(off) <= CLOCK_OFF_S:
        return ok(part, f"within {abs(off)} s of theirs")
    way = "ahead" if off > 0 else "behind"
    return warn(part, f"{abs(off)} s {way}: periods and signatures go by it, so set it (timedatectl set-ntp true)")
