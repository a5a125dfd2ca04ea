"""Faults on request: what goes wrong, for which calls or events, and how often."""

import itertools
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from .calls import Body

TOKEN_CALL = "POST /v1/oauth2/token"
CAPTURE_CALL = "POST /v2/checkout/orders/*/capture"
ORDER_READ = "GET /v2/checkout/orders/*"
REFUND_CALL = "POST /v2/payments/captures/*/refund"

# Each fault and the calls (or event types) that it touches unless told otherwise.
TRANSPORT = dict.fromkeys(
    (
        "lost_response",  # the money moved, then the connection closes without an answer
        "lost_request",  # the connection closes, nothing was done
        "bad_gateway",  # 502 with an HTML page
        "internal_error",  # 500
        "rate_limited",  # 429; `retry_after` seconds, or no such header
        "unauthorized",  # 401, and the token is worth nothing any more
        "slow",  # answers after `seconds`
        "timeout",  # holds the connection for `seconds`, then closes it
        "error",  # refuses with `status` and `issue`, worded as PayPal's files word it
    ),
    "*",
)
IN_PROGRESS = {
    "conflict": "POST /v[12]/*",  # 409: an earlier call about the same thing is still in progress
}
BEHAVIOUR = {
    "declined_instrument": CAPTURE_CALL,
    "capture_status": CAPTURE_CALL,  # `status` PENDING, DECLINED or FAILED, `reason` of a pending one
    "refund_status": REFUND_CALL,  # `status` PENDING or FAILED
    "reporting_lag": "GET /v1/reporting/transactions",  # the last `seconds` are not listed yet
    "list_lag": "GET /v1/*",  # nor among a subscription's payments, or the disputes
    "order_lag": ORDER_READ,  # an order reads as before its capture
}
ALTERATION = dict.fromkeys(
    (
        "wrong_amount",
        "wrong_currency",
        "two_units",
        "other_merchant",
        "other_custom_id",
        "unknown_status",
        "unknown_field",
        "alter",
    ),
    ORDER_READ,
)
LEFT_OUT = {
    "optional_left_out": "*",  # of an answer or an event, every field that PayPal's files do not require
}
DELIVERY = dict.fromkeys(
    (
        "webhook_drop",
        "webhook_delay",
        "webhook_duplicate",
        "webhook_reorder",
        "webhook_without",  # the `fields` of the event's resource are left out
    ),
    "*",
)
FAULTS: Mapping[str, str] = {**TRANSPORT, **IN_PROGRESS, **BEHAVIOUR, **ALTERATION, **LEFT_OUT, **DELIVERY}


@dataclass
class Switch:
    """One fault that is set. ``remaining`` None: until it is cleared."""

    id: int
    fault: str
    subject: str  # glob over `METHOD /path`, or over an event type
    remaining: int | None
    probability: float
    parameters: Body
    explicit: bool  # the subject was named, so it may be the token endpoint too
    dice: random.Random = field(repr=False)
    taken: int = 0

    def matches(self, subject: str) -> bool:
        if subject == TOKEN_CALL and not self.explicit:
            return False
        return fnmatchcase(subject, self.subject)

    def describe(self) -> Body:
        return {
            "id": self.id,
            "fault": self.fault,
            "on": self.subject,
            "count": self.remaining,
            "probability": self.probability,
            "taken": self.taken,
            **self.parameters,
        }


class Switches:
    """Those that are set, in the order in which they were; kept in memory only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._set: list[Switch] = []

    def set(
        self,
        fault: str,
        *,
        on: str | None = None,
        count: int | None = None,
        probability: float = 1.0,
        seed: int = 0,
        **parameters: Any,
    ) -> int:
        """Arms a fault: for the next ``count`` matching calls (default one; with a probability, until cleared).

        Raises ValueError for an unknown fault.
        """
        if fault not in FAULTS:
            raise ValueError(f"unknown fault {fault!r}; there are {', '.join(FAULTS)}")
        if count is None and probability == 1.0:
            count = 1
        with self._lock:
            switch = Switch(
                id=next(self._ids),
                fault=fault,
                subject=on or FAULTS[fault],
                remaining=count,
                probability=probability,
                parameters=parameters,
                explicit=on is not None,
                dice=random.Random(seed),
            )
            self._set.append(switch)
            return switch.id

    def take(self, faults: Mapping[str, str] | str, subject: str) -> Switch | None:
        """The first armed switch of these faults that touches the subject, counted down; None when none does."""
        wanted = {faults} if isinstance(faults, str) else faults
        with self._lock:
            for switch in self._set:
                if switch.fault not in wanted or not switch.matches(subject):
                    continue
                if switch.dice.random() >= switch.probability:
                    continue
                switch.taken += 1
                if switch.remaining is not None:
                    switch.remaining -= 1
                    if switch.remaining <= 0:
                        self._set.remove(switch)
                return switch
        return None

    def describe(self) -> list[Body]:
        with self._lock:
            return [switch.describe() for switch in self._set]

    def clear(self, switch_id: int | None = None) -> None:
        """Disarms one switch, or all."""
        with self._lock:
            self._set = [switch for switch in self._set if switch_id not in (None, switch.id)]
