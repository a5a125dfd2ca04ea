"""What a customer may use, and until when.

Access is not stored but computed: a pure fold over payments, refunds, disputes, and what admins gave and took. Nothing
is overwritten, so the order in which reports arrive does not matter.

- A *budget* holds seconds of a level. At any moment the highest level that holds any is consumed, the oldest grant
  first, while lower levels pause.
- A *window* runs by the wall clock, whatever else there is: a renewed subscription, an end that an admin set, or no
  end. Budgets of its level and below pause meanwhile; a higher budget is consumed over it.
- A refund removes the unconsumed time of its own grant, in proportion, rounded down; the refund that completes the
  amount removes all that is left. A dispute suspends its grant from the opening on, and gives back all that it withheld
  if we win it. Neither touches consumed time or another grant.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from config.units import DAY_S
from models import outbox
from models.database import execute, snapshot, transaction
from models.errors import NotFound
from models.event_kinds import AccessGiven, AccessTaken
from models.tables import Adjustment, User

GRACE_S = DAY_S
"""Seconds by which a renewed period exceeds the provider's end: the next payment rarely arrives on the second."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """Money given back for a grant: *amount* in the grant's own minor units."""

    at: int
    amount: int


@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute of a grant. ``won`` None: not decided yet; False: the payer won ``amount``, or all of it where None."""

    opened_at: int
    closed_at: int | None = None
    won: bool | None = None
    amount: int | None = None


def part_of(amount: int | None, currency: str | None, paid: int, paid_currency: str) -> int | None:
    """What a dispute takes of a payment, in its minor units; None: all of it."""
    return amount if amount is not None and currency == paid_currency and 0 < amount < paid else None


@dataclass(frozen=True, slots=True)
class Grant:
    """Time of a level: a budget of ``seconds``, or a window from ``start`` to ``until`` or ``forever``.

    ``id`` breaks ties between grants of one second, so it must not depend on when their reports arrived.
    ``ended_at`` is when the payment was reversed: nothing is left from then on.
    """

    id: str
    level: int
    start: int
    seconds: int | None = None
    until: int | None = None
    forever: bool = False
    amount: int = 0
    refunds: tuple[Refunded, ...] = ()
    disputes: tuple[Disputed, ...] = ()
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """What an admin took back, from the newest grant to the oldest. None means every level, or all seconds.

    A number of seconds cannot be taken from a grant without an end.
    """

    id: str
    at: int
    level: int | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """``[start, end)`` at a level; ``end`` None: no end."""

    start: int
    end: int | None
    level: int


@dataclass(frozen=True, slots=True)
class Access:
    """A customer's access at a moment. Level 0 is free; ``until`` is when the interval of this level ends."""

    level: int
    until: int | None
    forever: bool
    intervals: tuple[Interval, ...]


def fold(grants: Iterable[Grant], takes: Iterable[Take] = ()) -> tuple[Interval, ...]:
    """Return which level holds when: disjoint intervals in order of time. Gaps are free."""
    return sweep(grants, takes)[0]


def sweep(grants: Iterable[Grant], takes: Iterable[Take] = ()) -> tuple[tuple[Interval, ...], Mapping[str, int]]:
    """Return the intervals of :func:`fold`, and how many seconds of each grant are consumed in all (finite part)."""
    state = _Sweep()
    for second, *_, apply in _happenings(state, grants, takes):
        state.advance(second)
        apply()
    state.advance(None)
    return tuple(state.intervals), {holding.grant.id: holding.lived for holding in state.holdings}


@dataclass(slots=True, eq=False)
class _Holding:
    """The rest of a grant during the sweep. ``left`` None: no end; ``owed`` is the amount that is not refunded yet."""

    grant: Grant
    left: int | None
    owed: int
    suspensions: int = 0
    lived: int = 0

    @property
    def runs(self) -> bool:
        return self.left != 0 and not self.suspensions

    def live(self, seconds: int) -> None:
        self.lived += seconds
        if self.left is not None:
            self.left -= seconds

    def suspend(self) -> None:
        self.suspensions += 1

    def resume(self) -> None:
        self.suspensions -= 1

    def end(self) -> None:
        self.left = 0

    def refund(self, amount: int) -> None:
        if amount >= self.owed:
            self.left, self.owed = 0, 0
            return
        if self.left is not None:
            self.left -= self.left * amount // self.owed
        self.owed -= amount


