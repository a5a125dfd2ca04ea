"""Our webhook at PayPal: found or made for ``BACKEND_URL`` without the operator's hand, and looked after."""

import logging
import uuid
from collections.abc import Mapping
from typing import Any

from models import notes
from models.maintenance import health
from web.paypal.client import PayPalError, Refused
from web.paypal.events import EVENT_TYPES
from web.paypal.parsing import identifier
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

PATH = "/paypal/webhook"
INCIDENT = "webhook_missing"
LOOK_EVERY_S = 6 * 3600
"""How often a registered webhook is looked for: it can be deleted at PayPal's own pages."""


def ensure(till: Shop, now: int) -> None:
    """Make sure that PayPal knows where to send its events; until it does, the poller works and the admins know."""
    if till.settings.paypal_webhook_id:
        health.close_incident(INCIDENT, now)
        return
    url = f"{till.settings.backend_url}{PATH}"
    if not _is_due(notes.get(till.webhook_note), url, now):
        return
    if not url.startswith("https://") and till.settings.paypal_endpoint is None:
        _missing(f"PayPal sends webhooks to https addresses only, and BACKEND_URL is {till.settings.backend_url}", now)
        return
    try:
        webhook_id = _registered(till, url)
    except PayPalError as error:
        _missing(f"PayPal did not register the webhook {url}: {error}", now)
        return
    notes.put(till.webhook_note, {"id": webhook_id, "url": url, "looked_at": now}, now)
    health.close_incident(INCIDENT, now)
    logger.info("webhook registered", extra={"webhook": webhook_id, "url": url})


def _is_due(noted: object, url: str, now: int) -> bool:
    if not isinstance(noted, dict) or noted.get("url") != url:
        return True
    looked_at: int = noted["looked_at"]
    return now - looked_at >= LOOK_EVERY_S


def _registered(till: Shop, url: str) -> str:
    """The id of the webhook for *url*, made where there is none, subscribed to all that we understand.

    :raises PayPalError: PayPal could not be asked, or refused.
    """
    found = _find(till, url)
    if found is None:
        return _make(till, url)
    subscribed = {str(event.get("name")) for event in found.get("event_types") or ()}
    if "*" not in subscribed and not subscribed.issuperset(EVENT_TYPES):
        till.paypal.subscribe_webhook(identifier(found), list(EVENT_TYPES), str(uuid.uuid4()))
    return identifier(found)


def _find(till: Shop, url: str) -> Mapping[str, Any] | None:
    return next((webhook for webhook in till.paypal.webhooks() if webhook.get("url") == url), None)


def _make(till: Shop, url: str) -> str:
    """A webhook is known by its address, so nothing needs to be kept to make it only once."""
    try:
        return identifier(till.paypal.create_webhook(url, list(EVENT_TYPES), str(uuid.uuid4())))
    except Refused as refusal:
        found = _find(till, url) if "WEBHOOK_URL_ALREADY_EXISTS" in {refusal.name, *refusal.issues} else None
        if found is None:
            raise
        return identifier(found)


def _missing(text: str, now: int) -> None:
    logger.warning("no webhook", extra={"cause": text})
    health.open_incident(INCIDENT, text, now)
