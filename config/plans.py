"""The plans: what each allows, its prices, its duration. A faulty ``plans.toml`` is refused as a whole."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

from config.money import CURRENCIES, STARS
from config.money import decimals as decimals
from config.money import format_price as format_price
from config.texts import DEFAULT_LANGUAGE, LANGUAGES
from config.units import DAY_S, MIB

KINDS = ("photo", "video", "music", "apk", "document", "text")

_FAULTY = -1
"""Stands for a number that was refused."""
LARGEST_FILE_MIB = 2000
_RENEWAL_DAYS = 30
_RENEWAL_STARS = 10_000
_TITLE_LENGTH = 32
_DESCRIPTION_LENGTH = 255
"""These five are Telegram's limits: of a bot's upload, of renewals in Stars, of an invoice."""
_PAYPAL_RENEWAL_DAYS = 365
"""PayPal's limit for the period of a subscription in days."""


class PlansError(Exception):
    """The plans file cannot be used. ``faults`` says of every fault where it is (file, plan, key) and what it is."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


Period: TypeAlias = Literal["day", "all"]
"""Where a limit counts: a day of the operator's, or all time."""


@dataclass(frozen=True)
class Limit:
    """``count`` deliveries of a kind in a ``period``: a day, or "all" time. ``count`` None is without limit."""

    UNLIMITED: ClassVar[Limit]
    NONE: ClassVar[Limit]

    count: int | None
    period: Period


Limit.UNLIMITED = Limit(None, "day")
Limit.NONE = Limit(0, "all")


@dataclass(frozen=True)
class Plan:
    """One plan. ``prices`` are in minor units (cents, Stars). The free plan has no price and 0 days."""

    code: str
    level: int
    title: Mapping[str, str]
    description: Mapping[str, str]
    limits: Mapping[str, Limit]
    max_bytes: int
    days: int
    prices: Mapping[str, int]
    renews: bool
    on_sale: bool

    @property
    def seconds(self) -> int:
        return self.days * DAY_S

    def title_in(self, language: str) -> str:
        return self.title.get(language, self.title[DEFAULT_LANGUAGE])

    def description_in(self, language: str) -> str:
        return self.description.get(language, self.description[DEFAULT_LANGUAGE])


@dataclass(frozen=True)
class Plans:
    """All plans, in the order of the file."""

    plans: tuple[Plan, ...]

    @property
    def free(self) -> Plan:
        return next(plan for plan in self.plans if plan.level == 0)

    def by_code(self, code: str) -> Plan | None:
        return next((plan for plan in self.plans if plan.code == code), None)

    def for_level(self, level: int) -> Plan:
        """The plan whose limits hold at *level*. A level that left the file gets the next better plan or the best."""
        levels = {plan.level for plan in self.plans}
        nearest = min((known for known in levels if known >= level), default=max(levels))
        return next(plan for plan in self.plans if plan.level == nearest)

    def on_sale(self) -> tuple[Plan, ...]:
        return tuple(plan for plan in self.plans if plan.on_sale)


