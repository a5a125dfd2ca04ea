"""What customers hear at the end of a delivery: what it used and what is left, or why there was none."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from config.plans import Limit
from config.texts import Texts
from daemon.screens import keyboard, limits, links
from daemon.telegram.links import REASONS
from daemon.telegram.screen import Button, Screen
from models.event_kinds import BatchHeld, InvitationFollowed, JobFinished, OverLimit, TooLarge
from models.jobs.states import JobState
from models.jobs.usage import Left


@dataclass(frozen=True)
class Standing:
    """What the words depend on besides the event: what the customer has left, and the account that reads."""

    t: Texts
    left: Mapping[str, Left]
    account: str | None
    """The account's user name, without @."""


def job(payload: JobFinished, standing: Standing) -> Screen | None:
    """The end of one link."""
    if payload.state != JobState.DONE:
        return refusal(str(payload.reason), payload.detail, standing)
    if "invitation" in payload.detail:
        return _invitation(standing.t, InvitationFollowed.read(payload.detail))
    return Screen("✅ " + used(standing, payload.used)) if payload.used else None


def used(standing: Standing, counts: Mapping[str, int]) -> str:
    """One line: what it used and what is left."""
    t = standing.t
    what = ", ".join(counted(t, kind, number) for kind, number in counts.items())
    left = "; ".join(f"{limits.kind(t, kind)}: {limits.left(t, standing.left[kind])}" for kind in counts)
    return t.gettext("Delivered: {what}. {left}.", what=what, left=left)


def counted(t: Texts, kind: str, number: int) -> str:
    """So many of a kind."""
    return {
        "photo": t.ngettext("{n} photo", "{n} photos", number),
        "video": t.ngettext("{n} video", "{n} videos", number),
        "music": t.ngettext("{n} music file", "{n} music files", number),
        "apk": t.ngettext("{n} Android app", "{n} Android apps", number),
        "document": t.ngettext("{n} document", "{n} documents", number),
        "text": t.ngettext("{n} text", "{n} texts", number),
    }[kind]


def batch(counts: Mapping[JobState, int], used_up: Mapping[str, int], standing: Standing) -> Screen:
    """The end of several links that came together: what became of them, what they used and what is left."""
    lines = [_outcome(standing.t, counts)]
    if used_up:
        lines.append(used(standing, used_up))
    return Screen("\n".join(lines))


def _outcome(t: Texts, counts: Mapping[JobState, int]) -> str:
    total, done = sum(counts.values()), counts[JobState.DONE]
    if done == total:
        return t.ngettext("✅ {n} link delivered.", "✅ All {n} links delivered.", total)
    lines = [t.gettext("🏁 {done} of {total} links delivered.", done=done, total=total)]
    undeliverable = counts[JobState.REFUSED] + counts[JobState.FAILED]
    if undeliverable:
        lines.append(
            t.ngettext(
                "{n} link could not be delivered and cost you nothing. Send it alone to learn why.",
                "{n} links could not be delivered and cost you nothing. Send one of them alone to learn why.",
                undeliverable,
            )
        )
    if counts[JobState.CANCELLED]:
        lines.append(t.ngettext("{n} link was cancelled.", "{n} links were cancelled.", counts[JobState.CANCELLED]))
    return "\n".join(lines)


def batch_held(t: Texts, payload: BatchHeld, waiting: int) -> Screen:
    """A limit has ended a batch in the middle; so many of it wait."""
    limit = Limit(payload.limit, payload.period)
    text = t.ngettext(
        "⏸ Your limit is reached ({kind}: {limit}). {n} link waits for you: get a larger plan and let it go on.",
        "⏸ Your limit is reached ({kind}: {limit}). {n} links wait for you: get a larger plan and let them go on.",
        waiting,
        kind=limits.kind(t, payload.kind),
        limit=limits.limit(t, limit),
    )
    go_on = keyboard.go_on(t, payload.batch)
    stop = Button(t.gettext("✖ Cancel the rest"), f"cancel_batch:{payload.batch}")
    return keyboard.lasting(Screen(text, keyboard.rows(keyboard.plans(t), go_on, stop)))


def refusal(reason: str, detail: Mapping[str, Any], standing: Standing) -> Screen | None:
    """Why a link was not delivered, and what to do next. None: nobody is there to hear it."""
    t = standing.t
    if reason == "unreachable":
        return None
    if reason == "limit":
        return _limit(t, OverLimit.read(detail))
    if reason in ("too_large_for_plan", "too_large_for_bots"):
        return _too_large(t, reason, TooLarge.read(detail))
    words = _words(t, reason, standing.account)
    buttons = (keyboard.plans(t),) if reason == "join_only_paying" else ()
    return Screen("✖️ " + words, keyboard.rows(*buttons, keyboard.home(t)))


def _limit(t: Texts, over: OverLimit) -> Screen:
    limit = Limit(over.limit, over.period)
    kind, allowed = limits.kind(t, over.kind), limits.limit(t, limit)
    if not limit.count:
        text = t.gettext("✖️ Your plan does not include this. {kind}: {limit}.", kind=kind, limit=allowed)
    elif over.wanted > 1:
        text = t.gettext(
            "✖️ This post needs {wanted}, and your limit leaves {left}. {kind}: {limit}.",
            wanted=over.wanted,
            left=max(0, limit.count - over.used),
            kind=kind,
            limit=allowed,
        )
    else:
        text = t.gettext("✖️ You have reached your limit. {kind}: {limit}.", kind=kind, limit=allowed)
    more = t.gettext("It cost you nothing. A larger plan brings it to you:")
    return Screen(f"{text}\n{more}", keyboard.rows(keyboard.plans(t), keyboard.home(t)))


