"""The way in and out: the one-time link, the Mini App, a fresh log-in, the sessions.

A link is opened by chat applications and scanners too, so looking at it changes nothing: a button uses it up.
"""

import json
import logging
import time

from flask import Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config.plain_text import plain
from models import acts, audit, console_sessions, users
from models.audit import Actor, Entry, Wanted
from models.console_sessions import Kind, Visit
from models.errors import ActRefused, LinkSpent
from models.roles import Act, Role
from web import rendering
from web.console import guard, layout
from web.console.entry import devices, launch_data
from web.console.entry.launch_data import LaunchRefused
from web.rate_limits import limiter

logger = logging.getLogger(__name__)

LONGEST_TOKEN, LONGEST_THEME = 64, 2048

blueprint = guard.section("entrance")


@blueprint.get("/login/<token>")
@guard.without_session
@limiter.limit("30 per minute")
def link(token: str) -> Response:
    """Show whom the link logs in, with the button that does."""
    owner = console_sessions.owner_of(token, int(time.time())) if len(token) <= LONGEST_TOKEN else None
    if owner is None or not guard.team().may(owner, Act.LOG_IN):
        return guard.refused("spent", 410)
    known = users.get(owner)
    name = (plain(known.first_name) or known.username or "") if known else ""
    return rendering.page("console/login.html", 200, rendering.browsers_texts(), name=name, owner=owner)


@blueprint.post("/login/<token>")
@guard.without_session
@limiter.limit("10 per minute")
def log_in(token: str) -> BaseResponse:
    """Use the link up, and go on without it in the address."""
    now = int(time.time())
    try:
        entered = console_sessions.enter(token, _visit(Kind.BROWSER, now), now)
    except LinkSpent:
        return guard.refused("spent", 410)
    except ActRefused as error:
        _note_refused(error, console_sessions.owner_of(token, now), Kind.BROWSER, now)
        return guard.refused("spent", 410)
    logger.info("console.entered", extra={"kind": Kind.BROWSER})
    return guard.keep(redirect(guard.inside(request.args.get("next")), 303), Kind.BROWSER, entered)


@blueprint.get("/app")
@guard.without_session
@guard.in_frame
def app() -> Response:
    """What Telegram opens: our script hands over the launch data, which stand behind the address's ``#``."""
    g.runs_scripts = True
    return rendering.page(
        "console/app.html", 200, rendering.browsers_texts(), path=guard.inside(request.args.get("next"))
    )


@blueprint.post("/app")
@guard.without_session
@guard.in_frame
@limiter.limit("10 per minute")
def log_in_by_app() -> BaseResponse:
    """Log in who opened the Mini App, if the launch data prove it."""
    now = int(time.time())
    token = rendering.current_settings().telegram_bot_token
    try:
        launch = launch_data.read(request.form.get("launch", ""), token, now)
        visit = _visit(Kind.MINI_APP, now, theme=_theme())
        entered = console_sessions.enter_by_launch(launch.user_id, launch.hash, visit, now)
    except (LaunchRefused, LinkSpent, ActRefused) as error:
        if isinstance(error, ActRefused) and audit.newest(Wanted(by=launch.user_id), 1):
            _note_refused(error, launch.user_id, Kind.MINI_APP, now)
        reason = getattr(error, "reason", "replayed")
        logger.warning("console.refused", extra={"reason": reason})
        return guard.refused("clock" if reason in launch_data.OF_CLOCKS else "launch")
    logger.info("console.entered", extra={"kind": Kind.MINI_APP})
    arrived = url_for("console_entrance.arrived", next=guard.inside(request.form.get("next")))
    return guard.keep(redirect(arrived, 303), Kind.MINI_APP, entered)


@blueprint.get("/arrived")
@guard.without_session
@guard.in_frame
def arrived() -> BaseResponse:
    """Go on into the console; where the cookie did not come back, say so and offer the browser."""
    if guard.present_session(int(time.time())) is None:
        return guard.refused("cookies")
    return redirect(guard.inside(request.args.get("next")), 303)


