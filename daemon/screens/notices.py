"""Short answers to what cannot be done."""

import math
from html import escape

from config.settings import Settings
from config.texts import Texts
from daemon.screens import keyboard
from daemon.telegram.screen import Screen


def private_only(t: Texts) -> Screen:
    """Said in a group."""
    return Screen(t.gettext("I only work in private: open a chat with me and send the link there."))


def banned(t: Texts, settings: Settings) -> Screen:
    """The one answer that a banned customer gets."""
    text = t.gettext("You cannot use this bot any more.")
    if settings.support_contact:
        contact = escape(settings.support_contact)
        text += "\n" + t.gettext("If you think that this is a mistake, write to {contact}.", contact=contact)
    return Screen(text)


def too_fast(t: Texts, seconds: float) -> Screen:
    """Too many messages; the last one was not read."""
    return Screen(
        t.gettext(
            "That was too fast for me, and I have not read your last message. Wait {wait} and send it again.",
            wait=t.duration(max(1, math.ceil(seconds))),
        )
    )


def failed(t: Texts) -> Screen:
    """A fault of ours."""
    return Screen(t.gettext("Something went wrong on our side, and it has been noted. Please try again in a moment."))


def unknown_command(t: Texts) -> Screen:
    """A command that does not exist, or not for this customer."""
    return Screen(t.gettext("I do not know that command. /help shows what I can do."), keyboard.rows(keyboard.home(t)))


def guidance(t: Texts) -> Screen:
    """Neither a link nor a command."""
    return Screen(
        t.gettext(
            "Send me the link of a post, and I will bring you what is in it. In Telegram: hold the post, "
            "then “Copy link”.\n\n/help explains it step by step."
        ),
        keyboard.rows(keyboard.home(t)),
    )


def no_media(t: Texts) -> Screen:
    """The customer sent a file himself."""
    return Screen(
        t.gettext(
            "Files come from me, not to me. Send me the <b>link</b> of the post that you want: hold the post, "
            "then “Copy link”."
        ),
        keyboard.rows(keyboard.home(t)),
    )
