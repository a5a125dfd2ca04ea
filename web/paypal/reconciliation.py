"""Compares the transactions of the last days at PayPal with the ledger, and reports what neither side explains."""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from config.units import DAY_S, HOUR_S
from models import notes, outbox
from models.errors import ModelError
from models.event_kinds import AlertReason, IncidentKey
from models.maintenance import health
from models.money import orders, payments, subscriptions
from models.money.orders import OrderInfo
from models.money.payments import PaymentInfo, RefundFact
from models.money.seller import Result
from web.paypal import unreadable
from web.paypal.client import FORBIDDEN, NOT_FOUND, PayPalError, Refused, Unreadable, minor, readable, text
from web.paypal.parsing import (
    PROVIDER,
    digest,
    given_back,
    instant,
    linked_order,
    orders_named,
    parse_refund,
    parse_sale_refund,
    rfc3339,
)
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

LOOK_BACK_S = 3 * DAY_S
REPORT_LAG_S = 4 * HOUR_S
"""Seconds: PayPal's report shows a transaction up to three hours late."""

SHOWN_S = DAY_S
"""Seconds after which PayPal shows a payment in its order too: one that it does not show then needs somebody."""

PAYMENTS = "T00"
REFUNDS = frozenset({"T1106", "T1107"})
"""Event codes of the report: those that begin with T00 are payments, these are reversals and refunds."""

ORDERED = "ODR"
"""The type of a payment's reference, where it refers to an order."""

LONGEST_SPAN_S = 31 * DAY_S
OLDEST_S = 3 * 365 * DAY_S
"""The longest span that PayPal reports at once, and the age of the oldest transactions, in seconds."""

COMPARED_NOTE = "paypal_compared"
"""The note of the last comparison. A restored backup brings back an old one, and what came since is compared again."""


Row = Mapping[str, Any]


def compare(shop: Shop, now: int) -> None:
    """Settle payments that PayPal has and the ledger lacks; report once what stays unexplained.

    A transaction that fails is left to the next comparison, which then starts no later than this one.

    :raises PayPalError: PayPal could not be asked.
    """
    start = _start(now)
    try:
        rows = [row for span in spans(start, now) for row in shop.paypal.transactions(*map(rfc3339, span))]
    except Refused as refusal:
        if refusal.status != FORBIDDEN:
            raise
        health.open_incident(IncidentKey.REPORT_REFUSED, str(refusal), now)
        return
    health.close_incident(IncidentKey.REPORT_REFUSED, now)
    reported = _by_id(rows, now)
    failed: list[str] = []
    for row in reported.values():
        with _isolated(row, failed, now):
            if is_incoming(row):
                _explain(shop, row, now)
        if failed[-1:] == [row["transaction_id"]]:
            _unexplained(row, now)
    payments.apply(refunds(shop, reported.values(), failed, now), now)
    for payment in missing(payments.since(PROVIDER, start + REPORT_LAG_S), reported, now - REPORT_LAG_S):
        logger.error("payment.unreported", extra={"payment": payment.id})
        money = {"amount": payment.amount, "currency": payment.currency}
        _report(AlertReason.MONEY_NOT_AT_PROVIDER, payment.remote_id, money, now)
    if not failed:
        notes.put(COMPARED_NOTE, now, now)


def spans(start: int, end: int) -> list[tuple[int, int]]:
    """The time from *start* to *end*, in spans that PayPal accepts."""
    starts = range(start, end, LONGEST_SPAN_S)
    return [(first, min(first + LONGEST_SPAN_S, end)) for first in starts]


def _start(now: int) -> int:
    """The start of the comparison: some days ago, or the last comparison if that was earlier."""
    compared = notes.get(COMPARED_NOTE) or now
    return max(min(now, compared) - LOOK_BACK_S, now - OLDEST_S)


def _by_id(rows: Iterable[Row], now: int) -> dict[str, Row]:
    """The rows by their ids. Of one without an id the admins are told once."""
    found: dict[str, Row] = {}
    for row in rows:
        try:
            found[text(row.get("transaction_id"))] = row
        except ValueError:
            logger.error("transaction.unread", extra={"transaction": digest(row)})
            _set_apart(row, digest(row), now)
    return found


