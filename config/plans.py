"""The plans and packs: what each allows, its prices, its duration. A faulty ``plans.toml`` is refused as a whole.

Which text holds now is told by :mod:`models.catalogue`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

from config.money import CURRENCIES, STARS
from config.money import decimals as decimals
from config.money import format_price as format_price
from config.texts import DEFAULT_LANGUAGE, LANGUAGES, Message, Texts, translator
from config.units import DAY_S, KIB, MIB

KINDS = ("photo", "video", "music", "apk", "document", "text")

LARGEST_TEXT = 256 * KIB
"""Bytes. A file beyond it is not what somebody wrote as plans."""

_SHOWN = 60
"""Characters of a wrong value that a fault quotes."""

_ALIKE = 0.7
"""How alike a misspelt name and the right one are."""

_LINE = re.compile(r"at line (\d+)")
_TWICE = re.compile(r"twice|overwrite|redefine|mutate")
"""In what the parser says of a name that stands there already."""

_FAULTY = -1
"""Stands for a number that was refused."""
LARGEST_FILE_MIB = 2000
LARGEST_PACK = 10_000
_REWARD_DAYS = 365
_LONGEST_HOLD = 180
_PERCENT = 100
LONGEST_TRIAL_DAYS = 90
_RENEWAL_DAYS = 30
_RENEWAL_STARS = 10_000
_MOST_STARS = 100_000
_TITLE_LENGTH = 32
_DESCRIPTION_LENGTH = 255
"""These six are Telegram's limits: of a bot's upload, of renewals and invoices in Stars, of an invoice's texts."""
_MOST_MINOR = 999_999_999
"""In minor units of any other currency: what is more is a slip, and no payment service takes it."""
_PAYPAL_RENEWAL_DAYS = 365
"""PayPal's limit for the period of a subscription in days."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a plans file, and where: ``place`` is the file, then the plan and the key."""

    place: str
    text: Message

    def said_in(self, t: Texts) -> str:
        """Place and fault in the language of *t*."""
        return f"{self.place}: {self.text.said_in(t)}"


