"""The accounts that read, for the operator: which takes the place of a lost one, and what was done with them."""

from collections.abc import Sequence
from html import escape
from typing import Any

from config.texts import Texts
from daemon.screens import keyboard
from daemon.telegram.screen import Button, Keyboard, Screen
from models.event_kinds import AccountChanged

LONGEST_NAME = 24
"""Characters of a name on a button."""


def instead(t: Texts, standbys: Sequence[Sequence[Any]]) -> Keyboard:
    """Buttons under the alarm of a lost account: each that stands by takes its place, or another is logged in."""
    buttons = [
        Button(
            t.gettext("▶️ Use {name} instead", name=str(name)[:LONGEST_NAME] or f"#{account}"), f"account_use:{account}"
        )
        for account, name in standbys
    ]
    return keyboard.rows(*buttons, Button(t.gettext("🔑 Log in an account"), "account_login"))


def changed(t: Texts, payload: AccountChanged) -> Screen:
    """What somebody has done with an account."""
    name = f"<b>{escape(payload.name) or f'#{payload.account}'}</b>"
    text = {
        "added_reader": t.gettext("🔑 {name} is logged in and reads from now on.", name=name),
        "added_standby": t.gettext("🔑 {name} is logged in and stands by.", name=name),
        "reader": t.gettext("▶️ {name} reads from now on.", name=name),
        "paused": t.gettext("⏸ {name} is paused: links that need it wait.", name=name),
        "lost_standby": t.gettext(
            "⚠️ {name} stood by, and cannot take over any more: log it in again, or another one, before you need it.",
            name=name,
        ),
        "forgotten": t.gettext(
            "🗑 {name} is deleted here. End its session in Telegram too: Settings → Devices.", name=name
        ),
    }[payload.what]
    if payload.what == "lost_standby":
        return Screen(text, instead(t, ()))
    if payload.by is not None:
        text += " " + t.gettext("By {admin}.", admin=f"<code>{payload.by}</code>")
    return Screen(text)


def chosen(t: Texts, name: str) -> Screen:
    """The account of a button takes the place of the lost one."""
    return Screen(t.gettext("▶️ {name} takes over. Links that wait go on.", name=f"<b>{escape(name)}</b>"))


def gone(t: Texts) -> Screen:
    """The account of a button is not there any more."""
    return Screen(t.gettext("That account is not there any more."))
