"""How a page of the console is put together: head, navigation, what was just done, the page itself."""

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

SECTIONS: Mapping[str, tuple[Act, Callable[[Texts], str]]] = {
    "console_today.today": (Act.SEE_TODAY, lambda t: t.gettext("Today")),
    "console_customers.customers": (Act.SEE_CUSTOMERS, lambda t: t.gettext("Customers")),
    "console_money.money": (Act.SEE_MONEY, lambda t: t.gettext("Money")),
    "console_shop.shop": (Act.SEE_SHOP, lambda t: t.gettext("Shop")),
    "console_messages.messages": (Act.SEE_MESSAGES, lambda t: t.gettext("Messages")),
    "console_health.health": (Act.SEE_HEALTH, lambda t: t.gettext("Health")),
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


def _ways(found: guard.Visitor) -> list[Way]:
    return [
        Way(url_for(endpoint), say(found.t), request.blueprint == endpoint.partition(".")[0])
        for endpoint, (act, say) in SECTIONS.items()
        if endpoint in current_app.view_functions and found.may(act)
    ]
