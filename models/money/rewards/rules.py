"""Which rewards follow from what brought customers have paid: values and pure functions.

A reward is never stored. It is time of the plan that was paid, and what happens to the payment happens to it.

1. A payment counts when it buys a plan, is of the minimum amount, also without what went back before its reward begins,
   and comes after the referral. Who had paid before, was brought by nobody.
2. It earns the referrer their days, and the friend theirs if it is their first one that counts by its amount. Both
   begin when it has been held.
3. Both together are at most a share of the time that it bought.
4. Of a referrer's rewards, the first :data:`A_MONTH` that begin in a calendar month (UTC) count.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from config.plans import Referral as Terms
from config.units import DAY_S
from models.money.fold import Disputed, Grant, Refunded, is_refunded
from models.money.providers import SKEW_S

A_MONTH = 10
"""How many rewards of one referrer may begin in a month."""


class Side(StrEnum):
    """Who is rewarded, as it is stored."""

    REFERRER = "referrer"
    FRIEND = "friend"


class Change(StrEnum):
    """What happens to a reward, as it is stored."""

    BEGUN = "begun"
    SHORTENED = "shortened"
    PAUSED = "paused"
    RESUMED = "resumed"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class Paid:
    """A completed payment of somebody who was brought.

    ``number`` is the provider's name with its id of the payment: it orders payments of one second. ``full_amount`` is
    the price without a discount.
    """

    id: int
    number: str
    level: int
    buys_plan: bool
    amount: int
    full_amount: int
    currency: str
    seconds: int
    at: int
    refunds: tuple[Refunded, ...] = ()
    disputes: tuple[Disputed, ...] = ()
    ended_at: int | None = None

    def returned_by(self, moment: int) -> int:
        """How much of it had gone back by then, in minor units."""
        if self.ended_at is not None and self.ended_at <= moment:
            return self.amount
        lost = [each for each in self.disputes if each.won is False and each.opened_at <= moment]
        lost = [each for each in lost if not is_refunded(each, self.refunds)]
        parts = [self.amount if each.amount is None else each.amount for each in lost]
        return min(self.amount, sum(parts) + sum(each.amount for each in self.refunds if each.at <= moment))


@dataclass(frozen=True, slots=True)
class Brought:
    """Somebody who was brought at ``at`` under ``terms``, and all that they have paid."""

    id: int
    at: int
    terms: Terms
    payments: tuple[Paid, ...]

    @property
    def counting(self) -> list[Paid]:
        """The payments that count by their kind, moment and amount, in order of time."""
        # A provider dates a payment, and our clock the referral.
        if any(paid.at < self.at - SKEW_S for paid in self.payments):
            return []
        minimum = self.terms.minimum
        counting = [paid for paid in self.payments if paid.buys_plan and paid.level > 0]
        counting = [paid for paid in counting if paid.currency in minimum and paid.amount >= minimum[paid.currency]]
        return sorted(counting, key=lambda paid: (paid.at, paid.number))

    def start_of(self, paid: Paid) -> int:
        """When the reward for a payment begins."""
        return paid.at + self.terms.hold_days * DAY_S

    def is_enough_left(self, paid: Paid) -> bool:
        """Whether what is left of a payment when its reward begins is still of the minimum amount."""
        return paid.amount - paid.returned_by(self.start_of(paid)) >= self.terms.minimum[paid.currency]


@dataclass(frozen=True, slots=True)
class Reward:
    """Time of the level of the payment ``of``, from ``start`` on."""

    of: Paid
    side: Side
    start: int
    seconds: int

    @property
    def grant(self) -> Grant:
        """The reward as a grant of access."""
        return Grant(
            id=f"reward:{self.of.number}",
            level=self.of.level,
            start=self.start,
            seconds=self.seconds,
            amount=self.of.amount,
            refunds=self.of.refunds,
            disputes=self.of.disputes,
            ended_at=self.of.ended_at,
        )

    @property
    def begins_with(self) -> int:
        """The seconds that it begins with: fewer by the share of the payment that had gone back by then."""
        return self.seconds - self.seconds * self.of.returned_by(self.start) // self.of.amount

    def is_left(self, now: int) -> bool:
        """Whether any of the payment is still there, and so of the reward."""
        return self.of.returned_by(now) < self.of.amount

    def changes(self) -> Iterator[tuple[int, Change]]:
        """What happens to it and when, in order of time, until it is taken. It does not begin amid a dispute."""
        has_begun = not self._is_disputed_at_start
        if has_begun:
            yield self.start, Change.BEGUN
        for moment, happened in sorted(set(self._happened())):
            if moment <= self.start:
                continue
            if happened is Change.RESUMED and not has_begun:
                has_begun, happened = True, Change.BEGUN
            if has_begun:
                yield moment, happened
            if happened is Change.TAKEN:
                return

    @property
    def _is_disputed_at_start(self) -> bool:
        disputes = [each for each in self.of.disputes if each.opened_at <= self.start and each.won is not False]
        return any(each.won is None or each.closed_at is None or each.closed_at > self.start for each in disputes)

    def _happened(self) -> Iterator[tuple[int, Change]]:
        of = self.of
        for refund in of.refunds:
            yield refund.at, self._after(refund.at)
        for dispute in of.disputes:
            if dispute.won is False and not is_refunded(dispute, of.refunds):
                yield dispute.opened_at, self._after(dispute.opened_at)
            elif dispute.won is None:
                yield dispute.opened_at, Change.PAUSED
            elif dispute.won and dispute.closed_at is not None:
                yield dispute.closed_at, Change.RESUMED
        if of.ended_at is not None:
            yield of.ended_at, Change.TAKEN

    def _after(self, moment: int) -> Change:
        return Change.SHORTENED if self.is_left(moment) else Change.TAKEN


def of_referrer(brought: Iterable[Brought]) -> list[Reward]:
    """The rewards of somebody who brought these, in order of time."""
    found = [reward for each in brought for reward in _of(each, Side.REFERRER, is_earned=True)]
    found.sort(key=lambda reward: (reward.start, reward.of.number))
    by_month = groupby(found, key=lambda reward: time.gmtime(reward.start)[:2])
    return [reward for _, month in by_month for reward in list(month)[:A_MONTH]]


def of_friend(brought: Brought) -> list[Reward]:
    """The reward of the friend themselves: one or none."""
    return list(_of(brought, Side.FRIEND, is_earned=True))


def lost(brought: Brought, side: Side) -> list[Reward]:
    """What one side does not get, because too little of the payments is left when the rewards would begin."""
    return list(_of(brought, side, is_earned=False))


def _of(brought: Brought, side: Side, *, is_earned: bool) -> Iterator[Reward]:
    for paid in brought.counting if side is Side.REFERRER else brought.counting[:1]:
        seconds = _seconds(brought.terms, paid, side)
        if seconds and brought.is_enough_left(paid) is is_earned:
            yield Reward(paid, side, brought.start_of(paid), seconds)


def _seconds(terms: Terms, paid: Paid, side: Side) -> int:
    """The time of one side: its days, less where both would exceed the share of what was really paid for."""
    days = terms.referrer_days if side is Side.REFERRER else terms.friend_days
    both = (terms.referrer_days + terms.friend_days) * DAY_S
    most = paid.seconds * paid.amount * terms.share // (100 * max(paid.amount, paid.full_amount))
    return days * DAY_S if both <= most else most * days * DAY_S // both


def coming(rewards: Sequence[Reward], now: int) -> int | None:
    """When the next of them begins; None when none does."""
    return min((reward.start for reward in rewards if reward.start > now), default=None)
