"""What PayPal's refusals mean: tables from its issues to a fate, for each call that changes something.

An issue that no table holds proves nothing. At a capture it is then the payer's turn, and at all other calls the
operator's; nothing is charged again without the payer. Sources: the issues that PayPal's files list for each call
(``checkout_orders_v2``, ``payments_payment_v2``, ``billing_subscriptions_v1``, ``payments_payment_v1``), and the pages
"Orders API errors" and "Payments API errors" of its documentation.
"""

import logging
from collections.abc import Mapping
from enum import Enum

from config.units import DAY_S
from models import outbox
from models.event_kinds import AlertReason
from models.money import orders
from models.money.orders import OrderInfo
from models.money.seller import Outcome, Result
from web.paypal.client import NOT_FOUND, Refused
from web.paypal.parsing import approve_url

logger = logging.getLogger(__name__)


class Fate(Enum):
    """What becomes of a call that PayPal has refused."""

    DONE = "done"  # what was asked for has happened already: it is read
    PAYER = "payer"  # the payer chooses another way to pay
    APPROVAL = "approval"  # the payer has yet to approve
    OVER = "over"  # this order can never be paid
    ACCOUNT = "account"  # the operator's account does not allow it
    FINAL = "final"  # refused, now and later
    UNKNOWN = "unknown"  # no table holds it: look, then decide


_ACCOUNT = (
    "AUTH_CAPTURE_NOT_ENABLED",
    "CURRENCY_NOT_SUPPORTED_FOR_RECEIVER",
    "DOMESTIC_TRANSACTION_REQUIRED",
    "NOT_ENABLED_FOR_BANK_PROCESSING",
    "NOT_ENABLED_FOR_CARD_PROCESSING",
    "PERMISSION_DENIED",
    "TRANSACTION_BLOCKED_BY_PAYEE",
    "TRANSACTION_RECEIVING_LIMIT_EXCEEDED",
    "USER_ACCOUNT_CLOSED",
)

CAPTURE: Mapping[str, Fate] = {
    "ORDER_ALREADY_CAPTURED": Fate.DONE,
    "ORDER_NOT_APPROVED": Fate.APPROVAL,
    "PAYER_ACTION_REQUIRED": Fate.APPROVAL,
    "CONSENT_NEEDED": Fate.APPROVAL,
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": Fate.OVER,
    "DUPLICATE_INVOICE_ID": Fate.OVER,
    "INVALID_RESOURCE_ID": Fate.OVER,
    **dict.fromkeys(_ACCOUNT, Fate.ACCOUNT),
    "AGREEMENT_ALREADY_CANCELLED": Fate.PAYER,
    "CARD_BRAND_NOT_SUPPORTED": Fate.PAYER,
    "CARD_CLOSED": Fate.PAYER,
    "CARD_EXPIRED": Fate.PAYER,
    "COMPLIANCE_VIOLATION": Fate.PAYER,
    "DECLINED_DUE_TO_RELATED_TXN": Fate.PAYER,
    "INSTRUMENT_DECLINED": Fate.PAYER,
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": Fate.PAYER,
    "PAYER_ACCOUNT_RESTRICTED": Fate.PAYER,
    "PAYER_CANNOT_PAY": Fate.PAYER,
    "PAYMENT_DENIED": Fate.PAYER,
    "PAYMENT_SOURCE_CANNOT_BE_USED": Fate.PAYER,
    "PAYMENT_SOURCE_DECLINED_BY_PROCESSOR": Fate.PAYER,
    "PAYMENT_SOURCE_INFO_CANNOT_BE_VERIFIED": Fate.PAYER,
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING": Fate.PAYER,
    "REFERENCED_CARD_EXPIRED": Fate.PAYER,
    "TRANSACTION_LIMIT_EXCEEDED": Fate.PAYER,
    "TRANSACTION_REFUSED": Fate.PAYER,
}
"""Of the capture of an order. What begins with ``PAYEE_`` is the account's."""

REFUND: Mapping[str, Fate] = {
    "CAPTURE_FULLY_REFUNDED": Fate.DONE,
    "TRANSACTION_ALREADY_REFUNDED": Fate.DONE,
    "DUPLICATE_INVOICE_ID": Fate.DONE,  # it is the key of this very refund
    "CURRENCY_MISMATCH": Fate.FINAL,
    "INVALID_RESOURCE_ID": Fate.FINAL,
    "MAX_NUMBER_OF_REFUNDS_EXCEEDED": Fate.FINAL,
    "PARTIAL_REFUND_NOT_ALLOWED": Fate.FINAL,
    "PAYEE_ACCOUNT_LOCKED_OR_CLOSED": Fate.FINAL,
    "PAYEE_ACCOUNT_RESTRICTED": Fate.FINAL,
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": Fate.FINAL,
    "PENDING_CAPTURE": Fate.FINAL,
    "PERMISSION_DENIED": Fate.FINAL,
    "REFUND_AMOUNT_EXCEEDED": Fate.FINAL,
    "REFUND_AMOUNT_TOO_LOW": Fate.FINAL,
    "REFUND_CAPTURE_CURRENCY_MISMATCH": Fate.FINAL,
    "REFUND_EXCEEDED_TRANSACTION_AMOUNT": Fate.FINAL,
    "REFUND_FAILED_INSUFFICIENT_FUNDS": Fate.FINAL,
    "REFUND_IS_RESTRICTED": Fate.FINAL,
    "REFUND_NOT_ALLOWED": Fate.FINAL,
    "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK": Fate.FINAL,
    "REFUND_TIME_LIMIT_EXCEEDED": Fate.FINAL,
    "TRANSACTION_DISPUTED": Fate.FINAL,
}
"""Of the refund of a capture or a sale."""

