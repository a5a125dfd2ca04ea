"""Currencies: the decimals of each, and how a price is written. All other code counts in whole minor units."""

from decimal import Decimal

from babel import Locale
from babel.numbers import format_currency

STARS = "XTR"
CURRENCIES = {STARS: 0, "HUF": 0, "JPY": 0, "TWD": 0} | dict.fromkeys(
    "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD".split(), 2
)
"""Decimals of Telegram's Stars, and of every currency as PayPal takes it (HUF and TWD are whole)."""

PAYPAL_FIXED_FEES = {
    "AUD": 30, "BRL": 60, "CAD": 30, "CZK": 1000, "DKK": 260, "EUR": 35, "HKD": 235, "HUF": 90, "ILS": 120, "JPY": 40,
    "MYR": 200, "MXN": 400, "TWD": 10, "NZD": 45, "USD": 49,
}  # fmt: skip
"""What PayPal keeps of each payment beside some percent, in minor units: about, see paypal.com, "Merchant fees"."""

_IN_COUNTRY = {"BRL": "BR", "CNY": "CN", "MYR": "MY"}
"""Currencies that PayPal moves only between accounts of one country (developer.paypal.com, "Currency codes")."""


def country_of_currency(currency: str, language: str) -> str | None:
    """The country outside of which PayPal does not take *currency*, in *language*; None: it is taken anywhere."""
    territory = _IN_COUNTRY.get(currency)
    return None if territory is None else str(Locale.parse(language).territories[territory])


def decimals(currency: str) -> int:
    """The decimals of *currency*.

    :raises KeyError: nobody can pay in this currency.
    """
    return CURRENCIES[currency]


def format_price(amount_minor: int, currency: str, language: str) -> str:
    """A price as the customer reads it: ``500 ⭐``, ``$5.00``, ``5,00 €``."""
    if currency == STARS:
        return f"{amount_minor} ⭐"
    digits = decimals(currency)
    amount = Decimal(amount_minor).scaleb(-digits)
    if digits:
        return format_currency(amount, currency, locale=language)
    whole = Locale.parse(language).currency_formats["standard"].pattern.replace(".00", "")
    return format_currency(amount, currency, whole, language, currency_digits=False)
