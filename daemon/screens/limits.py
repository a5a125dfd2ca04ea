"""Plans and their limits in words."""

from collections.abc import Mapping

from config.plans import KINDS, Limit, Plan
from config.texts import Texts
from models.jobs.usage import Left


def kind(t: Texts, code: str) -> str:
    """A kind of media as a heading."""
    return {
        "photo": t.gettext("Photos"),
        "video": t.gettext("Videos"),
        "music": t.gettext("Music"),
        "apk": t.gettext("Android apps (APK)"),
        "document": t.gettext("Documents"),
        "text": t.gettext("Texts"),
    }[code]


def left(t: Texts, of: Left) -> str:
    """What remains of one kind: ``7 of 10 left today``."""
    if of.limit.count is None:
        return t.gettext("unlimited")
    if of.limit.count == 0:
        return t.gettext("not in this plan")
    if of.limit.period == "day":
        return t.gettext("{left} of {limit} left today", left=of.count, limit=of.limit.count)
    return t.gettext("{left} of {limit} left in all", left=of.count, limit=of.limit.count)


def limit(t: Texts, of: Limit) -> str:
    """A limit by itself: ``10 a day``."""
    if of.count is None:
        return t.gettext("unlimited")
    if of.count == 0:
        return t.gettext("no")
    if of.period == "day":
        return t.gettext("{limit} a day", limit=of.count)
    return t.gettext("{limit} in all", limit=of.count)


def what_is_left(t: Texts, of: Mapping[str, Left]) -> str:
    """One line a kind."""
    return "\n".join(f"• {kind(t, code)}: {left(t, of[code])}" for code in KINDS)


def what_it_gives(t: Texts, plan: Plan) -> str:
    """One line a kind, and the size."""
    lines = [f"• {kind(t, code)}: {limit(t, plan.limits[code])}" for code in KINDS]
    lines.append("• " + t.gettext("files up to {size}", size=t.size(plan.max_bytes)))
    return "\n".join(lines)


def used(t: Texts, of: Left) -> str:
    """What was used of one kind: ``3 of 10 today``."""
    if of.limit.count == 0:
        return t.gettext("not in this plan")
    if of.limit.count is None:
        return t.gettext("{used} today, unlimited", used=of.used)
    if of.limit.period == "day":
        return t.gettext("{used} of {limit} today", used=of.used, limit=of.limit.count)
    return t.gettext("{used} of {limit} in all", used=of.used, limit=of.limit.count)


def what_is_used(t: Texts, of: Mapping[str, Left]) -> str:
    """One line a kind."""
    return "\n".join(f"• {kind(t, code)}: {used(t, of[code])}" for code in KINDS)