@blueprint.get("/")
@guard.needs(Act.LOG_IN)
def home() -> BaseResponse:
    """The first page that this visitor may see."""
    return redirect(layout.first(guard.visitor()), 303)


@blueprint.get("/theme.css")
@guard.needs(Act.LOG_IN)
def theme() -> Response:
    """The colours of the Telegram application that the session runs in, as a style sheet."""
    return Response(layout.sheet(guard.visitor().session.theme), mimetype="text/css")


@blueprint.get("/confirm")
@guard.needs(Act.LOG_IN)
def confirm() -> Response:
    """Ask for a fresh log-in before something that changes much."""
    return layout.show("console/confirm.html", path=guard.inside(request.args.get("next")))


@blueprint.post("/confirm")
@guard.needs(Act.LOG_IN)
@limiter.limit("5 per minute")
def send_link() -> BaseResponse:
    """Have a link sent into the visitor's own chat."""
    found = guard.visitor()
    path = guard.inside(request.form.get("next"))
    console_sessions.ask_link(found.actor.id, path, found.now)
    text = found.t.gettext("I have sent you a link in the chat. Open it, and go on here.")
    return layout.done(url_for("console_entrance.confirm", next=path), text)


@blueprint.post("/leave")
@guard.needs(Act.LOG_IN)
def leave() -> BaseResponse:
    """End this session."""
    found = guard.visitor()
    with acts.acting(found.actor, Act.END_SESSION, found.now, detail={"session": found.session.id, "left": True}):
        console_sessions.end(found.session.id, frozenset({found.actor.id}), found.now)
    return guard.refused("left", 200)


sessions_blueprint = guard.section("sessions")


@sessions_blueprint.get("/sessions")
@guard.needs(Act.SEE_SESSIONS)
def sessions() -> Response:
    """Who is logged in: an admin sees the whole team, a helper themselves."""
    found = guard.visitor()
    shown = console_sessions.of(_owners(found), found.now)
    names = {each.user_id: users.get(each.user_id) for each in shown}
    return layout.show("console/sessions.html", sessions=shown, names=names)


@sessions_blueprint.post("/sessions/<id:session_id>/end")
@guard.needs(Act.END_SESSION)
def end(session_id: int) -> BaseResponse:
    """End a session."""
    found = guard.visitor()
    with acts.acting(found.actor, Act.END_SESSION, found.now, detail={"session": session_id}) as kept:
        ended = console_sessions.end(session_id, _owners(found), found.now)
        kept["ended"] = ended
    t = found.t
    if session_id == found.session.id:
        return guard.refused("left", 200)
    text = t.gettext("The session has ended.") if ended else t.gettext("That session had ended before.")
    return layout.done(url_for("console_sessions.sessions"), text)


def _owners(found: guard.Visitor) -> frozenset[int]:
    """Whose sessions the visitor may see and end."""
    everybody = found.actor.team.admins | found.actor.team.helpers
    return everybody if found.actor.role is Role.ADMIN else frozenset({found.actor.id})


def _note_refused(error: ActRefused, user_id: int | None, kind: Kind, now: int) -> None:
    """Write down that somebody who has left the team tried to come in."""
    if user_id is not None:
        entry = Entry(Act.LOG_IN, refused=error.reason)
        acts.record(Actor(user_id, guard.team(), kind.via), entry, now)


def _visit(kind: Kind, now: int, theme: dict[str, str] | None = None) -> Visit:
    before = guard.present_session(now)
    return Visit(
        team=guard.team(),
        kind=kind,
        device=devices.named(request.headers.get("User-Agent", "")),
        theme=theme,
        before=before[1] if before else None,
    )


def _theme() -> dict[str, str]:
    try:
        return layout.colours(json.loads(request.form.get("theme", "")[:LONGEST_THEME]))
    except (ValueError, RecursionError):
        return {}
