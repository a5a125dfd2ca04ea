"""Short answers to what the bot does not do."""

import math
from html import escape

from config.settings import Settings
from config.texts import Texts
from daemon.screens import keyboard
from daemon.telegram.screen import Button, Screen


def private_only(t: Texts) -> Screen:
    """The answer in a group."""
    return Screen(t.gettext("I only answer in a private chat. Open one with me and send the link there."))


def banned(t: Texts, settings: Settings) -> Screen:
    """The one answer that a banned customer gets."""
    text = t.gettext("The operator of this bot has banned you, so I deliver nothing to you any more.")
    if settings.support_contact:
        contact = escape(settings.support_contact)
        text += "\n" + t.gettext("If you think that this is a mistake, write to {contact}.", contact=contact)
    return Screen(text)


def too_fast(t: Texts, seconds: float) -> Screen:
    """The customer sends too fast, and the last message was not read."""
    return Screen(
        t.gettext(
            "You are writing too fast, and I have not read your last message. Wait {wait} and send it again.",
            wait=t.duration(max(1, math.ceil(seconds))),
        )
    )


def failed(t: Texts) -> Screen:
    """A handler failed."""
    return Screen(t.gettext("Something went wrong on our side. Please try again in a moment."))


def unknown_command(t: Texts) -> Screen:
    """The command does not exist, or not for this customer."""
    return Screen(t.gettext("I do not know that command. /help shows what I can do."), keyboard.rows(keyboard.home(t)))


def guidance(t: Texts) -> Screen:
    """The message is neither a link nor a command."""
    return Screen(
        t.gettext(
            "Send me the link to a Telegram post, and I will send you what is in it. To get the link, press and hold "
            "the post and choose “Copy link”.\n\n"
            "/help explains every step. /premium shows plans and prices."
        ),
        keyboard.rows(keyboard.home(t)),
    )


def other_site(t: Texts) -> Screen:
    """The customer sent the address of a page outside of Telegram."""
    return Screen(
        t.gettext(
            "I bring posts of Telegram only, and this link leads to another site. Links to posts begin with t.me: "
            "press and hold the post and choose “Copy link”."
        ),
        keyboard.rows(Button(t.gettext("📖 Guide"), "help"), keyboard.home(t)),
    )


def no_media(t: Texts) -> Screen:
    """The customer sent a file instead of a link."""
    return Screen(
        t.gettext(
            "I cannot use files that you send me. Send me the <b>link</b> to the post that you want: press and hold "
            "the post and choose “Copy link”."
        ),
        keyboard.rows(keyboard.home(t)),
    )


def no_origin(t: Texts) -> Screen:
    """The customer forwarded something, and Telegram does not say which post it was."""
    return Screen(
        t.gettext(
            "Telegram does not tell me which post this was. Send me its <b>link</b>: press and hold the post and "
            "choose “Copy link”."
        ),
        keyboard.rows(keyboard.home(t)),
    )
