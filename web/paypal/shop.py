"""What a program needs to sell through PayPal, built once from the settings."""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cryptography import x509

from config.plans import Article
from config.settings import Settings
from config.texts import Texts
from models import notes
from models.catalogue import Catalogue
from models.money import orders, payments, subscriptions
from models.money.orders import Discount, OrderInfo, Purpose
from models.money.providers import PAYPAL, Provider
from models.money.seller import Outcome, Poll, Result
from models.money.subscriptions import SubscriptionInfo
from web.paypal import refusals
from web.paypal.checkout import Checkout
from web.paypal.client import ENDPOINTS, PayPal, PayPalError, Refused
from web.paypal.parsing import PROVIDER, linked_order, orders_named
from web.paypal.renewals import Renewals
from web.paypal.signature import Verifier

logger = logging.getLogger(__name__)

UNADMITTED = frozenset({Result.CODE_GONE, Result.GIFT_OPEN, Result.GIFTS_STOPPED})
"""Results of a purchase that is approved, and whose money is not taken."""
ENDED = frozenset({Result.PAID, Result.REFUNDED, Result.OVER, *UNADMITTED})
"""Results after which a poll finds nothing new."""


@dataclass(frozen=True)
class Shop:
    """One PayPal account, with the two ways to sell through it: single periods and subscriptions."""

    settings: Settings
    catalogue: Catalogue
    paypal: PayPal
    checkout: Checkout
    renewals: Renewals
    verifier: Verifier

    @property
    def provider(self) -> Provider:
        """The name under which rows hold what is sold here."""
        return PROVIDER

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Let this thread wait for PayPal for *seconds* in all."""
        return self.paypal.within(seconds)

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
        """Open the purchase of *plan*, or find the open one; the outcome says where to approve it, or its state.

        PayPal's order ends sooner than ours. A purchase that is over there is opened anew.

        :raises AlreadySubscribed: the plan already renews for this customer.
        :raises PayPalError: the purchase could not be opened.
        """
        ordered = partial(self._order, user_id, plan, now, purpose=purpose, discount=discount)
        order = ordered()
        outcome = self._open(order, texts, now)
        if outcome.result is Result.OVER:
            order = ordered()
            outcome = self._open(order, texts, now)
        return order, outcome

    def poll(self, order: OrderInfo, now: int, *, by_payer: bool = False) -> Poll:
        """Read the state of *order* at PayPal, and capture its money if it is approved. Nothing is recorded yet.

        After a refusal nothing is captured unless the payer has acted, which *by_payer* says.

        :raises PayPalError: PayPal could not be asked.
        """
        if order.renews:
            poll = self.renewals.poll(order, now)
        else:
            poll = self.checkout.poll(order, now, by_payer=by_payer)
        poll = _with_what_went_back(poll)
        _end_with(poll.outcome, order, now)
        return poll

    def settle(self, order: OrderInfo, now: int, *, by_payer: bool = False) -> Outcome:
        """Do as :meth:`poll`, and record in the ledger what PayPal says.

        :raises PayPalError: PayPal could not be asked.
        """
        poll = self.poll(order, now, by_payer=by_payer)
        payments.apply(poll.changes, now)
        return poll.outcome

    def reconcile(self, order: OrderInfo, now: int, *, by_payer: bool = False) -> Outcome:
        """Do as :meth:`settle`; the outcome is ``LATER`` when PayPal cannot be asked."""
        try:
            return self.settle(order, now, by_payer=by_payer)
        except PayPalError as error:
            logger.warning(
                "order.unsettled", extra={"order": order.id, "cause": str(error), "debug_id": error.debug_id}
            )
            return Outcome(Result.LATER, order.approve_url)

    def settle_subscription(self, known: SubscriptionInfo, now: int) -> None:
        """Poll a subscription, and record in the ledger what PayPal says.

        :raises PayPalError: PayPal could not be asked.
        """
        payments.apply(self.renewals.poll_subscription(known, now).changes, now)

    def order_of_payment(self, remote_id: str) -> OrderInfo | None:
        """The order that a capture or sale paid for, from the ledger or else from PayPal; None: it is not ours.

        :raises PayPalError: PayPal could not be asked, or does not show us the payment.
        """
        known = payments.find(PROVIDER, remote_id)
        if known is not None and known.order_id is not None:
            return orders.get(known.order_id)
        return self._order_of(remote_id, self.paypal.capture(remote_id))

    def _order_of(self, remote_id: str, capture: Mapping[str, Any]) -> OrderInfo | None:
        """Our order by the ids that a capture shows, any of which PayPal may leave out."""
        named = orders_named(capture)
        known = next((order for name in named if (order := orders.by_public(name))), None)
        linked = linked_order(capture)
        if known is None and linked is None and not named:
            return self._order_of_sale(remote_id)
        return known or orders.by_remote(PROVIDER, linked or "")

    def _order_of_sale(self, sale_id: str) -> OrderInfo | None:
        """Our order behind a payment that names none itself: the payment of a subscription names that."""
        try:
            agreement = self.paypal.sale(sale_id).get("billing_agreement_id")
        except Refused:
            return None
        known = subscriptions.by_remote(PROVIDER, str(agreement))
        return orders.get(known.order_id) if known else None

    @property
    def webhook_note(self) -> str:
        """The key of the note about the webhook that upkeep has found or created."""
        return f"paypal_webhook:{self.paypal.account}"

    def webhook_id(self) -> str | None:
        """The webhook's id, which PayPal signs with each event: set by the operator, or noted by upkeep."""
        if self.settings.paypal_webhook_id:
            return self.settings.paypal_webhook_id
        noted = notes.get(self.webhook_note)
        return str(noted["id"]) if isinstance(noted, dict) else None

    def _order(self, user_id: int, plan: Article, now: int, purpose: Purpose, discount: Discount | None) -> OrderInfo:
        return orders.create(
            user_id,
            plan,
            PROVIDER,
            PAYPAL.currency_of(plan) or "",
            now=now,
            seller=self.settings.bot_id,
            secret=self.settings.telegram_bot_token,
            purpose=purpose,
            discount=discount,
        )

    def _open(self, order: OrderInfo, texts: Texts, now: int) -> Outcome:
        if order.remote_id is not None:
            return self.settle(order, now, by_payer=True)
        seller = self.renewals if order.renews else self.checkout
        try:
            return Outcome(Result.NOT_APPROVED, seller.create(order, texts, now))
        except Refused as refusal:
            return refusals.after_creation(order, refusal, now)


