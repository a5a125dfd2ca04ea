"""What people read who complain about a post, and the admins who decide."""

from collections.abc import Callable, Mapping
from html import escape

from config.texts import Texts
from daemon.screens import keyboard
from daemon.screens.announcements import Setting
from daemon.telegram.screen import Button, Screen
from models.event_kinds import ComplaintDecided, ComplaintMade
from models.promotion.complaints import ComplaintInfo, Decision


def how_to(t: Texts) -> Screen:
    """How to complain about a post."""
    return Screen(
        t.gettext(
            "<b>Complain about a post</b>\n"
            "Send me <code>/report</code>, then the link to the post, then what is wrong with it.\n"
            "Example: <code>/report t.me/name/15 this is my video</code>\n\n"
            "The operator reads it and decides, and I tell you what they decided."
        ),
        keyboard.rows(keyboard.home(t)),
    )


def not_a_post(t: Texts) -> Screen:
    """What follows the command is not the link to one post."""
    return Screen(
        t.gettext(
            "This is not the link to a post. Press and hold the post that you mean, choose “Copy link”, and send "
            "<code>/report</code> with that link; one post at a time."
        ),
        keyboard.rows(keyboard.home(t)),
    )


def too_long(t: Texts, longest: int) -> Screen:
    """What is wrong with the post is told in too many words."""
    return Screen(t.gettext("That is too long: {most} characters at most.", most=longest))


def taken(t: Texts, made: ComplaintInfo) -> Screen:
    """The complaint was passed on."""
    return Screen(
        t.gettext(
            "I have passed your complaint about {link} on to the operator, under the number <code>{number}</code>. "
            "I tell you what they decide.",
            link=escape(made.link),
            number=made.number,
        ),
        keyboard.rows(keyboard.home(t)),
    )


_ANSWERS: Mapping[str, Callable[[Texts], str]] = {
    Decision.POST: lambda t: t.gettext("the post is blocked. Nobody gets it from me any more."),
    Decision.CHANNEL: lambda t: t.gettext("the whole channel is blocked. Nobody gets its posts from me any more."),
    Decision.REJECTED: lambda t: t.gettext("the operator saw no reason to block the post."),
}


def answer(payload: ComplaintDecided, setting: Setting) -> Screen | None:
    """What the operator has decided, for who complained."""
    t, say = setting.t, _ANSWERS.get(payload.decision)
    if say is None:
        return None
    text = t.gettext(
        "Your complaint <code>{number}</code> about {link}: {decision}",
        number=payload.number,
        link=escape(payload.link),
        decision=say(t),
    )
    return Screen(text)


def case(t: Texts, who: str, made: ComplaintMade) -> Screen:
    """A complaint of somebody (*who*), for admins to decide."""
    lines = [t.gettext("🚩 {who} complains about {link}", who=who, link=escape(made.link))]
    if made.text:
        lines.append(f"<i>{escape(made.text)}</i>")
    return Screen("\n".join(lines), _decisions(t, made.complaint))


def _decisions(t: Texts, complaint: int, made: Decision | None = None) -> tuple[tuple[Button, ...], ...]:
    """What can be decided; after a decision was *made*, the others."""
    buttons = {
        Decision.POST: Button(t.gettext("🚫 Block this post"), f"complaint_post:{complaint}"),
        Decision.CHANNEL: Button(t.gettext("⛔ Block the channel"), f"complaint_channel:{complaint}"),
        Decision.REJECTED: Button(t.gettext("Reject"), f"complaint_reject:{complaint}"),
    }
    return keyboard.rows(*(button for decision, button in buttons.items() if decision is not made))


_DECIDED: Mapping[Decision, Callable[..., str]] = {
    Decision.POST: lambda t, **said: t.gettext(
        "🚫 Blocked: {link}, and its files wherever else they are posted.", **said
    ),
    Decision.CHANNEL: lambda t, **said: t.gettext("⛔ Blocked: the whole channel of {link}.", **said),
    Decision.REJECTED: lambda t, **said: t.gettext("Rejected: {link} is delivered as before.", **said),
}


def decided_by_admin(t: Texts, known: ComplaintInfo, by: str = "", date: str = "") -> Screen:
    """What was decided, for the admin who pressed a button; *by* whom and when, where that was another one.

    Another decision takes its place.
    """
    made = known.decision or Decision.REJECTED
    text = _DECIDED[made](t, link=escape(known.link))
    if by:
        text = "\n".join((text, t.gettext("Decided by {who} on {date}.", who=by, date=date)))
    after = t.gettext("I answer whoever complained. Changed your mind? Press another button.")
    return Screen(f"{text}\n{after}", _decisions(t, known.id, made))