@dataclass(slots=True)
class _Sweep:
    """A walk along time. Between two happenings grants change by being consumed alone."""

    now: int | None = None
    holdings: list[_Holding] = field(default_factory=list)
    windows: list[_Holding] = field(default_factory=list)
    budgets: dict[int, deque[_Holding]] = field(default_factory=dict)
    intervals: list[Interval] = field(default_factory=list)

    def start(self, holding: _Holding) -> None:
        self.holdings.append(holding)
        if holding.grant.seconds is None:
            self.windows.append(holding)
        else:
            self.budgets.setdefault(holding.grant.level, deque()).append(holding)

    def take(self, take: Take) -> None:
        rest = take.seconds
        for holding in reversed(self.holdings):
            if take.level not in (None, holding.grant.level):
                continue
            if rest is None:
                holding.end()
            elif holding.left is not None:
                cut = min(rest, holding.left)
                holding.left -= cut
                rest -= cut

    def advance(self, until: int | None) -> None:
        """Consume time up to *until* (None: all there is)."""
        now = until if self.now is None else self.now
        while now is not None and (until is None or now < until):
            now = self._live(now, until)
        self.now = until

    def _live(self, now: int, until: int | None) -> int | None:
        """Consume one stretch in which nothing else changes, and return its end."""
        self.windows = [holding for holding in self.windows if holding.left != 0]
        living = [holding for holding in self.windows if not holding.suspensions]
        level = max((holding.grant.level for holding in living), default=0)
        budget = self._budget_above(level)
        if budget is not None:
            living.append(budget)
            level = budget.grant.level
        if not living:
            return until
        ends = [now + holding.left for holding in living if holding.left is not None]
        if until is not None:
            ends.append(until)
        end = min(ends, default=None)
        self._emit(now, end, level)
        if end is not None:
            for holding in living:
                holding.live(end - now)
        return end

    def _budget_above(self, level: int) -> _Holding | None:
        for candidate in sorted(self.budgets, reverse=True):
            if candidate <= level:
                return None
            line = self.budgets[candidate]
            while line and line[0].left == 0:
                line.popleft()
            for holding in line:
                if holding.runs:
                    return holding
        return None

    def _emit(self, start: int, end: int | None, level: int) -> None:
        last = self.intervals[-1] if self.intervals else None
        if last is not None and last.end == start and last.level == level:
            self.intervals[-1] = Interval(last.start, end, level)
        else:
            self.intervals.append(Interval(start, end, level))


_BEGIN, _AFTER = 0, 1
"""Order within one second: grants and takes first, by id, then what happens to them."""

_Happening = tuple[int, int, str, int, int, int, Callable[[], None]]
"""A change and its sort key in front of it: second, phase, id, reported second, rank, amount."""


def _happenings(state: _Sweep, grants: Iterable[Grant], takes: Iterable[Take]) -> list[_Happening]:
    happenings: list[_Happening] = [
        (take.at, _BEGIN, take.id, take.at, 0, 0, partial(state.take, take)) for take in takes
    ]
    for grant in grants:
        holding = _Holding(grant, _whole(grant), grant.amount)
        happenings.append((grant.start, _BEGIN, grant.id, grant.start, 0, 0, partial(state.start, holding)))
        for moment, rank, amount, apply in _news(holding):
            happenings.append((max(moment, grant.start), _AFTER, grant.id, moment, rank, amount, apply))
    return sorted(happenings, key=lambda happening: happening[:-1])


