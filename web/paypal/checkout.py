"""A one-off purchase through PayPal: created once, compared before the capture, captured once.

``Checkout.poll`` is the only way from "something may have happened at PayPal" to what the ledger records. The return
page, the webhook and upkeep all call it, and all of them record what PayPal's API then says.
"""

import logging
from collections.abc import Mapping
from typing import Any

from config.texts import Texts
from models import notes
from models.catalogue import Catalogue
from models.money import orders
from models.money.orders import OrderInfo
from models.money.seller import Outcome, Poll, Result
from models.money.vouchers import admission
from models.money.vouchers.admission import Refusal
from web.paypal import branding, refusals
from web.paypal.client import KEY_LIVES_S, OutcomeUnknown, PayPal, PayPalError, Refused, Unavailable, money
from web.paypal.parsing import ParsedOrder, Stage, approve_url, identifier, invoice_of, outcome_of, parse_order, payee
from web.paypal.refusals import Fate

logger = logging.getLogger(__name__)

SUCCESS_PATH, CANCEL_PATH = "/paypal/success", "/paypal/cancel"
DESCRIPTION_LENGTH = 127
REQUEST_LIFE_S = KEY_LIVES_S["/v2/checkout/orders"]
"""Seconds after which PayPal forgets the request id of an order."""


_UNADMITTED = {
    Refusal.CODE: Result.CODE_GONE,
    Refusal.GIFTS: Result.GIFT_OPEN,
    Refusal.STOPPED: Result.GIFTS_STOPPED,
}


class Checkout:
    """Sells single periods through one PayPal account.

    :param backend_url: the public address of our pages.
    """

    def __init__(self, paypal: PayPal, catalogue: Catalogue, backend_url: str) -> None:
        self._paypal = paypal
        self._catalogue = catalogue
        self._backend_url = backend_url

    def create(self, order: OrderInfo, texts: Texts, now: int) -> str:
        """Create *order* at PayPal and return the page where the buyer approves it. A repeat creates no other.

        :raises PayPalError: the order could not be created.
        """
        remote = self._paypal.create_order(self._body(order, texts), orders.request_id(order.id, "create", now))
        url = approve_url(remote.get("links"))
        if url is None:
            raise Unavailable("PayPal gave no page to approve the order on")
        self._remember_merchant(remote, now)
        orders.attach_remote(order.id, identifier(remote), now, url)
        return url

    def poll(self, order: OrderInfo, now: int, *, by_payer: bool = False) -> Poll:
        """Read the state of *order*, and capture its money if the buyer has approved it.

        After PayPal has refused a capture, only an act of the payer (*by_payer*) leads to another.

        :raises PayPalError: PayPal could not be asked.
        """
        if order.remote_id is None:
            return Poll(Outcome(Result.NOT_APPROVED))
        try:
            parsed = self._read(order, order.remote_id, now)
        except Refused as refusal:
            return Poll(refusals.after_reading(order, refusal))
        if parsed.stage is not Stage.APPROVED or parsed.fault:
            return self._poll(order, parsed, now)
        if order.refused_at is not None and not by_payer:
            return Poll(Outcome(Result.DECLINED, parsed.approve_url or order.approve_url))
        refused = admission.admit(order.id, now)
        if refused is not None:
            logger.warning("order.unadmitted", extra={"order": order.id, "reason": refused})
            return Poll(Outcome(_UNADMITTED[refused]))
        try:
            return self._poll(order, self._capture(order, order.remote_id, now), now)
        except Refused as refusal:
            return Poll(refusals.after_capture(order, refusal, now))

    def _poll(self, order: OrderInfo, parsed: ParsedOrder, now: int) -> Poll:
        """What to tell and to record of an order; the admins hear how it differs from ours."""
        if parsed.fault:
            logger.error("order.mismatched", extra={"order": order.id, "fault": parsed.fault})
            orders.doubt(order.id, parsed.fault, now)
            return Poll(Outcome(Result.TROUBLE), (*parsed.facts, *parsed.refunds))
        is_settled = parsed.stage is not Stage.APPROVED
        return Poll(outcome_of(order, parsed), (*parsed.facts, *parsed.refunds), is_settled)

    def _read(self, order: OrderInfo, remote_id: str, now: int) -> ParsedOrder:
        return parse_order(self._paypal.order(remote_id), order, self._merchant(), now)

    def _capture(self, order: OrderInfo, remote_id: str, now: int) -> ParsedOrder:
        """Capture the money, and return the order that is read afterwards.

        An order that is read may be older than its capture: then what the capture answered counts.

        :raises Refused: PayPal does not capture it, and the order that is read afterwards has no capture either.
        """
        if order.refused_at is not None:
            orders.resume(order.id, now)
        answer: Mapping[str, Any] = {}
        refused: Refused | None = None
        try:
            answer = self._paypal.capture_order(remote_id, self._capture_id(order, now))
        except OutcomeUnknown as error:
            logger.warning("capture.unanswered", extra={"order": order.id, "cause": str(error)})
        except Refused as refusal:
            if refusals.fate(refusal, refusals.CAPTURE) is not Fate.DONE:
                refused = refusal
        try:
            parsed = self._read(order, remote_id, now)
        except PayPalError as error:
            raise refused or error from error
        if parsed.stage is Stage.APPROVED and refused is not None:
            raise refused
        return parsed if parsed.stage is not Stage.APPROVED else self._answered(answer, order, now) or parsed

    def _answered(self, answer: Mapping[str, Any], order: OrderInfo, now: int) -> ParsedOrder | None:
        """The order as the capture answered it; None where the answer does not say what was captured."""
        try:
            parsed = parse_order(answer, order, self._merchant(), now)
        except Unavailable:
            return None
        return parsed if parsed.facts and not parsed.fault else None

    def _capture_id(self, order: OrderInfo, now: int) -> str:
        """The request id of the capture.

        It is a new one when PayPal may have forgotten the old one: the order was read just before, and is not captured.
        """
        return orders.request_id(order.id, "capture", now, fresh=now - order.created_at >= REQUEST_LIFE_S)

    def _body(self, order: OrderInfo, texts: Texts) -> dict[str, Any]:
        title = self._catalogue.plans.title_of(order.plan_code, texts.language)
        description = f"{title}, {texts.duration(order.seconds)}" if order.seconds else title
        if order.purpose == "gift":
            description = texts.gettext("Gift: {what}", what=description)
        return {
            "intent": "CAPTURE",
            "purchase_units": [
                {
                    "custom_id": order.public_id,
                    "invoice_id": invoice_of(order.public_id),
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
        """Note the payee of our own orders, so that an order that pays another merchant is noticed."""
        merchant = payee(remote)
        if merchant and self._merchant() is None:
            notes.put(self._merchant_note, merchant, now)

    def _merchant(self) -> str | None:
        known = notes.get(self._merchant_note)
        return known if isinstance(known, str) else None

    @property
    def _merchant_note(self) -> str:
        return f"paypal_merchant:{self._paypal.account}"