def _with_what_went_back(poll: Poll) -> Poll:
    """The poll, as the refunds say that the ledger knows: what PayPal shows of a purchase may leave them out."""
    if poll.outcome.result is not Result.PAID:
        return poll
    paid = payments.find(PROVIDER, poll.outcome.reference)
    is_kept = paid is None or paid.refunded < paid.amount
    return poll if is_kept else replace(poll, outcome=replace(poll.outcome, result=Result.REFUNDED))


def _end_with(outcome: Outcome, order: OrderInfo, now: int) -> None:
    """Expire an order that is over at PayPal: the buyer's next click opens another one."""
    if outcome.result is Result.OVER or outcome.result in UNADMITTED:
        orders.expire(order.id, now)


def build_shop(settings: Settings, catalogue: Catalogue) -> Shop | None:
    """The shop that the settings describe; None where PayPal is not set up."""
    if not settings.paypal_enabled:
        return None
    base_url = settings.paypal_endpoint or ENDPOINTS[settings.paypal_mode]
    paypal = PayPal(base_url, settings.paypal_client_id or "", settings.paypal_client_secret or "")
    backend_url = settings.backend_url or ""
    pinned = settings.paypal_authority
    verifier = Verifier(
        settings.paypal_mode,
        settings.paypal_endpoint,
        x509.load_pem_x509_certificate(pinned.encode()) if pinned else None,
    )
    return Shop(
        settings=settings,
        catalogue=catalogue,
        paypal=paypal,
        checkout=Checkout(paypal, catalogue, backend_url),
        renewals=Renewals(paypal, catalogue, backend_url),
        verifier=verifier,
    )
