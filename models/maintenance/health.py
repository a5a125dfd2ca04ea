"""Heartbeats of the programs, and open incidents."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from config.units import MIB
from models import outbox
from models.accounts import pool
from models.database import transaction
from models.event_kinds import OF_THE_ACCOUNT, IncidentClosed, IncidentKey, IncidentOpened
from models.tables import Heartbeat, Incident

BEAT_S = 5
BEAT_STALE_S = 30
"""A program whose newest heartbeat is older does not run."""
AHEAD_S = 60
"""A heartbeat that is so much ahead counts as given now: two clocks may differ."""
STANDBYS = 3
"""How many accounts an alarm offers in place of the lost one."""
LOW_DISK_BYTES = 256 * MIB
FREE_SHARE = 10
"""A disk is nearly full with less than ``LOW_DISK_BYTES`` free, and less than a tenth of it."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The newest heartbeat of a program, with what the program said about its parts."""

    at: int
    detail: Mapping[str, Any]

    def age(self, now: int) -> int:
        """The seconds between it and *now*, whichever is later: one from the future was given by a clock that has been
        set back since, and of a program that lives there is one by the present clock within seconds.
        """
        ahead = self.at - now
        return ahead if ahead > AHEAD_S else max(0, -ahead)

    def is_fresh(self, now: int, within_s: int = BEAT_STALE_S) -> bool:
        """Whether the program lives."""
        return self.age(now) <= within_s


@dataclass(frozen=True, slots=True)
class IncidentInfo:
    """An incident. It is open while ``closed_at`` is None.

    ``in_words`` is what is read in place of ``text``, by language, where that is not the same for all.
    """

    key: str
    text: str
    opened_at: int
    closed_at: int | None
    in_words: Mapping[str, str] = field(default_factory=dict)

    def said_in(self, language: str) -> str:
        """What more there is to say of it, to a reader of *language*."""
        return self.in_words.get(language, self.text)


def room(total: int) -> int:
    """How many bytes must be free on a disk of *total* bytes, or it is nearly full."""
    return min(LOW_DISK_BYTES, total // FREE_SHARE)


def beat(program: str, detail: Mapping[str, Any], now: int) -> None:
    """Write a program's heartbeat."""
    with transaction():
        Heartbeat.insert(program=program, detail=dict(detail), at=now).on_conflict(
            conflict_target=[Heartbeat.program], preserve=[Heartbeat.detail, Heartbeat.at]
        ).execute()


def until_beat() -> float:
    """Seconds until the next beat. All programs beat together: a commit wakes every other one, and so they wake once.

    It is at most :data:`BEAT_S` away, by the clock that the programs of one machine share and nobody sets.
    """
    return BEAT_S - time.monotonic() % BEAT_S


def all() -> dict[str, Beat]:
    """Return the newest heartbeat of each program that ever had one."""
    return {row.program: Beat(row.at, row.detail) for row in Heartbeat.select()}


def silent(now: int) -> dict[str, int]:
    """The programs that had a heartbeat and do not answer any more, and for how many seconds."""
    return {program: beat.age(now) for program, beat in all().items() if not beat.is_fresh(now)}


def account(now: int) -> str:
    """What the daemon says of the connection of the account that reads; ``?`` where it says nothing, or no more."""
    beat = all().get("daemon")
    return str(beat.detail.get("account", "?")) if beat is not None and beat.is_fresh(now) else "?"


def forget_beats() -> None:
    """Forget all heartbeats, in a database that was restored: they were given elsewhere."""
    with transaction():
        Heartbeat.delete().execute()


def open_incident(key: IncidentKey, text: str, now: int) -> bool:
    """Open an incident and tell the admins; False if it is open already."""
    with transaction():
        return _begin(key, text, now)


def tell_incident(key: IncidentKey, text: str, now: int) -> bool:
    """Open an incident and tell the admins, or tell them its new *text*; False if the text is the same.

    For an incident that may stay open for long, so that it does not hide what happens after it.
    """
    with transaction():
        return tell(key, text, now)


def close_incident(key: IncidentKey, now: int) -> bool:
    """Close an incident and tell the admins; False if none with this key is open."""
    with transaction():
        return close(key, now)


def tell(key: IncidentKey, text: str, now: int, in_words: Mapping[str, str] | None = None) -> bool:
    """Do as :func:`tell_incident` inside the caller's transaction.

    :param in_words: what an admin reads in place of *text*, by language, where that is not the same for all.
    """
    row = _open(key).first()
    if row is None:
        return _begin(key, text, now, in_words)
    if row.text == text:
        return False
    Incident.update(text=text, in_words=in_words).where(Incident.id == row.id).execute()
    outbox.append(IncidentOpened(key=key, text=text, in_words=in_words or {}), None, now)
    return True


def close(key: IncidentKey, now: int) -> bool:
    """Do as :func:`close_incident` inside the caller's transaction."""
    row = _open(key).first()
    if row is None:
        return False
    Incident.update(closed_at=now).where(Incident.id == row.id).execute()
    told = IncidentClosed(key=key, text=row.text, seconds=now - row.opened_at)
    outbox.append(told, None, now, key=f"incident:{row.id}:closed")
    return True


def incidents() -> list[IncidentInfo]:
    """Return the open incidents, oldest first."""
    rows = Incident.select().where(Incident.closed_at.is_null()).order_by(Incident.id)
    return [_info(row) for row in rows]


def recent(limit: int) -> list[IncidentInfo]:
    """The newest incidents, those that are open first."""
    rows = Incident.select().order_by(Incident.closed_at.is_null(False), Incident.id.desc()).limit(limit)
    return [_info(row) for row in rows]


def catch_up(admin_id: int, now: int) -> int:
    """Have an admin told what could not reach them before, but incidents that are over; return how many messages.

    Nobody can be written to before their own first message, nor while they block the bot.
    """
    with transaction():
        lasting = {row.key for row in Incident.select(Incident.key).where(Incident.closed_at.is_null())}
        told = 0
        for event in outbox.missed_by(admin_id):
            payload = event.payload
            is_over = isinstance(payload, IncidentClosed) or (
                isinstance(payload, IncidentOpened) and payload.key not in lasting
            )
            if payload is not None and not is_over:
                told += outbox.append(payload, admin_id, now, key=f"caught_up:{event.id}:{admin_id}") is not None
        return told


def _begin(key: IncidentKey, text: str, now: int, in_words: Mapping[str, str] | None = None) -> bool:
    if _open(key).exists():
        return False
    incident: int = Incident.insert(key=key, text=text, in_words=in_words, opened_at=now).execute()
    standbys = [(each.id, each.name) for each in pool.standbys()[:STANDBYS]] if key in OF_THE_ACCOUNT else ()
    opened = IncidentOpened(key=key, text=text, in_words=in_words or {}, standbys=standbys)
    outbox.append(opened, None, now, key=f"incident:{incident}:opened")
    return True


def _info(row: Incident) -> IncidentInfo:
    return IncidentInfo(row.key, row.text, row.opened_at, row.closed_at, in_words=row.in_words or {})


def _open(key: str) -> Any:
    return Incident.select().where((Incident.key == key) & Incident.closed_at.is_null())
