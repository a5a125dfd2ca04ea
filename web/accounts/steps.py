"""The steps of an account's log-in: what a form has brought, and what the page shows next.

A page is shown again by itself while it is Telegram's turn, by the header ``Refresh``, so that no script is needed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import segno
from flask import Response

from config.texts import Texts
from models.accounts import logins, sealing
from models.accounts.logins import How, LoginInfo, LoginState, Step
from models.errors import LoginRefused, Unopenable
from models.words import logins as words

WORKING_S, SCAN_S = 1, 3
"""Seconds after which a page is shown again: while Telegram is asked, and while a QR code waits."""
TWICE_S = 3
"""Within so long the same form is the same press of its button."""
PATIENCE_S = 30
"""After so long without an answer, the program that asks Telegram may be gone."""


@dataclass(frozen=True, slots=True)
class Field:
    """What is typed: its label, a hint, and how a browser treats it."""

    label: str
    hint: str
    kind: str = "text"
    mode: str = "text"
    complete: str = "off"


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows of a log-in."""

    login: LoginInfo
    lead: str = ""
    fault: str = ""
    left: str = ""
    """How many more tries there are, once one was wrong."""
    field: Field | None = None
    again: bool = False
    """Another code can be asked for."""
    qr: str | None = None
    """A picture, as SVG of our own."""
    refresh_s: int | None = None

    @property
    def is_done(self) -> bool:
        """Is the account logged in?"""
        return self.login.state is LoginState.DONE

    @property
    def is_open(self) -> bool:
        """Does it go on?"""
        return self.field is not None or self.refresh_s is not None


def begin(form: Mapping[str, str], start: Callable[[How], int], now: int, *, present: LoginInfo | None) -> None:
    """Begin a log-in by QR code, or by the number that a form has brought.

    :param start: begins it for who is there; returns its id.
    :param present: their newest one. A number that is sent twice begins one: another code would make the first wrong.
    :raises LoginRefused: it cannot begin now.
    """
    if form.get("how") == How.QR:
        start(How.QR)
        return
    if present is not None and _has_just_begun(present, now):
        return
    login = logins.get(start(How.NUMBER))
    typed = form.get("answer", "")
    if login is not None and typed.strip():
        logins.answer(login, typed, now)


def _has_just_begun(login: LoginInfo, now: int) -> bool:
    """Whether a number was sent a moment ago, and may be good."""
    is_wanted = login.step is Step.NUMBER and login.state is LoginState.ASKED
    return login.how is How.NUMBER and not login.is_over(now) and not is_wanted and now - login.at < TWICE_S


def proceed(login: LoginInfo, form: Mapping[str, str], now: int) -> None:
    """Take what a form of :func:`view` has brought.

    :raises LoginRefused: it has ended, or this was answered before.
    """
    if "cancel" in form:
        logins.cancel(login.id)
        return
    if form.get("step") != login.step:
        raise LoginRefused("turn")
    typed = form.get("answer", "")
    if "again" in form and login.step is Step.CODE:
        logins.answer(login, logins.AGAIN, now)
    elif typed.strip():
        logins.answer(login, typed, now)


def view(login: LoginInfo, secret_key: str, t: Texts, now: int) -> View:
    """What to show of a log-in."""
    said = login.said
    if not login.is_over(now):
        fault = _sentence(words.fault(t, said["fault"], said.get("seconds"))) if "fault" in said else ""
        if login.state is LoginState.ANSWERED:
            return View(login, _working(login, t, now), refresh_s=WORKING_S)
        if login.step is Step.SCAN:
            return View(login, _how_to_scan(t), fault, qr=_drawn(login, secret_key, t), refresh_s=SCAN_S)
        left = t.ngettext("{n} more try.", "{n} more tries.", logins.ATTEMPTS - login.wrong) if login.wrong else ""
        return View(login, _lead(login, t), fault, left, field=_field(login.step, t), again=login.step is Step.CODE)
    if login.state is LoginState.DONE:
        return View(login)
    fault = words.fault(t, said.get("fault", "expired"), said.get("seconds"))
    return View(login, fault=_sentence(fault))


def shown(response: Response, shown_view: View) -> Response:
    """The response of a page with a view, which is kept nowhere and shown again in time."""
    response.headers["Cache-Control"] = "no-store"
    if shown_view.refresh_s is not None:
        response.headers["Refresh"] = str(shown_view.refresh_s)
    return response


def number(t: Texts) -> Field:
    """The first question."""
    return _field(Step.NUMBER, t)


def _field(step: Step, t: Texts) -> Field:
    if step is Step.NUMBER:
        hint = t.gettext("With the country code: +34 600 11 22 33. Telegram then sends you a code.")
        return Field(t.gettext("Phone number of the account"), hint, kind="tel", mode="tel", complete="tel")
    if step is Step.CODE:
        hint = t.gettext("With or without a dash: 70-914 is fine. Type it here alone, never in a chat.")
        return Field(t.gettext("Login code"), hint, complete="one-time-code")
    hint = t.gettext("The account has one: Settings → Privacy and Security → Two-Step Verification. It is not kept.")
    return Field(t.gettext("Two-step password"), hint, kind="password")


def _lead(login: LoginInfo, t: Texts) -> str:
    where = words.WHERE.get(login.said.get("where", ""))
    return where.said_in(t) if where is not None and login.step is Step.CODE else ""


def _working(login: LoginInfo, t: Texts, now: int) -> str:
    if now - login.at > PATIENCE_S and login.said == {}:
        return t.gettext("The program that asks Telegram does not answer yet. This page goes on by itself.")
    return t.gettext("Telegram is being asked. This page goes on by itself.")


def _how_to_scan(t: Texts) -> str:
    return t.gettext(
        "On the telephone of the account: Telegram → Settings → Devices → Link Desktop Device, and point its camera at "
        "this picture. This page goes on by itself."
    )


def _drawn(login: LoginInfo, secret_key: str, t: Texts) -> str | None:
    """The QR code as SVG; None where it cannot be drawn, because another secret key holds by now."""
    try:
        address = sealing.kept(secret_key, login.said["qr"], login.about)
    except (KeyError, Unopenable):
        return None
    drawn = segno.make(address, error="l")
    return str(
        drawn.svg_inline(
            border=3,
            dark="#000",
            light="#fff",
            svgclass="qr",
            lineclass=None,
            omitsize=True,
            title=t.gettext("QR code of the log-in"),
        )  # fmt: skip
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