def is_incoming(row: Row) -> bool:
    """Whether a row is a successful payment to us: a positive amount with the event code of a payment.

    :raises Unreadable: the row cannot be read.
    """
    with readable("a transaction"):
        return (
            str(row.get("transaction_event_code", "")).startswith(PAYMENTS)
            and row.get("transaction_status") == "S"
            and not str((row.get("transaction_amount") or {}).get("value", "-")).startswith("-")
        )


def refunds(shop: Shop, rows: Iterable[Row], failed: list[str], now: int) -> list[RefundFact]:
    """Refunds and reversals that the ledger lacks, of payments that it has.

    :raises PayPalError: PayPal could not be asked about one.
    """
    found = []
    for row in rows:
        taken = str(row.get("transaction_event_code")) in REFUNDS and row.get("transaction_status") == "S"
        if taken and not payments.knows_refund(PROVIDER, str(row["transaction_id"])):
            payment = payments.find(PROVIDER, str(row.get("paypal_reference_id", "")))
            with _isolated(row, failed, now):
                fact = _refund(shop, payment, row, now) if payment else None
                if fact is not None:
                    found.append(fact)
    return found


@contextlib.contextmanager
def _isolated(row: Row, failed: list[str], now: int) -> Iterator[None]:
    """Keep a fault of one transaction from the others.

    It is logged. Of a row that cannot be read the admins are told once; any other is added to *failed*, and compared
    again.

    :raises PayPalError: PayPal cannot be asked, which holds for the others too.
    """
    try:
        yield
    except (ModelError, Refused, Unreadable) as error:
        found = {"transaction": row["transaction_id"], "purchase": row.get("custom_field"), "cause": str(error)}
        logger.error("transaction.failed", extra=found)
        if isinstance(error, Unreadable):
            _set_apart(row, str(row["transaction_id"]), now)
        else:
            failed.append(str(row["transaction_id"]))


def _set_apart(row: Row, name: str, now: int) -> None:
    unreadable.set_apart("transaction", name, now, code=row.get("transaction_event_code"))


def _refund(shop: Shop, payment: PaymentInfo, row: Row, now: int) -> RefundFact | None:
    """A refund as PayPal shows it; a reversal, which it shows nowhere else, is taken from the list."""
    refund_id = str(row["transaction_id"])
    try:
        if payment.subscription_id is not None:
            return parse_sale_refund(shop.paypal.sale_refund(refund_id), now, payment.currency, payment.remote_id)
        return parse_refund(shop.paypal.refund(refund_id), now, payment.currency, payment.remote_id)
    except Refused as refusal:
        if refusal.status != NOT_FOUND:
            raise
    with readable("a transaction"):
        amount = given_back(row["transaction_amount"], payment.currency)
        at = instant(row.get("transaction_initiation_date"), now, now)
        return RefundFact(PROVIDER, payment.remote_id, refund_id, amount, at=at)


def missing(known: Iterable[PaymentInfo], reported: Mapping[str, object], until: int) -> list[PaymentInfo]:
    """Payments of ours, completed by *until*, that the report lacks. An empty report proves nothing."""
    if not reported:
        return []
    return [
        payment
        for payment in known
        if payment.completed_at is not None and payment.completed_at <= until and payment.remote_id not in reported
    ]


def _explain(shop: Shop, row: Row, now: int) -> None:
    transaction_id = str(row["transaction_id"])
    if payments.find(PROVIDER, transaction_id):
        return
    purchase = next(iter(orders_named(row)), "")
    order = orders.by_public(purchase)
    if order is None and purchase and not orders.is_sold_by(shop.settings.bot_id, purchase):
        return  # the account sells elsewhere too, perhaps through another bot
    if order is None or order.remote_id is None:
        order = _recall(shop, row, purchase, now)
    if order is not None and _shows_later(shop, order, row, now):
        return
    if payments.find(PROVIDER, transaction_id):
        logger.warning("payment.recovered", extra={"transaction": transaction_id})
        return
    _unexplained(row, now)


