"""The step of the account that reads: its log-in, as the console has it too, in pages of set-up."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from models.accounts import logins, pool
from models.accounts.logins import How
from models.errors import LoginRefused
from models.setup import opening
from models.words import logins as words
from web import rendering
from web.accounts import steps as login_steps
from web.rate_limits import limiter
from web.setup import guard, pages
from web.setup.steps import Step

blueprint = Blueprint("setup_account", __name__, url_prefix="/setup")
limiter.limit("240 per minute")(blueprint)

PAGE = "setup/account.html"


@blueprint.get("/account")
@guard.for_owner
def account() -> BaseResponse:
    """What the log-in asks for now; the first question where there is none; who is logged in, once it is over."""
    t, now = guard.texts(), guard.now()
    present = logins.newest(None)
    if present is None or "anew" in request.args:
        return _first()
    view = login_steps.view(present, rendering.current_settings().secret_key, t, now)
    if view.is_done or not view.is_open:
        return _first(view.fault)
    return login_steps.shown(pages.show(PAGE, Step.ACCOUNT, view=view), view)


@blueprint.post("/account")
@guard.for_owner
def begin() -> BaseResponse:
    """Begin to log the account in."""

    def start(how: How) -> int:
        return logins.begin(how, None, guard.now(), reads=True)

    try:
        login_steps.begin(request.form, start, guard.now(), present=logins.newest(None))
    except LoginRefused as error:
        return _first(words.fault(guard.texts(), error.reason), 422)
    return redirect(url_for("setup_account.account"), 303)


@blueprint.post("/account/answer")
@guard.for_owner
def answer() -> BaseResponse:
    """Take what was typed."""
    present = logins.newest(None)
    if present is not None:
        try:
            login_steps.proceed(present, request.form, guard.now())
        except LoginRefused:
            pass  # answered twice: the page shows what is asked for now
    return redirect(url_for("setup_account.account"), 303)


@blueprint.post("/account/keep")
@guard.for_owner
def keep() -> BaseResponse:
    """Go on with the account that is logged in."""
    if pool.usable_reader(rendering.current_settings()) is not None:
        opening.pass_step(Step.ACCOUNT, guard.now())
    return redirect(url_for("setup_entrance.start"), 303)


def _first(fault: str = "", status: int = 200) -> BaseResponse:
    """The first question, and the account that there is."""
    return pages.show(
        PAGE,
        Step.ACCOUNT,
        status=status,
        fault=fault,
        reader=pool.usable_reader(rendering.current_settings()),
        question=login_steps.number(guard.texts()),
    )
