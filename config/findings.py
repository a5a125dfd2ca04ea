"""The result of an examination: for each part whether it works, and what to do if not."""

from dataclasses import dataclass
from enum import StrEnum

from config.texts import Message, Texts


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


def clock(part: str, theirs: float, ours: float, t: Texts) -> Finding:
    """Compare our clock with another one, both in Unix seconds."""
    off = round(ours - theirs)
    if abs(off) <= CLOCK_OFF_S:
        return ok(part, t.gettext("within {seconds} s of theirs", seconds=abs(off)))
    way = t.gettext("{seconds} s ahead", seconds=off) if off > 0 else t.gettext("{seconds} s behind", seconds=-off)
    cure = t.gettext("periods and signatures go by it, so set it (timedatectl set-ntp true)")
    return warn(part, f"{way}: {cure}")


_TITLES = {
    "account": Message("account"),
    "admins": Message("admins"),
    "backups": Message("backups"),
    "clock (PayPal)": Message("clock (PayPal)"),
    "clock (Telegram)": Message("clock (Telegram)"),
    "currencies": Message("currencies"),
    "database": Message("database"),
    "delivery": Message("delivery"),
    "disk": Message("disk"),
    "greeting": Message("greeting"),
    "health": Message("health"),
    "incident": Message("incident"),
    "invoice": Message("invoice"),
    "ledger": Message("ledger"),
    "migrations": Message("migrations"),
    "plans": Message("plans"),
    "prices": Message("prices"),
    "port": Message("port"),
    "settings": Message("settings"),
    "PayPal's page": Message("PayPal's page"),
    "PayPal's payment": Message("PayPal's payment"),
    "Telegram's rule": Message("Telegram's rule"),
    "way in": Message("way in"),
}
"""Parts that are called otherwise in other languages. Names of programs and settings are not."""


def title(part: str, t: Texts) -> str:
    """What a part is called for the operator."""
    known = _TITLES.get(part)
    return known.said_in(t) if known else part