def _shows_later(shop: Shop, order: OrderInfo, row: Row, now: int) -> bool:
    """Settle the order of a payment; whether PayPal has yet to show it, which it does within :data:`SHOWN_S`.

    :raises Unreadable: PayPal shows an order that cannot be read.
    """
    with readable("a transaction"):
        at = instant(row.get("transaction_initiation_date"), now, now)
    try:
        result = shop.settle(order, now).result
    except Unreadable:
        raise
    except PayPalError as error:
        logger.warning("order.unsettled", extra={"order": order.id, "cause": str(error), "debug_id": error.debug_id})
        return not error.permanent or now - at < SHOWN_S
    return result is Result.LATER and now - at < SHOWN_S


def _unexplained(row: Row, now: int) -> None:
    said, transaction_id = row.get("transaction_amount"), str(row["transaction_id"])
    logger.error("payment.unexplained", extra={"transaction": transaction_id})
    amount = said if isinstance(said, dict) else {}
    money = {"amount": str(amount.get("value")), "currency": str(amount.get("currency_code"))}
    _report(AlertReason.MONEY_NOT_IN_LEDGER, transaction_id, money, now)


def _recall(shop: Shop, row: Row, purchase: str, now: int) -> OrderInfo | None:
    """Write the order anew that a restored backup does not know, as far as PayPal remembers it.

    :raises PayPalError: PayPal could not be asked what the payment belongs to.
    """
    with readable("a transaction"):
        amount, currency = minor(row["transaction_amount"])
        at = instant(row.get("transaction_initiation_date"), now, now)
    order = orders.recall(
        purchase,
        PROVIDER,
        amount,
        currency,
        plans=shop.catalogue.plans,
        secret=shop.settings.telegram_bot_token,
        at=at,
        now=now,
    )
    if order is None:
        return None
    logger.warning("order.recalled", extra={"order": order.id, "transaction": row["transaction_id"]})
    remote_id = _subscription_of(shop, row, order, now) if order.renews else _order_of(shop, row)
    return orders.attach_remote(order.id, remote_id, now) if remote_id else None


def _subscription_of(shop: Shop, row: Row, order: OrderInfo, now: int) -> str:
    """The id of the subscription that a payment belongs to, which is written anew with its order."""
    # The report writes the id without the hyphen of ``I-…``.
    remote_id = f"I-{_reference(row).removeprefix('I').removeprefix('-')}"
    _poll_other(shop, order, now)
    subscriptions.recall(order.id, remote_id, now)
    return remote_id


def _poll_other(shop: Shop, order: OrderInfo, now: int) -> None:
    """Poll the subscription that renews this plan according to the backup, because it may have ended since.

    Otherwise the one that took its place would be cancelled as a second one.

    :raises PayPalError: PayPal could not be asked.
    """
    other = subscriptions.active(order.user_id, order.plan_code)
    if other is None or other.provider != PROVIDER:
        return
    try:
        shop.settle_subscription(other, now)
    except Refused as refusal:
        logger.warning("subscription.unread", extra={"subscription": other.id, "cause": str(refusal)})


def _order_of(shop: Shop, row: Row) -> str | None:
    """The id of the order that a payment belongs to: the report may name it, a capture always does."""
    if row.get("paypal_reference_id_type") == ORDERED:
        return _reference(row)
    try:
        capture = shop.paypal.capture(str(row["transaction_id"]))
    except Refused as refusal:
        if refusal.status != NOT_FOUND:
            raise
        return None
    return linked_order(capture)


@readable("a transaction")
def _reference(row: Row) -> str:
    return text(row["paypal_reference_id"])


def _report(reason: AlertReason, remote_id: str, money: Mapping[str, object], now: int) -> None:
    detail = {"provider": PROVIDER, "remote_id": remote_id, **money}
    outbox.alert(reason, detail, now, key=f"unexplained:{PROVIDER}:{remote_id}")
