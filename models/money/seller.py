"""What pages and upkeep need of a provider with an approval page of its own; ``web/paypal`` implements it.

Also the state of such a purchase: what its buyer hears, and what the ledger records.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from config.plans import Article
from config.texts import Texts
from models.money.orders import Discount, OrderInfo, Purpose
from models.money.payments import Change
from models.money.providers import Provider
from models.money.subscriptions import SubscriptionInfo


class SellerError(Exception):
    """The provider could not be asked, or refused. ``debug_id`` is its own reference for its support."""

    def __init__(self, message: str, debug_id: str = "") -> None:
        self.debug_id = debug_id
        super().__init__(message)


class Result(Enum):
    """The state of a purchase, as its buyer hears it."""

    PAID = "paid"
    PENDING = "pending"
    NOT_APPROVED = "not_approved"
    DECLINED = "declined"
    OVER = "over"
    CODE_GONE = "code_gone"  # its discount code ended, or was used for another purchase
    GIFT_OPEN = "gift_open"  # a new buyer has another gift that is not settled
    GIFTS_STOPPED = "gifts_stopped"  # a dispute of the buyer stops their gifts
    REFUNDED = "refunded"
    UNABLE = "unable"  # the operator's account may not receive the payment; the operator has been told
    TROUBLE = "trouble"  # the order differs from ours at the provider; the operator has been told
    LATER = "later"  # the provider cannot be asked now, or answers an unknown status; upkeep polls on


@dataclass(frozen=True)
class Outcome:
    """The state of a purchase; ``approve_url`` is where the buyer can approve it, ``reference`` the charge's id."""

    result: Result
    approve_url: str | None = None
    reference: str = ""


@dataclass(frozen=True)
class Poll:
    """One answer of the provider: what to tell, and what to record.

    ``is_settled`` is False while the provider does not show what it has done already.
    """

    outcome: Outcome
    changes: tuple[Change, ...] = ()
    is_settled: bool = True


class Seller(Protocol):
    """One account at a provider."""

    @property
    def provider(self) -> Provider:
        """The name under which rows hold what is sold here."""

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Let this thread wait for the provider for *seconds* in all; what is unfinished then raises."""

    def sell(
        self,
        user_id: int,
        plan: Article,
        texts: Texts,
        now: int,
        *,
        purpose: Purpose = "plan",
        discount: Discount | None = None,
    ) -> tuple[OrderInfo, Outcome]:
        """Open the purchase of *plan*, or find the one that is open: where it is approved, or how it stands already.

        :raises AlreadySubscribed: the plan renews, and does so for this customer.
        :raises SellerError: it could not be opened.
        """

    def reconcile(self, order: OrderInfo, now: int, *, by_payer: bool = False) -> Outcome:
        """Bring the ledger to where the provider stands with *order*, if it can be asked, and say how it stands.

        *by_payer*: the payer has just come back, so what the provider refused before may be tried again.
        """

    def settle_subscription(self, known: SubscriptionInfo, now: int) -> None:
        """Bring the ledger to where the provider stands with a subscription.

        :raises SellerError: the provider could not be asked.
        """
