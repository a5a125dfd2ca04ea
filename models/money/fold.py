"""Which level of access holds when: a pure fold over what was bought, given and taken back.

No second that was paid is lost, with one exception (3), of which customers read before they buy.

1. A payment is a *budget* of the seconds of its order, from its completion on. At any moment the highest level that
   holds any is consumed, the oldest budget first, while lower levels pause.
2. The budget of a renewal *runs*: it is consumed by the wall clock, while other budgets of its level and below pause.
   Of several running ones of a level the oldest is consumed, the others wait whole.
3. A running budget is consumed under a higher level too.
4. When the provider first says that the renewal has ended, its budgets stop running for good: what is left of them
   waits like any other budget.
5. When a running budget is used up, its level holds for another day of *grace*, because the next payment rarely
   arrives on the second. Grace is no grant: nothing is consumed, budgets of lower levels pause, and whatever ends the
   renewal or takes the payment back ends it.
6. A *window*, an end that an admin set or no end, passes by the wall clock, whatever else there is. Budgets of its
   level and below pause meanwhile; a higher budget is consumed over it.
7. A refund removes the unconsumed time of its own grant, in proportion, rounded down; the refund that completes the
   amount removes all that is left. A dispute suspends its grant from the opening on. What we lose of it is removed
   like a refund of that moment, and everything else comes back. Neither touches consumed time or another grant.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from config.units import DAY_S

GRACE_S = DAY_S
"""Seconds for which a level holds after a running budget is used up."""


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
    ``ended_at`` is when the payment was reversed: nothing is left from then on. A budget that ``renews``, by the
    ``subscription`` of that id, runs until ``renewal_ended_at``. ``by_provider``: a provider says when it began, so it
    has begun, whatever our clock says.
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
    renews: bool = False
    renewal_ended_at: int | None = None
    subscription: int | None = None
    by_provider: bool = False


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
class Stretch:
    """``[start, end)`` at a level because of the grant of that id, its grace included; ``end`` None: no end."""

    start: int
    end: int | None
    level: int
    grant: str


def fold(grants: Iterable[Grant], takes: Iterable[Take] = (), grace_s: int = GRACE_S) -> tuple[Interval, ...]:
    """Return which level holds when: disjoint intervals in order of time. Gaps are free."""
    return sweep(grants, takes, grace_s)[0]


def stretches(grants: Iterable[Grant], takes: Iterable[Take] = ()) -> tuple[Stretch, ...]:
    """The intervals of :func:`fold`, parted by the grant that each level is due to."""
    explained: list[Stretch] = []
    _swept(grants, takes, _Sweep(GRACE_S, stretches=explained))
    return tuple(explained)


def began(grants: Iterable[Grant], takes: Iterable[Take] = ()) -> Mapping[str, int]:
    """When each finite grant begins to be consumed, by its id. Grants that never are have no entry."""
    lives = sweep(grants, takes, GRACE_S)[1]
    return {grant: life.began_at for grant, life in lives.items() if life.began_at is not None}


@dataclass(frozen=True, slots=True)
class Life:
    """What is consumed of a grant: from when on (None: never), and how many seconds of its finite part in all."""

    began_at: int | None
    seconds: int


def sweep(
    grants: Iterable[Grant], takes: Iterable[Take] = (), grace_s: int = GRACE_S
) -> tuple[tuple[Interval, ...], Mapping[str, Life]]:
    """Return the intervals of :func:`fold`, and what is consumed of each grant, by its id."""
    state = _swept(grants, takes, _Sweep(grace_s))
    lives = {holding.grant.id: Life(holding.began_at, holding.lived) for holding in state.holdings}
    return tuple(state.intervals), lives


def _swept(grants: Iterable[Grant], takes: Iterable[Take], state: "_Sweep") -> "_Sweep":
    for second, *_, apply in _happenings(state, grants, takes):
        state.advance(second)
        apply()
    state.advance(None)
    return state


@dataclass(slots=True, eq=False)
class _Holding:
    """The rest of a grant during the sweep. ``left`` None: no end; ``owed`` is the amount that is not refunded yet.

    ``grace`` is what is left of the grace, in seconds.
    """

    grant: Grant
    left: int | None
    owed: int
    place: int = 0
    is_running: bool = False
    grace: int = 0
    suspensions: int = 0
    lived: int = 0
    began_at: int | None = None

    @property
    def is_consumable(self) -> bool:
        return self.left != 0 and not self.suspensions

    def live(self, now: int, seconds: int) -> None:
        if self.began_at is None:
            self.began_at = now
        self.lived += seconds
        if self.left is not None:
            self.left -= seconds

    def suspend(self) -> None:
        self.suspensions += 1

    def resume(self) -> None:
        self.suspensions -= 1

    def end(self) -> None:
        self.left, self.grace = 0, 0

    def refund(self, amount: int) -> None:
        if amount >= self.owed:
            self.end()
            self.owed = 0
            return
        if self.left is not None:
            self.left -= self.left * amount // self.owed
        self.owed -= amount

    def cut(self, seconds: int) -> int:
        """Remove up to so many seconds; return how many were removed."""
        if self.left is None:
            return 0
        removed = min(seconds, self.left)
        self.left -= removed
        if removed and not self.left:
            self.end()
        return removed


@dataclass(slots=True)
class _Sweep:
    """A walk along time. Between two happenings grants change by being consumed alone.

    A budget stands in ``running`` or in ``budgets``, by level and in the order in which the grants began.
    """

    grace_s: int
    now: int | None = None
    holdings: list[_Holding] = field(default_factory=list)
    windows: deque[_Holding] = field(default_factory=deque)
    running: dict[int, deque[_Holding]] = field(default_factory=dict)
    budgets: dict[int, deque[_Holding]] = field(default_factory=dict)
    graces: list[_Holding] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    stretches: list[Stretch] | None = None
    """None where nobody asks what a level is due to: access is folded for each message."""

    def start(self, holding: _Holding) -> None:
        holding.place = len(self.holdings)
        self.holdings.append(holding)
        if holding.grant.seconds is None:
            self.windows.append(holding)
            return
        if holding.grant.renews:
            holding.is_running, holding.grace = True, self.grace_s
        lines = self.running if holding.is_running else self.budgets
        lines.setdefault(holding.grant.level, deque()).append(holding)

    def stop_running(self, holding: _Holding) -> None:
        """Let what is left wait like any other budget, at the place of its beginning."""
        holding.grace = 0
        if not holding.is_running:
            return
        holding.is_running = False
        level = holding.grant.level
        if holding in self.running[level]:
            self.running[level].remove(holding)
            insort(self.budgets.setdefault(level, deque()), holding, key=_place)

    def take(self, take: Take) -> None:
        rest = take.seconds
        for holding in reversed(self.holdings):
            if take.level not in (None, holding.grant.level):
                continue
            if rest is None:
                holding.end()
            else:
                rest -= holding.cut(rest)

    def advance(self, until: int | None) -> None:
        """Consume time up to *until* (None: all there is)."""
        now = until if self.now is None else self.now
        while now is not None and (until is None or now < until):
            now = self._live(now, until)
        self.now = until

    def _live(self, now: int, until: int | None) -> int | None:
        """Consume one stretch in which nothing else changes, and return its end."""
        self._drop_used_up()
        living = self._passing()
        graces = [holding for holding in self.graces if not holding.suspensions] if self.graces else []
        level, covered = _highest(living) if living else 0, _highest(graces) if graces else 0
        budget = self._budget_above(level)
        if budget is not None and budget.grant.level >= covered:
            living.append(budget)
            level = budget.grant.level
        level = max(level, covered)
        if not level:
            return until
        ends = [now + holding.left for holding in living if holding.left is not None]
        ends += [now + holding.grace for holding in graces]
        end = min([*ends, until] if until is not None else ends, default=None)
        self._emit(now, end, level)
        if self.stretches is not None:
            self._explain(self.stretches, now, end, _due_to(level, (*reversed(living), *graces)))
        if end is not None:
            for holding in living:
                holding.live(now, end - now)
                if holding.is_running and not holding.left:
                    self._begin_grace(holding)
            for holding in graces:
                holding.grace -= end - now
        return end

    def _drop_used_up(self) -> None:
        """Forget what cannot be consumed any more, so that the work grows with the grants and no faster."""
        if self.graces:
            self.graces = [holding for holding in self.graces if holding.grace]
        for line in (self.windows, *self.running.values(), *self.budgets.values()):
            while line and line[0].left == 0:
                line.popleft()

    def _begin_grace(self, holding: _Holding) -> None:
        self.running[holding.grant.level].remove(holding)
        self.graces.append(holding)

    def _passing(self) -> list[_Holding]:
        """What is consumed by the wall clock: the windows, and the oldest running budget of each level."""
        passing = [holding for holding in self.windows if holding.is_consumable] if self.windows else []
        for line in self.running.values():
            for holding in line:
                if holding.is_consumable:
                    passing.append(holding)
                    break
        return passing

    def _budget_above(self, level: int) -> _Holding | None:
        for candidate in sorted(self.budgets, reverse=True):
            if candidate <= level:
                return None
            for holding in self.budgets[candidate]:
                if holding.is_consumable:
                    return holding
        return None

    def _emit(self, start: int, end: int | None, level: int) -> None:
        last = self.intervals[-1] if self.intervals else None
        if last is not None and last.end == start and last.level == level:
            self.intervals[-1] = Interval(last.start, end, level)
        else:
            self.intervals.append(Interval(start, end, level))

    @staticmethod
    def _explain(stretches: list[Stretch], start: int, end: int | None, holding: _Holding) -> None:
        """Keep which grant the level is due to."""
        last, grant = stretches[-1] if stretches else None, holding.grant
        if last is not None and last.end == start and last.grant == grant.id:
            start = stretches.pop().start
        stretches.append(Stretch(start, end, grant.level, grant.id))


def _due_to(level: int, holdings: Sequence[_Holding]) -> _Holding:
    return next(holding for holding in holdings if holding.grant.level == level)


def _place(holding: _Holding) -> int:
    return holding.place


def _highest(holdings: list[_Holding]) -> int:
    return max([holding.grant.level for holding in holdings])


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
        for moment, rank, amount, apply in _news(state, holding):
            happenings.append((max(moment, grant.start), _AFTER, grant.id, moment, rank, amount, apply))
    return sorted(happenings, key=lambda happening: happening[:-1])


def _news(state: _Sweep, holding: _Holding) -> Iterator[tuple[int, int, int, Callable[[], None]]]:
    """Yield what happens to a grant after its start: second, rank and amount (which order one second), and the act."""
    grant = holding.grant
    for dispute in grant.disputes:
        yield from _news_of_dispute(holding, dispute)
    for refund in grant.refunds:
        yield refund.at, 3, refund.amount, partial(holding.refund, refund.amount)
    if grant.ended_at is not None:
        yield grant.ended_at, 4, 0, holding.end
    if grant.renewal_ended_at is not None:
        yield grant.renewal_ended_at, 5, 0, partial(state.stop_running, holding)


def _news_of_dispute(holding: _Holding, dispute: Disputed) -> Iterator[tuple[int, int, int, Callable[[], None]]]:
    if dispute.won is False and dispute.amount is None:
        yield dispute.opened_at, 0, 0, holding.end
        return
    if dispute.won is False and dispute.amount is not None and not is_refunded(dispute, holding.grant.refunds):
        yield dispute.opened_at, 0, dispute.amount, partial(holding.refund, dispute.amount)
    yield dispute.opened_at, 1, 0, holding.suspend
    if dispute.closed_at is not None:
        yield max(dispute.opened_at, dispute.closed_at), 2, 0, holding.resume


def is_refunded(lost: Disputed, refunds: Iterable[Refunded]) -> bool:
    """Whether the lost part of a payment is among its refunds: the provider reports that money twice."""
    return any(refund.amount == lost.amount and refund.at >= lost.opened_at for refund in refunds)


def _whole(grant: Grant) -> int | None:
    if grant.forever:
        return None
    if grant.seconds is not None:
        return grant.seconds
    return max(0, (grant.until or 0) - grant.start)