def load(path: Path) -> Plans:
    """Read the plans file.

    :raises PlansError: the file cannot be used. The error holds every fault.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except OSError as error:
        raise PlansError([f"{path.name}: cannot be read: {error.strerror} ({path})"]) from None
    except ValueError as error:
        raise PlansError([f"{path.name}: is not TOML: {error}"]) from None
    faults: list[str] = []
    plans = _plans(_Table(path.name, document, faults))
    if faults:
        raise PlansError(faults)
    return Plans(plans)


class _Table:
    """A table of the file. It collects faults with their place, so that the operator sees all of them at once."""

    def __init__(self, where: str, values: Mapping[str, Any], faults: list[str]) -> None:
        self.where = where
        self._values = values
        self._faults = faults

    def fault(self, key: str, text: str) -> None:
        self._faults.append(f"{self.where}{'' if self.where.endswith('.') else ': '}{key}: {text}")

    def only(self, keys: Iterable[str]) -> None:
        known = tuple(keys)
        for key in self._values:
            if key not in known:
                self.fault(key, f"unknown; this table may hold {', '.join(known)}")

    def keys(self) -> list[str]:
        return list(self._values)

    def has(self, key: str) -> bool:
        return key in self._values

    def value(self, key: str) -> Any:
        return self._values.get(key)

    def table(self, key: str, where: str) -> _Table:
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            self.fault(key, "must be a table")
            value = {}
        return _Table(where, value, self._faults)

    def inner(self, key: str) -> _Table:
        return self.table(key, f"{self.where}: {key}.")

    def integer(self, key: str, low: int, high: int) -> int:
        value = self._values.get(key)
        if type(value) is int and low <= value <= high:
            return value
        self.fault(key, _wrong(value, f"a whole number from {low} to {high}"))
        return _FAULTY

    def boolean(self, key: str, default: bool) -> bool:
        value = self._values.get(key, default)
        if isinstance(value, bool):
            return value
        self.fault(key, _wrong(value, "true or false"))
        return default

    def text(self, key: str, longest: int) -> str:
        value = self._values.get(key)
        if isinstance(value, str) and 0 < len(value.strip()) <= longest:
            return value.strip()
        self.fault(key, _wrong(value, f"a text of 1 to {longest} characters"))
        return ""


def _plans(document: _Table) -> tuple[Plan, ...]:
    document.only(("plans",))
    tables = document.table("plans", f"{document.where}: plans")
    plans = []
    for code in tables.keys():
        table = tables.table(code, f'{document.where}: plan "{code}"')
        if not re.fullmatch(r"[a-z0-9_]{1,32}", code):
            table.fault("code", "must be 1 to 32 of a-z, 0-9 and _")
        plans.append(_plan(code, table))
    if all(plan.level != _FAULTY for plan in plans):
        _check_together(document, plans)
    return tuple(plans)


def _plan(code: str, table: _Table) -> Plan:
    table.only(("level", "days", "prices", "renews", "on_sale", "max_mib", "title", "description", "limits"))
    level = table.integer("level", 0, 1000)
    offer = _free_offer(table) if level == 0 else _paid_offer(table)
    return Plan(
        code=code,
        level=level,
        title=_words(table.inner("title"), _TITLE_LENGTH),
        description=_words(table.inner("description"), _DESCRIPTION_LENGTH),
        limits=_limits(table.inner("limits")),
        max_bytes=table.integer("max_mib", 1, LARGEST_FILE_MIB) * MIB,
        **offer,
    )


def _free_offer(table: _Table) -> dict[str, Any]:
    for key in ("days", "prices", "renews", "on_sale"):
        if table.has(key):
            table.fault(key, "does not belong to the free plan (level 0)")
    return {"days": 0, "prices": {}, "renews": False, "on_sale": False}


def _paid_offer(table: _Table) -> dict[str, Any]:
    days, prices = table.integer("days", 1, 36500), _prices(table.inner("prices"))
    renews, on_sale = table.boolean("renews", False), table.boolean("on_sale", True)
    others = [currency for currency in prices if currency != STARS]
    if on_sale and not table.has("prices"):
        table.fault("prices", "missing: set at least one, or on_sale = false")
    if renews and STARS in prices:
        if days not in (_RENEWAL_DAYS, _FAULTY):
            table.fault("days", f"must be {_RENEWAL_DAYS}, not {days}: Stars renew every {_RENEWAL_DAYS} days only")
        if prices[STARS] > _RENEWAL_STARS:
            table.fault("prices.XTR", f"must be at most {_RENEWAL_STARS}, not {prices[STARS]}, for a plan that renews")
    elif renews and others and days > _PAYPAL_RENEWAL_DAYS:
        longest = _PAYPAL_RENEWAL_DAYS
        table.fault("days", f"must be at most {longest}, not {days}: PayPal renews at least once in {longest} days")
    if len(others) > 1:
        said = ", ".join(others)
        table.fault("prices", f"must hold one currency beside XTR, not {said}: PayPal sells a plan for one")
    return {"days": days, "prices": prices, "renews": renews, "on_sale": on_sale}


def _prices(table: _Table) -> dict[str, int]:
    table.only(CURRENCIES)
    return {currency: _price(table, currency) for currency in table.keys() if currency in CURRENCIES}


def _price(table: _Table, currency: str) -> int:
    value, digits = table.value(currency), decimals(currency)
    try:
        minor = Decimal(value).scaleb(digits) if not isinstance(value, bool) else Decimal(0)
    except (InvalidOperation, TypeError, ValueError):
        minor = Decimal(0)
    if minor.is_finite() and minor >= 1 and minor == minor.to_integral_value():
        return int(minor)
    table.fault(currency, _wrong(value, f"a price above 0 with at most {digits} digits after the point"))
    return 1


def _words(table: _Table, longest: int) -> dict[str, str]:
    table.only(LANGUAGES)
    return {
        language: table.text(language, longest)
        for language in LANGUAGES
        if language == DEFAULT_LANGUAGE or table.has(language)
    }


def _limits(table: _Table) -> dict[str, Limit]:
    table.only(KINDS)
    return {kind: _limit(table, kind) for kind in KINDS}


def _limit(table: _Table, kind: str) -> Limit:
    value = table.value(kind)
    if value in ("unlimited", "no"):
        return Limit.UNLIMITED if value == "unlimited" else Limit.NONE
    match = re.fullmatch(r"([1-9][0-9]{0,8}) (a day|in all)", value) if isinstance(value, str) else None
    if match:
        return Limit(int(match[1]), "day" if match[2] == "a day" else "all")
    table.fault(kind, _wrong(value, '"10 a day", "3 in all", "unlimited" or "no"'))
    return Limit.NONE


def _check_together(document: _Table, plans: list[Plan]) -> None:
    free = [plan.code for plan in plans if plan.level == 0]
    if len(free) != 1:
        document.fault("plans", f"there must be exactly one free plan (level 0), not {len(free)}")
    first_of: dict[int, Plan] = {}
    for plan in plans:
        first = first_of.setdefault(plan.level, plan)
        for key in ("limits", "max_bytes"):
            if getattr(plan, key) != getattr(first, key):
                name = "max_mib" if key == "max_bytes" else key
                document.fault(
                    f'plan "{plan.code}"', f'{name}: must equal those of "{first.code}": both have level {plan.level}'
                )


def _wrong(value: object, expected: str) -> str:
    if value is None:
        return f"missing: must be {expected}"
    shown = str(value) if isinstance(value, Decimal) else repr(value)
    return f"must be {expected}, not {shown}"
