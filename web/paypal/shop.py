"""What a program needs to sell through PayPal, built once from the settings."""

import logging
from dataclasses import dataclass

from cryptography import x509
from flask import current_app

from config.plans import Plan, Plans
from config.settings import Settings
from config.texts import Texts
from models import notes
from models.money import orders, payments
from models.money.orders import OrderInfo
from models.money.subscriptions import SubscriptionInfo
from web.paypal import error_mapping
from web.paypal.checkout import Checkout
from web.paypal.client import ENDPOINTS, PayPal, PayPalError, Refused
from web.paypal.outcome import Outcome, Poll, Result
from web.paypal.parsing import PROVIDER
from web.paypal.renewals import Renewals
from web.paypal.signature import Verifier

logger = logging.getLogger(__name__)

ENDED = frozenset({Result.PAID, Result.REFUNDED, Result.OVER})
"""Outcomes after which the poller has nothing more to find."""

PATIENCE_S = 6.5
"""What a page waits for PayPal in all: four threads share one worker with ``/health``."""


@dataclass(frozen=True)
class Shop:
    """The tills: one-off purchases and renewing ones, and the account that both are paid into."""

    settings: Settings
    plans: Plans
    paypal: PayPal
    checkout: Checkout
    renewals: Renewals
    verifier: Verifier

    def sell(self, user_id: int, plan: Plan, texts: Texts, now: int) -> tuple[OrderInfo, Outcome]:
        """Open the purchase of *plan*, or find the one that is open: where it is approved, or how it stands already.

        PayPal's order ends sooner than ours. A purchase that is over there is begun anew.

        :raises AlreadySubscribed: the plan renews, and does so for this customer.
        :raises PayPalError: it could not be opened.
        """
        order, outcome = self._open(user_id, plan, texts, now)
        if outcome.result is Result.OVER:
            order, outcome = self._open(user_id, plan, texts, now)
        return order, outcome

    def look(self, order: OrderInfo, now: int) -> Poll:
        """Read how *order* stands at PayPal, taking the money if it is approved. Nothing is recorded yet.

        :raises PayPalError: PayPal could not be asked.
        """
        try:
            look = self._till(order).look(order, now)
        except Refused as refusal:
            look = Poll(error_mapping.take(order, refusal, now))
        _end_with(look.outcome, order, now)
        return look

    def settle(self, order: OrderInfo, now: int) -> Outcome:
        """Bring the ledger to where PayPal stands with *order*.

        :raises PayPalError: PayPal could not be asked.
        """
        look = self.look(order, now)
        payments.apply(look.changes, now)
        return look.outcome

    def reconcile(self, order: OrderInfo, now: int) -> Outcome:
        """Do as :meth:`settle`; when PayPal cannot be asked, that is the outcome."""
        try:
            return self.settle(order, now)
        except PayPalError as error:
            logger.warning(
                "order not settled yet", extra={"order": order.id, "cause": str(error), "debug_id": error.debug_id}
            )
            return Outcome(Result.LATER, order.approve_url)

    def settle_subscription(self, known: SubscriptionInfo, now: int) -> None:
        """Bring the ledger to where PayPal stands with a subscription.

        :raises PayPalError: PayPal could not be asked.
        """
        payments.apply(self.renewals.look_at(known, now).changes, now)

    def order_of_payment(self, remote_id: str) -> OrderInfo | None:
        """The order that a capture or sale was for, asked of PayPal where the ledger does not know; None: not ours.

        :raises PayPalError: PayPal could not be asked, or does not show it to us.
        """
        known = payments.find(PROVIDER, remote_id)
        if known is not None and known.order_id is not None:
            return orders.get(known.order_id)
        return orders.by_public(str(self.paypal.capture(remote_id).get("custom_id", "")))

    @property
    def webhook_note(self) -> str:
        """Where the webhook that upkeep has found or made is noted."""
        return f"paypal_webhook:{self.paypal.account}"

    def webhook_id(self) -> str | None:
        """The id that our webhook's signatures are made for: set by the operator, or found by upkeep."""
        if self.settings.paypal_webhook_id:
            return self.settings.paypal_webhook_id
        noted = notes.get(self.webhook_note)
        return str(noted["id"]) if isinstance(noted, dict) else None

    def _open(self, user_id: int, plan: Plan, texts: Texts, now: int) -> tuple[OrderInfo, Outcome]:
        order = orders.create(user_id, plan, "paypal", plan.paypal_currency or "", now, seller=self.settings.bot_id)
        if order.remote_id is not None:
            return order, self.settle(order, now)
        try:
            return order, Outcome(Result.NOT_APPROVED, self._till(order).create(order, texts, now))
        except Refused as refusal:
            outcome = error_mapping.take(order, refusal, now)
            _end_with(outcome, order, now)
            return order, outcome

    def _till(self, order: OrderInfo) -> Checkout | Renewals:
        return self.renewals if order.renews else self.checkout


def _end_with(outcome: Outcome, order: OrderInfo, now: int) -> None:
    """An order that is over at PayPal is over here: the next click begins another one."""
    if outcome.result is Result.OVER:
        orders.expire(order.id, now)


def build(settings: Settings) -> Shop | None:
    """The shop, or None where PayPal is not set up."""
    if not settings.paypal_enabled:
        return None
    base_url = settings.paypal_endpoint or ENDPOINTS[settings.paypal_mode]
    paypal = PayPal(base_url, settings.paypal_client_id or "", settings.paypal_client_secret or "")
    plans, backend_url = settings.plans, settings.backend_url or ""
    pinned = settings.paypal_authority
    verifier = Verifier(
        settings.paypal_mode,
        settings.paypal_endpoint,
        x509.load_pem_x509_certificate(pinned.encode()) if pinned else None,
    )
    return Shop(
        settings,
        plans,
        paypal,
        Checkout(paypal, plans, backend_url),
        Renewals(paypal, plans, backend_url),
        verifier,
    )


def shop() -> Shop:
    """The shop of the application that answers the present request."""
    found: Shop = current_app.extensions["shop"]
    return found
