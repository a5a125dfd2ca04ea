"""What goes wrong meanwhile: PayPal, Telegram and the network at random, and programs killed at random moments."""

import random
import threading
from typing import Any

from tests.paypal_shop import Program
from tests.sandbox.paypal import LocalPayPal
from tests.sandbox_process import Sandbox

API = "* /v[12]/*"
AT_PAYPAL: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("lost_response", 0.04, {"on": API}),
    ("lost_request", 0.03, {"on": API}),
    ("bad_gateway", 0.02, {"on": API, "performed": True}),
    ("internal_error", 0.03, {"on": API}),
    ("slow", 0.05, {"on": API, "seconds": 0.3}),
    ("rate_limited", 0.02, {"on": API, "retry_after": 1}),
    ("rate_limited", 0.01, {"on": API}),
    ("unauthorized", 0.01, {"on": API}),
    ("conflict", 0.03, {}),
    ("conflict", 0.02, {"performed": True}),
    ("error", 0.03, {"on": "POST */capture", "issue": "PAYMENT_DENIED"}),
    ("error", 0.03, {"on": "POST */capture", "issue": "TRANSACTION_REFUSED", "performed": True}),
    ("error", 0.05, {"on": "POST /v2/payments/*/refund", "issue": "REFUND_NOT_ALLOWED", "performed": True}),
    ("order_lag", 0.05, {}),
    ("list_lag", 0.10, {"seconds": 20}),
    ("reporting_lag", 0.10, {"seconds": 20}),
    ("optional_left_out", 0.10, {}),
    ("webhook_without", 0.10, {"on": "PAYMENT.SALE.*", "fields": ["sale_id", "billing_agreement_id", "custom"]}),
    ("declined_instrument", 0.03, {}),
    ("capture_status", 0.05, {"status": "PENDING"}),
    ("refund_status", 0.05, {"status": "FAILED"}),
    ("webhook_drop", 0.12, {}),
    ("webhook_duplicate", 0.15, {}),
    ("webhook_delay", 0.15, {"seconds": 1}),
    ("webhook_reorder", 0.10, {}),
)
AT_TELEGRAM: tuple[dict[str, Any], ...] = (
    {"fault": "drop_reply", "method": "messages.SendMessage", "probability": 0.05, "count": None},
    {"fault": "drop_request", "method": "messages.SendMessage", "probability": 0.03, "count": None},
    {"fault": "delay", "method": "messages.*", "probability": 0.05, "seconds": 0.3, "count": None},
    {"fault": "error", "code": 500, "error": "RPC_CALL_FAIL", "method": "messages.SendMessage", "probability": 0.02,
     "count": None},
)  # fmt: skip


def brew(sandbox: Sandbox, paypal: LocalPayPal, dice: random.Random) -> None:
    """Let everything go wrong from now on."""
    for fault, probability, parameters in AT_PAYPAL:
        paypal.switch(fault, probability=probability, seed=dice.randrange(2**31), **parameters)
    for rule in AT_TELEGRAM:
        sandbox.control("POST", "/faults", rule)


def clear(sandbox: Sandbox, paypal: LocalPayPal) -> None:
    """Let nothing more go wrong."""
    paypal.clear_switches()
    sandbox.control("DELETE", "/faults")


class Reaper:
    """Kills one of the programs every now and then, and starts it again as a supervisor would."""

    def __init__(self, programs: list[Program], dice: random.Random, every_s: tuple[float, float]) -> None:
        self._programs = programs
        self._dice = dice
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._reap, name="reaper")
        self.kills: list[str] = []

    def __enter__(self) -> "Reaper":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _reap(self) -> None:
        while not self._stopping.wait(self._dice.uniform(*self._every_s)):
            program = self._dice.choice(self._programs)
            program.kill()
            self.kills.append(program.module)
            program.start()
