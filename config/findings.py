"""The result of an examination: for each part whether it works, and what to do if not."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """``OK`` needs nothing, ``WARN`` works but needs the operator's attention, ``FAIL`` does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """The state of one part. ``text`` says what to do unless the grade is ``OK``."""

    grade: Grade
    part: str
    text: str


def ok(part: str, text: str) -> Finding:
    """A part that works."""
    return Finding(Grade.OK, part, text)


def warn(part: str, text: str) -> Finding:
    """A part that works but needs the operator's attention."""
    return Finding(Grade.WARN, part, text)


def fail(part: str, text: str) -> Finding:
    """A part that does not work."""
    return Finding(Grade.FAIL, part, text)


CLOCK_OFF_S = 30


def clock(part: str, theirs: float, ours: float) -> Finding:
    """Compare our clock with another one, both in Unix seconds."""
    off = round(ours - theirs)
    if abs(off) <= CLOCK_OFF_S:
        return ok(part, f"within {abs(off)} s of theirs")
    way = "ahead" if off > 0 else "behind"
    return warn(part, f"{abs(off)} s {way}: periods and signatures go by it, so set it (timedatectl set-ntp true)")
