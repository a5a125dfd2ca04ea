"""What a refusal of PayPal's means for the purchase, and for its buyer."""

import logging

from config.units import DAY_S
from models import outbox
from models.event_kinds import AlertReason
from models.money import orders
from models.money.orders import OrderInfo
from models.money.seller import Outcome, Result
from web.paypal.client import NOT_FOUND, Refused
from web.paypal.parsing import approve_url

logger = logging.getLogger(__name__)

NOT_YET = frozenset({"ORDER_NOT_APPROVED", "PAYER_ACTION_REQUIRED"})
DECLINES = frozenset(
    {
        "INSTRUMENT_DECLINED",
        "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING",
        "PAYER_CANNOT_PAY",
        "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
        "PAYER_ACCOUNT_RESTRICTED",
        "TRANSACTION_REFUSED",
        "TRANSACTION_LIMIT_EXCEEDED",
        "COMPLIANCE_VIOLATION",
    }
)
SPENT = frozenset({"MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED", "DUPLICATE_INVOICE_ID"})
"""PayPal will never capture this order: the buyer needs a new one."""

ACCOUNT = frozenset(
    {
        "TRANSACTION_BLOCKED_BY_PAYEE",
        "TRANSACTION_RECEIVING_LIMIT_EXCEEDED",
        "AUTH_CAPTURE_NOT_ENABLED",
        "DOMESTIC_TRANSACTION_REQUIRED",
        "PERMISSION_DENIED",
        "USER_ACCOUNT_CLOSED",
    }
)
"""Faults of the operator's own account, besides everything that begins with ``PAYEE_``."""

ALERT_EVERY_S = DAY_S


def handle(order: OrderInfo, refusal: Refused, now: int) -> Outcome:
    """Record a refusal of *order*, alert the admins where they must act, and return what the buyer hears."""
    logger.warning(
        "purchase.refused",
        extra={"order": order.id, "issues": sorted(refusal.issues), "debug_id": refusal.debug_id},
    )
    outcome = outcome_of(order, refusal)
    if outcome.result is Result.UNABLE:
        _tell_account(refusal, now)
    elif outcome.result is Result.TROUBLE:
        orders.doubt(order.id, str(refusal), now)
    return outcome


def outcome_of(order: OrderInfo, refusal: Refused) -> Outcome:
    """What the buyer hears of a refusal."""
    link = approve_url(refusal.links) or order.approve_url
    if refusal.status == NOT_FOUND or refusal.issues & SPENT:
        return Outcome(Result.OVER)
    if refusal.issues & NOT_YET:
        return Outcome(Result.NOT_APPROVED, link)
    if refusal.issues & DECLINES:
        return Outcome(Result.DECLINED, link)
    if refusal.issues & ACCOUNT or any(issue.startswith("PAYEE_") for issue in refusal.issues):
        return Outcome(Result.UNABLE)
    return Outcome(Result.TROUBLE)


def _tell_account(refusal: Refused, now: int) -> None:
    """Alert the admins once a day for each cause: every buyer meets the same fault."""
    issues = ", ".join(sorted(refusal.issues))
    detail = {"issues": issues, "debug_id": refusal.debug_id}
    outbox.alert(AlertReason.PAYPAL_ACCOUNT, detail, now, key=f"paypal_account:{issues}:{now // ALERT_EVERY_S}")
