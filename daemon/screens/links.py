"""What links mean, where that is not clear, and why a link cannot be read."""

from collections.abc import Sequence
from html import escape

from config.texts import Texts
from daemon.screens import keyboard
from daemon.telegram import links
from daemon.telegram.links import Choice, PostLink, RangeLink, Reading, Refused
from daemon.telegram.screen import Button, Screen
from models.jobs.reasons import RefusalReason

SHOWN = 5
LONGEST_QUOTE = 300


def choice(t: Texts, of: Choice) -> Screen:
    """A link and numbers that can mean several things: the customer says which."""
    quoted = f"<code>{escape(of.text[:LONGEST_QUOTE])}</code>"
    if of.reason is None:
        text = quoted + "\n" + t.gettext("This can be read in several ways. Which posts do you want?")
    else:
        text = f"{quoted}: {reason(t, of.reason)}"
    *wider, narrow = of.readings
    buttons = [Button(numbers(t, each), f"pick:{each.address}") for each in wider]
    only = Button(t.gettext("Only {numbers}", numbers=numbers(t, narrow)), f"pick:{narrow.address}")
    return Screen(text, keyboard.rows(*buttons, only))


def picked(t: Texts, reading: Reading) -> Screen:
    """The customer has said what they mean."""
    return Screen(t.gettext("👍 I bring {numbers}.", numbers=f"<b>{numbers(t, reading)}</b>"))


def more_choices(t: Texts, left: int) -> Screen:
    """More links than are asked about can be read in several ways."""
    return Screen(
        t.ngettext(
            "{n} more link can be read in several ways. Please send it alone.",
            "{n} more links can be read in several ways. Please send them one at a time.",
            left,
        ),
        keyboard.rows(keyboard.home(t)),
    )


def numbers(t: Texts, reading: Reading) -> str:
    """The numbers of a reading: ``15 to 17 and 20``."""
    return t.listed([str(first) if first == last else _span(t, first, last) for first, last in reading.spans])


def _span(t: Texts, first: int, last: int) -> str:
    return t.gettext("{first} to {last}", first=first, last=last)


def linked(t: Texts, inside: Sequence[PostLink | RangeLink]) -> Screen:
    """A forwarded post is brought, and links to others, which the customer may want too."""
    text = t.ngettext(
        "This post links to {n} other post. Do you want it too?",
        "This post links to {n} other posts. Which of them do you want too?",
        len(inside),
    )
    addresses = [address for link in inside if len(address := Reading((link,)).address) <= links.LONGEST_ADDRESS]
    buttons = [Button(address, f"also:{address}") for address in addresses[:SHOWN]]
    return Screen(text, keyboard.rows(*buttons, keyboard.home(t), width=1))


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
        RefusalReason.UNCLEAR: t.gettext(
            "I cannot tell which posts you mean. Send their numbers after the link, such as 15-17 or 15, 18."
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
