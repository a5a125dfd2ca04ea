"""Disputes: the state of each, for the payments that it names, whether or not a webhook told of it."""

import logging

from config.units import DAY_S
from models import notes, outbox
from models.event_kinds import AlertReason, IncidentKey
from models.maintenance import health
from models.money import payments
from models.money.payments import Change, DisputeFact
from web.paypal.client import FORBIDDEN, NOT_FOUND, Refused
from web.paypal.parsing import PROVIDER, outcome_code, parse_dispute, rfc3339
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

LOOK_BACK_S = 4 * DAY_S
"""Seconds before the last comparison: PayPal repeats a notification for three days."""

OLDEST_S = 179 * DAY_S
"""Seconds: PayPal lists the disputes of the last 180 days."""

COMPARED_NOTE = "paypal_disputes_compared"
"""The note of the last comparison. A restored backup brings back an old one, and what came since is compared again."""


def poll(shop: Shop, dispute_id: str, now: int) -> list[Change]:
    """Read a dispute. Its payment is polled first where the ledger does not know it yet.

    :raises PayPalError: PayPal could not be asked, or does not show us the dispute.
    """
    changes: list[Change] = []
    dispute = shop.paypal.dispute(dispute_id)
    outcome = outcome_code(dispute)
    for fact in parse_dispute(dispute, now):
        if payments.find(PROVIDER, fact.payment_remote_id) is None:
            order = shop.order_of_payment(fact.payment_remote_id)
            if order is None:
                continue
            changes += shop.poll(order, now).changes
        changes.append(fact)
        if outcome is not None and fact.won is None:
            _report(fact, outcome, now)
    return changes


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
        _compare_one(shop, str(short.get("dispute_id")), now)
    notes.put(COMPARED_NOTE, now, now)


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