def _news(holding: _Holding) -> Iterator[tuple[int, int, int, Callable[[], None]]]:
    """Yield what happens to a grant after its start: second, rank and amount (which order one second), and the act."""
    grant = holding.grant
    for dispute in grant.disputes:
        yield from _news_of_dispute(holding, dispute)
    for refund in grant.refunds:
        yield refund.at, 3, refund.amount, partial(holding.refund, refund.amount)
    if grant.ended_at is not None:
        yield grant.ended_at, 4, 0, holding.end


def _news_of_dispute(holding: _Holding, dispute: Disputed) -> Iterator[tuple[int, int, int, Callable[[], None]]]:
    if dispute.won is False and dispute.amount is None:
        yield dispute.opened_at, 0, 0, holding.end
        return
    if dispute.won is False and dispute.amount is not None and not _is_refunded(dispute, holding.grant.refunds):
        yield dispute.opened_at, 0, dispute.amount, partial(holding.refund, dispute.amount)
    yield dispute.opened_at, 1, 0, holding.suspend
    if dispute.closed_at is not None:
        yield max(dispute.opened_at, dispute.closed_at), 2, 0, holding.resume


def _is_refunded(lost: Disputed, refunds: Iterable[Refunded]) -> bool:
    """Whether the lost part of a payment is among its refunds: the provider reports that money twice."""
    return any(refund.amount == lost.amount and refund.at >= lost.opened_at for refund in refunds)


def _whole(grant: Grant) -> int | None:
    if grant.forever:
        return None
    if grant.seconds is not None:
        return grant.seconds
    return max(0, (grant.until or 0) - grant.start)


def _covering(intervals: Sequence[Interval], moment: int) -> Interval | None:
    for interval in intervals:
        if interval.start <= moment and (interval.end is None or moment < interval.end):
            return interval
    return None


def of(user_id: int, now: int) -> Access:
    """Return a customer's access. Inside a transaction it sees what the transaction wrote."""
    intervals = _intervals(user_id)
    interval = _covering(intervals, now)
    if interval is None:
        return Access(0, None, False, intervals)
    return Access(interval.level, interval.end, interval.end is None, intervals)


def give(
    user_id: int,
    level: int,
    *,
    seconds: int | None = None,
    until: int | None = None,
    forever: bool = False,
    reason: str,
    by: int | None,
    now: int,
    source: str | None = None,
) -> bool:
    """Give time of a level: exactly one of *seconds*, *until* and *forever*.

    *source* names what must not be given twice, such as a row of an import. Returns False if it was given before.

    :raises NotFound: nobody has this id.
    :raises ValueError: not exactly one span, or a span without time.
    """
    if [seconds is not None, until is not None, forever].count(True) != 1:
        raise ValueError("exactly one of seconds, until and forever")
    if (seconds is not None and seconds <= 0) or (until is not None and until <= now) or level <= 0:
        raise ValueError("nothing to give")
    with transaction():
        _require_user(user_id)
        if source is not None and Adjustment.select().where(Adjustment.source == source).exists():
            return False
        given = AccessGiven(level=level, seconds=seconds, until=until, forever=forever, reason=reason)
        Adjustment.insert(user=user_id, kind="give", source=source, by=by, at=now, **given.stored()).execute()
        outbox.append(given, user_id, now)
        changed(user_id, now)
        return True


def take(user_id: int, level: int | None, seconds: int | None, reason: str, by: int | None, now: int) -> bool:
    """Take time back, from the newest grant to the oldest. None means every level, or all that is left.

    Returns False if the customer's access stays as it was. The take is stored even then: time that a dispute withholds
    does not come back after it.

    :raises NotFound: nobody has this id.
    :raises ValueError: no time to take.
    """
    if seconds is not None and seconds <= 0:
        raise ValueError("nothing to take")
    with transaction():
        _require_user(user_id)
        taken = AccessTaken(level=level, seconds=seconds, reason=reason)
        before = _intervals(user_id)
        Adjustment.insert(user=user_id, kind="take", by=by, at=now, **taken.stored()).execute()
        if _intervals(user_id) == before:
            return False
        outbox.append(taken, user_id, now)
        changed(user_id, now)
        return True


