"""Our webhook at PayPal: found or made for ``BACKEND_URL`` without the operator's hand."""

import logging
import uuid
from collections.abc import Mapping
from typing import Any

from models import health, notes
from web.paypal import PayPalError, Refused
from web.shop import WEBHOOK_NOTE, Shop
from web.webhook import EVENT_TYPES

logger = logging.getLogger(__name__)

PATH = "/paypal/webhook"
INCIDENT = "webhook_missing"
REQUEST_NOTE = "paypal_webhook_request"


def ensure(till: Shop, now: int) -> None:
    """Make sure that PayPal knows where to send its events; until it does, the poller works and the admins know."""
    if till.settings.paypal_webhook_id or notes.get(WEBHOOK_NOTE):
        return
    url = f"{till.settings.backend_url}{PATH}"
    if not url.startswith("https://") and till.settings.paypal_endpoint is None:
        _missing(f"PayPal sends webhooks to https addresses only, and BACKEND_URL is {till.settings.backend_url}", now)
        return
    try:
        webhook_id = _find(till, url) or _make(till, url, now)
    except PayPalError as error:
        _missing(f"PayPal did not register the webhook {url}: {error}", now)
        return
    notes.put(WEBHOOK_NOTE, webhook_id, now)
    health.close_incident(INCIDENT, now)
    logger.info("webhook registered", extra={"webhook": webhook_id, "url": url})


def _find(till: Shop, url: str) -> str | None:
    return next((str(hook["id"]) for hook in till.paypal.webhooks() if hook.get("url") == url), None)


def _make(till: Shop, url: str, now: int) -> str:
    request_id = notes.get(REQUEST_NOTE)
    if not isinstance(request_id, str):
        request_id = str(uuid.uuid4())
        notes.put(REQUEST_NOTE, request_id, now)
    try:
        made: Mapping[str, Any] = till.paypal.create_webhook(url, list(EVENT_TYPES), request_id)
    except Refused as refusal:
        if "WEBHOOK_URL_ALREADY_EXISTS" not in {refusal.name, *refusal.issues}:
            raise
        return _find(till, url) or ""
    return str(made["id"])


def _missing(text: str, now: int) -> None:
    logger.warning("no webhook", extra={"cause": text})
    health.open_incident(INCIDENT, text, now)
