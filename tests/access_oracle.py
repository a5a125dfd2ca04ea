"""Access as it ought to be, by the rules of ``models/money/fold.py`` once more: slowly, second by second."""

from collections.abc import Callable
from functools import partial

from models.money.fold import Grant, Take


class Counted:
    """What is left of a grant."""

    def __init__(self, grant: Grant, grace: int) -> None:
        self.grant = grant
        self.left = grant.seconds if grant.seconds is not None else max(0, (grant.until or 0) - grant.start)
        self.paid = grant.amount
        self.suspended = 0
        self.running = grant.renews
        self.grace = grace if grant.renews else 0
        self.lost = 0

    @property
    def usable(self) -> bool:
        return self.left > 0 and not self.suspended

    @property
    def graced(self) -> bool:
        return self.grace > 0 and self.left == 0 and not self.suspended

    def hear(self, second: int) -> None:
        news: list[tuple[int, int, int, Callable[[], None]]] = []
        for dispute in self.grant.disputes:
            if dispute.won is False:
                told_twice = [each for each in self.grant.refunds if each.amount == dispute.amount]
                if not any(each.at >= dispute.opened_at for each in told_twice):
                    news.append((dispute.opened_at, 0, dispute.amount or 0, partial(self.remove, dispute.amount)))
            if dispute.won is not False or dispute.amount is not None:
                news.append((dispute.opened_at, 1, 0, partial(self.suspend, 1)))
                if dispute.closed_at is not None:
                    closed_at = max(dispute.opened_at, dispute.closed_at)
                    news.append((closed_at, 2, 0, partial(self.suspend, -1)))
        news += [(refund.at, 3, refund.amount, partial(self.remove, refund.amount)) for refund in self.grant.refunds]
        if self.grant.ended_at is not None:
            news.append((self.grant.ended_at, 4, 0, partial(self.remove, None)))
        if self.grant.renewal_ended_at is not None:
            news.append((self.grant.renewal_ended_at, 5, 0, self.stop))
        for moment, *_, happens in sorted(news, key=lambda each: each[:3]):
            if max(moment, self.grant.start) == second:
                happens()

    def suspend(self, more: int) -> None:
        self.suspended += more

    def remove(self, amount: int | None) -> None:
        if amount is None or amount >= self.paid:
            self.left, self.grace = 0, 0
            self.paid = 0 if amount is not None else self.paid
            return
        self.left -= self.left * amount // self.paid
        self.paid -= amount

    def cut(self, rest: int) -> int:
        cut = min(rest, self.left)
        self.left -= cut
        if cut and not self.left:
            self.grace = 0
        return cut

    def stop(self) -> None:
        self.running, self.grace = False, 0


def simulate(grants: list[Grant], takes: list[Take], grace: int, horizon: int) -> tuple[list[int], list[Counted]]:
    """The level of each second, and what became of each grant: ``lost`` is what ran out under a higher level."""
    started: list[Counted] = []
    levels = []
    for second in range(horizon):
        beginning: list[Grant | Take] = [grant for grant in grants if grant.start == second]
        beginning += [take for take in takes if take.at == second]
        for item in sorted(beginning, key=lambda item: item.id):
            if isinstance(item, Grant):
                started.append(Counted(item, grace))
                continue
            rest = horizon * 100 if item.seconds is None else item.seconds
            for counted in reversed(started):
                if item.level in (None, counted.grant.level):
                    rest -= counted.cut(rest)
                    if item.seconds is None:
                        counted.grace = 0
        for counted in started:
            counted.hear(second)
        levels.append(_consume(started))
    return levels, started


def _consume(started: list[Counted]) -> int:
    graced = [counted for counted in started if counted.graced]
    usable = [counted for counted in started if counted.usable]
    passing = [counted for counted in usable if counted.grant.seconds is None]
    for each in sorted({counted.grant.level for counted in usable if counted.running}):
        passing.append(next(counted for counted in usable if counted.running and counted.grant.level == each))
    level = max((counted.grant.level for counted in passing), default=0)
    covered = max((counted.grant.level for counted in graced), default=0)
    waiting = [each for each in usable if each.grant.seconds is not None and not each.running]
    highest = max((counted.grant.level for counted in waiting), default=0)
    if highest > level and highest >= covered:
        level = highest
        next(counted for counted in waiting if counted.grant.level == level).left -= 1
    for counted in passing:
        counted.left -= 1
        counted.lost += counted.grant.level < level and counted.grant.seconds is not None
    for counted in graced:
        counted.grace -= 1
    return max(level, covered)
