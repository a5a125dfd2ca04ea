"""The steps of a new shop, one page each: what is typed is checked at once, and a fault stands above its field."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from flask import Blueprint, Response, abort, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config.advice import STARS_RULE
from config.kept import settings_file
from config.texts import LANGUAGES, Texts
from models.setup import admins, checks, opening
from web import messages, rendering
from web.console import layout
from web.paypal.branding import noted
from web.rate_limits import limiter
from web.setup import entrance, guard, paypal, steps
from web.setup.steps import Step

logger = logging.getLogger(__name__)

PATIENCE_S, LOOK_S = 6.0, 0.1
"""How long a form waits for Telegram's answer, before it shows a page that waits."""
LONGEST_FIELD = 1000
WAITS = "setup/waiting.html"

blueprint = Blueprint("setup_pages", __name__, url_prefix="/setup")
limiter.limit("240 per minute")(blueprint)

Taker = Callable[[Mapping[str, str], Texts], "str | None"]


@blueprint.get("/step/<name>")
@guard.for_owner
def step(name: str) -> BaseResponse:
    """Show a step: the form, what was wrong with it, or that Telegram is being asked."""
    asked = _known(name)
    found = guard.owned()
    assert found is not None
    if asked is Step.ACCOUNT:
        return redirect(url_for("setup_account.account"), 303)
    next_step = steps.following(found.passed, rendering.current_settings())
    if asked.value not in found.passed and asked is not next_step:
        return redirect(entrance.onward(), 303)
    if checks.asked() == asked:
        return show(WAITS, asked)
    said = checks.answered(asked)
    fault = said.text if said is not None and not said.is_good else ""
    return show(f"setup/{asked}.html", asked, fault=fault)


@blueprint.post("/step/<name>")
@guard.for_owner
def take(name: str) -> BaseResponse:
    """Take what was typed. What Telegram decides waits for its answer; all else is decided here."""
    asked, t = _known(name), guard.texts()
    if asked not in _TAKERS:
        abort(405)
    typed = {key: value[:LONGEST_FIELD].strip() for key, value in request.form.items()}
    fault = _TAKERS[asked](typed, t)
    if fault:
        return show(f"setup/{asked}.html", asked, status=422, fault=fault, typed=_shown_again(typed))
    if checks.asked() == asked:
        return redirect(_after_answer(asked), 303)
    opening.pass_step(asked, guard.now())
    return redirect(url_for("setup_entrance.start"), 303)


@blueprint.get("/last")
@guard.for_owner
def last() -> BaseResponse:
    """Everything is known: what was set, and the button that opens the shop."""
    found, settings = guard.owned(), rendering.current_settings()
    assert found is not None
    if steps.following(found.passed, settings) is not None:
        return redirect(entrance.onward(), 303)
    return show("setup/last.html", None, steps=_steps(guard.texts()), outside=steps.outside(settings))


@blueprint.post("/last")
@guard.for_owner
def finish() -> BaseResponse:
    """End set-up: the launcher starts the shop."""
    found = guard.owned()
    assert found is not None
    if steps.following(found.passed, rendering.current_settings()) is not None:
        return redirect(entrance.onward(), 303)
    opening.finish(guard.now())
    admins.forget()
    checks.forget()
    logger.info("setup.finished")
    return redirect(url_for("setup_afterwards.done"), 303)


@blueprint.get("/state")
@guard.for_owner
def state() -> Response:
    """What a page that waits asks for: it is loaded anew when this has changed."""
    return jsonify({"state": _state()})


def show(template: str, shown: Step | None, *, status: int = 200, **values: object) -> Response:
    """A page of set-up, which knows how far its owner has come."""
    t, settings = guard.texts(), rendering.current_settings()
    every = steps.asked(settings)
    title = steps.TITLES[shown](t) if shown else ""
    shows = _values(shown, t)  # before the state is read: it makes the admin's link
    filled = {"typed": {}, "fault": "", "title": title, **_waits(template, shown), **shows, **values}
    return rendering.page(
        template,
        status,
        t,
        step=shown,
        number=every.index(shown) + 1 if shown in every else 0,
        total=len(every),
        form_token=guard.form_token(),
        **filled,
    )


def _state() -> str:
    who = admins.candidate(guard.now())
    found = guard.owned()
    is_left = found is not None and found.is_left
    is_offered = admins.is_offered(guard.now())
    return f"{checks.asked()} {who.id if who else is_offered} {noted().username} {is_left}"


def _waits(template: str, shown: Step | None) -> dict[str, object]:
    """What a page needs to be loaded anew when something has changed."""
    is_waiting = shown is Step.ADMIN or template == WAITS
    return {"ask": url_for("setup_pages.state"), "ask_state": _state()} if is_waiting else {}


def _values(shown: Step | None, t: Texts) -> dict[str, object]:
    return _VALUES[shown](t) if shown is not None and shown in _VALUES else {}


def _known(name: str) -> Step:
    if name not in set(Step) or Step(name) not in steps.asked(rendering.current_settings()):
        abort(404)
    return Step(name)


def _after_answer(asked: Step) -> str:
    """Where to go on, after a moment in which Telegram will mostly have answered."""
    deadline = time.monotonic() + PATIENCE_S
    while checks.asked() == asked and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    said = checks.answered(asked)
    if said is not None and said.is_good:
        return url_for("setup_entrance.start")
    return url_for("setup_pages.step", name=asked.value)


