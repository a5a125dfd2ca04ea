"""Every hour the last days' money at PayPal is laid beside the ledger; what neither side can explain is reported."""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from models import notes, outbox
from models.errors import ModelError
from models.maintenance import health
from models.money import orders, payments, subscriptions
from models.money.orders import OrderInfo
from models.money.payments import PaymentInfo, RefundFact
from web.paypal.client import FORBIDDEN, NOT_FOUND, Refused, Unreadable, minor
from web.paypal.outcome import Result
from web.paypal.parsing import PROVIDER, instant, read_refund, read_sale_refund, readable, rfc3339
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

LOOK_BACK_S = 3 * 86_400
REPORT_LAG_S = 4 * 3600
"""PayPal's report shows a transaction up to three hours late."""

PAYMENTS = "T00"
GIVEN_BACK = frozenset({"T1106", "T1107"})
"""Event codes of the report: what begins with T00 is a payment; these are reversals and refunds."""

ORDERED = "ODR"
"""Kind of what a payment refers to, where that is its order."""

LONGEST_SPAN_S = 31 * 86_400
OLDEST_S = 3 * 365 * 86_400
"""How much of its report PayPal shows at once, and how old it may be."""

COMPARED_NOTE = "paypal_compared"
"""When the report was last compared. Restored with a backup, it leads back to what the backup does not know."""

INCIDENT = "report_refused"

Row = Mapping[str, Any]


def compare(till: Shop, now: int) -> None:
    """Settle what PayPal has and we have not; report what stays unexplained, once each.

    What fails over one transaction is left for the next time, which then looks back as far as this one.

    :raises PayPalError: PayPal could not be asked.
    """
    start = _start(now)
    try:
        rows = [row for span in spans(start, now) for row in till.paypal.transactions(*map(rfc3339, span))]
    except Refused as refusal:
        if refusal.status != FORBIDDEN:
            raise
        health.open_incident(INCIDENT, str(refusal), now)
        return
    health.close_incident(INCIDENT, now)
    with readable("the transaction list"):
        reported = {str(row["transaction_id"]): row for row in rows}
    failed: list[str] = []
    for row in incoming(reported.values()):
        with _apart(row, failed):
            _explain(till, row, now)
        if failed[-1:] == [row["transaction_id"]]:
            _unexplained(row, now)
    payments.apply(given_back(till, reported.values(), failed, now), now)
    for payment in missing(payments.since(PROVIDER, start + REPORT_LAG_S), reported, now - REPORT_LAG_S):
        logger.error("payment that PayPal does not report", extra={"payment": payment.id})
        _report("not_at_provider", payment.remote_id, payment.amount, payment.currency, now)
    if not failed:
        notes.put(COMPARED_NOTE, now, now)


def spans(start: int, end: int) -> list[tuple[int, int]]:
    """The time from *start* to *end* in pieces that PayPal answers for."""
    starts = range(start, end, LONGEST_SPAN_S)
    return [(first, min(first + LONGEST_SPAN_S, end)) for first in starts]


def _start(now: int) -> int:
    """From when on to compare: the last days, or all the time since the last comparison if that is longer."""
    compared = notes.get(COMPARED_NOTE) or now
    return max(min(now, compared) - LOOK_BACK_S, now - OLDEST_S)


def incoming(rows: Iterable[Row]) -> list[Row]:
    """Successful payments to us: positive amounts whose event code is a payment's."""
    return [
        row
        for row in rows
        if str(row.get("transaction_event_code", "")).startswith(PAYMENTS)
        and row.get("transaction_status") == "S"
        and not str((row.get("transaction_amount") or {}).get("value", "-")).startswith("-")
    ]


def given_back(till: Shop, rows: Iterable[Row], failed: list[str], now: int) -> list[RefundFact]:
    """Refunds and reversals, whoever made them, of payments that are in the ledger, and that the ledger does not know.

    :raises PayPalError: PayPal could not be asked about one.
    """
    found = []
    for row in rows:
        taken = row.get("transaction_event_code") in GIVEN_BACK and row.get("transaction_status") == "S"
        if taken and not payments.knows_refund(PROVIDER, str(row["transaction_id"])):
            payment = payments.find(PROVIDER, str(row.get("paypal_reference_id", "")))
            with _apart(row, failed):
                fact = _refund(till, payment, row, now) if payment else None
                if fact is not None:
                    found.append(fact)
    return found


@contextlib.contextmanager
def _apart(row: Row, failed: list[str]) -> Iterator[None]:
    """Let what is wrong with one transaction keep nobody else's money away: it is logged, and added to *failed*.

    :raises PayPalError: PayPal could not be asked, which it could not about the others either.
    """
    try:
        yield
    except (ModelError, Refused, Unreadable) as error:
        found = {"transaction": row["transaction_id"], "purchase": row.get("custom_field"), "cause": str(error)}
        logger.error("transaction not compared", extra=found)
        failed.append(str(row["transaction_id"]))


