"""PayPal's webhook: each notification is verified, stored once, and followed as a hint to read the API.

Answers: 400 for a forged notification, of which nothing is stored. 200 when it is done, known, of no interest, or about
somebody else's business. 500 when it is stored and unfinished: PayPal repeats it, and upkeep continues without that.
503 when it cannot be verified now.
"""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from models.money import webhooks
from models.money.webhooks import Received
from web.paypal import events
from web.paypal.client import PayPalError, loads
from web.paypal.parsing import PROVIDER
from web.paypal.serving import current_shop
from web.paypal.signature import CertificateUnavailable, Forged

logger = logging.getLogger(__name__)

blueprint = Blueprint("webhook", __name__)

ANSWER_WITHIN_S = 7.5
"""Seconds until the answer, whatever PayPal's API does: what takes longer is stored, and left to upkeep."""

LEFT_TO_UPKEEP_S = 2
HINTS = (
    "id",
    "order_id",
    "dispute_id",
    "sale_id",
    "billing_agreement_id",
    "custom",
    "custom_id",
    "invoice_id",
    "invoice_number",
    "links",
)
"""The fields of an event's resource that are stored: ids to read by. Names and addresses of payers are not stored."""


@blueprint.post("/paypal/webhook")
@blueprint.post("/webhook/paypal")
def receive() -> Response:
    """Take one notification, at the address that we register or at the one that operators typed in by hand."""
    started, now = time.monotonic(), int(time.time())
    webhook_id = current_shop().webhook_id()
    if webhook_id is None:
        logger.warning("webhook.refused", extra={"cause": "no webhook is registered yet"})
        return _answer(503, "no webhook is registered")
    body = request.get_data(cache=False)
    try:
        current_shop().verifier.verify(request.headers, body, webhook_id, now)
        event = _parse(body)
    except Forged as error:
        logger.warning("webhook.refused", extra={"cause": str(error)})
        return _answer(400, "not proved to come from PayPal")
    except CertificateUnavailable as error:
        logger.warning("webhook.unverified", extra={"cause": str(error)})
        return _answer(503, "the certificate cannot be fetched now")
    return _take(event, started + ANSWER_WITHIN_S, now)


def _parse(body: bytes) -> Mapping[str, Any]:
    try:
        event = loads(body)
    except ValueError as error:
        raise Forged("signed, but no JSON") from error
    if not isinstance(event, dict) or not isinstance(event.get("id"), str):
        raise Forged("signed, but no event")
    if not isinstance(event.get("resource"), dict):
        raise Forged("signed, but about nothing")
    found: Mapping[str, Any] = event
    return found


def _take(event: Mapping[str, Any], deadline: float, now: int) -> Response:
    resource = {name: event["resource"][name] for name in HINTS if name in event["resource"]}
    received, stored = webhooks.receive(
        PROVIDER,
        event["id"],
        event_type=str(event.get("event_type")),
        resource_id=str(resource.get("id", "")),
        body=json.dumps({"create_time": event.get("create_time"), "resource": resource}),
        now=now,
    )
    if received is Received.DONE:
        return _answer(200, "known")
    try:
        with current_shop().paypal.within(max(0.0, deadline - time.monotonic())):
            events.follow(current_shop(), stored, now)
    except (events.Unfinished, PayPalError) as error:
        logger.warning("webhook.unfinished", extra={"event": stored.event_id, "cause": str(error)})
        if received is Received.NEW:
            webhooks.retry(stored.id, now + LEFT_TO_UPKEEP_S)
        return _answer(500, "stored, to be finished")
    return _answer(200, "done")


def _answer(status: int, text: str) -> Response:
    return Response(text + "\n", status, mimetype="text/plain")