def _too_large(t: Texts, reason: str, file: TooLarge) -> Screen:
    size, limit = t.size(file.size), t.size(file.limit)
    if reason == "too_large_for_bots":
        text = t.gettext(
            "✖️ This file is {size}, and Telegram lets no bot send more than {limit}. Please choose another post.",
            size=size,
            limit=limit,
        )
        return Screen(text, keyboard.rows(keyboard.home(t)))
    text = t.gettext("✖️ This file is {size}, and your plan includes files up to {limit}.", size=size, limit=limit)
    return Screen(text, keyboard.rows(keyboard.plans(t), keyboard.home(t)))


def _invitation(t: Texts, followed: InvitationFollowed) -> Screen:
    chat = escape(followed.chat)
    if followed.invitation == "joined":
        text = t.gettext("✅ I have joined <b>{chat}</b>. Now send me the links to its posts.", chat=chat)
    else:
        text = t.gettext("✅ I am already in <b>{chat}</b>. Send me the links to its posts.", chat=chat)
    return Screen(text)


def _words(t: Texts, reason: str, account: str | None) -> str:
    if reason in REASONS:
        return links.reason(t, reason)
    if reason == "no_access":
        return _no_access(t, account)
    again = t.gettext("Please send the link again later; this attempt cost you nothing.")
    other = t.gettext("Please choose another post.")
    return {
        "not_found": t.gettext("This post does not exist; it may have been deleted. Please check the link."),
        "person": t.gettext(
            "This link leads to a person or a bot, and I only read channels and groups. Please send the link "
            "to a post in one of those."
        ),
        "basic_group": t.gettext(
            "I cannot read this group: Telegram gives it no links to posts until it becomes a supergroup. Its admins "
            "can do that by showing the history to new members."
        ),
        "private": t.gettext(
            "This chat is private. Send me an invitation link to the chat first (t.me/+…), then this link again."
        ),
        "blocked": t.gettext(
            "The operator has closed this chat, so I do not deliver its posts. Please choose a post of another chat."
        ),
        "protected": t.gettext("The owner of this chat does not allow saving its posts, so I do not deliver them.")
        + f" {other}",
        "self_destructing": t.gettext("This post disappears after viewing, and I never deliver such posts.")
        + f" {other}",
        "paid_media": t.gettext("The owner of this post sells it in Telegram itself, so I do not deliver it.")
        + f" {other}",
        "nothing_to_deliver": t.gettext("I found nothing in this post that I can deliver. Please choose another post."),
        "file_refused": t.gettext("Telegram does not let me send the file of this post.") + f" {other}",
        "voice_forbidden": t.gettext(
            "Your privacy settings do not let me send you voice and video messages. In Telegram, open Settings → "
            "Privacy and Security → Voice Messages and add me under “Always Allow”. Then send the link again."
        ),
        "invite_expired": t.gettext("This invitation has expired. Please ask for a new one."),
        "invite_invalid": t.gettext("This invitation does not exist. Please copy it again."),
        "invite_paid": t.gettext(
            "This invitation asks for a paid subscription, and I do not buy any. Please choose a post of another chat."
        ),
        "join_requested": t.gettext(
            "I have asked to join this chat. Once one of its admins has let me in, send me this invitation again."
        ),
        "entry_approved": t.gettext(
            "I am in this chat, but its admins admit each person themselves, so an invitation does not show that you "
            "may read the chat. Please ask the operator to open the chat for you."
        ),
        "too_many_channels": t.gettext(
            "I am in as many chats as Telegram allows, so I cannot join this one. Please tell the operator."
        ),
        "chat_full": t.gettext("This chat is full, so I cannot join it. Please send the invitation again another day."),
        "banned_there": t.gettext(
            "The admins of this chat have banned me, so I cannot join it. Please choose a post of another chat."
        ),
        "join_nobody": t.gettext("I do not join chats by invitation. Please ask the operator to add this chat."),
        "join_only_paying": t.gettext(
            "I join chats only for customers with a paid plan. Choose a plan, then send the invitation again."
        ),
        "join_cap": t.gettext(
            "I have joined as many chats as I may in one day. Please send the invitation again tomorrow."
        ),
        "join_refused": t.gettext("This invitation does not let me in. Please ask for a new one."),
        "waited_too_long": t.gettext("I could not read this post for too long and have stopped trying.") + " " + again,
        "restored": t.gettext(
            "My data was restored from a backup, so I do not know whether this post reached you. If it did not, send "
            "the link again; this attempt cost you nothing."
        ),
        "gave_up": t.gettext("I tried several times and could not deliver this post.") + " " + again,
    }[reason]


def _no_access(t: Texts, account: str | None) -> str:
    if account is None:
        return t.gettext(
            "I cannot read this chat. Send me an invitation link to the chat (t.me/+…), then this link again."
        )
    return t.gettext(
        "I cannot read this chat. Add @{account} to the chat, or send me an invitation link to it (t.me/+…). Then "
        "send this link again.",
        account=account,
    )
