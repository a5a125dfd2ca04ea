"""Our webhook at PayPal: found or created for ``BACKEND_URL``, and checked from time to time."""

import logging
import uuid
from collections.abc import Mapping
from typing import Any

from config.units import HOUR_S
from models import notes
from models.event_kinds import IncidentKey
from models.maintenance import health
from web.paypal.client import PayPalError, Refused, readable, text
from web.paypal.events import EVENT_TYPES
from web.paypal.parsing import identifier
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

PATH = "/paypal/webhook"
CHECK_EVERY_S = 6 * HOUR_S
"""Seconds between two checks of a registered webhook: somebody can delete it on PayPal's own pages."""


def ensure(shop: Shop, now: int) -> None:
    """Register the webhook where it is missing. Until that succeeds upkeep polls, and an incident tells the admins."""
    if shop.settings.paypal_webhook_id:
        health.close_incident(IncidentKey.WEBHOOK_MISSING, now)
        return
    url = f"{shop.settings.backend_url}{PATH}"
    if not _is_due(notes.get(shop.webhook_note), url, now):
        return
    if not url.startswith("https://") and shop.settings.paypal_endpoint is None:
        _missing(f"PayPal sends webhooks to https addresses only, and BACKEND_URL is {shop.settings.backend_url}", now)
        return
    try:
        webhook_id = _registered(shop, url)
    except PayPalError as error:
        _missing(f"PayPal did not register the webhook {url}: {error}", now)
        return
    notes.put(shop.webhook_note, {"id": webhook_id, "url": url, "looked_at": now}, now)
    health.close_incident(IncidentKey.WEBHOOK_MISSING, now)
    logger.info("webhook.registered", extra={"webhook": webhook_id, "url": url})


def _is_due(noted: object, url: str, now: int) -> bool:
    if not isinstance(noted, dict) or noted.get("url") != url:
        return True
    looked_at: int = noted["looked_at"]
    return not 0 <= now - looked_at < CHECK_EVERY_S  # a look in the future: the clock was set back


def _registered(shop: Shop, url: str) -> str:
    """The id of the webhook for *url*, which is created where there is none, and subscribed to all our events.

    :raises PayPalError: PayPal could not be asked, or refused.
    """
    found = _find(shop, url)
    if found is None:
        return _create(shop, url)
    subscribed = events_of(found)
    if "*" not in subscribed and not subscribed.issuperset(EVENT_TYPES):
        shop.paypal.subscribe_webhook(identifier(found), list(EVENT_TYPES), str(uuid.uuid4()))
    return identifier(found)


@readable("the webhook's events")
def events_of(webhook: Mapping[str, Any]) -> set[str]:
    """The names of the events that a webhook is subscribed to; ``*`` is all.

    :raises Unreadable: they cannot be read.
    """
    return {text(event["name"]) for event in webhook.get("event_types") or ()}


def _find(shop: Shop, url: str) -> Mapping[str, Any] | None:
    return next((webhook for webhook in shop.paypal.webhooks() if webhook.get("url") == url), None)


def _create(shop: Shop, url: str) -> str:
    """Create the webhook. PayPal refuses a second one for the same address, so no request id needs to be kept."""
    try:
        return identifier(shop.paypal.create_webhook(url, list(EVENT_TYPES), str(uuid.uuid4())))
    except Refused as refusal:
        found = _find(shop, url) if "WEBHOOK_URL_ALREADY_EXISTS" in {refusal.name, *refusal.issues} else None
        if found is None:
            raise
        return identifier(found)


def _missing(text: str, now: int) -> None:
    logger.warning("webhook.missing", extra={"cause": text})
    health.open_incident(IncidentKey.WEBHOOK_MISSING, text, now)
