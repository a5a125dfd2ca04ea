"""What providers report about money, and what follows from it: values and pure functions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from models.event_kinds import AlertReason
from models.money.access import Disputed
from models.money.orders import OrderInfo


class PaymentState(StrEnum):
    """The state of a payment."""

    PENDING = "pending"
    COMPLETED = "completed"
    DENIED = "denied"
    REVERSED = "reversed"
    FROZEN = "frozen"


MOVES: Mapping[PaymentState, frozenset[PaymentState]] = {
    PaymentState.PENDING: frozenset(
        {PaymentState.COMPLETED, PaymentState.DENIED, PaymentState.REVERSED, PaymentState.FROZEN}
    ),
    PaymentState.COMPLETED: frozenset({PaymentState.FROZEN, PaymentState.REVERSED}),
    PaymentState.FROZEN: frozenset({PaymentState.COMPLETED, PaymentState.REVERSED}),
    PaymentState.DENIED: frozenset(),
    PaymentState.REVERSED: frozenset(),
}
"""A late report never revives a payment that has ended."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What a provider reports about one payment.

    ``created_at`` and ``at`` are the provider's times: of the payment, and of its state. ``state`` is never ``frozen``:
    a dispute freezes a payment. A refunded payment is ``completed``; its refunds are :class:`RefundFact`.
    ``period_end`` is the end of the period that a renewal pays; ``raw_ref`` names the source of the report.
    """

    provider: str
    remote_id: str
    order_public_id: str | None
    subscription_remote_id: str | None
    user_id: int | None
    amount: int
    currency: str
    state: PaymentState
    created_at: int
    at: int
    period_end: int | None = None
    raw_ref: str = ""


@dataclass(frozen=True, slots=True)
class RefundFact:
    """What a provider reports about one refund: ``amount`` in minor units went back at ``at``."""

    provider: str
    payment_remote_id: str
    remote_id: str
    amount: int
    at: int


@dataclass(frozen=True, slots=True)
class DisputeFact:
    """What a provider reports about one dispute. ``won`` is from our side: the payer did not get the money back.

    ``amount``, in minor units of ``currency``, is what is disputed, or what was lost; None: the whole payment.
    """

    provider: str
    payment_remote_id: str
    remote_id: str
    opened_at: int
    closed_at: int | None = None
    won: bool | None = None
    amount: int | None = None
    currency: str | None = None


class SettlementOutcome(StrEnum):
    """What a change did. The last two are a payment's: it is recorded and buys nothing."""

    RECORDED = "recorded"
    UNCHANGED = "unchanged"
    MISMATCH = "mismatch"
    UNKNOWN_ORDER = "unknown_order"


@dataclass(frozen=True, slots=True)
class Settled:
    """What a change did, and to which payment."""

    payment_id: int | None
    outcome: SettlementOutcome


def verdict_of(won: bool | None, part: int | None) -> bool | None:
    """What a dispute decides about the payment as a whole: a lost part leaves us the rest."""
    return True if won is False and part is not None else won


def state_of(
    completed_at: int | None, denied_at: int | None, reversed_at: int | None, verdicts: Collection[bool | None]
) -> PaymentState:
    """Derive a payment's state from its times and *verdicts*, see :func:`verdict_of`; None while one is open."""
    if denied_at is not None:
        return PaymentState.DENIED
    if reversed_at is not None or (completed_at is not None and False in verdicts):
        return PaymentState.REVERSED
    if completed_at is None:
        return PaymentState.PENDING
    return PaymentState.FROZEN if None in verdicts else PaymentState.COMPLETED


def fault_of(fact: Fact, order: OrderInfo) -> AlertReason | None:
    """Say what does not fit between a payment and its order, or None."""
    faults = (
        (fact.provider != order.provider, AlertReason.WRONG_PROVIDER),
        (fact.user_id is not None and fact.user_id != order.user_id, AlertReason.WRONG_USER),
        (fact.currency != order.currency, AlertReason.WRONG_CURRENCY),
        (fact.amount != order.amount, AlertReason.WRONG_AMOUNT),
    )
    return next((fault for wrong, fault in faults if wrong), None)


def merge(known: Disputed, said: Disputed) -> Disputed:
    """Join two reports of one dispute. Their order does not matter: a lost dispute stays lost."""
    verdicts = {known.won, said.won}
    closings = [moment for moment in (known.closed_at, said.closed_at) if moment is not None]
    lost = [report.amount for report in (known, said) if report.won is False]
    amounts = lost or [known.amount, said.amount]
    return Disputed(
        opened_at=min(known.opened_at, said.opened_at),
        closed_at=min(closings, default=None),
        won=False if False in verdicts else True if True in verdicts else None,
        amount=None if None in amounts else max(amount for amount in amounts if amount is not None),
    )
