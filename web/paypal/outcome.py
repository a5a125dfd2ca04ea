"""The state of a purchase: what its buyer hears, and what the ledger records."""

from dataclasses import dataclass
from enum import Enum

from models.money.payments import Change


class Result(Enum):
    """The state of a purchase, as its buyer hears it."""

    PAID = "paid"
    PENDING = "pending"
    NOT_APPROVED = "not_approved"
    DECLINED = "declined"
    OVER = "over"
    REFUNDED = "refunded"
    UNABLE = "unable"  # the operator's account may not receive the payment; the operator has been told
    TROUBLE = "trouble"  # the order differs from ours at PayPal; the operator has been told
    LATER = "later"  # PayPal cannot be asked now, or answers an unknown status; upkeep polls on


@dataclass(frozen=True)
class Outcome:
    """The state of a purchase; ``approve_url`` is where the buyer can approve it, ``reference`` the charge's id."""

    result: Result
    approve_url: str | None = None
    reference: str = ""


@dataclass(frozen=True)
class Poll:
    """One answer of PayPal's: what to tell, and what to record."""

    outcome: Outcome
    changes: tuple[Change, ...] = ()
