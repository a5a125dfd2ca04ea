"""The payment providers, and what each is like where they differ. No other module compares a provider's name.

A further provider is a name and traits here, and a program that speaks to it: for one whose purchases are approved on
its own page, :class:`models.money.seller.Seller`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from config import money
from config.plans import Article
from config.units import DAY_S, HOUR_S

SKEW_S = 600
"""Seconds by which a provider's clock and ours may differ."""


class Provider(StrEnum):
    """Who takes the money, by the name that rows hold."""

    STARS = "stars"
    PAYPAL = "paypal"


class SubscriptionState(StrEnum):
    """What a provider says of a purchase that renews. A cancelled one keeps the time that was paid."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ProviderTraits:
    """What a provider is like.

    ``currency`` is the only one that the provider takes; None: whatever money a plan is sold for. ``order_life_s`` is
    how long an order may be paid, in seconds. ``number`` is what the provider's numbers of payments look like.
    ``is_asked_later``: work for the provider, a look-up too, is a request that upkeep carries out; else the daemon
    speaks to it and can ask at once.

    ``resumable`` is the state of a renewal that can be resumed. ``payer_resumes``: we can only permit it, and the payer
    switches it on. ``tells_of_expiry``: the provider says when a renewal has ended, and that is final; else the end is
    our own guess, from the time that was paid. ``payer_disputes``: a payer can have the provider take the money back.
    """

    name: Provider
    title: str
    currency: str | None
    order_life_s: int
    partial_refunds: bool
    number: re.Pattern[str]
    is_asked_later: bool
    resumable: SubscriptionState
    payer_resumes: bool
    tells_of_expiry: bool
    payer_disputes: bool

    def currency_of(self, article: Article) -> str | None:
        """The currency in which this provider sells *article*; None where it has no price for it."""
        taken = {each.currency for each in _ALL if each.currency}
        return next(
            (each for each in article.prices if each == self.currency or not (self.currency or each in taken)), None
        )


PAYPAL = ProviderTraits(
    name=Provider.PAYPAL,
    title="PayPal",
    currency=None,
    order_life_s=6 * HOUR_S,  # then PayPal forgets our request ids
    partial_refunds=True,
    number=re.compile(r"[0-9A-Z]{17}|I-[0-9A-Z]{10,14}"),
    is_asked_later=True,
    resumable=SubscriptionState.SUSPENDED,
    payer_resumes=False,
    tells_of_expiry=True,
    payer_disputes=True,
)
STARS = ProviderTraits(
    name=Provider.STARS,
    title="Stars",
    currency=money.STARS,
    order_life_s=DAY_S,
    partial_refunds=False,
    number=re.compile(r"[\w.:+/=-]{6,255}"),
    is_asked_later=False,
    resumable=SubscriptionState.CANCELLED,
    payer_resumes=True,
    tells_of_expiry=False,
    payer_disputes=False,
)

_ALL = (PAYPAL, STARS)
"""The provider whose numbers are easiest to tell comes first."""

TRAITS: Mapping[str, ProviderTraits] = {each.name: each for each in _ALL}


def of_number(number: str) -> ProviderTraits | None:
    """The provider whose payments have such numbers, or None when it is nobody's."""
    return next((each for each in _ALL if each.number.fullmatch(number)), None)
