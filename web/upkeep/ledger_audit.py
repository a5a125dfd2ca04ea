"""Audits the ledger, and tells the admins what contradicts itself. Backups report what is found in them here too."""

import logging

from models.event_kinds import IncidentKey
from models.maintenance import health
from models.maintenance.integrity import FAULTS_SHOWN
from models.money import payments

logger = logging.getLogger(__name__)


def audit(now: int) -> None:
    """Audit the ledger as it is now."""
    report(payments.audit(FAULTS_SHOWN), now)


def report(contradictions: list[str], now: int) -> None:
    """Tell the admins of contradictions, or that there are none any more."""
    if not contradictions:
        health.close_incident(IncidentKey.LEDGER_CONTRADICTS_ITSELF, now)
        return
    text = "; ".join(contradictions)
    logger.error("ledger.contradicted", extra={"cause": text})
    health.tell_incident(IncidentKey.LEDGER_CONTRADICTS_ITSELF, text, now)
