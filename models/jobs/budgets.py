"""Budgets: how much one customer may ask for, whether or not anything is delivered. Refused work counts like work.

A budget has one or more spans, such as 300 an hour and 1,500 a day. A span begins with the first use after the one
before it has ended. What is taken is one row a customer, purpose and span, however much was asked for.

A customer who meets a budget hears once when it goes on: the event is written in the transaction that refused the first
of what they asked for.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from config.units import DAY_S, HOUR_S
from models import outbox
from models.database import execute, transaction
from models.event_kinds import BudgetSpent

PAYING = 5
"""How many times as much a customer may ask for who pays."""


class Purpose(StrEnum):
    """What a budget is for, as it is stored."""

    LINKS = "links"
    LOOKUPS = "lookups"
    """Names and invitations that lead nowhere."""
    MESSAGES = "messages"
    """What is passed on to the operator."""
    COMPLAINTS = "complaints"
    CODES = "codes"
    """Codes that do not exist."""


@dataclass(frozen=True, slots=True)
class Span:
    """So many in so many seconds."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Budget:
    """What one customer may take for one purpose: all spans hold."""

    purpose: Purpose
    spans: tuple[Span, ...]

    def for_paying(self) -> "Budget":
        """The budget of a customer who pays."""
        return replace(self, spans=tuple(Span(PAYING * span.count, span.seconds) for span in self.spans))


@dataclass(frozen=True, slots=True)
class _Used:
    """A span with what was taken of it since *began*."""

    span: Span
    began: int
    count: int
    told: bool

    @property
    def left(self) -> int:
        return max(0, self.span.count - self.count)

    @property
    def ends(self) -> int:
        return self.began + self.span.seconds


LOOKUPS = Budget(Purpose.LOOKUPS, (Span(40, HOUR_S),))

_USED = "SELECT seconds, began_at, count, told_at FROM budget WHERE user_id = ? AND purpose = ?"
_KEEP = """
INSERT INTO budget (user_id, purpose, seconds, began_at, count, told_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (user_id, purpose, seconds)
DO UPDATE SET began_at = excluded.began_at, count = excluded.count, told_at = excluded.told_at
"""
_GIVE_BACK = "UPDATE budget SET count = count - 1 WHERE user_id = ? AND purpose = ? AND count > 0"

_FORGET = """
DELETE FROM budget WHERE began_at < :before
AND user_id IN (SELECT user_id FROM budget WHERE began_at < :before ORDER BY began_at LIMIT 500)
"""


def of_links(an_hour: int, a_day: int) -> Budget:
    """The budget of links, by ``LINKS_PER_HOUR`` and ``LINKS_PER_DAY``."""
    return Budget(Purpose.LINKS, (Span(an_hour, HOUR_S), Span(a_day, DAY_S)))


def take(user_id: int, budget: Budget, wanted: int, now: int) -> int:
    """Take up to *wanted* of a customer's budget; return how many were left to take.

    Who is given less hears once, in each span that is used up, when it goes on. Inside the caller's transaction.
    """
    used = _used(user_id, budget, now)
    granted = min(wanted, *(each.left for each in used))
    if granted < wanted:
        met = max((each for each in used if each.left == granted), key=lambda each: each.ends)
        if not met.told:
            outbox.append(_news(budget, met, granted, wanted - granted), user_id, now)
            used = [replace(each, told=True) if each is met else each for each in used]
    for each in used:
        told = each.told and each.left == granted  # a larger budget makes room again
        _keep(user_id, budget.purpose, replace(each, count=each.count + granted, told=told))
    return granted


def spend(user_id: int, budget: Budget, wanted: int, now: int) -> int:
    """Do as :func:`take` in a transaction of its own, for what leaves no other row."""
    with transaction(durable=False):
        return take(user_id, budget, wanted, now)


def spent_until(user_id: int, budget: Budget, now: int) -> int | None:
    """When a budget that is used up goes on; None while something is left."""
    return max((each.ends for each in _used(user_id, budget, now) if not each.left), default=None)


def give_back(user_id: int, purpose: Purpose) -> None:
    """Give back one that was taken and turned out to cost nothing."""
    with transaction(durable=False):
        execute(_GIVE_BACK, (user_id, purpose))


def forget(now: int) -> None:
    """Delete what no span needs any more, some rows at a time."""
    while True:
        with transaction():
            if not execute(_FORGET, {"before": now - DAY_S}).rowcount:
                return


def _used(user_id: int, budget: Budget, now: int) -> list[_Used]:
    """The budget's spans as they are now. One that has ended, or that a clock set back has put ahead, begins anew."""
    rows = {row[0]: row[1:] for row in execute(_USED, (user_id, budget.purpose))}
    used = []
    for span in budget.spans:
        began, count, told_at = rows.get(span.seconds, (now, 0, None))
        if not began <= now < began + span.seconds:
            began, count, told_at = now, 0, None
        used.append(_Used(span, began, count, told_at is not None))
    return used


def _news(budget: Budget, met: _Used, taken: int, left_out: int) -> BudgetSpent:
    return BudgetSpent(
        purpose=budget.purpose,
        limit=met.span.count,
        seconds=met.span.seconds,
        until=met.ends,
        taken=taken,
        left_out=left_out,
    )


def _keep(user_id: int, purpose: Purpose, used: _Used) -> None:
    told_at = used.began if used.told else None
    execute(_KEEP, (user_id, purpose, used.span.seconds, used.began, used.count, told_at))