def _shown_again(typed: Mapping[str, str]) -> dict[str, str]:
    """What of a form may be shown again: no secret."""
    return {key: value for key, value in typed.items() if key in ("api_id", "client_id", "mode")}


def _steps(t: Texts) -> list[tuple[Step, str]]:
    return [(each, steps.TITLES[each](t)) for each in steps.asked(rendering.current_settings())]


# ---- what each step takes: None, or what is wrong with it


def _take_language(typed: Mapping[str, str], t: Texts) -> str | None:
    if typed.get("language") not in LANGUAGES:
        return t.gettext("Choose one of the languages.")
    _write(LANGUAGE=typed["language"])
    return None


def _take_application(typed: Mapping[str, str], t: Texts) -> str | None:
    api_id, api_hash = steps.api_id_in(typed.get("api_id", "")), steps.api_hash_in(typed.get("api_hash", ""))
    if api_id is None:
        return t.gettext("The App api_id is a number of seven or eight digits, nothing else.")
    if api_hash is None:
        return t.gettext("The App api_hash has 32 characters, 0 to 9 and a to f. Copy all of it.")
    _ask(Step.APPLICATION, TELEGRAM_API_ID=api_id, TELEGRAM_API_HASH=api_hash)
    return None


def _take_bot(typed: Mapping[str, str], t: Texts) -> str | None:
    token = steps.token_in(typed.get("bot_token", ""))
    if token is None:
        return t.gettext("That is no bot token. It looks like 123456789:AAH… and is in the message of @BotFather.")
    _ask(Step.BOT, TELEGRAM_BOT_TOKEN=token)
    return None


def _take_admin(typed: Mapping[str, str], t: Texts) -> str | None:
    who = admins.candidate(guard.now())
    confirmed = {str(each) for each in rendering.current_settings().admin_ids}
    if who is None and "no" not in typed and typed.get("id", "") in confirmed:
        return None  # it was pressed twice
    if "no" in typed or who is None or typed.get("id") != str(who.id):
        admins.forget()
        return t.gettext("Nobody was made admin. Press the new link yourself.")
    _write(ADMIN_IDS=str(who.id))
    admins.forget()
    return None


def _take_address(typed: Mapping[str, str], t: Texts) -> str | None:
    _write(BACKEND_URL=None if "skip" in typed else request.host_url.rstrip("/"))
    return None


def _take_paypal(typed: Mapping[str, str], t: Texts) -> str | None:
    if "skip" in typed:
        _write(PAYPAL_CLIENT_ID=None, PAYPAL_CLIENT_SECRET=None, PAYPAL_MODE=None)
        return None
    given = paypal.Credentials(typed.get("client_id", ""), typed.get("secret", ""), typed.get("mode", ""))
    fault = paypal.fault(given, rendering.current_settings(), t)
    if fault is None:
        _write(PAYPAL_CLIENT_ID=given.client_id, PAYPAL_CLIENT_SECRET=given.secret, PAYPAL_MODE=given.mode)
    return fault


def _take_nothing(_typed: Mapping[str, str], _t: Texts) -> None:
    """The step is a button."""


_TAKERS: Mapping[Step, Taker] = {
    Step.LANGUAGE: _take_language,
    Step.APPLICATION: _take_application,
    Step.BOT: _take_bot,
    Step.ADMIN: _take_admin,
    Step.ADDRESS: _take_address,
    Step.PAYPAL: _take_paypal,
    Step.PRICES: _take_nothing,
}


def _write(**values: str | None) -> None:
    settings_file.change(rendering.current_settings().db_path, values)


def _ask(asked: Step, **values: str) -> None:
    """Have the daemon ask Telegram about what was typed."""
    settings_file.change(rendering.current_settings().db_path, values, settings_file.TYPED)
    checks.ask(asked, guard.now())


# ---- what each step shows


def _languages(t: Texts) -> dict[str, object]:
    return {"options": [(code, language.name) for code, language in LANGUAGES.items()], "chosen": t.language}


def _admin(_t: Texts) -> dict[str, object]:
    settings, now = rendering.current_settings(), guard.now()
    who = admins.candidate(now)
    parameter = "" if who else admins.link(settings.secret_key, now)
    return {"candidate": who, "link": noted().leading_to(parameter)}


def _address(_t: Texts) -> dict[str, object]:
    return {"address": request.host_url.rstrip("/")}


def _paypal(t: Texts) -> dict[str, object]:
    settings = rendering.current_settings()
    return {"rule": STARS_RULE.said_in(t), "address": settings.backend_url, "modes": paypal.modes(settings, t)}


def _prices(t: Texts) -> dict[str, object]:
    by_paypal = rendering.current_settings().paypal_enabled
    return {"offers": messages.on_sale(t, layout.plans(), by_paypal=by_paypal)}


_VALUES: Mapping[Step, Callable[[Texts], dict[str, object]]] = {
    Step.LANGUAGE: _languages,
    Step.ADMIN: _admin,
    Step.ADDRESS: _address,
    Step.PAYPAL: _paypal,
    Step.PRICES: _prices,
}