def _refund(till: Shop, payment: PaymentInfo, row: Row, now: int) -> RefundFact | None:
    """What PayPal says of a refund itself; what it shows nowhere else (a reversal) is taken from the list."""
    refund_id = str(row["transaction_id"])
    try:
        if payment.subscription_id is not None:
            return read_sale_refund(till.paypal.sale_refund(refund_id), payment.remote_id, now)
        return read_refund(till.paypal.refund(refund_id), now)
    except Refused as refusal:
        if refusal.status != NOT_FOUND:
            raise
    with readable("a transaction"):
        amount, _currency = minor(row["transaction_amount"])
        at = instant(row.get("transaction_initiation_date"), now, now)
        return RefundFact(PROVIDER, payment.remote_id, refund_id, abs(amount), at)


def missing(known: Iterable[PaymentInfo], reported: Mapping[str, object], until: int) -> list[PaymentInfo]:
    """Payments of ours, completed by *until*, that the report lacks. An empty report says nothing at all."""
    if not reported:
        return []
    return [
        payment
        for payment in known
        if payment.completed_at is not None and payment.completed_at <= until and payment.remote_id not in reported
    ]


def _explain(till: Shop, row: Row, now: int) -> None:
    transaction_id = str(row["transaction_id"])
    if payments.find(PROVIDER, transaction_id):
        return
    purchase = str(row.get("custom_field") or row.get("invoice_id") or "")
    order = orders.by_public(purchase)
    if order is None and purchase and not orders.is_sold_by(till.settings.bot_id, purchase):
        return  # the account sells elsewhere too, perhaps through another bot
    if order is None or order.remote_id is None:
        order = _recall(till, row, purchase, now)
    if order is not None and till.reconcile(order, now).result is Result.LATER:
        return
    if payments.find(PROVIDER, transaction_id):
        logger.warning("payment found by comparison", extra={"transaction": transaction_id})
        return
    _unexplained(row, now)


def _unexplained(row: Row, now: int) -> None:
    amount, transaction_id = row.get("transaction_amount") or {}, str(row["transaction_id"])
    logger.error("unexplained money at PayPal", extra={"transaction": transaction_id})
    _report("not_in_ledger", transaction_id, str(amount.get("value")), str(amount.get("currency_code")), now)


def _recall(till: Shop, row: Row, purchase: str, now: int) -> OrderInfo | None:
    """Write anew what was bought after the backup that has been restored, as far as PayPal remembers it.

    :raises PayPalError: PayPal could not be asked what the payment belongs to.
    """
    with readable("a transaction"):
        amount, currency = minor(row["transaction_amount"])
        at = instant(row.get("transaction_initiation_date"), now, now)
    order = orders.recall(purchase, PROVIDER, amount, currency, till.plans, at, now)
    if order is None:
        return None
    logger.warning("order written anew", extra={"order": order.id, "transaction": row["transaction_id"]})
    remote_id = _subscription_of(till, row, order, now) if order.renews else _order_of(till, row)
    return orders.attach_remote(order.id, remote_id, now) if remote_id else None


def _subscription_of(till: Shop, row: Row, order: OrderInfo, now: int) -> str:
    """PayPal's subscription that a payment belongs to, which is written anew with its order."""
    # The report leaves the hyphen of I-… out.
    remote_id = f"I-{str(row.get('paypal_reference_id', '')).removeprefix('I').removeprefix('-')}"
    _look_at_other(till, order, now)
    subscriptions.recall(order.id, remote_id, now)
    return remote_id


def _look_at_other(till: Shop, order: OrderInfo, now: int) -> None:
    """What the backup says renews this plan may have ended since. Else what took its place is ended as a second one.

    :raises PayPalError: PayPal could not be asked.
    """
    other = subscriptions.active(order.user_id, order.plan_code)
    if other is None or other.provider != PROVIDER:
        return
    try:
        till.settle_subscription(other, now)
    except Refused as refusal:
        logger.warning("subscription not read", extra={"subscription": other.id, "cause": str(refusal)})


def _order_of(till: Shop, row: Row) -> str | None:
    """PayPal's order that a payment belongs to. The report may name it; the capture always does, if there is one."""
    if row.get("paypal_reference_id_type") == ORDERED:
        return str(row["paypal_reference_id"])
    try:
        capture = till.paypal.capture(str(row["transaction_id"]))
    except Refused as refusal:
        if refusal.status != NOT_FOUND:
            raise
        return None
    with readable("the capture"):
        addresses = {link["rel"]: str(link["href"]) for link in capture["links"]}
        return addresses["up"].rpartition("/")[2]


def _report(reason: str, remote_id: str, amount: object, currency: str, now: int) -> None:
    detail = {"provider": PROVIDER, "remote_id": remote_id, "amount": amount, "currency": currency}
    outbox.alert(f"money_{reason}", detail, now, key=f"unexplained:{PROVIDER}:{remote_id}")
