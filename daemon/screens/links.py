"""Why a link cannot be read."""

from collections.abc import Sequence
from html import escape

from config.texts import Texts
from daemon.screens import keyboard
from daemon.telegram import links
from daemon.telegram.links import Refused
from daemon.telegram.screen import Button, Screen

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


def reason(t: Texts, code: str) -> str:
    """One reason of ``daemon.telegram.links.REASONS`` in words: what it is, and what to send instead."""
    return {
        "no_post": t.gettext(
            "this names a chat or a person, but no post. Hold the post itself and choose “Copy link”."
        ),
        "story": t.gettext("stories cannot be delivered, only posts of channels and groups."),
        "stickers": t.gettext("this is a set of stickers. Send the link of a post instead."),
        "boost": t.gettext("this asks for a boost; it is no post. Hold the post and choose “Copy link”."),
        "phone": t.gettext("this is somebody's phone number. I only read posts of channels and groups."),
        "not_a_post": t.gettext("this is not the link of a post. Hold the post and choose “Copy link”."),
        "bad_number": t.gettext("there can be no post with this number. Please copy the link again."),
        "range_too_long": t.gettext(
            "that is a range of too many posts. Send at most {most} at a time.", most=links.MAX_RANGE
        ),
        "too_many": t.gettext(
            "I read the first {most} links of a message. Please send the others again.", most=links.MAX_LINKS
        ),
    }[code]


def too_many_at_once(t: Texts, posts: int, cap: int) -> Screen:
    """A message that names more posts than fit into an empty line."""
    return Screen(
        t.gettext(
            "These are {posts} posts, and you may have {cap} in line. Send fewer at a time.", posts=posts, cap=cap
        ),
        keyboard.rows(keyboard.home(t)),
    )


def too_many_waiting(t: Texts, waiting: int, cap: int) -> Screen:
    """The customer's line is full."""
    return Screen(
        t.gettext(
            "You have {waiting} links in line, and there is room for {cap}. Send these again when some have arrived, "
            "or cancel what you no longer need.",
            waiting=waiting,
            cap=cap,
        ),
        keyboard.rows(Button(t.gettext("What is waiting"), "waiting"), keyboard.home(t)),
    )
