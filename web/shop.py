"""What a program needs to sell through PayPal, built once from the settings."""

from dataclasses import dataclass

from cryptography import x509
from flask import current_app

from config.plans import Plans
from config.settings import Settings
from config.texts import Texts
from models import notes, payments
from models.orders import OrderInfo
from models.subscriptions import SubscriptionInfo
from web.checkout import Checkout, Outcome, Result
from web.paypal import ENDPOINTS, PayPal
from web.renewals import Renewals
from web.signature import Verifier

ENDED = frozenset({Result.PAID, Result.REFUNDED, Result.OVER})
"""Outcomes after which the poller has nothing more to find."""

WEBHOOK_NOTE = "paypal_webhook"
PATIENCE_S = 6.5
"""What a page or webhook waits for PayPal in all: four threads share one worker with ``/health``."""


@dataclass(frozen=True)
class Shop:
    """The tills: one-off purchases and renewing ones, and the account that both are paid into."""

    settings: Settings
    plans: Plans
    paypal: PayPal
    checkout: Checkout
    renewals: Renewals
    verifier: Verifier
    patience_s: float = PATIENCE_S

    def open(self, order: OrderInfo, texts: Texts, now: int) -> str:
        """The page at PayPal on which *order* is approved.

        :raises PayPalError: it could not be opened.
        """
        return self.renewals.open(order, texts, now) if order.renews else self.checkout.open(order, texts, now)

    def reconcile(self, order: OrderInfo, now: int) -> Outcome:
        """Bring the ledger to where PayPal stands with *order*."""
        return self.renewals.reconcile_order(order, now) if order.renews else self.checkout.reconcile(order, now)

    def look_at_subscription(self, known: SubscriptionInfo, now: int) -> None:
        """Bring the ledger to where PayPal stands with a subscription.

        :raises PayPalError: PayPal could not be asked.
        """
        payments.apply(self.renewals.look(known, now).changes, now)

    def webhook_id(self) -> str | None:
        """The id that our webhook's signatures are made for: set by the operator, or found by upkeep."""
        remembered = notes.get(WEBHOOK_NOTE)
        return self.settings.paypal_webhook_id or (remembered if isinstance(remembered, str) else None)


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
