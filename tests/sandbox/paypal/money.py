"""Amounts as PayPal writes them: a decimal string and a currency."""

from decimal import Decimal, InvalidOperation
from typing import Any

from .calls import Refusal

Money = dict[str, Any]  # {"currency_code": "USD", "value": "5.00"}

WITHOUT_DECIMALS = frozenset({"HUF", "JPY", "TWD"})
CURRENCIES = WITHOUT_DECIMALS | frozenset(
    "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD".split()
)


def decimals(currency: str) -> int:
    return 0 if currency in WITHOUT_DECIMALS else 2


def money(currency: str, value: Decimal) -> Money:
    return {"currency_code": currency, "value": f"{value:.{decimals(currency)}f}"}


def value(amount: Money) -> Decimal:
    return Decimal(amount["value"])


def check(amount: Money, field: str) -> None:
    """Raises Refusal for what PayPal would not charge: a strange currency, too many decimals, nothing."""
    currency = amount["currency_code"]
    if currency not in CURRENCIES:
        raise Refusal(422, "INVALID_CURRENCY_CODE", f"{field}/currency_code")
    try:
        number = value(amount)
    except InvalidOperation:
        raise Refusal(400, "INVALID_PARAMETER_SYNTAX", f"{field}/value") from None
    if number <= 0:
        raise Refusal(422, "CANNOT_BE_ZERO_OR_NEGATIVE", f"{field}/value")
    if number != round(number, decimals(currency)):
        raise Refusal(422, "DECIMAL_PRECISION", f"{field}/value")


def fee(amount: Money) -> Decimal:
    """PayPal's share: 3.49 % and a fixed part, never more than the amount itself."""
    currency = amount["currency_code"]
    fixed = Decimal("0.49") if decimals(currency) else Decimal(40)
    return min(value(amount), round(value(amount) * Decimal("0.0349") + fixed, decimals(currency)))
