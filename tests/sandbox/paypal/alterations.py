"""Answers that are not true: what a shop must notice before it believes an order.

Applied after the guard has seen the true answer, so that a lie is not taken for a deviation.
"""

import copy
from collections.abc import Callable
from typing import Any

from .calls import Body
from .merchant import OTHER_MERCHANT_ID


def alter(fault: str, body: Body, parameters: Body) -> Body:
    """A changed copy of an answer."""
    changed = copy.deepcopy(body)
    RECIPES[fault](changed, **parameters)
    return changed


def _amounts(body: Body) -> list[Body]:
    return [
        amount
        for unit in body["purchase_units"]
        for amount in (unit["amount"], *(capture["amount"] for capture in unit.get("payments", {}).get("captures", [])))
    ]


def _wrong_amount(body: Body, value: str = "0.01") -> None:
    for amount in _amounts(body):
        amount["value"] = value


def _wrong_currency(body: Body, currency: str = "HUF") -> None:
    for amount in _amounts(body):
        amount["currency_code"] = currency


def _two_units(body: Body) -> None:
    body["purchase_units"].append({**copy.deepcopy(body["purchase_units"][0]), "reference_id": "second"})


def _other_merchant(body: Body) -> None:
    for unit in body["purchase_units"]:
        unit["payee"] = {"merchant_id": OTHER_MERCHANT_ID, "email_address": "other@business.example.com"}


def _other_custom_id(body: Body, custom_id: str = "somebody-elses") -> None:
    for unit in body["purchase_units"]:
        unit["custom_id"] = custom_id


def _unknown_status(body: Body, status: str = "TELEPORTED") -> None:
    body["status"] = status
    for unit in body["purchase_units"]:
        for capture in unit.get("payments", {}).get("captures", []):
            capture["status"] = status


def _unknown_field(body: Body) -> None:
    body["quantum_state"] = {"spin": "up"}
    body["purchase_units"][0]["entanglement"] = ["left", "right"]


def _set(body: Body, **values: Any) -> None:
    """Each name is a JSON pointer: ``{"/purchase_units/0/amount/value": "1.00"}``."""
    for pointer, value in values["set"].items():
        *parents, last = pointer.strip("/").split("/")
        node: Any = body
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        node[int(last) if isinstance(node, list) else last] = value


RECIPES: dict[str, Callable[..., None]] = {
    "wrong_amount": _wrong_amount,
    "wrong_currency": _wrong_currency,
    "two_units": _two_units,
    "other_merchant": _other_merchant,
    "other_custom_id": _other_custom_id,
    "unknown_status": _unknown_status,
    "unknown_field": _unknown_field,
    "alter": _set,
}
