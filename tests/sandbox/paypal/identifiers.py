"""Identifiers in the shapes that PayPal gives them."""

import secrets
import uuid

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
PAYER_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def _draw(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def transaction_id() -> str:
    """Of an order, a capture, a refund, a sale, a webhook."""
    return _draw(ALPHABET, 17)


def event_id() -> str:
    return f"WH-{transaction_id()}-{transaction_id()}"


def payer_id() -> str:
    return _draw(PAYER_ALPHABET, 13)


def subscription_id() -> str:
    return "I-" + _draw(ALPHABET, 12)


def plan_id() -> str:
    return "P-" + _draw(ALPHABET, 24)


def product_id() -> str:
    return "PROD-" + _draw(ALPHABET, 17)


def agreement_token() -> str:
    return "BA-" + transaction_id()


def dispute_id() -> str:
    return "PP-D-" + _draw("123456789", 5)


def transmission_id() -> str:
    return str(uuid.uuid1())


def payment_id() -> str:
    """Of a v1 payment, the parent of a sale."""
    return "PAYID-" + _draw(ALPHABET, 24)
