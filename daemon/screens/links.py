"""Why a link cannot be read."""

from collections.abc import Sequence
from html import escape

from config.texts import Texts
from daemon.screens import keyboard
from daemon.telegram import links
from daemon.telegram.links import Refused
from daemon.telegram.screen import Button, Screen
from models.jobs.reasons import RefusalReason

SHOWN = 5


def refused(t: Texts, of: Sequence[Refused]) -> Screen:
    """Each link with its reason."""
    lines = []
    for link in of[:SHOWN]:
        shown = f"<code>{escape(link.text[:60])}</code>: " if link.text else ""
        lines.append(shown + reason(t, link.reason))
    if len(of) > SHOWN:
        lines.append(t.ngettext("… and {n} more link like these.", "… and {n} more links like these.", len(of) - SHOWN))
    return Screen("\n".join(lines), keyboard.rows(Button(t.gettext("📖 Guide"), "help"), keyboard.home(t)))


def reason(t: Texts, code: RefusalReason) -> str:
    """One reason of ``daemon.telegram.links.REASONS`` in words: what it is, and what to send instead."""
    return {
        RefusalReason.NO_POST: t.gettext(
            "this leads to a chat or a person, not to a post. Press and hold the post itself and choose “Copy link”."
        ),
        RefusalReason.STORY: t.gettext("I cannot deliver stories. Send the link to a post of a channel or group."),
        RefusalReason.STICKERS: t.gettext("this is a sticker set. Send the link to a post instead."),
        RefusalReason.BOOST: t.gettext(
            "this asks for a boost and leads to no post. Press and hold the post and choose “Copy link”."
        ),
        RefusalReason.PHONE: t.gettext(
            "this is somebody's phone number. Send the link to a post of a channel or group."
        ),
        RefusalReason.NOT_A_POST: t.gettext(
            "this is not the link to a post. Press and hold the post and choose “Copy link”."
        ),
        RefusalReason.BAD_NUMBER: t.gettext("no post can have this number. Please copy the link again."),
        RefusalReason.RANGE_TOO_LONG: t.ngettext(
            "this range has too many posts. Send at most {n} post at a time.",
            "this range has too many posts. Send at most {n} posts at a time.",
            links.MAX_RANGE,
        ),
        RefusalReason.TOO_MANY: t.ngettext(
            "I read the first {n} link of a message. Please send the others again.",
            "I read the first {n} links of a message. Please send the others again.",
            links.MAX_LINKS,
        ),
    }[code]


def too_many_at_once(t: Texts, posts: int, cap: int) -> Screen:
    """One message names more posts than a customer may have in the queue."""
    return Screen(
        t.ngettext(
            "This is {n} post, and your queue has room for {cap}. Send fewer at a time.",
            "These are {n} posts, and your queue has room for {cap}. Send fewer at a time.",
            posts,
            cap=cap,
        ),
        keyboard.rows(keyboard.home(t)),
    )


def too_many_waiting(t: Texts, waiting: int, cap: int) -> Screen:
    """The customer has as many links in the queue as allowed."""
    return Screen(
        t.ngettext(
            "You have {n} link in the queue, which has room for {cap}. Send the new links again when some have "
            "arrived, or cancel what you no longer need.",
            "You have {n} links in the queue, which has room for {cap}. Send the new links again when some have "
            "arrived, or cancel what you no longer need.",
            waiting,
            cap=cap,
        ),
        keyboard.rows(Button(t.gettext("See the queue"), "waiting"), keyboard.home(t)),
    )