RENEWAL: Mapping[str, Fate] = {
    "SUBSCRIPTION_STATUS_INVALID": Fate.DONE,
    "INVALID_RESOURCE_ID": Fate.FINAL,
    "PERMISSION_DENIED": Fate.FINAL,
    "SUBSCRIPTION_CANNOT_BE_ACTIVATED": Fate.FINAL,
    "USER_ACCOUNT_CLOSED": Fate.FINAL,
}
"""Of ending or resuming a subscription."""


def fate(refusal: Refused, table: Mapping[str, Fate]) -> Fate:
    """What *table* says of a refusal, by its issues or else by its name; the first in the table's order wins."""
    named = {*refusal.issues, refusal.name}
    found = next((fate for issue, fate in table.items() if issue in named), Fate.UNKNOWN)
    if found is Fate.UNKNOWN and table is CAPTURE and any(issue.startswith("PAYEE_") for issue in named):
        return Fate.ACCOUNT
    return found


def is_of_plan(refusal: Refused) -> bool:
    """Whether a subscription was refused because its plan was switched off or is gone, or the product of that."""
    return refusal.status == NOT_FOUND or "PLAN_STATUS_INVALID" in refusal.issues


def reason(refusal: Refused) -> str:
    """The issues of a refusal in one word, for the row of what was refused."""
    return ",".join(sorted(refusal.issues)) or refusal.name or "refused"


RESULTS: Mapping[Fate, Result] = {
    Fate.DONE: Result.LATER,
    Fate.APPROVAL: Result.NOT_APPROVED,
    Fate.OVER: Result.OVER,
    Fate.ACCOUNT: Result.UNABLE,
}
"""What the buyer hears of a refused capture; with any other fate it is their turn."""


def after_capture(order: OrderInfo, refusal: Refused, now: int) -> Outcome:
    """Record that PayPal refused the capture of *order*, and return what the buyer hears.

    Nothing is captured again before the payer has acted, whatever the reason was.
    """
    _log(order, refusal)
    found = fate(refusal, CAPTURE) if refusal.status != NOT_FOUND else Fate.OVER
    result = RESULTS.get(found, Result.DECLINED)
    link = approve_url(refusal.links) or order.approve_url
    if found is Fate.ACCOUNT:
        _tell(AlertReason.PAYPAL_ACCOUNT, order, refusal, now)
    elif found is Fate.UNKNOWN:
        _tell(AlertReason.PAYPAL_REFUSAL, order, refusal, now)
    if found is Fate.APPROVAL:
        orders.request_id(order.id, "capture", now, fresh=True)
    else:
        orders.refused(order.id, now, told=result is Result.DECLINED)
    return Outcome(result, link if result in (Result.DECLINED, Result.NOT_APPROVED) else None)


def after_creation(order: OrderInfo, refusal: Refused, now: int) -> Outcome:
    """Tell the admins that PayPal did not open the purchase: no buyer can, because none has acted yet."""
    _log(order, refusal)
    _tell(AlertReason.PAYPAL_ACCOUNT, order, refusal, now)
    return Outcome(Result.UNABLE)


def after_reading(order: OrderInfo, refusal: Refused) -> Outcome:
    """What the buyer hears when PayPal does not show *order*: an unpaid order that is unknown there has ended.

    :raises Refused: the refusal says nothing about the order.
    """
    if refusal.status != NOT_FOUND:
        raise refusal
    _log(order, refusal)
    return Outcome(Result.OVER)


def _log(order: OrderInfo, refusal: Refused) -> None:
    logger.warning(
        "purchase.refused",
        extra={"order": order.id, "issues": sorted(refusal.issues), "debug_id": refusal.debug_id},
    )


def _tell(alert: AlertReason, order: OrderInfo, refusal: Refused, now: int) -> None:
    """Alert the admins once a day for each cause: every buyer meets the same fault."""
    issues = ", ".join(sorted(refusal.issues)) or refusal.name or str(refusal.status)
    detail = {"issues": issues, "currency": order.currency, "plan": order.plan_code, "debug_id": refusal.debug_id}
    outbox.alert(alert, detail, now, key=f"{alert}:{issues}:{now // DAY_S}")
