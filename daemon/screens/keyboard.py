"""Buttons that several screens share."""

from config.texts import Texts
from daemon.outgoing import Button, Keyboard


def home(t: Texts) -> Button:
    """Back to the first screen."""
    return Button(t.gettext("« Back"), "home")


def plans(t: Texts) -> Button:
    """To the plans."""
    return Button(t.gettext("⭐ Plans"), "plans")


def rows(*buttons: Button, width: int = 2) -> Keyboard:
    """The buttons in rows of *width*."""
    return tuple(tuple(buttons[at : at + width]) for at in range(0, len(buttons), width))
