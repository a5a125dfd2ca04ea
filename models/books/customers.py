"""Customers in pages, however many there are: each list follows an index, and a page begins behind a key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from config.texts import language_of
from models.database import BEYOND, execute
from models.money import payments, providers
from models.promotion import segments
from models.promotion.segments import Segment

PAGE = 50
STEP, LOOKED_AT = 250, 1_000
PAYERS_STEP, PAYERS_LOOKED_AT = 50, 250
"""Of a segment whose customers take a look at all that they have paid."""
_LAST_LETTER = "\U0010ffff"
_COLUMNS = """
customer.id, customer.first_name, customer.username, customer.language, customer.language_code, customer.banned_at,
customer.blocked_bot_at, customer.created_at, customer.seen_at
"""


class Listed(StrEnum):
    """Which customers, in which order: the newest of each first."""

    SEEN = "seen"
    NEW = "new"
    PAID = "paid"
    BANNED = "banned"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class RowInfo:
    """A customer in a list. ``at`` is the time that the list is ordered by."""

    id: int
    first_name: str
    username: str | None
    language: str
    banned: bool
    blocked_bot: bool
    created_at: int
    seen_at: int
    at: int


@dataclass(frozen=True, slots=True)
class Key:
    """Behind which row a page begins."""

    at: int = BEYOND
    id: int = BEYOND


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and behind which the next page begins; None when there is none."""

    rows: tuple[RowInfo, ...]
    following: Key | None


def _by(column: str) -> str:
    return f"""
    SELECT {_COLUMNS}, customer.{column} AS at FROM "user" AS customer
    WHERE customer.{column} <= :at AND (customer.{column} < :at OR customer.id < :id) AND customer.erased_at IS NULL
    ORDER BY customer.{column} DESC, customer.id DESC LIMIT :limit
    """


_PAID = f"""
SELECT {_COLUMNS}, paid.completed_at AS at FROM payment AS paid JOIN "user" AS customer ON customer.id = paid.user_id
WHERE paid.completed_at <= :at AND (paid.completed_at < :at OR paid.user_id < :id) AND NOT EXISTS (
    SELECT 1 FROM payment AS later WHERE later.user_id = paid.user_id
    AND (later.completed_at > paid.completed_at OR later.completed_at = paid.completed_at AND later.id > paid.id))
  AND customer.erased_at IS NULL
ORDER BY paid.completed_at DESC, paid.user_id DESC LIMIT :limit
"""
_LISTS: Mapping[Listed, str] = {
    Listed.SEEN: _by("seen_at"),
    Listed.NEW: _by("created_at"),
    Listed.PAID: _PAID,
    Listed.BANNED: _by("banned_at"),
    Listed.BLOCKED: _by("blocked_bot_at"),
}
_ONE = f'SELECT {_COLUMNS}, customer.seen_at AS at FROM "user" AS customer WHERE customer.id = ?'
_NAMED = """
SELECT id FROM (SELECT id FROM "user" WHERE LOWER(username) >= :from AND LOWER(username) < :to LIMIT :limit)
UNION SELECT id FROM (SELECT id FROM "user" WHERE LOWER(first_name) >= :from AND LOWER(first_name) < :to LIMIT :limit)
"""
"""Each half has its own limit: a union reads both to their ends before its first row."""


def page(listed: Listed, after: Key | None = None, size: int = PAGE) -> Page:
    """The page of a list that begins behind *after*."""
    begin = after or Key()
    rows = _infos(execute(_LISTS[listed], {"at": begin.at, "id": begin.id, "limit": size + 1}))
    last = rows[size - 1] if len(rows) > size else None
    return Page(rows[:size], Key(last.at, last.id) if last else None)


def of_segment(segment: Segment, now: int, after: int = 0, size: int = PAGE) -> Page:
    """The customers of a segment by their ids, from the one behind *after*.

    At most :data:`LOOKED_AT` customers are looked at, of those who have paid :data:`PAYERS_LOOKED_AT`: a page may hold
    fewer than *size* and still have a next one.
    """
    found: list[int] = []
    of_payers = segment.kind in segments.OF_PAYERS
    step, most = (PAYERS_STEP, PAYERS_LOOKED_AT) if of_payers else (STEP, LOOKED_AT)
    for _ in range(most // step):
        people, upto = _step(segment, after, now, step)
        found += people
        if upto is None or len(found) >= size:
            break
        after = upto
    more = len(found) > size or upto is not None
    last = found[size - 1] if len(found) >= size else upto
    return Page(_of(found[:size]), Key(0, last) if more and last is not None else None)


def _step(segment: Segment, after: int, now: int, size: int) -> tuple[tuple[int, ...], int | None]:
    """Those of the next *size* customers who are in the segment, and up to which id they were looked at."""
    looked = segments.page(segment, after, now, size, who=segments.EVERYBODY)
    return looked.people, looked.upto


def search(text: str, size: int = PAGE, *, money: bool) -> tuple[RowInfo, ...]:
    """Whom a text means: an id, the number of a payment, or the beginning of a name or @name; at most *size*.

    Without *money*, for who may not see it, the number of a payment means nobody.
    """
    wanted = text.strip()
    if wanted.isdecimal() and len(wanted) <= len(str(BEYOND)):
        return _of([int(wanted)])
    if money and providers.of_number(wanted) and (paid := payments.find(None, wanted)) and paid.user_id:
        return _of([paid.user_id])
    beginning = wanted.removeprefix("@")
    if not beginning:
        return ()
    found = dict.fromkeys(
        user_id
        for written in _spellings(beginning)
        for (user_id,) in execute(_NAMED, {"from": written, "to": written + _LAST_LETTER, "limit": size})
    )
    return _of(list(found)[:size])


def _spellings(text: str) -> Iterable[str]:
    """The database lowers ASCII letters alone: a first letter like Ñ may be stored either way."""
    return dict.fromkeys(_lowered(each + text[1:]) for each in (text[0], text[0].lower(), text[0].upper()))


def _lowered(text: str) -> str:
    return "".join(each.lower() if each.isascii() else each for each in text)


def _of(ids: Iterable[int]) -> tuple[RowInfo, ...]:
    return tuple(info for user_id in ids for info in _infos(execute(_ONE, (user_id,))))


def _infos(rows: Iterable[tuple[Any, ...]]) -> tuple[RowInfo, ...]:
    return tuple(
        RowInfo(
            id=id_,
            first_name=first_name,
            username=username,
            language=language_of(language or language_code),
            banned=banned_at is not None,
            blocked_bot=blocked_at is not None,
            created_at=created_at,
            seen_at=seen_at,
            at=at,
        )
        for id_, first_name, username, language, language_code, banned_at, blocked_at, created_at, seen_at, at in rows
    )
