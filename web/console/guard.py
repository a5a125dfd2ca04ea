"""Who may see and do what in the console, asked before each request, in one place that no page can forget.

A view declares the :class:`~models.roles.Act` that it shows or does with :func:`needs`; one that declares nothing is
refused. A POST also needs the token of its session's forms, and an ``Origin`` of ours where the browser names one.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config.texts import Texts, translator
from models import acts, console_sessions, users
from models.audit import Actor, Entry
from models.console_sessions import Kind, SessionInfo
from models.roles import POLICY, Act, Team
from web import rendering
from web.edge import forms
from web.rate_limits import limiter

COOKIES = {Kind.BROWSER: "__Host-console", Kind.MINI_APP: "__Host-console-app"}
"""Two, because a Mini App in a frame of Telegram's web client needs ``SameSite=None``, and nobody else may have it."""
TELEGRAM = "https://web.telegram.org"
"""Who may show the Mini App in a frame."""
HOME = "/console/"
LONGEST_PATH = 300
FORMS = b"peaje: console forms"
"""The purpose of the key that forms' tokens are made with."""
_ACT, _OPEN, _FRAMED = "console_act", "console_open", "console_framed"
_PATH = re.compile(r"/console/(?:[\w.-]+(?:/[\w.-]+)*/?)?(?:\?[\w=&%.+:~-]*)?", re.ASCII)

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Visitor:
    """Who asks: somebody of the team, with their session and their language."""

    session: SessionInfo
    token: str
    actor: Actor
    t: Texts
    now: int

    def may(self, act: Act) -> bool:
        """Whether their role allows *act*."""
        return self.actor.team.may(self.actor.id, act)

    @property
    def form_token(self) -> str:
        """What each form of this session sends back."""
        return forms.token(FORMS, self.token)


def section(name: str, prefix: str = "") -> Blueprint:
    """A blueprint of the console, whose requests are guarded."""
    blueprint = Blueprint(f"console_{name}", __name__, url_prefix=f"/console{prefix}")
    blueprint.before_request(_admit)
    limiter.limit("240 per minute")(blueprint)
    return blueprint


def needs(act: Act) -> Callable[[View], View]:
    """Declare what a view shows or does."""

    def declare(view: View) -> View:
        setattr(view, _ACT, act)
        return view

    return declare


def without_session(view: View) -> View:
    """Declare that a view is part of the way in: whoever asks is not known yet."""
    setattr(view, _OPEN, True)
    return view


def visitor() -> Visitor:
    """Who asks; inside a view that needs an act there always is one."""
    found: Visitor = g.console
    return found


def team() -> Team:
    """The team of this moment."""
    return Team.of(rendering.current_settings())


def is_path_inside(text: str) -> bool:
    """Whether *text* is a path of the console, and nothing that a browser could take for another site."""
    return len(text) <= LONGEST_PATH and _PATH.fullmatch(text) is not None and ".." not in text


def inside(text: str | None) -> str:
    """*text* where it is a path of the console, else the console's first page."""
    return text if text and is_path_inside(text) else HOME


def number(text: str, most: int) -> int | None:
    """The whole number that *text* writes, from 0 to *most*; None where it writes no such number."""
    digits = text.lstrip("0") or text[:1]
    written = digits.isascii() and digits.isdecimal() and len(digits) <= len(str(most))
    return int(digits) if written and int(digits) <= most else None


def source(name: str, *meant: object) -> str:
    """What keeps the present form to once: the number in its field *name*, and what it *meant*.

    Who goes back and fills it in otherwise means that too.
    """
    return f"console:{visitor().actor.id}:{request.form.get(name, '')[:40]}:{mark(*meant)}"


def mark(*values: object) -> str:
    """What tells whether a page has shown, or a form has meant, the same *values*."""
    return sha256(repr(values).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def present_session(now: int) -> tuple[SessionInfo, str] | None:
    """The session that the browser's cookies belong to, with its token; the browser's own before the Mini App's."""
    for kind, name in COOKIES.items():
        token = request.cookies.get(name, "")
        session = console_sessions.find(token, now) if token else None
        if session is not None and session.kind is kind and session.user_id in team():
            return session, token
    return None


def keep(response: BaseResponse, kind: Kind, token: str) -> BaseResponse:
    """Give the browser the cookie of its session."""
    in_app = kind is Kind.MINI_APP
    response.set_cookie(
        COOKIES[kind],
        token,
        max_age=console_sessions.LONGEST_S,
        path="/",
        secure=True,
        httponly=True,
        samesite="None" if in_app else "Lax",
        partitioned=in_app,
    )
    return response


def in_frame(view: View) -> View:
    """Declare that Telegram's web client may show whatever a view answers, refusals too."""
    setattr(view, _FRAMED, True)
    return view


def frame() -> None:
    """Before anything refuses the request: where the Mini App asks, the answer must not be an empty frame."""
    view = current_app.view_functions.get(request.endpoint or "")
    in_app = COOKIES[Kind.MINI_APP] in request.cookies and COOKIES[Kind.BROWSER] not in request.cookies
    if getattr(view, _FRAMED, False) or (in_app and hasattr(view, _ACT)):
        open_to_frames()


def open_to_frames() -> None:
    """Let Telegram's web client show this answer in a frame."""
    g.framed_by = TELEGRAM


def _admit() -> BaseResponse | None:
    """Let the request through, or answer in place of the view."""
    g.referrer_policy = "same-origin"  # under "no-referrer" a form's Origin would be "null"
    view = current_app.view_functions[request.endpoint or ""]
    if getattr(view, _OPEN, False):
        return None if request.method != "POST" or forms.is_origin_ours() else refused("foreign")
    found = _visitor()
    if found is None:
        open_to_frames()
        return refused("signed_out", 401)
    g.console = found
    if found.session.kind is Kind.MINI_APP:
        open_to_frames()
    return _judge(found, getattr(view, _ACT, None))


def _judge(found: Visitor, act: Act | None) -> BaseResponse | None:
    if request.method == "POST" and not forms.is_ours(request.form.get(forms.TOKEN_FIELD, ""), found.form_token):
        if act is not None:
            acts.record(found.actor, Entry(act, refused="foreign"), found.now)
        return refused("foreign")
    if act is None or not found.may(act):
        if act is not None:
            acts.record(found.actor, Entry(act, refused="role"), found.now)
        return refused("role")
    if request.method == "POST" and POLICY[act].fresh and not found.session.is_fresh(found.now):
        acts.record(found.actor, Entry(act, refused="fresh"), found.now)
        back = inside(request.form.get("next"))
        return redirect(url_for("console_entrance.confirm", next=back), 303)
    console_sessions.touch(found.session, found.now)
    return None


def _visitor() -> Visitor | None:
    now = int(time.time())
    found = present_session(now)
    if found is None:
        return None
    session, token = found
    known = users.get(session.user_id)
    t = translator(known.language) if known else rendering.browsers_texts()
    actor = Actor(session.user_id, team(), session.kind.via)
    return Visitor(session=session, token=token, actor=actor, t=t, now=now)


def refused(why: str, status: int = 403) -> Response:
    """The page that says why not, and what to do."""
    found = g.get("console")
    texts = found.t if found else rendering.browsers_texts()
    clock = texts.date(int(time.time()), rendering.current_settings().timezone)
    return rendering.page(
        "console/refused.html", status, texts, why=why, visitor=found, path=inside(request.path), clock=clock
    )
