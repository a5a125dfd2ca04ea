"""What providers say of a renewal, in any order, and what follows from it: values and pure functions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from models.money.providers import TRAITS, SubscriptionState

MOVES: Mapping[SubscriptionState, frozenset[SubscriptionState]] = {
    SubscriptionState.PENDING: frozenset(
        {SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED, SubscriptionState.CANCELLED, SubscriptionState.EXPIRED}
    ),
    SubscriptionState.ACTIVE: frozenset(
        {SubscriptionState.SUSPENDED, SubscriptionState.CANCELLED, SubscriptionState.EXPIRED}
    ),
    SubscriptionState.SUSPENDED: frozenset(
        {SubscriptionState.ACTIVE, SubscriptionState.CANCELLED, SubscriptionState.EXPIRED}
    ),
    SubscriptionState.CANCELLED: frozenset({SubscriptionState.ACTIVE, SubscriptionState.EXPIRED}),
    SubscriptionState.EXPIRED: frozenset(),
}

ENDED = frozenset({SubscriptionState.SUSPENDED, SubscriptionState.CANCELLED, SubscriptionState.EXPIRED})
"""States in which nothing is charged: time that was paid does not run out meanwhile."""

_RANK = {state: rank for rank, state in enumerate(SubscriptionState)}


@dataclass(frozen=True, slots=True)
class Report:
    """A provider has said that a renewal is in ``state`` since ``at``, by the provider's clock."""

    state: SubscriptionState
    at: int


def is_guess(provider: str, state: SubscriptionState) -> bool:
    """Whether a state is our own conclusion, because this provider does not tell of it."""
    return state is SubscriptionState.EXPIRED and not TRAITS[provider].tells_of_expiry


def state_after(provider: str, reports: Collection[Report]) -> SubscriptionState:
    """The state that follows from all that was said. Guesses among it count for nothing."""
    state = SubscriptionState.PENDING
    for report in sorted(reports, key=_by_time):
        if not is_guess(provider, report.state) and _may_follow(provider, state, report.state):
            state = report.state
    return state


def ended_at(provider: str, paid_at: int, reports: Collection[Report]) -> int | None:
    """When the renewal first ended for the time that a payment of *paid_at* bought; None while it goes on.

    A payment that was made while the renewal had ended already, and that does not revive it, never belonged to a
    renewal that goes on: its own moment is returned.
    """
    before = [report for report in reports if report.at <= paid_at]
    if state_after(provider, [*before, Report(SubscriptionState.ACTIVE, paid_at)]) in ENDED:
        return paid_at
    endings = [
        report.at
        for report in reports
        if report.at >= paid_at and report.state in ENDED and not is_guess(provider, report.state)
    ]
    return min(endings, default=None)


def _by_time(report: Report) -> tuple[int, int]:
    return report.at, _RANK[report.state]


def _may_follow(provider: str, present: SubscriptionState, wanted: SubscriptionState) -> bool:
    """Whether a state may follow, or confirm, another.

    A cancellation is undone only where a cancelled renewal can be resumed.
    """
    if present is SubscriptionState.CANCELLED and wanted is SubscriptionState.ACTIVE:
        return TRAITS[provider].resumable is present
    return wanted is present or wanted in MOVES[present]
