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
