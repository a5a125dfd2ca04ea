"""The audit: who of the team did what to whom, when and from where, and what they were refused.

A row is written in the transaction that did it, and never changed: triggers refuse UPDATE and DELETE. The one
exception is :func:`pseudonymise`, while a person is being erased.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import peewee

from models.database import fetch
from models.roles import Act, Role, Team
from models.tables import Audit


class Via(StrEnum):
    """From where somebody acted, as it is stored."""

    CHAT = "chat"
    BROWSER = "browser"
    MINI_APP = "mini_app"
    SETUP = "setup"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts, with the team of this moment."""

    id: int
    team: Team
    via: Via

    @property
    def role(self) -> Role:
        """What they are now."""
        return self.team.role_of(self.id)


@dataclass(frozen=True, slots=True)
class AuditInfo:
    """A row. ``user_id`` is the customer whom it concerns; below 0 it is the pseudonym of one whose data is erased."""

    id: int
    at: int
    by: int
    role: str
    via: str
    act: str
    user_id: int | None
    detail: Mapping[str, Any]
    refused: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows to show: by one of the team, of one act, about one customer, refused ones alone."""

    by: int | None = None
    act: str | None = None
    user_id: int | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody did, to be written."""

    act: Act
    user_id: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    refused: str | None = None


def append(actor: Actor, entry: Entry, now: int) -> None:
    """Write a row, inside the transaction that did it."""
    Audit.insert(
        at=now,
        by=actor.id,
        role=actor.role,
        via=actor.via,
        act=entry.act,
        user_id=entry.user_id,
        detail=dict(entry.detail),
        refused=entry.refused,
    ).execute()


def newest(wanted: Wanted, limit: int, before: int | None = None) -> tuple[AuditInfo, ...]:
    """The newest rows, newest first; those before the row *before* for the next page."""
    query = Audit.select()
    for column in ("by", "act", "user_id"):
        value = getattr(wanted, column)
        if value is not None:
            query = query.where(getattr(Audit, column) == value)
    if wanted.refused:
        query = query.where(Audit.refused.is_null(False))
    if before is not None:
        query = query.where(Audit.id < before)
    return tuple(map(_info, query.order_by(Audit.id.desc()).limit(limit)))


def helped(since: int, until: int) -> dict[str, int]:
    """What helpers did in ``[since, until)``, how often, by act; without log-ins."""
    theirs = (Audit.role == Role.HELPER) & Audit.refused.is_null() & (Audit.act != Act.LOG_IN)
    number = peewee.fn.COUNT(Audit.id)
    rows = Audit.select(Audit.act, number).where(theirs & (Audit.at >= since) & (Audit.at < until))
    return {str(act): int(count) for act, count in fetch(rows.group_by(Audit.act).order_by(number.desc()))}


def number(by: int, act: Act, since: int) -> int:
    """How often somebody has done something after *since*; what they were refused does not count."""
    theirs = (Audit.by == by) & (Audit.act == act) & (Audit.at > since) & Audit.refused.is_null()
    return int(Audit.select().where(theirs).count())


def pseudonymise(user_id: int, until: int) -> int:
    """Put a pseudonym in the place of a customer who is being erased, and drop the details; return how many rows.

    What was done after *until* stays: they have come back. Inside the transaction of a step of the erasure. All their
    rows get the same pseudonym, which leads back to nobody.
    """
    pseudonym = -1 - secrets.randbits(60)
    theirs = (Audit.user_id == user_id) & (Audit.at <= until)
    return int(Audit.update(user_id=pseudonym, detail={}).where(theirs).execute())


def _info(row: Audit) -> AuditInfo:
    return AuditInfo(
        id=row.id,
        at=row.at,
        by=row.by,
        role=row.role,
        via=row.via,
        act=row.act,
        user_id=row.user_id,
        detail=row.detail,
        refused=row.refused,
    )
