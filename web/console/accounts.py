"""The accounts that read: how each is, and who logs in, takes over, rests or goes."""

from collections.abc import Callable

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from models import acts
from models.accounts import logins, pool
from models.accounts.logins import How, LoginInfo
from models.accounts.pool import AccountState
from models.errors import LoginRefused, MoveRefused, NotFound
from models.roles import Act
from models.words import accounts as accounts_words
from models.words import logins as words
from web import rendering
from web.accounts import steps
from web.console import guard, layout

blueprint = guard.section("accounts", "/accounts")


@blueprint.get("")
@guard.needs(Act.MANAGE_ACCOUNTS)
def accounts() -> Response:
    """Every account, and the way to log another one in."""
    found, reader = guard.visitor(), pool.reader()
    open_login = logins.current()
    return layout.show(
        "console/accounts.html",
        accounts=pool.all(),
        reader=reader,
        state=accounts_words.state,
        number=steps.number(found.t),
        codes_left=logins.codes_left(found.now),
        login=open_login if open_login is not None and open_login.by == found.actor.id else None,
        now=found.now,
    )


@blueprint.post("/login")
@guard.needs(Act.MANAGE_ACCOUNTS)
def begin() -> BaseResponse:
    """Begin to log an account in."""
    found = guard.visitor()
    reads = request.form.get("reads") == "1"

    def start(how: How) -> int:
        return acts.begin_login(found.actor, how, found.now, reads=reads)

    try:
        steps.begin(request.form, start, found.now, present=_own())
    except LoginRefused as error:
        return layout.done(url_for("console_accounts.accounts"), words.fault(found.t, error.reason), "bad")
    return redirect(url_for("console_accounts.login"), 303)


@blueprint.get("/login")
@guard.needs(Act.MANAGE_ACCOUNTS)
def login() -> BaseResponse:
    """What the visitor's log-in asks for now; once it is over, the accounts."""
    found, present = guard.visitor(), _own()
    if present is None:
        return redirect(url_for("console_accounts.accounts"), 303)
    view = steps.view(present, rendering.current_settings().secret_key, found.t, found.now)
    if view.is_done:
        said = found.t.gettext("{name} is logged in.", name=present.said.get("name", ""))
        return layout.done(url_for("console_accounts.accounts"), said)
    return steps.shown(layout.show("console/account_login.html", view=view), view)


@blueprint.post("/login/answer")
@guard.needs(Act.MANAGE_ACCOUNTS)
def answer() -> BaseResponse:
    """Take what was typed."""
    found, present = guard.visitor(), _own()
    if present is not None:
        try:
            steps.proceed(present, request.form, found.now)
        except LoginRefused as error:
            return layout.done(url_for("console_accounts.login"), words.fault(found.t, error.reason), "wait")
    return redirect(url_for("console_accounts.login"), 303)


@blueprint.post("/<id:account_id>/use")
@guard.needs(Act.MANAGE_ACCOUNTS)
def use(account_id: int) -> BaseResponse:
    """Let an account read from now on."""
    found = guard.visitor()
    return _do(lambda: acts.use_account(found.actor, account_id, found.now), found.t.gettext("It reads from now on."))


@blueprint.post("/<id:account_id>/pause")
@guard.needs(Act.MANAGE_ACCOUNTS)
def pause(account_id: int) -> BaseResponse:
    """Let nobody read with an account; one whose place another has taken meanwhile stands by as it did."""
    found, account, reader = guard.visitor(), pool.get(account_id), pool.reader()
    said = found.t.gettext("It is paused. Links that need it wait.")
    if account is not None and account != reader and account.state is not AccountState.PAUSED:
        said_why = found.t.gettext("It does not read any more, so nothing was changed.")
        return layout.done(url_for("console_accounts.accounts"), said_why, "wait")
    return _do(lambda: acts.pause_account(found.actor, account_id, found.now), said)


@blueprint.post("/<id:account_id>/forget")
@guard.needs(Act.MANAGE_ACCOUNTS)
def forget(account_id: int) -> BaseResponse:
    """Delete an account that does not read."""
    found = guard.visitor()
    said = found.t.gettext("It is deleted here. End its session in Telegram too: Settings → Devices.")
    return _do(lambda: acts.forget_account(found.actor, account_id, found.now), said)


def _own() -> LoginInfo | None:
    """The visitor's newest log-in."""
    return logins.newest(guard.visitor().actor.id)


def _do(act: Callable[[], None], said: str) -> BaseResponse:
    t = guard.visitor().t
    try:
        act()
    except NotFound:
        return layout.done(
            url_for("console_accounts.accounts"), t.gettext("That account is not there any more."), "bad"
        )
    except MoveRefused:
        said_why = t.gettext("That account is in use, or the only one: let another one read first.")
        return layout.done(url_for("console_accounts.accounts"), said_why, "bad")
    return layout.done(url_for("console_accounts.accounts"), said)
