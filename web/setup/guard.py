"""Who may use the pages of set-up: the browser that began it, over HTTPS or on the machine itself.

The owner's cookie carries the token; what is stored is a hash of it. Each form has a token of its session.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config.settings import LOOPBACK
from config.texts import Texts, translator
from models.setup import opening
from models.setup.opening import Begun
from web import rendering
from web.edge import forms, hosts

COOKIE = "__Host-setup"
FORMS = b"peaje: set-up forms"
_FORWARDED = ("X-Forwarded-For", "X-Real-IP")

View = Callable[..., Any]


def now() -> int:
    """The time, in Unix seconds."""
    return int(time.time())


def texts() -> Texts:
    """The texts in the language that was chosen, or that the browser asks for until then."""
    settings, found = rendering.current_settings(), owned()
    is_chosen = "LANGUAGE" in settings.given or (found is not None and "language" in found.passed)
    return translator(settings.language) if is_chosen else rendering.browsers_texts()


def owned() -> Begun | None:
    """The set-up that the browser owns; None where it owns none."""
    if "setup" not in g:
        g.setup = opening.owned(token(), now())
    found: Begun | None = g.setup
    return found


def token() -> str:
    """The token of the browser's cookie; empty where there is none."""
    return request.cookies.get(COOKIE, "")


def form_token() -> str:
    """What each form of the owner sends back."""
    return forms.token(FORMS, token())


def run_script() -> None:
    """Let the present page run our script, which asks whether something has changed."""
    g.runs_scripts = g.makes_calls = True


def keep(response: BaseResponse, owner: str) -> BaseResponse:
    """Give the browser the cookie of the owner."""
    response.set_cookie(COOKIE, owner, max_age=opening.LIFE_S, path="/", secure=True, httponly=True, samesite="Lax")
    return response


def is_private() -> bool:
    """Whether nobody between the browser and us reads along: HTTPS, or the machine itself on both ends."""
    if request.is_secure:
        return True
    named = [text.strip() for name in _FORWARDED for text in request.headers.get(name, "").split(",") if text]
    return all(map(_is_loopback, (request.remote_addr or "", *named))) and hosts.asked() in LOOPBACK


def refused(why: str, status: int = 403) -> Response:
    """The page that says why not, and what to do."""
    return rendering.page("setup/refused.html", status, texts(), why=why)


def for_owner(view: View) -> View:
    """Let a view answer the owner alone, and take what is sent only with their form's token and in private."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return refusal() or view(*args, **kwargs)

    return guarded


def refusal() -> BaseResponse | None:
    """Why the request is refused; None where the view may answer it."""
    if not is_private():
        return refused("plain")
    run_script()
    found = owned()
    if found is None:
        return refused("foreign")
    if found.is_over:
        return redirect(url_for("setup_afterwards.done"), 303)
    given = request.form.get(forms.TOKEN_FIELD, "") or request.headers.get("X-Form-Token", "")
    if request.method == "POST" and not forms.is_ours(given, form_token()):
        return refused("form")
    return None


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
