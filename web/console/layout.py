"""How a page of the console is put together: head, navigation, what was just done, the page itself."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config.plans import Plans
from config.texts import Texts
from models import console_sessions
from models.catalogue import Catalogue
from models.roles import Act
from web import rendering
from web.console import guard

COLOUR = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
THEME = {
    "bg_color": "ground",
    "secondary_bg_color": "card",
    "text_color": "ink",
    "hint_color": "quiet",
    "link_color": "accent",
    "button_color": "button",
    "button_text_color": "on-button",
    "destructive_text_color": "bad",
}
"""Telegram's names of colours, and ours."""
_NAMES = "ground card ink quiet line accent button on-button good bad wait".split()
_LIGHT = "f3f5f8 ffffff 16202b 526070 d9dfe7 0b5cad 0b5cad ffffff 14693a a3251f 7a4d00".split()
_DARK = "10161d 1a222c eef2f6 a7b4c2 33404e 7ab8ff 7ab8ff 0a1520 6fd69a ff9d96 f0c06a".split()
SCHEMES: Mapping[str, Mapping[str, str]] = {
    scheme: dict(zip(_NAMES, (f"#{each}" for each in given), strict=True))
    for scheme, given in (("light", _LIGHT), ("dark", _DARK))
}
"""The colours of ``console.css``, by scheme."""
_MIDDLE = 0.18
"""The luminance of a ground that is as far from black as from white: a darker one wants light letters."""

SECTIONS: Mapping[str, tuple[Act, Callable[[Texts], str]]] = {
    "console_today.today": (Act.SEE_TODAY, lambda t: t.gettext("Today")),
    "console_customers.customers": (Act.SEE_CUSTOMERS, lambda t: t.gettext("Customers")),
    "console_money.money": (Act.SEE_MONEY, lambda t: t.gettext("Money")),
    "console_shop.shop": (Act.SEE_SHOP, lambda t: t.gettext("Shop")),
    "console_messages.messages": (Act.SEE_MESSAGES, lambda t: t.gettext("Messages")),
    "console_health.health": (Act.SEE_HEALTH, lambda t: t.gettext("Health")),
    "console_accounts.accounts": (Act.MANAGE_ACCOUNTS, lambda t: t.gettext("Accounts")),
    "console_audit.audit": (Act.SEE_AUDIT, lambda t: t.gettext("Audit")),
    "console_settings.settings": (Act.SEE_SETTINGS, lambda t: t.gettext("Settings")),
    "console_sessions.sessions": (Act.SEE_SESSIONS, lambda t: t.gettext("Sessions")),
}
"""The navigation: the view of each section, the act that it shows, its name."""


@dataclass(frozen=True)
class Way:
    """An entry of the navigation."""

    url: str
    label: str
    is_here: bool


def show(template: str, *, status: int = 200, **values: object) -> Response:
    """A page of *template*, in the visitor's language."""
    found = guard.visitor()
    notice = None if request.method == "HEAD" else console_sessions.take_notice(found.session.id)
    return rendering.page(
        template,
        status,
        found.t,
        visitor=found,
        ways=_ways(found),
        notice=notice,
        form_token=found.form_token,
        has=lambda endpoint: endpoint in current_app.view_functions,
        timezone=rendering.current_settings().timezone,
        **values,
    )


def first(found: guard.Visitor) -> str:
    """The address of the first section that a visitor may see."""
    return _ways(found)[0].url


def plans() -> Plans:
    """The plans that hold now."""
    held: Catalogue = current_app.extensions["catalogue"]
    return held.plans


def done(path: str, text: str, tone: str = "good") -> BaseResponse:
    """Go on to *path*, which tells *text* first. *tone* is good, bad or wait."""
    console_sessions.leave_notice(guard.visitor().session.id, tone, text)
    return redirect(guard.inside(path), 303)


def colours(said: object) -> dict[str, str]:
    """The colours of a Telegram application that we use, by our names; what is no ``#rrggbb`` is left out."""
    given = said if isinstance(said, dict) else {}
    found = {ours: given.get(theirs) for theirs, ours in THEME.items()}
    return {name: value for name, value in found.items() if isinstance(value, str) and COLOUR.fullmatch(value)}


def sheet(theme: Mapping[str, str]) -> str:
    """The style sheet of a Telegram application's colours; what it has not said suits its ground, not the system."""
    ground = theme.get("ground", theme.get("card"))
    if ground is None:
        return ""
    scheme = "light" if _luminance(ground) > _MIDDLE else "dark"
    rules = "".join(f"--{name}:{colour};" for name, colour in {**SCHEMES[scheme], **theme}.items())
    return f":root{{color-scheme:{scheme};{rules}}}"


def _luminance(colour: str) -> float:
    """Of an ``#rrggbb``, from 0 to 1, nearly enough to tell dark from light."""
    red, green, blue = (math.pow(int(colour[at : at + 2], 16) / 255, 2.2) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _ways(found: guard.Visitor) -> list[Way]:
    return [
        Way(url_for(endpoint), say(found.t), f"{request.path}/".startswith(f"{url_for(endpoint)}/"))
        for endpoint, (act, say) in SECTIONS.items()
        if endpoint in current_app.view_functions and found.may(act)
    ]
