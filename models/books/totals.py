"""What the shop did each day: income, customers, deliveries, refusals. Kept, so that nobody adds it up each time.

Upkeep keeps it, from the rows that operations write anyway: no customer waits for a sum. What has happened since it
last did is added while reading, so that the totals always agree with the ledger.

- Income of a day is kept whole. Each change of a payment, a refund and a dispute too, is a row of its history: the days
  of payments with newer rows are added up anew.
- Deliveries, refusals and ends of access are counted up to a moment, in order, each of them once; retention may delete
  them afterwards.
- New customers of a day are counted when it is over.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from config.units import DAY_S, HOUR_S, MINUTE_S
from models import notes
from models.database import BEYOND, execute, give_way, snapshot, transaction
from models.event_kinds import EventKind
from models.jobs.states import JobState
from models.jobs.usage import day_of
from models.money import income
from models.money.income import Income, Sum
from models.tables import DayCount, IncomeDay

SETTLED_S = 2 * MINUTE_S
"""A row that an operation dates with its own beginning is committed by then."""
STEP_S = 6 * HOUR_S
"""Deliveries of so many seconds are counted at once."""
FEW_EVENTS = 1_000
"""Events that are looked through while reading rather than noted as looked through."""

_INCOME_KEPT, _JOBS_KEPT, _EVENTS_KEPT, _NEW_KEPT = "totals_income", "totals_jobs", "totals_events", "totals_new"
"""Notes that say how far each sum has come."""

_TOUCHED = """
SELECT DISTINCT completed_at FROM payment
WHERE id IN (SELECT payment_id FROM payment_history WHERE id > ?) AND +completed_at IS NOT NULL
"""
"""The plus keeps the planner from the index of ``completed_at``, by which it would read every payment."""
_STORED_INCOME = "SELECT day, provider, plan_code, currency, payments, amount, refunded FROM income_day WHERE day >= ?"
_ENDED = f"""
SELECT state, CASE state WHEN '{JobState.DONE}' THEN kind ELSE reason END, COUNT(*) FROM job
WHERE state IN ('{JobState.DONE}', '{JobState.REFUSED}') AND moved_at >= ? AND moved_at < ? GROUP BY 1, 2
"""
_NEXT_ENDED = "SELECT MIN(moved_at) FROM job WHERE state = ? AND moved_at >= ?"
_LOST = f"SELECT created_ms FROM event WHERE id > ? AND kind = '{EventKind.ACCESS_ENDED}'"
_NEW = """SELECT COUNT(*) FROM "user" WHERE created_at >= ? AND created_at < ?"""
_COUNT = """
INSERT INTO day_count (day, what, "key", count) VALUES (?, ?, ?, ?)
ON CONFLICT (day, what, "key") DO UPDATE SET count = day_count.count + excluded.count
"""
_STORED_COUNTS = """SELECT day, what, "key", count FROM day_count WHERE day >= ?"""

NEW, PAYING, LOST, DELIVERED, REFUSED = "new", "paying", "lost", "delivered", "refused"
_OF_STATE = {JobState.DONE: DELIVERED, JobState.REFUSED: REFUSED}

Counts = Counter[tuple[str, str, str]]
"""How many, by day, what, and which: a kind of media, or the reason of a refusal."""


@dataclass(frozen=True, slots=True)
class Day:
    """What happened on a day of the operator, which began at ``at``.

    ``paying`` is how many customers paid, ``lost`` how many customers' paid access ended by itself. ``delivered`` is
    links by kind of media, ``refused`` links by reason; the key is empty where it was not kept.
    """

    at: int
    income: tuple[Sum, ...]
    new: int
    paying: int
    lost: int
    delivered: Mapping[str, int]
    refused: Mapping[str, int]


def days(number: int, timezone: ZoneInfo, now: int) -> tuple[Day, ...]:
    """The last *number* days, today last."""
    starts = income.day_starts(number, timezone, now)
    with snapshot():
        sums = income_since(starts, timezone)
        counts = _counts_since(starts, timezone, now)
    counted: dict[str, Counter[tuple[str, str]]] = {}
    for (day, what, key), count in counts.items():
        counted.setdefault(day, Counter())[what, key] += count
    by_day = zip(starts, income.by_span(sums, starts), strict=True)
    return tuple(_day(at, parts, counted.get(day_of(at, timezone), Counter())) for at, parts in by_day)


def income_since(starts: Sequence[int], timezone: ZoneInfo) -> tuple[Sum, ...]:
    """The income of the days that begin at *starts*, in order, the last without an end. They follow each other."""
    with snapshot():
        kept = notes.get(_INCOME_KEPT)
        if kept is None or kept["timezone"] != str(timezone):
            return income.sums(starts[0], BEYOND)
        stale, stored = _stale(kept, starts, timezone), dict[str, list[Sum]]()
        for day, *values in execute(_STORED_INCOME, (day_of(starts[0], timezone),)):
            stored.setdefault(day, []).append(_sum(*values))
        found: list[Sum] = []
        for at, until in zip(starts, (*starts[1:], BEYOND), strict=True):
            day = day_of(at, timezone)
            found += income.sums(at, until) if day in stale else [_at(at, each) for each in stored.get(day, ())]
        return tuple(found)


def keep(timezone: ZoneInfo, now: int) -> None:
    """Bring what is kept up to date. Interrupted anywhere, it goes on the next time; it writes where there is news."""
    _keep_income(timezone, now)
    _keep_jobs(timezone, now)
    _keep_events(timezone, now)
    _keep_new(timezone, now)


# Income


def _keep_income(timezone: ZoneInfo, now: int) -> None:
    kept, today = notes.get(_INCOME_KEPT), day_of(now, timezone)
    newest = _newest("payment_history")
    if kept is not None and kept["timezone"] != str(timezone):
        _forget_income()
        kept = None
    if kept is not None and kept["history"] == newest and kept["until"] >= today:
        return
    touched = _touched(kept["history"], timezone) if kept else set()
    begun = kept["until"] if kept else _first_day("SELECT MIN(completed_at) FROM payment", timezone, now)
    for day in sorted(touched | set(_days_between(begun, today))):
        _keep_day(day, timezone)
    notes.put(_INCOME_KEPT, {"timezone": str(timezone), "until": today, "history": newest}, now)


def _forget_income() -> None:
    """Days begin at other moments now."""
    notes.drop(_INCOME_KEPT)
    with transaction():
        IncomeDay.delete().execute()
        DayCount.delete().where(DayCount.what == PAYING).execute()


def _keep_day(day: str, timezone: ZoneInfo) -> None:
    at, until = _bounds(day, timezone)
    with snapshot():
        parts, payers = income.sums(at, until), income.payers(at, until)
    rows = [
        {
            "day": day,
            "provider": provider,
            "plan_code": plan_code or "",
            "currency": each.currency,
            "payments": each.payments,
            "amount": each.amount,
            "refunded": each.refunded,
        }
        for (provider, plan_code), sums in income.totals_by(parts, lambda part: (part.provider, part.plan_code)).items()
        for each in sums
    ]
    with transaction():
        IncomeDay.delete().where(IncomeDay.day == day).execute()
        DayCount.delete().where((DayCount.day == day) & (DayCount.what == PAYING)).execute()
        if rows:
            IncomeDay.insert_many(rows).execute()
        if payers:
            DayCount.insert(day=day, what=PAYING, key="", count=payers).execute()
    give_way()


def _stale(kept: Mapping[str, Any], starts: Sequence[int], timezone: ZoneInfo) -> set[str]:
    """The days that have begun, or whose payments have changed, since they were kept. Days sort as text."""
    begun = {day for at in starts if (day := day_of(at, timezone)) > kept["until"]}
    return begun | _touched(kept["history"], timezone)


def _touched(history: int, timezone: ZoneInfo) -> set[str]:
    """The days of payments that have changed since."""
    return {day_of(at, timezone) for (at,) in execute(_TOUCHED, (history,))}


def _sum(provider: str, plan_code: str, *amounts: Any) -> Sum:
    return Sum(0, provider, plan_code or None, Income(*amounts))


def _at(at: int, of: Sum) -> Sum:
    return Sum(at, of.provider, of.plan_code, of.income)


# Deliveries, refusals, ends of access, new customers


def _counts_since(starts: Sequence[int], timezone: ZoneInfo, now: int) -> Counts:
    counts: Counts = Counter()
    for day, what, key, count in execute(_STORED_COUNTS, (day_of(starts[0], timezone),)):
        counts[day, what, key] += count
    ends = (*starts[1:], now + DAY_S)
    jobs_kept = notes.get(_JOBS_KEPT) or 0
    for at, until in zip(starts, ends, strict=True):
        if until > jobs_kept:
            counts += _ended(max(at, jobs_kept), until, day_of(at, timezone))
    counts += _lost(notes.get(_EVENTS_KEPT) or 0, timezone)
    new_kept = notes.get(_NEW_KEPT) or ""
    history = notes.get(_INCOME_KEPT)
    stale = {day_of(at, timezone) for at in starts}
    if history is not None and history["timezone"] == str(timezone):
        stale = _stale(history, starts, timezone)
    for at, until in zip(starts, ends, strict=True):
        day = day_of(at, timezone)
        if day > new_kept:
            counts[day, NEW, ""] = _new(at, until)
        if day in stale:
            counts[day, PAYING, ""] = income.payers(at, until)
    return counts


def _keep_jobs(timezone: ZoneInfo, now: int) -> None:
    kept, until = notes.get(_JOBS_KEPT) or 0, now - SETTLED_S
    while (at := _next_ended(kept)) < until:
        end = min(until, at + STEP_S, _bounds(day_of(at, timezone), timezone)[1])
        _add(_ended(at, end, day_of(at, timezone)), _JOBS_KEPT, end, now)
        kept = end
        give_way()


def _next_ended(since: int) -> int:
    """When the first link ended since that moment; later than ever where none has."""
    found = [execute(_NEXT_ENDED, (state, since)).fetchone()[0] for state in _OF_STATE]
    return min((at for at in found if at is not None), default=BEYOND)


def _ended(since: int, until: int, day: str) -> Counts:
    rows = execute(_ENDED, (since, until))
    return Counter({(day, _OF_STATE[JobState(state)], key or ""): count for state, key, count in rows})


def _keep_events(timezone: ZoneInfo, now: int) -> None:
    kept, newest = notes.get(_EVENTS_KEPT) or 0, _newest("event")
    counts = _lost(kept, timezone)
    if counts or newest - kept > FEW_EVENTS:
        _add(counts, _EVENTS_KEPT, newest, now)


def _lost(since: int, timezone: ZoneInfo) -> Counts:
    """Ends of access that were told by events newer than that one."""
    return Counter((day_of(ms // 1000, timezone), LOST, "") for (ms,) in execute(_LOST, (since,)))


def _keep_new(timezone: ZoneInfo, now: int) -> None:
    today = day_of(now - HOUR_S, timezone)
    kept = notes.get(_NEW_KEPT)
    begun = kept or _first_day('SELECT MIN(created_at) FROM "user"', timezone, now)
    over = [day for day in _days_between(begun, today) if day < today and day != kept]
    if not over:
        return
    counts = Counter({(day, NEW, ""): _new(*_bounds(day, timezone)) for day in over})
    _add(+counts, _NEW_KEPT, over[-1], now)


def _new(since: int, until: int) -> int:
    return int(execute(_NEW, (since, until)).fetchone()[0])


def _add(counts: Counts, note: str, value: object, now: int) -> None:
    with transaction():
        for (day, what, key), count in counts.items():
            execute(_COUNT, (day, what, key, count))
        notes.write(note, value, now)


def _newest(table: str) -> int:
    return int(execute(f'SELECT COALESCE(MAX(id), 0) FROM "{table}"').fetchone()[0])


def _first_day(statement: str, timezone: ZoneInfo, now: int) -> str:
    (first,) = execute(statement).fetchone()
    return day_of(min(now, first or now), timezone)


def _days_between(first: str, last: str) -> Iterator[str]:
    """The days from the first to the last, both with them."""
    day = datetime.fromisoformat(first).date()
    while (text := day.isoformat()) <= last:
        yield text
        day += timedelta(days=1)


def _bounds(day: str, timezone: ZoneInfo) -> tuple[int, int]:
    """When a day begins, and when it is over."""
    start = datetime.fromisoformat(day).replace(tzinfo=timezone)
    return int(start.timestamp()), int((start + timedelta(days=1)).timestamp())


def _day(at: int, sums: Iterable[Sum], counts: Counter[tuple[str, str]]) -> Day:
    def by_key(what: str) -> dict[str, int]:
        found = {key: count for (name, key), count in counts.items() if name == what and count}
        return dict(sorted(found.items(), key=lambda each: -each[1]))

    return Day(
        at=at,
        income=tuple(sums),
        new=counts[NEW, ""],
        paying=counts[PAYING, ""],
        lost=counts[LOST, ""],
        delivered=by_key(DELIVERED),
        refused=by_key(REFUSED),
    )
