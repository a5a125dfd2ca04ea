"""Disputes: the state of each, for the payments that it names, whether or not a webhook told of it."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from config.units import DAY_S
from models import notes, outbox
from models.errors import ModelError
from models.event_kinds import AlertReason, IncidentKey
from models.maintenance import health
from models.money import orders, payments
from models.money.orders import OrderInfo
from models.money.payments import Change, DisputeFact
from web.paypal import unreadable
from web.paypal.client import FORBIDDEN, NOT_FOUND, Refused, Unreadable, readable, text
from web.paypal.parsing import PROVIDER, orders_named, outcome_code, parse_dispute, rfc3339
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

LOOK_BACK_S = 4 * DAY_S
"""Seconds before the last comparison: PayPal repeats a notification for three days."""

OLDEST_S = 179 * DAY_S
"""Seconds: PayPal lists the disputes of the last 180 days."""

ELSEWHERE = ""
"""The name of a payment that another shop of this account has taken."""

COMPARED_NOTE = "paypal_disputes_compared"
"""The note of the last comparison. A restored backup brings back an old one, and what came since is compared again."""


def poll(shop: Shop, dispute_id: str, now: int) -> list[Change]:
    """Read a dispute. Its payment is polled first where the ledger does not know it yet.

    :raises PayPalError: PayPal could not be asked, or does not show us the dispute.
    """
    changes: list[Change] = []
    dispute = shop.paypal.dispute(dispute_id)
    outcome = outcome_code(dispute)
    for fact in parse_dispute(dispute, now, partial(_name_payment, shop)):
        if fact.payment_remote_id == ELSEWHERE:
            continue
        if payments.find(PROVIDER, fact.payment_remote_id) is None:
            order = _order_of(shop, fact)
            if order is None:
                continue
            changes += shop.poll(order, now).changes
        changes.append(fact)
        if outcome is not None and fact.won is None:
            _report(fact, outcome, now)
    return changes


def _order_of(shop: Shop, fact: DisputeFact) -> OrderInfo | None:
    """Our order behind a payment; None of one that PayPal does not show us: it hides none of ours beside it."""
    try:
        return shop.order_of_payment(fact.payment_remote_id)
    except Refused as refusal:
        if refusal.status not in (FORBIDDEN, NOT_FOUND):
            raise
        logger.info("dispute.ignored", extra={"dispute": fact.remote_id, "payment": fact.payment_remote_id})
        return None


def _name_payment(shop: Shop, contested: Mapping[str, Any]) -> str:
    """The payment that a dispute is about: PayPal may leave its id out, and name our order only.

    :raises KeyError: nothing names a payment.
    :raises ValueError: the order that is named has no payment yet, or several.
    """
    named = contested.get("seller_transaction_id")
    if named:
        return text(named)
    purchase = next(iter(orders_named(contested)), "")
    order = orders.by_public(purchase)
    if order is not None:
        (payment,) = [each for each in payments.history_of(order.user_id) if each.order_id == order.id]
        return payment.remote_id
    if purchase and not orders.is_sold_by(shop.settings.bot_id, purchase):
        return ELSEWHERE
    raise KeyError("seller_transaction_id")


def _report(fact: DisputeFact, outcome: str, now: int) -> None:
    logger.error("dispute.unexplained", extra={"dispute": fact.remote_id, "outcome": outcome})
    detail = {"provider": PROVIDER, "remote_id": fact.payment_remote_id, "dispute": fact.remote_id, "outcome": outcome}
    outbox.alert(AlertReason.DISPUTE_UNEXPLAINED, detail, now, key=f"unexplained:{PROVIDER}:{fact.remote_id}")


def compare(shop: Shop, now: int) -> None:
    """Compare the disputes of the last days with the ledger.

    :raises PayPalError: PayPal could not be asked.
    """
    try:
        listed = shop.paypal.disputes(rfc3339(_start(now)))
    except Refused as refusal:
        if refusal.status != FORBIDDEN:
            raise
        health.open_incident(IncidentKey.DISPUTES_REFUSED, str(refusal), now)
        return
    health.close_incident(IncidentKey.DISPUTES_REFUSED, now)
    for short in listed:
        _compare_listed(shop, short, now)
    notes.put(COMPARED_NOTE, now, now)


def _compare_listed(shop: Shop, short: Mapping[str, Any], now: int) -> None:
    try:
        _compare_one(shop, _id_of(short), now)
    except (ModelError, Refused, Unreadable) as error:
        _set_apart(short, error, now)


@readable("a dispute")
def _id_of(short: Mapping[str, Any]) -> str:
    return text(short["dispute_id"])


def _set_apart(short: object, error: Exception, now: int) -> None:
    """Tell the admins, once, of a dispute that cannot be read; the others are compared all the same."""
    name = unreadable.name_of(short, "dispute_id")
    logger.error("dispute.failed", extra={"dispute": name, "cause": str(error)})
    unreadable.set_apart("dispute", name, now, why=str(error))


def _start(now: int) -> int:
    """The start of the comparison: some days ago, or the last comparison if that was earlier."""
    compared = notes.get(COMPARED_NOTE) or now
    return max(min(now, compared) - LOOK_BACK_S, now - OLDEST_S)


def _compare_one(shop: Shop, dispute_id: str, now: int) -> None:
    try:
        payments.apply(poll(shop, dispute_id, now), now)
    except Refused as refusal:
        if refusal.status not in (FORBIDDEN, NOT_FOUND):
            raise
        logger.info("dispute.ignored", extra={"dispute": dispute_id})
