"""The way into the console, and who has come in."""

from html import escape
from urllib.parse import quote

from config.texts import Texts
from daemon.telegram.screen import Button, Screen
from models.event_kinds import ConsoleEntered

HTTPS = "https://"


def entrance(t: Texts, url: str, token: str, path: str = "") -> Screen:
    """The console's button and its link, which leads to *path*. Telegram opens only https as a Mini App."""
    then = f"?next={quote(path, safe='/')}" if path else ""
    link = f"{url}login/{token}{then}"
    text = t.gettext(
        "🖥 <b>Your shop's console</b>\n\nIn any browser, within ten minutes and once:\n{link}\n\nPass this link on to "
        "nobody: it logs in as you.",
        link=escape(link),
    )
    button = Button(t.gettext("🖥 Open it here"), app=f"{url}app{then}")
    return Screen(text, ((button,),) if url.startswith(HTTPS) else ())


def needs_https(t: Texts) -> Screen:
    """There is no address under which the console can be opened safely."""
    return Screen(
        t.gettext(
            "The console needs an address that begins with https://. Set BACKEND_URL to the one under which your "
            "server can be reached, and restart. Everything that the console shows is in this chat too: /help lists it."
        )
    )


def entered(t: Texts, payload: ConsoleEntered, date: str) -> Screen:
    """Somebody has logged in as the reader."""
    where = t.gettext("in Telegram") if payload.kind == "mini_app" else t.gettext("in a browser")
    text = t.gettext(
        "🔑 You have logged in to the console {where}: {device}, {date}.",
        where=where,
        device=escape(payload.device) or t.gettext("unknown device"),
        date=date,
    )
    return Screen(text, ((Button(t.gettext("⛔ Not me: end all sessions"), "console_end"),),))


def ended(t: Texts, sessions: int) -> Screen:
    """All sessions are over."""
    return Screen(
        t.ngettext(
            "{n} session of the console has ended, and no link of yours works any more.",
            "{n} sessions of the console have ended, and no link of yours works any more.",
            sessions,
        )
        + " "
        + t.gettext("If it was not you, look at Telegram's Settings, Devices: somebody may be logged in as you.")
    )


def undone(t: Texts) -> Screen:
    """The plans are what they were before."""
    return Screen(t.gettext("↩️ Undone: the plans that held before hold again."))


def over(t: Texts) -> Screen:
    """Somebody has changed the plans since, or has undone it."""
    return Screen(t.gettext("Those plans do not hold any more, so nothing was undone. /console shows the versions."))
