"""The pace at which one account makes the calls that Telegram answers with long flood waits when there are many.

Kept in memory; the clock is an argument (monotonic seconds). Each customer has a pace of their own below that of the
account, so who asks for hundreds of names keeps nobody else waiting for long. A turn is given once: who is told to wait
finds it kept, by the key of what they look for.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

REMEMBERED = 10_000


@dataclass(frozen=True)
class Rate:
    """One call every so many seconds, and so many at once after a rest."""

    every_s: float
    burst: int


class Turns:
    """Turns at a rate."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._next = float("-inf")
        self._kept: OrderedDict[Hashable, float] = OrderedDict()

    def wait(self, key: Hashable, now: float) -> float:
        """Take the turn and return 0, or return the seconds until it comes; it is kept for *key*."""
        due = self._kept.pop(key, None)
        if due is None:
            self._next = max(self._next, now - self._rate.burst * self._rate.every_s) + self._rate.every_s
            due = self._next
        if due <= now:
            return 0.0
        self._kept[key] = due
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return due - now


class Pace:
    """The pace of one call of one account: each customer's turn first, then the account's."""

    def __init__(self, account: Rate, customer: Rate) -> None:
        self._customer_rate = customer
        self._account = Turns(account)
        self._customers: OrderedDict[int, Turns] = OrderedDict()
        self._passed: OrderedDict[Hashable, None] = OrderedDict()
        self._flooded_until = float("-inf")

    def flooded(self, seconds: float, now: float) -> None:
        """Note that Telegram asks for a flood wait: a call before its end would only prolong it."""
        self._flooded_until = now + seconds

    def flood(self, now: float) -> float:
        """The seconds for which Telegram wants no such call."""
        return max(0.0, self._flooded_until - now)

    def wait(self, customer: int | None, key: Hashable, now: float) -> float:
        """Take the turn and return 0, or return the seconds until it is worth asking again with the same *key*.

        :param customer: None for a call of the operator's own.
        """
        if customer is not None and key not in self._passed:
            wait = self._turns_of(customer).wait(key, now)
            if wait:
                return wait
            self._passed[key] = None
            if len(self._passed) > REMEMBERED:
                self._passed.popitem(last=False)
        wait = self._account.wait(key, now)
        if not wait:
            self._passed.pop(key, None)
        return wait

    def _turns_of(self, customer: int) -> Turns:
        turns = self._customers.pop(customer, None) or Turns(self._customer_rate)
        self._customers[customer] = turns
        if len(self._customers) > REMEMBERED:
            self._customers.popitem(last=False)
        return turns