def changed(user_id: int, now: int) -> None:
    """Have the reminders check this customer again. Call it inside the transaction that changed their access."""
    User.update(access_look_at=now).where(User.id == user_id).execute()


def _require_user(user_id: int) -> None:
    if not User.select(User.id).where(User.id == user_id).exists():
        raise NotFound("user", user_id)


def cuts(user_id: int) -> frozenset[int]:
    """Return the moments of refunds, reversals, disputes and takes.

    Access that ends at such a moment was cut short, and the customer hears of the cause instead of an end.
    """
    grants, takes = _history(user_id)
    moments = {take.at for take in takes}
    for grant in grants:
        lost = [dispute.opened_at for dispute in grant.disputes] + [refund.at for refund in grant.refunds]
        lost += [grant.ended_at] if grant.ended_at is not None else []
        moments |= {max(moment, grant.start) for moment in lost}
    return frozenset(moments)


def _intervals(user_id: int) -> tuple[Interval, ...]:
    return fold(*_history(user_id))


def _history(user_id: int) -> tuple[list[Grant], list[Take]]:
    with snapshot():
        grants = _payment_grants(user_id)
        adjustments = _rows("SELECT * FROM adjustment WHERE user_id = ?", user_id)
    grants.extend(_adjustment_grant(row) for row in adjustments if row["kind"] == "give")
    takes = [
        Take(_adjustment_id(row), row["at"], row["level"], row["seconds"])
        for row in adjustments
        if row["kind"] == "take"
    ]
    return grants, takes


def _rows(statement: str, user_id: int) -> list[dict[str, Any]]:
    """Read rows as dictionaries. In SQL, because this runs per message, and Peewee's queries took longer to build."""
    cursor = execute(statement, (user_id,))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


_BOUGHT = 'payment.user_id = ? AND payment."grants" AND payment.completed_at IS NOT NULL'
_PAYMENTS = f"SELECT * FROM payment WHERE {_BOUGHT}"
_REFUNDS = f"SELECT refund.* FROM payment JOIN refund ON refund.payment_id = payment.id WHERE {_BOUGHT}"
_DISPUTES = (
    "SELECT dispute.*, payment.amount AS paid, payment.currency AS paid_currency "
    f"FROM payment JOIN dispute ON dispute.payment_id = payment.id WHERE {_BOUGHT}"
)


def _payment_grants(user_id: int) -> list[Grant]:
    rows = _rows(_PAYMENTS, user_id)
    if not rows:
        return []
    refunds: dict[int, list[Refunded]] = {}
    for row in _rows(_REFUNDS, user_id):
        refunds.setdefault(row["payment_id"], []).append(Refunded(row["at"], row["amount"]))
    disputes: dict[int, list[Disputed]] = {}
    for row in _rows(_DISPUTES, user_id):
        won = None if row["won"] is None else bool(row["won"])
        part = part_of(row["amount"], row["currency"], row["paid"], row["paid_currency"])
        disputes.setdefault(row["payment_id"], []).append(Disputed(row["opened_at"], row["closed_at"], won, part))
    return [_payment_grant(row, refunds.get(row["id"], ()), disputes.get(row["id"], ())) for row in rows]


def _payment_grant(row: Mapping[str, Any], refunds: Iterable[Refunded], disputes: Iterable[Disputed]) -> Grant:
    return Grant(
        id=f"{row['provider']}:{row['remote_id']}",
        level=row["level"],
        start=row["effective_at"],
        seconds=row["seconds"],
        until=None if row["period_end"] is None else row["period_end"] + GRACE_S,
        amount=row["amount"],
        refunds=tuple(refunds),
        disputes=tuple(disputes),
        ended_at=row["reversed_at"],
    )


def _adjustment_grant(row: Mapping[str, Any]) -> Grant:
    return Grant(
        id=_adjustment_id(row),
        level=row["level"],
        start=row["at"],
        seconds=row["seconds"],
        until=row["until"],
        forever=bool(row["forever"]),
    )


def _adjustment_id(row: Mapping[str, Any]) -> str:
    return f"adjustment:{row['id']:020d}"
