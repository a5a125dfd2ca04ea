"""Buttons that several screens share."""

from dataclasses import replace

from config.texts import Texts
from daemon.telegram.screen import Button, Keyboard, Screen

ANEW = "new:"
"""A prefix of a button's data: the button's screen comes as a new message."""


def home(t: Texts) -> Button:
    """Opens the first screen."""
    return Button(t.gettext("🏠 Home"), "home")


def plans(t: Texts) -> Button:
    """Opens the plans."""
    return Button(t.gettext("⭐ Plans"), "plans")


def rows(*buttons: Button, width: int = 2) -> Keyboard:
    """The buttons in rows of *width*."""
    return tuple(tuple(buttons[at : at + width]) for at in range(0, len(buttons), width))


def go_on(t: Texts, batch_id: int | None = None) -> Button:
    """Puts held jobs in the queue again: those of one batch, or all."""
    return Button(t.gettext("▶️ Go on"), "release" if batch_id is None else f"release:{batch_id}")


def lasting(screen: Screen) -> Screen:
    """The screen as a message that stays, a receipt for instance: its buttons open new messages."""
    keyboard = tuple(
        tuple(replace(button, data=ANEW + button.data) if button.data else button for button in row)
        for row in screen.keyboard
    )
    return replace(screen, keyboard=keyboard)
