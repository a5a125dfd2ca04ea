"""States of links and renewals, in words for the operator."""

from collections.abc import Callable, Mapping

from config.texts import Texts

LABELS: Mapping[str, Callable[[Texts], str]] = {
    "queued": lambda t: t.gettext("in the queue"),
    "claimed": lambda t: t.gettext("under way"),
    "delivering": lambda t: t.gettext("under way"),
    "held": lambda t: t.gettext("on hold"),
    "done": lambda t: t.gettext("delivered"),
    "refused": lambda t: t.gettext("refused"),
    "failed": lambda t: t.gettext("failed"),
    "cancelled": lambda t: t.gettext("cancelled"),
    "pending": lambda t: t.gettext("not approved yet"),
    "active": lambda t: t.gettext("active"),
    "suspended": lambda t: t.gettext("suspended"),
    "expired": lambda t: t.gettext("ended"),
}


def label(t: Texts, state: str) -> str:
    """The state in words; one that this version does not know stands as it is."""
    say = LABELS.get(state)
    return say(t) if say else state


def account(t: Texts, state: str) -> str:
    """The state of the reading account's connection in words; one that this version does not know stands as it is."""
    return {
        "starting": t.gettext("starting"),
        "ok": t.gettext("connected"),
        "lost": t.gettext("connection lost"),
        "revoked": t.gettext("logged out by Telegram"),
        "banned": t.gettext("banned by Telegram"),
        "paused": t.gettext("paused"),
        "?": t.gettext("unknown"),
    }.get(state, state)
