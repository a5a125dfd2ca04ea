"""Which steps set-up has, which are left, and what was typed in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum

from config.settings import LARGEST_API_ID, Settings
from config.texts import Texts


class Step(StrEnum):
    """A page of set-up, as it is stored and called in addresses. They are done in this order."""

    LANGUAGE = "language"
    APPLICATION = "application"
    BOT = "bot"
    ACCOUNT = "account"
    ADMIN = "admin"
    ADDRESS = "address"
    PAYPAL = "paypal"
    PRICES = "prices"


TITLES: Mapping[Step, Callable[[Texts], str]] = {
    Step.LANGUAGE: lambda t: t.gettext("Language"),
    Step.APPLICATION: lambda t: t.gettext("The key to Telegram"),
    Step.BOT: lambda t: t.gettext("Your bot"),
    Step.ACCOUNT: lambda t: t.gettext("The account that reads"),
    Step.ADMIN: lambda t: t.gettext("You"),
    Step.ADDRESS: lambda t: t.gettext("The address"),
    Step.PAYPAL: lambda t: t.gettext("PayPal"),
    Step.PRICES: lambda t: t.gettext("Prices"),
}
"""What the operator calls each."""

GIVEN: Mapping[Step, Collection[str]] = {
    Step.LANGUAGE: ("LANGUAGE",),
    Step.APPLICATION: ("TELEGRAM_API_ID", "TELEGRAM_API_HASH"),
    Step.BOT: ("TELEGRAM_BOT_TOKEN",),
    Step.ACCOUNT: ("TELEGRAM_SESSION_STRING",),
    Step.ADMIN: ("ADMIN_IDS",),
    Step.PAYPAL: ("PAYPAL_CLIENT_ID",),
}
"""What the environment or ``.env`` has already: such a step is left out, because they win."""

_OTHERS = ("PAYPAL_CLIENT_SECRET", "PAYPAL_MODE", "BACKEND_URL", "RAILWAY_PUBLIC_DOMAIN")
OPTIONAL = (Step.LANGUAGE, Step.ADDRESS, Step.PAYPAL, Step.PRICES)
"""What a shop does without, or has a default for."""

_TOKEN = re.compile(r"(?<![0-9])[0-9]{5,}:[A-Za-z0-9_-]{30,}")
_HASH = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)


def asked(settings: Settings) -> list[Step]:
    """The steps of this installation."""
    return [step for step in Step if not _is_given(step, settings)]


def outside(settings: Settings) -> list[str]:
    """The names of what set-up asks for that the environment or ``.env`` has: what they say wins."""
    names = (*(name for step in GIVEN for name in GIVEN[step]), *_OTHERS)
    return [name for name in names if name in settings.given]


def following(passed: Collection[str], settings: Settings) -> Step | None:
    """The first step that is left; None when all are done."""
    return next((step for step in asked(settings) if step not in passed), None)


def known(settings: Settings, typed: Collection[str], *, has_account: bool) -> list[Step]:
    """The steps that need not be done again where these names have values already: on a shop that lives."""
    names = settings.given | set(typed)
    done = [step for step, wanted in GIVEN.items() if names.issuperset(wanted)]
    return [step for step in Step if step in done or step in OPTIONAL or (step is Step.ACCOUNT and has_account)]


def token_in(typed: str) -> str | None:
    """The bot's token in what was typed, which may be the whole message of @BotFather."""
    found = _TOKEN.search(typed)
    return found[0] if found else None


def api_id_in(typed: str) -> str | None:
    """The number of the application, as digits."""
    digits = "".join(typed.split())
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= len(str(LARGEST_API_ID))
    return str(int(digits)) if is_number and 0 < int(digits) <= LARGEST_API_ID else None


def api_hash_in(typed: str) -> str | None:
    """The application's hash."""
    plain = "".join(typed.split())
    return plain.lower() if _HASH.fullmatch(plain) else None


def _is_given(step: Step, settings: Settings) -> bool:
    if step is Step.ADDRESS:
        return not settings.given.isdisjoint(("BACKEND_URL", "RAILWAY_PUBLIC_DOMAIN"))
    names = GIVEN.get(step)
    return names is not None and all(name in settings.given for name in names)