class PlansError(Exception):
    """The plans file cannot be used. The error holds every fault; it reads in the default language."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("\n".join(self.said_in(translator(DEFAULT_LANGUAGE))))

    def said_in(self, t: Texts) -> list[str]:
        """Every fault in the language of *t*."""
        return [fault.said_in(t) for fault in self.faults]


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


class _Article:
    """What a plan and a pack have in common: both are sold."""

    title: Mapping[str, str]
    description: Mapping[str, str]
    days: int

    @property
    def seconds(self) -> int:
        return self.days * DAY_S

    def title_in(self, language: str) -> str:
        return self.title.get(language, self.title[DEFAULT_LANGUAGE])

    def description_in(self, language: str) -> str:
        return self.description.get(language, self.description[DEFAULT_LANGUAGE])


@dataclass(frozen=True)
class Plan(_Article):
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


@dataclass(frozen=True)
class Pack(_Article):
    """``count`` deliveries of one ``kind``, of files up to ``max_bytes``, beside any plan.

    ``days`` is how long a purchase can be used, 0 without an end. Prices are those of a plan.
    """

    code: str
    kind: str
    count: int
    title: Mapping[str, str]
    description: Mapping[str, str]
    max_bytes: int
    days: int
    prices: Mapping[str, int]
    on_sale: bool
    level: ClassVar[int] = 0
    renews: ClassVar[bool] = False


Article: TypeAlias = Plan | Pack
"""What can be bought. No plan and pack have the same code."""


@dataclass(frozen=True)
class Referral:
    """What it brings to have brought a customer, in days of the plan that the friend pays.

    The referrer gets theirs for each payment of the friend, renewals too, the friend for the first one. Both begin
    ``hold_days`` after the payment, and are together at most ``share`` percent of the time that it buys. ``minimum`` is
    the smallest payment that counts, by currency, in minor units.
    """

    referrer_days: int
    friend_days: int
    hold_days: int
    share: int
    minimum: Mapping[str, int]


@dataclass(frozen=True)
class Trial:
    """A plan that each customer may have once for so many ``days``, for nothing."""

    plan: Plan
    days: int

    @property
    def seconds(self) -> int:
        return self.days * DAY_S


@dataclass(frozen=True)
class Plans:
    """All plans and packs, in the order of the file. ``former`` are those that have left it, as they were last.

    ``referral`` is None where nobody is rewarded for bringing customers.
    """

    plans: tuple[Plan, ...]
    former: tuple[Article, ...] = ()
    packs: tuple[Pack, ...] = ()
    referral: Referral | None = None
    trial: Trial | None = None

    @property
    def free(self) -> Plan:
        return next(plan for plan in self.plans if plan.level == 0)

    def by_code(self, code: str) -> Plan | None:
        return next((plan for plan in self.plans if plan.code == code), None)

    @property
    def articles(self) -> tuple[Article, ...]:
        """All plans and packs, on sale or not."""
        return (*self.plans, *self.packs)

    def article(self, code: str) -> Article | None:
        """The plan or pack of this code, on sale or not."""
        return next((each for each in self.articles if each.code == code), None)

    def remembered(self, code: str) -> Plan | None:
        """The plan of this code, also one that has left the file, as it was last; None where nobody remembers it."""
        known = (*self.plans, *(each for each in self.former if isinstance(each, Plan)))
        return next((each for each in known if each.code == code), None)

    def title_of(self, code: str, language: str) -> str:
        """What customers call a plan or pack, also one that has left the file; its code where nobody remembers it."""
        known = next((each for each in (*self.articles, *self.former) if each.code == code), None)
        return known.title_in(language) if known else code

    def for_level(self, level: int) -> Plan:
        """The plan whose limits hold at *level*. A level that left the file gets the next better plan or the best."""
        levels = {plan.level for plan in self.plans}
        nearest = min((known for known in levels if known >= level), default=max(levels))
        return next(plan for plan in self.plans if plan.level == nearest)

    def bought(self, code: str, level: int) -> Plan:
        """The plan that somebody bought by its code; where it left the file, the plan of its level."""
        return self.by_code(code) or self.for_level(level)

    def on_sale(self) -> tuple[Plan, ...]:
        return tuple(plan for plan in self.plans if plan.on_sale)

    def packs_on_sale(self) -> tuple[Pack, ...]:
        return tuple(pack for pack in self.packs if pack.on_sale)

    def articles_on_sale(self) -> tuple[Article, ...]:
        return (*self.on_sale(), *self.packs_on_sale())

    def for_stars_alone(self) -> Plans:
        """These where nothing but Stars is taken: what has no price in them is not on sale."""
        return replace(
            self,
            plans=tuple(replace(each, on_sale=each.on_sale and STARS in each.prices) for each in self.plans),
            packs=tuple(replace(each, on_sale=each.on_sale and STARS in each.prices) for each in self.packs),
        )


def read(path: Path) -> str:
    """The text of the plans file.

    :raises PlansError: the file cannot be read, is no text in UTF-8, or is no plans file by its size.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TEXT + 1)
    except OSError as error:
        away = Message("cannot be read: {reason} ({file})", reason=error.strerror, file=path)
        raise PlansError([Fault(path.name, away)]) from None
    if len(content) > LARGEST_TEXT:
        large = Message("is larger than {size} KiB ({file})", size=LARGEST_TEXT // KIB, file=path)
        raise PlansError([Fault(path.name, large)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        foreign = Message("line {line} is not UTF-8 text: save the file as UTF-8", line=line)
        raise PlansError([Fault(path.name, foreign)]) from None


def parse(text: str, name: str = "plans.toml") -> Plans:
    """The plans that *text* describes.

    :param name: stands in front of every fault.
    :raises PlansError: the text cannot be used. The error holds every fault.
    """
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise PlansError([Fault(name, _not_toml(text, error))]) from None
    faults: list[Fault] = []
    table = _Table(name, document, faults)
    table.only(("plans", "packs", "referral", "trial"))
    plans, packs = _plans(table), _packs(table)
    referral = _referral(table) if table.has("referral") else None
    trial = _trial(table, plans)
    for pack in packs:
        if any(plan.code == pack.code for plan in plans):
            table.fault(f'pack "{pack.code}": code', Message("is a plan's too: give the pack another code"))
    if referral is not None and not faults:
        _check_rewards(table, referral, plans)
    if faults:
        raise PlansError(faults)
    return Plans(plans, packs=packs, referral=referral, trial=trial)


def load(path: Path) -> Plans:
    """Read and parse the plans file.

    :raises PlansError: the file cannot be used. The error holds every fault.
    """
    return parse(read(path), path.name)


def faults_of(path: Path, t: Texts) -> list[str]:
    """What is wrong with the plans file, in the language of *t*; empty for a good one."""
    try:
        load(path)
    except PlansError as error:
        return error.said_in(t)
    return []


def _not_toml(text: str, error: Exception) -> Message:
    """Where the text stops being TOML, and what is wrong there as far as the parser can tell."""
    found = _LINE.search(str(error))
    lines = text.splitlines() or [""]
    number = min(int(found[1]), len(lines)) if found else len(lines)
    quoted = lines[number - 1].strip()[:_SHOWN]
    if _TWICE.search(str(error)):
        return Message("is not TOML: line {line}, {quoted}, names something a second time", line=number, quoted=quoted)
    return Message(
        "is not TOML: look at line {line}, {quoted}, and at the one above it. A quotation mark, a bracket or = is "
        "missing there, or one is too many ({error})",
        line=number,
        quoted=quoted,
        error=error,
    )


def _unknown(key: str, known: Sequence[str]) -> Message:
    """That a table may not hold *key*, and which name is meant, or else which there are."""
    same = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(key.casefold(), same, 1, _ALIKE)
    if near:
        return Message("unknown: is {nearest} meant?", nearest=same[near[0]])
    return Message("unknown; this table may hold {keys}", keys=", ".join(known))


class _Table:
    """A table of the file. It collects faults with their place, so that the operator sees all of them at once."""

    def __init__(self, where: str, values: Mapping[str, Any], faults: list[Fault]) -> None:
        self.where = where
        self._values = values
        self._faults = faults

    def fault(self, key: str, text: Message) -> None:
        self._faults.append(Fault(f"{self.where}{'' if self.where.endswith('.') else ': '}{key}", text))

    def only(self, keys: Iterable[str]) -> None:
        known = tuple(keys)
        for key in self._values:
            if key not in known:
                self.fault(key, _unknown(key, known))

    def keys(self) -> list[str]:
        return list(self._values)

    def has(self, key: str) -> bool:
        return key in self._values

    def value(self, key: str) -> Any:
        return self._values.get(key)

    def table(self, key: str, where: str) -> _Table:
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            self.fault(key, Message("must be a table"))
            value = {}
        return _Table(where, value, self._faults)

    def inner(self, key: str) -> _Table:
        return self.table(key, f"{self.where}: {key}.")

    def integer(self, key: str, low: int, high: int) -> int:
        value = self._values.get(key)
        if type(value) is int and low <= value <= high:
            return value
        self.fault(key, _wrong(value, Message("a whole number from {low} to {high}", low=low, high=high)))
        return _FAULTY

    def boolean(self, key: str, default: bool) -> bool:
        value = self._values.get(key, default)
        if isinstance(value, bool):
            return value
        self.fault(key, _wrong(value, Message("true or false")))
        return default

    def one_of(self, key: str, choices: Sequence[str]) -> str:
        value = self._values.get(key)
        if isinstance(value, str) and value in choices:
            return value
        self.fault(key, _wrong(value, Message("one of {choices}", choices=", ".join(choices))))
        return choices[0]

    def text(self, key: str, longest: int) -> str:
        value = self._values.get(key)
        if isinstance(value, str) and 0 < len(value.strip()) <= longest:
            return value.strip()
        self.fault(key, _wrong(value, Message("a text of 1 to {longest} characters", longest=longest)))
        return ""


def _plans(document: _Table) -> tuple[Plan, ...]:
    tables = document.table("plans", f"{document.where}: plans")
    plans = []
    for code in tables.keys():
        table = tables.table(code, f'{document.where}: plan "{code}"')
        _check_code(code, table)
        plans.append(_plan(code, table))
    if all(plan.level != _FAULTY for plan in plans):
        _check_together(document, plans)
    return tuple(plans)


def _packs(document: _Table) -> tuple[Pack, ...]:
    tables = document.table("packs", f"{document.where}: packs")
    on_sale = tables.boolean("on_sale", True)
    packs = []
    for code in tables.keys():
        if code != "on_sale":
            table = tables.table(code, f'{document.where}: pack "{code}"')
            _check_code(code, table)
            packs.append(_pack(code, table, on_sale))
    return tuple(packs)


def _trial(document: _Table, plans: Sequence[Plan]) -> Trial | None:
    if not document.has("trial"):
        return None
    table = document.table("trial", f"{document.where}: trial")
    table.only(("plan", "days"))
    days = table.integer("days", 1, LONGEST_TRIAL_DAYS)
    paid = {plan.code: plan for plan in plans if plan.level > 0}
    if not paid:
        table.fault("plan", Message("there is no paid plan to try"))
        return None
    return Trial(paid[table.one_of("plan", tuple(paid))], days)


def _pack(code: str, table: _Table, all_on_sale: bool) -> Pack:
    table.only(("kind", "count", "days", "prices", "on_sale", "max_mib", "title", "description"))
    on_sale, prices = _sold(table)
    return Pack(
        code=code,
        kind=table.one_of("kind", KINDS),
        count=table.integer("count", 1, LARGEST_PACK),
        title=_words(table.inner("title"), _TITLE_LENGTH),
        description=_words(table.inner("description"), _DESCRIPTION_LENGTH),
        max_bytes=(table.integer("max_mib", 1, LARGEST_FILE_MIB) if table.has("max_mib") else LARGEST_FILE_MIB) * MIB,
        days=table.integer("days", 1, 36500) if table.has("days") else 0,
        prices=prices,
        on_sale=on_sale and all_on_sale,
    )


def _referral(document: _Table) -> Referral:
    table = document.table("referral", f"{document.where}: referral")
    table.only(("referrer_days", "friend_days", "hold_days", "share", "minimum"))
    return Referral(
        referrer_days=table.integer("referrer_days", 0, _REWARD_DAYS),
        friend_days=table.integer("friend_days", 0, _REWARD_DAYS),
        hold_days=table.integer("hold_days", 1, _LONGEST_HOLD),
        share=table.integer("share", 1, _PERCENT),
        minimum=_prices(table.inner("minimum")),
    )


def _check_rewards(document: _Table, referral: Referral, plans: Sequence[Plan]) -> None:
    """Whether rewards and plans go together, each of them being good."""
    table = document.table("referral", f"{document.where}: referral")
    days = referral.referrer_days + referral.friend_days
    if referral.referrer_days == referral.friend_days == 0:
        table.fault("referrer_days", Message("and friend_days are both 0: leave [referral] out to reward nobody"))
    for currency in dict.fromkeys(currency for plan in plans for currency in plan.prices):
        if currency not in referral.minimum:
            table.fault(f"minimum.{currency}", Message("missing: plans are sold for {currency}", currency=currency))
    for plan in plans:
        if plan.prices and days * _PERCENT > referral.share * plan.days:
            said = Message(
                "must be at least {least} with the {days} days of [referral]: rewards may be {share} % of a payment",
                least=-(-days * _PERCENT // referral.share),
                days=days,
                share=referral.share,
            )
            document.fault(f'plan "{plan.code}": days', said)


def _check_code(code: str, table: _Table) -> None:
    if not re.fullmatch(r"[a-z0-9_]{1,32}", code):
        table.fault("code", Message("must be 1 to 32 of a-z, 0-9 and _"))


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
            table.fault(key, Message("does not belong to the free plan (level 0)"))
    return {"days": 0, "prices": {}, "renews": False, "on_sale": False}


def _paid_offer(table: _Table) -> dict[str, Any]:
    days, renews = table.integer("days", 1, 36500), table.boolean("renews", False)
    on_sale, prices = _sold(table)
    others = _beside_stars(prices)
    if renews and STARS in prices:
        _check_stars_renewal(table, days, prices[STARS])
    elif renews and others and days > _PAYPAL_RENEWAL_DAYS:
        said = Message(
            "must be at most {longest}, not {days}: PayPal renews at least once in {longest} days",
            longest=_PAYPAL_RENEWAL_DAYS,
            days=days,
        )
        table.fault("days", said)
    return {"days": days, "prices": prices, "renews": renews, "on_sale": on_sale}


def _sold(table: _Table) -> tuple[bool, dict[str, int]]:
    """Whether the article is on sale, and its prices."""
    on_sale, prices = table.boolean("on_sale", True), _prices(table.inner("prices"))
    if on_sale and not table.value("prices"):
        table.fault("prices", Message("missing: set at least one, or on_sale = false"))
    others = _beside_stars(prices)
    if len(others) > 1:
        said = Message(
            "must hold one currency beside XTR, not {currencies}: PayPal sells a plan for one",
            currencies=", ".join(others),
        )
        table.fault("prices", said)
    return on_sale, prices


def _beside_stars(prices: Mapping[str, int]) -> list[str]:
    return [currency for currency in prices if currency != STARS]


def _check_stars_renewal(table: _Table, days: int, price: int) -> None:
    if days not in (_RENEWAL_DAYS, _FAULTY):
        said = Message(
            "must be {wanted}, not {days}: Stars renew every {wanted} days only", wanted=_RENEWAL_DAYS, days=days
        )
        table.fault("days", said)
    if price > _RENEWAL_STARS:
        said = Message("must be at most {most}, not {price}, for a plan that renews", most=_RENEWAL_STARS, price=price)
        table.fault("prices.XTR", said)


def _prices(table: _Table) -> dict[str, int]:
    table.only(CURRENCIES)
    return {currency: _price(table, currency) for currency in table.keys() if currency in CURRENCIES}


def _price(table: _Table, currency: str) -> int:
    value, digits = table.value(currency), decimals(currency)
    try:
        minor = Decimal(value).scaleb(digits) if not isinstance(value, bool) else Decimal(0)
    except (ArithmeticError, TypeError, ValueError):
        minor = Decimal(0)
    if not (minor.is_finite() and minor >= 1 and minor == minor.to_integral_value()):
        wanted = Message("a price above 0 with at most {digits} digits after the point", digits=digits)
        table.fault(currency, _wrong(value, wanted))
        return 1
    most = _MOST_STARS if currency == STARS else _MOST_MINOR
    if minor > most:
        table.fault(currency, _wrong(value, Message("a price of at most {most}", most=Decimal(most).scaleb(-digits))))
        return 1
    return int(minor)


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
    table.fault(kind, _wrong(value, Message('"10 a day", "3 in all", "unlimited" or "no"')))
    return Limit.NONE


def _check_together(document: _Table, plans: list[Plan]) -> None:
    free = [plan.code for plan in plans if plan.level == 0]
    if len(free) != 1:
        document.fault("plans", Message("there must be exactly one free plan (level 0), not {n}", n=len(free)))
    first_of: dict[int, Plan] = {}
    for plan in plans:
        first = first_of.setdefault(plan.level, plan)
        for key in ("limits", "max_bytes"):
            if getattr(plan, key) != getattr(first, key):
                name = "max_mib" if key == "max_bytes" else key
                said = Message(
                    'must equal those of "{first}": both have level {level}', first=first.code, level=plan.level
                )
                document.fault(f'plan "{plan.code}": {name}', said)


def _wrong(value: object, expected: Message) -> Message:
    if value is None:
        return Message("missing: must be {expected}", expected=expected)
    shown = str(value) if isinstance(value, Decimal) else repr(value)
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]}…"
    return Message("must be {expected}, not {value}", expected=expected, value=shown)
