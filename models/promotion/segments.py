"""To whom news goes. A segment is found in pages by the customers' ids, of those who may get news at all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from config.texts import language_of
from config.units import DAY_S
from models.database import execute
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobState, sql_list
from models.money import access
from models.promotion.consent import MAY_GET

PAGE = 250
"""Customers that are looked at, and perhaps become recipients, at a time: their rows are one short transaction."""
EVERYBODY = "people.erased_at IS NULL"
"""In place of ``MAY_GET``: also those who may get no news."""
ENDED_DAYS = (7, 30, 90)
"""How long ago a plan has ended, at most: what can be chosen."""
LIMIT_DAYS = 30
"""How long ago a customer has met a limit, at most."""

_OVER = (RefusalReason.LIMIT, RefusalReason.TOO_LARGE_FOR_PLAN, RefusalReason.QUOTA, RefusalReason.HELD_TOO_LONG)
_PAID = (
    "EXISTS (SELECT 1 FROM payment WHERE payment.user_id = people.id AND payment.grants AND payment.completed_at > 0)"
)
_AMONG_ALL = "people.id > :after AND people.id <= :upto"
_AMONG_PAYERS = """
people.id IN (SELECT payment.user_id FROM payment WHERE payment.user_id > :after AND payment.user_id <= :upto
    AND payment.grants AND payment.completed_at > 0)
"""
_MET_A_LIMIT = f"""
EXISTS (SELECT 1 FROM job WHERE job.user_id = people.id AND job.moved_at >= :since AND (job.state = '{JobState.HELD}' OR
    (job.state IN ('{JobState.REFUSED}', '{JobState.CANCELLED}') AND job.reason IN ({sql_list(_OVER)}))))
"""
_LAST = 'SELECT MAX(id) FROM (SELECT id FROM "user" WHERE id > ? ORDER BY id LIMIT ?) AS page'
_LAST_PAYER = """
SELECT MAX(user_id) FROM (
    SELECT DISTINCT user_id FROM payment WHERE user_id > ? AND payment.grants AND completed_at > 0
    ORDER BY user_id LIMIT ?) AS page
"""
_PEOPLE = """
SELECT people.id, people.language, people.language_code FROM "user" AS people
WHERE {among} AND {who} AND {condition} ORDER BY people.id
"""


class SegmentKind(StrEnum):
    """Which customers, as it is stored."""

    ALL = "all"
    PAYING = "paying"
    """Who has paid, and has a plan now."""
    NEVER_PAID = "never_paid"
    ENDED = "ended"
    """Whose paid time has ended in the last so many days."""
    LIMIT = "limit"
    """Who has met a limit of their plan lately."""
    LANGUAGE = "language"


OF_PAYERS = frozenset({SegmentKind.PAYING, SegmentKind.ENDED})
"""Segments of who has paid, each of whom takes a look at all that they have paid."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Which customers: of :attr:`SegmentKind.ENDED` the argument is days, of ``LANGUAGE`` a language's code."""

    kind: SegmentKind
    argument: str = ""

    @classmethod
    def read(cls, stored: str) -> Self:
        """The segment of a row, or of a button's data.

        :raises ValueError: it is none.
        """
        kind, _, argument = stored.partition(":")
        if kind == SegmentKind.ENDED and not (argument.isdecimal() and len(argument) < 4):
            raise ValueError(stored)
        return cls(SegmentKind(kind), argument)

    def stored(self) -> str:
        """How it is stored."""
        return f"{self.kind}:{self.argument}" if self.argument else str(self.kind)


@dataclass(frozen=True, slots=True)
class Page:
    """Customers of a segment, and the id up to which all were looked at; None when nobody comes after them."""

    people: tuple[int, ...]
    upto: int | None


def page(segment: Segment, after: int, now: int, size: int = PAGE, *, who: str = MAY_GET) -> Page:
    """The customers of the segment among the next *size* whose ids are above *after*. It only reads.

    Of a segment of payers (:data:`OF_PAYERS`) only those count for *size* who have paid.

    :param who: of whom; :data:`EVERYBODY` is not only those who may get news.
    """
    ((upto,),) = execute(_LAST_PAYER if segment.kind in OF_PAYERS else _LAST, (after, size)).fetchall()
    if upto is None:
        return Page((), None)
    among = _AMONG_PAYERS if segment.kind in OF_PAYERS else _AMONG_ALL
    condition = _CONDITIONS.get(segment.kind, "TRUE")
    values = {"after": after, "upto": upto} | ({"since": now - LIMIT_DAYS * DAY_S} if ":since" in condition else {})
    found = execute(_PEOPLE.format(among=among, who=who, condition=condition), values).fetchall()
    meant = _FILTERS.get(segment.kind)
    people = [row for row in found if meant is None or meant(segment, row, now)]
    return Page(tuple(user_id for user_id, *_ in people), upto)


def count(segment: Segment, now: int) -> int:
    """How many customers news for the segment would go to. It reads all of them."""
    number, after = 0, 0
    while True:
        found = page(segment, after, now, size=40 * PAGE)
        if found.upto is None:
            return number
        number, after = number + len(found.people), found.upto


_Row = tuple[int, str | None, str | None]


def _has_plan(_segment: Segment, row: _Row, now: int) -> bool:
    return access.of(row[0], now).level > 0


def _has_ended(segment: Segment, row: _Row, now: int) -> bool:
    had = access.of(row[0], now)
    ends = [interval.end for interval in had.paid if interval.end is not None]
    return had.level == 0 and bool(ends) and now - int(segment.argument) * DAY_S <= max(ends) <= now


def _speaks(segment: Segment, row: _Row, _now: int) -> bool:
    return language_of(row[1] or row[2]) == segment.argument


_CONDITIONS: Mapping[SegmentKind, str] = {
    SegmentKind.NEVER_PAID: f"NOT {_PAID}",
    SegmentKind.LIMIT: _MET_A_LIMIT,
}
_FILTERS: Mapping[SegmentKind, Callable[[Segment, _Row, int], bool]] = {
    SegmentKind.PAYING: _has_plan,
    SegmentKind.ENDED: _has_ended,
    SegmentKind.LANGUAGE: _speaks,
}
