"""How a purchase stands: what its buyer is to hear, and what the ledger is to record."""

from dataclasses import dataclass
from enum import Enum

from models.money.payments import Change


class Result(Enum):
    """How a purchase stands, as its buyer is to hear it."""

    PAID = "paid"
    PENDING = "pending"
    NOT_APPROVED = "not_approved"
    DECLINED = "declined"
    OVER = "over"
    REFUNDED = "refunded"
    UNABLE = "unable"  # PayPal does not let the operator's account take it: he has been told
    TROUBLE = "trouble"  # something does not fit: the operator has been told
    LATER = "later"  # PayPal cannot be asked now, or says what we do not know: the poller goes on


@dataclass(frozen=True)
class Outcome:
    """How a purchase stands. ``approve_url`` is where the buyer can (still) approve, ``reference`` the charge's id."""

    result: Result
    approve_url: str | None = None
    reference: str = ""


@dataclass(frozen=True)
class Poll:
    """One look at PayPal: what to tell, and what to record."""

    outcome: Outcome
    changes: tuple[Change, ...] = ()
