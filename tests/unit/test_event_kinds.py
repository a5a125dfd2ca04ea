"""Events as they are stored: every kind has its dataclass, and rows of other versions stay readable."""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest

from models import event_kinds
from models.event_kinds import PAYLOADS, AdminAlert, EventKind, Payload, PaymentCompleted

PAID: Mapping[str, Any] = {
    "payment": 7, "provider": "stars", "remote_id": "stx", "amount": 500, "currency": "XTR", "order": "x",
    "plan": "premium", "purpose": "plan", "level": 1, "renewal": False, "again": False, "until": 9, "forever": False,
}  # fmt: skip


def test_every_kind_has_a_payload() -> None:
    assert PAYLOADS.keys() == set(EventKind)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_what_is_stored_is_read_again(payload: type[Payload]) -> None:
    if payload is AdminAlert:
        written: Payload = AdminAlert(reason="unknown_order", detail={"user": None, "remote_id": "r"})
    else:
        written = payload(**{each.name: number for number, each in enumerate(fields(payload))})
    stored = json.loads(json.dumps(written.stored()))
    assert event_kinds.read(payload.event_kind, stored) == written


def test_an_alert_is_stored_flat() -> None:
    assert AdminAlert(reason="r", detail={"user": 7}).stored() == {"reason": "r", "user": 7}


def test_a_row_of_an_earlier_version_lacks_what_was_added_later() -> None:
    assert PaymentCompleted.read(PAID).renews is False


def test_a_row_of_a_newer_version_may_hold_more() -> None:
    assert PaymentCompleted.read({**PAID, "renews": True, "gift_of": 8}) == PaymentCompleted(**PAID, renews=True)


def test_a_kind_that_is_not_known_has_no_payload() -> None:
    assert event_kinds.read("of_another_version", {"anything": 1}) is None


def test_a_row_that_lacks_what_its_kind_needs_is_an_error() -> None:
    with pytest.raises(TypeError, match="until"):
        event_kinds.read("access_ended", {})
