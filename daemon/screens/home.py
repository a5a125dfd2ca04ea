"""The first screen, the guide, the choice of language."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from zoneinfo import ZoneInfo

from config.plain_text import plain
from config.plans import Plan
from config.texts import Texts, offered
from daemon.screens import keyboard, limits
from daemon.telegram.screen import Button, Screen
from models.jobs.usage import Left
from models.money.access import Access


@dataclass(frozen=True)
class PlanStatus:
    """The plan that a customer has at ``now``, and how long it lasts."""

    plan: Plan
    access: Access
    now: int
    timezone: ZoneInfo
    later: tuple[tuple[Plan, int | None], ...] = ()
    """The plans that follow, each with the end of its time; None: it has none."""


def start(
    t: Texts,
    first_name: str,
    status: PlanStatus,
    left: Mapping[str, Left],
    *,
    credit: Mapping[str, int],
    channel_url: str | None,
) -> Screen:
    """The first screen: the plan, what is left of it and of packs, how to use the bot."""
    text = "\n\n".join(
        (
            t.gettext("Hello, {name}!", name=escape(plain(first_name)) or "👋"),
            t.gettext("Send me the link to a Telegram post, and I will send you what is in it."),
            "\n".join((plan_line(t, status), limits.what_is_left(t, left), *limits.of_packs(t, credit))),
        )
    )
    buttons = [keyboard.plans(t), Button(t.gettext("📖 Guide"), "help")]
    if channel_url:
        buttons.append(Button(t.gettext("📣 Channel"), url=channel_url))
    return Screen(text, keyboard.rows(*buttons))


def plan_line(t: Texts, status: PlanStatus) -> str:
    """The plan and how long it lasts, and what follows it."""
    return "\n".join([_present(t, status), *_later(t, status)])


def _present(t: Texts, status: PlanStatus) -> str:
    access, title = status.access, escape(status.plan.title_in(t.language))
    if access.forever:
        return t.gettext("Your plan: <b>{plan}</b>, forever.", plan=title)
    if access.until is None:
        return t.gettext("Your plan: <b>{plan}</b>.", plan=title)
    if access.until <= status.now:
        date = t.date(access.until, status.timezone)
        return t.gettext("Your plan: <b>{plan}</b>. Its renewal has been due since {date}.", plan=title, date=date)
    return t.gettext(
        "Your plan: <b>{plan}</b> until {date}. Time left: {left}.",
        plan=title,
        left=t.duration(access.until - status.now),
        date=t.date(access.until, status.timezone),
    )


def _later(t: Texts, status: PlanStatus) -> Iterator[str]:
    for plan, until in status.later:
        title = escape(plan.title_in(t.language))
        if until is None:
            yield t.gettext("Then: <b>{plan}</b>, forever.", plan=title)
        else:
            yield t.gettext("Then: <b>{plan}</b> until {date}.", plan=title, date=t.date(until, status.timezone))


def guide(t: Texts, commands: str) -> Screen:
    """The guide."""
    text = t.gettext(
        "<b>How to use this bot</b>\n"
        "1. In Telegram, press and hold the post that you want and choose “Copy link”.\n"
        "2. Send me the link, or forward the post. You can send several links in one message, a range "
        "(t.me/name/10-20) or a list (t.me/name/10, 12, 15).\n"
        "3. I send you the post as it was: photo, video, album, sticker, music, document or text.\n\n"
        "<b>Private channels</b>\n"
        "Send me the invitation link first (t.me/+…), then the links to the posts.\n\n"
        "<b>Commands</b>\n"
        "{commands}",
        commands=commands,
    )
    return Screen(text, keyboard.rows(keyboard.home(t), keyboard.plans(t)))


def language(t: Texts, chosen: str) -> Screen:
    """The choice of language, each named in itself."""
    buttons = [Button(("✓ " if each.code == chosen else "") + each.name, f"language:{each.code}") for each in offered()]
    return Screen(t.gettext("Which language do you want to read?"), (*keyboard.rows(*buttons), (keyboard.home(t),)))
