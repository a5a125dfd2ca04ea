"""Every hour the last days' money at PayPal is laid beside the ledger; what neither side can explain is reported."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from models import events, orders, payments
from models.payments import PaymentInfo
from web.paypal import Refused
from web.renewals import rfc3339
from web.shop import Shop

logger = logging.getLogger(__name__)

LOOK_BACK_S = 3 * 86_400
REPORT_LAG_S = 4 * 3600
"""PayPal's report shows a transaction up to three hours late."""


def compare(till: Shop, now: int) -> None:
    """Settle what PayPal has and we have not; report what stays unexplained, once each.

    :raises PayPalError: PayPal could not be asked.
    """
    start = now - LOOK_BACK_S
    reported = {str(row["transaction_id"]): row for row in till.paypal.transactions(rfc3339(start), rfc3339(now))}
    for row in incoming(reported.values()):
        _explain(till, row, now)
    for payment in missing(payments.since("paypal", start + REPORT_LAG_S), reported, now - REPORT_LAG_S):
        logger.error("payment that PayPal does not report", extra={"payment": payment.id})
        _report("not_at_provider", payment.remote_id, payment.amount, payment.currency, now)


def incoming(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Successful payments to us: positive amounts whose event code is a payment's (T00xx)."""
    return [
        row
        for row in rows
        if str(row.get("transaction_event_code", "")).startswith("T00")
        and row.get("transaction_status") == "S"
        and not str(row.get("transaction_amount", {}).get("value", "-")).startswith("-")
    ]


def missing(known: Iterable[PaymentInfo], reported: Mapping[str, object], until: int) -> list[PaymentInfo]:
    """Payments of ours, completed by *until*, that the report lacks. An empty report says nothing at all."""
    if not reported:
        return []
    return [
        payment
        for payment in known
        if payment.completed_at is not None and payment.completed_at <= until and payment.remote_id not in reported
    ]


def _explain(till: Shop, row: Mapping[str, Any], now: int) -> None:
    transaction_id = str(row["transaction_id"])
    if payments.find("paypal", transaction_id):
        return
    order = orders.by_public(str(row.get("custom_field") or row.get("invoice_id") or ""))
    if order is not None:
        try:
            till.reconcile(order, now)
        except Refused as refusal:
            logger.warning("order not settled", extra={"order": order.id, "cause": str(refusal)})
    if payments.find("paypal", transaction_id):
        logger.warning("payment found by comparison", extra={"transaction": transaction_id})
        return
    amount = row.get("transaction_amount", {})
    logger.error("unexplained money at PayPal", extra={"transaction": transaction_id})
    _report("not_in_ledger", transaction_id, str(amount.get("value")), str(amount.get("currency_code")), now)


def _report(reason: str, remote_id: str, amount: object, currency: str, now: int) -> None:
    detail = {"provider": "paypal", "remote_id": remote_id, "amount": amount, "currency": currency}
    events.alert(f"money_{reason}", detail, now, key=f"unexplained:paypal:{remote_id}")
