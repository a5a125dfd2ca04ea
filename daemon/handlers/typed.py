"""What admins type as an amount, a span of time or a plan, read as people write it in any language."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from babel.numbers import get_currency_name, get_currency_symbol

from config.money import CURRENCIES, STARS, decimals
from config.plans import Plan
from config.texts import LANGUAGES, Texts
from config.units import DAY_S, HOUR_S
from daemon.screens import vocabulary
from daemon.screens.operator import admin

LONGEST_S = 36_500 * DAY_S
_AMOUNT = re.compile(r"(?P<before>(?:[^\d+-]*[^\d+.,-])?)(?P<number>[.,]?\d[\d.,' ]{0,19})(?P<after>[^\d]*)")
"""A mark right before the first digit stands before decimals: ``.50`` is half of one, and not fifty."""
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:([.,' ])\d{3})(?:\1\d{3})*")
_SPAN = re.compile(r"(?P<number>\d{1,9})\s*(?P<unit>[^\W\d]*)\.?")


class BadArguments(Exception):
    """What follows a command cannot be read; ``reason`` says what is wrong in it, None that something is missing."""

    def __init__(self, reason: Callable[[Texts], str] | None = None) -> None:
        super().__init__()
        self.reason = reason


@dataclass(frozen=True)
class Span:
    """A span in seconds; None: forever."""

    seconds: int | None


def amount(text: str, currency: str) -> int | None:
    """An amount of *currency* in minor units, None for all of it: ``1,50``, ``$.50``, ``1.234,50 EUR``, ``all``.

    :raises BadArguments: it cannot be read, or in two ways, is not above zero, or is in another currency.
    """
    if vocabulary.says(vocabulary.everything, text):
        return None
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise BadArguments(partial(admin.unreadable_amount, text=text))
    for sign in (match["before"], match["after"]):
        _check_sign(sign.strip(), currency, text)
    minor = _minor(match["number"].strip(), currency)
    if minor <= 0:
        raise BadArguments(admin.nothing_to_refund)
    return minor


def _check_sign(sign: str, currency: str, text: str) -> None:
    """Whether a sign beside a number is that of *currency*: nothing, or a name, perhaps shortened with a dot."""
    name = sign.removesuffix(".")
    if not sign or _is_sign(name, currency):
        return
    if any(_is_sign(name, other) for other in CURRENCIES):
        raise BadArguments(partial(admin.other_currency, currency=currency))
    raise BadArguments(partial(admin.unreadable_amount, text=text))


def _is_sign(sign: str, currency: str) -> bool:
    """Whether *currency* is written or called so."""
    said = vocabulary.words(sign)
    return sign.casefold() in _signs(currency) or (bool(said) and set(said) <= _names(currency))


def _names(currency: str) -> set[str]:
    """The words of its name, one or many, in each language."""
    names = (get_currency_name(currency, count, language) for language in LANGUAGES for count in (1, 2))
    return {word for name in names for word in vocabulary.words(name)}


def _signs(currency: str) -> set[str]:
    symbols = {get_currency_symbol(currency, language) for language in LANGUAGES}
    if currency == STARS:
        symbols |= {"⭐", "⭐️", "★", *(" ".join(each) for each in vocabulary.alternatives(vocabulary.stars))}
    return {each.casefold() for each in {currency, *symbols, *(symbol[-1] for symbol in symbols)}}


def _minor(number: str, currency: str) -> int:
    digits = decimals(currency)
    separators = [letter for letter in number if not letter.isdigit()]
    if separators and not _GROUPED.fullmatch(number):
        return _with_decimals(number, separators[-1], currency)
    if digits and len(separators) == 1 and separators[0] in ".,":
        # One and a half thousand, or one and a half: nobody else can tell.
        head, tail = number.split(separators[0])
        raise BadArguments(partial(admin.ambiguous_amount, thousands=head + tail, units=f"{head}.{tail[:digits]}"))
    return int("".join(filter(str.isdigit, number)) + "0" * digits)


def _with_decimals(number: str, mark: str, currency: str) -> int:
    """A number whose last separator stands before its decimals."""
    digits = decimals(currency)
    head, _, tail = number.rpartition(mark)
    head = head or ("0" if len(tail) <= max(digits, 1) else "")
    whole = head if head.isdecimal() or _GROUPED.fullmatch(head) else ""
    if mark not in ".," or not whole or mark in whole or not tail:
        raise BadArguments(partial(admin.unreadable_amount, text=number))
    if len(tail.rstrip("0")) > digits:
        raise BadArguments(partial(admin.too_fine, currency=currency, digits=digits))
    value = Decimal(f"{''.join(filter(str.isdigit, whole))}.{tail}")
    return int(value.scaleb(digits))


def plan(words: Sequence[str], plans: Sequence[Plan]) -> tuple[Plan | None, int]:
    """The plan whose code or title, in any language, *words* begin with, and how many words that takes."""
    names = {
        tuple(vocabulary.words(name.replace("_", " "))): each
        for each in plans
        for name in (each.code, *each.title.values())
    }
    for count in range(len(words), 0, -1):
        found = names.get(tuple(vocabulary.words(" ".join(words[:count]).replace("_", " "))))
        if found is not None:
            return found, count
    return None, 0


def span(words: Sequence[str]) -> tuple[Span | None, int]:
    """The span of time that *words* begin with, and how many words that takes: ``30``, ``7 days``, ``1 mes``.

    :raises BadArguments: it is no time at all, or longer than a hundred years.
    """
    for count in (3, 2, 1):
        if len(words) >= count and vocabulary.says(vocabulary.forever, " ".join(words[:count])):
            return Span(None), count
    for count in (2, 1):
        seconds = _seconds(" ".join(words[:count]), alone=count == 1) if len(words) >= count else None
        if seconds is not None:
            if not HOUR_S <= seconds <= LONGEST_S:
                raise BadArguments(admin.span_out_of_bounds)
            return Span(seconds), count
    return None, 0


def _seconds(text: str, *, alone: bool) -> int | None:
    """The seconds of a number with its unit; a number *alone* counts days."""
    one, _, unit = text.partition(" ")
    match = _SPAN.fullmatch(f"1 {unit}" if unit and vocabulary.says(vocabulary.one, one) else text)
    if match is None:
        return None
    if not match["unit"]:
        return int(match["number"]) * DAY_S if alone else None
    unit_s = next((each for each, say in vocabulary.UNITS.items() if vocabulary.says(say, match["unit"])), None)
    return None if unit_s is None else int(match["number"]) * unit_s
