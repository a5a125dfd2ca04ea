"""A purchase through PayPal: opened once, compared before its money is taken, taken once.

``look`` is the one way from "something may have happened at PayPal" to what our ledger is to record. The return page,
the webhook and upkeep all come by it; PayPal's own answer is the truth, whatever brought us here.
"""

import logging
from collections.abc import Mapping
from typing import Any

from config.plans import Plans
from config.texts import Texts
from models import notes
from models.money import orders
from models.money.orders import OrderInfo
from web.paypal import branding
from web.paypal.client import OutcomeUnknown, PayPal, Refused, Unavailable, money
from web.paypal.error_mapping import DECLINES
from web.paypal.outcome import Outcome, Poll, Result
from web.paypal.parsing import Reading, Stage, approve_url, identifier, outcome_of, payee, read_order

logger = logging.getLogger(__name__)

SUCCESS_PATH, CANCEL_PATH = "/paypal/success", "/paypal/cancel"
DESCRIPTION_LENGTH = 127
REQUEST_LIFE_S = 6 * 3600
"""PayPal forgets a request id of an order after this time."""

CAPTURED = frozenset({"ORDER_ALREADY_CAPTURED"})


class Checkout:
    """Sells through one PayPal account.

    :param backend_url: where the world reaches our pages.
    """

    def __init__(self, paypal: PayPal, plans: Plans, backend_url: str) -> None:
        self._paypal = paypal
        self._plans = plans
        self._backend_url = backend_url

    def create(self, order: OrderInfo, texts: Texts, now: int) -> str:
        """Make *order* at PayPal and return the page where it is approved. Repeated, it is the same one.

        :raises PayPalError: it could not be made.
        """
        remote = self._paypal.create_order(self._body(order, texts), orders.request_id(order.id, "create", now))
        url = approve_url(remote.get("links"))
        if url is None:
            raise Unavailable("PayPal gave no page to approve the order on")
        self._remember_merchant(remote, now)
        orders.attach_remote(order.id, identifier(remote), now, url)
        return url

    def look(self, order: OrderInfo, now: int) -> Poll:
        """Read how *order* stands, taking the money if it is approved.

        :raises PayPalError: PayPal could not be asked, or refused to go on.
        """
        if order.remote_id is None:
            return Poll(Outcome(Result.NOT_APPROVED))
        reading = self._read(order, order.remote_id, now)
        if reading.stage is Stage.APPROVED and not reading.fault:
            reading = self._capture(order, order.remote_id, now)
        if reading.fault:
            logger.error("order does not fit", extra={"order": order.id, "fault": reading.fault})
            orders.doubt(order.id, reading.fault, now)
            return Poll(Outcome(Result.TROUBLE), reading.facts)
        return Poll(outcome_of(order, reading), (*reading.facts, *reading.refunds))

    def _read(self, order: OrderInfo, remote_id: str, now: int) -> Reading:
        return read_order(self._paypal.order(remote_id), order, self._merchant(), now)

    def _capture(self, order: OrderInfo, remote_id: str, now: int) -> Reading:
        """Take the money. Whatever came of it, what counts is what the order then says."""
        try:
            self._paypal.capture_order(remote_id, self._capture_id(order, now))
        except OutcomeUnknown as error:
            logger.warning("capture without an answer", extra={"order": order.id, "cause": str(error)})
        except Refused as refusal:
            if not refusal.issues & CAPTURED:
                # Nothing moved: the next try is another call, which a replayed refusal must not answer.
                orders.request_id(order.id, "capture", now, fresh=True)
                if refusal.issues & DECLINES:
                    # The next try is the payer's: he was told that nothing was charged, and may have bought elsewhere.
                    orders.looked(order.id, False, now)
                raise
        return self._read(order, remote_id, now)

    def _capture_id(self, order: OrderInfo, now: int) -> str:
        """The key of the call that takes the money.

        When PayPal may have forgotten the old one it gets a new one: a look has just shown that nothing was taken.
        """
        return orders.request_id(order.id, "capture", now, fresh=now - order.created_at >= REQUEST_LIFE_S)

    def _body(self, order: OrderInfo, texts: Texts) -> dict[str, Any]:
        plan = self._plans.by_code(order.plan_code)
        title = plan.title_in(texts.language) if plan else order.plan_code
        description = f"{title}, {texts.duration(order.seconds)}"
        return {
            "intent": "CAPTURE",
            "purchase_units": [
                {
                    "custom_id": order.public_id,
                    "invoice_id": order.public_id.replace("_", ":"),  # disputes let it hold no underscore
                    "description": description[:DESCRIPTION_LENGTH],
                    "amount": money(order.amount, order.currency),
                }
            ],
            "payment_source": {"paypal": {"experience_context": self._experience(texts)}},
        }

    def _experience(self, texts: Texts) -> dict[str, str]:
        return {
            "brand_name": branding.noted().brand,
            "locale": texts.locale,
            "shipping_preference": "NO_SHIPPING",
            "user_action": "PAY_NOW",
            "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
            "return_url": self._backend_url + SUCCESS_PATH,
            "cancel_url": self._backend_url + CANCEL_PATH,
        }

    def _remember_merchant(self, remote: Mapping[str, Any], now: int) -> None:
        """Keep who the payee of our own orders is, so that another's order can be told from ours."""
        merchant = payee(remote)
        if merchant and self._merchant() is None:
            notes.put(self._merchant_note, merchant, now)

    def _merchant(self) -> str | None:
        known = notes.get(self._merchant_note)
        return known if isinstance(known, str) else None

    @property
    def _merchant_note(self) -> str:
        return f"paypal_merchant:{self._paypal.account}"
