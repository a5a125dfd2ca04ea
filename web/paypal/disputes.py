"""Disputes: how each stands for the payments that it names, also where no notification told of it."""

import logging

from models import notes, outbox
from models.maintenance import health
from models.money import payments
from models.money.payments import Change, DisputeFact
from web.paypal.client import FORBIDDEN, NOT_FOUND, Refused
from web.paypal.parsing import PROVIDER, outcome_code, read_dispute, rfc3339
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

LOOK_BACK_S = 4 * 86_400
"""A notification is repeated for three days."""

OLDEST_S = 179 * 86_400
"""PayPal lists what has moved within 180 days."""

COMPARED_NOTE = "paypal_disputes_compared"
"""When they were last compared. Restored with a backup, it leads back to what the backup does not know."""

INCIDENT = "disputes_refused"


def look(till: Shop, dispute_id: str, now: int) -> list[Change]:
    """Read a dispute. It may be heard of before its payment: then that is looked at first.

    :raises PayPalError: PayPal could not be asked, or does not show it to us.
    """
    changes: list[Change] = []
    dispute = till.paypal.dispute(dispute_id)
    outcome = outcome_code(dispute)
    for fact in read_dispute(dispute, now):
        if payments.find(PROVIDER, fact.payment_remote_id) is None:
            order = till.order_of_payment(fact.payment_remote_id)
            if order is None:
                continue
            changes += till.look(order, now).changes
        changes.append(fact)
        if outcome is not None and fact.won is None:
            _report(fact, outcome, now)
    return changes


def _report(fact: DisputeFact, outcome: str, now: int) -> None:
    logger.error("a dispute ended in an unknown way", extra={"dispute": fact.remote_id, "outcome": outcome})
    detail = {"provider": PROVIDER, "remote_id": fact.payment_remote_id, "dispute": fact.remote_id, "outcome": outcome}
    outbox.alert("dispute_unexplained", detail, now, key=f"unexplained:{PROVIDER}:{fact.remote_id}")


def compare(till: Shop, now: int) -> None:
    """Lay the disputes of the last days beside the ledger.

    :raises PayPalError: PayPal could not be asked.
    """
    try:
        listed = till.paypal.disputes(rfc3339(_start(now)))
    except Refused as refusal:
        if refusal.status != FORBIDDEN:
            raise
        health.open_incident(INCIDENT, str(refusal), now)
        return
    health.close_incident(INCIDENT, now)
    for short in listed:
        _compare_one(till, str(short.get("dispute_id")), now)
    notes.put(COMPARED_NOTE, now, now)


def _start(now: int) -> int:
    """From when on to compare: the last days, or all the time since the last comparison if that is longer."""
    compared = notes.get(COMPARED_NOTE) or now
    return max(min(now, compared) - LOOK_BACK_S, now - OLDEST_S)


def _compare_one(till: Shop, dispute_id: str, now: int) -> None:
    try:
        payments.apply(look(till, dispute_id, now), now)
    except Refused as refusal:
        if refusal.status not in (FORBIDDEN, NOT_FOUND):
            raise
        logger.info("a dispute about somebody else's business", extra={"dispute": dispute_id})
