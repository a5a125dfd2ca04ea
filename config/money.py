"""Currencies: the decimals of each, and how a price is written. All other code counts in whole minor units."""

from decimal import Decimal

from babel import Locale
from babel.numbers import format_currency

STARS = "XTR"
STARS_RULE = (
    "Telegram's terms for bots (https://telegram.org/tos/bot-developers, 6.2) want digital goods to be paid in Stars; "
    "selling for money beside them is the operator's own decision and risk"
)
"""The operator reads this wherever PayPal is on."""

CURRENCIES = {STARS: 0, "HUF": 0, "JPY": 0, "TWD": 0} | dict.fromkeys(
    "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD".split(), 2
)
"""Decimals of Telegram's Stars, and of every currency as PayPal takes it (HUF and TWD are whole)."""


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
