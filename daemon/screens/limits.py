"""What is left and what is used of a plan's limits, in words."""

from collections.abc import Iterator, Mapping

from config import plan_texts
from config.plan_texts import kind as kind
from config.plan_texts import limit as limit
from config.plans import KINDS, Limit, Plan, Plans
from config.texts import Texts
from models.event_kinds import OverLimit
from models.jobs.usage import Left


def left(t: Texts, of: Left) -> str:
    """What remains of one kind: ``7 of 10 left today``."""
    count, most = of.count, of.limit.count
    if count is None:
        return t.gettext("unlimited")
    if most == 0:
        return t.gettext("not in this plan")
    if of.limit.period == "day":
        return t.ngettext("{n} of {limit} left today", "{n} of {limit} left today", count, limit=most)
    return t.ngettext("{n} of {limit} left in all", "{n} of {limit} left in all", count, limit=most)


def what_is_left(t: Texts, of: Mapping[str, Left]) -> str:
    """One line for each kind."""
    return "\n".join(f"• {kind(t, code)}: {left(t, of[code])}" for code in KINDS)


def of_packs(t: Texts, credit: Mapping[str, int]) -> Iterator[str]:
    """A line with what is left of bought packs, by kind; none where nothing is."""
    if credit:
        what = ", ".join(plan_texts.counted(t, code, credit[code]) for code in KINDS if code in credit)
        yield t.gettext("🎟 Bought in packs: {what}", what=what)


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
    """One line for each kind."""
    return "\n".join(f"• {kind(t, code)}: {used(t, of[code])}" for code in KINDS)


def that_allow(plans: Plans, over: OverLimit) -> list[Plan]:
    """The plans on sale whose limits leave room for what another limit has stopped."""
    return [plan for plan in plans.on_sale() if _allows(plan.limits[over.kind], over)]


def _allows(limit: Limit, over: OverLimit) -> bool:
    """Whether *limit* has room. What was used in a period of another length is not known and not counted."""
    used = over.used if limit.period == over.period else 0
    return limit.count is None or used + over.wanted <= limit.count
